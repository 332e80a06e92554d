//! INV-06: goods placed, then the member gone, then the household called; and
//! everything that the notification service says about goods at a door follows
//! from the member having left it.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Invariant, Source};
use proto::{
    AnyEvent, LogisticsEvent as L, NotificationEvent as N,
    notification::v1::NotificationKind as Kind,
};

use super::Found;
use crate::facts::{Fact, Facts};

#[derive(Default)]
struct Door {
    /// On which run the goods were placed, and where that stands.
    placed: Option<(String, Source)>,
    left: bool,
}

pub(crate) fn check(facts: &Facts) -> Found {
    let mut found = Found::new(Invariant::CalledAfterLeaving);
    at_the_door(facts, &mut found);
    what_was_said(facts, &mut found);
    found
}

fn at_the_door(facts: &Facts, found: &mut Found) {
    let mut doors = BTreeMap::<&str, Door>::new();
    for (fact, event) in facts.logistics() {
        let at = fact.at;
        let (id, fault) = match event {
            L::GoodsPlaced(e) => {
                let door = doors.entry(&e.order_id).or_default();
                door.placed = Some((e.run_id.clone(), at));
                continue;
            }
            L::AttemptFailed(e) => {
                doors.entry(&e.order_id).or_default().placed = None;
                continue;
            }
            L::DoorLeft(e) => {
                let door = doors.entry(&e.order_id).or_default();
                door.left = true;
                let fault = match door.placed.take() {
                    Some((run_id, _)) if run_id == e.run_id => None,
                    Some((run_id, placed)) => Some(format!(
                        "the door was left on run {} at {at}, the goods were placed on run \
                         {run_id} at {placed}",
                        e.run_id
                    )),
                    None => Some(format!(
                        "the door was left at {at}, but no goods were placed before"
                    )),
                };
                (&e.order_id, fault)
            }
            L::HouseholdCalled(e) => {
                let left = doors.entry(&e.order_id).or_default().left;
                (&e.order_id, told(facts, fact, &e.order_id, left, "called"))
            }
            L::DeliveryCollected(e) => {
                let left = doors.entry(&e.order_id).or_default().left;
                let fault = told(facts, fact, &e.order_id, left, "said to have the goods");
                (&e.order_id, fault)
            }
            _ => continue,
        };
        found.facts += 1;
        if let Some(fault) = fault {
            found.violated(format!("parcel/{id}"), fault);
        }
    }
}

fn told(facts: &Facts, fact: &Fact, id: &str, left: bool, what: &str) -> Option<String> {
    let at = fact.at;
    if !left {
        return Some(format!(
            "the household was {what} at {at} before a member had left its door"
        ));
    }
    let heard = facts.cause(fact).is_some_and(|cause| match &cause.event {
        AnyEvent::Notification(N::MessageSent(e)) => e.order_id == id,
        AnyEvent::Notification(N::NotificationAcknowledged(e)) => e.order_id == id,
        AnyEvent::Notification(N::CallTaskCompleted(e)) => e.order_id == id,
        AnyEvent::Notification(N::VisitCompleted(e)) => e.order_id == id,
        _ => false,
    });
    (!heard).then(|| {
        format!(
            "the household was {what} at {at} because of {}, which says nothing of the kind",
            fact.record.cause
        )
    })
}

fn what_was_said(facts: &Facts, found: &mut Found) {
    let mut asked = BTreeSet::<&str>::new();
    for (fact, event) in facts.notification() {
        let at = fact.at;
        let (id, said) = match event {
            N::NotificationRequested(e) if e.kind() == Kind::GoodsAtDoor => {
                found.facts += 1;
                asked.insert(&e.notification_id);
                let left = facts.cause(fact).is_some_and(|cause| {
                    matches!(&cause.event, AnyEvent::Logistics(L::DoorLeft(door))
                        if door.order_id == e.order_id)
                });
                if !left {
                    let detail = format!(
                        "the household of order {} is to be told of its goods at {at} because of \
                         {}, which is no door left with them",
                        e.order_id, fact.record.cause
                    );
                    found.violated(format!("notification/{}", e.notification_id), detail);
                }
                continue;
            }
            N::MessageSent(e) if e.kind() == Kind::GoodsAtDoor => (&e.notification_id, "messaged"),
            N::CallTaskCompleted(e) if e.kind() == Kind::GoodsAtDoor => {
                (&e.notification_id, "telephoned")
            }
            N::VisitCompleted(e) if e.kind() == Kind::GoodsAtDoor => {
                (&e.notification_id, "visited")
            }
            _ => continue,
        };
        found.facts += 1;
        if !asked.contains(id.as_str()) {
            let detail = format!("the household was {said} at {at}, which nothing had asked for");
            found.violated(format!("notification/{id}"), detail);
        }
    }
}
