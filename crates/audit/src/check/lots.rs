//! INV-01: each lot's account, kept from the events alone: what an order gives
//! back or takes along is what was set aside for it, and no place ever holds
//! less than nothing. At the end the domain's own accounts are compared.

use std::collections::BTreeMap;

use decider::{Invariant, Source};
use inventory_domain::{Lot, State};
use proto::{InventoryEvent as E, inventory::v1::Allocation};

use super::Found;
use crate::facts::Facts;

#[derive(Debug, Default)]
struct Account {
    received: i128,
    spoiled: i128,
    on_hand: i128,
    reserved: i128,
    dispatched: i128,
    returned: i128,
    known: bool,
    reported: bool,
}

/// Of one order in one lot: set aside, and out with it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Share {
    reserved: i128,
    out: i128,
}

struct Books {
    lots: BTreeMap<String, Account>,
    shares: BTreeMap<(String, String), Share>,
    found: Found,
}

#[derive(Clone, Copy)]
enum Movement {
    Reserve,
    Release,
    Dispatch,
    Replace,
    Return,
}

pub(crate) fn check<'s>(facts: &Facts, states: impl Iterator<Item = &'s State>) -> Found {
    let mut books = Books {
        lots: BTreeMap::new(),
        shares: BTreeMap::new(),
        found: Found::new(Invariant::LotConservation),
    };
    let mut areas = BTreeMap::new();
    for (fact, event) in facts.inventory() {
        let at = fact.at;
        match event {
            E::LotReceived(event) => {
                areas.insert(event.lot_id.clone(), fact.record.area.clone());
                books.receive(at, &event.lot_id, event.quantity_units.into());
            }
            E::StockSpoiled(event) => {
                let units = i128::from(event.quantity_units);
                books.change(at, &event.lot_id, |lot| {
                    lot.on_hand -= units;
                    lot.spoiled += units;
                });
            }
            E::StockReserved(event) => {
                books.move_all(at, &event.order_id, &event.allocations, Movement::Reserve);
            }
            E::ReservationReleased(event) => {
                books.move_all(at, &event.order_id, &event.allocations, Movement::Release);
            }
            E::OrderDispatched(event) => {
                books.move_all(at, &event.order_id, &event.allocations, Movement::Dispatch);
            }
            E::ReplacementDispatched(event) => {
                books.move_all(at, &event.order_id, &event.allocations, Movement::Replace);
            }
            E::StockReturned(event) => {
                books.move_all(at, &event.order_id, &event.allocations, Movement::Return);
            }
            _ => {}
        }
    }
    let states: Vec<&State> = states.collect();
    for (id, account) in &books.lots {
        if let Some(area) = areas.get(id) {
            let lot = states.iter().find_map(|state| state.lot(area, id));
            compare(id, account, lot, &mut books.found);
        }
    }
    books.found
}

/// The domain's account of the lot must be the same.
fn compare(id: &str, account: &Account, lot: Option<&Lot>, found: &mut Found) {
    let entity = format!("lot/{id}");
    let Some(lot) = lot else {
        let detail = "the inventory service's state does not know the lot";
        return found.violated(entity, detail);
    };
    let stock = lot.stock;
    for (what, events, state) in [
        ("received", account.received, stock.received),
        ("on hand", account.on_hand, stock.on_hand),
        ("reserved", account.reserved, stock.reserved),
        ("dispatched", account.dispatched, stock.dispatched),
        ("spoiled", account.spoiled, stock.spoiled),
        ("returned", account.returned, stock.returned),
    ] {
        if events != i128::from(state.0) {
            let detail = format!(
                "by the events {events} units are {what}, the inventory service's state says {}",
                state.0
            );
            found.violated(entity.clone(), detail);
        }
    }
}

impl Books {
    fn receive(&mut self, at: Source, lot_id: &str, units: i128) {
        if self.lots.get(lot_id).is_some_and(|lot| lot.known) {
            self.found
                .violated(format!("lot/{lot_id}"), format!("received again at {at}"));
            return;
        }
        self.lots.entry(lot_id.to_owned()).or_default().known = true;
        self.change(at, lot_id, |lot| {
            lot.received += units;
            lot.on_hand += units;
        });
    }

    fn change(&mut self, at: Source, lot_id: &str, change: impl FnOnce(&mut Account)) {
        self.found.facts += 1;
        let lot = self.lots.entry(lot_id.to_owned()).or_default();
        change(lot);
        let places = [
            ("on hand", lot.on_hand),
            ("reserved", lot.reserved),
            ("out", lot.dispatched - lot.returned),
        ];
        let negative = places.iter().find(|(_, units)| *units < 0);
        let detail = match negative {
            _ if lot.reported => return,
            _ if !lot.known => format!("units moved at {at} although it was never received"),
            Some((place, units)) => format!("{units} units are {place} after {at}"),
            None => return,
        };
        lot.reported = true;
        self.found.violated(format!("lot/{lot_id}"), detail);
    }

    fn move_all(&mut self, at: Source, order: &str, moved: &[Allocation], movement: Movement) {
        for allocation in moved {
            let units = i128::from(allocation.quantity_units);
            self.share(at, order, &allocation.lot_id, units, movement);
            self.change(at, &allocation.lot_id, |lot| match movement {
                Movement::Reserve => {
                    lot.on_hand -= units;
                    lot.reserved += units;
                }
                Movement::Release => {
                    lot.reserved -= units;
                    lot.on_hand += units;
                }
                Movement::Dispatch => {
                    lot.reserved -= units;
                    lot.dispatched += units;
                }
                Movement::Replace => {
                    lot.on_hand -= units;
                    lot.dispatched += units;
                }
                Movement::Return => {
                    lot.returned += units;
                    lot.on_hand += units;
                }
            });
        }
        // What an order releases or takes along is all that it had.
        if matches!(movement, Movement::Release | Movement::Dispatch) {
            let of_order = (order.to_owned(), String::new())..;
            let left = self
                .shares
                .range(of_order)
                .take_while(|((id, _), _)| id == order)
                .find(|(_, share)| share.reserved != 0)
                .map(|((_, lot), share)| (lot.clone(), share.reserved));
            if let Some((lot, units)) = left {
                let detail = format!("{units} units of lot {lot} stay reserved after {at}");
                self.found.violated(format!("demand/{order}"), detail);
            }
        }
    }

    fn share(&mut self, at: Source, order: &str, lot: &str, units: i128, movement: Movement) {
        let share = self
            .shares
            .entry((order.to_owned(), lot.to_owned()))
            .or_default();
        let had = *share;
        let (place, before) = match movement {
            Movement::Reserve => {
                share.reserved += units;
                return;
            }
            Movement::Replace => {
                share.out += units;
                return;
            }
            Movement::Release => {
                share.reserved -= units;
                ("reserved for it", had.reserved)
            }
            Movement::Dispatch => {
                share.reserved -= units;
                share.out += units;
                ("reserved for it", had.reserved)
            }
            Movement::Return => {
                share.out -= units;
                ("out with it", had.out)
            }
        };
        if units > before {
            let detail = format!("{units} units of lot {lot} moved at {at}, {before} were {place}");
            self.found.violated(format!("demand/{order}"), detail);
            // Told once, and not again for what the order does not have.
            *share = Share {
                reserved: share.reserved.max(0),
                out: share.out.max(0),
            };
        }
    }
}
