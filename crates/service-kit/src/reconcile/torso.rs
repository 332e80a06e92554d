//! The torso of a command whose end was lost: its records are kept, since a
//! position is never used twice, and a `UnitVoided` record behind them says
//! that the command did not take place.
//!
//! The note is derived from the torso alone, so that it is the same, byte for
//! byte, however often the restoring is interrupted and done again.

use bytes::Bytes;
use decider::{Actor, Area, Cause, Position, Recorded, Revision, Seed, StreamId, Timestamp};
use event_log::{EventLog, LogError, Unit};
use prost::{Message, Name};
use proto::{
    log::v1::UnitVoided,
    record::{self, Encoded, Raw},
};
use sha2::{Digest, Sha256};

use bus::StreamName;

/// Stream of the notes. Nothing else is recorded in it.
const STREAM: &str = "units";
/// As in every record of the runtime: keeps the ids apart from the domain's.
const ID_NUMBER: u16 = 0x8000;
const CHUNK: usize = 1024;

/// What was found at the end of a log and declared void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voided {
    pub from: Position,
    pub to: Position,
}

/// Declares void what an earlier restoring left at the end of the log.
///
/// # Errors
/// The log cannot be read or written.
pub(super) fn void_at_end(
    log: &dyn EventLog,
    stream: &StreamName,
) -> Result<Option<Voided>, LogError> {
    let torso = torso_at_end(log)?;
    if torso.is_empty() {
        return Ok(None);
    }
    let (note, voided) = note(log, stream, &torso)?;
    log.append(vec![Unit(vec![note])])?;
    Ok(Some(voided))
}

/// Appends a torso from the stream together with its note.
///
/// # Errors
/// The log cannot be read or written.
pub(super) fn append_void(
    log: &dyn EventLog,
    stream: &StreamName,
    torso: &[Raw],
    bytes: Vec<Bytes>,
) -> Result<Voided, LogError> {
    let (note, voided) = note(log, stream, torso)?;
    let mut whole = Unit(bytes.clone());
    whole.0.push(note.clone());
    // Almost always: a torso lacks at least one record of its command.
    let units = match whole.check() {
        Ok(()) => vec![whole],
        Err(_) => vec![Unit(bytes), Unit(vec![note])],
    };
    log.append(units)?;
    Ok(voided)
}

/// The records of a command that the log's end has without its last ones.
fn torso_at_end(log: &dyn EventLog) -> Result<Vec<Raw>, LogError> {
    let mut torso = Vec::new();
    let mut position = log.last_position();
    while position > Position::ZERO {
        let Some(raw) = read_one(log, position)? else {
            break;
        };
        // The unit before it ends here.
        if raw.unit_remaining == 0 {
            break;
        }
        torso.insert(0, raw);
        position = Position(position.0 - 1);
    }
    Ok(torso)
}

/// `None` for what is no record: replaying it says so.
fn read_one(log: &dyn EventLog, position: Position) -> Result<Option<Raw>, LogError> {
    let entries = log.read(position, 1)?;
    Ok(entries
        .first()
        .and_then(|entry| record::decode(&entry.bytes).ok()))
}

fn note(
    log: &dyn EventLog,
    stream: &StreamName,
    torso: &[Raw],
) -> Result<(Bytes, Voided), LogError> {
    let (Some(first), Some(last)) = (torso.first(), torso.last()) else {
        unreachable!("a torso has records");
    };
    let voided = Voided {
        from: first.position,
        to: last.position,
    };
    let time = last.recorded;
    let raw = Recorded {
        position: last.position.next(),
        event_id: event_id(stream, voided, time),
        stream: StreamId::new("runtime", STREAM),
        revision: Revision(notes_before(log)? + 1),
        area: Area::default(),
        occurred: time,
        recorded: time,
        actor: Actor::system(stream.service.as_str()),
        cause: Cause::Timer { due: time },
        correlation_id: String::new(),
        traceparent: String::new(),
        unit_remaining: 0,
        event: Encoded {
            type_name: UnitVoided::full_name(),
            data: UnitVoided {
                from_position: voided.from.0,
                to_position: voided.to.0,
            }
            .encode_to_vec(),
        },
    };
    Ok((record::encode(&raw).into(), voided))
}

fn event_id(stream: &StreamName, voided: Voided, time: Timestamp) -> String {
    let cause = format!(
        "{}/{}/void/{}/{}",
        stream.service, stream.partition, voided.from, voided.to
    );
    let hash = Sha256::digest(cause.as_bytes());
    let mut seed = [0; 10];
    seed.copy_from_slice(&hash[..10]);
    Seed(seed).ulid(time, ID_NUMBER)
}

/// Notes in the whole log: revisions of a stream are gapless.
fn notes_before(log: &dyn EventLog) -> Result<u64, LogError> {
    let mut notes = 0;
    let mut next = Position(1);
    loop {
        let entries = log.read(next, CHUNK)?;
        let Some(last) = entries.last() else {
            return Ok(notes);
        };
        next = last.position.next();
        for entry in &entries {
            let raw = record::decode(&entry.bytes);
            if raw.is_ok_and(|raw| raw.event.type_name == UnitVoided::full_name()) {
                notes += 1;
            }
        }
    }
}
