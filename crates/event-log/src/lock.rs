//! The directory of a log belongs to one process. sled takes care of that for
//! as long as its database is open; a log closes it for a moment now and then
//! (see `database.rs`) and must not be taken over meanwhile. So it holds a lock
//! of its own, on the directory itself, which adds no file to it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::LogError;

/// How long to try while another process holds the directory: after a restart
/// the one before may still be closing, and sled's own threads let go of its
/// file a moment after it was dropped.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
pub(crate) const RETRY: Duration = Duration::from_millis(10);

/// Until it is dropped nobody else gets it.
#[derive(Debug)]
pub(crate) struct Lock {
    _directory: File,
}

impl Lock {
    /// None where the file system has no such locks, as NFS for directories.
    ///
    /// # Errors
    /// [`LogError::DirectoryInUse`], [`LogError::Io`].
    pub fn take(path: &Path) -> Result<Option<Self>, LogError> {
        let failed = |e| LogError::io("locking", path, e);
        let directory = File::open(path).map_err(failed)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match directory.try_lock() {
                Ok(()) => {
                    return Ok(Some(Self {
                        _directory: directory,
                    }));
                }
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(RETRY);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LogError::DirectoryInUse {
                        path: path.to_owned(),
                    });
                }
                Err(TryLockError::Error(_)) => return Ok(None),
            }
        }
    }
}
