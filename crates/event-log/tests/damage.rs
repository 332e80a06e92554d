//! Damage to any file of a log: each of many random bits turned over, and each
//! file cut at every border. It is found, or it is harmless because every
//! record is still read as it was; nothing panics, and no difference is silent.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use decider::Position;
use event_log::{Entry, EventLog, LogError, SledLog, SledOptions, Unit};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const BITS_WITH_JOURNAL: usize = 6_000;
const BITS_WITHOUT: usize = 4_000;
/// So many more of each where sled's segments are as large as in every log.
const BITS_OF_FULL_SIZE: usize = 300;
const RECORDS: u64 = 60;

/// sled zeroes a whole segment at each opening. The records of these logs fill
/// a small part of one, so the size makes no difference but for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segments {
    Small,
    FullSize,
}

impl Segments {
    fn new_log(self, path: &Path) -> SledOptions {
        let options = SledOptions {
            journal_segment_bytes: 256 * 1024,
            ..SledOptions::new(path)
        };
        match self {
            Self::FullSize => options,
            Self::Small => SledOptions {
                sled_segment_bytes: 512 * 1024,
                ..options
            },
        }
    }
}

fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Some compress, and their batches are packed in sled, others do not.
fn record(n: u64) -> Bytes {
    let mut rng = StdRng::seed_from_u64(n);
    let mut bytes = vec![n as u8; rng.random_range(20..900)];
    if n % 6 < 3 {
        rng.fill(&mut bytes[..]);
    }
    bytes.into()
}

/// A log that was killed.
struct Killed {
    segments: Segments,
    files: Vec<(PathBuf, Vec<u8>)>,
    whole: Vec<Entry>,
}

/// Some of it in sled, and its end in the journal alone. `journal` false: as a
/// version without a journal left it.
fn killed(journal: bool, segments: Segments) -> Killed {
    let dir = directory();
    let (log, _) = SledLog::open(segments.new_log(dir.path())).unwrap();
    for first in (1..=RECORDS).step_by(3) {
        let units = (first..first + 3).map(|n| Unit(vec![record(n)]));
        log.append(units.collect()).unwrap();
        if first < RECORDS / 2 || !journal {
            log.settle().unwrap();
        }
    }
    let whole = log.read(Position(1), 100).unwrap();
    let mut files = Vec::new();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        let skipped = !journal && name.to_str().unwrap().starts_with("journal-");
        if path.is_file() && !skipped {
            let mut bytes = fs::read(&path).unwrap();
            // Files are grown by zeros, which nobody reads.
            let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1);
            bytes.truncate((used + 8192).min(bytes.len()));
            files.push((name, bytes));
        }
    }
    files.sort();
    assert_eq!(whole.len() as u64, RECORDS);
    Killed {
        segments,
        files,
        whole,
    }
}

fn put(files: &[(PathBuf, Vec<u8>)], to: &Path) {
    for (name, bytes) in files {
        fs::write(to.join(name), bytes).unwrap();
    }
}

/// What became of a log that was harmed.
#[derive(Debug, PartialEq)]
enum Outcome {
    Harmless,
    Found(String),
}

impl Killed {
    /// Opens a log with these files, in a directory of its own.
    fn examine(&self, files: &[(PathBuf, Vec<u8>)], what: &str) -> Outcome {
        let dir = directory();
        put(files, dir.path());
        let options = SledOptions {
            sync: false,
            create: false,
            check_all: true,
            ..self.segments.new_log(dir.path())
        };
        let examined = catch_unwind(AssertUnwindSafe(|| {
            let (log, _) = SledLog::open(options)?;
            log.read(Position(1), usize::MAX)
        }));
        match examined.unwrap_or_else(|_| panic!("{what}: it panicked")) {
            Ok(entries) => {
                assert!(entries == self.whole, "{what}: a silent difference");
                Outcome::Harmless
            }
            Err(error) => Outcome::Found(advice(&error, dir.path(), what)),
        }
    }
}

