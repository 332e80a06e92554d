//! Everything that is known of the stock, with the indexes that decisions and
//! queries need. Built by `evolve` alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use decider::{Area, Invariant, Revision, StreamId, Timestamp, Violation};
use proto::inventory::v1::{Allocation, DemandState};
use serde::{Deserialize, Serialize};

use crate::{
    demand::{Demand, state_name},
    ledger::Movement,
    lot::Lot,
    procurement::Procurement,
    product::Product,
    queue::{Queue, Seq},
    surplus::Surplus,
    units::Units,
};

/// How many misfits are kept in words; beyond it they are only counted.
const MISFITS_KEPT: usize = 100;

/// The state of the inventory service's partition.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    /// By lot id, which is unique across areas.
    pub(crate) lots: BTreeMap<String, Lot>,
    /// By order id.
    pub(crate) demands: BTreeMap<Arc<str>, Demand>,
    pub(crate) books: BTreeMap<Area, Book>,
    /// When there is something to do, and where.
    pub(crate) timers: BTreeSet<(Timestamp, Area)>,
    pub(crate) surplus: Surplus,
    pub(crate) misfits: Vec<Violation>,
    pub(crate) misfit_count: u64,
}

/// What belongs to one area.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Book {
    pub products: BTreeMap<String, Product>,
    #[serde(skip)]
    pub lots: BTreeSet<String>,
    pub queue: Queue,
    pub procurement: Procurement,
    /// Lots with units on hand, by the time at which those expire.
    #[serde(skip)]
    pub expiring: BTreeSet<(Timestamp, String)>,
    /// Orders in the order of the doors; under `Unspecified` those of any
    /// state.
    #[serde(skip)]
    pub doors: BTreeMap<DemandState, BTreeSet<DoorKey>>,
    /// The fact that made the work which the queue waits for.
    work_since: Option<Timestamp>,
    /// The book's entry in [`State::timers`].
    pub timer: Option<Timestamp>,
}

/// Place of the door, then order id.
pub(crate) type DoorKey = (Arc<str>, Arc<str>);

/// An event that does not fit the state: its log was altered.
#[derive(Debug)]
pub(crate) struct Misfit(Violation);

/// What `evolve` knows of an event besides its content.
pub(crate) struct Fact<'a> {
    pub stream: &'a StreamId,
    pub area: &'a Area,
    pub at: Timestamp,
    pub revision: Revision,
    pub seq: Seq,
    pub type_name: &'static str,
}

impl Fact<'_> {
    pub fn misfit(&self, detail: impl std::fmt::Display) -> Misfit {
        self.breaks(Invariant::LotConservation, detail)
    }

    pub fn breaks(&self, invariant: Invariant, detail: impl std::fmt::Display) -> Misfit {
        let name = self.type_name.rsplit('.').next().unwrap_or_default();
        Misfit(Violation {
            invariant,
            entity: self.stream.to_string(),
            detail: format!("{name} at position {} does not fit: {detail}", self.seq),
        })
    }
}

impl State {
    /// Moves units of a known lot and everything that follows from it.
    pub(crate) fn move_units(&mut self, lot_id: &str, movement: Movement, units: Units) {
        let Some(lot) = self.lots.get_mut(lot_id) else {
            return;
        };
        lot.stock.apply(movement, units);
        let Some(book) = self.books.get_mut(&lot.area) else {
            return;
        };
        if let Some(product) = book.products.get_mut(&lot.product_id) {
            product.stock.apply(movement, units);
            let key = lot.shelf_key();
            if lot.stock.on_hand > Units::ZERO {
                if lot.expires.is_some() {
                    book.expiring.insert(key.clone());
                }
                product.shelf.insert(key);
            } else {
                book.expiring.remove(&key);
                product.shelf.remove(&key);
            }
        }
        book.refresh(&lot.product_id);
    }

    pub(crate) fn move_all(&mut self, allocations: &[Allocation], movement: Movement) {
        for allocation in allocations {
            self.move_units(
                &allocation.lot_id,
                movement,
                Units(allocation.quantity_units),
            );
        }
    }

    /// Whether allocations name lots of the area that hold the product.
    pub(crate) fn check(&self, fact: &Fact<'_>, allocations: &[Allocation]) -> Result<(), Misfit> {
        for allocation in allocations {
            let fits = allocation.quantity_units > 0
                && self.lots.get(&allocation.lot_id).is_some_and(|lot| {
                    lot.area == *fact.area && lot.product_id == allocation.product_id
                });
            if !fits {
                return Err(fact.misfit(format_args!(
                    "{} units of {} cannot be of lot {}",
                    allocation.quantity_units, allocation.product_id, allocation.lot_id
                )));
            }
        }
        Ok(())
    }

