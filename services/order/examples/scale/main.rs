//! How an order service of a large town starts again: a log of millions of
//! records, with 100,000 orders under way.
//!
//! ```text
//! cargo run --profile dist -p baogong-order --example scale -- --records 10000000
//! ```
//!
//! Writes the log (without syncing: that is not what is measured), its index
//! and a snapshot, and then starts processes of their own that open them, so
//! that peak memory is the opened service's alone. The log's own opening is
//! told apart from what stands on it.

mod town;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use decider::{Position, Revision, Service, StreamId};
use event_log::{EventLog, SledLog, SledOptions};
use order_domain::Orders;
use service_kit::{
    host::log_directory,
    partition::{
        indexer::{self, Indexer},
        restore,
        snapshot::{Snapshots, Taken},
    },
};
use town::Town;

/// Orders under way at the end, and households in all.
const ACTIVE: u64 = 100_000;
/// Recorded since the last snapshot: some seconds of a busy service.
const TAIL: u64 = 50_000;
/// Entities read one after another.
const READS: usize = 1_000;
/// As `service.log_cache_mib` has it.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Parser)]
struct Arguments {
    /// Records in the log.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Where to write; a temporary directory where it is not given.
    #[arg(long)]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What a process of its own does.
#[derive(Subcommand)]
enum Part {
    /// Starts from the snapshot and reads single orders.
    Restart { directory: PathBuf },
    /// Starts without a snapshot.
    Replay { directory: PathBuf },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Restart { directory }) => return restart(&directory),
        Some(Part::Replay { directory }) => return replay(&directory),
        None => {}
    }
    let temporary = tempfile::tempdir()?;
    let directory = arguments
        .directory
        .unwrap_or_else(|| temporary.path().to_owned());
    write(&directory, arguments.records)?;
    for part in ["restart", "replay"] {
        let status = Command::new(std::env::current_exe()?)
            .arg(part)
            .arg(&directory)
            .status()?;
        anyhow::ensure!(status.success(), "`{part}` failed: {status}");
    }
    Ok(())
}

fn tell(what: &str, value: impl std::fmt::Display) {
    println!("{what:<44} {value}");
}

fn rate(records: u64, taken: Duration) -> String {
    let seconds = taken.as_secs_f64();
    #[allow(clippy::cast_precision_loss)]
    let thousands = records as f64 / seconds / 1000.0;
    format!("{seconds:.2} s ({thousands:.0} k records/s)")
}

fn write(directory: &Path, records: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    let path = log_directory(directory, Service::Order, 0);
    let mut town = Town::new(&path);
    town.activate();
    for n in 0..ACTIVE {
        town.register(n);
    }
    let mut n = 0;
    let mut snapshot = None;
    // The last orders are under way, three records each.
    while town.machine.position().0 + 3 * ACTIVE < records {
        town.serve(n % ACTIVE);
        n += 1;
    }
    for n in 0..ACTIVE {
        if snapshot.is_none() && 3 * (ACTIVE - n) <= TAIL {
            town.flush();
            let started = Instant::now();
            let frozen = town.machine.frozen().context("orders can be frozen")?;
            let locked = started.elapsed();
            let taken = Taken::of(&frozen, 0)?.digest();
            Snapshots::new(directory, Service::Order, 0).write(&taken, &*town.log)?;
            snapshot = Some((taken.bytes(), locked, started.elapsed()));
        }
        town.order(n);
    }
    town.flush();
    let last = town.log.last_position();
    tell("records", last);
    tell("orders", n + ACTIVE);
    tell("orders under way", ACTIVE);
    tell("written", rate(last.0, started.elapsed()));
    let (bytes, locked, all) = snapshot.context("too few records for a snapshot")?;
    tell("snapshot", format!("{} MiB", bytes / (1024 * 1024)));
    tell("  frozen (the writer waits)", format!("{locked:.2?}"));
    tell("  serialized, digested and synced", format!("{all:.2?}"));

    let started = Instant::now();
    let index = indexer::open(directory, Service::Order, 0, &*town.log)?;
    let index = Arc::new(index);
    Indexer::new(Arc::clone(&index), Arc::clone(&town.log)).close()?;
    tell("stream index made", rate(last.0, started.elapsed()));
    Ok(())
}

