//! Log and stream are compared when a service starts, before anything new is
//! decided: each may have lost its end, and only one of them may have.

use decider::Position;
use event_log::{EventLog, LogError, Unit};

use bus::{Bus, BusError, StreamName};

/// What the comparison found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciled {
    pub log: Position,
    pub stream: u64,
    /// Records that the log had lost and got back from the stream.
    pub restored: u64,
}

impl std::fmt::Display for Reconciled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.restored > 0 {
            write!(
                f,
                "{} records restored from the stream; the log is at {}",
                self.restored, self.log
            )
        } else if self.stream < self.log.0 {
            write!(
                f,
                "the stream is at {} and gets {} records from the log",
                self.stream,
                self.log.0 - self.stream
            )
        } else {
            write!(f, "log and stream are both at {}", self.log)
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(
        "log and stream {stream} hold different records at position {position}: another history \
         was written to one of them. Nothing was changed. Compare both with `baogong audit`, and \
         remove the one that is wrong"
    )]
    Differs { stream: String, position: u64 },
    #[error(
        "stream {stream} begins at {first} and the log ends at {log}: what lies between is in \
         neither. Restore the log's directory from a copy; nothing new is recorded before that"
    )]
    FrontMissing {
        stream: String,
        first: u64,
        log: Position,
    },
    #[error(
        "stream {stream} ends in the middle of a command (positions {from} to {to}), so the log \
         cannot be completed from it. Nothing of that command was answered. Restore the log's \
         directory from a copy, or take those messages off the end of the stream"
    )]
    CommandIncomplete { stream: String, from: u64, to: u64 },
    #[error("stream {stream} holds at sequence {sequence} a message that is no record: {why}")]
    NotARecord {
        stream: String,
        sequence: u64,
        why: String,
    },
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

const CHUNK: usize = 512;
/// Records compared before the last common one: more than a relay has in
/// flight.
const COMPARED: u64 = 4096;

/// Brings log and stream together: a shorter log is completed from the stream
/// (a shorter stream is the relay's work); where both have a record it must be
/// the same.
///
/// # Errors
/// They differ, or one of them cannot be read.
pub async fn reconcile(
    log: &dyn EventLog,
    bus: &Bus,
    stream: &StreamName,
) -> Result<Reconciled, ReconcileError> {
    let state = bus.ensure_stream(stream).await?;
    let before = log.last_position();
    let first = state.first_sequence.max(1);
    let join = before.0.min(state.last_sequence);
    if state.last_sequence > 0 && first > before.0 + 1 {
        return Err(ReconcileError::FrontMissing {
            stream: stream.to_string(),
            first,
            log: before,
        });
    }
    // Not only the last common record: two writers at once may have left
    // foreign records among ours.
    let compared_from = join.saturating_sub(COMPARED).max(first);
    if let Some(position) = first_difference(log, bus, stream, compared_from, join).await? {
        // The first of all is what somebody wants to look at.
        let position = first_difference(log, bus, stream, first, position)
            .await?
            .unwrap_or(position);
        return Err(ReconcileError::Differs {
            stream: stream.to_string(),
            position,
        });
    }
    restore(log, bus, stream, state.last_sequence).await?;
    let after = log.last_position();
    Ok(Reconciled {
        log: after,
        stream: state.last_sequence,
        restored: after.0 - before.0,
    })
}

/// Appends what the stream has and the log has not, command by command.
async fn restore(
    log: &dyn EventLog,
    bus: &Bus,
    stream: &StreamName,
    last: u64,
) -> Result<(), ReconcileError> {
    let mut next = log.last_position().0 + 1;
    let mut unit = Vec::new();
    while next <= last {
        let messages = bus.read(stream, next, CHUNK).await?;
        if messages.is_empty() {
            break;
        }
        let mut units = Vec::new();
        for message in messages {
            let not_a_record = |why: String| ReconcileError::NotARecord {
                stream: stream.to_string(),
                sequence: message.sequence,
                why,
            };
            let raw = proto::record::decode(&message.payload)
                .map_err(|error| not_a_record(error.to_string()))?;
            if raw.position.0 != message.sequence || message.sequence != next {
                return Err(not_a_record(format!(
                    "it says position {}, {next} was to follow",
                    raw.position
                )));
            }
            next += 1;
            unit.push(message.payload);
            if raw.unit_remaining == 0 {
                units.push(Unit(std::mem::take(&mut unit)));
            }
        }
        if !units.is_empty() {
            log.append(units)?;
        }
        tracing::info!(%stream, position = next - 1, "restoring the log from the stream");
    }
    if next <= last || !unit.is_empty() {
        return Err(ReconcileError::CommandIncomplete {
            stream: stream.to_string(),
            from: log.last_position().0 + 1,
            to: last,
        });
    }
    Ok(())
}

/// The first position in the range at which log and stream hold different
/// records.
async fn first_difference(
    log: &dyn EventLog,
    bus: &Bus,
    stream: &StreamName,
    from: u64,
    to: u64,
) -> Result<Option<u64>, ReconcileError> {
    let mut position = from.max(1);
    while position <= to {
        let limit = CHUNK.min(usize::try_from(to - position + 1).unwrap_or(CHUNK));
        let ours = log.read(Position(position), limit)?;
        let theirs = bus.read(stream, position, limit).await?;
        let pairs = ours.len().min(theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            if ours.bytes != theirs.payload {
                return Ok(Some(ours.position.0));
            }
        }
        if pairs == 0 {
            return Ok(Some(position));
        }
        position += pairs as u64;
    }
    Ok(None)
}
