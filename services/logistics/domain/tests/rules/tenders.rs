//! Carriers, capacity and tenders (S15).

use decider::{Domain, Rejected};
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{ShipmentState, WithdrawReason},
};

use crate::{
    haulage::*,
    world::{Spec, area, hours},
};

#[test]
fn a_firm_is_registered_once() {
    let mut spec = haulage();
    let again = RegisterCarrier {
        carrier_id: "acme".into(),
        name: "ACME".into(),
    };
    spec.when(again.clone().into()).then([]);
    let other = RegisterCarrier {
        name: "Another".into(),
        ..again
    };
    assert_eq!(refused(&mut spec, other), "ALREADY_REGISTERED");
}

#[test]
fn a_load_is_offered_to_the_first_of_equals_and_to_the_next_when_declined() {
    let mut spec = haulage();
    let events = spec.accept(draft(one_farm()));
    let id = drafted(&events);
    assert_eq!(tendered(&events), Some(("acme", 1)));
    let events = spec.accept(decline(&id, "acme", 1).into());
    assert_eq!(tendered(&events), Some(("bolt", 2)));
    let events = spec.accept(decline(&id, "bolt", 2).into());
    assert_eq!(tendered(&events), Some(("cart", 3)));
    let events = spec.accept(decline(&id, "cart", 3).into());
    assert_eq!(tendered(&events), None);
    assert_eq!(shipment(&spec, &id).state, ShipmentState::Draft);

    // Whoever declined is not asked again by itself; somebody new is.
    let events = spec.accept(offer("acme", 9_000).into());
    assert_eq!(tendered(&events), None);
    join(&mut spec, "dray");
    let events = spec.accept(offer("dray", 9_000).into());
    assert_eq!(tendered(&events), Some(("dray", 4)));
}

#[test]
fn who_declined_before_comes_after_who_did_not() {
    let mut spec = haulage();
    let id = drafted(&spec.accept(draft(one_farm())));
    spec.accept(decline(&id, "acme", 1).into());
    let events = spec.accept(draft(one_farm()));
    assert_eq!(tendered(&events), Some(("bolt", 1)));
}

#[test]
fn capacity_is_used_up_and_given_back() {
    let mut spec = haulage();
    for name in ["acme", "acme", "acme", "bolt"] {
        let events = spec.accept(draft(one_farm()));
        assert_eq!(tendered(&events), Some((name, 1)));
    }
    let used = |spec: &Spec| {
        let carrier = spec.state.carrier(&area(), "acme").expect("known");
        carrier
            .offers
            .values()
            .map(|offer| offer.used)
            .sum::<Grams>()
    };
    assert_eq!(used(&spec), Grams(3_000_000));
    spec.elapse(minutes(ANSWER_MINUTES));
    assert_eq!(used(&spec), Grams::ZERO);
}

#[test]
fn without_an_answer_it_goes_to_the_next_and_an_answer_is_too_late() {
    let mut spec = haulage();
    let id = drafted(&spec.accept(draft(one_farm())));
    spec.elapse(minutes(ANSWER_MINUTES));
    assert_eq!(shipment(&spec, &id).carrier(), Some("bolt"));
    // To `acme` the shipment is another firm's now.
    assert_eq!(
        refused(&mut spec, accept(&id, "acme", 1)),
        "SHIPMENT_UNKNOWN"
    );
    assert_eq!(refused(&mut spec, accept(&id, "bolt", 1)), "TENDER_OVER");
    spec.accept(accept(&id, "bolt", 2).into());
    spec.when(accept(&id, "bolt", 2).into()).then([]);
    spec.elapse(hours(1));
    assert_eq!(shipment(&spec, &id).state, ShipmentState::Accepted);
}

