//! A service partition: one writer in front of one event log.
//!
//! [`Partition`] is the handle that gRPC handlers, reactors and the operator's
//! calls hold. Behind it a thread of its own (`writer`) takes what is queued,
//! lets the [`machine`] decide, appends the group to the log, makes it durable
//! and only then answers.

pub mod indexer;
pub mod keeper;
pub mod machine;
mod past;
mod release;
pub mod snapshot;
mod step;
pub mod stream_reader;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use decider::{Domain, Position, Recorded, Service, Source, Timestamp};
use event_log::{EventLog, LogError};
use parking_lot::RwLock;
use proto::AnyEvent;
use stream_index::StreamIndex;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use transparency::StateDigest;

use crate::{clock::Clock, edge::Deadline};
use indexer::IndexerError;
use machine::{Machine, Refusal, ReplayError, RequestMeta};
pub use past::{AsOf, Restored, replay, restore};
pub use release::{Durability, Holding};
use snapshot::Snapshots;

/// What an accepted request made.
#[derive(Debug, Clone)]
pub struct Committed<E> {
    /// The records of this request; the first answer's, if it was answered
    /// before.
    pub records: Vec<Recorded<E>>,
    /// The last of them, or the position at which nothing needed to change.
    pub position: Position,
    /// Whether it was answered before.
    pub repeated: bool,
}

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError<R: decider::Rejected> {
    #[error(transparent)]
    Refused(#[from] Refusal<R>),
    #[error("the queue of partition {partition} is full with {capacity} commands; try again later")]
    QueueFull { partition: u32, capacity: usize },
    #[error("the service is shutting down; ask again when it is back")]
    Stopped,
    #[error(
        "the call's time was over while it waited in the queue, so nothing was decided or \
         recorded; repeat it with the same request id and more time"
    )]
    DeadlinePassed,
    #[error(
        "{waiting} answers of partition {partition} wait for the stream to acknowledge them; \
         nothing was recorded, try again later"
    )]
    ReplicaBehind { partition: u32, waiting: usize },
    #[error(
        "the stream has acknowledged position {acknowledged} and not yet {position}: NATS is away \
         or slow. What this request recorded is kept; ask again with the same request id, and the \
         first answer comes"
    )]
    NotReplicated {
        position: Position,
        acknowledged: Position,
    },
    #[error("the event log cannot be written; the service restarts: {0}")]
    Log(String),
    #[error("the first answer cannot be read from the event log: {0}")]
    Unreadable(String),
}

/// Why a query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("the service is at position {actual} and has not reached {wanted} in time")]
    NotYet { wanted: Position, actual: Position },
    #[error(
        "the stream has acknowledged position {acknowledged} and not yet {wanted}, and nothing is \
         shown before that; NATS is away or slow, ask again"
    )]
    NotReplicated {
        wanted: Position,
        acknowledged: Position,
    },
    #[error("position {wanted} is not in the log yet; the last is {last}")]
    NotRecorded { wanted: Position, last: Position },
    #[error("other questions about the past are being answered; ask again")]
    Busy,
    #[error("the service is shutting down; ask again when it is back")]
    Stopped,
    #[error("the event log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error("the event log cannot be replayed: {0}")]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Indexer(#[from] IndexerError),
    #[error("this partition keeps no stream index")]
    NoIndex,
}

/// What ends the writer: the process ends too, and replays when it is started
/// again.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the stream index failed; it is made anew at the next start: {0}")]
    Index(String),
}

/// Why a test clock was not advanced.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("the service runs on the system clock; start it with the clock set to `test`")]
    SystemClock,
    #[error(
        "the clock's time was not confirmed: the service is shutting down, or its stream does not \
         acknowledge; ask again"
    )]
    Stopped,
}

/// Limits of a partition.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Commands that may wait.
    pub queue: usize,
    /// Commands decided in one group.
    pub group: usize,
    /// How long a query waits for `min_position`.
    pub query_wait: Duration,
}

pub(crate) type Reply<D> =
    oneshot::Sender<Result<Committed<<D as Domain>::Event>, SubmitError<<D as Domain>::Rejection>>>;

