//! Reading a log from a position on: first what is there, then what comes.

use std::sync::Arc;

use decider::Position;
use tokio::sync::watch;

use crate::{Entry, EventLog, LogError};

/// At most so many records are given out at once.
pub const CHUNK_RECORDS: usize = 512;

/// A reader of durable records, in order, each once.
#[derive(Debug)]
pub struct Subscription {
    log: Arc<dyn EventLog>,
    last: watch::Receiver<Position>,
    position: Position,
}

/// Reads `log` from `from` on (1-based; 0 is read as 1), which may lie ahead.
pub fn subscribe(log: Arc<dyn EventLog>, from: Position) -> Subscription {
    let last = log.watch();
    let position = Position(from.0.saturating_sub(1));
    Subscription {
        log,
        last,
        position,
    }
}

impl Subscription {
    /// The next records, at least one and at most [`CHUNK_RECORDS`]; waits while
    /// there are none. Safe to cancel: nothing is lost or given out twice. Must
    /// run on a tokio runtime; the disk is read on its blocking threads.
    ///
    /// # Errors
    /// As [`EventLog::read`]. The position does not move: what failed is tried
    /// again by the next call.
    pub async fn next(&mut self) -> Result<Vec<Entry>, LogError> {
        loop {
            let position = self.position;
            if self.last.wait_for(|last| *last > position).await.is_err() {
                // The log holds the sender, and we hold the log.
                std::future::pending::<()>().await;
            }
            let log = Arc::clone(&self.log);
            let read = move || log.read(position.next(), CHUNK_RECORDS);
            let entries = match tokio::task::spawn_blocking(read).await {
                Ok(entries) => entries?,
                Err(e) => match e.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime is shutting down, and this task with it.
                    Err(_) => std::future::pending().await,
                },
            };
            if let Some(entry) = entries.last() {
                self.position = entry.position;
                return Ok(entries);
            }
        }
    }

    /// Position of the last record given out; at first the one before `from`.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}
