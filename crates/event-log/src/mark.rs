//! A position in a small file of its own. **Persisted, keep stable.**
//!
//! Position (8 bytes, big-endian), CRC-32C of these (4 bytes, big-endian),
//! overwritten in place. A file that is missing or torn says nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use decider::Position;

#[derive(Debug)]
pub(crate) struct Mark {
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

/// The position in a file; zero when it says nothing.
pub(crate) fn read(file: &Path) -> io::Result<Position> {
    let bytes = match fs::read(file) {
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

impl Mark {
    pub fn open(file: &Path) -> io::Result<Self> {
        let position = read(file)?;
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(file)?;
        Ok(Self { file, position })
    }

    /// Writes a position that lies behind the one before. Never goes back.
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
        let file = dir.path().join("mark");
        assert_eq!(read(&file).unwrap(), Position::ZERO);
        for (position, kept) in [(258, 258), (7, 258), (259, 259)] {
            let mut mark = Mark::open(&file).unwrap();
            mark.advance(Position(position)).unwrap();
            assert_eq!(read(&file).unwrap(), Position(kept));
        }
        let bytes = fs::read(&file).unwrap();
        assert_eq!(bytes[..8], [0, 0, 0, 0, 0, 0, 1, 3]);
        fs::write(&file, &bytes[..11]).unwrap();
        assert_eq!(read(&file).unwrap(), Position::ZERO);
    }
}
