//! Byte comparison of a log with its stream, message for record.

use decider::Position;
use event_log::EventLog;

use bus::{Bus, StreamName};

use super::{CHUNK, ReconcileError};

/// What a comparison found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// The first position at which both hold a record, and not the same one.
    pub differs: Option<u64>,
    /// Messages that the stream has not, though it has later ones.
    pub missing: u64,
}

/// Compares the positions of a range. A message that is missing in the stream
/// is no difference: readers get it from the log.
pub(super) async fn compare(
    log: &dyn EventLog,
    bus: &Bus,
    stream: &StreamName,
    from: u64,
    to: u64,
) -> Result<Compared, ReconcileError> {
    let mut compared = Compared::default();
    let mut position = from.max(1);
    while position <= to {
        let limit = CHUNK.min(usize::try_from(to - position + 1).unwrap_or(CHUNK));
        let ours = log.read(Position(position), limit)?;
        if ours.is_empty() {
            compared.differs = Some(position);
            return Ok(compared);
        }
        let mut theirs = bus
            .read(stream, position, limit)
            .await?
            .into_iter()
            .peekable();
        for ours in &ours {
            match theirs.next_if(|message| message.sequence == ours.position.0) {
                None => compared.missing += 1,
                Some(message) if message.payload != ours.bytes => {
                    compared.differs = Some(ours.position.0);
                    return Ok(compared);
                }
                Some(_) => {}
            }
        }
        position += ours.len() as u64;
    }
    Ok(compared)
}
