//! A partition's start: its log is opened, compared with its stream and with
//! what others have seen of it, held against the checkpoint that was signed,
//! and its state made; in this order, so that nothing new is decided on a log
//! that is not the one that it was.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bus::{Bus, Relay, StreamName};
use decider::Domain;
use event_log::{EventLog, OpenReport, SledLog, SledOptions};
use proto::AnyEvent;
use tokio::sync::watch;
use transparency::{Policy, StateDigest};

use super::{log_directory, provable};
use crate::{
    clock::Clock,
    config::{ClockKind, Config, DurabilityKind, ServiceOptions},
    history::{HistoryError, Notes},
    notary::Started,
    outbox::LogOutbox,
    partition::{
        Durability, Holding, Kept, Limits, Partition, WriterHandle, indexer, machine::Machine,
        restore, snapshot::Snapshots,
    },
    reconcile::reconcile,
};

/// After so long without NATS at the start, and then again and again, the log
/// says what is waited for.
const NATS_PATIENCE: Duration = Duration::from_secs(5);
/// Pause before the notes on histories are asked for again.
const NOTES_AGAIN: Duration = Duration::from_millis(500);

/// A partition on its way into the supervisor's hands.
pub(super) struct Opened<D: Domain> {
    pub partition: Partition<D>,
    pub writer: WriterHandle,
    pub holding: Holding<D>,
    pub relay: Relay,
    /// Last position that the stream is known to hold.
    pub acknowledged: watch::Receiver<u64>,
    pub notary: Started,
}

pub(super) async fn open<D, A>(
    config: &Config<A>,
    bus: &Bus,
    policy: Option<Arc<Policy>>,
    number: u32,
) -> anyhow::Result<Opened<D>>
where
    D: Domain<Foreign = AnyEvent>,
{
    let options = &config.service;
    let (log, report) = open_log::<D>(options, number).await?;
    let stream = StreamName::new(D::SERVICE.name(), number);
    wait_for_nats::<D>(bus).await;
    join::<D, A>(config, bus, &stream, &log, &report).await?;
    check_history(bus, &stream, &*log).await?;

    let outbox = LogOutbox {
        service: D::SERVICE,
        partition: number,
        log: Arc::clone(&log),
    };
    let (relay, acknowledged) = Relay::new(bus.clone(), stream, Arc::new(outbox));
    // Fed below, once there is a state.
    let (digest, state_digest) = watch::channel(None);
    let sources = provable::Sources {
        log: Arc::clone(&log),
        relayed: acknowledged.clone(),
        state_digest,
    };
    let notary = provable::notarise(config, D::SERVICE, number, policy, sources).await?;

    let (machine, kept) = make_state::<D>(options, number, &log, digest).await?;
    let clock = clock(options, &machine)?;
    let limits = Limits {
        queue: options.queue_commands_max,
        group: options.group_commands_max,
        query_wait: Duration::from_millis(options.query_wait_ms),
    };
    let durability = match options.durability {
        DurabilityKind::Local => Durability::Local,
        DurabilityKind::Replicated => Durability::Replicated {
            acknowledged: acknowledged.clone(),
            wait: Duration::from_millis(options.replication_wait_ms),
        },
    };
    let (partition, writer, holding) = Partition::start_with(
        number,
        log,
        machine,
        Arc::new(clock),
        limits,
        kept,
        durability,
    )?;
    Ok(Opened {
        partition,
        writer,
        holding,
        relay,
        acknowledged,
        notary,
    })
}

async fn open_log<D: Domain>(
    options: &ServiceOptions,
    number: u32,
) -> anyhow::Result<(Arc<dyn EventLog>, OpenReport)> {
    let mut log_options = SledOptions::new(log_directory(&options.data_dir, D::SERVICE, number));
    log_options.cache_bytes = options.log_cache_mib * 1024 * 1024;
    // What the disk has lost, the stream may still have: see `join`.
    log_options.accept_lost_tail = true;
    let (log, report) = tokio::task::spawn_blocking(move || SledLog::open(log_options)).await??;
    if report.missing_to.is_some() || report.cut.is_some() {
        tracing::warn!(service = %D::SERVICE, partition = number, "{report}");
    } else {
        tracing::info!(service = %D::SERVICE, partition = number, "{report}");
    }
    Ok((Arc::new(log), report))
}

