//! The event log on disk: one sled tree, one key for each batch of records.
//!
//! The layout is in `batch.rs`, `head.rs`, `journal.rs` and `mark.rs`; what
//! durable means is in `journal.rs` and, for sled, in `disk.rs`; what opening
//! checks is in `open.rs` and `scan.rs`. Reading checks the checksum of each
//! batch again.
//!
//! A group is acknowledged once it is synced in the journal. The settler then
//! does one `insert` for each batch, in order of position. `apply_batch` and
//! transactions are not used (they take a lock for the whole process): what
//! sled recovers after a crash is a prefix of what was written, and the journal
//! has the rest. Opening does not rely on that, it checks.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

use decider::Position;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::batch::{self, Batch};
use crate::database::Database;
use crate::disk::{Durable, guarded};
use crate::journal::Journal;
use crate::lock::Lock;
use crate::mark::Mark;
use crate::open::{self, SledOptions};
use crate::report::OpenReport;
use crate::scan::{next_of, unreadable};
use crate::scrub::Scrub;
use crate::settler::{Settler, Shared};
use crate::{Entry, EventLog, LogError, Unit};

/// An open log. There is one for a directory; a second is refused.
pub struct SledLog {
    db: Arc<Database>,
    durable: Arc<Durable>,
    last: watch::Sender<Position>,
    /// Makes appends take turns.
    writer: Mutex<Writer>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Let go when all else is closed.
    _lock: Option<Lock>,
}

struct Writer {
    journal: Journal,
    acknowledged: Mark,
    /// Why appends are refused.
    failed: Option<String>,
}

impl SledLog {
    /// Opens the log in a directory, checks its end (all of it with
    /// [`SledOptions::check_all`]), takes over what only the journal has, and
    /// cuts off a torn tail. Starts two threads, which end when it is dropped.
    ///
    /// # Errors
    /// [`LogError::DirectoryInUse`], [`LogError::NotALog`],
    /// [`LogError::NewerFormat`], [`LogError::Damaged`], [`LogError::DiskFull`],
    /// [`LogError::Io`].
    pub fn open(options: SledOptions) -> Result<(Self, OpenReport), LogError> {
        let opened = open::open(&options)?;
        let report = opened.report;
        let db = Arc::new(Database::new(opened.db, &options));
        // Without a lock of its own the log must not let go of sled's.
        let renewed_bytes = opened.lock.as_ref().map(|_| options.sled_renewed_bytes);
        let renewed_bytes = renewed_bytes.unwrap_or(usize::MAX);
        let mut log = Self {
            db: Arc::clone(&db),
            durable: Arc::new(opened.durable),
            last: watch::Sender::new(report.last_position),
            writer: Mutex::new(Writer {
                journal: opened.journal,
                acknowledged: opened.acknowledged,
                failed: None,
            }),
            shared: Arc::new(Shared::new(report.last_position)),
            threads: Vec::new(),
            _lock: opened.lock,
        };
        let settler = Settler {
            db: Arc::clone(&db),
            renewed_bytes,
            durable: Arc::clone(&log.durable),
            checked: opened.checked,
            shared: Arc::clone(&log.shared),
        };
        let scrub = Scrub {
            db,
            durable: Arc::clone(&log.durable),
            shared: Arc::clone(&log.shared),
            end: report.checked_from,
        };
        log.start("settler", || settler.run())?;
        log.start("scrub", || scrub.run())?;
        Ok((log, report))
    }

    fn start(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), LogError> {
        let thread = std::thread::Builder::new().name(format!("log-{name}"));
        let thread = thread
            .spawn(run)
            .map_err(|e| LogError::io("starting the threads of", &self.durable.path, e))?;
        self.threads.push(thread);
        Ok(())
    }

