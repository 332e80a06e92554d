//! Writing groups into the journal.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use decider::Position;

use super::{
    BLOCK_BYTES, SEGMENT_BYTES, SEGMENTS_MAX, encode, frame_bytes, header, name, segments,
};
use crate::batch::Batch;
use crate::disk::sync_path;
use crate::open::SledOptions;

/// A segment grows by zeros in steps of this, so that most syncs find a file
/// that has its size.
const GROWTH_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    sync: bool,
    segment_bytes: usize,
    generation: u64,
    current: Option<Segment>,
    /// Written full, oldest first, with the last position in each.
    full: VecDeque<(Position, Segment)>,
    free: Vec<Segment>,
    numbered: u64,
    buffer: Vec<u8>,
    syncs: u64,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    file: File,
    generation: u64,
    /// Where the next frame goes.
    at: usize,
    /// What was written once, as data or as zeros.
    grown: usize,
    last: Position,
}

impl Journal {
    /// The journal in `path`, in which nothing is needed any more. Segments
    /// that do not begin with a header are removed: what is in them must not
    /// be taken for part of a later use.
    pub fn open(options: &SledOptions, generation: u64, unusable: &[PathBuf]) -> io::Result<Self> {
        let path = &options.path;
        for file in unusable {
            match fs::remove_file(file) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let mut journal = Self {
            path: path.clone(),
            sync: options.sync,
            segment_bytes: options
                .journal_segment_bytes
                .clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end()),
            generation,
            current: None,
            full: VecDeque::new(),
            free: Vec::new(),
            numbered: 0,
            buffer: Vec::new(),
            syncs: 0,
        };
        for (number, file) in segments(path)? {
            journal.numbered = journal.numbered.max(number);
            journal.free.push(Segment::open(file)?);
        }
        // The newest are taken last: they are what a repair would need.
        journal.free.reverse();
        Ok(journal)
    }

    /// How often a group was synced.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Splits a group into what goes into one frame each: half a segment at most.
    pub fn frames(&self, batches: Vec<Batch>) -> Vec<Vec<Batch>> {
        let mut frames: Vec<Vec<Batch>> = Vec::new();
        let mut bytes = 0;
        for batch in batches {
            let more = batch.value.len() + BLOCK_BYTES;
            if frames.is_empty() || bytes + more > self.segment_bytes / 2 {
                frames.push(Vec::new());
                bytes = BLOCK_BYTES;
            }
            bytes += more - BLOCK_BYTES + 4;
            frames.last_mut().expect("one was pushed").push(batch);
        }
        frames
    }

    /// Whether a frame finds room once everything up to `settled` is durable in
    /// sled. Without room the settler has to go on first.
    pub fn has_room(&mut self, frame: &[Batch], settled: Position) -> bool {
        while self.full.front().is_some_and(|(last, _)| *last <= settled) {
            let (_, segment) = self.full.pop_front().expect("it was there");
            self.free.insert(0, segment);
        }
        let most = self.segment_bytes;
        let here = |segment: &Segment| segment.at + frame_bytes(frame) <= most;
        self.current.as_ref().is_some_and(here)
            || !self.free.is_empty()
            || self.full.len() + 1 < SEGMENTS_MAX
    }

    /// Writes a frame for which there is room, and makes it durable.
    pub fn write(&mut self, frame: &[Batch], last: Position) -> io::Result<()> {
        let bytes = frame_bytes(frame);
        let most = self.segment_bytes;
        let fits = |segment: &Segment| segment.at + bytes <= most;
        if !self.current.as_ref().is_some_and(fits) {
            if let Some(segment) = self.current.take() {
                self.full.push_back((segment.last, segment));
            }
            self.current = Some(self.next_segment()?);
        }
        let segment = self.current.as_mut().expect("set above");
        self.buffer.clear();
        let at = if segment.at == 0 {
            let head = header(segment.generation, frame[0].first);
            self.buffer.extend_from_slice(&head);
            self.buffer.resize(BLOCK_BYTES, 0);
            0
        } else {
            segment.at
        };
        encode(&mut self.buffer, segment.generation, frame);
        let end = at + self.buffer.len();
        if end > segment.grown {
            // A large frame makes the file grow by itself.
            let zeros = if bytes < GROWTH_BYTES / 4 {
                GROWTH_BYTES
            } else {
                0
            };
            segment.grown = (end + zeros).min(most);
            self.buffer.resize(segment.grown - at, 0);
        }
        segment.file.write_all_at(&self.buffer, at as u64)?;
        if self.sync {
            segment.file.sync_data()?;
            self.syncs += 1;
        }
        segment.at = end;
        segment.last = last;
        Ok(())
    }

    fn next_segment(&mut self) -> io::Result<Segment> {
        self.generation += 1;
        let mut segment = match self.free.pop() {
            Some(segment) => segment,
            None => {
                self.numbered += 1;
                let path = self.path.join(name(self.numbered));
                let segment = Segment::open(path)?;
                if self.sync {
                    segment.file.sync_all()?;
                    sync_path(&self.path)?;
                }
                segment
            }
        };
        segment.generation = self.generation;
        segment.at = 0;
        Ok(segment)
    }

    /// Removes segments above the number that a calm log needs. Everything is
    /// durable in sled.
    pub fn shrink(&mut self) -> io::Result<()> {
        const KEPT: usize = 2;
        let surplus = (self.free.len() + self.full.len()).saturating_sub(KEPT);
        for _ in 0..surplus {
            // The free ones that would be used next are the oldest.
            let segment = match self.free.pop() {
                Some(segment) => segment,
                None => self.full.pop_front().expect("counted above").1,
            };
            fs::remove_file(&segment.path)?;
        }
        Ok(())
    }
}

impl Segment {
    fn open(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let grown = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        Ok(Self {
            path,
            file,
            generation: 0,
            at: 0,
            grown,
            last: Position::ZERO,
        })
    }
}
