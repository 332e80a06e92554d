//! INV-02: what was delivered had been confirmed, was neither rejected nor
//! cancelled, and was delivered once; and a delivery in the order service is a
//! door that a member left.

use std::collections::BTreeMap;

use decider::{Invariant, Service, Source};
use proto::{AnyEvent, LogisticsEvent, OrderEvent as E};

use super::Found;
use crate::facts::{Fact, Facts};

#[derive(Default)]
struct Order {
    placed: bool,
    confirmed: bool,
    /// Rejected or cancelled, and where; not if it went out nevertheless.
    ended: Option<(&'static str, Source)>,
    delivered: Vec<Source>,
}

pub(crate) fn check(facts: &Facts) -> Found {
    let mut found = Found::new(Invariant::DeliveredOnceAndConfirmed);
    let mut orders = BTreeMap::<&str, Order>::new();
    for (fact, event) in facts.order() {
        let at = fact.at;
        match event {
            E::OrderPlaced(e) => orders.entry(&e.order_id).or_default().placed = true,
            E::OrderConfirmed(e) => orders.entry(&e.order_id).or_default().confirmed = true,
            E::OrderPartiallyConfirmed(e) => {
                orders.entry(&e.order_id).or_default().confirmed = true;
            }
            E::OrderRejected(e) => {
                orders.entry(&e.order_id).or_default().ended = Some(("rejected", at));
            }
            E::OrderCancelled(e) => {
                orders.entry(&e.order_id).or_default().ended = Some(("cancelled", at));
            }
            // The run had started: the cancellation came too late.
            E::OrderOutForDelivery(e) => orders.entry(&e.order_id).or_default().ended = None,
            E::OrderDelivered(e) => {
                found.facts += 1;
                let order = orders.entry(&e.order_id).or_default();
                delivered(facts, fact, &e.order_id, order, &mut found);
            }
            _ => {}
        }
    }
    doors(facts, &orders, &mut found);
    found
}

fn delivered(facts: &Facts, fact: &Fact, id: &str, order: &mut Order, found: &mut Found) {
    let at = fact.at;
    let mut violated = |detail: String| found.violated(format!("order/{id}"), detail);
    if !order.placed {
        violated(format!("delivered at {at}, but never placed"));
    } else if !order.confirmed {
        violated(format!("delivered at {at}, but not confirmed before"));
    }
    if let Some((how, when)) = order.ended {
        violated(format!("delivered at {at}, but {how} at {when}"));
    }
    if let Some(first) = order.delivered.first() {
        violated(format!("delivered at {first} and again at {at}"));
    } else {
        let left = facts.cause(fact).is_some_and(|cause| {
            matches!(&cause.event, AnyEvent::Logistics(LogisticsEvent::DoorLeft(e))
                if e.order_id == id)
        });
        if !left {
            let cause = &fact.record.cause;
            violated(format!(
                "delivered at {at} because of {cause}, which is no door left with this order"
            ));
        }
    }
    order.delivered.push(at);
}

/// Each door that was left is a delivery, once.
fn doors(facts: &Facts, orders: &BTreeMap<&str, Order>, found: &mut Found) {
    let mut doors = BTreeMap::<&str, Source>::new();
    for (fact, event) in facts.logistics() {
        let LogisticsEvent::DoorLeft(event) = event else {
            continue;
        };
        found.facts += 1;
        let (id, at) = (event.order_id.as_str(), fact.at);
        if let Some(first) = doors.get(id) {
            let detail = format!("left at a door at {first} and again at {at}");
            found.violated(format!("order/{id}"), detail);
            continue;
        }
        doors.insert(id, at);
        if orders.get(id).is_some_and(|o| !o.delivered.is_empty()) {
            continue;
        }
        if facts.is_taken_in(Service::Order, &at) {
            let refusal = facts.refusal(Service::Order, &at);
            let detail = format!(
                "left at a door at {at}, but the order service has no delivery of it{refusal}"
            );
            found.violated(format!("order/{id}"), detail);
        } else {
            found.pending(format!(
                "order/{id}: the order service has not taken in {at} yet"
            ));
        }
    }
}
