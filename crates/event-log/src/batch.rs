//! The value under one key of the log: a batch of records. **Persisted, keep
//! stable.**
//!
//! Key: position of the first record, 8 bytes. Key 0 is not a batch, see
//! `head.rs`. Value, all numbers big-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | CRC-32C over the key and everything from offset 4 on |
//! | 4 | 2 | format, 1 |
//! | 6 | 2 | zero |
//! | 8 | 4 | number of records, at least 1 |
//! | 12 | 8 | position of the first record of the *group* that the batch belongs to |
//! | 20 | … | for each record: length (4 bytes), bytes |
//!
//! A group (what one `append` made durable at once) takes as many batches as it
//! needs; the records of one unit never straddle two. The key is under the
//! checksum, so that a value in the wrong place does not pass. The group's
//! position says what was durable when the batch was written, namely everything
//! before it: that is how opening tells a crash in the middle of a group from
//! the loss of something that had been acknowledged.

use std::sync::Arc;

use bytes::Bytes;
use decider::Position;

use crate::unit::Unit;

/// Largest value under one key, in bytes: what one unit may fill.
///
/// Chosen with sled's pages in mind: see `SEGMENT_BYTES` in `open.rs`.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// Units are put together in one batch up to this size. sled caches leaf pages
/// of up to 17 values, at least 256 of them, so small batches bound its memory;
/// they are written as fast as large ones.
const BATCH_BYTES_TARGET: usize = 8 * 1024;

pub(crate) const FORMAT: u16 = 1;
pub(crate) const HEADER_BYTES: usize = 20;
pub(crate) const LENGTH_BYTES: usize = 4;

pub(crate) fn key(position: Position) -> [u8; 8] {
    position.0.to_be_bytes()
}

/// Encoded, ready to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub first: Position,
    pub records: u64,
    pub value: Vec<u8>,
}

impl Batch {
    /// Position of its last record.
    pub fn last(&self) -> Position {
        Position(self.first.0 + self.records - 1)
    }
}

/// One batch of the records of several that follow each other, all of them
/// durable: as if they had been one group. Only up to [`BATCH_BYTES_TARGET`].
pub(crate) fn join(batches: &[Arc<Batch>]) -> Batch {
    let first = batches[0].first;
    let body = |batch: &Arc<Batch>| batch.value.len() - HEADER_BYTES;
    let bytes = HEADER_BYTES + batches.iter().map(body).sum::<usize>();
    let records = batches.iter().map(|batch| batch.records).sum();
    let mut value = Vec::with_capacity(bytes);
    begin(&mut value, records, first);
    for batch in batches {
        value.extend_from_slice(&batch.value[HEADER_BYTES..]);
    }
    seal(first, &mut value);
    Batch {
        first,
        records,
        value,
    }
}

/// How many of the batches, from the first on, go into one by [`join`].
pub(crate) fn joined(batches: &[Arc<Batch>]) -> usize {
    let mut bytes = HEADER_BYTES;
    let mut taken = 0;
    for batch in batches {
        bytes += batch.value.len() - HEADER_BYTES;
        if taken > 0 && bytes > BATCH_BYTES_TARGET {
            break;
        }
        taken += 1;
    }
    taken
}

/// Packs a group that begins at `first` into batches of whole units. The units have passed [`Unit::check`].
pub(crate) fn pack(first: Position, units: &[Unit]) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut position = first;
    let mut rest = units;
    while !rest.is_empty() {
        let mut bytes = HEADER_BYTES;
        let mut taken = 0;
        for unit in rest {
            if taken > 0 && bytes + unit.encoded_bytes() > BATCH_BYTES_TARGET {
                break;
            }
            bytes += unit.encoded_bytes();
            taken += 1;
        }
        let (now, later) = rest.split_at(taken);
        rest = later;
        let records: Vec<&Bytes> = now.iter().flat_map(|unit| &unit.0).collect();
        if !records.is_empty() {
            let batch = encode(position, first, &records, bytes);
            position = Position(position.0 + batch.records);
            batches.push(batch);
        }
    }
    batches
}

fn encode(first: Position, group: Position, records: &[&Bytes], bytes: usize) -> Batch {
    let mut value = Vec::with_capacity(bytes);
    begin(&mut value, records.len() as u64, group);
    for record in records {
        value.extend_from_slice(&length(record.len() as u64));
        value.extend_from_slice(record);
    }
    seal(first, &mut value);
    Batch {
        first,
        records: records.len() as u64,
        value,
    }
}

fn begin(value: &mut Vec<u8>, records: u64, group: Position) {
    value.extend_from_slice(&[0; 4]);
    value.extend_from_slice(&FORMAT.to_be_bytes());
    value.extend_from_slice(&[0; 2]);
    value.extend_from_slice(&length(records));
    value.extend_from_slice(&group.0.to_be_bytes());
}

fn seal(first: Position, value: &mut [u8]) {
    let checksum = checksum(first, value);
    value[..4].copy_from_slice(&checksum.to_be_bytes());
}

fn length(n: u64) -> [u8; 4] {
    u32::try_from(n)
        .expect("a batch is far below 4 GiB")
        .to_be_bytes()
}

fn checksum(first: Position, value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&key(first)), &value[4..])
}

/// Why a value is not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("the batch has {0} bytes, fewer than its header")]
    Short(usize),
    #[error("the checksum of the batch does not match")]
    Checksum,
    #[error("the batch has format {0}")]
    Format(u16),
    #[error("the batch's records do not fill it exactly")]
    Lengths,
}

