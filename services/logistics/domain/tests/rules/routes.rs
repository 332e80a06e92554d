//! S08, S13: what is dispatched on a trunk route becomes loads.

use decider::{Domain, EventSet};
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{Place, PlaceKind, ShipmentState, WaitReason},
};

use crate::{
    haulage::{self, decline, minutes, offer, refused, tendered},
    trunk::*,
    world::*,
};

#[test]
fn without_a_route_goods_go_on_as_ever() {
    let mut spec = haulage::haulage();
    let heard = spec.react(
        decider::Service::Inventory,
        dispatched("o-1", &door("E1", "1"), &set("o-1")),
    );
    let events = heard.into_iter().next().expect("heard").expect("accepted");
    assert!(matches!(&events[..], [LogisticsEvent::ParcelExpected(_)]));
    spec.elapse(hours(24));
    assert_eq!(shipments(&spec), vec![]);
    assert_eq!(waiting(&spec), vec![]);
}

#[test]
fn a_route_is_opened_once_and_makes_sense() {
    let mut spec = town();
    spec.when(open(ROUTE, trunk_plan()).into()).then([]);
    let longer = || RoutePlan {
        to: hours(5),
        ..trunk_plan()
    };
    assert_eq!(
        refused(&mut spec, open(ROUTE, longer())),
        "ALREADY_REGISTERED"
    );
    assert_eq!(
        refused(&mut spec, open("second", trunk_plan())),
        "ROUTE_CONFLICT"
    );
    let elsewhere = |kind: PlaceKind| {
        let holder_id = "bureau-2".into();
        let kind = kind.into();
        (holder_id, kind)
    };
    let (holder_id, kind) = elsewhere(PlaceKind::Buyer);
    let from_buyer = RoutePlan {
        holder_id,
        origin: Place {
            kind,
            ..trunk_plan().origin
        },
        ..trunk_plan()
    };
    assert_eq!(refused(&mut spec, open("r2", from_buyer)), "ROUTE_INVALID");
    let (holder_id, kind) = elsewhere(PlaceKind::Buyer);
    let to_buyer = RoutePlan {
        holder_id,
        destination: Place {
            kind,
            ..trunk_plan().destination
        },
        ..trunk_plan()
    };
    assert_eq!(refused(&mut spec, open("r2", to_buyer)), "ROUTE_INVALID");
    let mut unknown = RoutePlan {
        holder_id: "bureau-2".into(),
        ..trunk_plan()
    };
    unknown.destination.place_id = "cp-9".into();
    assert_eq!(
        refused(&mut spec, open("r2", unknown)),
        "CHECKPOINT_UNKNOWN"
    );
    let past = RoutePlan {
        holder_id: "bureau-2".into(),
        to: minutes(-5),
        from: minutes(-60),
        ..trunk_plan()
    };
    assert_eq!(refused(&mut spec, open("r2", past)), "TIMES_INVALID");
}

#[test]
fn goods_wait_for_their_window_and_become_one_load_with_its_manifest() {
    let mut spec = town();
    let ids = orders(3);
    spec.context.now = minutes(10);
    send(&mut spec, &ids);
    let expected: Vec<_> = ids
        .iter()
        .map(|id| (id.clone(), WaitReason::WindowOpen))
        .collect();
    assert_eq!(waiting(&spec), expected);
    spec.elapse(minutes(59));
    assert_eq!(shipments(&spec), vec![]);

    spec.elapse(window(1));
    let made = only_shipment(&spec);
    assert_eq!(made.carrier(), Some("acme"), "drafted and tendered");
    assert_eq!(made.load.order_ids, ids);
    assert_eq!(made.load.due, (window(1), minutes(150)));
    let [pickup] = &made.load.pickups[..] else {
        panic!("{:?}", made.load)
    };
    assert_eq!(
        (pickup.stop_id.as_str(), pickup.place.place_id.as_str()),
        (ROUTE, "depot")
    );
    assert_eq!((pickup.from, pickup.to), (window(1), minutes(90)));
    // A line for each product, with a label for each bag.
    let lines: Vec<_> = pickup
        .lines
        .iter()
        .map(|l| {
            (
                l.product_id.as_str(),
                l.quantity_units,
                l.weight_grams,
                l.labels.join(" "),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("p-1", 3, 15_000, "o001-1 o002-1 o003-1".to_owned()),
            ("p-2", 3, 30_000, "o001-2 o002-2 o003-2".to_owned()),
            ("p-3", 3, 15_000, "o001-3 o002-3 o003-3".to_owned()),
        ]
    );
    assert!(
        waiting(&spec)
            .iter()
            .all(|(_, why)| *why == WaitReason::Tendered)
    );
    // What comes now is for the next window.
    send(&mut spec, &["late".to_owned()]);
    spec.elapse(window(2));
    let all = shipments(&spec);
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].load.order_ids, ["late"]);
    assert_sound(&spec);
}

