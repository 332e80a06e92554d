//! Destroys the keys of households whose personal data is to be forgotten, and
//! records that they are gone. One for each partition; it decides nothing.
//!
//! What it has to do is what the durable state says is pending, so a crash at
//! any point, or NATS being away, only delays it: the key is destroyed (again,
//! which changes nothing), then that is recorded. After a start it destroys
//! the keys of all erased households once more, since a key bucket that was
//! restored from an old copy would have brought them back.

use std::{sync::Arc, time::Duration};

use decider::{Actor, Position, Service, Timestamp};
use order_domain::{Command, Orders, PendingErasure, State};
use service_kit::{
    admin::PendingWork,
    partition::{Partition, QueryError, SubmitError, machine::RequestMeta},
    sealing::{KeyRing, SealingError},
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

/// Pause after keys could not be reached.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How often the figures are brought up to date; records wake it at once.
const TICK: Duration = Duration::from_secs(5);
/// Erasures taken up at once.
const AT_ONCE: usize = 64;

pub struct Eraser {
    partition: Partition<Orders>,
    keys: KeyRing,
}

/// Whether there is something to wait for.
enum Outcome {
    Done,
    TryAgain,
    /// The partition takes nothing any more.
    Gone,
}

impl Eraser {
    pub fn new(partition: Partition<Orders>, keys: KeyRing) -> Self {
        Self { partition, keys }
    }

    /// Counts the erasures that are pending.
    #[must_use]
    pub fn owed(&self) -> PendingWork {
        let partition = self.partition.clone();
        Arc::new(move |number| {
            if number != partition.number() {
                return 0;
            }
            let pending = partition.peek(|machine| machine.state().pending_erasures_count());
            u64::try_from(pending).unwrap_or(u64::MAX)
        })
    }

    /// Works until `stop`.
    ///
    /// # Errors
    /// The event log cannot be read.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let stopped = stop.clone();
        tokio::select! {
            // Between the key's end and its record a stop is as good as a
            // crash: the next start goes on there.
            () = stopped.cancelled() => Ok(()),
            outcome = self.work() => {
                outcome?;
                // Without a writer the service is about to end, and says why
                // itself.
                stop.cancelled().await;
                Ok(())
            }
        }
    }

    async fn work(&self) -> anyhow::Result<()> {
        let mut recorded = self.partition.log().watch();
        let mut up_to_date = false;
        loop {
            if !up_to_date {
                up_to_date = self.bring_up_to_date().await?;
            }
            let mut pause = !up_to_date;
            for one in self.pending().await? {
                match self.erase(&one).await {
                    Outcome::Done => {}
                    Outcome::TryAgain => {
                        pause = true;
                        break;
                    }
                    Outcome::Gone => return Ok(()),
                }
            }
            self.report();
            if pause {
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
                continue;
            }
            tokio::select! {
                changed = recorded.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn pending(&self) -> anyhow::Result<Vec<PendingErasure>> {
        let look = |state: &State| state.pending_erasures().take(AT_ONCE).cloned().collect();
        Ok(self.look(look).await?.unwrap_or_default())
    }

    /// At what durable records say, since nothing else may cost a key; none
    /// where it is not durable yet, or the service is about to end.
    async fn look<R>(&self, look: impl FnOnce(&State) -> R) -> anyhow::Result<Option<R>> {
        let seen = self.partition.query(Position::ZERO, |m| look(m.state()));
        match seen.await {
            Ok((seen, _)) => Ok(Some(seen)),
            Err(
                QueryError::NotYet { .. } | QueryError::NotReplicated { .. } | QueryError::Stopped,
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn erase(&self, pending: &PendingErasure) -> Outcome {
        let household = pending.household_id.as_str();
        if let Err(error) = self.keys.destroy(&pending.key_id).await {
            tracing::warn!(household, %error, "a key is not yet destroyed; trying again");
            return Outcome::TryAgain;
        }
        let command = Command::RecordKeyDestroyed {
            household_id: pending.household_id.clone(),
        };
        match self.partition.submit(command, meta(pending)).await {
            Ok(_) => {
                tracing::info!(household, "the key of an erased household is destroyed");
                Outcome::Done
            }
            Err(
                SubmitError::QueueFull { .. }
                | SubmitError::ReplicaBehind { .. }
                | SubmitError::DeadlinePassed,
            ) => Outcome::TryAgain,
            // Recorded; nobody waits for the answer.
            Err(SubmitError::NotReplicated { .. }) => Outcome::Done,
            Err(SubmitError::Stopped | SubmitError::Log(_)) => Outcome::Gone,
            Err(error @ (SubmitError::Refused(_) | SubmitError::Unreadable(_))) => {
                tracing::error!(household, %error, "the end of a key could not be recorded");
                Outcome::TryAgain
            }
        }
    }

    /// Once after each start; gives whether it is done.
    async fn bring_up_to_date(&self) -> anyhow::Result<bool> {
        let keys = |state: &State| (state.erased_keys(), state.living_keys());
        let Some((erased, living)) = self.look(keys).await? else {
            return Ok(false);
        };
        match self.destroy_and_upgrade(erased, living).await {
            Ok(upgraded) => {
                if upgraded > 0 {
                    tracing::info!(upgraded, "the data keys are up to date");
                }
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(%error, "the keys cannot be looked through; trying again");
                Ok(false)
            }
        }
    }

    async fn destroy_and_upgrade(
        &self,
        erased: Vec<String>,
        living: Vec<String>,
    ) -> Result<u64, SealingError> {
        for key_id in erased {
            self.keys.destroy(&key_id).await?;
        }
        let owner = format!("order-{}", self.partition.number());
        self.keys.upgrade(&owner, living).await
    }

    fn report(&self) {
        let now = self.partition.clock().now();
        let (count, oldest) = self.partition.peek(|machine| {
            let state = machine.state();
            let oldest = state.pending_erasures().next().map(|one| one.since);
            (state.pending_erasures_count(), oldest)
        });
        let partition = self.partition.number().to_string();
        gauge("baogong_erasures_pending", &partition, count as f64);
        gauge(
            "baogong_erasure_oldest_pending_seconds",
            &partition,
            seconds_between(oldest.unwrap_or(now), now),
        );
    }
}

fn gauge(name: &'static str, partition: &str, value: f64) {
    metrics::gauge!(
        name,
        "service" => Service::Order.name(), "partition" => partition.to_owned()
    )
    .set(value);
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    (to.0.saturating_sub(from.0).max(0) / 1000) as f64
}

/// The slashes keep these ids apart from those of callers, which have none.
fn meta(pending: &PendingErasure) -> RequestMeta {
    let request_id = format!("erase/{}/key-destroyed", pending.household_id);
    let hash = Sha256::digest(request_id.as_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash[..16]);
    RequestMeta {
        correlation_id: request_id.clone(),
        request_id,
        digest,
        area: pending.area.clone(),
        actor: Actor::system(Service::Order.name()),
        if_revision: None,
        traceparent: String::new(),
    }
}
