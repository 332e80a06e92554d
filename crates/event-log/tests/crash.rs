//! The log under a process that is killed, under a disk that is full, and its
//! memory. Each test runs this test binary again as a child.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use decider::Position;
use event_log::{EventLog, LogError, SledLog, SledOptions, Unit};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const DIRECTORY: &str = "EVENT_LOG_TEST_DIRECTORY";
const CYCLE: &str = "EVENT_LOG_TEST_CYCLE";

/// What the child of this cycle writes at this position.
fn record(cycle: u64, position: u64) -> Bytes {
    let mut rng = StdRng::seed_from_u64(position ^ cycle << 32);
    let bytes = if rng.random_ratio(1, 100) {
        20_000..50_000
    } else {
        20..400
    };
    let mut record = format!("{cycle} {position} ").into_bytes();
    record.resize(rng.random_range(bytes), position as u8);
    Bytes::from(record)
}

fn cycle_of(bytes: &[u8]) -> u64 {
    let text = bytes.split(|b| *b == b' ').next().unwrap();
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// The child that `test` starts: `None` in the parent.
fn in_child() -> Option<(PathBuf, u64)> {
    let path = std::env::var_os(DIRECTORY)?;
    Some((path.into(), std::env::var(CYCLE).unwrap().parse().unwrap()))
}

/// Starts this test once more, by a command that takes one as its arguments.
fn child(mut command: Command, test: &str, path: &Path, cycle: u64) -> Child {
    command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIRECTORY, path)
        .env(CYCLE, cycle.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The position in a line that the child printed.
fn acknowledged(line: &str) -> Option<u64> {
    line.split_once("acknowledged ")?.1.parse().ok()
}

/// Appends groups of all sizes until it is killed or fails.
fn append_until_the_end(path: &Path, cycle: u64) -> LogError {
    let options = SledOptions {
        // So that it is killed while it opens sled anew, too.
        sled_renewed_bytes: 64 * 1024,
        ..SledOptions::new(path)
    };
    let (log, _) = SledLog::open(options).unwrap();
    let mut rng = StdRng::seed_from_u64(cycle);
    loop {
        let mut next = log.last_position().0;
        let units = rng.random_range(1..20);
        let group = (0..units).map(|_| unit_behind(&mut next, cycle)).collect();
        match log.append(group) {
            Ok(last) => println!("acknowledged {last}"),
            Err(error) => {
                let again = log.append(vec![Unit(vec![Bytes::from_static(b"x")])]);
                assert!(matches!(again, Err(LogError::Closed { .. })), "{again:?}");
                return error;
            }
        }
    }
}

/// The unit that goes behind `last`: two records where they fit, else one.
fn unit_behind(last: &mut u64, cycle: u64) -> Unit {
    let records = [1, 2].map(|n| record(cycle, *last + n));
    let mut unit = Unit(records.to_vec());
    if unit.check().is_err() {
        unit.0.truncate(1);
    }
    *last += unit.0.len() as u64;
    unit
}

/// The test names itself so; the child is this test run again.
const KILLED: &str = "nothing_acknowledged_is_lost_or_doubled_over_200_kills";
const KILLS: u64 = 200;
/// So often the parent opens the log in between, beside the children.
const LOOK_EVERY: u64 = 40;

#[test]
fn nothing_acknowledged_is_lost_or_doubled_over_200_kills() {
    if let Some((path, cycle)) = in_child() {
        panic!("{}", append_until_the_end(&path, cycle));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut rng = rand::rng();
    // Position and cycle of the last acknowledged record of each cycle.
    let mut promised: Vec<(u64, u64)> = Vec::new();
    for cycle in 1..=KILLS {
        // A kill while it opens, too: then nothing was acknowledged.
        let groups = rng.random_range(0..9);
        if let Some(last) = killed_after(groups, dir.path(), cycle) {
            promised.push((last, cycle));
        }
        if cycle % LOOK_EVERY == 0 {
            compare(dir.path(), &promised);
        }
    }
    assert!(promised.len() as u64 > KILLS / 2, "{promised:?}");
}

/// Kills a child that appends, with `kill -9`, once it has acknowledged so many
/// groups; the last position that it acknowledged.
fn killed_after(groups: u32, path: &Path, cycle: u64) -> Option<u64> {
    let mut child = child(Command::new("env"), KILLED, path, cycle);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = None;
    let mut seen = 0;
    for line in lines.map_while(Result::ok) {
        if seen == groups {
            // What was printed before the kill took effect is read and held to
            // as well. The first line is the harness's own.
            child.kill().unwrap();
        }
        if let Some(position) = acknowledged(&line) {
            last = Some(position);
            seen += 1;
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "{status}");
    last
}

/// Compares the log with what the client knows: all of it there, once, and
/// nothing that was acknowledged was written again by a later child.
fn compare(path: &Path, promised: &[(u64, u64)]) {
    let (log, report) = SledLog::open(SledOptions::existing(path)).unwrap();
    let last = promised.last().map_or(0, |(last, _)| *last);
    assert!(
        report.last_position >= Position(last),
        "{report}, {last} was acknowledged"
    );
    let entries = log.read(Position(1), usize::MAX).unwrap();
    assert_eq!(entries.len() as u64, report.last_position.0);
    let mut promises = promised.iter().peekable();
    for (entry, position) in entries.iter().zip(1..) {
        assert_eq!(entry.position, Position(position));
        let wrote = cycle_of(&entry.bytes);
        assert_eq!(entry.bytes, record(wrote, position));
        while promises.next_if(|(last, _)| *last < position).is_some() {}
        if let Some((_, promise)) = promises.peek() {
            assert!(wrote <= *promise, "position {position} was written again");
        }
    }
}

/// A limit on the size of files stands in for the full disk: the kernel refuses
/// the write in the same place.
#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_that_says_so_and_loses_nothing() {
    if let Some((path, cycle)) = in_child() {
        let error = append_until_the_end(&path, cycle);
        println!("refused: {error}");
        return;
    }
    let name = "a_full_disk_is_an_error_that_says_so_and_loses_nothing";
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    // In blocks of 512 bytes or 1 KiB; the signal that comes with it is ignored.
    command.args(["-c", "trap '' XFSZ; ulimit -f 20000; exec \"$@\"", "sh"]);
    let mut child = child(command, name, dir.path(), 1);
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .collect();
    assert!(child.wait().unwrap().success(), "{lines:?}");
    let last = lines
        .iter()
        .filter_map(|line| acknowledged(line))
        .next_back()
        .unwrap();
    let refused = lines
        .iter()
        .any(|line| line.contains("refused: no room to write the event log"));
    assert!(refused, "{lines:?}");

    let (log, report) = SledLog::open(SledOptions::new(dir.path())).unwrap();
    assert!(
        report.last_position >= Position(last),
        "{report}, {last} was acknowledged"
    );
    for (entry, position) in log.read(Position(1), usize::MAX).unwrap().iter().zip(1..) {
        assert_eq!(entry.bytes, record(1, position));
    }
    log.append(vec![Unit(vec![record(2, report.last_position.0 + 1)])])
        .unwrap();
}

/// sled's cache does not keep to its capacity by itself; see `passed` in `disk.rs`.
#[cfg(target_os = "linux")]
#[test]
fn opening_and_reading_a_large_log_takes_little_memory() {
    if let Some((path, _)) = in_child() {
        let options = SledOptions {
            cache_bytes: 8 << 20,
            ..SledOptions::existing(path)
        };
        let (log, _) = SledLog::open(options).unwrap();
        let mut next = Position(1);
        while next <= log.last_position() {
            next = log.read(next, 512).unwrap().last().unwrap().position.next();
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        println!("\nread {next}, peak {}", peak.trim());
        return;
    }
    let name = "opening_and_reading_a_large_log_takes_little_memory";
    let dir = tempfile::tempdir().unwrap();
    let options = SledOptions {
        sync: false,
        ..SledOptions::new(dir.path())
    };
    let (log, _) = SledLog::open(options).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    for n in 0..100 {
        // Half of it compresses.
        let mut record = || {
            let mut bytes = vec![7; 600];
            if n < 50 {
                rng.fill(&mut bytes[..]);
            }
            Bytes::from(bytes)
        };
        let mut unit = || Unit((0..4).map(|_| record()).collect());
        log.append((0..500).map(|_| unit()).collect()).unwrap();
    }
    drop(log);
    let mut child = child(Command::new("env"), name, dir.path(), 1);
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .collect();
    assert!(child.wait().unwrap().success(), "{lines:?}");
    let peak = lines
        .iter()
        .find_map(|line| line.strip_prefix("read 200001, peak "))
        .unwrap();
    let kib: u64 = peak.strip_suffix(" kB").unwrap().parse().unwrap();
    assert!(kib < 80 * 1024, "{kib} KiB for a log of 120 MB");
}
