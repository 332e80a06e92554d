//! A long part of a stream, read while the server sends ahead: one consumer
//! for all of it, where [`Bus::read`] makes one for each call.

use async_nats::jetstream::consumer::pull;
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;

use crate::connection::{Bus, REQUEST_TIMEOUT};
use crate::error::{BoxError, BusError, chain};
use crate::message::Bare;
use crate::names::StreamName;
use crate::subscription::{BATCH_MAX, messages};

/// See [`Bus::read_on`].
pub struct Reading {
    bus: Bus,
    stream: StreamName,
    next: u64,
    to: u64,
    live: Option<pull::Stream>,
    connects: watch::Receiver<u64>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("stream", &self.stream.to_string())
            .field("next", &self.next)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// Reads the messages at positions `from` to `to` one part after another.
    #[must_use]
    pub fn read_on(&self, name: &StreamName, from: u64, to: u64) -> Reading {
        Reading {
            bus: self.clone(),
            stream: name.clone(),
            next: from.max(1),
            to,
            live: None,
            connects: self.connects(),
        }
    }
}

impl Reading {
    /// The messages that follow, at most 512, in order; a sequence that is left
    /// out is not in the stream. Empty at the end, and where the stream does
    /// not hold those that were to follow. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`Bus::read`].
    pub async fn next(&mut self) -> Result<Vec<Bare>, BusError> {
        if self.next > self.to {
            return Ok(Vec::new());
        }
        let part = match self.sent().await {
            Ok(part) => part,
            Err(error) => {
                // The consumer went with the server that had it, a message was
                // lost on the way, or is not there: asking for them tells.
                tracing::debug!(stream = %self.stream, error = chain(&error), "reading anew");
                self.live = None;
                let wanted = usize::try_from(self.to - self.next + 1).unwrap_or(BATCH_MAX);
                let wanted = wanted.min(BATCH_MAX);
                let read = self.bus.read(&self.stream, self.next, wanted).await?;
                read.into_iter().map(Bare::from).collect()
            }
        };
        if let Some(last) = part.last() {
            self.next = last.sequence + 1;
        }
        Ok(part)
    }

    /// What has come, or comes next: at least one message, without a gap.
    async fn sent(&mut self) -> Result<Vec<Bare>, BusError> {
        let failed =
            |error: BoxError| BusError::unavailable(format!("reading {}", self.stream), error);
        let live = match &mut self.live {
            Some(live) => live,
            none => {
                self.connects.borrow_and_update();
                none.insert(messages(&self.bus, &self.stream, self.next).await?)
            }
        };
        let first = tokio::time::timeout(REQUEST_TIMEOUT, live.next());
        let mut delivery = tokio::select! {
            biased;
            // The server may have forgotten the consumer.
            _ = self.connects.changed() => return Err(failed("the connection is a new one".into())),
            first = first => first.map_err(|error| failed(error.into()))?,
        };
        // From here to the end there is nothing to wait for.
        let mut part = Vec::with_capacity(BATCH_MAX);
        for expected in self.next..=self.to {
            let message = delivery.ok_or_else(|| failed("the consumer ended".into()))?;
            let message = Bare::from_delivery(message.map_err(|error| failed(error.into()))?)?;
            if message.sequence != expected {
                return Err(failed(
                    format!("{} came instead of {expected}", message.sequence).into(),
                ));
            }
            part.push(message);
            if part.len() == BATCH_MAX {
                break;
            }
            match live.next().now_or_never() {
                Some(more) => delivery = more,
                None => break,
            }
        }
        Ok(part)
    }
}
