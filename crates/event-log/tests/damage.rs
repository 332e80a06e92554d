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
const RECORDS: u64 = 60;

fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn record(n: u64) -> Bytes {
    let mut rng = StdRng::seed_from_u64(n);
    let mut bytes = vec![0; rng.random_range(20..900)];
    rng.fill(&mut bytes[..]);
    bytes.into()
}

fn open(path: &Path) -> Result<SledLog, LogError> {
    let options = SledOptions {
        sync: false,
        journal_segment_bytes: 256 * 1024,
        ..SledOptions::existing(path)
    };
    SledLog::open(options).map(|(log, _)| log)
}

/// The files of a log that was killed: some of it in sled, and its end in the
/// journal alone. `journal` false: as a version without a journal left it.
fn files(journal: bool) -> (Vec<(PathBuf, Vec<u8>)>, Vec<Entry>) {
    let dir = directory();
    let options = SledOptions {
        journal_segment_bytes: 256 * 1024,
        ..SledOptions::new(dir.path())
    };
    let (log, _) = SledLog::open(options).unwrap();
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
    (files, whole)
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

fn outcome(path: &Path, whole: &[Entry], what: &str) -> Outcome {
    let examined = catch_unwind(AssertUnwindSafe(|| {
        let log = open(path)?;
        log.read(Position(1), usize::MAX)
    }));
    match examined.unwrap_or_else(|_| panic!("{what}: it panicked")) {
        Ok(entries) => {
            assert!(entries == whole, "{what}: a silent difference");
            Outcome::Harmless
        }
        Err(error) => {
            let text = error.to_string();
            let named = text.contains(path.to_str().unwrap());
            assert!(named, "{what}: the error names no file: {text}");
            let advice = match &error {
                LogError::Damaged { .. } => "restore the log from its JetStream stream",
                LogError::NewerFormat { .. } => "use the newer version",
                LogError::NotALog { .. } => "is not an event log",
                _ => panic!("{what}: {error:?}"),
            };
            assert!(text.contains(advice), "{what}: {text}");
            Outcome::Found(text)
        }
    }
}

/// Opens a log with these files in a directory of its own.
fn examine(files: &[(PathBuf, Vec<u8>)], whole: &[Entry], what: &str) -> Outcome {
    let dir = directory();
    put(files, dir.path());
    outcome(dir.path(), whole, what)
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
fn turned_bits(journal: bool, count: usize) -> usize {
    let (files, whole) = files(journal);
    assert_eq!(examine(&files, &whole, "nothing"), Outcome::Harmless);
    let harmless = |seed: usize| {
        let mut rng = StdRng::seed_from_u64(seed as u64);
        let mut harmed = files.clone();
        let what = turn_a_bit(&mut harmed, &mut rng);
        examine(&harmed, &whole, &what) == Outcome::Harmless
    };
    std::thread::scope(|scope| {
        let half = |odd: usize| move || (0..count / 2).filter(|n| harmless(2 * n + odd)).count();
        let halves = [half(0), half(1)].map(|half| scope.spawn(half));
        halves.map(|half| half.join().unwrap()).iter().sum()
    })
}

#[test]
fn each_turned_bit_of_database_and_journal_is_found_or_harmless() {
    let harmless = turned_bits(true, BITS_WITH_JOURNAL);
    // What is in both is repaired; what is in one alone is found.
    assert!(harmless > BITS_WITH_JOURNAL / 2, "{harmless}");
    assert!(harmless < BITS_WITH_JOURNAL, "{harmless}");
}

#[test]
fn each_turned_bit_of_a_database_alone_is_found() {
    let harmless = turned_bits(false, BITS_WITHOUT);
    assert!(harmless < BITS_WITHOUT / 10, "{harmless}");
}

#[test]
fn a_file_cut_off_at_any_border_is_found_or_harmless() {
    for journal in [true, false] {
        let (files, whole) = files(journal);
        for (number, (name, bytes)) in files.iter().enumerate() {
            for border in borders(bytes, &whole) {
                let mut cut = files.clone();
                cut[number].1.truncate(border);
                let what = format!("{} cut at {border}", name.display());
                examine(&cut, &whole, &what);
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
