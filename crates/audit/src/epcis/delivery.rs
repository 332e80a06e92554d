//! What is known of each order's goods from all its facts together: the rows
//! of one fact need what others say.

use std::collections::{BTreeMap, BTreeSet};

use decider::Source;
use proto::{
    AnyEvent, InventoryEvent as I, LogisticsEvent as L,
    inventory::v1::{Allocation, OrderDispatched},
    logistics::v1::MilestoneReported,
    types::v1::Door,
};

use super::{
    event::{Correction, Reason},
    facts::{Fact, Facts},
};
use crate::check::trunk::Loads;

#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub allocations: Vec<Allocation>,
    /// Labels in the order of packing.
    pub bags: Vec<String>,
    /// Labels of bags in place of others.
    pub replacements: BTreeSet<String>,
    replaced_from: Vec<Allocation>,
    pub dispatched: Option<OrderDispatched>,
    /// When the checkpoint took the first of it.
    received: Option<Source>,
    /// On which runs it left, in order.
    runs: Vec<(Source, String)>,
    /// Taken off the way, and where that stands.
    withdrawn: Option<Fact>,
    released: Option<Fact>,
    stock_returned: Option<Fact>,
}

/// Parts of a record's events, named once because corrections refer to them.
pub(super) mod part {
    pub const RELEASED: &str = "released";
    pub const VOIDED: &str = "shipping-voided";
    pub const RESTOCKED: &str = "restocked";
}

impl Delivery {
    /// Ids of all lots that it has or had units of.
    pub fn lots(&self) -> impl Iterator<Item = &str> {
        let all = self.allocations.iter().chain(&self.replaced_from);
        all.map(|allocation| allocation.lot_id.as_str())
    }

    pub fn door(&self) -> Option<&Door> {
        self.dispatched.as_ref()?.door.as_ref()
    }

    /// Who brought it to the checkpoint.
    pub fn carrier(&self) -> &str {
        self.dispatched.as_ref().map_or("", |d| &d.custodian_id)
    }

    pub fn checkpoint(&self) -> &str {
        self.dispatched.as_ref().map_or("", |d| &d.checkpoint_id)
    }

    pub fn last_run_before(&self, at: Source) -> &str {
        let runs = self.runs.iter().rev();
        let mut before = runs.filter(|(started, _)| *started < at);
        before.next().map_or("", |(_, run_id)| run_id)
    }

    /// All bags, those in place of others too.
    pub fn all_bags(&self) -> impl Iterator<Item = &String> {
        self.bags.iter().chain(&self.replacements)
    }

    /// Whether it was withdrawn before the checkpoint had any of it.
    pub fn never_arrived(&self) -> bool {
        match (&self.withdrawn, self.received) {
            (Some(_), None) => true,
            (Some(withdrawn), Some(received)) => withdrawn.at < received,
            (None, _) => false,
        }
    }

    /// What takes back that units were set aside and packed.
    pub fn reservation_taken_back(&self) -> Option<Correction> {
        let fact = self.released.clone()?;
        let by = vec![fact.event_id(part::RELEASED)];
        let reason = Reason::TakenBack;
        Some(Correction { reason, fact, by })
    }

    /// What takes back that the order was shipped.
    pub fn shipping_taken_back(&self) -> Option<Correction> {
        let fact = self.withdrawn.clone().filter(|_| self.never_arrived())?;
        let mut by = vec![fact.event_id(part::VOIDED)];
        by.extend(
            self.stock_returned
                .iter()
                .map(|f| f.event_id(part::RESTOCKED)),
        );
        let reason = Reason::TakenBack;
        Some(Correction { reason, fact, by })
    }
}

#[derive(Debug, Default)]
pub(super) struct Deliveries {
    by_order: BTreeMap<String, Delivery>,
    loads: Loads,
    /// What carriers loaded on the trunk leg, by the report.
    loaded: BTreeMap<Source, Loaded>,
    /// Where each lot lies.
    locations: BTreeMap<String, String>,
}

/// Parcels that a carrier has from now on.
#[derive(Debug)]
pub(super) struct Loaded {
    pub order_ids: Vec<String>,
    /// Who had them.
    pub holder_id: String,
}

impl Deliveries {
    pub fn loaded(&self, at: Source) -> Option<&Loaded> {
        self.loaded.get(&at)
    }

    /// Of the facts that count.
    pub fn of(facts: &Facts) -> Self {
        let mut all = Self::default();
        for fact in facts.values().filter(|fact| fact.void.is_none()) {
            match &fact.event {
                AnyEvent::Inventory(event) => all.inventory(fact, event),
                AnyEvent::Logistics(event) => all.logistics(fact, event),
                _ => {}
            }
        }
        all
    }

    pub fn get(&self, order_id: &str) -> Option<&Delivery> {
        self.by_order.get(order_id)
    }

    /// `store` where the records do not say it.
    pub fn location_of<'a>(&'a self, lots: &'a [Allocation]) -> &'a str {
        let first = lots.first().and_then(|lot| self.locations.get(&lot.lot_id));
        first.map_or("store", String::as_str)
    }

    fn order(&mut self, order_id: &str) -> &mut Delivery {
        self.by_order.entry(order_id.to_owned()).or_default()
    }

    fn inventory(&mut self, fact: &Fact, event: &I) {
        match event {
            I::LotReceived(e) if !e.location.is_empty() => {
                self.locations.insert(e.lot_id.clone(), e.location.clone());
            }
            I::DemandQueued(e) => {
                self.order(&e.order_id);
            }
            I::StockReserved(e) => {
                self.order(&e.order_id)
                    .allocations
                    .clone_from(&e.allocations);
            }
            I::OrderPicked(e) => {
                let labels = e.bags.iter().map(|bag| bag.label.clone());
                self.order(&e.order_id).bags = labels.collect();
            }
            I::OrderDispatched(e) => self.order(&e.order_id).dispatched = Some(e.clone()),
            I::ReplacementDispatched(e) => {
                let order = self.order(&e.order_id);
                order.replaced_from.extend(e.allocations.iter().cloned());
                order
                    .replacements
                    .extend(e.bag.iter().map(|bag| bag.label.clone()));
            }
            I::ReservationReleased(e) => self.order(&e.order_id).released = Some(fact.clone()),
            I::StockReturned(e) => self.order(&e.order_id).stock_returned = Some(fact.clone()),
            _ => {}
        }
    }

    fn logistics(&mut self, fact: &Fact, event: &L) {
        match event {
            L::ParcelReceived(e) => {
                self.order(&e.order_id).received.get_or_insert(fact.at);
            }
            L::MilestoneReported(e) => self.loaded_by(fact, e),
            L::ParcelWithdrawn(e) => self.order(&e.order_id).withdrawn = Some(fact.clone()),
            L::RunStarted(e) => {
                for order_id in &e.order_ids {
                    self.order(order_id).runs.push((fact.at, e.run_id.clone()));
                }
            }
            _ => self.loads.take(event),
        }
    }

    /// Without orders of which every bag stayed behind.
    fn loaded_by(&mut self, fact: &Fact, event: &MilestoneReported) {
        let Some((holder_id, order_ids, behind)) = self.loads.loading(event) else {
            return;
        };
        let is_there = |order_id: &String| {
            let bags = self
                .get(order_id)
                .map_or(&[][..], |delivery| &delivery.bags);
            bags.is_empty() || bags.iter().any(|label| !behind.contains(label))
        };
        let loaded = Loaded {
            order_ids: order_ids.into_iter().filter(is_there).collect(),
            holder_id,
        };
        self.loaded.insert(fact.at, loaded);
    }
}
