//! Sends the messages that the state says are to be sent, and records how it
//! went. One sender for each partition; it decides nothing.
//!
//! What goes out rests on durable records only, and each attempt is on its way
//! once at a time. The outcome is recorded after the channel has answered, so
//! a crash between the two sends the message again after the restart: at least
//! once, not exactly once. The notification's id and the attempt's number go
//! with it (the webhook's idempotency key, the e-mail's Message-ID), by which
//! the receiving side can tell. A shutdown waits for what is on its way.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use decider::{Actor, Position, Service};
use futures::{StreamExt, stream::FuturesUnordered};
use notification_domain::{Command, Notifications, PendingSend, Phase};
use prost::Message;
use proto::order::v1::Contact;
use service_kit::{
    admin::PendingWork,
    partition::{Partition, QueryError, SubmitError, machine::RequestMeta},
    sealing::{KeyRing, SealingError, household_key, is_household_key},
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    channel::{
        ChannelError, Outgoing, Recipient,
        route::{Outcome, Route},
    },
    template,
};

/// Messages on their way at once.
const IN_FLIGHT_MAX: usize = 64;
/// One that has arrived makes us look for the next only if no more than these
/// are left on their way: looking takes as long for many as for one.
const REFILL_BELOW: usize = 32;
/// How often the clock is looked at; records wake the sender at once.
const TICK: Duration = Duration::from_millis(500);
/// Pause before an outcome is offered again to a full queue.
const QUEUE_PAUSE: Duration = Duration::from_millis(100);
/// Pause before a message is looked at again when the keys are out of reach.
const KEYS_PAUSE: Duration = Duration::from_secs(2);
/// Pause after an outcome was refused, which is a fault in this program: the
/// message must not go out again and again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// Ids of the notifications whose message is on its way.
type InFlight = Arc<Mutex<HashSet<String>>>;

pub struct Sender {
    partition: Partition<Notifications>,
    keys: KeyRing,
    route: Arc<Route>,
    in_flight: InFlight,
    keys_lost: AtomicBool,
    /// Erased contacts whose keys were dropped from memory.
    forgotten: AtomicUsize,
}

/// Whether the partition still takes outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    Running,
    Gone,
}

/// Why a contact is not at hand.
enum Unreadable {
    /// It will not be.
    ForGood(&'static str),
    /// It may be later.
    ForNow,
}

impl Sender {
    pub fn new(partition: Partition<Notifications>, keys: KeyRing, route: Arc<Route>) -> Self {
        Self {
            partition,
            keys,
            route,
            in_flight: InFlight::default(),
            keys_lost: AtomicBool::new(false),
            forgotten: AtomicUsize::new(0),
        }
    }

    /// Counts the messages that are to be sent now or are on their way.
    #[must_use]
    pub fn owed(&self) -> PendingWork {
        let partition = self.partition.clone();
        let in_flight = Arc::clone(&self.in_flight);
        Arc::new(move |number| {
            if number != partition.number() {
                return 0;
            }
            let now = partition.clock().now();
            let on_their_way: Vec<String> = lock(&in_flight).iter().cloned().collect();
            let owed = partition.peek(|machine| {
                let state = machine.state();
                // Most that are on their way are pending still; the others
                // were overtaken by a receipt.
                let overtaken = on_their_way
                    .iter()
                    .filter_map(|id| state.notification(id))
                    .filter(|notification| notification.phase != Phase::Pending)
                    .count();
                state.pending_count(now) + overtaken
            });
            u64::try_from(owed).unwrap_or(u64::MAX)
        })
    }

