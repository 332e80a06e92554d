//! Whether a source still tells the history that was read from it before.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusError, Message, StreamName};
use bytes::Bytes;
use decider::{Position, Service};
use tokio::time::Instant;

use crate::{
    history::{EVERY, Notes, Seen, SeenFile},
    http::Readiness,
};

/// The owner's note may be that old, so only a lasting shortness is one.
const SHORT_FOR: Duration = Duration::from_millis(2 * EVERY.as_millis() as u64 + 1000);

/// What is to be done with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on from what was seen.
    Same,
    /// Its stream is shorter, or tells something else: nothing is taken in.
    Wait,
}

pub(super) struct Watch {
    reader: Service,
    source: Service,
    stream: StreamName,
    bus: Bus,
    notes: Notes,
    file: Arc<SeenFile>,
    readiness: Readiness,
    /// The last message; its digest is taken when it is noted.
    last: Option<(u64, Bytes)>,
    warned: bool,
    /// Since when the owner's log is said to be too short.
    short_since: Option<Instant>,
}

impl Watch {
    pub(super) fn new(
        reader: Service,
        source: Service,
        stream: StreamName,
        bus: Bus,
        notes: Notes,
        file: Arc<SeenFile>,
        readiness: Readiness,
    ) -> Self {
        Self {
            reader,
            source,
            stream,
            bus,
            notes,
            file,
            readiness,
            last: None,
            warned: false,
            short_since: None,
        }
    }

    pub(super) fn saw(&mut self, message: &Message) {
        self.last = Some((message.sequence, message.payload.clone()));
    }

    fn seen(&self) -> Seen {
        match &self.last {
            Some((position, bytes)) => Seen::of(*position, bytes),
            None => self.file.get(self.source).unwrap_or_default(),
        }
    }

    /// Whether the stream ends before what comes next was to follow.
    pub(super) async fn is_behind(&self, next: u64) -> Result<bool, BusError> {
        let state = self.bus.stream_state(&self.stream).await?;
        Ok(state.map_or(0, |state| state.last_sequence) + 1 < next)
    }

    /// Compares the stream with what was seen of it.
    pub(super) async fn check(&mut self, cursor: Position) -> Result<Verdict, BusError> {
        let seen = self.seen();
        let reached = seen.position.max(cursor.0);
        let state = self.bus.stream_state(&self.stream).await?;
        let (first, last) = state.map_or((0, 0), |s| (s.first_sequence, s.last_sequence));
        if last < reached {
            let owners = self.notes.owners(&self.stream).await?;
            let Some(note) = owners.filter(|note| note.log < reached) else {
                self.short_since = None;
                return Ok(self.wait(last, reached));
            };
            let since = *self.short_since.get_or_insert_with(Instant::now);
            if since.elapsed() < SHORT_FOR {
                return Ok(self.wait(last, reached));
            }
            return Ok(self.refuse(&format!(
                "its log ends at position {} and {reached} was read from it before",
                note.log
            )));
        }
        self.short_since = None;
        if seen.position > 0 && seen.position >= first {
            let stored = self.bus.read(&self.stream, seen.position, 1).await?;
            // A hole there is the gap repair's to judge.
            if stored
                .first()
                .is_some_and(|message| !seen.is(&message.payload))
            {
                return Ok(self.refuse(&format!(
                    "at position {} it holds another record than was read before",
                    seen.position
                )));
            }
        }
        self.same();
        Ok(Verdict::Same)
    }

    /// Notes what was seen, where it can be.
    pub(super) async fn write(&self) {
        let seen = self.seen();
        if seen.position == 0 {
            return;
        }
        if let Err(error) = self.file.put(self.source, seen.clone()) {
            tracing::warn!(%error, "what was seen of the sources cannot be noted");
        }
        let written = self
            .notes
            .write_readers(&self.stream, self.reader, &seen)
            .await;
        if let Err(error) = written {
            tracing::debug!(%error, "what was seen of the sources is not noted in NATS");
        }
    }

    fn wait(&mut self, last: u64, reached: u64) -> Verdict {
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                stream = %self.stream, last, reached,
                "the stream is behind what was read from it before; waiting until its owner has \
                 filled it again from the log"
            );
        }
        Verdict::Wait
    }

    fn refuse(&mut self, why: &str) -> Verdict {
        let what = format!(
            "{} tells a second history: {why}. Nothing of it is taken in any more. Restore its log \
             or its JetStream stream {} from a copy",
            self.source, self.stream
        );
        if self.readiness.trouble(&self.name(), Some(what.clone())) {
            tracing::error!(stream = %self.stream, "{what}");
        }
        self.gauge(1.0);
        Verdict::Wait
    }

    fn same(&mut self) {
        if std::mem::replace(&mut self.warned, false) {
            tracing::info!(stream = %self.stream, "the stream is filled again");
        }
        if self.readiness.trouble(&self.name(), None) {
            tracing::info!(stream = %self.stream, "the stream goes on from what was read before");
        }
        self.gauge(0.0);
    }

    fn name(&self) -> String {
        format!("history of {}", self.stream)
    }

    fn gauge(&self, value: f64) {
        metrics::gauge!(
            "baogong_second_history",
            "service" => self.reader.name(), "source" => self.source.name()
        )
        .set(value);
    }
}
