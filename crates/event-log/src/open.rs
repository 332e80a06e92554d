//! Opening the log in a directory, or making a new one.
//!
//! Opening reads and checks the batches that were written last (see `scan.rs`
//! and `checked.rs`), and takes over what only the journal has. It may write:
//! sled writes a snapshot of its page table, and a torn tail is cut off. To examine a log without changing
//! it, open a copy of the directory.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use decider::Position;

use crate::checked::{self, Checked};
use crate::disk::{Durable, guarded, sync_path};
use crate::error::LogError;
use crate::journal::{self, Journal, Recovered};
use crate::lock::{self, Lock};
use crate::mark::Mark;
use crate::report::OpenReport;
use crate::scan::{self, Scan, unreadable};
use crate::{BATCH_BYTES_MAX, acknowledged, batch, database, head, settler};

/// sled writes a leaf page above a quarter of its segment size to a file of its
/// own in `blobs/`, which it never syncs. A leaf holds up to 17 values before
/// it is split, so the quarter has to be larger than 17 batches: 8 MiB, where
/// sled's default is 512 KiB. Part of the format: sled refuses to open a
/// database with another segment size.
const SEGMENT_BYTES: usize = 8 * 1024 * 1024;
const LEAF_VALUES_MAX: usize = 17;
/// Keys, lengths and the page's own header.
const LEAF_OVERHEAD_BYTES_MAX: usize = 4096;
const _: () = assert!(
    LEAF_VALUES_MAX * BATCH_BYTES_MAX + LEAF_OVERHEAD_BYTES_MAX < SEGMENT_BYTES / 4,
    "a leaf page would go to blobs/"
);

/// Where and how to open a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledOptions {
    pub path: PathBuf,
    /// Of sled's page cache; its write buffers (about 16 MiB) come on top.
    pub cache_bytes: u64,
    /// Without it an acknowledged record survives the end of the process but
    /// not of the machine: for benchmarks and tests.
    pub sync: bool,
    /// Make a new log where there is none. Without it that is
    /// [`LogError::NotALog`], as an audit wants it.
    pub create: bool,
    /// Open the log even when acknowledged records are missing or damaged at
    /// its end: for one who then restores them from the JetStream stream. What
    /// is missing is in [`OpenReport::missing_to`]. Without it that is
    /// [`LogError::Damaged`].
    pub accept_lost_tail: bool,
    /// Check every batch before the log is open, as an audit wants it. Without
    /// it the end is checked, some 64 MiB, the rest by reading it and by the
    /// scrub in the background.
    pub check_all: bool,
    /// Size of one of the journal's 16 files, from 256 KiB to 64 MiB. All of
    /// them are how far a burst may be ahead of sled, on disk and in memory.
    pub journal_segment_bytes: usize,
    /// Size of a segment of sled's file: 8 MiB in every log, and sled refuses
    /// another. Only for tests that make thousands of logs, since sled writes a
    /// whole segment at each opening; a leaf page has to stay below a quarter.
    #[doc(hidden)]
    pub sled_segment_bytes: usize,
    /// Bytes that are put into sled before it is opened anew (see
    /// `database.rs`), 256 MiB. Only for tests that cannot write so much.
    #[doc(hidden)]
    pub sled_renewed_bytes: usize,
}

impl SledOptions {
    /// A durable log with 32 MiB of cache, made where there is none.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            cache_bytes: 32 * 1024 * 1024,
            sync: true,
            create: true,
            accept_lost_tail: false,
            check_all: false,
            journal_segment_bytes: 8 * 1024 * 1024,
            sled_segment_bytes: SEGMENT_BYTES,
            sled_renewed_bytes: database::RENEWED_BYTES,
        }
    }

    /// A log that must be there already, all of it checked.
    pub fn existing(path: impl Into<PathBuf>) -> Self {
        Self {
            create: false,
            check_all: true,
            ..Self::new(path)
        }
    }
}

/// What an open log consists of.
pub(crate) struct Opened {
    pub lock: Option<Lock>,
    pub db: sled::Db,
    pub durable: Durable,
    pub acknowledged: Mark,
    pub checked: Checked,
    pub journal: Journal,
    pub report: OpenReport,
}

