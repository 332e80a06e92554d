//! Who waits for what, and who can be served: kept up to date by every event,
//! so that asking costs nothing however long the queue is.
//!
//! A *lane* is the waiting line for one product. An order stands in the lane
//! of each of its products and can be served when it is the first in all of
//! them and the goods are there: so nobody is overtaken for a product that he
//! waits for, and orders for other goods pass freely. Replacements stand
//! before the orders of their lane.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::units::Units;

/// Position of the event that put an entry into the queue: its age.
pub(crate) type Seq = u64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaitingOrder {
    pub order_id: Arc<str>,
    /// Each product once.
    pub wants: Vec<(String, Units)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaitingReplacement {
    pub order_id: Arc<str>,
    pub for_label: String,
    pub product_id: String,
    pub quantity: Units,
    pub checkpoint_id: String,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lane {
    orders: BTreeSet<Seq>,
    replacements: BTreeSet<Seq>,
    demanded: Units,
}

/// The queue of one area.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queue {
    orders: BTreeMap<Seq, WaitingOrder>,
    replacements: BTreeMap<Seq, WaitingReplacement>,
    lanes: BTreeMap<String, Lane>,
    /// Entries that the units on hand suffice for, with nobody before them.
    ready: BTreeSet<Seq>,
}

/// Entries that a decision has dealt with already.
pub(crate) type Served = BTreeSet<Seq>;

impl Queue {
    pub fn add_order(&mut self, seq: Seq, order: WaitingOrder) {
        for (product_id, units) in &order.wants {
            let lane = self.lanes.entry(product_id.clone()).or_default();
            lane.orders.insert(seq);
            lane.demanded = lane.demanded.plus(*units);
        }
        self.orders.insert(seq, order);
    }

    pub fn add_replacement(&mut self, seq: Seq, replacement: WaitingReplacement) {
        let lane = self
            .lanes
            .entry(replacement.product_id.clone())
            .or_default();
        lane.replacements.insert(seq);
        lane.demanded = lane.demanded.plus(replacement.quantity);
        self.replacements.insert(seq, replacement);
    }

    /// Takes an entry out and gives the products whose lanes have moved on.
    pub fn remove(&mut self, seq: Seq) -> Vec<String> {
        self.ready.remove(&seq);
        let wants = if let Some(order) = self.orders.remove(&seq) {
            order.wants
        } else if let Some(replacement) = self.replacements.remove(&seq) {
            vec![(replacement.product_id, replacement.quantity)]
        } else {
            return Vec::new();
        };
        for (product_id, units) in &wants {
            if let Some(lane) = self.lanes.get_mut(product_id) {
                lane.orders.remove(&seq);
                lane.replacements.remove(&seq);
                lane.demanded = lane.demanded.minus(*units);
                if lane.orders.is_empty() && lane.replacements.is_empty() {
                    self.lanes.remove(product_id);
                }
            }
        }
        wants
            .into_iter()
            .map(|(product_id, _)| product_id)
            .collect()
    }

    /// To be called whenever a product's units on hand or its lane changed.
    pub fn refresh(&mut self, product_id: &str, on_hand: impl Fn(&str) -> Units) {
        for seq in self.heads(product_id, &Served::new()) {
            let suffices = |id: &str, wanted: Units| on_hand(id) >= wanted;
            if self.is_first(seq, &Served::new())
                && self.wants(seq).all(|(id, wanted)| suffices(id, wanted))
            {
                self.ready.insert(seq);
            } else {
                self.ready.remove(&seq);
            }
        }
    }

    /// The first replacement and the first order of a lane.
    pub fn heads(&self, product_id: &str, served: &Served) -> Vec<Seq> {
        let first = |entries: &BTreeSet<Seq>| entries.iter().find(|s| !served.contains(s)).copied();
        self.lanes
            .get(product_id)
            .map(|lane| [first(&lane.replacements), first(&lane.orders)])
            .into_iter()
            .flatten()
            .flatten()
            .collect()
    }

    /// Whether nobody stands before the entry in any of its lanes.
    pub fn is_first(&self, seq: Seq, served: &Served) -> bool {
        self.wants(seq).all(|(product_id, _)| {
            self.lanes.get(product_id).is_some_and(|lane| {
                let mut line = lane.replacements.iter().chain(&lane.orders);
                line.find(|s| !served.contains(s)) == Some(&seq)
            })
        })
    }

    /// Whether anybody waits for the product: an order that comes now would
    /// stand behind.
    pub fn is_wanted(&self, product_id: &str) -> bool {
        self.lanes.contains_key(product_id)
    }

    /// Whether a replacement waits for the product.
    pub fn is_wanted_as_replacement(&self, product_id: &str) -> bool {
        self.lanes
            .get(product_id)
            .is_some_and(|lane| !lane.replacements.is_empty())
    }

    pub fn wants(&self, seq: Seq) -> impl Iterator<Item = (&str, Units)> {
        let order = self.orders.get(&seq).into_iter().flat_map(|o| &o.wants);
        let replacement = self.replacements.get(&seq).into_iter();
        order
            .map(|(product_id, units)| (product_id.as_str(), *units))
            .chain(replacement.map(|r| (r.product_id.as_str(), r.quantity)))
    }

    pub fn order(&self, seq: Seq) -> Option<&WaitingOrder> {
        self.orders.get(&seq)
    }

    pub fn replacement(&self, seq: Seq) -> Option<&WaitingReplacement> {
        self.replacements.get(&seq)
    }

    pub fn ready(&self) -> &BTreeSet<Seq> {
        &self.ready
    }

    /// Replacements, then orders, each by age.
    pub fn all(&self) -> impl Iterator<Item = Seq> {
        self.replacements.keys().chain(self.orders.keys()).copied()
    }

    pub fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.replacements.is_empty()
    }

    pub fn order_count(&self) -> usize {
        self.orders.len()
    }

    pub fn replacement_count(&self) -> usize {
        self.replacements.len()
    }

    /// Units that are waited for, by product.
    pub fn demanded(&self) -> impl Iterator<Item = (&str, Units)> {
        self.lanes
            .iter()
            .map(|(product_id, lane)| (product_id.as_str(), lane.demanded))
    }
}