pub(crate) enum Work<D: Domain> {
    Request {
        command: D::Command,
        meta: RequestMeta,
        reply: Reply<D>,
        /// Not decided after this.
        deadline: Option<Deadline>,
    },
    Reaction {
        source: Source,
        foreign: Box<Recorded<AnyEvent>>,
        type_name: String,
        traceparent: String,
    },
    AdvanceClock {
        to: Timestamp,
        reply: oneshot::Sender<(Timestamp, u64)>,
    },
}

/// Handle of a running partition; cheap to clone.
pub struct Partition<D: Domain> {
    inner: Arc<Inner<D>>,
}

struct Inner<D: Domain> {
    number: u32,
    log: Arc<dyn EventLog>,
    machine: RwLock<Machine<D>>,
    clock: Arc<Clock>,
    limits: Limits,
    requests: mpsc::Sender<Work<D>>,
    reactions: mpsc::Sender<Work<D>>,
    snapshots: Option<Arc<Snapshots>>,
    index: Option<Arc<StreamIndex>>,
    digest: watch::Sender<Option<StateDigest>>,
    /// Up to where anything may be told to anybody.
    released: watch::Receiver<Position>,
    /// Answers that wait for the stream.
    held: Arc<AtomicUsize>,
    /// Each question about the past holds a whole state in memory.
    past: Arc<Semaphore>,
}

/// What a partition keeps beside its log.
#[derive(Debug, Default)]
pub struct Kept {
    /// Where snapshots lie; none are kept where that is not said.
    pub snapshots: Option<Snapshots>,
    /// The index that the machine asks; see [`indexer::follow`].
    pub index: Option<Arc<StreamIndex>>,
    /// Where the digest of each snapshot is told; it holds that of the one from
    /// which the machine was made.
    pub digest: watch::Sender<Option<StateDigest>>,
}

/// Questions about the past that are answered at the same time.
const PAST_QUERIES: usize = 2;

impl<D: Domain> Clone for Partition<D> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

/// Ends the writer: it finishes what is queued, then stops.
pub struct WriterHandle {
    pub(crate) stop: tokio_util::sync::CancellationToken,
    pub(crate) thread: std::thread::JoinHandle<Result<(), WriterError>>,
}

impl WriterHandle {
    /// Waits until the writer has ended by itself or, once `stop` is
    /// cancelled, has finished what was queued.
    ///
    /// # Errors
    /// The log could not be written, or the stream index not be read.
    ///
    /// # Panics
    /// The writer panicked.
    pub async fn ended(self) -> Result<(), WriterError> {
        tokio::task::spawn_blocking(move || self.thread.join())
            .await
            .expect("a joining task is not cancelled")
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    #[must_use]
    pub fn stop_token(&self) -> tokio_util::sync::CancellationToken {
        self.stop.clone()
    }
}

impl<D: Domain<Foreign = AnyEvent>> Partition<D> {
    /// Starts the writer's thread on a replayed machine, with local durability.
    ///
    /// # Errors
    /// The operating system gives no thread, or the log ends in the middle of a
    /// command: nothing may be recorded behind it before it is declared void.
    pub fn start(
        number: u32,
        log: Arc<dyn EventLog>,
        machine: Machine<D>,
        clock: Arc<Clock>,
        limits: Limits,
    ) -> std::io::Result<(Self, WriterHandle)> {
        let started = Self::start_with(
            number,
            log,
            machine,
            clock,
            limits,
            Kept::default(),
            Durability::Local,
        );
        started.map(|(partition, writer, _)| (partition, writer))
    }

