//! Which lots an order is served from: first expiry first, then by lot id,
//! lots without expiry last. An allocation may span lots; nothing expired is
//! given out.

use std::collections::BTreeMap;

use decider::Timestamp;
use proto::{inventory::v1::Allocation, types::v1::Line};

use crate::{
    lot::Lot,
    state::{Book, State},
    units::Units,
};

/// From how many lots one order is served at most, so that its events stay
/// small; what other lots hold then counts as short.
pub const ALLOCATIONS_MAX: usize = 150;

/// What the shelves give for an order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    pub allocations: Vec<Allocation>,
    pub short: Vec<Line>,
    /// Everything wanted is on the shelves, although perhaps scattered over
    /// more than [`ALLOCATIONS_MAX`] lots.
    pub in_stock: bool,
}

/// What is taken from lots that come in the order in which they are to be
/// used: the takes, what they leave open, and whether all lots together would
/// have sufficed.
#[must_use]
pub fn take_in_order<'a>(
    lots: impl Iterator<Item = (&'a str, Units)>,
    wanted: Units,
    lots_max: usize,
) -> (Vec<(&'a str, Units)>, Units, bool) {
    let mut takes = Vec::new();
    let mut open = wanted;
    let mut seen = Units::ZERO;
    for (lot_id, units) in lots {
        if seen >= wanted {
            break;
        }
        seen = seen.plus(units);
        if takes.len() < lots_max {
            let take = units.min(open);
            takes.push((lot_id, take));
            open = open.minus(take);
        }
    }
    (takes, open, seen >= wanted)
}

/// The shelves of an area as one decision sees them: what it has already given
/// to somebody is gone.
pub(crate) struct Shelves<'a> {
    book: Option<&'a Book>,
    lots: &'a BTreeMap<String, Lot>,
    now: Timestamp,
    taken: BTreeMap<String, Units>,
}

impl<'a> Shelves<'a> {
    pub fn new(state: &'a State, area: &decider::Area, now: Timestamp) -> Self {
        Self {
            book: state.books.get(area),
            lots: &state.lots,
            now,
            taken: BTreeMap::new(),
        }
    }

    pub fn plan<'w>(&self, wants: impl Iterator<Item = (&'w str, Units)>) -> Plan {
        let mut plan = Plan {
            in_stock: true,
            ..Plan::default()
        };
        for (product_id, wanted) in wants {
            let room = ALLOCATIONS_MAX.saturating_sub(plan.allocations.len());
            let (takes, open, suffices) = take_in_order(self.usable(product_id), wanted, room);
            for (lot_id, units) in takes {
                plan.allocations.push(Allocation {
                    lot_id: lot_id.to_owned(),
                    product_id: product_id.to_owned(),
                    quantity_units: units.0,
                });
            }
            if open > Units::ZERO {
                plan.short.push(Line {
                    product_id: product_id.to_owned(),
                    quantity_units: open.0,
                });
            }
            plan.in_stock &= suffices;
        }
        plan
    }

    /// From now on the plan's units are gone.
    pub fn take(&mut self, plan: &Plan) {
        for allocation in &plan.allocations {
            let taken = self.taken.entry(allocation.lot_id.clone()).or_default();
            *taken = taken.plus(Units(allocation.quantity_units));
        }
    }

    /// Lots of the product with units to give, in the order of their use.
    fn usable(&self, product_id: &str) -> impl Iterator<Item = (&'a str, Units)> {
        let not_expired = (Timestamp(self.now.0.saturating_add(1)), String::new());
        self.book
            .and_then(|book| book.products.get(product_id))
            .into_iter()
            .flat_map(move |product| product.shelf.range(not_expired.clone()..))
            .filter_map(|(_, lot_id)| {
                let lot = self.lots.get(lot_id)?;
                let taken = self.taken.get(lot_id).copied().unwrap_or_default();
                let left = lot.stock.on_hand.minus(taken);
                (left > Units::ZERO).then_some((lot.lot_id.as_str(), left))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(
        lots: &[(&'static str, i64)],
        wanted: i64,
        max: usize,
    ) -> (Vec<(&'static str, i64)>, i64, bool) {
        let lots = lots.iter().map(|(id, units)| (*id, Units(*units)));
        let (takes, open, suffices) = take_in_order(lots, Units(wanted), max);
        let takes = takes.into_iter().map(|(id, units)| (id, units.0)).collect();
        (takes, open.0, suffices)
    }

    #[test]
    fn the_first_lot_is_used_up_before_the_next() {
        let taken = take(&[("a", 3), ("b", 4), ("c", 9)], 5, 9);
        assert_eq!(taken, (vec![("a", 3), ("b", 2)], 0, true));
    }

    #[test]
    fn what_is_not_there_stays_open() {
        assert_eq!(take(&[("a", 3)], 5, 9), (vec![("a", 3)], 2, false));
        assert_eq!(take(&[], 5, 9), (vec![], 5, false));
    }

    #[test]
    fn scattered_stock_is_told_from_missing_stock() {
        assert_eq!(
            take(&[("a", 1), ("b", 1), ("c", 1)], 3, 2),
            (vec![("a", 1), ("b", 1)], 1, true)
        );
        assert_eq!(
            take(&[("a", 1), ("b", 1), ("c", 1)], 4, 2),
            (vec![("a", 1), ("b", 1)], 2, false)
        );
    }
}
