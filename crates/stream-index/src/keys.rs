//! Keys and values as they lie on disk. All numbers are big-endian. A change
//! here is a change of [`FORMAT`]: an index of another format is made anew.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `heads` | stream | last revision (8) |
//! | `records` | length of stream (2), stream, revision (8) | position (8) |
//! | `requests` | request key (16) | first position (8), digest (16), count (4) |
//! | `meta` | `mark` | format (4), position (8), SHA-256 of its record (32) |

use decider::{Position, Revision, StreamId};

use crate::{Answered, Mark};

pub const FORMAT: u32 = 1;
pub const MARK: &str = "mark";

pub fn record(stream: &StreamId, revision: Revision) -> Vec<u8> {
    let text = stream.as_str().as_bytes();
    // A record is below 64 KiB, and its stream with it.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut key = Vec::with_capacity(text.len() + 10);
    key.extend(length.to_be_bytes());
    key.extend(text);
    key.extend(revision.0.to_be_bytes());
    key
}

pub fn number(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

pub fn answered(answered: &Answered) -> [u8; 28] {
    let mut value = [0; 28];
    value[..8].copy_from_slice(&answered.first.0.to_be_bytes());
    value[8..24].copy_from_slice(&answered.digest);
    value[24..].copy_from_slice(&answered.count.to_be_bytes());
    value
}

pub fn read_answered(value: &[u8]) -> Option<Answered> {
    let value: &[u8; 28] = value.try_into().ok()?;
    Some(Answered {
        first: Position(number(&value[..8])?),
        digest: value[8..24].try_into().ok()?,
        count: u32::from_be_bytes(value[24..].try_into().ok()?),
    })
}

pub fn mark(mark: &Mark) -> [u8; 44] {
    let mut value = [0; 44];
    value[..4].copy_from_slice(&FORMAT.to_be_bytes());
    value[4..12].copy_from_slice(&mark.position.0.to_be_bytes());
    value[12..].copy_from_slice(&mark.record);
    value
}

/// None where it is of another format.
pub fn read_mark(value: &[u8]) -> Option<Mark> {
    let value: &[u8; 44] = value.try_into().ok()?;
    if value[..4] != FORMAT.to_be_bytes() {
        return None;
    }
    Some(Mark {
        position: Position(number(&value[4..12])?),
        record: value[12..].try_into().ok()?,
    })
}
