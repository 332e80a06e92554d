//! How far the log was acknowledged: a file beside sled's. **Persisted, keep
//! stable.**
//!
//! sled takes the first harmed message near the end of its file for the point
//! where a crash interrupted it, drops everything behind, and says nothing; and
//! an invalid last frame of the journal may be torn or damaged. So the last
//! acknowledged position is kept where neither goes, and opening compares.
//!
//! The file `acknowledged`, laid out as in `mark.rs`, is written after each
//! group is durable. It is not synced with each group: after a power cut it may
//! be some seconds old, but it never says more than was durable.

use std::io;
use std::path::Path;

use decider::Position;

use crate::mark::{self, Mark};

pub(crate) const NAME: &str = "acknowledged";

/// The position that the log in `path` reached at least.
pub(crate) fn read(path: &Path) -> io::Result<Position> {
    mark::read(&path.join(NAME))
}

pub(crate) fn open(path: &Path) -> io::Result<Mark> {
    Mark::open(&path.join(NAME))
}