#[test]
fn a_full_load_does_not_wait_for_the_end_of_its_window() {
    let mut spec = town();
    spec.context.now = minutes(10);
    send(&mut spec, &orders(49));
    settle(&mut spec);
    assert_eq!(shipments(&spec), vec![], "980 of 1,000 kg");
    send(&mut spec, &["o050".to_owned()]);
    settle(&mut spec);
    let made = only_shipment(&spec);
    assert_eq!(made.load.weight(), Grams(1_000_000));
    assert_eq!(made.load.due.0, minutes(10));
    assert_eq!(waiting(&spec).len(), 50, "tendered, and no other");
}

#[test]
fn the_number_of_orders_bounds_a_load_too() {
    let mut spec = haulage::haulage();
    let few = RoutePlan {
        orders_max: 2,
        ..trunk_plan()
    };
    spec.accept(open(ROUTE, few).into());
    send(&mut spec, &orders(5));
    spec.elapse(window(1));
    let sizes: Vec<_> = shipments(&spec)
        .iter()
        .map(|s| s.load.order_ids.len())
        .collect();
    assert_eq!(sizes, [2, 2, 1]);
}

#[test]
fn a_load_is_no_larger_than_a_vehicle_on_offer_can_take() {
    let mut spec = haulage::haulage();
    let large = RoutePlan {
        weight_max: Grams(40_000_000),
        orders_max: 500,
        ..trunk_plan()
    };
    spec.accept(open(ROUTE, large).into());
    // 4.8 t; a vehicle takes 2 t, an offer 3 t.
    send(&mut spec, &orders(240));
    spec.elapse(window(1));
    let made = shipments(&spec);
    let weights: Vec<_> = made.iter().map(|s| s.load.weight().0 / 1000).collect();
    assert_eq!(weights, [2_000, 2_000, 800]);
    let carriers: Vec<_> = made.iter().filter_map(Shipment::carrier).collect();
    assert_eq!(carriers, ["acme", "bolt", "acme"], "the first with room");
}

#[test]
fn goods_of_several_origins_for_one_checkpoint_share_a_load() {
    let mut spec = town();
    for n in 2..=3 {
        let mut other = RoutePlan {
            holder_id: format!("bureau-{n}"),
            ..trunk_plan()
        };
        other.origin.place_id = format!("field-{n}");
        other.origin.kind = PlaceKind::Field.into();
        spec.accept(open(&format!("field-{n}-gate"), other).into());
    }
    for (order_id, holder) in [
        ("a", "bureau-2"),
        ("b", CARRIER),
        ("c", "bureau-3"),
        ("d", "bureau-2"),
    ] {
        let mut event = dispatched(order_id, &door("E1", order_id), &set(order_id));
        if let proto::AnyEvent::Inventory(proto::InventoryEvent::OrderDispatched(event)) =
            &mut event
        {
            event.custodian_id = holder.into();
        }
        let heard = spec.react(decider::Service::Inventory, event);
        assert!(heard.iter().all(Result::is_ok));
    }
    spec.elapse(window(1));
    let made = only_shipment(&spec);
    let stops: Vec<_> = made
        .load
        .pickups
        .iter()
        .map(|p| (p.stop_id.as_str(), p.lines[0].labels.join(" ")))
        .collect();
    assert_eq!(
        stops,
        [
            (ROUTE, "b-1".to_owned()),
            ("field-2-gate", "a-1 d-1".to_owned()),
            ("field-3-gate", "c-1".to_owned()),
        ]
    );
    assert_sound(&spec);
}

