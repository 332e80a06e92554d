//! The value under one key of the log: a batch of records. **Persisted, keep
//! stable.**
//!
//! Key: position of the first record, 8 bytes. Key 0 is not a batch, see
//! `head.rs`. Value, all numbers big-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | CRC-32C over the key and everything from offset 4 on |
//! | 4 | 2 | format: 1 plain, 2 packed |
//! | 6 | 2 | zero |
//! | 8 | 4 | number of records, at least 1 |
//! | 12 | 8 | position of the first record of the *group* that the batch belongs to |
//! | 20 | … | plain: for each record length (4 bytes) and bytes, the *body*; packed: bytes of the body (4 bytes), then the body as an [LZ4 block](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md) |
//!
//! The journal has plain batches only; the settler packs what compresses, on
//! its way into sled. sled writes a page anew with each change of it, so a log
//! that is a quarter as large is written with a quarter of the work.
//!
//! A group (what one `append` made durable at once) takes as many batches as it
//! needs; the records of one unit never straddle two. The key is under the
//! checksum, so that a value in the wrong place does not pass. The group's
//! position says what was durable when the batch was written, namely everything
//! before it: that is how opening tells a crash in the middle of a group from
//! the loss of something that had been acknowledged.

use std::{borrow::Cow, ops::Range, sync::Arc};

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

/// What is put together to be packed, before it is. A record that is read
/// alone costs the unpacking of as much; twice as much would be packed better
/// by a twentieth.
const PACKED_BYTES_TARGET: usize = 16 * 1024;

const PLAIN: u16 = 1;
const PACKED: u16 = 2;
/// The newest that is understood.
pub(crate) const FORMAT: u16 = PACKED;
pub(crate) const HEADER_BYTES: usize = 20;
pub(crate) const LENGTH_BYTES: usize = 4;

pub(crate) fn key(position: Position) -> [u8; 8] {
    position.0.to_be_bytes()
}

/// Encoded, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// What durable batches that follow each other become in sled: fewer, and
/// packed where that saves a quarter at least. What hardly compresses is kept in
/// small plain batches, for the sake of sled's memory.
pub(crate) fn settled(batches: &[Arc<Batch>]) -> Vec<Settled<'_>> {
    let mut settled = Vec::new();
    let mut rest = batches;
    while !rest.is_empty() {
        let (together, later) = rest.split_at(joined(rest, PACKED_BYTES_TARGET));
        rest = later;
        if let Some(batch) = pack_body(&join(together)) {
            settled.push(Settled::new(Cow::Owned(batch), together.len()));
            continue;
        }
        let mut plain = together;
        while !plain.is_empty() {
            let (few, later) = plain.split_at(joined(plain, BATCH_BYTES_TARGET));
            plain = later;
            settled.push(Settled::new(join(few), few.len()));
        }
    }
    settled
}

/// A batch as sled gets it.
pub(crate) struct Settled<'a> {
    pub batch: Cow<'a, Batch>,
    /// How many of the journal's batches are in it.
    pub of: usize,
}

impl<'a> Settled<'a> {
    const fn new(batch: Cow<'a, Batch>, of: usize) -> Self {
        Self { batch, of }
    }
}

fn pack_body(plain: &Batch) -> Option<Batch> {
    let (header, body) = plain.value.split_at(HEADER_BYTES);
    let most = HEADER_BYTES + LENGTH_BYTES + lz4_flex::block::get_maximum_output_size(body.len());
    let mut value = vec![0; most];
    value[..HEADER_BYTES].copy_from_slice(header);
    value[4..6].copy_from_slice(&PACKED.to_be_bytes());
    let start = HEADER_BYTES + LENGTH_BYTES;
    value[HEADER_BYTES..start].copy_from_slice(&length(body.len() as u64));
    let packed = lz4_flex::block::compress_into(body, &mut value[start..]).ok()?;
    value.truncate(start + packed);
    if value.len() > plain.value.len() / 4 * 3 {
        return None;
    }
    seal(plain.first, &mut value);
    Some(Batch {
        first: plain.first,
        records: plain.records,
        value,
    })
}

