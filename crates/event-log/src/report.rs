//! What opening a log found and did.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use decider::Position;

/// For the service's start message: one line by `Display`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    pub path: PathBuf,
    /// There was no log before.
    pub created: bool,
    pub last_position: Position,
    /// Where the check began; what is before was checked earlier.
    pub checked_from: Position,
    /// Keys that were checked.
    pub batches: u64,
    /// Size of these, before sled's own overhead.
    pub bytes: u64,
    /// Records that only the journal had. Their number depends on how the
    /// process before ended, and says nothing of its health.
    pub from_journal: u64,
    /// A damaged end of the database that was replaced from the journal.
    pub repaired: Option<Cut>,
    /// Acknowledged records are missing from behind `last_position` up to here;
    /// only with [`crate::SledOptions::accept_lost_tail`].
    pub missing_to: Option<Position>,
    pub cut: Option<Cut>,
    pub duration: Duration,
}

/// A torn tail that was taken off the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Where the cut begins: the next record will have this position.
    pub first_position: Position,
    /// Keys that were taken off, and the size of their values.
    pub batches: u64,
    pub bytes: u64,
    pub why: String,
    /// The file that keeps what was taken off, as `scan.rs` describes.
    pub kept_in: PathBuf,
}

impl fmt::Display for OpenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.created {
            write!(f, "new event log in {path}")?;
        } else {
            write!(
                f,
                "event log in {path}: {} records in {} batches, {} KiB, checked in {} ms",
                self.last_position.0 - (self.checked_from.0 - 1),
                self.batches,
                self.bytes.div_ceil(1024),
                self.duration.as_millis(),
            )?;
            if self.checked_from > Position(1) {
                write!(f, ", from position {} on", self.checked_from)?;
            }
        }
        if self.from_journal > 0 {
            write!(f, "; {} records from the journal", self.from_journal)?;
        }
        if let Some(cut) = &self.repaired {
            write!(f, "; REPAIRED from the journal: {cut}")?;
        }
        if let Some(last) = self.missing_to {
            let first = self.last_position.next();
            write!(
                f,
                "; acknowledged records MISSING: positions {first} to {last}"
            )?;
        }
        if let Some(cut) = &self.cut {
            write!(f, "; {cut}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "torn tail cut off from position {}: {} batches of {} bytes, kept in {} ({})",
            self.first_position,
            self.batches,
            self.bytes,
            self.kept_in.display(),
            self.why,
        )
    }
}