#[test]
fn what_no_load_may_carry_and_what_has_no_window_is_listed_with_the_reason() {
    let mut spec = town();
    let heavy: Vec<_> = (1..=50).map(|n| bag("heavy", n, 25)).collect();
    let heard = spec.react(
        decider::Service::Inventory,
        dispatched("heavy", &door("E1", "1"), &heavy),
    );
    assert!(heard.iter().all(Result::is_ok));
    spec.elapse(hours(5));
    send(&mut spec, &["late".to_owned()]);
    spec.elapse(hours(9));
    assert_eq!(
        waiting(&spec),
        [
            ("heavy".to_owned(), WaitReason::TooHeavy),
            ("late".to_owned(), WaitReason::NoWindow),
        ]
    );
    // The holder may still bring it himself.
    spec.accept(receive(vec![receipt("heavy", &[])]).into());
    // New windows and a larger load take what waits.
    let change = ChangeRoute {
        route_id: ROUTE.into(),
        plan: RoutePlan {
            to: hours(12),
            ..trunk_plan()
        },
    };
    spec.accept(change.clone().into());
    spec.when(change.into()).then([]);
    assert_eq!(
        waiting(&spec),
        [("late".to_owned(), WaitReason::WindowOpen)]
    );
    spec.elapse(hours(10));
    assert_eq!(only_shipment(&spec).load.order_ids, ["late"]);
}

#[test]
fn a_closed_route_leaves_goods_with_their_holder_and_loads_under_way() {
    let mut spec = town();
    send(&mut spec, &["early".to_owned()]);
    spec.elapse(window(1));
    send(&mut spec, &["late".to_owned()]);
    let close = || CloseRoute {
        route_id: ROUTE.into(),
        reason: "the road is snowed in".into(),
    };
    spec.accept(close().into());
    spec.when(close().into()).then([]);
    assert_eq!(waiting(&spec), [("early".to_owned(), WaitReason::Tendered)]);
    spec.accept(receive(vec![receipt("late", &[])]).into());
    let change = ChangeRoute {
        route_id: ROUTE.into(),
        plan: RoutePlan {
            to: hours(9),
            ..trunk_plan()
        },
    };
    assert_eq!(refused(&mut spec, change), "ROUTE_CLOSED");
    // Another may be opened for the same way.
    spec.accept(open("second", trunk_plan()).into());
}

#[test]
fn a_load_that_nobody_takes_waits_for_the_next_window_and_is_offered_again() {
    let mut spec = town();
    send(&mut spec, &orders(2));
    spec.elapse(window(1));
    let first = only_shipment(&spec).shipment_id;
    for (round, carrier_id) in (1..).zip(["acme", "bolt", "cart"]) {
        spec.accept(decline(&first, carrier_id, round).into());
    }
    assert_eq!(waiting(&spec)[0].1, WaitReason::NoCarrier);
    // Due by minute 150: until then it waits for somebody.
    spec.elapse(minutes(149));
    assert_eq!(shipments(&spec).len(), 1);
    spec.elapse(minutes(150));
    assert_eq!(
        haulage::shipment(&spec, &first).state,
        ShipmentState::Cancelled
    );
    assert_eq!(waiting(&spec)[0].1, WaitReason::WindowOpen);
    spec.elapse(window(3));
    let again = &shipments(&spec)[1];
    assert_eq!(again.load.order_ids, orders(2));
    assert_eq!(again.state, ShipmentState::Tendered);
    // After the last window they are listed, and not made loads of for ever.
    let id = again.shipment_id.clone();
    for (round, carrier_id) in (1..).zip(["acme", "bolt", "cart"]) {
        spec.accept(decline(&id, carrier_id, round).into());
    }
    spec.elapse(hours(100));
    assert_eq!(shipments(&spec).len(), 2);
    assert_eq!(waiting(&spec)[0].1, WaitReason::NoWindow);
}

