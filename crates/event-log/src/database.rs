//! sled's database, closed and opened again from time to time while the log is
//! in use.
//!
//! sled finds its pages by a table that it writes when it is opened, and at no
//! other time. Opening reads all that was written to its file since then: after
//! a long life that is the whole file, 12 s for ten million records. So the
//! settler opens it anew after every [`RENEWED_BYTES`]; a start has no more than
//! that to read, also after a crash.
//!
//! Meanwhile appends go on, into the journal. Whoever reads from sled waits.

use std::time::Duration;

use decider::Position;
use parking_lot::{RwLock, RwLockReadGuard};

use crate::disk::guarded;
use crate::error::LogError;
use crate::open::{self, SledOptions};
use crate::scan::unreadable;

/// Bytes of batches that are put into sled between two openings.
pub(crate) const RENEWED_BYTES: usize = 256 * 1024 * 1024;

/// How long to try while sled's own threads still hold what was closed: a
/// moment, but on a machine that has no time for them it can be a long one. It
/// is nobody else who holds it, since the log has a lock of its own.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of one log; there is no other handle of it.
pub(crate) struct Database {
    /// None once it was closed, or could not be opened again.
    db: RwLock<Option<sled::Db>>,
    options: SledOptions,
}

/// Keeps it open.
pub(crate) struct Open<'a>(RwLockReadGuard<'a, Option<sled::Db>>);

impl std::ops::Deref for Open<'_> {
    type Target = sled::Db;

    fn deref(&self) -> &sled::Db {
        self.0.as_ref().expect("looked at where it was made")
    }
}

impl Database {
    pub fn new(db: sled::Db, options: &SledOptions) -> Self {
        Self {
            db: RwLock::new(Some(db)),
            options: options.clone(),
        }
    }

    /// The database, which is not closed before the result is dropped. A thread
    /// must not ask twice: it might wait for itself.
    ///
    /// # Errors
    /// [`LogError::Closed`].
    pub fn open(&self) -> Result<Open<'_>, LogError> {
        let db = self.db.read();
        if db.is_none() {
            return Err(LogError::Closed {
                because: "sled's database was closed and could not be opened again".to_owned(),
            });
        }
        Ok(Open(db))
    }

    /// Closes it and opens it again, and makes sure that it still ends with the
    /// same batch. All of it must be durable.
    ///
    /// # Errors
    /// It cannot be read or opened. It is closed then.
    pub fn renew(&self) -> Result<(), LogError> {
        let path = &self.options.path;
        let mut place = self.db.write();
        let Some(db) = place.take() else {
            return Ok(());
        };
        let failed = |e| unreadable("opening again", path, Position::ZERO, e);
        let end = guarded(|| db.last()).map_err(failed)?;
        close(db);
        let db = open::open_sled(&self.options, PATIENCE)?;
        if guarded(|| db.last()).map_err(failed)? != end {
            let key = end.and_then(|(key, _)| <[u8; 8]>::try_from(&key[..]).ok());
            let position = key.map_or(Position::ZERO, |key| Position(u64::from_be_bytes(key)));
            return Err(LogError::Damaged {
                path: path.clone(),
                position,
                what: "`db` does not end with the same batch after it was opened again".to_owned(),
            });
        }
        *place = Some(db);
        Ok(())
    }

    /// Waits for those who have it open.
    pub fn close(&self) {
        if let Some(db) = self.db.write().take() {
            close(db);
        }
    }
}

/// sled flushes and syncs when it is dropped, and panics where that fails. All
/// that was acknowledged is durable already.
fn close(db: sled::Db) {
    drop(guarded(|| {
        drop(db);
        Ok(())
    }));
}
