//! Bytes of very many small things, one behind the other: where a state keeps
//! what it must remember and seldom looks at, without a pointer and an
//! allocation for each.
//!
//! What is on a shelf is found by its [`Place`] alone. Nothing is taken away;
//! what is replaced by something longer leaves a gap, which is gone when the
//! state is written and read again.

use std::{fmt, sync::Arc};

use crate::packed::{number_bytes, put_bytes, take_bytes};

/// Things begin at multiples of this; so a slightly longer one often fits in
/// the place of the one before.
const UNIT_BYTES: usize = 4;
/// Bytes that are allocated at once.
const BLOCK_BYTES: usize = 1 << 20;
const BLOCK_UNITS: usize = BLOCK_BYTES / UNIT_BYTES;

/// Where something stands on its shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u32);

/// Up to 16 GiB of bytes, in pieces below 1 MiB. A copy takes no time to speak
/// of: its blocks are shared for as long as neither changes them.
#[derive(Default, Clone)]
pub struct Shelf {
    blocks: Vec<Arc<Vec<u8>>>,
}

impl Shelf {
    /// None where it is longer than a piece may be, or the shelf is full.
    pub fn put(&mut self, bytes: &[u8]) -> Option<Place> {
        let length = entry_bytes(bytes);
        if length > BLOCK_BYTES {
            return None;
        }
        let fits = |block: &Arc<Vec<u8>>| block.len() + length <= BLOCK_BYTES;
        if !self.blocks.last().is_some_and(fits) {
            // The first block grows: most shelves stay nearly empty.
            let room = if self.blocks.is_empty() {
                0
            } else {
                BLOCK_BYTES
            };
            self.blocks.push(Arc::new(Vec::with_capacity(room)));
        }
        let number = self.blocks.len() - 1;
        let block = Arc::make_mut(self.blocks.last_mut()?);
        let place = u32::try_from(number * BLOCK_UNITS + block.len() / UNIT_BYTES).ok()?;
        let end = block.len() + length;
        put_bytes(block, bytes);
        block.resize(end, 0);
        Some(Place(place))
    }

    /// Puts it where something else is, or elsewhere where there is no room.
    ///
    /// # Panics
    /// The place is another shelf's.
    pub fn replace(&mut self, place: Place, bytes: &[u8]) -> Option<Place> {
        let length = entry_bytes(bytes);
        if length > entry_bytes(self.get(place)) {
            return self.put(bytes);
        }
        let (block, at) = split(place);
        let block = Arc::make_mut(&mut self.blocks[block]);
        let place_bytes = &mut block[at..at + length];
        let (number, behind) = place_bytes.split_at_mut(number_bytes(bytes.len() as u64));
        write_number(number, bytes.len());
        let (here, zeros) = behind.split_at_mut(bytes.len());
        here.copy_from_slice(bytes);
        zeros.fill(0);
        Some(place)
    }

    /// # Panics
    /// The place is another shelf's.
    #[must_use]
    pub fn get(&self, place: Place) -> &[u8] {
        let (block, at) = split(place);
        take_bytes(&mut &self.blocks[block][at..]).expect("the place of an entry")
    }
}

fn split(place: Place) -> (usize, usize) {
    let unit = place.0 as usize;
    (unit / BLOCK_UNITS, unit % BLOCK_UNITS * UNIT_BYTES)
}

/// What something takes: its length, the bytes, and zeros up to a whole unit.
const fn entry_bytes(bytes: &[u8]) -> usize {
    (number_bytes(bytes.len() as u64) + bytes.len()).next_multiple_of(UNIT_BYTES)
}

/// As `put_number`, into as many bytes as it takes.
fn write_number(bytes: &mut [u8], mut number: usize) {
    let more = bytes.len() - 1;
    for byte in &mut bytes[..more] {
        *byte = number as u8 | 0x80;
        number >>= 7;
    }
    bytes[more] = number as u8;
}

/// Only how much: places mean nothing outside their shelf.
impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: usize = self.blocks.iter().map(|block| block.len()).sum();
        write!(f, "{bytes} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(n: usize, length: usize) -> Vec<u8> {
        (0..length).map(|at| (n * 31 + at) as u8).collect()
    }

    #[test]
    fn what_is_put_is_found_at_its_place() {
        let mut shelf = Shelf::default();
        // Short ones, empty ones, long ones, over the borders of several blocks.
        let lengths = [0, 1, 3, 4, 50, 127, 128, 4_000, 300_000];
        let mut kept: Vec<(Place, Vec<u8>)> = (0..200)
            .map(|n| {
                let bytes = thing(n, lengths[n % lengths.len()]);
                (shelf.put(&bytes).expect("room"), bytes)
            })
            .collect();
        assert!(shelf.blocks.len() > 3);
        for (place, bytes) in &kept {
            assert_eq!(shelf.get(*place), bytes);
        }
        // Shorter, as long and longer: nothing beside it is touched.
        for (n, (place, bytes)) in kept.iter_mut().enumerate() {
            *bytes = thing(n + 7, (bytes.len() + n % 9).saturating_sub(4));
            *place = shelf.replace(*place, bytes).expect("room");
        }
        for (place, bytes) in &kept {
            assert_eq!(shelf.get(*place), bytes);
        }
    }

    #[test]
    fn it_stays_in_its_place_while_there_is_room() {
        let mut shelf = Shelf::default();
        let place = shelf.put(&[1; 5]).expect("room");
        shelf.put(&[2; 5]).expect("room");
        assert_eq!(shelf.replace(place, &[3; 7]), Some(place));
        assert_ne!(shelf.replace(place, &[4; 8]), Some(place));
    }

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut shelf = Shelf::default();
        let place = shelf.put(&[1; 9]).expect("room");
        let copy = shelf.clone();
        assert_eq!(shelf.replace(place, &[2; 9]), Some(place));
        shelf.put(&[3; 9]).expect("room");
        assert_eq!(
            (copy.get(place), shelf.get(place)),
            (&[1; 9][..], &[2; 9][..])
        );
    }

    #[test]
    fn the_longest_piece_fills_a_block() {
        let mut shelf = Shelf::default();
        let place = shelf.put(&thing(1, BLOCK_BYTES - 3)).expect("room");
        assert_eq!(shelf.get(place), thing(1, BLOCK_BYTES - 3));
        assert_eq!(shelf.put(&thing(1, BLOCK_BYTES)), None);
    }
}
