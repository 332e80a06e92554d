//! Where the records of a stream stand in an event log, and how a request was
//! answered: an index on disk, so that neither has to be kept in memory.
//!
//! It is derived. A reader of the log builds it, with a position of its own in
//! it; whoever deletes it loses time, nothing else. This is the only crate that
//! knows fjall. It knows streams, revisions and positions, not what a record
//! means, and it does not read the log.

mod error;
mod keys;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use decider::{Position, Revision, StreamId};
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, PersistMode,
    config::{BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry},
};
use tokio::sync::watch;

pub use error::IndexError;

/// Beginning of the SHA-256 of a request id.
pub type RequestKey = [u8; 16];

/// How a request was answered the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    pub digest: [u8; 16],
    pub first: Position,
    pub count: u32,
}

/// How far the index goes, and which record stands there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Last record in the index.
    pub position: Position,
    /// SHA-256 of that record's bytes; zeros where there is none.
    pub record: [u8; 32],
}

/// What the index keeps of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    pub position: Position,
    pub stream: StreamId,
    pub revision: Revision,
    /// The request that it answers; only the first record of an answer counts.
    pub request: Option<(RequestKey, Answered)>,
}

/// Memory for an index, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct IndexOptions {
    /// Blocks of tables, indexes and filters.
    pub cache_bytes: u64,
    /// What was written and is not in a table yet, for each of three keyspaces.
    pub buffer_bytes: u64,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 32 * 1024 * 1024,
            buffer_bytes: 8 * 1024 * 1024,
        }
    }
}

/// The journal may take so much of the disk.
const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Of a look for what is not there, how often a block is read in vain. Nearly
/// every request id is looked for once before it is there: with fjall's 1% the
/// cache fills with blocks that nobody wanted. Costs 14 bits for each key
/// instead of 10.
const FALSE_POSITIVES: f32 = 0.001;
/// Beside the store: something could not be read, so it is made anew.
const DAMAGED: &str = "damaged";
/// Beside the store, from [`StreamIndex::close`] to the next addition: all that
/// its journal has is in tables.
const FLUSHED: &str = "flushed";

/// The index of one partition's log.
pub struct StreamIndex {
    path: PathBuf,
    database: Database,
    heads: Keyspace,
    records: Keyspace,
    requests: Keyspace,
    meta: Keyspace,
    mark: watch::Sender<Mark>,
    /// Whether there is a file [`FLUSHED`].
    flushed: AtomicBool,
}

impl std::fmt::Debug for StreamIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamIndex")
            .field("path", &self.path)
            .field("mark", &*self.mark.borrow())
            .finish_non_exhaustive()
    }
}

impl StreamIndex {
    /// Opens the index in a folder, an empty one where there is none. One that
    /// is damaged, of another format, or of another log is removed first and
    /// that is said in the log: `fits` tells whether the log has the mark's
    /// record at the mark's position.
    ///
    /// # Errors
    /// The folder cannot be written, or another process has it open.
    pub fn open(
        path: &Path,
        options: IndexOptions,
        fits: impl FnOnce(Mark) -> bool,
    ) -> Result<Self, IndexError> {
        let why = match Self::open_as_it_is(path, options) {
            Ok(Some(index)) => {
                let mark = index.mark();
                if mark == Mark::default() || fits(mark) {
                    return Ok(index);
                }
                format!(
                    "the log has another record at position {}, or none",
                    mark.position
                )
            }
            Ok(None) => "it is of another format, or was found damaged".to_owned(),
            Err(IndexError::Store { error, .. }) if is_locked(&*error) => {
                return Err(IndexError::Store {
                    doing: "opening",
                    path: path.to_owned(),
                    error,
                });
            }
            Err(error) => match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        };
        tracing::warn!(index = %path.display(), why, "the stream index is made anew");
        fs::remove_dir_all(path).map_err(IndexError::io("removing", path))?;
        Self::open_as_it_is(path, options)?.ok_or_else(|| IndexError::Damaged {
            path: path.to_owned(),
            what: "a new index",
        })
    }

