//! All rows of a history: each fact's events, and the same again where
//! something took them back.

use std::collections::{BTreeSet, HashMap};

use decider::{Source, Timestamp};
use proto::{AnyEvent, InventoryEvent as I};

use super::{
    EpcisOptions,
    delivery::{Deliveries, Delivery},
    event::{Correction, Event, Maker, Reason},
    facts::{Fact, Facts},
    inventory, logistics,
};

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    Lot(String),
    Order(String),
}

#[derive(Debug)]
pub(super) struct Row {
    pub about: About,
    pub event: Event,
    /// Of the record that it stands for; of the correcting one in a correction.
    pub recorded: Timestamp,
    /// Of that record in the order of all, causes first.
    rank: usize,
    /// Among the rows of one record.
    number: usize,
}

impl Row {
    pub fn concerns(&self, order_id: &str, lots: &BTreeSet<&str>) -> bool {
        match &self.about {
            About::Lot(lot_id) => lots.contains(lot_id.as_str()),
            About::Order(id) => id == order_id,
        }
    }

    /// As things were recorded, and in the same moment causes first.
    pub fn key(&self) -> (Timestamp, usize, usize) {
        (self.recorded, self.rank, self.number)
    }
}

pub(super) fn of(
    facts: &Facts,
    deliveries: &Deliveries,
    rank: &HashMap<Source, usize>,
    options: &EpcisOptions,
) -> Vec<Row> {
    let rank = |at: &Source| rank.get(at).copied().unwrap_or_default();
    let mut rows = Vec::new();
    for fact in facts.values() {
        let maker = Maker {
            fact,
            base: &options.base,
            offset: &options.offset,
        };
        let events = match &fact.event {
            AnyEvent::Inventory(event) => inventory::events(maker, event, deliveries),
            AnyEvent::Logistics(event) => logistics::events(maker, event, deliveries),
            _ => continue,
        };
        for (number, (about, event)) in events.into_iter().enumerate() {
            let correction = correction(fact, &about, facts, deliveries);
            if let Some(correction) = correction {
                rows.push(Row {
                    about: about.clone(),
                    event: event.clone().taken_back(&correction, &options.base),
                    recorded: correction.declared(),
                    rank: rank(&correction.fact.at),
                    // Behind the events of the correcting record itself.
                    number: 1000 + rows.len(),
                });
            }
            rows.push(Row {
                about,
                event,
                recorded: fact.record.recorded,
                rank: rank(&fact.at),
                number,
            });
        }
    }
    rows
}

fn correction(
    fact: &Fact,
    about: &About,
    facts: &Facts,
    deliveries: &Deliveries,
) -> Option<Correction> {
    if let Some(note) = fact.void {
        return Some(Correction {
            reason: Reason::DidNotOccur,
            fact: facts.get(&note)?.clone(),
            by: Vec::new(),
        });
    }
    let About::Order(order_id) = about else {
        return None;
    };
    let delivery: &Delivery = deliveries.get(order_id)?;
    match &fact.event {
        AnyEvent::Inventory(I::StockReserved(_) | I::OrderPicked(_)) => {
            delivery.reservation_taken_back()
        }
        AnyEvent::Inventory(I::OrderDispatched(_)) => delivery.shipping_taken_back(),
        _ => None,
    }
}