#[test]
fn a_changed_load_is_tendered_again_to_the_same_firm() {
    let mut spec = haulage();
    let (id, pass_id) = assigned(&mut spec, one_farm());
    let change = ChangeLoad {
        shipment_id: id.clone(),
        load: load(vec![pickup("a", 1_500)]),
    };
    let events = spec.accept(change.clone().into());
    assert!(matches!(&events[0], LogisticsEvent::TenderWithdrawn(e)
        if e.reason() == WithdrawReason::LoadChanged));
    assert_eq!(tendered(&events), Some(("acme", 2)));
    assert!(shipment(&spec, &id).resources.is_none());
    assert_eq!(refused(&mut spec, accept(&id, "acme", 1)), "TENDER_OVER");
    spec.when(change.into()).then([]);
    spec.accept(accept(&id, "acme", 2).into());
    spec.accept(assign(&id, "acme", &pass_id).into());
}

/// What a firm has booked on its offers.
fn used(spec: &Spec, carrier_id: &str) -> Grams {
    let carrier = spec.state.carrier(&area(), carrier_id).expect("known");
    carrier.offers.values().map(|offer| offer.used).sum()
}

#[test]
fn a_changed_load_stays_booked_on_the_offer_or_goes_to_who_has_room() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let change = |kilograms| ChangeLoad {
        shipment_id: id.clone(),
        load: load(vec![pickup("a", kilograms)]),
    };
    spec.accept(change(1_500).into());
    assert_eq!(used(&spec, "acme"), Grams(1_500_000));
    // The rest of the offer is used up, so that a larger load has no room.
    spec.accept(draft(load(vec![pickup("a", 1_500)])));
    assert_eq!(used(&spec, "acme"), Grams(3_000_000));
    let events = spec.accept(change(2_000).into());
    assert_eq!(tendered(&events), Some(("bolt", 3)));
    assert_eq!(used(&spec, "acme"), Grams(1_500_000));
    assert_eq!(used(&spec, "bolt"), Grams(2_000_000));
}

#[test]
fn capacity_that_becomes_free_is_used_for_what_waits() {
    let mut spec = haulage();
    for carrier_id in ["bolt", "cart"] {
        let reason = "papers".into();
        let carrier_id = carrier_id.into();
        spec.accept(SuspendCarrier { carrier_id, reason }.into());
    }
    let two_tons = || draft(load(vec![pickup("a", 2_000)]));
    let first = drafted(&spec.accept(two_tons()));
    let events = spec.accept(two_tons());
    assert_eq!(tendered(&events), None, "3 t were offered");
    let second = drafted(&events);
    let mut declined = spec
        .run(decline(&first, "acme", 1).into())
        .expect("declined");
    let next = declined.pop().expect("a tender");
    assert!(matches!(&next, LogisticsEvent::ShipmentTendered(e)
        if e.shipment_id == second && e.carrier_id == "acme"));
    assert_eq!(used(&spec, "acme"), Grams(2_000_000));
    // Cancelling frees it too; and who declined once is not asked again.
    let cancel = CancelShipment {
        shipment_id: second,
        reason: "not needed".into(),
    };
    let events = spec.accept(cancel.into());
    assert_eq!(tendered(&events), None);
    assert_eq!(used(&spec, "acme"), Grams::ZERO);
    let third = spec.accept(two_tons());
    assert_eq!(tendered(&third), Some(("acme", 1)));
}

#[test]
fn a_suspended_firm_loses_its_tenders_and_is_offered_nothing() {
    let mut spec = haulage();
    let id = drafted(&spec.accept(draft(one_farm())));
    let suspend = SuspendCarrier {
        carrier_id: "acme".into(),
        reason: "papers".into(),
    };
    spec.accept(suspend.clone().into());
    spec.when(suspend.into()).then([]);
    assert_eq!(shipment(&spec, &id).state, ShipmentState::Draft);
    assert_eq!(
        refused(&mut spec, accept(&id, "acme", 1)),
        "CARRIER_SUSPENDED"
    );
    assert_eq!(refused(&mut spec, offer("acme", 1)), "CARRIER_SUSPENDED");
    let tender = |carrier_id: Option<&str>| TenderShipment {
        shipment_id: id.clone(),
        carrier_id: carrier_id.map(String::from),
    };
    assert_eq!(
        refused(&mut spec, tender(Some("acme"))),
        "CARRIER_SUSPENDED"
    );
    let events = spec.accept(tender(None).into());
    assert_eq!(tendered(&events), Some(("bolt", 2)));
    let carrier_id = "acme".into();
    spec.accept(ResumeCarrier { carrier_id }.into());
    spec.accept(offer("acme", 1).into());
}