    /// As [`Self::start`], with what is kept beside the log. Answers are held
    /// in the third part, which must be run.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        number: u32,
        log: Arc<dyn EventLog>,
        machine: Machine<D>,
        clock: Arc<Clock>,
        limits: Limits,
        kept: Kept,
        durability: Durability,
    ) -> std::io::Result<(Self, WriterHandle, Holding<D>)> {
        if let [first, .., last] | [first @ last] = machine.unfinished() {
            return Err(std::io::Error::other(format!(
                "the log ends in the middle of a command: positions {} to {} want {} more \
                 records, and no record declares them void",
                first.position, last.position, last.unit_remaining
            )));
        }
        let release::Parts {
            gate,
            holding,
            released,
            held,
        } = release::parts(durability, log.watch());
        let (requests, request_queue) = mpsc::channel(limits.queue);
        let (reactions, reaction_queue) = mpsc::channel(limits.queue);
        let inner = Arc::new(Inner {
            number,
            released,
            held,
            log,
            machine: RwLock::new(machine),
            clock,
            limits,
            requests,
            reactions,
            snapshots: kept.snapshots.map(Arc::new),
            index: kept.index,
            digest: kept.digest,
            past: Arc::new(Semaphore::new(PAST_QUERIES)),
        });
        let stop = tokio_util::sync::CancellationToken::new();
        let writer = writer::Writer::new(
            Arc::clone(&inner),
            request_queue,
            reaction_queue,
            gate,
            stop.clone(),
        );
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::Builder::new()
            .name(format!("{}-{number}-writer", D::SERVICE))
            .spawn(move || writer.run(&runtime))?;
        Ok((Self { inner }, WriterHandle { stop, thread }, holding))
    }
}

impl<D: Domain> Partition<D> {
    #[must_use]
    pub fn number(&self) -> u32 {
        self.inner.number
    }

