//! The town's surplus under audit: prices (INV-14) and units (INV-16) hold, and
//! whoever alters them is told apart.

use audit::{History, LogName, Status, reconcile};
use bytes::Bytes;
use decider::Invariant as I;
use prost::{Message, Name};
use proto::{
    inventory::v1::{MatchDelivered, MatchProposed, PriceCapBreached, SurplusExpired},
    record,
};

use crate::story;

fn logs() -> Vec<(LogName, Vec<Bytes>)> {
    story::day().logs().collect()
}

/// The logs with the first such event changed.
fn altered<M: Message + Name + Default>(change: impl FnOnce(&mut M)) -> History {
    let mut logs = logs();
    let mut records = logs.iter_mut().flat_map(|(_, records)| records);
    let (raw, bytes) = records
        .find_map(|bytes| {
            let raw = record::decode(bytes).expect("a record");
            (raw.event.type_name == M::full_name()).then_some((raw, bytes))
        })
        .expect("the town has such an event");
    let mut raw = raw;
    let mut event = M::decode(&*raw.event.data).expect("an event");
    change(&mut event);
    raw.event.data = event.encode_to_vec();
    *bytes = record::encode(&raw).into();
    History::from_bytes(logs)
}

fn found(history: &History, invariant: I) -> Vec<String> {
    let report = reconcile(history, None);
    let check = report.check(invariant).expect("it is checked");
    let found = check.violations.iter();
    found.map(ToString::to_string).collect()
}

#[test]
fn the_trade_of_the_town_holds() {
    let report = reconcile(&History::from_bytes(logs()), None);
    for invariant in [I::PriceCapSpeaks, I::SurplusConserved] {
        let check = report.check(invariant).expect("it is checked");
        assert_eq!(check.status, Status::Holds, "{check:#?}");
        assert!(check.facts > 10, "{check:#?}");
    }
}

#[test]
fn a_price_that_passed_its_cap_silently_is_found() {
    let silent = altered(|e: &mut PriceCapBreached| e.price_fen_per_kg -= 1);
    let found = found(&silent, I::PriceCapSpeaks);
    assert!(found[0].contains("nothing says so"), "{found:#?}");
}

#[test]
fn more_than_was_open_is_found() {
    let more = altered(|e: &mut MatchProposed| e.quantity_units += 1);
    let found = found(&more, I::SurplusConserved);
    assert!(found[0].contains("were open"), "{found:#?}");
}

#[test]
fn a_delivery_that_differs_from_its_hand_over_is_found() {
    let better = altered(|e: &mut MatchDelivered| {
        e.accepted_units += 1;
        e.damaged_units -= 1;
    });
    let found = found(&better, I::SurplusConserved);
    assert!(found[0].contains("by the hand-over"), "{found:#?}");
}

#[test]
fn less_that_spoiled_than_was_there_is_found() {
    let less = altered(|e: &mut SurplusExpired| e.quantity_units -= 1);
    let found = found(&less, I::SurplusConserved);
    assert!(found[0].contains("went with it"), "{found:#?}");
}
