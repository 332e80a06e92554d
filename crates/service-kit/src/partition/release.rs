//! When an answer may leave: at once when its records are on the local disk
//! (`durability = local`), or once the stream has acknowledged them as well
//! (`durability = replicated`).
//!
//! In `replicated` mode the writer goes on with the next groups while earlier
//! answers wait here, so the throughput is the relay's and not one round trip
//! for each command. An answer that the stream does not let out in time becomes
//! [`SubmitError::NotReplicated`]: what was recorded stays recorded, and the
//! same request id gets the first answer later.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use decider::{Domain, Position};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{Committed, Reply, SubmitError};

/// What an answer waits for.
#[derive(Debug, Clone)]
pub enum Durability {
    /// The local disk.
    Local,
    /// The local disk and the stream's acknowledgement.
    Replicated {
        /// The last position that the stream is known to hold, as the relay
        /// says it.
        acknowledged: watch::Receiver<u64>,
        /// How long an answer waits for it.
        wait: Duration,
    },
}

type Outcome<D> = Result<Committed<<D as Domain>::Event>, SubmitError<<D as Domain>::Rejection>>;
/// The clock's time, and how many timers fired on the way.
type Advanced = (decider::Timestamp, u64);

/// The answers of one group.
pub(super) struct Answers<D: Domain> {
    pub(super) requests: Vec<(Reply<D>, Outcome<D>)>,
    pub(super) clock: Vec<(oneshot::Sender<Advanced>, Advanced)>,
}

impl<D: Domain> Answers<D> {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.clock.is_empty()
    }

    fn send(self) {
        for (reply, outcome) in self.requests {
            // Whoever asked may have gone.
            let _ = reply.send(outcome);
        }
        for (reply, advanced) in self.clock {
            let _ = reply.send(advanced);
        }
    }
}

/// Answers that wait for their position.
struct Held<D: Domain> {
    position: Position,
    since: Instant,
    answers: Answers<D>,
}

/// The writer's end: lets answers out, or hands them over to wait.
pub(super) struct Gate<D: Domain> {
    /// `None`: nothing waits.
    waiting: Option<mpsc::UnboundedSender<Held<D>>>,
    held: Arc<AtomicUsize>,
}

impl<D: Domain> Gate<D> {
    /// The answers rest on records up to `position`, which are on the disk.
    pub(super) fn release(&self, position: Position, answers: Answers<D>) {
        if answers.is_empty() {
            return;
        }
        let Some(waiting) = &self.waiting else {
            answers.send();
            return;
        };
        self.held
            .fetch_add(answers.requests.len(), Ordering::Relaxed);
        let held = Held {
            position,
            since: Instant::now(),
            answers,
        };
        // Without a receiver the relay has ended: nobody is answered any more,
        // and the callers learn that the service stops.
        let _ = waiting.send(held);
    }
}

/// The task in which answers wait; it must run for as long as the partition.
pub struct Holding<D: Domain> {
    work: Option<Work<D>>,
}

struct Work<D: Domain> {
    incoming: mpsc::UnboundedReceiver<Held<D>>,
    acknowledged: watch::Receiver<u64>,
    released: watch::Sender<Position>,
    wait: Duration,
    held: Arc<AtomicUsize>,
}

pub(super) struct Parts<D: Domain> {
    pub(super) gate: Gate<D>,
    pub(super) holding: Holding<D>,
    /// Up to where anything may be told.
    pub(super) released: watch::Receiver<Position>,
    pub(super) held: Arc<AtomicUsize>,
}

/// `durable` follows the local log.
pub(super) fn parts<D: Domain>(
    durability: Durability,
    durable: watch::Receiver<Position>,
) -> Parts<D> {
    let held = Arc::new(AtomicUsize::new(0));
    match durability {
        Durability::Local => Parts {
            gate: Gate {
                waiting: None,
                held: Arc::clone(&held),
            },
            holding: Holding { work: None },
            released: durable,
            held,
        },
        Durability::Replicated { acknowledged, wait } => {
            let (waiting, incoming) = mpsc::unbounded_channel();
            let (released, receiver) = watch::channel(Position(*acknowledged.borrow()));
            Parts {
                gate: Gate {
                    waiting: Some(waiting),
                    held: Arc::clone(&held),
                },
                holding: Holding {
                    work: Some(Work {
                        incoming,
                        acknowledged,
                        released,
                        wait,
                        held: Arc::clone(&held),
                    }),
                },
                released: receiver,
                held,
            }
        }
    }
}

impl<D: Domain> Holding<D> {
    /// Runs until the writer and the relay have ended; with local durability
    /// there is nothing to do.
    pub async fn run(self) {
        match self.work {
            Some(work) => work.run().await,
            None => std::future::pending().await,
        }
    }
}

impl<D: Domain> Work<D> {
    async fn run(mut self) {
        let mut queue: VecDeque<Held<D>> = VecDeque::new();
        loop {
            // Both are in order: the positions, and the times.
            let give_up = queue.front().map(|held| held.since + self.wait);
            tokio::select! {
                changed = self.acknowledged.changed() => {
                    if changed.is_err() {
                        // The relay has ended, for example because another
                        // writer holds the stream: nobody is told anything.
                        return;
                    }
                }
                held = self.incoming.recv() => match held {
                    Some(held) => queue.push_back(held),
                    None => return,
                },
                () = until(give_up) => {}
            }
            let position = Position(*self.acknowledged.borrow_and_update());
            self.released.send_if_modified(|known| {
                let changed = *known != position;
                *known = position;
                changed
            });
            self.let_out(&mut queue, position);
            self.give_up(&mut queue, position);
        }
    }

    fn let_out(&self, queue: &mut VecDeque<Held<D>>, acknowledged: Position) {
        while queue
            .front()
            .is_some_and(|held| held.position <= acknowledged)
        {
            let Some(held) = queue.pop_front() else {
                return;
            };
            self.held
                .fetch_sub(held.answers.requests.len(), Ordering::Relaxed);
            metrics::histogram!("baogong_replication_wait_seconds", "service" => D::SERVICE.name())
                .record(held.since.elapsed());
            held.answers.send();
        }
    }

    fn give_up(&self, queue: &mut VecDeque<Held<D>>, acknowledged: Position) {
        let now = Instant::now();
        while queue
            .front()
            .is_some_and(|held| held.since + self.wait <= now)
        {
            let Some(held) = queue.pop_front() else {
                return;
            };
            let count = held.answers.requests.len();
            self.held.fetch_sub(count, Ordering::Relaxed);
            metrics::counter!("baogong_replication_timeouts_total", "service" => D::SERVICE.name())
                .increment(count as u64);
            tracing::warn!(
                position = %held.position, %acknowledged, answers = count,
                "the stream has not acknowledged in time; the callers are told to ask again"
            );
            for (reply, _) in held.answers.requests {
                let _ = reply.send(Err(SubmitError::NotReplicated {
                    position: held.position,
                    acknowledged,
                }));
            }
            // The clock has moved, and its caller is an operator's tool.
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