fn unpack_body(packed: &[u8]) -> Option<Vec<u8>> {
    let (bytes, block) = packed.split_first_chunk::<LENGTH_BYTES>()?;
    let bytes = usize::try_from(u32::from_be_bytes(*bytes)).ok()?;
    // Memory is taken before anything is known of the block.
    if bytes > BATCH_BYTES_MAX {
        return None;
    }
    let body = lz4_flex::block::decompress(block, bytes).ok()?;
    (body.len() == bytes).then_some(body)
}

/// One batch of the records of several that follow each other, all of them
/// durable: as if they had been one group. One alone stays as it is.
fn join(batches: &[Arc<Batch>]) -> Cow<'_, Batch> {
    if let [one] = batches {
        return Cow::Borrowed(one);
    }
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
    Cow::Owned(Batch {
        first,
        records,
        value,
    })
}

/// How many of the batches, from the first on, fill one of so many bytes.
fn joined(batches: &[Arc<Batch>], target: usize) -> usize {
    let mut bytes = HEADER_BYTES;
    let mut taken = 0;
    for batch in batches {
        bytes += batch.value.len() - HEADER_BYTES;
        if taken > 0 && bytes > target {
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
    value.extend_from_slice(&PLAIN.to_be_bytes());
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
    #[error("the batch cannot be unpacked")]
    Packed,
}

/// A batch that passed its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checked<'a> {
    pub records: u64,
    pub group: Position,
    body: Cow<'a, [u8]>,
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
    let body = &value[HEADER_BYTES..];
    let checked = Checked {
        records: number(8, 4),
        group: Position(number(12, 8)),
        body: match u16::from_be_bytes([value[4], value[5]]) {
            PLAIN => body.into(),
            PACKED => unpack_body(body).ok_or(Invalid::Packed)?.into(),
            format => return Err(Invalid::Format(format)),
        },
    };
    let (records, end) = checked
        .ranges()
        .fold((0, 0), |(records, _), range| (records + 1, range.end));
    if records > 0 && end == checked.body.len() && records == checked.records {
        Ok(checked)
    } else {
        Err(Invalid::Lengths)
    }
}

impl Checked<'_> {
    /// The records from number `skip` (from 0) on, at most `limit`, in memory
    /// of their own.
    pub fn records(self, skip: usize, limit: usize) -> impl Iterator<Item = Bytes> {
        let shared = Bytes::from(self.body.into_owned());
        let mut ranges = Ranges::default();
        let next = move || ranges.next(&shared).map(|range| shared.slice(range));
        std::iter::from_fn(next).skip(skip).take(limit)
    }

    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let mut ranges = Ranges::default();
        std::iter::from_fn(move || ranges.next(&self.body))
    }
}

/// Where the records lie in a body; ends early where a length leads out of it.
#[derive(Default)]
struct Ranges {
    at: usize,
}

impl Ranges {
    fn next(&mut self, body: &[u8]) -> Option<Range<usize>> {
        let start = self.at + LENGTH_BYTES;
        let prefix: [u8; LENGTH_BYTES] = body.get(self.at..start)?.try_into().ok()?;
        let end = start.checked_add(usize::try_from(u32::from_be_bytes(prefix)).ok()?)?;
        (end <= body.len()).then(|| {
            self.at = end;
            start..end
        })
    }
}

