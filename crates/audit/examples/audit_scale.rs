//! How much memory and time an audit of a large log takes.
//!
//! ```text
//! cargo run --release -p baogong-audit --example audit_scale -- --records 1000000
//! ```
//!
//! Writes the order service's log of a town, and others that have a record for
//! each of its causes (without syncing: that is not what is measured), with a
//! checkpoint that is signed in the middle and one at the end. Then it starts a
//! process of its own for each command, so that its peak memory is that
//! command's alone.

#[path = "../../../services/order/examples/scale/town.rs"]
mod town;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context;
use audit::{AuditCommand, LogName};
use clap::{Parser, Subcommand};
use decider::{Actor, Cause, Position, Recorded, Revision, Service, StreamId, spec::START};
use event_log::{EventLog, SledLog, SledOptions, Unit};
use prost::{Message, Name};
use proto::{
    log::v1::ClockAdvanced,
    record::{self, Encoded},
};
use town::Town;
use transparency::{CheckpointSigner, ConsistencyProof, KeyUse, SecretKey, Tree};

/// Records of each household, which is registered, orders once and is served:
/// those of the order service, and the causes in inventory and logistics.
const RECORDS_EACH: [(Service, u64); 3] = [
    (Service::Order, 8),
    (Service::Inventory, 1),
    (Service::Logistics, 4),
];
const CHUNK_RECORDS: usize = 1024;

#[derive(Parser)]
struct Arguments {
    /// Records in all logs.
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
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(Part::Audit { command }) = arguments.part {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(audit::run(command))?;
        eprintln!("{}", peak_memory()?);
        return Ok(());
    }
    let temporary = tempfile::tempdir()?;
    let directory = arguments
        .directory
        .unwrap_or_else(|| temporary.path().to_owned());
    let logs = directory.join("logs");
    let started = Instant::now();
    let bytes = write(&logs, arguments.records)?;
    println!("records                        {}", arguments.records);
    println!(
        "bytes of order's records        {} MiB",
        bytes / (1024 * 1024)
    );
    println!("written                        {:.1?}", started.elapsed());
    let path = |name: &str| -> anyhow::Result<String> {
        let path = directory.join(name);
        Ok(path.to_str().context("a path in UTF-8")?.to_owned())
    };
    let (logs, seen, bundle) = (path("logs")?, path("seen")?, path("bundle")?);
    run(&["verify", "--logs", &logs, "--since", &seen])?;
    run(&["export", "--logs", &logs, "--out", &bundle])?;
    run(&["verify", "--bundle", &bundle, "--since", &seen])?;
    run(&["state", "order/none", "--logs", &logs])
}

/// Prints how long a command took and the most memory that it held.
fn run(words: &[&str]) -> anyhow::Result<()> {
    let started = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .arg("audit")
        .args(words)
        .stdout(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    let what = format!("{} {}", words[0], words[1]);
    println!("{what:<30} {:.1?}, {last}", started.elapsed());
    Ok(())
}

/// Gives the bytes of the order service's records.
fn write(directory: &Path, records: u64) -> anyhow::Result<u64> {
    let path = log_path(directory, Service::Order);
    let mut town = Town::new(&path);
    let each: u64 = RECORDS_EACH.iter().map(|(_, each)| each).sum();
    let households = records / each;
    town.activate();
    for n in 0..households {
        town.register(n);
        town.serve(n);
    }
    town.flush();
    for (service, each) in &RECORDS_EACH[1..] {
        causes(&log_path(directory, *service), *service, each * households)?;
    }
    causes(
        &log_path(directory, Service::Notification),
        Service::Notification,
        0,
    )?;
    sign(directory, &*town.log)
}

fn log_path(directory: &Path, service: Service) -> PathBuf {
    directory.join(service.name()).join("0")
}

/// A log with so many records of the runtime.
fn causes(path: &Path, service: Service, records: u64) -> anyhow::Result<()> {
    let (log, _) = SledLog::open(SledOptions {
        sync: false,
        ..SledOptions::new(path)
    })?;
    let event = ClockAdvanced::default();
    let units = (1..=records).map(|position| {
        let raw = Recorded {
            position: Position(position),
            event_id: format!("01GBY5F0G0{position:0>16}"),
            stream: StreamId::new("runtime", "clock"),
            revision: Revision(position),
            area: town::area(),
            occurred: START,
            recorded: START,
            actor: Actor::system(service.name()),
            cause: Cause::Timer { due: START },
            correlation_id: "01GBY5F0G00000000000000000".into(),
            traceparent: String::new(),
            unit_remaining: 0,
            event: Encoded {
                type_name: ClockAdvanced::full_name(),
                data: event.encode_to_vec(),
            },
        };
        Unit(vec![record::encode(&raw).into()])
    });
    let units: Vec<Unit> = units.collect();
    for group in units.chunks(CHUNK_RECORDS) {
        log.append(group.to_vec())?;
    }
    Ok(())
}

/// A checkpoint that somebody saw, and the one of today.
fn sign(directory: &Path, log: &dyn EventLog) -> anyhow::Result<u64> {
    let mut tree = Tree::new();
    let (last, mut next, mut bytes) = (log.last_position(), Position(1), 0);
    while next <= last {
        for entry in log.read(next, CHUNK_RECORDS)? {
            tree.append(&entry.bytes);
            bytes += entry.bytes.len() as u64;
            next = entry.position.next();
        }
        let seen = directory.with_file_name("seen");
        if next.0 > last.0 / 2 && !seen.exists() {
            fs::write(seen, note(&tree)?)?;
        }
    }
    let folder = directory.join("order").join("0.tree");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("checkpoint"), note(&tree)?)?;
    Ok(bytes)
}

fn note(tree: &Tree) -> anyhow::Result<String> {
    let origin = LogName::new(Service::Order, 0).origin();
    let key = SecretKey::generate(&origin.to_string(), KeyUse::Log, [1; 32])?;
    let mut signer = CheckpointSigner::new(origin, key, None)?;
    let signed = signer.sign(tree.head(), &[], &ConsistencyProof::default())?;
    Ok(signed.to_string())
}

/// Most memory that this process ever held, by the kernel's count.
fn peak_memory() -> anyhow::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("the kernel does not tell")?
        .parse()?;
    Ok(format!("{} MiB at most", kib / 1024))
}