    /// Changes a demand that is in one of the states before; nothing is
    /// changed where it is not, or where `change` says that the event does not
    /// fit.
    pub(crate) fn transition(
        &mut self,
        fact: &Fact<'_>,
        order_id: &str,
        before: &[DemandState],
        change: impl FnOnce(&mut Demand, &mut Book) -> Result<DemandState, Misfit>,
    ) -> Result<(), Misfit> {
        let demand = self.demands.get_mut(order_id);
        let Some(demand) = demand.filter(|demand| demand.area == *fact.area) else {
            return Err(fact.misfit("the order has no demand in the area"));
        };
        let Some(book) = self.books.get_mut(fact.area) else {
            return Err(fact.misfit("nothing is known of the area"));
        };
        if !before.contains(&demand.state) {
            return Err(fact.misfit(format_args!("the demand is {}", state_name(demand.state))));
        }
        let after = change(demand, book)?;
        book.change_state(demand, after);
        demand.updated = fact.at;
        demand.revision = fact.revision;
        Ok(())
    }

    /// To be called after each event: when is there work in the area?
    pub(crate) fn settle(&mut self, fact: &Fact<'_>) {
        let Some(book) = self.books.get_mut(fact.area) else {
            return;
        };
        book.work_since = if book.has_work() {
            book.work_since.or(Some(fact.at))
        } else {
            None
        };
        let expiry = book.expiring.first().map(|(at, _)| *at);
        let next = [book.work_since, expiry].into_iter().flatten().min();
        if next != book.timer {
            if let Some(at) = book.timer {
                self.timers.remove(&(at, fact.area.clone()));
            }
            if let Some(at) = next {
                self.timers.insert((at, fact.area.clone()));
            }
            book.timer = next;
        }
    }

    pub(crate) fn note(&mut self, misfit: Misfit) {
        self.misfit_count = self.misfit_count.saturating_add(1);
        if self.misfits.len() < MISFITS_KEPT {
            self.misfits.push(misfit.0);
        }
    }

    pub(crate) fn all_misfits(&self) -> Vec<Violation> {
        let mut found = self.misfits.clone();
        let kept = u64::try_from(found.len()).unwrap_or(u64::MAX);
        if self.misfit_count > kept {
            found.push(Violation {
                invariant: Invariant::LotConservation,
                entity: "inventory".into(),
                detail: format!("{} more events do not fit", self.misfit_count - kept),
            });
        }
        found
    }
}

impl Book {
    pub fn refresh(&mut self, product_id: &str) {
        let products = &self.products;
        let on_hand = |id: &str| {
            products
                .get(id)
                .map_or(Units::ZERO, |product| product.stock.on_hand)
        };
        self.queue.refresh(product_id, on_hand);
    }

    /// Takes an entry out of the queue; those behind it move up.
    pub fn leave_queue(&mut self, seq: Seq) {
        for product_id in self.queue.remove(seq) {
            self.refresh(&product_id);
        }
    }

    /// While buying is over everybody in the queue is to be answered.
    fn has_work(&self) -> bool {
        if self.procurement.closed {
            !self.queue.is_empty()
        } else {
            !self.queue.ready().is_empty()
        }
    }

    pub fn change_state(&mut self, demand: &mut Demand, state: DemandState) {
        let key = demand.door_key();
        if let Some(doors) = self.doors.get_mut(&demand.state) {
            doors.remove(&key);
            if doors.is_empty() {
                self.doors.remove(&demand.state);
            }
        }
        self.doors.entry(state).or_default().insert(key);
        demand.state = state;
    }

    /// Puts a demand on the lists of doors, as it is.
    pub fn list(&mut self, demand: &Demand) {
        for state in [demand.state, DemandState::Unspecified] {
            self.doors
                .entry(state)
                .or_default()
                .insert(demand.door_key());
        }
    }

    /// Puts a lot on the lists of its area and product, as it is.
    pub fn shelve(&mut self, lot: &Lot) {
        self.lots.insert(lot.lot_id.clone());
        if let Some(product) = self.products.get_mut(&lot.product_id) {
            product.lots.insert(lot.lot_id.clone());
            if lot.stock.on_hand > Units::ZERO {
                product.shelf.insert(lot.shelf_key());
                if lot.expires.is_some() {
                    self.expiring.insert(lot.shelf_key());
                }
            }
        }
    }
}
