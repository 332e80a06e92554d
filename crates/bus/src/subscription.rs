//! Messages of a stream from a position on, strictly one after another.
//!
//! A subscription has no state on the server worth keeping: it knows the next
//! position and makes itself a new consumer from there whenever the old one,
//! the connection or the server is gone.

use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;

use crate::connection::{Backoff, Bus};
use crate::error::{BusError, chain};
use crate::message::Message;
use crate::names::StreamName;

/// Most messages that one call to [`Subscription::next`] returns.
pub(crate) const BATCH_MAX: usize = 512;
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// The server speaks at least this often; two silences and it is asked anew.
const HEARTBEAT: Duration = Duration::from_secs(3);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// See [`Bus::subscribe`].
pub struct Subscription {
    bus: Bus,
    stream: StreamName,
    /// The position that comes next.
    next: u64,
    live: Option<pull::Stream>,
    connects: watch::Receiver<u64>,
    backoff: Backoff,
    warned_ahead: bool,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("stream", &self.stream.to_string())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// What became of one delivery.
enum Taken {
    Next(Message),
    /// Seen before: the stream is being filled again from its log.
    Old,
    /// Something between `next` and this sequence did not come.
    Beyond(u64),
}

impl Subscription {
    pub(crate) fn new(bus: Bus, stream: StreamName, from: u64) -> Self {
        let connects = bus.connects();
        Self {
            bus,
            stream,
            next: from,
            live: None,
            connects,
            backoff: Backoff::up_to(PAUSE_MAX),
            warned_ahead: false,
        }
    }

    /// Position of the message that comes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// At least one message, at most 512, with sequences that continue the
    /// previous call's by exactly one. Waits while there is no connection, no
    /// stream or no new message. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`BusError::Gap`] if the stream does not hold the next message but a
    /// later one; [`BusError::Settings`] if the server does not do as asked.
    pub async fn next(&mut self) -> Result<Vec<Message>, BusError> {
        loop {
            let Some(live) = self.live.as_mut() else {
                self.open().await?;
                continue;
            };
            let first = tokio::select! {
                biased;
                _ = self.connects.changed() => {
                    // The server may have forgotten the consumer.
                    self.live = None;
                    continue;
                }
                delivery = live.next() => delivery,
            };
            // From here to the return there is nothing to wait for.
            let mut batch = Vec::new();
            let mut delivery = first;
            let gap = loop {
                match delivery {
                    Some(Ok(message)) => match self.take(Message::from_delivery(message)?) {
                        Taken::Next(message) => batch.push(message),
                        Taken::Old => {}
                        Taken::Beyond(got) => break Some(got),
                    },
                    Some(Err(e)) => {
                        tracing::debug!(stream = %self.stream, error = chain(&e), "consumer ended");
                        self.live = None;
                    }
                    None => self.live = None,
                }
                let Some(live) = self.live.as_mut() else {
                    break None;
                };
                if batch.len() == BATCH_MAX {
                    break None;
                }
                match live.next().now_or_never() {
                    Some(more) => delivery = more,
                    None => break None,
                }
            };
            if gap.is_some() {
                self.live = None;
            }
            if !batch.is_empty() {
                self.backoff.reset();
                return Ok(batch);
            }
            if let Some(got) = gap {
                self.confirm_gap(got).await?;
            } else if self.live.is_none() {
                self.pause().await;
            }
        }
    }

    fn take(&mut self, message: Message) -> Taken {
        if message.sequence > self.next {
            return Taken::Beyond(message.sequence);
        }
        if message.sequence < self.next {
            if !self.warned_ahead {
                self.warned_ahead = true;
                tracing::warn!(
                    stream = %self.stream, next = self.next, stream_at = message.sequence,
                    "the stream is behind what was read from it before; waiting until it is \
                     filled again"
                );
            }
            return Taken::Old;
        }
        self.next += 1;
        Taken::Next(message)
    }

    /// Whether the stream lacks the next message, or it was lost on the way.
    async fn confirm_gap(&mut self, got: u64) -> Result<(), BusError> {
        match self.bus.read(&self.stream, self.next, 1).await {
            Ok(found) if found.is_empty() => Err(BusError::Gap {
                expected: self.next,
                got,
            }),
            Ok(_) => Ok(()),
            Err(e) if e.is_transient() => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// One attempt at a new consumer, with a pause after a failed one.
    async fn open(&mut self) -> Result<(), BusError> {
        self.bus.wait_connected().await;
        self.connects.borrow_and_update();
        let attempt = tokio::select! {
            attempt = messages(&self.bus, &self.stream, self.next) => attempt,
            _ = self.connects.changed() => return Ok(()),
        };
        match attempt {
            Ok(live) => {
                self.live = Some(live);
                Ok(())
            }
            Err(e) if e.is_transient() => {
                tracing::debug!(stream = %self.stream, error = chain(&e), "no consumer yet");
                self.pause().await;
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    /// Cut short by a new connection.
    async fn pause(&mut self) {
        let pause = self.backoff.next();
        let _ = tokio::time::timeout(pause, self.connects.changed()).await;
    }
}

/// What a new consumer sends from a position on.
pub(crate) async fn messages(
    bus: &Bus,
    stream: &StreamName,
    from: u64,
) -> Result<pull::Stream, BusError> {
    let consumer = bus.consumer(stream, from).await?;
    consumer
        .stream()
        .max_messages_per_batch(BATCH_MAX)
        .expires(PULL_EXPIRES)
        .heartbeat(HEARTBEAT)
        .messages()
        .await
        .map_err(|e| BusError::unavailable(format!("subscribing to {stream}"), e))
}