#[test]
fn what_nobody_can_carry_waits_and_says_so() {
    let mut spec = haulage();
    let events = spec.accept(draft(load(vec![pickup("a", 5_000)])));
    assert_eq!(tendered(&events), None);
    let tender = TenderShipment {
        shipment_id: drafted(&events),
        carrier_id: None,
    };
    let refusal = spec.run(tender.into()).expect_err("too heavy");
    assert_eq!(refusal.reason(), "NOBODY_HAS_CAPACITY");
    assert!(refusal.to_string().contains("5000000 g"), "{refusal}");
    // A zone in which nobody drives.
    let mut elsewhere = one_farm();
    elsewhere.destination.zone = "pass-road".into();
    assert_eq!(tendered(&spec.accept(draft(elsewhere))), None);
}

#[test]
fn a_load_that_cannot_be_carried_is_refused_with_what_is_wrong() {
    let mut spec = haulage();
    let mut twice = load(vec![pickup("a", 1), pickup("a", 1)]);
    let mut empty = one_farm();
    empty.pickups[0].lines[0].quantity_units = 0;
    let mut backwards = one_farm();
    backwards.due = (hours(6), hours(3));
    for (load, why) in [
        (load(vec![]), "pickups are needed"),
        (twice.clone(), "stop a is named twice"),
        (empty, "carries nothing"),
        (backwards, "must end after it begins"),
    ] {
        let refusal = spec.run(draft(load)).expect_err("refused");
        assert_eq!(refusal.reason(), "LOAD_INVALID");
        assert!(refusal.to_string().contains(why), "{refusal}");
    }
    twice.pickups[1].stop_id = "b".into();
    let refusal = spec.run(draft(twice)).expect_err("refused");
    assert!(refusal.to_string().contains("line a-radish is named twice"));
}

#[test]
fn it_can_be_cancelled_until_something_is_loaded() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let cancel = CancelShipment {
        shipment_id: id.clone(),
        reason: "not needed".into(),
    };
    let mut early = haulage();
    let (early_id, _) = assigned(&mut early, one_farm());
    assert_eq!(early_id, id);
    early.accept(cancel.clone().into());
    early.when(cancel.clone().into()).then([]);
    assert_eq!(shipment(&early, &id).state, ShipmentState::Cancelled);

    drive(&mut spec, &id);
    assert_eq!(refused(&mut spec, cancel), "SHIPMENT_STATE");
    assert!(Logistics::violations(&spec.state).is_empty());
}

/// Areas of one partition are as far apart as those of two.
#[test]
fn a_firm_serves_several_areas_with_a_record_in_each() {
    let mut spec = haulage();
    let elsewhere = decider::Area::new("632725101").expect("an area");
    let here = std::mem::replace(&mut spec.context.area, elsewhere.clone());
    join(&mut spec, "acme");
    spec.accept(offer("acme", 5_000).into());
    let there = drafted(&spec.accept(draft(one_farm())));
    spec.accept(decline(&there, "acme", 1).into());
    let record = |spec: &Spec, area| spec.state.carrier(area, "acme").expect("known").record;
    assert_eq!(record(&spec, &elsewhere).declined, 1);
    assert_eq!(record(&spec, &here).declined, 0);

    // Its tenders here stay open when it is suspended there.
    spec.context.area = here.clone();
    let id = drafted(&spec.accept(draft(one_farm())));
    assert_eq!(shipment(&spec, &id).carrier(), Some("acme"));
    spec.context.area = elsewhere;
    spec.accept(
        SuspendCarrier {
            carrier_id: "acme".into(),
            reason: "papers".into(),
        }
        .into(),
    );
    assert_eq!(shipment(&spec, &id).carrier(), Some("acme"));
    let held: Vec<_> = spec.state.shipments_of(&here, "acme", None, None).collect();
    assert_eq!(held.len(), 1);
}
