//! Confirmed matches of surplus become loads (S13, S15).

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use decider::{Domain, Service, Timestamp, spec::START};
use logistics_domain::*;
use proptest::prelude::*;
use proto::{
    AnyEvent, InventoryEvent, LogisticsEvent,
    inventory::v1::{MatchConfirmed, MatchingClosed, Spot},
    logistics::v1::{PlaceKind, ShipmentState},
    time::to_proto,
};

use crate::{
    haulage::*,
    world::{Spec, area, hours},
};

/// 30 kg of radish from `field` to `buyer`, which receives from hour 3 to 6 and
/// waits for others for 15 minutes.
fn confirmed(spec: &Spec, id: &str, field: &str, buyer: &str) -> MatchConfirmed {
    let now = spec.context.now;
    let spot = |place_id: &str| {
        Some(Spot {
            place_id: place_id.into(),
            zone: "north".into(),
        })
    };
    MatchConfirmed {
        match_id: id.into(),
        product_id: "radish".into(),
        quantity_units: 3,
        weight_grams: 30_000,
        pickup: spot(field),
        pickup_from_time: Some(to_proto(hours(0))),
        pickup_to_time: Some(to_proto(hours(5))),
        destination: spot(buyer),
        due_from_time: Some(to_proto(hours(3))),
        due_to_time: Some(to_proto(hours(6))),
        load_by_time: Some(to_proto(now.plus_minutes(15))),
        ..MatchConfirmed::default()
    }
}

fn hear(spec: &mut Spec, event: impl Into<InventoryEvent>) -> Vec<LogisticsEvent> {
    let answers = spec.react(Service::Inventory, AnyEvent::Inventory(event.into()));
    let events = answers
        .into_iter()
        .map(|answer| answer.expect("no refusal"));
    events.flatten().collect()
}

fn shipments(spec: &Spec) -> Vec<Shipment> {
    let here = area();
    let all = spec.state.shipments_after(&here, None);
    all.map(Cow::into_owned).collect()
}

fn lines(shipment: &Shipment) -> Vec<&str> {
    let lines = shipment.load.lines();
    lines.map(|line| line.line_id.as_str()).collect()
}

#[test]
fn matches_of_one_buyer_and_window_go_together_when_they_have_waited() {
    let mut spec = Spec::given([]);
    for (id, field) in [("M-1", "farm-1"), ("M-2", "farm-2")] {
        let event = confirmed(&spec, id, field, "hotel");
        hear(&mut spec, event);
    }
    let event = confirmed(&spec, "M-3", "farm-3", "plant");
    hear(&mut spec, event);
    assert_eq!(shipments(&spec).len(), 0, "they wait");
    spec.elapse(START.plus_minutes(14));
    assert_eq!(shipments(&spec).len(), 0);
    spec.elapse(START.plus_minutes(15));
    let all = shipments(&spec);
    let mut loads: Vec<_> = all.iter().map(lines).collect();
    loads.sort_unstable();
    assert_eq!(loads, [vec!["M-1", "M-2"], vec!["M-3"]]);
    let together = all.iter().find(|s| lines(s).len() == 2).expect("a load");
    assert_eq!(together.load.pickups.len(), 2);
    assert_eq!(together.load.destination.place_id, "hotel");
    assert_eq!(together.load.destination.kind(), PlaceKind::Buyer);
    assert_eq!(together.load.due, (hours(3), hours(6)));
    assert_eq!(together.load.weight(), Grams(60_000));
    assert_eq!(Logistics::next_due(&spec.state), None);
}

#[test]
fn another_window_or_another_area_is_another_load() {
    let mut spec = Spec::given([]);
    let first = confirmed(&spec, "M-1", "farm-1", "hotel");
    let mut other = confirmed(&spec, "M-2", "farm-2", "hotel");
    other.due_to_time = Some(to_proto(hours(7)));
    hear(&mut spec, first);
    hear(&mut spec, other);
    let elsewhere = confirmed(&spec, "M-3", "farm-3", "hotel");
    spec.context.area = decider::Area::new("110101001").expect("nine digits");
    hear(&mut spec, elsewhere);
    let timers = Logistics::due(&spec.state, Timestamp(i64::MAX));
    assert_eq!(timers.len(), 3, "three loads wait");
}

