//! The bags of a parcel in few bytes: every parcel that ever was has some.

use std::fmt;

use decider::packed::{put_number, put_signed, put_text, take_number, take_signed, take_text};
use proto::logistics::v1::ParcelBag;
use serde::{Deserialize, Serialize};

use crate::units::Grams;

/// For each bag how many bytes its label shares with the one before, the rest
/// of the label, the product id, the quantity and the weight.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bags(Box<[u8]>);

impl Bags {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    #[must_use]
    pub fn weight(&self) -> Grams {
        self.iter().map(|bag| Grams(bag.weight_grams.max(0))).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = ParcelBag> {
        let mut rest = &*self.0;
        let mut label = String::new();
        // Ends where the bytes are not what `from` makes: never, unless a
        // snapshot was altered.
        std::iter::from_fn(move || {
            let shared = usize::try_from(take_number(&mut rest)?).ok()?;
            label = label.get(..shared)?.to_owned() + take_text(&mut rest)?;
            Some(ParcelBag {
                label: label.clone(),
                product_id: take_text(&mut rest)?.to_owned(),
                quantity_units: take_signed(&mut rest)?,
                weight_grams: take_signed(&mut rest)?,
            })
        })
    }
}

impl From<&[ParcelBag]> for Bags {
    fn from(bags: &[ParcelBag]) -> Self {
        let mut bytes = Vec::new();
        let mut before = "";
        for bag in bags {
            let shared = shared(before, &bag.label);
            put_number(&mut bytes, shared as u64);
            put_text(&mut bytes, &bag.label[shared..]);
            put_text(&mut bytes, &bag.product_id);
            put_signed(&mut bytes, bag.quantity_units);
            put_signed(&mut bytes, bag.weight_grams);
            before = &bag.label;
        }
        Self(bytes.into())
    }
}

/// Bytes with which both begin, whole characters only.
fn shared(a: &str, b: &str) -> usize {
    let pairs = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    pairs.map(|(char, _)| char.len_utf8()).sum()
}

impl fmt::Debug for Bags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bags_come_back_as_they_were() {
        let labels = ["", "O-1", "O-2", "O-2r1", "袋1", "袋2", "表", "O-2"];
        let numbers = [0, -1, i64::MAX, i64::MIN, 5, 300, 70_000, 1];
        let bags: Vec<ParcelBag> = labels
            .iter()
            .zip(numbers)
            .map(|(label, number)| ParcelBag {
                label: (*label).to_owned(),
                product_id: format!("p{number}"),
                quantity_units: number,
                weight_grams: number.wrapping_neg(),
            })
            .collect();
        let packed = Bags::from(&*bags);
        assert_eq!(packed.iter().collect::<Vec<_>>(), bags);
        assert_eq!((packed.len(), Bags::default().is_empty()), (8, true));
    }

    #[test]
    fn other_bytes_are_no_panic() {
        for bytes in [
            vec![0xFF; 20],
            vec![5, b'a'],
            vec![0, 1, 0xFF, 2],
            vec![0; 3],
        ] {
            assert!(Bags(bytes.into()).len() < 3);
        }
    }
}
