//! Our event log: alone, and as a service has it, with the notary that signs
//! its Merkle tree and the relay that feeds its JetStream stream.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::server::{NatsServer, ServerError, ServerOptions};
use bus::{Bus, BusOptions, Relay, StreamName};
use bytes::Bytes;
use event_log::{EventLog, SledLog, SledOptions, Unit};
use service_kit::notary::proofs::Proofs;
use service_kit::notary::{self, Options as NotaryOptions};
use service_kit::outbox::LogOutbox;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use transparency::{KeyUse, Origin, SecretKey};

use super::{CATCH_UP_MAX, Contender};

pub struct Log(Arc<SledLog>);

impl Log {
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let options = SledOptions::new(directory.join("log"));
        Ok(Self(Arc::new(SledLog::open(options)?.0)))
    }
}

impl Contender for Log {
    fn append(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        let units = records.iter().map(|record| Unit(vec![record.clone()]));
        self.0.append(units.collect())?;
        Ok(())
    }

    fn catch_up(&mut self) -> anyhow::Result<()> {
        Ok(self.0.settle()?)
    }
}

/// Settings as a service's configuration has them by default.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
const STOP_MAX: Duration = Duration::from_secs(10);
const WITNESS_TIMEOUT: Duration = Duration::from_secs(5);
const CHECK_AT_START_RECORDS_MAX: u64 = 1_000_000;

pub struct Service {
    log: Log,
    relayed: watch::Receiver<u64>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    runtime: Handle,
    pub proofs: Proofs,
    pub tree: PathBuf,
    pub bus: Bus,
    pub stream: StreamName,
    /// Ends with this.
    _server: NatsServer,
}

pub fn is_not_installed(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ServerError::NotInstalled))
}

impl Service {
    pub fn start(directory: &Path, runtime: &Handle) -> anyhow::Result<Self> {
        let server = NatsServer::start(ServerOptions {
            store_dir: directory.join("nats"),
            ..ServerOptions::default()
        })?;
        let log = Log::new(directory)?;
        let shared: Arc<dyn EventLog> = Arc::clone(&log.0) as _;
        let stream = StreamName::new("order", 0);
        let bus = runtime.block_on(async {
            let bus = Bus::connect(BusOptions {
                url: server.url(),
                name: "bench".to_owned(),
                replicas: 1,
            })
            .await?;
            bus.wait_connected().await;
            bus.ensure_stream(&stream).await?;
            anyhow::Ok(bus)
        })?;
        let outbox = LogOutbox {
            service: decider::Service::Order,
            partition: 0,
            log: Arc::clone(&shared),
        };
        let (relay, relayed) = Relay::new(bus.clone(), stream.clone(), Arc::new(outbox));
        let tree = directory.join("tree");
        let _entered = runtime.enter();
        let started = notary::start(NotaryOptions {
            service: decider::Service::Order,
            partition: 0,
            directory: tree.clone(),
            log: shared,
            key: key()?,
            policy: None,
            interval: CHECKPOINT_INTERVAL,
            witness_timeout: WITNESS_TIMEOUT,
            check_at_start_records_max: CHECK_AT_START_RECORDS_MAX,
            relayed: relayed.clone(),
            state_digest: watch::channel(None).1,
        })?;
        let stop = CancellationToken::new();
        let (for_relay, for_notary) = (stop.clone(), stop.clone());
        let tasks = vec![
            runtime.spawn(async move {
                if let Err(error) = relay.run(for_relay).await {
                    eprintln!("the relay ended: {error}");
                }
            }),
            runtime.spawn(async move {
                if let Err(error) = started.notary.run(for_notary).await {
                    eprintln!("the notary ended: {error}");
                }
            }),
        ];
        Ok(Self {
            log,
            relayed,
            stop,
            tasks,
            runtime: runtime.clone(),
            proofs: started.proofs,
            tree,
            bus,
            stream,
            _server: server,
        })
    }

    /// Records of the log.
    pub fn records(&self) -> u64 {
        self.log.0.last_position().0
    }
}

fn key() -> anyhow::Result<SecretKey> {
    let name = Origin::new("order", 0)?.to_string();
    Ok(SecretKey::generate(&name, KeyUse::Log, rand::random())?)
}

impl Contender for Service {
    fn append(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        self.log.append(records)
    }

    fn catch_up(&mut self) -> anyhow::Result<()> {
        let last = self.records();
        let relayed = &mut self.relayed;
        let waited = self.runtime.block_on(async {
            let all = relayed.wait_for(|position| *position >= last);
            tokio::time::timeout(CATCH_UP_MAX, all).await.map(drop)
        });
        waited.context("the relay does not catch up")?;
        // A checkpoint is signed each second; the tree is a second behind.
        self.log.catch_up()?;
        let running = self.tasks.iter().all(|task| !task.is_finished());
        ensure!(running, "relay or notary ended");
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Before its files are removed.
        self.stop.cancel();
        let ended = futures::future::join_all(self.tasks.drain(..));
        let waited = self
            .runtime
            .block_on(async { tokio::time::timeout(STOP_MAX, ended).await });
        if waited.is_err() {
            eprintln!("relay and notary did not end within {STOP_MAX:?}");
        }
    }
}