#[test]
fn goods_of_one_field_are_one_stop_where_their_times_allow_it() {
    let mut spec = Spec::given([]);
    for id in ["M-1", "M-2"] {
        let mut event = confirmed(&spec, id, "farm-1", "hotel");
        if id == "M-2" {
            event.pickup_from_time = Some(to_proto(hours(2)));
        }
        hear(&mut spec, event);
    }
    // Fetched together with the first, which is there then too.
    let mut early = confirmed(&spec, "M-3", "farm-1", "hotel");
    early.pickup_to_time = Some(to_proto(hours(2)));
    hear(&mut spec, early);
    spec.elapse(START.plus_minutes(15));
    let all = shipments(&spec);
    let [shipment] = &all[..] else {
        panic!("one load, not {}", all.len());
    };
    let stops = &shipment.load.pickups;
    let told: Vec<_> = stops
        .iter()
        .map(|stop| (stop.lines.len(), stop.from, stop.to))
        .collect();
    assert_eq!(told, [(2, hours(0), hours(2)), (1, hours(2), hours(5))]);
}

#[test]
fn a_load_with_ten_stops_does_not_wait() {
    let mut spec = Spec::given([]);
    let mut events = Vec::new();
    for n in 0..11 {
        let event = confirmed(&spec, &format!("M-{n}"), &format!("farm-{n}"), "hotel");
        events.push(hear(&mut spec, event));
    }
    let drafted = |events: &[LogisticsEvent]| {
        let drafted = |e: &LogisticsEvent| matches!(e, LogisticsEvent::ShipmentDrafted(_));
        events.iter().any(drafted)
    };
    let at: Vec<_> = (0..11).filter(|n| drafted(&events[*n])).collect();
    assert_eq!(at, [9], "with the tenth");
    assert_eq!(shipments(&spec).len(), 1);
    spec.elapse(START.plus_minutes(15));
    assert_eq!(shipments(&spec).len(), 2);
}

#[test]
fn what_would_overload_a_lorry_begins_another_load() {
    let mut spec = Spec::given([]);
    for (id, grams) in [("M-1", 6_000_000), ("M-2", 5_000_000), ("M-3", 12_000_000)] {
        let mut event = confirmed(&spec, id, "farm-1", "hotel");
        event.weight_grams = grams;
        hear(&mut spec, event);
    }
    assert_eq!(shipments(&spec).len(), 2, "those that are full have left");
    spec.elapse(START.plus_minutes(15));
    let all = shipments(&spec);
    let mut loads: Vec<_> = all.iter().map(lines).collect();
    loads.sort_unstable();
    assert_eq!(loads, [["M-1"], ["M-2"], ["M-3"]]);
}

#[test]
fn nobody_waits_when_the_area_proposes_no_more() {
    let mut spec = Spec::given([]);
    let event = confirmed(&spec, "M-1", "farm-1", "hotel");
    hear(&mut spec, event);
    let closed = MatchingClosed {
        area: area().to_string(),
    };
    assert_eq!(hear(&mut spec, closed.clone()).len(), 1);
    spec.elapse(START);
    assert_eq!(shipments(&spec).len(), 1);
    assert_eq!(hear(&mut spec, closed), []);
}

#[test]
fn a_draft_comes_early_enough_for_a_vehicle() {
    let mut spec = Spec::given([]);
    let mut event = confirmed(&spec, "M-1", "farm-1", "hotel");
    event.pickup_to_time = Some(to_proto(START.plus_minutes(70)));
    hear(&mut spec, event);
    assert_eq!(
        Logistics::next_due(&spec.state),
        Some(START.plus_minutes(10))
    );
}