async fn wait_for_nats<D: Domain>(bus: &Bus) {
    while tokio::time::timeout(NATS_PATIENCE, bus.wait_connected())
        .await
        .is_err()
    {
        tracing::warn!(
            service = %D::SERVICE,
            "NATS cannot be reached; the service starts when it can, since only the stream tells \
             whether the disk has lost something"
        );
    }
}

/// Brings log and stream together.
async fn join<D: Domain, A>(
    config: &Config<A>,
    bus: &Bus,
    stream: &StreamName,
    log: &Arc<dyn EventLog>,
    report: &OpenReport,
) -> anyhow::Result<()> {
    let rebuild_from = config.nats.rebuild_from;
    anyhow::ensure!(
        rebuild_from <= log.last_position().0 + 1,
        "nats.rebuild_from = {rebuild_from}: the log ends at {}, and a stream that begins later \
         would have no beginning; nothing was made",
        log.last_position()
    );
    let compared = reconcile(log, bus, stream).await?;
    if compared.restored > 0 || compared.voided.is_some() || compared.missing > 0 {
        tracing::warn!(service = %D::SERVICE, %stream, "{compared}");
    } else {
        tracing::info!(service = %D::SERVICE, %stream, "{compared}");
    }
    if let Some(missing_to) = report.missing_to
        && log.last_position() < missing_to
    {
        anyhow::bail!(
            "the log in {} had acknowledged records up to position {missing_to}; the disk has lost \
             those behind {} and stream {stream} does not have them either. Restore the directory \
             or the stream from a copy; nothing new is recorded before that",
            report.path.display(),
            log.last_position(),
        );
    }
    Ok(())
}

/// Refuses a log that does not hold what others have seen of it. Waits while
/// NATS does not answer.
async fn check_history(bus: &Bus, stream: &StreamName, log: &dyn EventLog) -> anyhow::Result<()> {
    let notes = Notes::new(bus);
    loop {
        match notes.against(stream, log).await {
            Ok(None) => return Ok(()),
            Ok(Some(second)) => return Err(second.into()),
            Err(HistoryError::Bus(error)) if error.is_transient() => {
                tracing::warn!(%stream, %error, "what others have seen cannot be read; trying again");
                tokio::time::sleep(NOTES_AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// From the newest snapshot, or from the log alone.
async fn make_state<D: Domain>(
    options: &ServiceOptions,
    number: u32,
    log: &Arc<dyn EventLog>,
    digest: watch::Sender<Option<StateDigest>>,
) -> anyhow::Result<(Machine<D>, Kept)> {
    let data_dir = options.data_dir.clone();
    let log = Arc::clone(log);
    let made = tokio::task::spawn_blocking(move || {
        let snapshots = Snapshots::new(&data_dir, D::SERVICE, number);
        let restored = restore::<D>(&log, number, &snapshots, || {
            indexer::open(&data_dir, D::SERVICE, number, &*log).map(Arc::new)
        })?;
        digest.send_replace(restored.digest);
        let kept = Kept {
            snapshots: Some(snapshots),
            index: Some(restored.index),
            digest,
        };
        Ok::<_, anyhow::Error>((restored.machine, kept))
    });
    made.await?.context("the event log cannot be replayed")
}

/// A test clock goes on where it stood.
fn clock<D: Domain>(options: &ServiceOptions, machine: &Machine<D>) -> anyhow::Result<Clock> {
    match options.clock {
        ClockKind::System => Ok(Clock::System),
        ClockKind::Test => {
            let start = options.clock_start()?;
            let stood = machine.test_clock().unwrap_or(start);
            Ok(Clock::test(start.max(machine.last_recorded()).max(stood)))
        }
    }
}
