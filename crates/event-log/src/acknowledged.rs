//! How far the log was acknowledged: a file beside sled's. **Persisted, keep
//! stable.**
//!
//! sled takes the first harmed message near the end of its file for the point
//! where a crash interrupted it, drops everything behind, and says nothing. So
//! the last acknowledged position is kept where sled does not go, and opening
//! compares.
//!
//! The file `acknowledged`: position (8 bytes, big-endian), CRC-32C of these
//! (4 bytes, big-endian), overwritten in place after each group is durable. It
//! is not synced with each group: after a power cut it may be some seconds old,
//! but it never says more than was durable. A file that is missing or torn says
//! nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use decider::Position;

pub(crate) const NAME: &str = "acknowledged";

#[derive(Debug)]
pub(crate) struct Acknowledged {
    file: File,
    position: Position,
}

fn encode(position: Position) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&position.0.to_be_bytes());
    let checksum = crc32c::crc32c(&bytes[..8]);
    bytes[8..].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The position that the log in `path` reached at least.
pub(crate) fn read(path: &Path) -> io::Result<Position> {
    let bytes = match fs::read(path.join(NAME)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Position::ZERO),
        other => other?,
    };
    let number = bytes
        .iter()
        .take(8)
        .fold(0, |n, byte| n << 8 | u64::from(*byte));
    let position = Position(number);
    Ok(if bytes == encode(position) {
        position
    } else {
        Position::ZERO
    })
}

impl Acknowledged {
    pub fn open(path: &Path) -> io::Result<Self> {
        let position = read(path)?;
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(NAME))?;
        Ok(Self { file, position })
    }

    /// Everything up to `position` is durable. Never goes back.
    pub fn advance(&mut self, position: Position) -> io::Result<()> {
        if position > self.position {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&encode(position))?;
            self.position = position;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_goes_forward_only_and_a_torn_one_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), Position::ZERO);
        for (position, kept) in [(258, 258), (7, 258), (259, 259)] {
            let mut mark = Acknowledged::open(dir.path()).unwrap();
            mark.advance(Position(position)).unwrap();
            assert_eq!(read(dir.path()).unwrap(), Position(kept));
        }
        let bytes = fs::read(dir.path().join(NAME)).unwrap();
        assert_eq!(bytes[..8], [0, 0, 0, 0, 0, 0, 1, 3]);
        fs::write(dir.path().join(NAME), &bytes[..11]).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Position::ZERO);
    }
}
