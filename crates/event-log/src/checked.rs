//! How far the log was checked: a file beside sled's. **Persisted, keep
//! stable.**
//!
//! The file `checked` has the layout of `acknowledged` (see there). Everything
//! up to its position was read and found good, or was written and synced, and
//! at least [`RECHECKED_BYTES`] of batches lie behind it: opening begins to
//! check there. Every read still checks its batch, and the scrub (`scrub.rs`)
//! goes over what opening has left out. A file that is missing or torn says
//! nothing: then opening checks all.

use std::io;
use std::path::Path;

use decider::Position;

use crate::mark::{self, Mark};

pub(crate) const NAME: &str = "checked";

/// The end of the log that opening always checks, at least; at most twice that.
const RECHECKED_BYTES: u64 = 32 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Checked {
    mark: Mark,
    older: Position,
    newer: Position,
    bytes: u64,
}

pub(crate) fn read(path: &Path) -> io::Result<Position> {
    mark::read(&path.join(NAME))
}

impl Checked {
    /// For a log that is good up to `from`; `position` may say less.
    pub fn new(path: &Path, from: Position) -> io::Result<Self> {
        Ok(Self {
            mark: Mark::open(&path.join(NAME))?,
            older: from,
            newer: from,
            bytes: 0,
        })
    }

    /// A batch of so many bytes that ends at `last` is good.
    pub fn passed(&mut self, last: Position, bytes: u64) {
        self.bytes += bytes;
        if self.bytes >= RECHECKED_BYTES {
            (self.older, self.newer, self.bytes) = (self.newer, last, 0);
        }
    }

    /// Writes the mark. All that was passed is durable.
    pub fn write(&mut self) -> io::Result<()> {
        self.mark.advance(self.older)
    }
}
