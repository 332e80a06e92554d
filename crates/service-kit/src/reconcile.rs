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
/// Payload bytes appended at once when a log is restored.
const UNIT_BYTES: usize = 32 * 1024;

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
    let join = before.0.min(state.last_sequence);
    if join > 0 && !same_at(log, bus, stream, join).await? {
        return Err(ReconcileError::Differs {
            stream: stream.to_string(),
            position: first_difference(log, bus, stream, join).await?,
        });
    }
    let mut next = before.0 + 1;
    while next <= state.last_sequence {
        let messages = bus.read(stream, next, CHUNK).await?;
        if messages.is_empty() {
            break;
        }
        let mut units = Vec::new();
        let mut unit = Vec::new();
        let mut size = 0;
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
            if size + message.payload.len() > UNIT_BYTES && !unit.is_empty() {
                units.push(Unit(std::mem::take(&mut unit)));
                size = 0;
            }
            size += message.payload.len();
            unit.push(message.payload);
        }
        units.push(Unit(unit));
        log.append(units)?;
        tracing::info!(%stream, position = next - 1, "restoring the log from the stream");
    }
    let after = log.last_position();
    Ok(Reconciled {
        log: after,
        stream: state.last_sequence,
        restored: after.0 - before.0,
    })
}

async fn same_at(
    log: &dyn EventLog,
    bus: &Bus,
    stream: &StreamName,
    position: u64,
) -> Result<bool, ReconcileError> {
    let ours = log.read(Position(position), 1)?;
    let theirs = bus.read(stream, position, 1).await?;
    Ok(match (ours.first(), theirs.first()) {
        (Some(ours), Some(theirs)) => ours.bytes == theirs.payload,
        _ => false,
    })
}

async fn first_difference(
    log: &dyn EventLog,
    bus: &Bus,
    stream: &StreamName,
    last: u64,
) -> Result<u64, ReconcileError> {
    let mut position = 1;
    while position <= last {
        let ours = log.read(Position(position), CHUNK)?;
        let theirs = bus.read(stream, position, CHUNK).await?;
        let pairs = ours.len().min(theirs.len());
        if pairs == 0 {
            break;
        }
        for (ours, theirs) in ours.iter().zip(&theirs) {
            if ours.bytes != theirs.payload {
                return Ok(ours.position.0);
            }
        }
        position += pairs as u64;
    }
    Ok(position.min(last))
}
