//! The lines of an order in few bytes: every order ever placed has some.

use std::fmt;

use decider::packed::{put_signed, put_text, take_signed, take_text};
use proto::types::v1::Line;
use serde::{Deserialize, Serialize};

/// For each line the product id and the quantity.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lines(Box<[u8]>);

impl Lines {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Product id and quantity in units of each line.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        let mut rest = &*self.0;
        // Ends where the bytes are not what `from` makes: never, unless a
        // snapshot was altered.
        std::iter::from_fn(move || Some((take_text(&mut rest)?, take_signed(&mut rest)?)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Ends where the bytes are no lines any more.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    #[must_use]
    pub fn to_vec(&self) -> Vec<Line> {
        let line = |(product_id, quantity_units): (&str, i64)| Line {
            product_id: product_id.to_owned(),
            quantity_units,
        };
        self.iter().map(line).collect()
    }
}

impl From<&[Line]> for Lines {
    fn from(lines: &[Line]) -> Self {
        let mut bytes = Vec::with_capacity(lines.iter().map(|l| l.product_id.len() + 4).sum());
        for line in lines {
            put_text(&mut bytes, &line.product_id);
            put_signed(&mut bytes, line.quantity_units);
        }
        Self(bytes.into())
    }
}

impl PartialEq<[Line]> for Lines {
    fn eq(&self, other: &[Line]) -> bool {
        let other = other
            .iter()
            .map(|l| (l.product_id.as_str(), l.quantity_units));
        self.iter().eq(other)
    }
}

impl PartialEq<Vec<Line>> for Lines {
    fn eq(&self, other: &Vec<Line>) -> bool {
        *self == **other
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        let long = "x".repeat(300);
        let quantities = [0, 1, -1, 63, 64, 1_000, i64::MAX, i64::MIN];
        let lines: Vec<Line> = quantities
            .iter()
            .zip(["", "rice", "油", &long].iter().cycle())
            .map(|(quantity_units, product_id)| Line {
                product_id: (*product_id).to_owned(),
                quantity_units: *quantity_units,
            })
            .collect();
        let packed = Lines::from(&*lines);
        assert_eq!(packed.to_vec(), lines);
        assert_eq!(packed, lines);
        assert_eq!((packed.len(), packed.is_empty()), (8, false));
        assert_ne!(packed, lines[1..]);
    }

    #[test]
    fn other_bytes_are_no_panic() {
        for bytes in [vec![0xFF; 20], vec![5, b'a'], vec![1, 0xFF, 2], vec![0; 3]] {
            let _ = Lines(bytes.into()).to_vec();
        }
    }
}
