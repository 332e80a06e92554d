//! Opening the log in a directory, or making a new one.
//!
//! Opening reads and checks every batch (see `scan.rs`), which takes about as
//! long as the replay that follows. It may write: sled writes a snapshot of its
//! page table, and a torn tail is cut off. To examine a log without changing
//! it, open a copy of the directory.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use decider::Position;

use crate::acknowledged::{self, Acknowledged};
use crate::disk::{Durable, guarded, sync_path};
use crate::error::LogError;
use crate::report::OpenReport;
use crate::scan::{self, unreadable};
use crate::{BATCH_BYTES_MAX, head};

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

/// How long to try while another process holds the directory: after a restart
/// the one before may still be closing, and sled's own threads let go of the
/// files a moment after it was dropped.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_RETRY: Duration = Duration::from_millis(10);

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
        }
    }

    /// A log that must be there already.
    pub fn existing(path: impl Into<PathBuf>) -> Self {
        Self {
            create: false,
            ..Self::new(path)
        }
    }
}

/// What an open log consists of.
pub(crate) struct Opened {
    pub db: sled::Db,
    pub durable: Durable,
    pub acknowledged: Acknowledged,
    pub report: OpenReport,
}

pub(crate) fn open(options: &SledOptions) -> Result<Opened, LogError> {
    let started = Instant::now();
    let path = &options.path;
    let existing = path.ancestors().find(|p| p.exists()).map(Path::to_owned);
    is_ours(options)?;
    let db = open_sled(options)?;
    let durable = Durable::new(path, options.sync)?;

    let io = |e| LogError::io("opening", path, e);
    let reached = acknowledged::read(path).map_err(io)?;
    let created = scan::is_new(&db, path)?;
    if created && (reached == Position::ZERO || options.accept_lost_tail) {
        if !options.create {
            return Err(not_a_log(path, "the database in it is empty"));
        }
        guarded(|| db.insert(head::KEY, &head::encode(LogError::SUPPORTED_FORMAT)))
            .map_err(|e| LogError::sled("creating", path, Position::ZERO, e))?;
    }
    let mut scan = scan::scan(&db, path)?;
    if scan.last < reached && !options.accept_lost_tail {
        return Err(scan.lost(path, reached));
    }
    let cut = match scan.tail.take() {
        Some(tail) => Some(scan::cut(&db, &durable, scan.last.next(), tail)?),
        None => None,
    };
    // What a killed process left in the page cache was read above as part of
    // the log: it has to be durable before it is reported as such.
    durable.flush(&db, scan.last.next())?;
    let mut acknowledged = Acknowledged::open(path).map_err(io)?;
    acknowledged.advance(scan.last).map_err(io)?;
    if options.sync {
        sync_names(path, existing.as_deref()).map_err(|e| LogError::io("syncing", path, e))?;
    }
    let report = OpenReport {
        path: path.clone(),
        missing_to: (scan.last < reached).then_some(reached),
        created,
        last_position: scan.last,
        batches: scan.batches,
        bytes: scan.bytes,
        cut,
        duration: started.elapsed(),
    };
    Ok(Opened {
        db,
        durable,
        acknowledged,
        report,
    })
}

fn open_sled(options: &SledOptions) -> Result<sled::Db, LogError> {
    let path = &options.path;
    let config = || {
        sled::Config::new()
            .path(path)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(options.cache_bytes)
            // We flush ourselves, once for each group. sled's two modes make no
            // difference in this version.
            .flush_every_ms(None)
    };
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        let opened =
            guarded(|| config().open()).map_err(|e| unreadable("opening", path, Position::ZERO, e));
        match opened {
            Err(LogError::DirectoryInUse { .. }) if Instant::now() < patience => {
                std::thread::sleep(LOCK_RETRY);
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
