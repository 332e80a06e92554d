//! What is compared.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use decider::Position;
use event_log::{EventLog, SledLog, SledOptions, Unit};
use rusqlite::Connection;
use transparency::Tree;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `write` and `fdatasync` of a growing file: the measure.
    File,
    Log,
    LogAndTree,
    Sqlite,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::File, Self::Log, Self::LogAndTree, Self::Sqlite];

    pub fn name(self) -> &'static str {
        match self {
            Self::File => "plain file",
            Self::Log => "event log",
            Self::LogAndTree => "event log, Merkle tree",
            Self::Sqlite => "SQLite WAL",
        }
    }
}

/// Follows a log and hashes its records; ends when told to.
struct Follower {
    thread: JoinHandle<anyhow::Result<u64>>,
    stop: Arc<AtomicBool>,
}

pub enum Contender {
    File(File),
    Log(Arc<SledLog>, Option<Follower>),
    Sqlite(Connection),
}

impl Contender {
    pub fn start(kind: Kind, path: &Path) -> anyhow::Result<Self> {
        Ok(match kind {
            Kind::File => Self::File(File::create(path.join("plain"))?),
            Kind::Log | Kind::LogAndTree => {
                let log = Arc::new(SledLog::open(SledOptions::new(path.join("log")))?.0);
                let follower = (kind == Kind::LogAndTree).then(|| follow(Arc::clone(&log)));
                Self::Log(log, follower)
            }
            Kind::Sqlite => {
                let db = Connection::open(path.join("events.sqlite"))?;
                db.pragma_update(None, "journal_mode", "WAL")?;
                db.pragma_update(None, "synchronous", "FULL")?;
                db.execute_batch(
                    "CREATE TABLE events (position INTEGER PRIMARY KEY, record BLOB NOT NULL)",
                )?;
                Self::Sqlite(db)
            }
        })
    }

    /// Returns once the records are durable.
    pub fn append(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        match self {
            Self::File(file) => {
                file.write_all(&records.concat())?;
                file.sync_data()?;
            }
            Self::Log(log, _) => {
                let units = records.iter().map(|record| Unit(vec![record.clone()]));
                log.append(units.collect())?;
            }
            Self::Sqlite(db) => {
                let transaction = db.transaction()?;
                let mut insert =
                    transaction.prepare_cached("INSERT INTO events (record) VALUES (?1)")?;
                for record in records {
                    insert.execute([&record[..]])?;
                }
                drop(insert);
                transaction.commit()?;
            }
        }
        Ok(())
    }

    /// Ends it, and tells what was still to be done behind the appends.
    pub fn finish(self) -> anyhow::Result<String> {
        let Self::Log(log, follower) = self else {
            return Ok(String::new());
        };
        let last = log.last_position();
        let unsettled = last.0 - log.settled_position().0;
        let mut note = format!("{last} records, {unsettled} not yet in sled");
        if let Some(follower) = follower {
            follower.stop.store(true, Ordering::Relaxed);
            let size = follower
                .thread
                .join()
                .expect("the follower does not panic")?;
            note += &format!(", tree {} behind", last.0 - size);
        }
        let started = Instant::now();
        log.settle()?;
        Ok(format!(
            "{note}; settled in {:.1} s",
            started.elapsed().as_secs_f64()
        ))
    }
}

fn follow(log: Arc<SledLog>) -> Follower {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        let mut tree = Tree::new();
        while !stopped.load(Ordering::Relaxed) {
            let entries = log.read(Position(tree.size() + 1), 1024)?;
            for entry in &entries {
                tree.append(&entry.bytes);
            }
            if entries.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(tree.size())
    });
    Follower { thread, stop }
}