/// Bytes without a pattern, by a linear congruence (Knuth's MMIX).
#[cfg(test)]
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = bytes as u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
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

    fn settle(units: &[Unit]) -> Vec<Batch> {
        let batches = pack(Position(7), units).into_iter().map(Arc::new);
        let batches: Vec<_> = batches.collect();
        let settled = settled(&batches).into_iter();
        settled.map(|one| one.batch.into_owned()).collect()
    }

    /// A record like many others.
    fn usual(n: usize) -> Bytes {
        format!("order {n} was placed by household {}, 3 bags", n % 7).into()
    }

    #[test]
    fn what_compresses_is_packed_and_comes_back_as_it_was() {
        let units: Vec<Unit> = (0..2_000).map(|n| Unit(vec![usual(n)])).collect();
        let plain = pack(Position(7), &units);
        let batches = settle(&units);
        let bytes = |batches: &[Batch]| batches.iter().map(|b| b.value.len()).sum::<usize>();
        assert!(bytes(&batches) * 2 < bytes(&plain));
        assert!(batches.len() < plain.len());
        let mut next = Position(7);
        for batch in &batches {
            assert_eq!(batch.first, next);
            assert_eq!(batch.value[4..6], [0, 2]);
            next = batch.last().next();
        }
        let records: Vec<Bytes> = batches.iter().flat_map(all).collect();
        assert_eq!(records, (0..2_000).map(usual).collect::<Vec<_>>());
    }

    #[test]
    fn what_does_not_compress_stays_plain_and_small() {
        let units: Vec<Unit> = (200..400).map(|n| Unit(vec![noise(n).into()])).collect();
        let batches = settle(&units);
        assert!(batches.iter().all(|batch| batch.value[4..6] == [0, 1]));
        assert!(batches.iter().all(|b| b.value.len() <= BATCH_BYTES_TARGET));
        let records: Vec<Bytes> = batches.iter().flat_map(all).collect();
        let all: Vec<Bytes> = units.into_iter().flat_map(|unit| unit.0).collect();
        assert_eq!(records, all);
    }

    /// Somebody who can make a checksum still cannot make us take memory.
    #[test]
    fn a_packed_body_that_is_not_one_is_invalid() {
        let units: Vec<Unit> = (0..100).map(|n| Unit(vec![usual(n)])).collect();
        let good = settle(&units).remove(0);
        let change = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut value = good.value.clone();
            change(&mut value);
            seal(good.first, &mut value);
            check(good.first, &value).map(|batch| batch.records)
        };
        assert_eq!(change(&|_| ()), Ok(100));
        let length = HEADER_BYTES..HEADER_BYTES + LENGTH_BYTES;
        for (what, bytes) in [
            ("huge", [0xff; 4]),
            ("none", [0; 4]),
            ("less", [0, 0, 1, 0]),
        ] {
            let wrong = change(&|value| value[length.clone()].copy_from_slice(&bytes));
            assert_eq!(wrong, Err(Invalid::Packed), "{what}");
        }
        let cut = change(&|value| value.truncate(value.len() - 1));
        assert_eq!(cut, Err(Invalid::Packed));
        let gone = change(&|value| value.truncate(HEADER_BYTES + 2));
        assert_eq!(gone, Err(Invalid::Packed));
        let newer = change(&|value| value[5] = 3);
        assert_eq!(newer, Err(Invalid::Format(3)));
    }

    #[test]
    fn every_changed_byte_and_every_missing_byte_is_found() {
        let batch = pack(Position(7), &[unit(&[b"alpha", b"beta"])]).remove(0);
        let units: Vec<Unit> = (0..100).map(|n| Unit(vec![usual(n)])).collect();
        every_change_is_found(&batch);
        every_change_is_found(&settle(&units)[0]);
        assert_eq!(check(Position(8), &batch.value), Err(Invalid::Checksum));
    }

    fn every_change_is_found(batch: &Batch) {
        for at in 0..batch.value.len() {
            let mut changed = batch.value.clone();
            changed[at] ^= 1;
            assert!(check(Position(7), &changed).is_err(), "byte {at}");
            assert!(
                check(Position(7), &batch.value[..at]).is_err(),
                "cut at {at}"
            );
        }
    }
}
