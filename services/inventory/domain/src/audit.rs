//! INV-01 on the whole state, and one line on each entity.

use std::collections::BTreeMap;

use decider::{Invariant, StreamId, Violation};
use proto::inventory::v1::{Allocation, DemandState};

use crate::{state::State, units::Units};

/// Every lot's account balances, and agrees with what the orders hold: set
/// aside for them, out with them, or lost on the way to them.
pub(crate) fn violations(state: &State) -> Vec<Violation> {
    let mut found = state.all_misfits();
    found.extend(crate::surplus::violations(&state.surplus));
    let mut reserved = BTreeMap::<&str, Units>::new();
    let mut out = BTreeMap::<&str, Units>::new();
    for demand in state.demands.values() {
        let held = match demand.state {
            DemandState::Reserved | DemandState::Picked => Some(&mut reserved),
            DemandState::Dispatched => Some(&mut out),
            _ => None,
        };
        if let Some(held) = held {
            add(held, &demand.allocations);
        }
        add(&mut out, &demand.lost);
    }
    for (lot_id, lot) in &state.lots {
        let mut violated = |detail| {
            found.push(Violation {
                invariant: Invariant::LotConservation,
                entity: format!("lot/{lot_id}"),
                detail,
            });
        };
        if let Some(imbalance) = lot.stock.imbalance() {
            violated(imbalance);
        }
        for (what, booked, by_orders) in [
            ("reserved", lot.stock.reserved, &reserved),
            ("out", lot.stock.out(), &out),
        ] {
            let counted = by_orders.get(lot_id.as_str()).copied().unwrap_or_default();
            if counted != booked {
                violated(format!(
                    "{} are {what}, the orders have {}",
                    booked, counted.0
                ));
            }
        }
    }
    found
}

fn add<'a>(sums: &mut BTreeMap<&'a str, Units>, allocations: &'a [Allocation]) {
    for allocation in allocations {
        let sum = sums.entry(&allocation.lot_id).or_default();
        *sum = sum.plus(Units(allocation.quantity_units));
    }
}

pub(crate) fn describe(state: &State, stream: &StreamId) -> Option<String> {
    let id = stream.id();
    match stream.category() {
        // One id may mean a product in each of several areas.
        "product" => {
            let products = state.books.iter().filter_map(|(area, book)| {
                let product = book.products.get(id)?;
                Some(product.describe(area.as_str()))
            });
            let lines: Vec<_> = products.collect();
            (!lines.is_empty()).then(|| lines.join("; "))
        }
        "lot" => state.lots.get(id).map(crate::lot::Lot::describe),
        "demand" => state.demands.get(id).map(crate::demand::Demand::describe),
        "procurement" => {
            let (_, book) = state.books.iter().find(|(area, _)| area.as_str() == id)?;
            let word = if book.procurement.closed {
                "closed"
            } else {
                "open"
            };
            Some(format!(
                "procurement {word}; {} orders and {} replacements wait",
                book.queue.order_count(),
                book.queue.replacement_count()
            ))
        }
        _ => state.surplus.describe(stream),
    }
}
