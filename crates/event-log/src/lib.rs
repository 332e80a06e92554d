//! The event log of one service partition: append groups of records durably,
//! read them back from a position, follow them.
//!
//! This is the only crate that knows sled. It knows bytes and positions, not
//! what a record means; it performs file I/O and nothing else. Derived data
//! (indexes, read models) does not belong here: it is built by readers with a
//! position of their own.
//!
//! An append is durable in a journal first, and settles in sled a little later:
//! `journal.rs` and `settler.rs`.
//!
//! [`SledLog`] keeps the log on disk, [`MemoryLog`] is its twin for tests; one
//! contract suite runs against both. [`subscribe`] gives a reader everything
//! that is recorded and then what is recorded later.

mod acknowledged;
mod batch;
mod checked;
mod database;
mod disk;
mod error;
mod head;
mod journal;
mod lock;
mod mark;
mod memory_log;
mod open;
mod report;
mod scan;
mod scrub;
mod settler;
mod sled_log;
mod subscription;
mod unit;

use bytes::Bytes;
use decider::Position;

pub use batch::BATCH_BYTES_MAX;
pub use error::LogError;
pub use memory_log::MemoryLog;
pub use open::SledOptions;
pub use report::{Cut, OpenReport};
pub use sled_log::SledLog;
pub use subscription::{CHUNK_RECORDS, Subscription, subscribe};
pub use unit::{RECORD_BYTES_MAX, UNIT_BYTES_MAX, Unit};

/// A record at its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub position: Position,
    /// The encoded record. Shares memory with its neighbours, up to
    /// [`BATCH_BYTES_MAX`]: copy what is to be kept for long.
    pub bytes: Bytes,
}

/// An append-only sequence of records with gapless positions from 1.
///
/// All methods block on the disk for up to some tens of milliseconds; call
/// `append` from the partition's own thread or through `spawn_blocking`.
pub trait EventLog: Send + Sync + std::fmt::Debug + 'static {
    /// Appends the units as one group, with positions from
    /// `last_position() + 1`, and returns the new last position once all of it
    /// is durable. No records at all: nothing happens.
    ///
    /// # Errors
    /// [`LogError::RecordTooLarge`] and [`LogError::UnitTooLarge`] are found
    /// before anything is written and leave the log usable. After any other
    /// error every later append is refused with [`LogError::Closed`]: what of
    /// the group is on disk is known only after opening the log again. It was
    /// not acknowledged, but whole units of it, from the first on, may be there.
    fn append(&self, units: Vec<Unit>) -> Result<Position, LogError>;

    /// Last durable position; [`Position::ZERO`] when the log is empty.
    fn last_position(&self) -> Position;

    /// Durable records from `from` (1-based; 0 is read as 1), at most `limit`,
    /// in order. Empty only when `from` is past the end or `limit` is 0.
    ///
    /// # Errors
    /// [`LogError::Damaged`] names the first position that cannot be read;
    /// nothing is ever skipped.
    fn read(&self, from: Position, limit: usize) -> Result<Vec<Entry>, LogError>;

    /// Follows the last durable position.
    fn watch(&self) -> tokio::sync::watch::Receiver<Position>;
}