    /// How often a group was synced since opening.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.writer.lock().journal.syncs()
    }

    /// Up to where the log is durable in sled; what is behind is durable in the
    /// journal.
    #[must_use]
    pub fn settled_position(&self) -> Position {
        self.shared.settled()
    }

    /// Waits until everything that was acknowledged before is durable in sled.
    ///
    /// # Errors
    /// [`LogError::DiskFull`], [`LogError::Io`], [`LogError::Damaged`] when sled
    /// does not take it, [`LogError::Closed`] when that was reported before.
    pub fn settle(&self) -> Result<(), LogError> {
        self.shared.wait_for(self.last_position())
    }

    /// Bytes of the database on disk, with sled's own overhead, without the
    /// journal's.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn disk_bytes(&self) -> Result<u64, LogError> {
        let db = self.db.open()?;
        guarded(|| db.size_on_disk())
            .map_err(|e| LogError::sled("measuring", &self.durable.path, Position::ZERO, e))
    }

    /// Makes a group durable in the journal and hands it to the settler.
    fn write(&self, writer: &mut Writer, batches: Vec<Batch>) -> Result<(), LogError> {
        let path = &self.durable.path;
        for frame in writer.journal.frames(batches) {
            let last = frame.last().expect("no frame is empty").last();
            loop {
                let settled = self.shared.settled();
                if writer.journal.has_room(&frame, settled) {
                    break;
                }
                self.shared.wait_beyond(settled)?;
            }
            let written = writer.journal.write(&frame, last);
            written.map_err(|e| LogError::io("writing the journal of", path, e))?;
            self.shared.push(frame);
        }
        Ok(())
    }

    /// Reads from sled what is before `end`, up to `limit` records.
    fn read_settled(
        &self,
        from: Position,
        end: Position,
        limit: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<(), LogError> {
        let path = &self.durable.path;
        let failed = |position, e| unreadable("reading", path, position, e);
        let db = self.db.open()?;
        // The batch that holds `from` is the last that begins at or before it.
        let start = guarded(|| db.get_lt(batch::key(from.next())))
            .map_err(|e| failed(from, e))?
            .and_then(|(key, _)| <[u8; 8]>::try_from(&key[..]).ok())
            .map(|key| Position(u64::from_be_bytes(key)))
            .filter(|start| *start > Position::ZERO)
            .ok_or_else(|| self.damaged(from, "the batch that held it is gone"))?;

        let mut next = start;
        let mut items = db.range(batch::key(start)..);
        let wanted = entries.len().saturating_add(limit);
        while entries.len() < wanted && next < end {
            let (_, value) = guarded(|| next_of(&db, &mut items))
                .map_err(|e| failed(next, e))?
                .filter(|(key, _)| key[..] == batch::key(next))
                .ok_or_else(|| self.damaged(next.max(from), "the batch that held it is gone"))?;
            let records = take(next, &value, from, wanted - entries.len(), entries)
                .map_err(|invalid| self.damaged(next, invalid.to_string()))?;
            next = Position(next.0 + records);
        }
        Ok(())
    }

    fn damaged(&self, position: Position, what: impl Into<String>) -> LogError {
        LogError::Damaged {
            path: self.durable.path.clone(),
            position,
            what: format!("`db`: {}", what.into()),
        }
    }
}

/// Adds the records of a batch from `from` on, and says how many it has.
fn take(
    first: Position,
    value: &[u8],
    from: Position,
    limit: usize,
    entries: &mut Vec<Entry>,
) -> Result<u64, batch::Invalid> {
    let batch = batch::check(first, value)?;
    let count = batch.records;
    let skip = usize::try_from(from.0.saturating_sub(first.0)).unwrap_or(usize::MAX);
    let records = batch.records(skip, limit).zip(first.max(from).0..);
    entries.extend(records.map(|(bytes, position)| Entry {
        position: Position(position),
        bytes,
    }));
    Ok(count)
}

impl EventLog for SledLog {
    fn append(&self, units: Vec<Unit>) -> Result<Position, LogError> {
        let mut writer = self.writer.lock();
        if let Some(because) = &writer.failed {
            return Err(LogError::Closed {
                because: because.clone(),
            });
        }
        self.shared.check()?;
        units.iter().try_for_each(Unit::check)?;
        let batches = batch::pack(self.last_position().next(), &units);
        let Some(last) = batches.last().map(Batch::last) else {
            return Ok(self.last_position());
        };
        let written = self.write(&mut writer, batches).and_then(|()| {
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
        let wanted = usize::try_from(last.0 - from.0 + 1)
            .unwrap_or(usize::MAX)
            .min(limit);
        let mut entries = Vec::with_capacity(wanted.min(4096));
        while entries.len() < wanted {
            let next = Position(from.0 + entries.len() as u64);
            let missing = wanted - entries.len();
            match self.shared.pending(next, missing) {
                // What is pending may have moved on to sled meanwhile, so it is
                // looked for there up to where it was.
                Err(end) => self.read_settled(next, end, missing, &mut entries)?,
                Ok(batches) => {
                    for batch in batches {
                        let missing = wanted - entries.len();
                        take(batch.first, &batch.value, next, missing, &mut entries)
                            .map_err(|invalid| self.damaged(batch.first, invalid.to_string()))?;
                    }
                }
            }
        }
        Ok(entries)
    }

    fn watch(&self) -> watch::Receiver<Position> {
        self.last.subscribe()
    }
}

impl Drop for SledLog {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
        let settled = self.shared.settled();
        if self.shared.check().is_ok() && settled == self.last_position() {
            // Of no consequence where it fails.
            drop(self.writer.get_mut().journal.shrink());
        }
        self.db.close();
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
