//! What one command appends, and the limits on it. Both logs check the same
//! limits, so that a test on [`crate::MemoryLog`] refuses what the disk would.

use bytes::Bytes;

use crate::batch::{BATCH_BYTES_MAX, HEADER_BYTES, LENGTH_BYTES};
use crate::error::LogError;

/// Largest record. Transparency-log formats take entries below 64 KiB.
pub const RECORD_BYTES_MAX: usize = 60 * 1024;

/// Most that one command may append, as [`Unit::encoded_bytes`] counts it: the
/// records and 4 bytes for each.
pub const UNIT_BYTES_MAX: usize = BATCH_BYTES_MAX - HEADER_BYTES;

/// All records of one command, in order: after a crash all are there or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit(pub Vec<Bytes>);

impl Unit {
    /// What the unit takes of a batch.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.0
            .iter()
            .map(|record| LENGTH_BYTES + record.len())
            .sum()
    }

    /// # Errors
    /// A record or the unit is larger than a log takes.
    pub fn check(&self) -> Result<(), LogError> {
        if let Some(bytes) = self
            .0
            .iter()
            .map(Bytes::len)
            .find(|n| *n > RECORD_BYTES_MAX)
        {
            return Err(LogError::RecordTooLarge { bytes });
        }
        match self.encoded_bytes() {
            bytes if bytes > UNIT_BYTES_MAX => Err(LogError::UnitTooLarge {
                records: self.0.len(),
                bytes,
            }),
            _ => Ok(()),
        }
    }
}

impl FromIterator<Bytes> for Unit {
    fn from_iter<I: IntoIterator<Item = Bytes>>(records: I) -> Self {
        Self(records.into_iter().collect())
    }
}
