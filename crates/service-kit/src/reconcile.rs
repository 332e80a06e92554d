//! Log and stream are compared when a service starts, before anything new is
//! decided: each may have lost its end, and only one of them may have.

mod compare;
mod restore;
mod torso;

use std::sync::Arc;

use decider::Position;
use event_log::{EventLog, LogError};

use bus::{Bus, BusError, StreamName};

use compare::compare;
use restore::restore;
pub use torso::Voided;

/// What the comparison found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciled {
    pub log: Position,
    pub stream: u64,
    /// Records that the log had lost and got back from the stream.
    pub restored: u64,
    /// The torso of a command at the end, which is void now.
    pub voided: Option<Voided>,
    /// Messages that the stream lacks, of those that were compared.
    pub missing: u64,
}

impl std::fmt::Display for Reconciled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(Voided { from, to }) = self.voided {
            write!(
                f,
                "positions {from} to {to} are the torso of a command whose end is lost; they are \
                 kept and declared void; "
            )?;
        }
        if self.missing > 0 {
            write!(
                f,
                "the stream lacks {} messages, which its readers get from this log; ",
                self.missing
            )?;
        }
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
        "stream {stream} has no message {missing}, but later ones, so the log cannot be restored \
         from it. Restore the log's directory from a copy; nothing new is recorded before that"
    )]
    Hole { stream: String, missing: u64 },
    #[error("stream {stream} holds at sequence {sequence} a message that is no record: {why}")]
    NotARecord {
        stream: String,
        sequence: u64,
        why: String,
    },
    #[error("restoring the log was broken off: {0}; the next start goes on with it")]
    BrokenOff(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl ReconcileError {
    fn hole(stream: &StreamName, missing: u64) -> Self {
        Self::Hole {
            stream: stream.to_string(),
            missing,
        }
    }
}

const CHUNK: usize = 512;
/// Records compared before the last common one: more than a relay has in
/// flight.
const COMPARED: u64 = 4096;

/// Brings log and stream together: a shorter log is completed from the stream
/// (a shorter stream is the relay's work); where both have a record it must be
/// the same. A command of which the stream has the beginning only is void.
///
/// # Errors
/// They differ, or one of them cannot be read.
pub async fn reconcile(
    log: &Arc<dyn EventLog>,
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
    let compared = compare(&**log, bus, stream, compared_from, join).await?;
    if let Some(position) = compared.differs {
        // The first of all is what somebody wants to look at.
        let all = compare(&**log, bus, stream, first, position).await?;
        return Err(ReconcileError::Differs {
            stream: stream.to_string(),
            position: all.differs.unwrap_or(position),
        });
    }
    let mut voided = restore(log, bus, stream, state.last_sequence).await?;
    let restored = log.last_position().0 - before.0 - u64::from(voided.is_some());
    if voided.is_none() {
        // A restoring that was interrupted between torso and note.
        voided = torso::void_at_end(&**log, stream)?;
    }
    Ok(Reconciled {
        log: log.last_position(),
        stream: state.last_sequence,
        restored,
        voided,
        missing: compared.missing,
    })
}