pub(crate) fn open(options: &SledOptions) -> Result<Opened, LogError> {
    let started = Instant::now();
    let path = &options.path;
    let existing = path.ancestors().find(|p| p.exists()).map(Path::to_owned);
    is_ours(options)?;
    // The first of two that open a log at the same time makes the directory.
    fs::create_dir_all(path).map_err(|e| LogError::io("making", path, e))?;
    let lock = Lock::take(path)?;
    let db = open_sled(options, lock::PATIENCE)?;
    let durable = Durable::new(path, options.sync)?;

    let io = |e| LogError::io("opening", path, e);
    let journal = journal_of(path)?;
    let mark = checked::read(path).map_err(io)?;
    let reached = acknowledged::read(path).map_err(io)?;
    let reached = reached.max(mark).max(journal.last());
    let created = scan::is_new(&db, path)?;
    if created && reached == Position::ZERO && !options.create {
        return Err(not_a_log(path, "the database in it is empty"));
    }
    if created && (reached == Position::ZERO || options.accept_lost_tail || journal.covers(FIRST)) {
        guarded(|| db.insert(head::KEY, &head::encode(LogError::SUPPORTED_FORMAT)))
            .map_err(|e| LogError::sled("creating", path, Position::ZERO, e))?;
    }
    let from = if options.check_all { FIRST } else { mark };
    let start = start_of(&db, path, from)?;
    let mut scan = scan::scan(&db, path, start, &journal)?;

    // What should be behind the last intact batch, or in place of the tail.
    let next = scan.last.next();
    let reach = scan
        .tail
        .as_ref()
        .map_or(reached, |tail| reached.max(tail.last));
    let from_journal = journal.covers(next) && journal.last() >= reach;
    if scan.last < reached && !from_journal && !options.accept_lost_tail {
        return Err(scan.lost(path, reached, &journal));
    }
    let cut = match scan.tail.take() {
        Some(tail) => Some(scan::cut(&db, &durable, next, tail)?),
        None => None,
    };
    if from_journal {
        journal
            .sync()
            .map_err(|e| LogError::io("syncing", path, e))?;
        take_over(&db, &durable, &mut scan, &journal)?;
    }
    // What a killed process left in the page cache was read above as part of
    // the log: it has to be durable before it is reported as such.
    durable.flush(&db, scan.last.next())?;
    let mut acknowledged = acknowledged::open(path).map_err(io)?;
    acknowledged.advance(scan.last).map_err(io)?;
    if scan.last < reached {
        // What the marks and the journal say beyond it is not so any more.
        forget(path).map_err(io)?;
    }
    if options.sync {
        sync_names(path, existing.as_deref()).map_err(|e| LogError::io("syncing", path, e))?;
    }
    let journal_now = Journal::open(options, journal.generation, &journal.unusable);
    let (cut, repaired) = if from_journal {
        (None, cut)
    } else {
        (cut, None)
    };
    let report = OpenReport {
        path: path.clone(),
        missing_to: (scan.last < reached).then_some(reached),
        created,
        last_position: scan.last,
        checked_from: start,
        batches: scan.batches,
        bytes: scan.bytes,
        from_journal: scan.last.0 - (next.0 - 1),
        repaired,
        cut,
        duration: started.elapsed(),
    };
    Ok(Opened {
        lock,
        db,
        durable,
        acknowledged,
        checked: scan.checked.take().expect("made with the scan"),
        journal: journal_now.map_err(io)?,
        report,
    })
}

const FIRST: Position = Position(1);

fn journal_of(path: &Path) -> Result<Recovered, LogError> {
    let journal =
        Recovered::read(path).map_err(|e| LogError::io("reading the journal of", path, e))?;
    if let Some((_, found)) = journal.newer {
        return Err(LogError::NewerFormat {
            path: path.to_owned(),
            found,
            supported: LogError::SUPPORTED_FORMAT,
        });
    }
    Ok(journal)
}

/// Where the batch begins that holds `mark`; where there is none, the first.
fn start_of(db: &sled::Db, path: &Path, mark: Position) -> Result<Position, LogError> {
    let found = guarded(|| db.get_lt(batch::key(mark.next())))
        .map_err(|e| unreadable("checking", path, mark, e))?;
    let key = found.and_then(|(key, _)| <[u8; 8]>::try_from(&key[..]).ok());
    Ok(key.map_or(FIRST, |key| Position(u64::from_be_bytes(key)).max(FIRST)))
}

