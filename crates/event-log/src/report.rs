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
    /// Keys, all of them checked.
    pub batches: u64,
    /// Size of all batches, before sled's own overhead.
    pub bytes: u64,
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
                self.last_position,
                self.batches,
                self.bytes.div_ceil(1024),
                self.duration.as_millis(),
            )?;
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