    #[must_use]
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.inner.log
    }

    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Commands waiting.
    #[must_use]
    pub fn queued(&self) -> usize {
        let inner = &self.inner;
        inner.requests.max_capacity() - inner.requests.capacity()
            + (inner.reactions.max_capacity() - inner.reactions.capacity())
    }

    /// Up to where records may be told to anybody: the last durable position,
    /// and where answers wait for the stream too, what that has acknowledged.
    /// It goes back where the stream turns out to have lost its end.
    #[must_use]
    pub fn released(&self) -> watch::Receiver<Position> {
        self.inner.released.clone()
    }

    /// Answers that wait for the stream to acknowledge their records.
    #[must_use]
    pub fn held(&self) -> usize {
        self.inner.held.load(Ordering::Relaxed)
    }

    /// Decides a command, and answers once what it made is durable: on the
    /// disk, and with [`Durability::Replicated`] in the stream as well.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn submit(
        &self,
        command: D::Command,
        meta: RequestMeta,
    ) -> Result<Committed<D::Event>, SubmitError<D::Rejection>> {
        self.submit_before(command, meta, None).await
    }

    /// As [`Self::submit`], for a caller who waits no longer than this: a
    /// command that is still queued then is not decided.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn submit_before(
        &self,
        command: D::Command,
        meta: RequestMeta,
        deadline: Option<Deadline>,
    ) -> Result<Committed<D::Event>, SubmitError<D::Rejection>> {
        let waiting = self.held();
        if waiting >= self.inner.limits.queue {
            return Err(SubmitError::ReplicaBehind {
                partition: self.inner.number,
                waiting,
            });
        }
        let (reply, answer) = oneshot::channel();
        let work = Work::Request {
            command,
            meta,
            reply,
            deadline,
        };
        self.inner.requests.try_send(work).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => SubmitError::QueueFull {
                partition: self.inner.number,
                capacity: self.inner.limits.queue,
            },
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopped,
        })?;
        answer.await.unwrap_or(Err(SubmitError::Stopped))
    }

    /// Queues another service's record, waiting for room.
    ///
    /// # Errors
    /// The writer has stopped.
    pub async fn take_in(
        &self,
        source: Source,
        foreign: Recorded<AnyEvent>,
        type_name: String,
        traceparent: String,
    ) -> Result<(), Stopped> {
        let work = Work::Reaction {
            source,
            foreign: Box::new(foreign),
            type_name,
            traceparent,
        };
        self.inner.reactions.send(work).await.map_err(|_| Stopped)
    }

    /// Sets the test clock forward, firing the timers on the way in order;
    /// gives the clock's time and the number of timers.
    ///
    /// # Errors
    /// See [`ClockError`].
    pub async fn advance_clock(&self, to: Timestamp) -> Result<(Timestamp, u64), ClockError> {
        if !self.inner.clock.is_test() {
            return Err(ClockError::SystemClock);
        }
        let (reply, answer) = oneshot::channel();
        self.inner
            .requests
            .send(Work::AdvanceClock { to, reply })
            .await
            .map_err(|_| ClockError::Stopped)?;
        answer.await.map_err(|_| ClockError::Stopped)
    }

    /// Looks at the state as it is, for the service's own tasks: what is seen
    /// may not be durable yet, so nothing of it may be told to anybody.
    pub fn peek<R>(&self, look: impl FnOnce(&Machine<D>) -> R) -> R {
        look(&self.inner.machine.read())
    }

    /// Reads the state once it has reached `min_position`, and answers when
    /// what was seen is durable: nobody sees a fact that a crash (with
    /// [`Durability::Replicated`]: the loss of the disk) could take back.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn query<R>(
        &self,
        min_position: Position,
        look: impl FnOnce(&Machine<D>) -> R,
    ) -> Result<(R, Position), QueryError> {
        self.wait_released(min_position).await?;
        let (result, seen) = {
            let machine = self.inner.machine.read();
            (look(&machine), machine.position())
        };
        self.wait_released(seen).await?;
        Ok((result, seen))
    }

    /// The newest digest of the state at a durable position; none before the
    /// first snapshot was taken. See [`keeper`].
    #[must_use]
    pub fn digest(&self) -> watch::Receiver<Option<StateDigest>> {
        self.inner.digest.subscribe()
    }

    /// Reads the state of a past moment, by replaying the log up to it from
    /// the newest snapshot before it, or from the beginning.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn query_as_of<R: Send + 'static>(
        &self,
        moment: AsOf,
        look: impl FnOnce(&Machine<D>, Timestamp) -> R + Send + 'static,
    ) -> Result<(R, Position), QueryError> {
        let last = self.inner.log.last_position();
        if let AsOf::Position(wanted) = moment {
            if wanted > last {
                return Err(QueryError::NotRecorded { wanted, last });
            }
            self.wait_released(wanted).await?;
        }
        let waiting = Arc::clone(&self.inner.past).acquire_owned();
        let permit = tokio::time::timeout(self.inner.limits.query_wait, waiting)
            .await
            .map_err(|_| QueryError::Busy)?
            .map_err(|_| QueryError::Stopped)?;
        let inner = Arc::clone(&self.inner);
        // Cancelled when the caller has gone and this future is dropped.
        let gone = tokio_util::sync::CancellationToken::new();
        let _guard = gone.clone().drop_guard();
        let (result, seen) = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let snapshots = inner.snapshots.as_deref();
            let give_up = || gone.is_cancelled();
            let machine = past::past(&*inner.log, inner.number, moment, snapshots, give_up)?;
            let result = look(&machine, machine.last_recorded());
            Ok::<_, QueryError>((result, machine.position()))
        })
        .await
        .map_err(|_| QueryError::Stopped)??;
        self.wait_released(seen).await?;
        Ok((result, seen))
    }

    async fn wait_released(&self, wanted: Position) -> Result<(), QueryError> {
        let mut released = self.inner.released.clone();
        if *released.borrow() >= wanted {
            return Ok(());
        }
        let reached = released.wait_for(|position| *position >= wanted);
        match tokio::time::timeout(self.inner.limits.query_wait, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(QueryError::Stopped),
            Err(_) => {
                let actual = self.inner.log.last_position();
                if actual < wanted {
                    return Err(QueryError::NotYet { wanted, actual });
                }
                Err(QueryError::NotReplicated {
                    wanted,
                    acknowledged: *self.inner.released.borrow(),
                })
            }
        }
    }

    /// How far a source has been taken in.
    #[must_use]
    pub fn cursor(&self, source: Service) -> Position {
        self.inner.machine.read().cursor(source)
    }
}

/// The writer has stopped.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the partition's writer has stopped")]
pub struct Stopped;
