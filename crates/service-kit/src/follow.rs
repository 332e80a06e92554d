//! Answers that follow a partition's log: from a position on, in order, without
//! a gap, and with a sign of life while nothing happens.
//!
//! A follower holds one task, and messages of one reading at most; what a slow
//! client has not taken stays in the log. A client that went away is found by
//! the connection's keepalive.

pub mod tail;

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock},
    time::Duration,
};

use decider::{Domain, Position, Service};
pub use event_log::Entry;
use futures::{Stream, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::{partition::Partition, status::status, stream_service::stopping};
pub use tail::Tail;

/// The messages of a streaming answer.
pub type Parts<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Records read at a time.
const CHUNK: usize = 256;
/// Parts made ahead of what the client has taken: who takes nothing makes the
/// service read no more of the log for him, and hold no more.
const AHEAD: usize = 1;
/// Between signs of life: often enough for the proxies that close a connection
/// after a minute.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a reader sends. It ends with the client, with the service, or with the
/// log. Its outcome comes behind the last part, so that a reading that was cut
/// short is never taken for the whole.
pub fn parts<T: Send + 'static, R>(
    service: Service,
    reader: impl FnOnce(mpsc::Sender<Result<T, Status>>) -> R,
) -> Parts<T>
where
    R: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(AHEAD);
    let reading = tokio::spawn(reader(sender));
    let outcome = futures::stream::once(reading).filter_map(move |ended| async move {
        match ended {
            Ok(Ok(())) => None,
            Ok(Err(status)) => Some(Err(status)),
            Err(_) => Some(Err(stopping(service))),
        }
    });
    Box::pin(ReceiverStream::new(receiver).chain(outcome))
}

/// Readings of the past that go on at once, of all partitions: as many as there
/// are cores, so that thousands of clients who come back together wait for each
/// other and do not keep those waiting who report what happens now.
static READINGS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, Into::into)));

/// Records from `next` on, in its turn.
///
/// # Errors
/// DATA_LOSS: the log cannot be read.
pub async fn entries<D: Domain>(
    partition: &Partition<D>,
    next: Position,
    limit: usize,
) -> Result<Vec<Entry>, Status> {
    let _turn = READINGS.acquire().await.expect("never closed");
    entries_at_once(partition, next, limit).await
}

/// Records from `next` on, read off the async threads.
async fn entries_at_once<D: Domain>(
    partition: &Partition<D>,
    next: Position,
    limit: usize,
) -> Result<Vec<Entry>, Status> {
    let log = Arc::clone(partition.log());
    tokio::task::spawn_blocking(move || log.read(next, limit))
        .await
        .map_err(|_| stopping(D::SERVICE))?
        .map_err(|error| {
            tracing::error!(%error, "the event log cannot be read");
            let message = error.to_string();
            status(D::SERVICE, Code::DataLoss, "LOG_UNREADABLE", message)
        })
}

/// A position that a client has seen.
///
/// # Errors
/// OUT_OF_RANGE: the log is not so long, so that records that the client has
/// seen are not there.
pub fn check_cursor<D: Domain>(partition: &Partition<D>, after: Position) -> Result<(), Status> {
    let last = *partition.released().borrow();
    if after <= last {
        return Ok(());
    }
    Err(status(
        D::SERVICE,
        Code::OutOfRange,
        "BEYOND_LOG",
        format!(
            "you go on after {after}, and the log ends at position {last}: begin again with a \
             cursor that this area gave you, and tell the operator if this one was"
        ),
    ))
}

/// What becomes of the log's records in a stream.
///
/// Of the newest records it is only shown those that its [`Tail`] keeps, so a
/// tail's question must be true of all that mean something to any follower.
pub trait Follower<D: Domain>: Send + 'static {
    type Message: Send + 'static;

    /// What a record means to the client, if anything. Each record comes once,
    /// in order.
    fn message(&mut self, partition: &Partition<D>, entry: &Entry) -> Option<Self::Message>;

    /// That everything up to here was told.
    fn heartbeat(&mut self, at: Position) -> Self::Message;
}

/// Follows the log after a position until the client or the service ends it.
/// A heartbeat comes first, then one whenever nothing came for [`HEARTBEAT`].
#[must_use]
pub fn follow<D: Domain, F: Follower<D>>(
    partition: &Partition<D>,
    tail: &Tail,
    after: Position,
    follower: F,
    stop: CancellationToken,
) -> Parts<F::Message> {
    let (partition, tail) = (partition.clone(), tail.clone());
    parts(D::SERVICE, |sender| {
        run(partition, tail, after, follower, sender, stop)
    })
}

async fn run<D: Domain, F: Follower<D>>(
    partition: Partition<D>,
    mut tail: Tail,
    after: Position,
    mut follower: F,
    sender: mpsc::Sender<Result<F::Message, Status>>,
    stop: CancellationToken,
) -> Result<(), Status> {
    let released = partition.released();
    let mut next = after.next();
    let send = async |message| {
        tokio::select! {
            sent = sender.send(Ok(message)) => Ok(sent.is_ok()),
            () = stop.cancelled() => Err(stopping(D::SERVICE)),
        }
    };
    if !send(follower.heartbeat(after)).await? {
        return Ok(());
    }
    loop {
        let known = tail.since(next);
        let is_behind = known.is_none();
        let (newer, through) = match known {
            Some(known) => (known.entries, known.through),
            None => {
                // What may not be told yet is not there.
                let may_show = (released.borrow().0 + 1).saturating_sub(next.0);
                let chunk = usize::try_from(may_show).unwrap_or(CHUNK).min(CHUNK);
                let read = entries(&partition, next, chunk).await?;
                let through = read.last().map_or(after, |entry| entry.position);
                (read, through)
            }
        };
        // An entry keeps alive what it was read with, so none waits for the
        // client; of what it means to him there is little.
        let messages: Vec<_> = newer
            .iter()
            .filter_map(|entry| follower.message(&partition, entry))
            .collect();
        drop(newer);
        for message in messages {
            if !send(message).await? {
                return Ok(());
            }
        }
        next = next.max(through.next());
        if is_behind {
            continue;
        }
        let more = tokio::time::timeout(HEARTBEAT, tail.grows(next));
        let more = tokio::select! {
            () = stop.cancelled() => return Err(stopping(D::SERVICE)),
            () = sender.closed() => return Ok(()),
            more = more => more,
        };
        match more {
            Ok(true) => {}
            Ok(false) => return Err(stopping(D::SERVICE)),
            Err(_) => {
                // What came since means nothing to anybody, or is told next.
                if let Some(known) = tail.since(next)
                    && known.entries.is_empty()
                {
                    next = next.max(known.through.next());
                }
                let told = Position(next.0 - 1);
                if !send(follower.heartbeat(told)).await? {
                    return Ok(());
                }
            }
        }
    }
}
