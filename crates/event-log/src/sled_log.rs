//! The event log on disk: one sled tree, one key for each batch of records.
//!
//! The layout is in `batch.rs` and `head.rs`; what durable means is in
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

use crate::batch::{self, Batch};
use crate::disk::{Durable, guarded};
use crate::open::{self, SledOptions};
use crate::report::OpenReport;
use crate::scan::{next_of, unreadable};
use crate::{Entry, EventLog, LogError, Unit};

/// Within a large group sled's file is synced at least this often: sled reuses
/// a segment of its file once what replaces its pages is written, and that must
/// also be durable by then. Half a segment is far below its safety margin.
const UNSYNCED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An open log. There is one for a directory; a second is refused.
pub struct SledLog {
    /// None only while being dropped.
    db: Option<sled::Db>,
    durable: Durable,
    last: watch::Sender<Position>,
    /// Why appends are refused. The lock makes appends take turns.
    failed: Mutex<Option<String>>,
}

impl SledLog {
    /// Opens the log in a directory, checks all of it and cuts off a torn tail.
    ///
    /// # Errors
    /// [`LogError::DirectoryInUse`], [`LogError::NotALog`],
    /// [`LogError::NewerFormat`], [`LogError::Damaged`], [`LogError::DiskFull`],
    /// [`LogError::Io`].
    pub fn open(options: SledOptions) -> Result<(Self, OpenReport), LogError> {
        let (db, durable, report) = open::open(&options)?;
        let log = Self {
            db: Some(db),
            durable,
            last: watch::Sender::new(report.last_position),
            failed: Mutex::new(None),
        };
        Ok((log, report))
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
        let mut failed = self.failed.lock();
        if let Some(because) = &*failed {
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
        self.write(&batches)
            .inspect_err(|e| *failed = Some(e.to_string()))?;
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
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, SledLog) {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = SledLog::open(SledOptions::new(dir.path())).unwrap();
        (dir, log)
    }

    fn units(count: usize, bytes: usize) -> Vec<Unit> {
        vec![Unit(vec![vec![7; bytes].into()]); count]
    }

    #[test]
    fn a_group_is_synced_once_however_many_units_and_batches_it_has() {
        let (_dir, log) = open();
        let before = log.syncs();
        for (group, (count, bytes)) in [(1, 10), (1024, 300), (20, 50_000)].into_iter().enumerate()
        {
            log.append(units(count, bytes)).unwrap();
            assert_eq!(log.syncs() - before, group as u64 + 1);
        }
        log.append(vec![]).unwrap();
        assert_eq!(log.syncs() - before, 3);
    }

    #[test]
    fn a_very_large_group_is_synced_in_between_and_acknowledged_at_its_end() {
        let (_dir, log) = open();
        let before = log.syncs();
        assert_eq!(log.append(units(150, 60_000)).unwrap(), Position(150));
        assert_eq!(log.syncs() - before, 3, "9 MB, at most 4 MiB unsynced");
    }

    #[test]
    fn the_largest_batches_never_go_to_files_of_their_own() {
        let (dir, log) = open();
        for _ in 0..40 {
            log.append(units(5, crate::RECORD_BYTES_MAX)).unwrap();
            let full = Unit(vec![vec![1; crate::UNIT_BYTES_MAX / 2 - 4].into(); 2]);
            log.append(vec![full; 5]).unwrap();
        }
        let blobs = std::fs::read_dir(dir.path().join("blobs")).unwrap();
        assert_eq!(blobs.count(), 0);
    }

    #[test]
    fn what_is_not_yet_durable_is_not_read() {
        let (_dir, log) = open();
        log.append(units(3, 10)).unwrap();
        let batches = batch::pack(Position(4), &units(2, 10));
        log.db()
            .insert(batch::key(Position(4)), batches[0].value.as_slice())
            .unwrap();
        assert_eq!(log.read(Position(1), 10).unwrap().len(), 3);
        assert_eq!(log.read(Position(4), 10).unwrap(), vec![]);
    }

    #[test]
    fn damage_is_found_on_reading_and_named() {
        let (_dir, log) = open();
        for _ in 0..3 {
            log.append(units(2, 10)).unwrap();
        }
        let key = batch::key(Position(3));
        let value = log.db().get(key).unwrap().unwrap();
        let mut changed = value.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        log.db().insert(key, changed).unwrap();
        assert_eq!(log.read(Position(1), 2).unwrap().len(), 2);
        for from in [1, 3] {
            let error = log.read(Position(from), 10).unwrap_err();
            assert!(
                matches!(
                    error,
                    LogError::Damaged {
                        position: Position(3),
                        ..
                    }
                ),
                "{error}"
            );
        }
        log.db().remove(key).unwrap();
        for (from, named) in [(1, 3), (4, 4)] {
            let error = log.read(Position(from), 10).unwrap_err();
            let LogError::Damaged { position, .. } = error else {
                panic!("{error}")
            };
            assert_eq!(position, Position(named));
        }
        assert_eq!(log.read(Position(5), 10).unwrap().len(), 2);
    }

    #[test]
    fn a_log_that_failed_takes_nothing_more_and_is_still_read() {
        let (_dir, log) = open();
        log.append(units(2, 10)).unwrap();
        let in_the_way = batch::pack(Position(3), &units(1, 10)).remove(0);
        log.db()
            .insert(batch::key(Position(3)), in_the_way.value)
            .unwrap();
        let error = log.append(units(1, 20)).unwrap_err();
        assert!(
            matches!(
                error,
                LogError::Damaged {
                    position: Position(3),
                    ..
                }
            ),
            "{error}"
        );
        let error = log.append(units(1, 20)).unwrap_err();
        assert!(matches!(error, LogError::Closed { .. }), "{error}");
        assert_eq!(log.last_position(), Position(2));
        assert_eq!(log.read(Position(1), 10).unwrap().len(), 2);
    }
}
