//! The owner's side: notes how far its stream has acknowledged, and looks
//! whether somebody has seen another history.

use std::sync::Arc;

use bus::StreamName;
use decider::{Position, Service};
use event_log::EventLog;
use tokio::sync::watch;

use super::{EVERY, HistoryError, Notes, OwnersNote, Seen};
use crate::http::Readiness;

/// The task of one partition.
pub struct Owner {
    pub service: Service,
    pub stream: StreamName,
    pub log: Arc<dyn EventLog>,
    pub acknowledged: watch::Receiver<u64>,
    pub notes: Notes,
    pub readiness: Readiness,
}

impl Owner {
    /// Runs for ever.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn run(self) -> anyhow::Result<()> {
        loop {
            match self.round().await {
                Ok(()) => {}
                Err(HistoryError::Bus(error)) => {
                    tracing::debug!(stream = %self.stream, %error, "no notes of the history now");
                }
                Err(HistoryError::Log(error)) => return Err(error.into()),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn round(&self) -> Result<(), HistoryError> {
        // What others have seen comes first: it must not be written over.
        let found = self.notes.against(&self.stream, &*self.log).await?;
        let broken = found.is_some();
        let news = self
            .readiness
            .trouble("own history", found.as_ref().map(ToString::to_string));
        if let Some(second) = found.filter(|_| news) {
            tracing::error!(stream = %self.stream, "{second}");
        }
        metrics::gauge!(
            "baogong_second_history",
            "service" => self.service.name(), "source" => self.service.name()
        )
        .set(if broken { 1.0 } else { 0.0 });
        if broken {
            return Ok(());
        }
        let acknowledged = *self.acknowledged.borrow();
        let entries = self.log.read(Position(acknowledged), 1)?;
        let acknowledged = match entries.first() {
            Some(entry) if acknowledged > 0 => Seen::of(acknowledged, &entry.bytes),
            _ => Seen::default(),
        };
        let before = self.notes.owners(&self.stream).await?.unwrap_or_default();
        let note = OwnersNote {
            // While the stream is filled again, what it had counts.
            acknowledged: if before.acknowledged.position > acknowledged.position {
                before.acknowledged
            } else {
                acknowledged
            },
            log: self.log.last_position().0,
        };
        self.notes.write_owners(&self.stream, &note).await?;
        Ok(())
    }
}
