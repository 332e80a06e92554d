//! The lines below the table: what stands on the log, and its return.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use decider::Position;
use event_log::{EventLog, SledLog, SledOptions};
use service_kit::notary::tile_files::TileFiles;
use service_kit::reconcile::reconcile;
use tokio::runtime::Handle;
use transparency::{Prover, TreeHead};

use crate::Options;
use crate::contender::{Contender as _, Service, is_not_installed};
use crate::records::Records;

const RECORDS: u64 = 300_000;
const GROUP: usize = 1024;
const PROOFS: u64 = 100_000;
/// Has no divisor in common with the number of records, and leaves the tile.
const STEP: u64 = 61_999;

pub fn print(options: &Options, runtime: &Handle) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(&options.directory)?;
    println!("\n{RECORDS} records of {} bytes.", options.bytes);
    let mut service = match Service::start(directory.path(), runtime) {
        Ok(service) => service,
        Err(error) if is_not_installed(&error) => {
            println!("Left out: {error}");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    fill(&mut service, options)?;
    let checkpoint = runtime.block_on(service.proofs.covering(service.records()));
    let head = checkpoint.context("the notary ended")?.claimed_head();
    restore(&service, &directory.path().join("restored"), runtime)?;
    prove(&service, head, &directory.path().join("restored"))
}

fn line(what: &str, records: u64, started: Instant, target: &str) {
    let seconds = started.elapsed().as_secs_f64();
    let rate = records as f64 / seconds;
    println!("{what:<52}{rate:>10.0}/s  {seconds:>6.2} s  {target}");
}

fn fill(service: &mut Service, options: &Options) -> anyhow::Result<()> {
    let mut records = Records::new(options.bytes);
    let started = Instant::now();
    while service.records() < RECORDS {
        service.append(&records.take(GROUP))?;
    }
    line(
        "appended without a pause, tree and relay on",
        service.records(),
        started,
        "",
    );
    service.catch_up()?;
    line(
        "  and in the stream and in sled",
        service.records(),
        started,
        "",
    );
    Ok(())
}

/// As at a service's start with an empty data directory.
fn restore(service: &Service, path: &Path, runtime: &Handle) -> anyhow::Result<()> {
    let (log, _) = SledLog::open(SledOptions::new(path))?;
    let log = Arc::new(log);
    let started = Instant::now();
    let shared = Arc::clone(&log) as Arc<dyn EventLog>;
    let reconciled = runtime.block_on(reconcile(&shared, &service.bus, &service.stream))?;
    drop(shared);
    ensure!(reconciled.restored == service.records(), "{reconciled}");
    line(
        "restored from the stream",
        reconciled.restored,
        started,
        "target 60000/s",
    );
    log.settle()?;
    line("  and in sled", reconciled.restored, started, "");
    drop(log);
    let started = Instant::now();
    let (log, report) = SledLog::open(SledOptions::existing(path))?;
    ensure!(report.last_position.0 == service.records(), "{report}");
    line(
        "opened and all of it checked",
        report.last_position.0,
        started,
        "",
    );
    drop(log);
    Ok(())
}

/// From the tiles on disk, one thread; the record is read beforehand.
fn prove(service: &Service, head: TreeHead, log: &Path) -> anyhow::Result<()> {
    let (log, _) = SledLog::open(SledOptions::new(log))?;
    let tiles = TileFiles::new(&service.tree);
    let prover = Prover::new(&tiles, head)?;
    for (what, step) in [("in order", 1), ("scattered", STEP)] {
        let indexes = (0..PROOFS).map(|n| n * step % head.size);
        let records = indexes
            .map(|index| {
                let entry = log.read(Position(index + 1), 1)?.pop();
                Ok((index, entry.context("a record")?.bytes))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let started = Instant::now();
        for (index, record) in &records {
            let proof = prover.inclusion(*index)?;
            proof.check(&head, *index, record)?;
            black_box(proof);
        }
        let what = format!("inclusion proved and checked, {what}");
        line(&what, PROOFS, started, "target 50000/s");
    }
    Ok(())
}