    /// None where it cannot be used.
    fn open_as_it_is(path: &Path, options: IndexOptions) -> Result<Option<Self>, IndexError> {
        if path.join(DAMAGED).exists() {
            return Ok(None);
        }
        let flushed = path.join(FLUSHED).exists();
        if flushed {
            empty_journal(path).map_err(IndexError::io("emptying the journal of", path))?;
        }
        let failed = |doing| IndexError::store(doing, path);
        let database = Database::builder(path)
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .worker_threads(1)
            .open()
            .map_err(failed("opening"))?;
        let keyspace = |name| {
            let filter = BloomConstructionPolicy::FalsePositiveRate(FALSE_POSITIVES);
            let configured = || {
                KeyspaceCreateOptions::default()
                    .max_memtable_size(options.buffer_bytes)
                    .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(filter)))
            };
            database
                .keyspace(name, configured)
                .map_err(failed("opening"))
        };
        let meta = keyspace("meta")?;
        let mark = match meta.get(keys::MARK).map_err(failed("reading"))? {
            None => Mark::default(),
            Some(value) => match keys::read_mark(&value) {
                None => return Ok(None),
                Some(mark) => mark,
            },
        };
        Ok(Some(Self {
            path: path.to_owned(),
            heads: keyspace("heads")?,
            records: keyspace("records")?,
            requests: keyspace("requests")?,
            meta,
            mark: watch::Sender::new(mark),
            flushed: AtomicBool::new(flushed),
            database,
        }))
    }

    #[must_use]
    pub fn mark(&self) -> Mark {
        *self.mark.borrow()
    }

    /// Last record in the index.
    #[must_use]
    pub fn position(&self) -> Position {
        self.mark.borrow().position
    }

    /// Follows how far the index goes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Mark> {
        self.mark.subscribe()
    }

    /// Last revision of a stream in the index; 0 where it has none.
    ///
    /// # Errors
    /// The disk cannot be read, or what is there makes no sense. The index is
    /// then made anew when it is opened next.
    pub fn revision(&self, stream: &StreamId) -> Result<Revision, IndexError> {
        let value = self.get(&self.heads, stream.as_str().as_bytes())?;
        let Some(value) = value else {
            return Ok(Revision::ZERO);
        };
        let revision = keys::number(&value).ok_or_else(|| self.damaged("a revision"))?;
        Ok(Revision(revision))
    }

    /// How a request was answered; none where it was not.
    ///
    /// # Errors
    /// As [`Self::revision`].
    pub fn answered(&self, key: &RequestKey) -> Result<Option<Answered>, IndexError> {
        let Some(value) = self.get(&self.requests, key)? else {
            return Ok(None);
        };
        let answered = keys::read_answered(&value);
        answered.map(Some).ok_or_else(|| self.damaged("an answer"))
    }

    /// Positions of a stream's records from a revision on (0 is read as 1), in
    /// order, at most `limit`.
    ///
    /// # Errors
    /// As [`Self::revision`].
    pub fn positions(
        &self,
        stream: &StreamId,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<Position>, IndexError> {
        let first = keys::record(stream, from);
        let last = keys::record(stream, Revision(u64::MAX));
        self.records
            .range(first..=last)
            .take(limit)
            .map(|guard| {
                let value = guard.value().map_err(|error| self.unreadable(error))?;
                let position = keys::number(&value).ok_or_else(|| self.damaged("a position"))?;
                Ok(Position(position))
            })
            .collect()
    }

    /// Adds the records that follow, all or none, and moves the mark.
    ///
    /// # Errors
    /// A revision does not continue its stream, or the disk cannot be read or
    /// written.
    ///
    /// # Panics
    /// The mark does not move on.
    pub fn apply(&self, records: &[Indexed], mark: Mark) -> Result<(), IndexError> {
        assert!(mark.position > self.position(), "the index only moves on");
        if self.flushed.load(Ordering::Relaxed) {
            let failed = IndexError::io("writing", &self.path);
            remove_durably(&self.path, FLUSHED).map_err(failed)?;
            self.flushed.store(false, Ordering::Relaxed);
        }
        let mut heads: HashMap<&StreamId, Revision> = HashMap::new();
        let mut requests = HashMap::new();
        let mut batch = self.database.batch();
        for record in records {
            let head = match heads.get(&record.stream) {
                Some(head) => *head,
                None => self.revision(&record.stream)?,
            };
            if record.revision != head.next() {
                return Err(IndexError::RevisionGap {
                    position: record.position,
                    stream: record.stream.clone(),
                    expected: head.next(),
                    found: record.revision,
                });
            }
            heads.insert(&record.stream, record.revision);
            let key = keys::record(&record.stream, record.revision);
            batch.insert(&self.records, key, record.position.0.to_be_bytes());
            if let Some((key, answered)) = &record.request
                && !requests.contains_key(key)
                && self.answered(key)?.is_none()
            {
                requests.insert(*key, *answered);
            }
        }
        for (stream, revision) in heads {
            let value = revision.0.to_be_bytes();
            batch.insert(&self.heads, stream.as_str().as_bytes(), value);
        }
        for (key, answered) in requests {
            batch.insert(&self.requests, key, keys::answered(&answered));
        }
        batch.insert(&self.meta, keys::MARK, keys::mark(&mark));
        let failed = IndexError::store("writing", &self.path);
        batch.commit().map_err(failed)?;
        self.mark.send_replace(mark);
        Ok(())
    }

    /// Brings all that was added to the disk.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn sync(&self) -> Result<(), IndexError> {
        let failed = IndexError::store("syncing", &self.path);
        self.database.persist(PersistMode::SyncAll).map_err(failed)
    }

    /// Writes what is in memory into tables: memory is free, and the next
    /// opening has no journal to read.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn flush(&self) -> Result<(), IndexError> {
        for keyspace in [&self.heads, &self.records, &self.requests, &self.meta] {
            let failed = IndexError::store("writing", &self.path);
            keyspace.rotate_memtable_and_wait().map_err(failed)?;
        }
        Ok(())
    }

    /// As [`Self::flush`], and lets the next opening know of it: it reads
    /// nothing then. Whoever adds something afterwards takes that back.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn close(&self) -> Result<(), IndexError> {
        if self.flushed.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.flush()?;
        self.sync()?;
        let failed = |e| IndexError::io("writing", &self.path)(e);
        let file = fs::File::create(self.path.join(FLUSHED)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        sync_folder(&self.path).map_err(failed)?;
        self.flushed.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn get(&self, keyspace: &Keyspace, key: &[u8]) -> Result<Option<fjall::Slice>, IndexError> {
        keyspace.get(key).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: fjall::Error) -> IndexError {
        self.distrust();
        IndexError::store("reading", &self.path)(error)
    }

    fn damaged(&self, what: &'static str) -> IndexError {
        self.distrust();
        IndexError::Damaged {
            path: self.path.clone(),
            what,
        }
    }

    /// Makes sure that the index is made anew when it is opened next.
    fn distrust(&self) {
        if let Err(error) = fs::write(self.path.join(DAMAGED), "") {
            tracing::warn!(
                %error,
                index = %self.path.display(),
                "the index is damaged and could not be marked so; remove it"
            );
        }
    }
}

/// fjall reads its journal to the end when it is opened, one call of the system
/// for each entry, and skips what is in tables. The files stay, empty: from
/// their being there it knows that it was open before.
fn empty_journal(path: &Path) -> io::Result<()> {
    // Whoever has the store open may be adding to it: then opening is refused.
    let lock = fs::File::open(path.join("lock"))?;
    if lock.try_lock().is_err() {
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "jnl") {
            fs::File::options().write(true).open(&file)?.set_len(0)?;
        }
    }
    Ok(())
}

/// So that it does not come back with a power cut.
fn remove_durably(path: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(path.join(name)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => sync_folder(path),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

fn is_locked(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    match error.downcast_ref::<fjall::Error>() {
        Some(fjall::Error::Locked) => true,
        Some(fjall::Error::Io(error)) => error.kind() == io::ErrorKind::WouldBlock,
        _ => false,
    }
}