/// The error's text, which names the file and says what to do.
fn advice(error: &LogError, path: &Path, what: &str) -> String {
    let text = error.to_string();
    let named = text.contains(path.to_str().unwrap());
    assert!(named, "{what}: the error names no file: {text}");
    let advice = match error {
        LogError::Damaged { .. } => "restore the log from its JetStream stream",
        LogError::NewerFormat { .. } => "use the newer version",
        LogError::NotALog { .. } => "is not an event log",
        _ => panic!("{what}: {error:?}"),
    };
    assert!(text.contains(advice), "{what}: {text}");
    text
}

/// Turns over a bit in one of the files, the larger the likelier.
fn turn_a_bit(files: &mut [(PathBuf, Vec<u8>)], rng: &mut StdRng) -> String {
    let bytes = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut at = rng.random_range(0..bytes);
    let bit = rng.random_range(0..8);
    for (name, bytes) in files {
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
            return format!("bit {bit} of byte {at} of {}", name.display());
        }
        at -= bytes.len();
    }
    unreachable!("the files have so many bytes")
}

/// How many of the bits were harmless.
fn turned_bits(journal: bool, segments: Segments, count: usize) -> usize {
    let log = killed(journal, segments);
    assert_eq!(log.examine(&log.files, "nothing"), Outcome::Harmless);
    let harmless = |seed: usize| {
        let mut rng = StdRng::seed_from_u64(seed as u64);
        let mut harmed = log.files.clone();
        let what = turn_a_bit(&mut harmed, &mut rng);
        log.examine(&harmed, &what) == Outcome::Harmless
    };
    std::thread::scope(|scope| {
        let half = |odd: usize| move || (0..count / 2).filter(|n| harmless(2 * n + odd)).count();
        let halves = [half(0), half(1)].map(|half| scope.spawn(half));
        halves.map(|half| half.join().unwrap()).iter().sum()
    })
}

#[test]
fn each_turned_bit_of_database_and_journal_is_found_or_harmless() {
    for (segments, count) in [
        (Segments::Small, BITS_WITH_JOURNAL),
        (Segments::FullSize, BITS_OF_FULL_SIZE),
    ] {
        let harmless = turned_bits(true, segments, count);
        // What is in both is repaired; what is in one alone is found.
        assert!(harmless > count / 2, "{segments:?}: {harmless}");
        assert!(harmless < count, "{segments:?}: {harmless}");
    }
}

#[test]
fn each_turned_bit_of_a_database_alone_is_found() {
    for (segments, count) in [
        (Segments::Small, BITS_WITHOUT),
        (Segments::FullSize, BITS_OF_FULL_SIZE),
    ] {
        let harmless = turned_bits(false, segments, count);
        assert!(harmless < count / 10, "{segments:?}: {harmless}");
    }
}

#[test]
fn a_file_cut_off_at_any_border_is_found_or_harmless() {
    for journal in [true, false] {
        let log = killed(journal, Segments::FullSize);
        for (number, (name, bytes)) in log.files.iter().enumerate() {
            for border in borders(bytes, &log.whole) {
                let mut cut = log.files.clone();
                cut[number].1.truncate(border);
                log.examine(&cut, &format!("{} cut at {border}", name.display()));
            }
        }
    }
}

/// Where a batch begins or ends in a file, a block does, or the file.
fn borders(bytes: &[u8], whole: &[Entry]) -> Vec<usize> {
    let mut borders: Vec<usize> = (0..bytes.len()).step_by(4096).collect();
    for (number, entry) in whole.iter().enumerate() {
        let found = bytes.windows(20).position(|w| w == &entry.bytes[..20]);
        if let Some(at) = found {
            match number % 3 {
                // Header and length stand before it.
                0 => borders.push(at.saturating_sub(24)),
                2 => borders.push(at + entry.bytes.len()),
                _ => {}
            }
        }
    }
    borders.extend([1, bytes.len().saturating_sub(1)]);
    borders.sort_unstable();
    borders.dedup();
    borders
}