/// A batch that passed its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked<'a> {
    pub records: u64,
    pub group: Position,
    body: &'a [u8],
}

/// Checks a whole value: checksum, format, and that the records fill it.
pub(crate) fn check(first: Position, value: &[u8]) -> Result<Checked<'_>, Invalid> {
    if value.len() < HEADER_BYTES {
        return Err(Invalid::Short(value.len()));
    }
    let number = |at: usize, bytes: usize| {
        value[at..at + bytes]
            .iter()
            .fold(0u64, |n, byte| n << 8 | u64::from(*byte))
    };
    if number(0, 4) != u64::from(checksum(first, value)) {
        return Err(Invalid::Checksum);
    }
    if number(4, 2) != u64::from(FORMAT) {
        return Err(Invalid::Format(
            u16::try_from(number(4, 2)).unwrap_or(u16::MAX),
        ));
    }
    let checked = Checked {
        records: number(8, 4),
        group: Position(number(12, 8)),
        body: &value[HEADER_BYTES..],
    };
    let fills = checked
        .ranges()
        .last()
        .is_some_and(|range| range.end == checked.body.len());
    if fills && checked.ranges().count() as u64 == checked.records {
        Ok(checked)
    } else {
        Err(Invalid::Lengths)
    }
}

impl Checked<'_> {
    /// The records from number `skip` (from 0) on, at most `limit`, in memory
    /// of their own.
    pub fn records(&self, skip: usize, limit: usize) -> impl Iterator<Item = Bytes> {
        let shared = Bytes::copy_from_slice(self.body);
        self.ranges()
            .skip(skip)
            .take(limit)
            .map(move |range| shared.slice(range))
    }

    /// Where the records lie; ends early where a length leads out of the body.
    fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let prefix: [u8; LENGTH_BYTES] =
                self.body.get(at..at + LENGTH_BYTES)?.try_into().ok()?;
            let start = at + LENGTH_BYTES;
            let end = start.checked_add(usize::try_from(u32::from_be_bytes(prefix)).ok()?)?;
            (end <= self.body.len()).then(|| {
                at = end;
                start..end
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(records: &[&'static [u8]]) -> Unit {
        records.iter().map(|r| Bytes::from_static(r)).collect()
    }

    fn all(batch: &Batch) -> Vec<Bytes> {
        check(batch.first, &batch.value)
            .unwrap()
            .records(0, usize::MAX)
            .collect()
    }

    #[test]
    fn the_bytes_of_a_batch_never_change() {
        let batches = pack(Position(258), &[unit(&[b"order"]), unit(&[b"", b"x"])]);
        // The checksum was calculated by another implementation.
        let hex: String = batches[0]
            .value
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let header = "0001_0000_00000003_0000000000000102".replace('_', "");
        let records = "000000056f72646572_00000000_0000000178".replace('_', "");
        assert_eq!(hex[8..], format!("{header}{records}"));
        assert_eq!(hex[..8], *"d4a16b3d");
    }

    #[test]
    fn a_group_is_split_between_units_only() {
        let large = Unit(vec![Bytes::from(vec![1; 20_000]); 2]);
        let medium = |fill: u8| Unit(vec![Bytes::from(vec![fill; 2_100]); 2]);
        let small = unit(&[b"small"]);
        let units = [large.clone(), medium(2), small.clone(), medium(3)];
        let batches = pack(Position(1), &units);
        let firsts: Vec<u64> = batches.iter().map(|batch| batch.first.0).collect();
        assert_eq!(firsts, [1, 3, 6]);
        assert_eq!(all(&batches[0]), large.0);
        assert_eq!(all(&batches[1]), [medium(2).0, small.0].concat());
        assert_eq!(all(&batches[2]), medium(3).0);
        for batch in &batches {
            assert_eq!(check(batch.first, &batch.value).unwrap().group, Position(1));
        }
    }

    #[test]
    fn the_largest_unit_fills_a_batch_exactly() {
        let first = RECORD_MAX;
        let second = crate::UNIT_BYTES_MAX - first - 2 * LENGTH_BYTES;
        let unit = Unit(vec![vec![1; first].into(), vec![2; second].into()]);
        assert!(unit.check().is_ok());
        let batches = pack(Position(1), &[unit]);
        assert_eq!(batches[0].value.len(), BATCH_BYTES_MAX);
    }
    const RECORD_MAX: usize = crate::RECORD_BYTES_MAX;

    #[test]
    fn units_without_records_leave_no_trace() {
        assert_eq!(
            pack(Position(1), &[Unit::default(), Unit::default()]),
            vec![]
        );
        assert_eq!(
            pack(Position(1), &[Unit::default(), unit(&[b"a"])]),
            pack(Position(1), &[unit(&[b"a"])])
        );
    }

    #[test]
    fn every_changed_byte_and_every_missing_byte_is_found() {
        let batch = pack(Position(7), &[unit(&[b"alpha", b"beta"])]).remove(0);
        for at in 0..batch.value.len() {
            let mut changed = batch.value.clone();
            changed[at] ^= 1;
            assert!(check(Position(7), &changed).is_err(), "byte {at}");
            assert!(
                check(Position(7), &batch.value[..at]).is_err(),
                "cut at {at}"
            );
        }
        assert_eq!(check(Position(8), &batch.value), Err(Invalid::Checksum));
    }
}
