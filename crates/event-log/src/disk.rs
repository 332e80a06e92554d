//! Making sled's writes durable, keeping its panics from spreading, and its
//! memory within bounds.
//!
//! On Linux, sled 0.34's `flush` writes its buffer and calls `sync_file_range`,
//! which leaves the file's length and the device's own cache behind: after a
//! power cut the data can be gone (spacejam/sled#1452). A true sync happens
//! only in its periodic flush thread, which we switch off, and when it is
//! dropped. So durable here means: `flush`, then `fdatasync` on sled's data
//! file through a descriptor of our own. A sync covers the file, not the
//! descriptor, so all that sled has written is included. That one file is
//! enough because no value ever goes to sled's `blobs/` directory, which is
//! never synced: see `SEGMENT_BYTES` in `open.rs`.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use decider::Position;

use crate::error::LogError;

#[derive(Debug)]
pub(crate) struct Durable {
    pub path: PathBuf,
    data: File,
    sync: bool,
}

impl Durable {
    /// For the sled database that is open in `path`.
    pub fn new(path: &Path, sync: bool) -> Result<Self, LogError> {
        let data = File::open(path.join("db")).map_err(|e| LogError::io("opening", path, e))?;
        Ok(Self {
            path: path.to_owned(),
            data,
            sync,
        })
    }

    /// Returns once everything written to `db` so far is durable.
    pub fn flush(&self, db: &sled::Db, position: Position) -> Result<(), LogError> {
        guarded(|| db.flush()).map_err(|e| LogError::sled("writing", &self.path, position, e))?;
        if self.sync {
            self.data
                .sync_data()
                .map_err(|e| LogError::io("syncing", &self.path, e))?;
        }
        Ok(())
    }
}

/// Syncs a file or, so that the names in it are durable, a directory.
pub(crate) fn sync_path(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Runs `work` and gives sled's panics back as errors: it panics on some
/// damaged pages that it could have reported.
pub(crate) fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> sled::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(sled::Error::ReportableBug(format!("sled panicked: {text}")))
    })
}

/// Of a value, for each access to it. A leaf has 8 to 17 values, so with 8 KiB
/// each it makes about one eviction happen; with less it makes fewer, and takes
/// less room.
const BYTES_PER_ACCESS: usize = 2 * 1024;
const ACCESSES_MAX: usize = 4;

/// Makes sled's cache notice that `key` was passed in a scan.
///
/// The cache has 256 shards, and a shard evicts pages only after 64 accesses to
/// it, whatever their size: a scan, with one or two accesses to a leaf, would
/// keep the first 16,384 leaves in memory. A few more accesses while the leaf
/// is at hand cost little and keep the cache near its capacity.
pub(crate) fn passed(db: &sled::Db, key: &[u8], bytes: usize) -> sled::Result<()> {
    for _ in 0..(bytes / BYTES_PER_ACCESS).min(ACCESSES_MAX) {
        db.get(key)?;
    }
    Ok(())
}
