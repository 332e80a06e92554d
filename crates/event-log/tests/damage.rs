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

const BITS: usize = 10_000;
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

/// Turns bits over, as many in each file as its size asks for.
fn turned_bits(journal: bool, count: usize, seed: u64) -> (usize, usize) {
    let (files, whole) = files(journal);
    let dir = directory();
    let bits: usize = files.iter().map(|(_, bytes)| bytes.len() * 8).sum();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut outcomes = (0, 0);
    for _ in 0..count {
        let mut bit = rng.random_range(0..bits);
        let mut harmed = files.clone();
        let (name, bytes) = harmed
            .iter_mut()
            .find(|(_, bytes)| {
                let here = bit < bytes.len() * 8;
                if !here {
                    bit -= bytes.len() * 8;
                }
                here
            })
            .unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let what = format!("bit {bit} of {}", name.display());
        let path = dir.path().join("log");
        fs::create_dir(&path).unwrap();
        put(&harmed, &path);
        match outcome(&path, &whole, &what) {
            Outcome::Harmless => outcomes.0 += 1,
            Outcome::Found(_) => outcomes.1 += 1,
        }
        fs::remove_dir_all(&path).unwrap();
    }
    outcomes
}

#[test]
fn probe_of_turned_bits() {
    let started = std::time::Instant::now();
    println!("{:?} {:?}", turned_bits(true, 100, 1), started.elapsed());
    println!("{:?} {:?}", turned_bits(false, 100, 1), started.elapsed());
    let _ = BITS;
}
