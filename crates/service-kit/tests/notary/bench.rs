//! A notary on its own: a log in memory, a folder, keys that follow from
//! numbers. Every wait is for a checkpoint.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use decider::Service;
use event_log::{EventLog, MemoryLog, Unit};
use service_kit::notary::{self, NotaryError, Options, Started, proofs::Proofs};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use transparency::{
    Checkpoint, KeyUse, LogKeys, Origin, Policy, SecretKey, StateDigest, TreeHead, Validity,
};

pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn origin() -> Origin {
    Origin::new("order", 0).expect("a name")
}

/// A key of the log, one for each number.
pub fn log_key(number: u8) -> SecretKey {
    SecretKey::generate(&origin().to_string(), KeyUse::Log, [number; 32]).expect("a key")
}

pub fn keys() -> LogKeys {
    let mut keys = LogKeys::new(origin());
    keys.set(log_key(1).public().clone(), Validity::ALWAYS)
        .expect("the log's");
    keys
}

pub fn record(n: u64) -> Bytes {
    Bytes::from(format!("record {n}"))
}

pub fn records(count: u64) -> Vec<Bytes> {
    (1..=count).map(record).collect()
}

pub fn log_of(records: Vec<Bytes>) -> Arc<dyn EventLog> {
    Arc::new(MemoryLog::with_records(records))
}

/// Where a notary works, and what it is given.
pub struct Bench {
    pub folder: TempDir,
    pub key: SecretKey,
    pub policy: Option<Arc<Policy>>,
    pub check_at_start_records_max: u64,
    /// How far the stream is; all of the log unless a test says less.
    pub relayed: watch::Sender<u64>,
    pub state_digest: watch::Sender<Option<StateDigest>>,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            key: log_key(1),
            policy: None,
            check_at_start_records_max: 1_000_000,
            relayed: watch::Sender::new(u64::MAX),
            state_digest: watch::Sender::new(None),
        }
    }

    pub fn tree(&self) -> PathBuf {
        notary::tree_directory(self.folder.path(), Service::Order, 0)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.tree().join(name)
    }

    pub fn try_start(&self, log: &Arc<dyn EventLog>) -> Result<Started, NotaryError> {
        notary::start(Options {
            service: Service::Order,
            partition: 0,
            directory: self.tree(),
            log: Arc::clone(log),
            key: self.key.clone(),
            policy: self.policy.clone(),
            interval: Duration::from_millis(2),
            witness_timeout: Duration::from_secs(10),
            check_at_start_records_max: self.check_at_start_records_max,
            relayed: self.relayed.subscribe(),
            state_digest: self.state_digest.subscribe(),
        })
    }

    pub fn refused(&self, log: &Arc<dyn EventLog>) -> NotaryError {
        match self.try_start(log) {
            Ok(_) => panic!("it started"),
            Err(error) => error,
        }
    }

    pub fn run(&self, log: &Arc<dyn EventLog>) -> Running {
        let started = self.try_start(log).expect("a start");
        let stop = CancellationToken::new();
        Running {
            log: Arc::clone(log),
            proofs: started.proofs,
            task: tokio::spawn(started.notary.run(stop.clone())),
            stop,
        }
    }

    /// Lets a notary sign a log of so many numbered records, and ends it.
    pub async fn sign(&self, count: u64) -> Checkpoint {
        let running = self.run(&log_of(records(count)));
        let checkpoint = running.covering(count).await;
        running.end().await;
        checkpoint
    }
}

pub struct Running {
    pub log: Arc<dyn EventLog>,
    pub proofs: Proofs,
    pub task: JoinHandle<Result<(), NotaryError>>,
    pub stop: CancellationToken,
}

impl Running {
    pub async fn covering(&self, size: u64) -> Checkpoint {
        let covering = tokio::time::timeout(PATIENCE, self.proofs.covering(size));
        let checkpoint = covering.await.expect("in time").expect("no end");
        (*checkpoint).clone()
    }

    /// The first checkpoint with this extension line.
    pub async fn telling(&self, line: &str) -> Checkpoint {
        let tells = |checkpoint: &Checkpoint| checkpoint.extensions().any(|told| told == line);
        let telling = tokio::time::timeout(PATIENCE, self.proofs.first(tells));
        let checkpoint = telling.await.expect("in time").expect("no end");
        (*checkpoint).clone()
    }

    pub async fn head(&self, size: u64) -> TreeHead {
        let checkpoint = self.covering(size).await;
        checkpoint.verify(&keys()).expect("signed")
    }

    pub fn append(&self, records: impl IntoIterator<Item = Bytes>) {
        let unit = Unit(records.into_iter().collect());
        self.log.append(vec![unit]).expect("appended");
    }

    pub async fn end(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        let ended = ended.expect("an end in time").expect("no panic");
        ended.expect("a clean end");
    }
}
