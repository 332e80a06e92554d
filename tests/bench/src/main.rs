//! Appends compared, side by side in one run: our event log, alone and with the
//! Merkle tree following it, a plain file, and SQLite. Every group is durable
//! before the next one begins. One thread appends; a group stands for so many
//! commands in flight.

mod contenders;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use clap::Parser;
use contenders::{Contender, Kind};

/// Compares durable appends. One table, medians and p99.
#[derive(Debug, Parser)]
struct Options {
    /// Records made durable together.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256, 1024])]
    groups: Vec<usize>,
    /// Seconds for each line of the table.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Bytes of a record.
    #[arg(long, default_value_t = 300)]
    bytes: usize,
    /// Where the files go, on the disk to be measured; a temporary directory
    /// is made in it and removed.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
}

/// What one contender did with one group size.
struct Line {
    records_per_second: f64,
    median: Duration,
    p99: Duration,
    note: String,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    println!(
        "Records of {} random bytes; each group durable (fdatasync, SQLite: synchronous=FULL) \
         before the next; {} s for each line; files in {}.",
        options.bytes,
        options.seconds,
        options.directory.display()
    );
    println!(
        "{:>6}  {:<22}{:>12}{:>9}{:>12}{:>12}  note",
        "group", "what", "records/s", "of file", "median ms", "p99 ms"
    );
    for group in &options.groups {
        let mut file = None;
        for kind in Kind::ALL {
            let line = measure(kind, *group, &options)
                .with_context(|| format!("{} at {group}", kind.name()))?;
            let base = *file.get_or_insert(line.records_per_second);
            println!(
                "{group:>6}  {:<22}{:>12.0}{:>9.2}{:>12.3}{:>12.3}  {}",
                kind.name(),
                line.records_per_second,
                line.records_per_second / base,
                line.median.as_secs_f64() * 1e3,
                line.p99.as_secs_f64() * 1e3,
                line.note
            );
        }
    }
    Ok(())
}

fn measure(kind: Kind, group: usize, options: &Options) -> anyhow::Result<Line> {
    let directory = tempfile::tempdir_in(&options.directory)?;
    let mut contender = Contender::start(kind, directory.path())?;
    let records: Vec<Bytes> = (0..group)
        .map(|_| {
            let bytes: Vec<u8> = (0..options.bytes).map(|_| rand::random()).collect();
            bytes.into()
        })
        .collect();
    let mut times = Vec::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(options.seconds) {
        let before = Instant::now();
        contender.append(&records)?;
        times.push(before.elapsed());
    }
    let elapsed = started.elapsed().as_secs_f64();
    let note = contender.finish()?;
    let count = times.len();
    times.sort_unstable();
    Ok(Line {
        records_per_second: (count * group) as f64 / elapsed,
        median: times[count / 2],
        p99: times[count * 99 / 100],
        note,
    })
}