#[test]
fn a_waiting_load_is_made_smaller_for_a_smaller_vehicle() {
    let mut spec = Spec::given([]);
    spec.accept(checkpoint().into());
    spec.accept(open(ROUTE, trunk_plan()).into());
    send(&mut spec, &orders(40));
    spec.elapse(window(1));
    let waits = only_shipment(&spec);
    assert_eq!(
        (waits.state, waits.load.weight()),
        (ShipmentState::Draft, Grams(800_000))
    );

    haulage::join(&mut spec, "tiny");
    // For less than a tenth of it nobody makes it smaller.
    spec.accept(offer("tiny", 20).into());
    assert_eq!(shipments(&spec).len(), 1);
    let events = spec.accept(offer("tiny", 500).into());
    assert!(matches!(
        &events[..],
        [
            LogisticsEvent::CapacityOffered(_),
            LogisticsEvent::ShipmentCancelled(_)
        ]
    ));
    settle(&mut spec);
    let made = shipments(&spec);
    let shapes: Vec<_> = made
        .iter()
        .map(|s| (s.state, s.load.weight().0 / 1000))
        .collect();
    assert_eq!(
        shapes,
        [
            (ShipmentState::Cancelled, 800),
            (ShipmentState::Tendered, 500),
            (ShipmentState::Draft, 300),
        ]
    );
    assert_eq!(waiting(&spec).len(), 40);
    assert_sound(&spec);
}

#[test]
fn a_load_that_an_offer_takes_is_not_made_smaller_for_what_is_left_of_it() {
    let mut spec = Spec::given([]);
    spec.accept(checkpoint().into());
    spec.accept(open(ROUTE, trunk_plan()).into());
    send(&mut spec, &orders(15));
    spec.elapse(window(1));
    haulage::join(&mut spec, "tiny");
    let events = spec.accept(offer("tiny", 500).into());
    assert_eq!(tendered(&events), Some(("tiny", 1)));
    assert_eq!(events.len(), 2, "{events:?}");
}

#[test]
fn a_manifest_fits_into_a_record_of_the_log() {
    let mut spec = haulage::haulage();
    let large = RoutePlan {
        weight_max: Grams(40_000_000),
        orders_max: 500,
        ..trunk_plan()
    };
    spec.accept(open(ROUTE, large).into());
    // Ids as long as those of life, and a kilogram in five bags of five kinds.
    for n in 0..600 {
        let order_id = format!("01GBY00RQ0000000000000{n:04}");
        let bags: Vec<_> = (1..=5).map(|n| bag(&order_id, n, 1)).collect();
        let event = dispatched(&order_id, &door("E1", &order_id), &bags);
        let heard = spec.react(decider::Service::Inventory, event);
        assert!(heard.iter().all(Result::is_ok));
    }
    let mut largest = 0;
    while let Some(at) = Logistics::next_due(&spec.state).filter(|at| *at <= window(1)) {
        spec.context.now = spec.context.now.max(at);
        for due in Logistics::due(&spec.state, spec.context.now) {
            let events = spec.run(due.command).expect("carried out");
            let bytes: usize = events.iter().map(|event| event.encode().len() + 300).sum();
            largest = largest.max(bytes);
        }
    }
    assert!((36_000..60 * 1024).contains(&largest), "{largest} bytes");
    assert_eq!(waiting(&spec).len(), 600);
    assert!(shipments(&spec).len() >= 2);
}

#[test]
fn a_load_of_dispatched_goods_is_not_rewritten_by_hand() {
    let mut spec = town();
    send(&mut spec, &orders(2));
    spec.elapse(window(1));
    let made = only_shipment(&spec);
    let mut load = made.load.clone();
    load.pickups[0].lines.pop();
    let change = ChangeLoad {
        shipment_id: made.shipment_id.clone(),
        load,
    };
    assert_eq!(refused(&mut spec, change), "LOAD_INVALID");
    let alone = receive(vec![receipt("o001", &[])]);
    assert_eq!(refused(&mut spec, alone), "PARCEL_ON_LOAD");
    let cancel = CancelShipment {
        shipment_id: made.shipment_id,
        reason: "another way".into(),
    };
    let events = spec.accept(cancel.into());
    assert_eq!(tendered(&events), None);
    assert_eq!(
        waiting(&spec)[0].1,
        WaitReason::WindowOpen,
        "for the next window"
    );
}
