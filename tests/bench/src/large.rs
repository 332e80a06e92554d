//! A large log, and what opening it takes, in processes of their own so that
//! peak memory is the opened log's alone.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use decider::Position;
use event_log::{EventLog as _, SledLog, SledOptions, Unit};

use crate::Options;
use crate::records::Records;

const GROUP: usize = 1024;
/// As `service.log_cache_mib` has it.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// How a log is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Opening {
    /// As a service does: its end is checked.
    Service,
    /// As an audit does: all of it is checked.
    Audit,
    /// As a service, and all of it read.
    Read,
}

pub fn print(options: &Options) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(&options.directory)?;
    let path = directory.path().join("log");
    write(options, &path)?;
    for opening in ["service", "audit", "read"] {
        let status = Command::new(std::env::current_exe()?)
            .arg("--open")
            .arg(&path)
            .args(["--opening", opening])
            .status()?;
        ensure!(status.success(), "opening it failed: {status}");
    }
    Ok(())
}

fn write(options: &Options, path: &Path) -> anyhow::Result<()> {
    let unsynced = SledOptions {
        sync: false,
        cache_bytes: CACHE_BYTES,
        ..SledOptions::new(path)
    };
    let (log, _) = SledLog::open(unsynced)?;
    let mut records = Records::new(options.bytes);
    let started = Instant::now();
    while log.last_position().0 < options.large {
        let units = records
            .take(GROUP)
            .into_iter()
            .map(|record| Unit(vec![record]));
        log.append(units.collect())?;
    }
    log.settle()?;
    println!(
        "\nA log of {} records of {} bytes, written without syncing in {}; {} MiB on disk, {} MiB \
         of memory at most.",
        log.last_position(),
        records.bytes(),
        seconds(started.elapsed()),
        log.disk_bytes()? >> 20,
        peak_mib()?
    );
    Ok(())
}

/// The part of a process of its own.
pub fn open(path: &Path, opening: Opening) -> anyhow::Result<()> {
    let started = Instant::now();
    let (log, report) = SledLog::open(SledOptions {
        cache_bytes: CACHE_BYTES,
        create: false,
        check_all: opening == Opening::Audit,
        ..SledOptions::new(path)
    })?;
    let opened = started.elapsed();
    let mut text = format!(
        "  opened for {opening:?}: {}, {} MiB checked",
        seconds(opened),
        report.bytes >> 20
    );
    if opening == Opening::Read {
        let started = Instant::now();
        let mut next = Position(1);
        while let Some(last) = log.read(next, GROUP)?.last() {
            next = last.position.next();
        }
        text += &format!(", all of it read in {}", seconds(started.elapsed()));
    }
    println!("{text}; {} MiB of memory at most", peak_mib()?);
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Most memory that this process ever held, by the kernel's count.
fn peak_mib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("the kernel does not tell")?.parse::<u64>()? >> 10)
}