#[test]
fn it_is_tendered_at_once_to_who_has_the_capacity() {
    let mut spec = haulage();
    let mut event = confirmed(&spec, "M-1", "farm-1", "hotel");
    for spot in [&mut event.pickup, &mut event.destination] {
        spot.as_mut().expect("a place").zone = ZONES[0].into();
    }
    hear(&mut spec, event);
    let due = Logistics::next_due(&spec.state).expect("it waits");
    spec.elapse(due);
    let [shipment] = &shipments(&spec)[..] else {
        panic!("one load");
    };
    assert_eq!(shipment.state, ShipmentState::Tendered);
}

#[test]
fn a_shipment_that_somebody_drafts_by_hand_takes_its_matches_along() {
    let mut spec = Spec::given([]);
    for id in ["M-1", "M-2"] {
        let event = confirmed(&spec, id, "farm-1", "hotel");
        hear(&mut spec, event);
    }
    let mut by_hand = one_farm();
    by_hand.pickups[0].lines[0].line_id = "M-1".into();
    spec.accept(draft(by_hand));
    spec.elapse(START.plus_minutes(15));
    let mut loads: Vec<_> = shipments(&spec)
        .iter()
        .map(|s| s.load.lines().count())
        .collect();
    loads.sort_unstable();
    let all = shipments(&spec);
    let of = |id: &str| all.iter().filter(|s| lines(s).contains(&id)).count();
    assert_eq!((of("M-1"), of("M-2")), (1, 1), "each once");
}

#[test]
fn a_match_that_carries_nothing_is_refused() {
    let mut spec = Spec::given([]);
    let mut event = confirmed(&spec, "M-1", "farm-1", "hotel");
    event.weight_grams = 0;
    let answers = spec.react(Service::Inventory, AnyEvent::Inventory(event.into()));
    assert!(matches!(&answers[..], [Err(Rejection::Freight(_))]));
}

#[test]
fn one_line_tells_what_waits() {
    let mut spec = Spec::given([]);
    let event = confirmed(&spec, "M-1", "farm-1", "hotel");
    hear(&mut spec, event);
    let told = |spec: &Spec| crate::world::describe(spec, "match-load", "M-1");
    let line = told(&spec).expect("a line");
    assert!(
        line.starts_with("1 matches of 30000 g wait for a load to hotel"),
        "{line}"
    );
    spec.elapse(START.plus_minutes(15));
    let line = told(&spec).expect("a line");
    assert_eq!(line, "nothing waits for this load any more");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Field, buyer, tons, minutes that pass.
    #[test]
    fn every_match_is_carried_once_with_its_like(
        steps in prop::collection::vec((0..14usize, 0..3usize, 1..4_000_i64, 0..6_i64), 1..80)
    ) {
        let mut spec = Spec::given([]);
        let mut buyers = BTreeMap::new();
        for (n, (field, buyer, kilograms, minutes)) in steps.into_iter().enumerate() {
            let id = format!("M-{n:02}");
            let buyer = format!("buyer-{buyer}");
            let mut event = confirmed(&spec, &id, &format!("farm-{field}"), &buyer);
            event.weight_grams = kilograms * 1_000;
            hear(&mut spec, event);
            buyers.insert(id, buyer);
            let then = spec.context.now.plus_minutes(minutes);
            spec.elapse(then);
        }
        let end = spec.context.now.plus_minutes(15);
        spec.elapse(end);
        let all = shipments(&spec);
        let mut carried = BTreeSet::new();
        for shipment in &all {
            prop_assert!(shipment.load.pickups.len() <= LOAD_PICKUPS_MAX);
            let single = shipment.load.lines().count() == 1;
            prop_assert!(single || shipment.load.weight() <= Grams(10_000_000));
            let stops: BTreeSet<_> = shipment.load.pickups.iter().map(|p| &p.stop_id).collect();
            prop_assert_eq!(stops.len(), shipment.load.pickups.len());
            for id in lines(shipment) {
                prop_assert_eq!(&buyers[id], &shipment.load.destination.place_id);
                prop_assert!(carried.insert(id.to_owned()), "{} twice", id);
            }
        }
        prop_assert_eq!(carried.len(), buyers.len());
    }
}