/// Appends to sled what only the journal has.
fn take_over(
    db: &sled::Db,
    durable: &Durable,
    scan: &mut Scan,
    journal: &Recovered,
) -> Result<(), LogError> {
    let path = &durable.path;
    let mut unsynced = 0;
    for batches in journal.batches(scan.last.next()) {
        let batches = batches.map_err(|e| LogError::io("reading the journal of", path, e))?;
        for batch in batches {
            if batch.first != scan.last.next() {
                return Err(LogError::Damaged {
                    path: path.clone(),
                    position: scan.last.next(),
                    what: format!("the journal goes on with position {}", batch.first),
                });
            }
            settler::put(db, durable, &batch)?;
            scan.take_over(&batch);
            unsynced += batch.value.len();
            if unsynced >= settler::UNSYNCED_BYTES_MAX {
                durable.flush(db, scan.last)?;
                unsynced = 0;
            }
        }
    }
    Ok(())
}

fn forget(path: &Path) -> io::Result<()> {
    let segments = journal::segments(path)?.into_iter().map(|(_, file)| file);
    for file in segments.chain([path.join(checked::NAME)]) {
        match fs::remove_file(file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn open_sled(options: &SledOptions, patience: Duration) -> Result<sled::Db, LogError> {
    let path = &options.path;
    let config = || {
        sled::Config::new()
            .path(path)
            .segment_size(options.sled_segment_bytes)
            .cache_capacity(options.cache_bytes)
            // We flush ourselves, once for each group. sled's two modes make no
            // difference in this version.
            .flush_every_ms(None)
    };
    let patience = Instant::now() + patience;
    loop {
        let opened =
            guarded(|| config().open()).map_err(|e| unreadable("opening", path, Position::ZERO, e));
        match opened {
            Err(LogError::DirectoryInUse { .. }) if Instant::now() < patience => {
                std::thread::sleep(lock::RETRY);
            }
            other => return other,
        }
    }
}

/// Refuses directories that hold something else: sled would write into them.
fn is_ours(options: &SledOptions) -> Result<(), LogError> {
    let path = &options.path;
    let failed = |e| LogError::io("opening", path, e);
    if path.join("db").is_file() {
        let mut conf = Vec::new();
        match fs::File::open(path.join("conf")) {
            Ok(file) => drop(file.take(13).read_to_end(&mut conf).map_err(failed)?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if fs::metadata(path.join("db")).map_err(failed)?.len() > 0 {
                    return Err(not_a_log(path, "sled's file `conf` is missing"));
                }
            }
            Err(e) => return Err(failed(e)),
        }
        // A crash right after creation can leave `conf` empty; sled writes it anew.
        let fresh = conf.is_empty() && options.create;
        return if conf == b"segment_size:" || fresh {
            Ok(())
        } else {
            Err(not_a_log(path, "its file `db` is not a sled database"))
        };
    }
    if !options.create {
        return Err(not_a_log(path, "there is no file `db` in it"));
    }
    if !path.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // A volume's root has `lost+found`; the others are sled's first steps.
        if !["lost+found", "blobs", "conf"]
            .iter()
            .any(|ours| name == *ours)
        {
            let why = format!("it already holds `{}`", name.to_string_lossy());
            return Err(not_a_log(path, &why));
        }
    }
    Ok(())
}

fn not_a_log(path: &Path, why: &str) -> LogError {
    LogError::NotALog {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

/// Makes the names of sled's files durable, and of the directories that are new,
/// those below `existing`.
fn sync_names(path: &Path, existing: Option<&Path>) -> io::Result<()> {
    sync_path(&path.join("conf"))?;
    sync_path(&path.join(acknowledged::NAME))?;
    for directory in path.ancestors() {
        // The last ancestor of a relative path is empty and stands for here.
        let here = directory.as_os_str().is_empty();
        sync_path(if here { Path::new(".") } else { directory })?;
        if existing == Some(directory) {
            break;
        }
    }
    Ok(())
}