fn open_log(directory: &Path) -> anyhow::Result<Arc<dyn EventLog>> {
    let started = Instant::now();
    let mut options = SledOptions::new(log_directory(directory, Service::Order, 0));
    options.cache_bytes = CACHE_BYTES;
    let (log, _) = SledLog::open(options)?;
    tell(
        "event log opened and checked",
        format!("{:.2?}", started.elapsed()),
    );
    tell("  peak memory so far", peak_memory()?);
    Ok(Arc::new(log))
}

fn restart(directory: &Path) -> anyhow::Result<()> {
    println!("\nrestart from the snapshot");
    let log = open_log(directory)?;
    let started = Instant::now();
    let snapshots = Snapshots::new(directory, Service::Order, 0);
    let restored = restore::<Orders>(&log, 0, &snapshots, || {
        let index = indexer::open(directory, Service::Order, 0, &*log);
        tell(
            "index opened meanwhile",
            format!("{:.2?}", started.elapsed()),
        );
        index.map(Arc::new)
    })?;
    let (machine, index) = (restored.machine, restored.index);
    let from = restored
        .digest
        .context("the snapshot was not used")?
        .position;
    anyhow::ensure!(machine.position() == log.last_position());
    tell("replayed from the snapshot", machine.position().0 - from);
    tell(
        "restart without the log's opening",
        format!("{:.2?}", started.elapsed()),
    );
    tell("peak memory", peak_memory()?);

    let mut times = Vec::with_capacity(READS);
    let last = log.last_position().0;
    for n in 0..READS as u64 {
        // Any record names an order somewhere in the log.
        let position = Position(1 + n * (last - 1) / READS as u64);
        let stream = stream_at(&*log, position)?;
        let started = Instant::now();
        let mut read = 0;
        for position in index.positions(&stream, Revision::ZERO, 1_000)? {
            read += log.read(position, 1)?.len();
        }
        times.push(started.elapsed());
        anyhow::ensure!(read > 0, "{stream} has records");
    }
    times.sort();
    tell(
        "one entity read, median",
        format!("{:.2?}", times[READS / 2]),
    );
    tell(
        "one entity read, p99",
        format!("{:.2?}", times[READS * 99 / 100]),
    );
    tell("peak memory", peak_memory()?);
    Ok(())
}

fn stream_at(log: &dyn EventLog, position: Position) -> anyhow::Result<StreamId> {
    let entries = log.read(position, 1)?;
    let entry = entries.first().context("a record")?;
    Ok(proto::record::decode(&entry.bytes)?.stream)
}

fn replay(directory: &Path) -> anyhow::Result<()> {
    println!("\nreplay of all of it");
    let log = open_log(directory)?;
    let index = Arc::new(indexer::open(directory, Service::Order, 0, &*log)?);
    let nowhere = Snapshots::new(&directory.join("none"), Service::Order, 0);
    let (started, busy) = (Instant::now(), on_processor()?);
    let known = || Ok(Arc::clone(&index));
    let machine = restore::<Orders>(&log, 0, &nowhere, known)?.machine;
    let records = machine.position().0;
    tell("read, decoded and folded", rate(records, started.elapsed()));
    tell(
        "  decoding and folding alone, one core",
        rate(records, on_processor()? - busy),
    );
    tell("peak memory", peak_memory()?);

    // Both ways lead to one state.
    let snapshots = Snapshots::new(directory, Service::Order, 0);
    let other = restore::<Orders>(&log, 0, &snapshots, known)?.machine;
    let digest = |machine| Ok::<_, anyhow::Error>(Taken::of(machine, 0)?.digest().state_digest());
    let (zero, snapshot) = (digest(&machine)?, digest(&other)?);
    anyhow::ensure!(
        zero == snapshot,
        "{zero} from zero, {snapshot} from the snapshot"
    );
    tell("the same digest from zero and snapshot", zero);
    Ok(())
}

/// What this thread was given of a processor, by the kernel's count.
fn on_processor() -> anyhow::Result<Duration> {
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = counts.split_whitespace().next();
    let nanos = nanos.context("the kernel does not tell")?.parse()?;
    Ok(Duration::from_nanos(nanos))
}

/// Most memory that this process ever held, by the kernel's count.
fn peak_memory() -> anyhow::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("the kernel does not tell")?
        .parse()?;
    Ok(format!("{} MiB", kib / 1024))
}
