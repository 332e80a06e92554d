//! Keeps a stream equal to an event log: publishes what the log holds and the
//! stream does not, in order, each message fenced with the sequence that must
//! precede it.
//!
//! The stream's last sequence *is* the relay's position; nothing else is
//! stored. After every time-out, refusal and reconnection the relay reads it
//! again, compares the join with the log and goes on from there. A message of
//! an abandoned attempt that reaches the server late does no harm: it is
//! stored at its own position or refused.
//!
//! Messages are sent ahead of their acknowledgements, so the number alone would
//! not keep two writers apart: where one's message is stored in place of the
//! other's, the other's next would still find the number it waits for. So each
//! message also names the id of the one before it. Only the first of a session
//! cannot (a server forgets the last id when it restarts); it is sent alone,
//! and the others follow when it is acknowledged. A stream thus holds a
//! beginning of one history, whoever writes; a relay that meets another's
//! messages stops. Keep to one writer per partition all the same (a lock on
//! the log's directory, a stateful set): the fence is the second line.

use std::collections::VecDeque;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connection::{Backoff, Bus};
use crate::error::{BoxError, BusError, chain};
use crate::message::OutMessage;
use crate::names::StreamName;
use crate::stream::StreamState;

/// Messages sent and not yet acknowledged.
const IN_FLIGHT_MAX: usize = 1000;
/// Records read from the log, or compared, at a time.
const CHUNK: usize = 256;
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long an ended session waits for what it has in flight, so that the next
/// one finds the stream at rest.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// Where the relay reads from: the durable part of an event log.
pub trait Outbox: Send + Sync + 'static {
    /// Records from position `from` on, gapless, at most `limit`; empty only
    /// where `from` is beyond [`Outbox::last_position`]. Called on an async
    /// task: it may read a file, but must not wait for anything else.
    ///
    /// # Errors
    /// The log cannot be read; this ends the relay.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<OutMessage>, BoxError>;

    /// Position of the last durable record, 0 where there is none.
    fn last_position(&self) -> u64;

    /// Returns when `last_position() > position`.
    fn wait_past(&self, position: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The relay of one service partition.
pub struct Relay {
    bus: Bus,
    stream: StreamName,
    outbox: Arc<dyn Outbox>,
    acknowledged: watch::Sender<u64>,
}

type Ack = Pin<Box<dyn Future<Output = Result<PublishAck, PublishError>> + Send>>;
/// Position and awaited acknowledgement, in order of position.
type InFlight = VecDeque<(u64, Ack)>;

impl Relay {
    /// The receiver shows the last position that the stream is known to hold.
    /// It goes back if the stream turns out to have lost its end.
    pub fn new(
        bus: Bus,
        stream: StreamName,
        outbox: Arc<impl Outbox>,
    ) -> (Self, watch::Receiver<u64>) {
        let (acknowledged, receiver) = watch::channel(0);
        let relay = Self {
            bus,
            stream,
            outbox,
            acknowledged,
        };
        (relay, receiver)
    }

    /// Runs until cancelled. On cancellation it publishes what the log still
    /// holds and returns when all is acknowledged, which is never while NATS
    /// is away: put a time limit around it.
    ///
    /// # Errors
    /// Only what needs a person: [`BusError::Fenced`], [`BusError::Settings`],
    /// [`BusError::Refused`], [`BusError::Outbox`].
    pub async fn run(self, cancel: CancellationToken) -> Result<(), BusError> {
        tokio::select! {
            biased;
            error = self.replicate() => Err(error),
            () = self.drained(&cancel) => Ok(()),
        }
    }

    async fn drained(&self, cancel: &CancellationToken) {
        cancel.cancelled().await;
        let _ = self
            .acknowledged
            .subscribe()
            .wait_for(|position| *position >= self.outbox.last_position())
            .await;
    }

    /// Session after session until an error that needs a person.
    async fn replicate(&self) -> BusError {
        let mut backoff = Backoff::up_to(PAUSE_MAX);
        let mut connects = self.bus.connects();
        // Up to here the stream was found or made equal to the log.
        let mut verified = None;
        loop {
            self.bus.wait_connected().await;
            connects.borrow_and_update();
            let before = *self.acknowledged.borrow();
            let ended = tokio::select! {
                ended = self.session(&mut verified) => ended,
                // Acknowledgements of the old connection do not come any more.
                _ = connects.changed() => {
                    tracing::info!(stream = %self.stream, "reconnected to NATS");
                    continue;
                }
            };
            let Err(error) = ended;
            if !error.is_transient() {
                return error;
            }
            if *self.acknowledged.borrow() > before {
                backoff.reset();
            }
            let pause = backoff.next();
            tracing::warn!(
                stream = %self.stream, acknowledged = *self.acknowledged.borrow(),
                log = self.outbox.last_position(), error = chain(&error),
                "publishing interrupted; reading the stream's position again"
            );
            let _ = tokio::time::timeout(pause, connects.changed()).await;
        }
    }

    /// Joins log and stream and publishes until something fails.
    async fn session(
        &self,
        verified: &mut Option<u64>,
    ) -> Result<std::convert::Infallible, BusError> {
        let state = self.bus.ensure_stream(&self.stream).await?;
        let last = state.last_sequence;
        self.check_join(state, *verified).await?;
        if let Some(before) = verified.filter(|before| *before > last) {
            tracing::warn!(
                stream = %self.stream, before, now = last,
                "the stream has lost its end; publishing it again"
            );
        }
        *verified = Some(last);
        self.acknowledge(last);
        let mut in_flight = InFlight::new();
        let ended = self.pump(last + 1, &mut in_flight, verified).await;
        let settle = futures::future::join_all(in_flight.into_iter().map(|(_, ack)| ack));
        let _ = tokio::time::timeout(SETTLE_MAX, settle).await;
        ended
    }

    /// Compares what the stream holds beyond `verified` (at first: the last
    /// message that both have) with the log.
    async fn check_join(&self, state: StreamState, verified: Option<u64>) -> Result<(), BusError> {
        let last = state.last_sequence;
        let fenced = |position| BusError::Fenced {
            stream: self.stream.to_string(),
            position,
        };
        // The log is asked after the stream, so it is the further one.
        let ours = self.outbox.last_position();
        let both = last.min(ours);
        let mut from = match verified {
            Some(verified) if verified < both => verified + 1,
            _ => both,
        };
        // A stream that was made anew from a later position, and is empty yet,
        // holds nothing to compare.
        from = from.max(state.first_sequence);
        while from > 0 && from <= both {
            let limit = CHUNK.min(usize::try_from(both - from + 1).unwrap_or(CHUNK));
            let stored = self.bus.read(&self.stream, from, limit).await?;
            let logged = self.read_log(from, limit)?;
            if stored.len() < limit || logged.len() < limit {
                return Err(BusError::unavailable(
                    format!("comparing {} with the log", self.stream),
                    format!("messages {from} and following cannot all be read"),
                ));
            }
            for (theirs, ours) in stored.iter().zip(&logged) {
                if theirs.sequence != ours.position || theirs.payload != ours.payload {
                    return Err(fenced(ours.position));
                }
            }
            from += limit as u64;
        }
        if last > ours {
            return Err(fenced(ours + 1));
        }
        Ok(())
    }

    /// Publishes from `next` on, for ever.
    async fn pump(
        &self,
        mut next: u64,
        in_flight: &mut InFlight,
        verified: &mut Option<u64>,
    ) -> Result<std::convert::Infallible, BusError> {
        // Id of the message before `next`, once this session published it.
        let mut before: Option<String> = None;
        let mut room = 1;
        loop {
            while in_flight.len() < room {
                let records = self.read_log(next, CHUNK.min(room - in_flight.len()))?;
                if records.is_empty() {
                    break;
                }
                for record in records {
                    let id = record.id();
                    let ack = self.publish(record, &id, before.as_deref()).await?;
                    in_flight.push_back((next, ack));
                    before = Some(id);
                    next += 1;
                }
            }
            let may_publish = in_flight.len() < room;
            tokio::select! {
                biased;
                position = acknowledged(in_flight, &self.stream) => {
                    let position = position?;
                    room = IN_FLIGHT_MAX;
                    *verified = Some(position);
                    self.acknowledge(position);
                }
                () = self.outbox.wait_past(next - 1), if may_publish => {}
            }
        }
    }

    async fn publish(
        &self,
        record: OutMessage,
        id: &str,
        after: Option<&str>,
    ) -> Result<Ack, BusError> {
        let unusable = |source: BoxError| BusError::Outbox {
            position: record.position,
            source,
        };
        if !record.subject.starts_with(&self.stream.subject_prefix()) {
            return Err(unusable(
                format!("subject `{}` is not in {}", record.subject, self.stream).into(),
            ));
        }
        let message = PublishMessage::build()
            .headers(record.fenced_headers(id, after).map_err(unusable)?)
            .payload(record.payload.clone());
        let ack = self
            .bus
            .jetstream
            .send_publish(record.subject.clone(), message)
            .await
            .map_err(|e| BusError::unavailable(format!("sending {}", record.position), e))?;
        Ok(ack.into_future())
    }

    /// Records of the log at exactly the positions from `from` on.
    fn read_log(&self, from: u64, limit: usize) -> Result<Vec<OutMessage>, BusError> {
        if limit == 0 || from > self.outbox.last_position() {
            return Ok(Vec::new());
        }
        let broken = |source| BusError::Outbox {
            position: from,
            source,
        };
        let records = self.outbox.read(from, limit).map_err(broken)?;
        if records.is_empty() {
            return Err(broken("the log gave nothing here".into()));
        }
        for (expected, record) in (from..).zip(&records) {
            if record.position != expected {
                return Err(broken(
                    format!("the log gave {} in place of {expected}", record.position).into(),
                ));
            }
        }
        Ok(records)
    }

    fn acknowledge(&self, position: u64) {
        self.acknowledged.send_if_modified(|known| {
            let changed = *known != position;
            *known = position;
            changed
        });
    }
}

/// Waits for the oldest acknowledgement, takes all that are there behind it,
/// and returns the last position acknowledged. Losing a race in `select` loses
/// nothing. Never returns while nothing is in flight.
async fn acknowledged(in_flight: &mut InFlight, stream: &StreamName) -> Result<u64, BusError> {
    let Some((_, ack)) = in_flight.front_mut() else {
        return std::future::pending().await;
    };
    let mut answer = ack.await;
    loop {
        let Some((position, _)) = in_flight.pop_front() else {
            return std::future::pending().await;
        };
        check(position, answer, stream)?;
        let next = in_flight.front_mut();
        match next.and_then(|(_, ack)| ack.now_or_never()) {
            Some(more) => answer = more,
            None => return Ok(position),
        }
    }
}

fn check(
    position: u64,
    answer: Result<PublishAck, PublishError>,
    stream: &StreamName,
) -> Result<(), BusError> {
    let passed = || format!("the stream is not at {} any more", position - 1);
    match answer {
        // The message that is there may be another one than ours.
        Ok(ack) if ack.duplicate => Err(BusError::unavailable(passed(), "another wrote first")),
        Ok(ack) if ack.sequence == position && ack.stream == stream.to_string() => Ok(()),
        // The server did not keep to the fence: nothing may follow.
        Ok(_) => Err(BusError::Fenced {
            stream: stream.to_string(),
            position,
        }),
        Err(e) if e.kind() == PublishErrorKind::WrongLastSequence => {
            Err(BusError::unavailable(passed(), e))
        }
        Err(e) => Err(BusError::unavailable(format!("publishing {position}"), e)),
    }
}
