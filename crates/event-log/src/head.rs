//! The log's head: what key 0 holds. **Persisted, keep stable.**
//!
//! Positions begin at 1, so key 0 is free, is read first, and spares a second
//! tree. Value: `BAOGONGL` (8 bytes), format (4 bytes, big-endian), CRC-32C of
//! these twelve (4 bytes, big-endian). A later format may add bytes behind.

use crate::error::LogError;

const MAGIC: &[u8; 8] = b"BAOGONGL";

pub(crate) const KEY: [u8; 8] = [0; 8];

pub(crate) fn encode(format: u32) -> [u8; 16] {
    let mut head = [0; 16];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&format.to_be_bytes());
    let checksum = crc32c::crc32c(&head[..12]);
    head[12..].copy_from_slice(&checksum.to_be_bytes());
    head
}

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Current,
    Newer(u32),
    /// Not ours, or damaged.
    Unknown,
}

pub(crate) fn decode(value: &[u8]) -> Head {
    let Some(head) = value.get(..16) else {
        return Head::Unknown;
    };
    let format = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    if head != encode(format) {
        Head::Unknown
    } else if format > LogError::SUPPORTED_FORMAT {
        Head::Newer(format)
    } else {
        Head::Current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_its_format() {
        assert_eq!(decode(&encode(LogError::SUPPORTED_FORMAT)), Head::Current);
        assert_eq!(decode(&encode(9)), Head::Newer(9));
        assert_eq!(decode(&[&encode(9)[..], b"more"].concat()), Head::Newer(9));
        assert_eq!(decode(b"BAOGONGL"), Head::Unknown);
        assert_eq!(decode(b"somebody else's value"), Head::Unknown);
    }
}
