//! INV-08: every door that was left has its evidence (a receipt, an answered
//! call, a visit), or its notification is still on the ladder towards one.

use std::collections::BTreeMap;

use decider::{Invariant, Service, Source};
use proto::{
    AnyEvent, LogisticsEvent as L, NotificationEvent as N, OrderEvent,
    notification::v1::{CallOutcome, NotificationKind as Kind},
};

use super::Found;
use crate::{
    facts::{Fact, Facts},
    time,
};

struct Ladder {
    order_id: String,
    needs_receipt: bool,
    /// What is awaited, for a person.
    step: String,
    evidence: Option<Source>,
    /// A message ended it although a receipt was called for.
    only_sent: Option<Source>,
}

pub(crate) fn check(facts: &Facts) -> Found {
    let mut found = Found::new(Invariant::ReceiptOrVisit);
    let ladders = ladders(facts);
    let mut by_order = BTreeMap::<&str, Vec<&Ladder>>::new();
    for ladder in ladders.values() {
        by_order.entry(&ladder.order_id).or_default().push(ladder);
    }
    for (fact, event) in facts.logistics() {
        match event {
            L::DoorLeft(e) => {
                found.facts += 1;
                let ladders = by_order.get(e.order_id.as_str()).map_or(&[][..], |l| l);
                door(facts, &fact.at, &e.order_id, ladders, &mut found);
            }
            L::DeliveryCollected(e) => collected(facts, fact, e, &mut found),
            _ => {}
        }
    }
    for (fact, event) in facts.order() {
        let OrderEvent::OrderCollected(e) = event else {
            continue;
        };
        let told = facts.cause(fact).is_some_and(|cause| {
            matches!(&cause.event, AnyEvent::Logistics(L::DeliveryCollected(c))
                if c.order_id == e.order_id && c.evidence == e.evidence)
        });
        if !told {
            let detail = format!(
                "collected at {} by {} because of {}, which does not say so",
                fact.at, e.evidence, fact.record.cause
            );
            found.violated(format!("order/{}", e.order_id), detail);
        }
    }
    found
}

fn door(facts: &Facts, left: &Source, id: &str, ladders: &[&Ladder], found: &mut Found) {
    if ladders.iter().any(|ladder| ladder.evidence.is_some()) {
        return;
    }
    let entity = format!("order/{id}");
    if let Some(ladder) = ladders.first() {
        return match ladder.only_sent {
            Some(at) => found.violated(
                entity,
                format!(
                    "its notification ended at {at} with a message, without a receipt or visit"
                ),
            ),
            None => found.pending(format!("{entity}: {}", ladder.step)),
        };
    }
    if facts.is_taken_in(Service::Notification, left) {
        let refusal = facts.refusal(Service::Notification, left);
        let detail = format!(
            "the door was left at {left}, but the notification service told nobody{refusal}"
        );
        found.violated(entity, detail);
    } else {
        found.pending(format!(
            "{entity}: the notification service has not taken in {left} yet"
        ));
    }
}

/// All notifications about goods at a door, as far as they have come.
fn ladders(facts: &Facts) -> BTreeMap<&str, Ladder> {
    let mut ladders = BTreeMap::<&str, Ladder>::new();
    for (fact, event) in facts.notification() {
        let at = fact.at;
        let since = time::full(fact.record.recorded);
        if let N::NotificationRequested(e) = event {
            if e.kind() == Kind::GoodsAtDoor {
                ladders.entry(&e.notification_id).or_insert_with(|| Ladder {
                    order_id: e.order_id.clone(),
                    needs_receipt: e.needs_receipt,
                    step: format!("a message is to be sent since {since}"),
                    evidence: None,
                    only_sent: None,
                });
            }
            continue;
        }
        let Some(ladder) = id(event).and_then(|id| ladders.get_mut(id)) else {
            continue;
        };
        match event {
            N::MessageSent(_) if !ladder.needs_receipt => ladder.only_sent = Some(at),
            N::MessageSent(_) => ladder.step = format!("a receipt is awaited since {since}"),
            N::CallTaskOpened(_) => ladder.step = format!("a call is to be made since {since}"),
            N::VisitOpened(e) => {
                ladder.step = format!("a visit by {} is to be made since {since}", e.cadre_id);
            }
            _ => {}
        }
        if evidence(event).is_some() {
            ladder.evidence.get_or_insert(at);
        }
    }
    ladders
}

fn id(event: &N) -> Option<&str> {
    Some(match event {
        N::MessageSent(e) => &e.notification_id,
        N::MessageFailed(e) => &e.notification_id,
        N::NotificationAcknowledged(e) => &e.notification_id,
        N::CallTaskOpened(e) => &e.notification_id,
        N::CallTaskCompleted(e) => &e.notification_id,
        N::VisitOpened(e) => &e.notification_id,
        N::VisitCompleted(e) => &e.notification_id,
        N::NotificationRequested(_)
        | N::ContactRecorded(_)
        | N::ContactCadreChanged(_)
        | N::ContactErased(_) => return None,
    })
}

/// Of which order an event is the evidence, and in which word.
fn evidence(event: &N) -> Option<(&str, &'static str)> {
    match event {
        N::NotificationAcknowledged(e) => Some((&e.order_id, "receipt")),
        N::CallTaskCompleted(e) if e.outcome() == CallOutcome::Answered => {
            Some((&e.order_id, "call"))
        }
        N::VisitCompleted(e) => Some((&e.order_id, "visit")),
        _ => None,
    }
}

fn collected(
    facts: &Facts,
    fact: &Fact,
    event: &proto::logistics::v1::DeliveryCollected,
    found: &mut Found,
) {
    let given = facts.cause(fact).and_then(|cause| match &cause.event {
        AnyEvent::Notification(said) => evidence(said),
        _ => None,
    });
    if given != Some((&event.order_id, event.evidence.as_str())) {
        let detail = format!(
            "collected at {} by {} because of {}, which is no such evidence",
            fact.at, event.evidence, fact.record.cause
        );
        found.violated(format!("parcel/{}", event.order_id), detail);
    }
}
