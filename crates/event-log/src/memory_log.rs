//! The event log's twin in memory: the same contract without a disk, for tests.
//! It can be told to fail.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use decider::Position;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Entry, EventLog, LogError, Unit};

#[derive(Debug)]
pub struct MemoryLog {
    inner: Mutex<Inner>,
    last: watch::Sender<Position>,
}

#[derive(Debug, Default)]
struct Inner {
    records: Vec<Bytes>,
    fail_next: Option<LogError>,
    failed: Option<String>,
}

impl MemoryLog {
    #[must_use]
    pub fn new() -> Self {
        Self::with_records([])
    }

    /// A log in which these records stand already.
    #[must_use]
    pub fn with_records(records: impl IntoIterator<Item = Bytes>) -> Self {
        let records: Vec<Bytes> = records.into_iter().collect();
        let last = watch::Sender::new(Position(records.len() as u64));
        let inner = Mutex::new(Inner {
            records,
            ..Inner::default()
        });
        Self { inner, last }
    }

    /// Lets the next append fail as if the disk were full, and with it all
    /// later ones.
    pub fn fail_next_append(&self) {
        self.fail_next_append_with(LogError::DiskFull {
            path: PathBuf::from("memory"),
            source: io::ErrorKind::StorageFull.into(),
        });
    }

    /// The same with an error of one's own.
    pub fn fail_next_append_with(&self, error: LogError) {
        self.inner.lock().fail_next = Some(error);
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl EventLog for MemoryLog {
    fn append(&self, units: Vec<Unit>) -> Result<Position, LogError> {
        let mut inner = self.inner.lock();
        if let Some(because) = &inner.failed {
            return Err(LogError::Closed {
                because: because.clone(),
            });
        }
        units.iter().try_for_each(Unit::check)?;
        if units.iter().all(|unit| unit.0.is_empty()) {
            return Ok(self.last_position());
        }
        if let Some(error) = inner.fail_next.take() {
            inner.failed = Some(error.to_string());
            return Err(error);
        }
        inner
            .records
            .extend(units.into_iter().flat_map(|unit| unit.0));
        let last = Position(inner.records.len() as u64);
        self.last.send_replace(last);
        Ok(last)
    }

    fn last_position(&self) -> Position {
        *self.last.borrow()
    }

    fn read(&self, from: Position, limit: usize) -> Result<Vec<Entry>, LogError> {
        let skip = usize::try_from(from.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let positions = (1..).map(Position);
        Ok(self
            .inner
            .lock()
            .records
            .iter()
            .zip(positions)
            .skip(skip)
            .take(limit)
            .map(|(bytes, position)| Entry {
                position,
                bytes: bytes.clone(),
            })
            .collect())
    }

    fn watch(&self) -> watch::Receiver<Position> {
        self.last.subscribe()
    }
}
