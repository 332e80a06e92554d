//! The log under a power cut. A child appends under strace; from the trace the
//! disk is put together as it is when the power fails at some point: what was
//! synced is there, of the rest nothing, all, or any sectors. The log is opened
//! on it, and every record that was acknowledged before that point must be
//! there. With the syncs taken out the same harness must see the loss.
//!
//! Skipped with a word where there is no strace or it may not trace.
#![cfg(target_os = "linux")]

mod disk;
mod trace;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use decider::Position;
use disk::{Disk, Unsynced};
use event_log::{EventLog, SledLog, SledOptions, Unit};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trace::Event;

const DIRECTORY: &str = "EVENT_LOG_TEST_DIRECTORY";
const SYNC: &str = "EVENT_LOG_TEST_SYNC";
const GROUPS: u64 = 130;
const CUTS: usize = 16;

/// In memory where possible: what is durable is known from the trace.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn options(path: &Path, sync: bool) -> SledOptions {
    SledOptions {
        sync,
        // Small, so that segments are used again within the test.
        journal_segment_bytes: 256 * 1024,
        // So that the power fails while sled is opened anew, too.
        sled_renewed_bytes: 256 * 1024,
        ..SledOptions::new(path)
    }
}

fn record(position: u64) -> Bytes {
    let mut rng = StdRng::seed_from_u64(position);
    let length = if rng.random_ratio(1, 30) {
        rng.random_range(10_000..50_000)
    } else {
        rng.random_range(8..600)
    };
    let mut bytes = vec![position as u8; length];
    // The others compress, and are packed in sled.
    if position % 64 < 32 {
        rng.fill(&mut bytes[..]);
    }
    bytes.into()
}

fn append(path: &Path, sync: bool) {
    let (log, _) = SledLog::open(options(path, sync)).unwrap();
    let mut rng = StdRng::seed_from_u64(7);
    for group in 0..GROUPS {
        let first = log.last_position().0 + 1;
        let records = rng.random_range(1..20);
        let units = (first..first + records).map(|n| Unit(vec![record(n)]));
        let last = log.append(units.collect()).unwrap();
        println!("acknowledged {last}");
        if group % 10 == 9 {
            log.settle().unwrap();
        }
    }
    // The power fails while it runs: nothing is closed in order.
    std::process::exit(0);
}

/// Runs `test` again as a traced child; the events, or why there are none.
fn traced(test: &str, path: &Path, sync: bool) -> Result<Vec<Event>, String> {
    let out: PathBuf = path.join("trace");
    let calls = "trace=openat,write,pwrite64,lseek,ftruncate,fsync,fdatasync,rename,renameat,\
                 renameat2,unlink,unlinkat";
    let status = Command::new("strace")
        .args(["-f", "-y", "-xx", "-s", "100000000", "-e", calls, "-o"])
        .arg(&out)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIRECTORY, path.join("log"))
        .env(SYNC, sync.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| format!("strace does not start: {e}"))?;
    if !status.status.success() {
        let said = String::from_utf8_lossy(&status.stderr).into_owned();
        assert!(!said.contains("panicked"), "{said}");
        return Err(format!("strace may not trace here: {said}"));
    }
    let text = std::fs::read_to_string(&out).unwrap();
    std::fs::remove_file(&out).unwrap();
    Ok(trace::parse(&text))
}

/// Opens the log on what a cut left; what is wrong with it.
fn examine(disk: &Disk, from: &str, unsynced: Unsynced, rng: &mut StdRng) -> Result<(), String> {
    let left = directory();
    let path = left.path().join("log");
    std::fs::create_dir(&path).unwrap();
    disk.write(from, &path, unsynced, rng);
    let wanted = disk.acknowledged;
    let (log, report) = SledLog::open(options(&path, false))
        .map_err(|error| format!("{wanted} were acknowledged: {error}"))?;
    if report.last_position < Position(wanted) {
        return Err(format!("{wanted} were acknowledged: {report}"));
    }
    let entries = log.read(Position(1), usize::MAX).unwrap();
    assert_eq!(entries.len() as u64, report.last_position.0);
    for (entry, position) in entries.iter().zip(1..) {
        if entry.bytes != record(position) {
            return Err(format!("position {position} differs"));
        }
    }
    Ok(())
}

/// What was lost, over all cuts.
fn cuts(events: &[Event], from: &str) -> Vec<String> {
    let started = events
        .iter()
        .position(|event| matches!(event, Event::Acknowledged(_)))
        .expect("the child acknowledged something");
    let mut rng = StdRng::seed_from_u64(11);
    let mut points: Vec<usize> = (0..CUTS)
        .map(|_| rng.random_range(started..events.len()))
        .collect();
    points.push(events.len() - 1);
    points.sort_unstable();
    let mut disk = Disk::default();
    let mut done = 0;
    let mut lost = Vec::new();
    for point in points {
        for (number, event) in events.iter().enumerate().take(point + 1).skip(done) {
            disk.apply(number, event);
        }
        done = point + 1;
        for unsynced in [
            Unsynced::Lost,
            Unsynced::Written,
            Unsynced::Torn(50),
            Unsynced::Torn(95),
        ] {
            if let Err(why) = examine(&disk, from, unsynced, &mut rng) {
                let names = disk.durable().len();
                lost.push(format!(
                    "cut behind event {point}, {unsynced:?}, {names} names: {why}; not synced: {:?}",
                    disk.unsynced()
                ));
            }
        }
    }
    lost
}

fn run(test: &str, sync: bool) -> Option<(Vec<Event>, Vec<String>)> {
    if let Some(path) = std::env::var_os(DIRECTORY) {
        append(Path::new(&path), std::env::var(SYNC).unwrap() == "true");
    }
    let dir = directory();
    let from = dir.path().join("log").to_str().unwrap().to_owned();
    match traced(test, dir.path(), sync) {
        Ok(events) => {
            let lost = cuts(&events, &from);
            Some((events, lost))
        }
        Err(why) => {
            eprintln!("skipped: {why}");
            None
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let Some((events, lost)) = run("what_was_acknowledged_survives_a_power_cut", true) else {
        return;
    };
    assert_eq!(lost, Vec::<String>::new());
    let acknowledged = |event: &&Event| matches!(event, Event::Acknowledged(_));
    assert_eq!(events.iter().filter(acknowledged).count() as u64, GROUPS);
    let segment_beginnings = events.iter().filter(
        |event| matches!(event, Event::Write { path, at: 0, .. } if path.contains("/journal-")),
    );
    let segments: std::collections::HashSet<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Open { path, .. } if path.contains("/journal-") => Some(path),
            _ => None,
        })
        .collect();
    assert!(
        segment_beginnings.count() > segments.len(),
        "segments were used again within the test"
    );
}

#[test]
fn without_syncs_the_harness_sees_the_loss() {
    let Some((_, lost)) = run("without_syncs_the_harness_sees_the_loss", false) else {
        return;
    };
    assert!(lost.len() > CUTS, "{} losses: {lost:?}", lost.len());
}
