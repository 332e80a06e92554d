//! The journal in front of sled: where a group becomes durable. **Persisted,
//! keep stable.**
//!
//! sled needs a flush, several writes and a sync of a growing file for each
//! group. The journal needs one write and one sync of a file that has its size
//! already. `settler.rs` takes the batches on into sled; a segment is written
//! anew only after sled has synced all that was in it. So at every moment each
//! acknowledged record is in sled's synced file or in the journal, or in both.
//!
//! The journal is the files `journal-1`, `journal-2`, …, its *segments*, each
//! of [`crate::SledOptions::journal_segment_bytes`] at most, in blocks of 4096 bytes. All numbers are
//! big-endian. Block 0 begins with:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `BAOGONGJ` |
//! | 8 | 4 | format, 1 |
//! | 12 | 8 | generation: counts up with each use of any segment |
//! | 20 | 8 | position of the first record in this use; all before it were durable |
//! | 28 | 4 | CRC-32C of bytes 0 to 27 |
//!
//! Frames follow, each from the beginning of a block, padded with zeros:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of everything from offset 4 to the values |
//! | 4 | 4 | `BGFR` |
//! | 8 | 8 | generation of the segment |
//! | 16 | 8 | position of the first record |
//! | 24 | 4 | number of batches |
//! | 28 | … | for each batch: length of its value (4 bytes); then the values, as in `batch.rs` |
//!
//! A frame is written and synced before the next one begins, and never touches
//! a block of another one. So whatever follows an invalid frame within its
//! generation shows that the frame was durable once: that is damage. An invalid
//! frame with nothing behind it is a torn end.

mod read;
mod write;

use std::path::{Path, PathBuf};

use decider::Position;

pub(crate) use read::Recovered;
pub(crate) use write::Journal;

use crate::batch::Batch;

/// Of one file: the range, from what any frame fits into.
pub(crate) const SEGMENT_BYTES: std::ops::RangeInclusive<usize> = 256 * 1024..=64 * 1024 * 1024;
/// Of all files together: what a burst may be ahead of sled. It is held in
/// memory as well until sled has it.
pub(crate) const SEGMENTS_MAX: usize = 16;
const BLOCK_BYTES: usize = 4096;

const MAGIC: &[u8; 8] = b"BAOGONGJ";
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 32;
const FRAME_MAGIC: &[u8; 4] = b"BGFR";
const FRAME_HEADER_BYTES: usize = 28;
const LENGTH_BYTES: usize = 4;

const PREFIX: &str = "journal-";

fn name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

/// The segments in a directory, by number.
pub(crate) fn segments(path: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if let Some(number) = number.and_then(|n| n.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn header(generation: u64, first: Position) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_be_bytes());
    bytes[12..20].copy_from_slice(&generation.to_be_bytes());
    bytes[20..28].copy_from_slice(&first.0.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[..28]);
    bytes[28..].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// Bytes that a frame of these batches takes, with its padding.
fn frame_bytes(batches: &[Batch]) -> usize {
    let values: usize = batches.iter().map(|batch| batch.value.len()).sum();
    (FRAME_HEADER_BYTES + LENGTH_BYTES * batches.len() + values).next_multiple_of(BLOCK_BYTES)
}

/// Puts a frame behind what is in `bytes`.
fn encode(bytes: &mut Vec<u8>, generation: u64, batches: &[Batch]) {
    let number = |n: usize| u32::try_from(n).expect("a frame is far below 4 GiB");
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(FRAME_MAGIC);
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(&batches[0].first.0.to_be_bytes());
    bytes.extend_from_slice(&number(batches.len()).to_be_bytes());
    for batch in batches {
        bytes.extend_from_slice(&number(batch.value.len()).to_be_bytes());
    }
    let checksum = crc32c::crc32c(&bytes[start + 4..]);
    bytes[start..start + 4].copy_from_slice(&checksum.to_be_bytes());
    for batch in batches {
        bytes.extend_from_slice(&batch.value);
    }
    bytes.resize(start + frame_bytes(batches), 0);
}