    /// Sends until `stop`, then waits for what is on its way.
    ///
    /// # Errors
    /// The event log cannot be read.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut recorded = self.partition.released();
        let mut sending = FuturesUnordered::new();
        let mut look = true;
        loop {
            self.forget_erased();
            if look {
                for send in self.due().await? {
                    sending.push(self.deliver(send, &stop));
                }
            }
            look = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(writer) = sending.next() => {
                    if writer == Writer::Gone {
                        break;
                    }
                    sending.len() <= REFILL_BELOW
                }
                changed = recorded.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    sending.len() < IN_FLIGHT_MAX
                }
                () = tokio::time::sleep(TICK) => sending.len() < IN_FLIGHT_MAX,
            };
        }
        while sending.next().await.is_some() {}
        // Without a writer the service is about to end, and says why itself.
        stop.cancelled().await;
        Ok(())
    }

    /// An erased household's key does not wait for its time in memory to end.
    fn forget_erased(&self) {
        let from = self.forgotten.load(Ordering::Relaxed);
        let erased = self.partition.peek(|machine| {
            let contacts = machine.state().erased_contacts(from);
            contacts
                .map(|one| (one.area.clone(), one.household_id.clone()))
                .collect::<Vec<_>>()
        });
        for (area, household_id) in &erased {
            self.keys.forget(&household_key(area, household_id));
            // As the first release named it.
            self.keys.forget(&format!("household/{household_id}"));
        }
        self.forgotten.store(from + erased.len(), Ordering::Relaxed);
    }

    /// What is to be sent now and is not on its way; it is from here on.
    async fn due(&self) -> anyhow::Result<Vec<PendingSend>> {
        let now = self.partition.clock().now();
        let look = self.partition.query(Position::ZERO, |machine| {
            machine.state().pending_sends(now, IN_FLIGHT_MAX)
        });
        let found = match look.await {
            Ok((found, _)) => found,
            // Not durable yet, or about to end: the next tick looks again.
            Err(QueryError::NotYet { .. } | QueryError::Stopped) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut in_flight = lock(&self.in_flight);
        let mut due = Vec::new();
        for send in found {
            if in_flight.len() < IN_FLIGHT_MAX && in_flight.insert(send.notification_id.clone()) {
                due.push(send);
            }
        }
        Ok(due)
    }

    async fn deliver(&self, send: PendingSend, stop: &CancellationToken) -> Writer {
        let writer = match self.attempt(&send).await {
            Some(outcome) => self.record(&send, outcome, stop).await,
            None => {
                pause(KEYS_PAUSE, stop).await;
                Writer::Running
            }
        };
        lock(&self.in_flight).remove(&send.notification_id);
        writer
    }

    /// None where nothing could be tried.
    async fn attempt(&self, send: &PendingSend) -> Option<Outcome> {
        let to = match self.recipient(send).await {
            Ok(recipient) => recipient,
            Err(Unreadable::ForNow) => return None,
            Err(Unreadable::ForGood(why)) => {
                return Some(Outcome {
                    channel: self.route.first(),
                    result: Err(ChannelError::permanent(why)),
                });
            }
        };
        let text = template::render(send.kind, send.language, &send.parameters);
        let message = Outgoing {
            to,
            subject: text.subject,
            body: text.body,
            language: send.language,
            notification_id: send.notification_id.clone(),
            attempt: send.attempt,
        };
        Some(self.route.send(&message).await)
    }

    async fn recipient(&self, send: &PendingSend) -> Result<Recipient, Unreadable> {
        let Some(sealed) = &send.contact else {
            return Err(Unreadable::ForGood("the household has no contact"));
        };
        if !is_household_key(&sealed.key_id, &send.area, &send.household_id) {
            return Err(Unreadable::ForGood(
                "the contact is sealed for another household",
            ));
        }
        match self.keys.open_sealed(sealed).await {
            Ok(plain) => {
                self.keys_lost.store(false, Ordering::Relaxed);
                let plain = plain.ok_or(Unreadable::ForGood("the contact was erased"))?;
                Contact::decode(&*plain)
                    .map(Recipient::from)
                    .map_err(|_| Unreadable::ForGood("the contact cannot be read"))
            }
            Err(error @ (SealingError::Bus(_) | SealingError::WrongMasterKey { .. })) => {
                if !self.keys_lost.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the keys cannot be used; messages wait");
                }
                Err(Unreadable::ForNow)
            }
            Err(error) => {
                tracing::error!(notification = send.notification_id, %error, "a contact cannot be opened");
                Err(Unreadable::ForGood("the contact cannot be opened"))
            }
        }
    }

    async fn record(
        &self,
        send: &PendingSend,
        outcome: Outcome,
        stop: &CancellationToken,
    ) -> Writer {
        let Outcome { channel, result } = outcome;
        let word = if result.is_ok() { "sent" } else { "failed" };
        metrics::counter!(
            "baogong_messages_total",
            "channel" => channel.as_str_name(), "outcome" => word
        )
        .increment(1);
        let notification_id = send.notification_id.clone();
        let attempt = send.attempt;
        let command = match result {
            Ok(()) => Command::RecordSent {
                notification_id,
                channel,
                attempt,
            },
            Err(error) => {
                tracing::warn!(notification = notification_id, attempt, %error, "a message was not taken over");
                Command::RecordFailed {
                    notification_id,
                    channel,
                    attempt,
                    error: error.message,
                    permanent: error.permanent,
                }
            }
        };
        let meta = meta(send, word);
        loop {
            match self.partition.submit(command.clone(), meta.clone()).await {
                Ok(_) => return Writer::Running,
                Err(
                    SubmitError::QueueFull { .. }
                    | SubmitError::ReplicaBehind { .. }
                    | SubmitError::DeadlinePassed,
                ) => {
                    tokio::time::sleep(QUEUE_PAUSE).await;
                }
                // Recorded; nobody waits for the answer.
                Err(SubmitError::NotReplicated { .. }) => return Writer::Running,
                Err(SubmitError::Stopped | SubmitError::Log(_)) => return Writer::Gone,
                Err(SubmitError::Unreadable(error)) => {
                    tracing::error!(notification = send.notification_id, %error, "an outcome cannot be read again");
                    return Writer::Running;
                }
                Err(SubmitError::Refused(refusal)) => {
                    tracing::error!(notification = send.notification_id, %refusal, "an outcome was refused");
                    pause(REFUSED_PAUSE, stop).await;
                    return Writer::Running;
                }
            }
        }
    }
}

/// The slashes keep these ids apart from those of callers, which have none.
fn meta(send: &PendingSend, outcome: &str) -> RequestMeta {
    let request_id = format!("send/{}/{}/{outcome}", send.notification_id, send.attempt);
    // The id says all there is to compare: the first outcome recorded of an
    // attempt is the one that counts.
    let hash = Sha256::digest(request_id.as_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash[..16]);
    RequestMeta {
        request_id,
        digest,
        area: send.area.clone(),
        actor: Actor::system(Service::Notification.name()),
        if_revision: None,
        correlation_id: send.correlation_id.clone(),
        traceparent: String::new(),
    }
}

async fn pause(duration: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(duration) => {}
    }
}

/// A set of ids is as good as before, whoever panicked while holding it.
fn lock(in_flight: &Mutex<HashSet<String>>) -> MutexGuard<'_, HashSet<String>> {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}
