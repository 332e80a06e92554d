//! What the journal holds when a log is opened.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use decider::Position;

use super::{
    BLOCK_BYTES, FORMAT, FRAME_HEADER_BYTES, FRAME_MAGIC, HEADER_BYTES, LENGTH_BYTES, MAGIC,
    SEGMENT_BYTES, header, segments,
};
use crate::batch::{self, Batch};

/// All intact frames that are there, in order of position. Most are in sled
/// already; segments are not cleared when that is so.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    frames: Vec<Frame>,
    pub generation: u64,
    /// Files without a header.
    pub unusable: Vec<PathBuf>,
    /// A segment that a newer version wrote: the file and its format.
    pub newer: Option<(PathBuf, u32)>,
    faults: Vec<Fault>,
}

#[derive(Debug, Clone)]
struct Frame {
    path: PathBuf,
    at: u64,
    bytes: usize,
    first: Position,
    last: Position,
}

/// An invalid frame behind position `behind`.
#[derive(Debug)]
struct Fault {
    path: PathBuf,
    at: usize,
    behind: Position,
}

impl Recovered {
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut recovered = Self::default();
        let mut heads = Vec::new();
        for (_, file) in segments(path)? {
            match head(&file)? {
                Head::Of(generation, first) => heads.push((generation, first, file)),
                Head::Newer(format) => recovered.newer = Some((file, format)),
                Head::None => recovered.unusable.push(file),
            }
        }
        heads.sort();
        for (generation, first, file) in heads {
            recovered.generation = recovered.generation.max(generation);
            recovered.segment(generation, first, &file)?;
        }
        Ok(recovered)
    }

    fn segment(&mut self, generation: u64, first: Position, path: &Path) -> io::Result<()> {
        let bytes = fs::read(path)?;
        // What this use wrote replaces what was written to the same positions
        // before the log was cut.
        self.frames.retain(|frame| frame.first < first);
        self.faults.retain(|fault| fault.behind < first);
        let mut next = first;
        let mut at = BLOCK_BYTES;
        let mut fault = None;
        while at + FRAME_HEADER_BYTES <= bytes.len() {
            match frame(&bytes[at..], generation) {
                Some((batches, length)) if batches[0].first >= next => {
                    if let Some(at) = fault.take() {
                        self.fault(path, at, next);
                    }
                    let last = batches[batches.len() - 1].last();
                    self.frames.push(Frame {
                        path: path.to_owned(),
                        at: at as u64,
                        bytes: length,
                        first: batches[0].first,
                        last,
                    });
                    next = last.next();
                    at += length.next_multiple_of(BLOCK_BYTES);
                }
                _ => {
                    fault = fault.or(Some(at));
                    at += BLOCK_BYTES;
                }
            }
        }
        // Where the rest is not zeros, older uses or nothing, something was
        // torn or damaged; only the acknowledged position tells which.
        if let Some(at) = fault {
            self.fault(path, at, next);
        }
        Ok(())
    }

    fn fault(&mut self, path: &Path, at: usize, next: Position) {
        self.faults.push(Fault {
            path: path.to_owned(),
            at,
            behind: Position(next.0 - 1),
        });
    }

    /// Makes durable what a killed process left in the page cache.
    pub fn sync(&self) -> io::Result<()> {
        let mut paths: Vec<&Path> = self.frames.iter().map(|f| f.path.as_path()).collect();
        paths.dedup();
        paths
            .into_iter()
            .try_for_each(|p| File::open(p)?.sync_all())
    }

    /// The last position in the journal; what is acknowledged goes at least so
    /// far, but for frames that a crash kept from being answered.
    pub fn last(&self) -> Position {
        self.frames
            .last()
            .map_or(Position::ZERO, |frame| frame.last)
    }

    /// Whether everything from `from` to the journal's end is there.
    pub fn covers(&self, from: Position) -> bool {
        let mut next = from;
        for frame in self.frames.iter().filter(|frame| frame.last >= from) {
            if frame.first > next {
                return false;
            }
            next = frame.last.next();
        }
        next > from
    }

    /// The batches from `from` on, frame by frame.
    pub fn batches(&self, from: Position) -> impl Iterator<Item = io::Result<Vec<Batch>>> {
        let wanted = self.frames.iter().filter(move |frame| frame.last >= from);
        wanted.map(move |wanted| {
            let mut bytes = vec![0; wanted.bytes];
            File::open(&wanted.path)?.read_exact_at(&mut bytes, wanted.at)?;
            let generation = number(&bytes, 8, 8);
            let (mut batches, _) = frame(&bytes, generation)
                .ok_or_else(|| io::Error::other("the journal changed while it was read"))?;
            batches.retain(|batch| batch.last() >= from);
            Ok(batches)
        })
    }

    /// Names the file and the place where `position` should be, if the journal
    /// has a fault there.
    pub fn why(&self, position: Position) -> Option<String> {
        let fault = self
            .faults
            .iter()
            .rev()
            .find(|fault| fault.behind.next() == position)?;
        Some(format!(
            "there is no intact frame in {} at byte {}",
            fault.path.display(),
            fault.at
        ))
    }
}

enum Head {
    Of(u64, Position),
    Newer(u32),
    None,
}

fn head(path: &Path) -> io::Result<Head> {
    let mut bytes = [0; HEADER_BYTES];
    let file = File::open(path)?;
    let large = file.metadata()?.len() > *SEGMENT_BYTES.end() as u64;
    match file.read_exact_at(&mut bytes, 0) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Head::None),
        other => other?,
    }
    let (generation, first) = (number(&bytes, 12, 8), Position(number(&bytes, 20, 8)));
    let format = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    let sound = number(&bytes, 28, 4) == u64::from(crc32c::crc32c(&bytes[..28]));
    Ok(match () {
        () if !sound || &bytes[..8] != MAGIC => Head::None,
        () if format > FORMAT => Head::Newer(format),
        () if large || bytes != header(generation, first) || first == Position::ZERO => Head::None,
        () => Head::Of(generation, first),
    })
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length]
        .iter()
        .fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// The frame at the beginning of `bytes`, and its length without padding.
fn frame(bytes: &[u8], generation: u64) -> Option<(Vec<Batch>, usize)> {
    if bytes.get(4..8)? != FRAME_MAGIC || number(bytes.get(..28)?, 8, 8) != generation {
        return None;
    }
    let count = usize::try_from(number(bytes, 24, 4)).ok()?;
    let lengths = bytes.get(FRAME_HEADER_BYTES..)?;
    let lengths = lengths.get(..count.checked_mul(LENGTH_BYTES)?)?;
    let mut at = FRAME_HEADER_BYTES + lengths.len();
    if number(bytes, 0, 4) != u64::from(crc32c::crc32c(&bytes[4..at])) {
        return None;
    }
    let mut first = Position(number(bytes, 16, 8));
    let mut batches = Vec::with_capacity(count);
    for length in lengths.chunks(LENGTH_BYTES) {
        let length = usize::try_from(number(length, 0, LENGTH_BYTES)).ok()?;
        let value = bytes.get(at..at.checked_add(length)?)?;
        let records = batch::check(first, value).ok()?.records;
        batches.push(Batch {
            first,
            records,
            value: value.to_vec(),
        });
        first = Position(first.0.checked_add(records)?);
        at += length;
    }
    (!batches.is_empty()).then_some((batches, at))
}
