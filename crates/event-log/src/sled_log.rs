//! The event log on disk: one sled tree, one key for each batch of records.
//!
//! The layout is in `batch.rs`, `head.rs` and `acknowledged.rs`; what durable means is in
//! `disk.rs`; what opening checks is in `open.rs` and `scan.rs`. Reading checks
//! the checksum of each batch again.
//!
//! A group is one `insert` for each of its batches, in order of position, and
//! one flush. `apply_batch` and transactions are not used (they take a lock for
//! the whole process): what sled recovers after a crash is a prefix of what was
//! written, so a group that was not acknowledged leaves whole units, from its
//! first on, or nothing. Opening does not rely on that, it checks.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use decider::Position;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::acknowledged::Acknowledged;
use crate::batch::{self, Batch};
use crate::disk::{Durable, guarded};
use crate::open::{self, SledOptions};
use crate::report::OpenReport;
use crate::scan::{next_of, unreadable};
use crate::{Entry, EventLog, LogError, Unit};

/// Within a large group sled's file is synced at least this often: sled reuses
/// a segment of its file once what replaces its pages is written, and that must
/// also be durable by then. It waits at least until a later segment is begun, so
/// half a segment is often enough.
const UNSYNCED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An open log. There is one for a directory; a second is refused.
pub struct SledLog {
    /// None only while being dropped.
    db: Option<sled::Db>,
    durable: Durable,
    last: watch::Sender<Position>,
    /// Makes appends take turns.
    writer: Mutex<Writer>,
}

struct Writer {
    acknowledged: Acknowledged,
    /// Why appends are refused.
    failed: Option<String>,
}

impl SledLog {
    /// Opens the log in a directory, checks all of it and cuts off a torn tail.
    ///
    /// # Errors
    /// [`LogError::DirectoryInUse`], [`LogError::NotALog`],
    /// [`LogError::NewerFormat`], [`LogError::Damaged`], [`LogError::DiskFull`],
    /// [`LogError::Io`].
    pub fn open(options: SledOptions) -> Result<(Self, OpenReport), LogError> {
        let opened = open::open(&options)?;
        let log = Self {
            db: Some(opened.db),
            durable: opened.durable,
            last: watch::Sender::new(opened.report.last_position),
            writer: Mutex::new(Writer {
                acknowledged: opened.acknowledged,
                failed: None,
            }),
        };
        Ok((log, opened.report))
    }

    /// How often the data file was synced since opening.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.durable.syncs()
    }

    /// Bytes of the database on disk, with sled's own overhead.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn disk_bytes(&self) -> Result<u64, LogError> {
        guarded(|| self.db().size_on_disk())
            .map_err(|e| LogError::sled("measuring", &self.durable.path, Position::ZERO, e))
    }

    fn db(&self) -> &sled::Db {
        self.db
            .as_ref()
            .expect("it is there until the log is dropped")
    }

    fn write(&self, batches: &[Batch]) -> Result<(), LogError> {
        let path = &self.durable.path;
        let mut unsynced = 0;
        for Batch { first, value, .. } in batches {
            if unsynced + value.len() > UNSYNCED_BYTES_MAX {
                self.durable.flush(self.db(), *first)?;
                unsynced = 0;
            }
            unsynced += value.len();
            let old = guarded(|| self.db().insert(batch::key(*first), value.as_slice()))
                .map_err(|e| LogError::sled("writing", path, *first, e))?;
            if old.is_some() {
                return Err(LogError::Damaged {
                    path: path.clone(),
                    position: *first,
                    what: "there is a batch already where the next is to be written".to_owned(),
                });
            }
        }
        match batches.last() {
            Some(last) => self.durable.flush(self.db(), last.first),
            None => Ok(()),
        }
    }

    fn damaged(&self, position: Position, what: impl Into<String>) -> LogError {
        LogError::Damaged {
            path: self.durable.path.clone(),
            position,
            what: what.into(),
        }
    }
}

impl EventLog for SledLog {
    fn append(&self, units: Vec<Unit>) -> Result<Position, LogError> {
        let mut writer = self.writer.lock();
        if let Some(because) = &writer.failed {
            return Err(LogError::Closed {
                because: because.clone(),
            });
        }
        units.iter().try_for_each(Unit::check)?;
        let batches = batch::pack(self.last_position().next(), &units);
        let Some(batch) = batches.last() else {
            return Ok(self.last_position());
        };
        let last = Position(batch.first.0 + batch.records - 1);
        let written = self.write(&batches).and_then(|()| {
            let marked = writer.acknowledged.advance(last);
            marked.map_err(|e| LogError::io("marking the end of", &self.durable.path, e))
        });
        written.inspect_err(|e| writer.failed = Some(e.to_string()))?;
        self.last.send_replace(last);
        Ok(last)
    }

    fn last_position(&self) -> Position {
        *self.last.borrow()
    }

    fn read(&self, from: Position, limit: usize) -> Result<Vec<Entry>, LogError> {
        // Records that an append has written and not yet made durable are
        // behind `last`, and not for anybody to see.
        let last = self.last_position();
        let from = from.max(Position(1));
        if from > last || limit == 0 {
            return Ok(Vec::new());
        }
        let path = &self.durable.path;
        let failed = |position, e| unreadable("reading", path, position, e);
        let wanted = usize::try_from(last.0 - from.0 + 1)
            .unwrap_or(usize::MAX)
            .min(limit);
        let mut entries = Vec::with_capacity(wanted.min(4096));

        // The batch that holds `from` is the last that begins at or before it.
        let start = guarded(|| self.db().get_lt(batch::key(from.next())))
            .map_err(|e| failed(from, e))?
            .and_then(|(key, _)| <[u8; 8]>::try_from(&key[..]).ok())
            .map(|key| Position(u64::from_be_bytes(key)))
            .filter(|start| *start > Position::ZERO)
            .ok_or_else(|| self.damaged(from, "the batch that held it is gone"))?;

        let mut next = start;
        let mut items = self.db().range(batch::key(start)..);
        while entries.len() < wanted {
            let (_, value) = guarded(|| next_of(self.db(), &mut items))
                .map_err(|e| failed(next, e))?
                .filter(|(key, _)| key[..] == batch::key(next))
                .ok_or_else(|| self.damaged(next.max(from), "the batch that held it is gone"))?;
            let batch = batch::check(next, &value)
                .map_err(|invalid| self.damaged(next, invalid.to_string()))?;
            let skip = usize::try_from(from.0.saturating_sub(next.0)).unwrap_or(usize::MAX);
            let first = next.max(from);
            let records = batch.records(skip, wanted - entries.len()).zip(first.0..);
            entries.extend(records.map(|(bytes, position)| Entry {
                position: Position(position),
                bytes,
            }));
            next = Position(next.0 + batch.records);
        }
        Ok(entries)
    }

    fn watch(&self) -> watch::Receiver<Position> {
        self.last.subscribe()
    }
}

impl Drop for SledLog {
    fn drop(&mut self) {
        // sled flushes and syncs when it is dropped, and panics where that
        // fails. All that was acknowledged is durable already.
        let db = self.db.take();
        drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
    }
}

impl fmt::Debug for SledLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledLog")
            .field("path", &self.durable.path)
            .field("last_position", &self.last_position())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
