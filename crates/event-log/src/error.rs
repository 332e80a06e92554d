//! What can go wrong with an event log, for the person who must act on it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use decider::Position;

use crate::batch;
use crate::unit::{RECORD_BYTES_MAX, UNIT_BYTES_MAX};

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "the event log in {} is in use by another process: stop the service that has it open, \
         or work on a copy of the directory", path.display()
    )]
    DirectoryInUse { path: PathBuf },

    #[error(
        "no room to write the event log in {}: free disk space, quota or file size limit, then \
         start the service again; nothing that was acknowledged is lost", path.display()
    )]
    DiskFull { path: PathBuf, source: io::Error },

    #[error(
        "the event log in {} has format {found}, this version reads up to format {supported}: \
         use the newer version of the service that wrote it", path.display()
    )]
    NewerFormat {
        path: PathBuf,
        found: u32,
        supported: u32,
    },

    #[error("{} is not an event log: {why}", path.display())]
    NotALog { path: PathBuf, why: String },

    /// `position` is the first that cannot be relied on; [`Position::ZERO`]
    /// where the damage is not in a place that has one.
    #[error(
        "the event log in {} is damaged{}: {what}; keep the directory for examination and \
         restore the log from its JetStream stream into an empty one",
        path.display(), At(*position)
    )]
    Damaged {
        path: PathBuf,
        position: Position,
        what: String,
    },

    #[error("a record of {bytes} bytes was refused: at most {RECORD_BYTES_MAX} are taken")]
    RecordTooLarge { bytes: usize },

    #[error(
        "a command's {records} records of {bytes} bytes in all were refused: at most \
         {UNIT_BYTES_MAX} bytes are taken at once, do it in several commands"
    )]
    UnitTooLarge { records: usize, bytes: usize },

    #[error(
        "the event log takes no more records since an append failed ({because}): stop the \
         process and start it again, it goes on from what is on disk"
    )]
    Closed { because: String },

    #[error("{doing} the event log in {} failed", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

struct At(Position);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Position::ZERO => Ok(()),
            position => write!(f, " at position {position}"),
        }
    }
}

impl LogError {
    /// The newest format that this version reads and writes.
    pub const SUPPORTED_FORMAT: u32 = batch::FORMAT as u32;

    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let path = path.to_owned();
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::DiskFull { path, source },
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }

    /// `position` is where the work was when sled failed.
    pub(crate) fn sled(
        doing: &'static str,
        path: &Path,
        position: Position,
        error: sled::Error,
    ) -> Self {
        match error {
            // sled has no variant for it; the text is that of the pinned version.
            sled::Error::Io(e) if e.to_string().starts_with("could not acquire lock") => {
                Self::DirectoryInUse {
                    path: path.to_owned(),
                }
            }
            sled::Error::Io(e) => Self::io(doing, path, e),
            sled::Error::Unsupported(why) => Self::NotALog {
                path: path.to_owned(),
                why,
            },
            sled::Error::Corruption { .. } => Self::Damaged {
                path: path.to_owned(),
                position,
                what: "a page of the database below it has a wrong checksum".to_owned(),
            },
            other => Self::io(doing, path, io::Error::other(other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let path = Path::new("/var/lib/order");
        for errno in [28, 122, 27] {
            let error = LogError::io("writing", path, io::Error::from_raw_os_error(errno));
            assert!(matches!(error, LogError::DiskFull { .. }), "{error}");
        }
        let error = LogError::io("writing", path, io::Error::from_raw_os_error(5));
        assert_eq!(
            error.to_string(),
            "writing the event log in /var/lib/order failed"
        );
    }

    #[test]
    fn an_error_of_sleds_own_threads_keeps_its_kind() {
        // sled hands on a copy, which has the kind but not the number.
        let copy = io::Error::new(io::Error::from_raw_os_error(28).kind(), "Os { code: 28 }");
        let error = LogError::sled("writing", Path::new("x"), Position(1), copy.into());
        assert!(matches!(error, LogError::DiskFull { .. }), "{error}");
    }
}
