//! The order of doors on the way: community, grid, building, entrance, door,
//! each as people number them ("9" before "10"). Knows no parcel states.

use std::{cmp::Ordering, collections::HashSet, fmt, sync::Arc};

use decider::Name;
use proto::types::v1::Door;
use serde::{Deserialize, Serialize};

fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        let (Some(&l), Some(&r)) = (left.first(), right.first()) else {
            return left.len().cmp(&right.len());
        };
        if l.is_ascii_digit() && r.is_ascii_digit() {
            let (l_number, r_number) = (number(&mut left), number(&mut right));
            // Without leading zeros the longer number is the larger one.
            let order = l_number.len().cmp(&r_number.len());
            let order = order.then_with(|| l_number.cmp(r_number));
            if order != Ordering::Equal {
                return order;
            }
        } else if l == r {
            (left, right) = (&left[1..], &right[1..]);
        } else {
            return l.cmp(&r);
        }
    }
}

/// Cuts the leading number off and gives it without its leading zeros.
fn number<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let end = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(end);
    *bytes = rest;
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    &digits[zeros..]
}

/// By its numbers where a code has some: `E2` before `E10`. Equal numbers may
/// be written differently ("01", "1"): the spelling decides last, so that the
/// order agrees with equality.
fn compare(left: &str, right: &str) -> Ordering {
    natural(left, right).then_with(|| left.cmp(right))
}

/// Place of a parcel in the order of the doors; unique by the order id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DoorKey {
    door: Arc<Door>,
    pub(crate) order_id: Name,
}

impl DoorKey {
    pub(crate) const fn new(door: Arc<Door>, order_id: Name) -> Self {
        Self { door, order_id }
    }
}

impl Ord for DoorKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.door, &other.door);
        // Most neighbours are of one household.
        if Arc::ptr_eq(a, b) {
            return self.order_id.cmp(&other.order_id);
        }
        compare(&a.community, &b.community)
            .then_with(|| compare(&a.grid, &b.grid))
            .then_with(|| compare(&a.building, &b.building))
            .then_with(|| compare(&a.entrance, &b.entrance))
            .then_with(|| compare(&a.door, &b.door))
            .then_with(|| self.order_id.cmp(&other.order_id))
    }
}

impl PartialOrd for DoorKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Doors that were asked for, each once.
#[derive(Default)]
pub(crate) struct Doors(HashSet<Arc<Door>>);

impl Doors {
    pub(crate) fn get(&mut self, door: &Door) -> Arc<Door> {
        if let Some(known) = self.0.get(door) {
            return known.clone();
        }
        let new = Arc::new(door.clone());
        self.0.insert(new.clone());
        new
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doors")
    }
}

/// A stairwell: what is disinfected after a run (S19), and what a trip serves
/// as a whole where it can.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entrance {
    pub community: String,
    pub grid: String,
    pub building: String,
    pub entrance: String,
}

impl Entrance {
    #[must_use]
    pub fn of(door: &Door) -> Self {
        Self {
            community: door.community.clone(),
            grid: door.grid.clone(),
            building: door.building.clone(),
            entrance: door.entrance.clone(),
        }
    }

    pub(crate) fn has(&self, door: &Door) -> bool {
        self.community == door.community
            && self.grid == door.grid
            && self.building == door.building
            && self.entrance == door.entrance
    }
}

/// `<grid>/<building>/<entrance>`: a run stays within one community.
impl fmt::Display for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.grid, self.building, self.entrance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut codes: Vec<&str>) -> Vec<&str> {
        codes.sort_by(|a, b| compare(a, b));
        codes
    }

    #[test]
    fn numbers_in_codes_are_compared_as_numbers() {
        assert_eq!(
            sorted(vec!["E10", "E9", "E1", "B2-10", "B2-9", "", "1002", "501"]),
            ["", "501", "1002", "B2-9", "B2-10", "E1", "E9", "E10"]
        );
    }

    #[test]
    fn the_same_number_in_two_spellings_is_still_two_codes() {
        assert_ne!(compare("E01", "E1"), Ordering::Equal);
    }
}
