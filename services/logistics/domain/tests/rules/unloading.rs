//! S16, INV-03: who has the parcels of a load, from the loading to the
//! hand-over at the checkpoint, and what becomes of bags that are not there.

use decider::Domain;
use logistics_domain::*;
use proto::{
    LogisticsEvent as E,
    logistics::v1::{
        BagCondition, BagReceipt, LineCount, LineReceipt, Milestone, ParcelState, ShipmentState,
    },
};

use crate::{
    haulage::{self, refused},
    trunk::*,
    world::*,
};

fn made(n: usize) -> (Spec, Shipment) {
    let mut spec = town();
    send(&mut spec, &orders(n));
    spec.elapse(window(1));
    let made = only_shipment(&spec);
    (spec, made)
}

/// Of the line of this product: `p-1`, `p-2`, `p-3`.
fn line_id(shipment: &Shipment, product_id: &str) -> String {
    let line = shipment
        .load
        .lines()
        .find(|line| line.product_id == product_id);
    line.expect("a line").line_id.clone()
}

fn labels(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

#[test]
fn the_carrier_has_the_parcels_from_the_loading_and_the_checkpoint_from_the_hand_over() {
    let (mut spec, made) = made(3);
    let id = &made.shipment_id;
    let carrier_id = set_out(&mut spec, &made);
    tell(&mut spec, id, Milestone::Departed, "");
    tell(&mut spec, id, Milestone::ArrivedPickup, ROUTE);
    assert_eq!(custodian(&spec, "o001"), "Carrier/bureau-1");
    tell(&mut spec, id, Milestone::Loaded, ROUTE);
    assert_eq!(custodian(&spec, "o001"), "Carrier/acme");
    assert_eq!(waiting(&spec), vec![]);
    arrive(&mut spec, id, &carrier_id);
    spec.accept(take_over(id, vec![]).into());
    settle(&mut spec);
    assert_eq!(states(&spec, &orders(3)), [ParcelState::Received; 3]);
    assert_eq!(custodian(&spec, "o003"), format!("Checkpoint/{CP}"));
    assert_eq!(spec.state.goods(&area()).count(), 0);
    spec.accept(disinfect(&["o001", "o002", "o003"]).into());
    assert_sound(&spec);
}

#[test]
fn a_load_of_many_orders_is_received_in_parts_in_the_same_moment() {
    let mut spec = haulage::haulage();
    let large = RoutePlan {
        weight_max: Grams(2_000_000),
        ..trunk_plan()
    };
    spec.accept(open(ROUTE, large).into());
    let ids = orders(100);
    send(&mut spec, &ids);
    settle(&mut spec);
    let made = only_shipment(&spec);
    carry(&mut spec, &made);
    let at = spec.context.now;
    spec.accept(take_over(&made.shipment_id, vec![]).into());
    assert_eq!(Logistics::next_due(&spec.state), Some(at), "owed at once");
    settle(&mut spec);
    assert_eq!(spec.context.now, at);
    assert!(
        states(&spec, &ids)
            .iter()
            .all(|state| *state == ParcelState::Received)
    );
    assert_sound(&spec);
}

#[test]
fn a_damaged_and_a_short_bag_go_the_way_of_every_such_bag() {
    let (mut spec, made) = made(3);
    let id = &made.shipment_id;
    carry(&mut spec, &made);
    let receipt = |line_id: String, damaged: &[&str], short: &[&str]| LineReceipt {
        line_id,
        accepted_units: 3 - i64::try_from(damaged.len() + short.len()).expect("few"),
        damaged_units: damaged.len().try_into().expect("few"),
        short_units: short.len().try_into().expect("few"),
        note: "seen at the gate".into(),
        bags: {
            let damaged = damaged
                .iter()
                .map(|l| BagReceipt::of(*l, BagCondition::Damaged));
            let short = short
                .iter()
                .map(|l| BagReceipt::of(*l, BagCondition::Missing));
            damaged.chain(short).collect()
        },
    };
    let rice = || line_id(&made, "p-1");
    // A number alone would let a bag get lost in silence.
    let unnamed = LineReceipt {
        bags: vec![],
        ..receipt(rice(), &[], &["o001-1"])
    };
    let cases = [vec![unnamed], vec![receipt(rice(), &["o001-2"], &[])]];
    for lines in cases {
        assert_eq!(refused(&mut spec, take_over(id, lines)), "COUNT_INVALID");
    }
    let twice = vec![receipt(rice(), &["o001-1"], &["o001-1"])];
    assert_eq!(refused(&mut spec, take_over(id, twice)), "LABEL_TWICE");
    let lines = vec![
        receipt(rice(), &["o001-1"], &["o002-1"]),
        receipt(line_id(&made, "p-2"), &[], &["o002-2"]),
    ];
    spec.accept(take_over(id, lines).into());
    settle(&mut spec);
    use ParcelState::{AwaitingReplacement, Received};
    let states = states(&spec, &orders(3));
    assert_eq!(states, [AwaitingReplacement, AwaitingReplacement, Received]);
    let awaited: Vec<_> = parcel(&spec, "o002").awaited.keys().cloned().collect();
    assert_eq!(awaited, ["o002-1", "o002-2"]);
    assert_eq!(parcel(&spec, "o001").bags.len(), 2);
    // The holder brings what stands in for it.
    let bag = pb_bag("o001-1r1");
    let sent = replacement_sent("o001", "o001-1", &bag);
    let heard = spec.react(decider::Service::Inventory, sent);
    assert!(heard.iter().all(Result::is_ok), "{heard:?}");
    spec.accept(crate::world::receive(vec![crate::world::receipt("o001", &[])]).into());
    assert_eq!(state_of(&spec, "o001"), Received);
    assert_sound(&spec);
}

fn pb_bag(label: &str) -> proto::logistics::v1::ParcelBag {
    proto::logistics::v1::ParcelBag {
        label: label.into(),
        ..bag("o001", 1, 5)
    }
}

#[test]
fn what_was_not_loaded_is_named_and_short_or_waits_for_another_load() {
    let (mut spec, made) = made(3);
    let id = &made.shipment_id;
    let carrier_id = set_out(&mut spec, &made);
    tell(&mut spec, id, Milestone::Departed, "");
    let count = |product_id: &str, missing: &[&str]| LineCount {
        line_id: line_id(&made, product_id),
        units: 3 - i64::try_from(missing.len()).expect("few"),
        missing_labels: labels(missing),
    };
    let loaded = |lines: Vec<LineCount>, at| ReportMilestone {
        lines,
        ..haulage::report(id, &carrier_id, "r-loaded", Milestone::Loaded, ROUTE, at)
    };
    let now = spec.context.now;
    let unnamed = LineCount {
        missing_labels: vec![],
        ..count("p-1", &["o001-1"])
    };
    let foreign = count("p-1", &["o009-1"]);
    for wrong in [unnamed, foreign] {
        assert_eq!(
            refused(&mut spec, loaded(vec![wrong], now)),
            "COUNT_INVALID"
        );
    }
    // All of the first order stays behind, and a bag of the second.
    let lines = vec![
        count("p-1", &["o001-1", "o002-1"]),
        count("p-2", &["o001-2"]),
        count("p-3", &["o001-3"]),
    ];
    spec.accept(loaded(lines, now).into());
    assert_eq!(custodian(&spec, "o001"), "Carrier/bureau-1");
    assert_eq!(waiting(&spec).len(), 1);
    arrive(&mut spec, id, &carrier_id);
    spec.accept(take_over(id, vec![]).into());
    settle(&mut spec);
    use ParcelState::{AwaitingReplacement, Expected, Received};
    assert_eq!(
        states(&spec, &orders(3)),
        [Expected, AwaitingReplacement, Received]
    );
    // The next window has the first.
    spec.elapse(window(2));
    let next = shipments(&spec).pop().expect("another");
    assert_eq!(next.load.order_ids, ["o001"]);
    assert_sound(&spec);
}

#[test]
fn of_a_lost_load_every_bag_is_short() {
    let (mut spec, made) = made(2);
    let id = &made.shipment_id;
    set_out(&mut spec, &made);
    tell(&mut spec, id, Milestone::Departed, "");
    tell(&mut spec, id, Milestone::Loaded, ROUTE);
    tell(&mut spec, id, Milestone::Lost, "");
    settle(&mut spec);
    assert_eq!(haulage::shipment(&spec, id).state, ShipmentState::Lost);
    for order_id in orders(2) {
        assert_eq!(state_of(&spec, &order_id), ParcelState::AwaitingReplacement);
        assert_eq!(parcel(&spec, &order_id).awaited.len(), 3);
    }
    assert_sound(&spec);
}

#[test]
fn what_was_not_loaded_before_the_loss_waits_again() {
    let (mut spec, made) = made(2);
    let id = &made.shipment_id;
    set_out(&mut spec, &made);
    tell(&mut spec, id, Milestone::Lost, "");
    settle(&mut spec);
    assert_eq!(states(&spec, &orders(2)), [ParcelState::Expected; 2]);
    spec.elapse(window(2));
    assert_eq!(
        shipments(&spec).pop().expect("another").load.order_ids,
        orders(2)
    );
}

#[test]
fn a_pickup_that_failed_goes_on_with_another_shipment_and_its_own_orders() {
    let mut spec = town();
    let mut other = RoutePlan {
        holder_id: "bureau-2".into(),
        ..trunk_plan()
    };
    other.origin.place_id = "field".into();
    spec.accept(open("field-gate", other).into());
    send(&mut spec, &orders(1));
    let mut event = dispatched("o-f", &door("E1", "f"), &set("o-f"));
    if let proto::AnyEvent::Inventory(proto::InventoryEvent::OrderDispatched(event)) = &mut event {
        event.custodian_id = "bureau-2".into();
    }
    assert!(
        spec.react(decider::Service::Inventory, event)
            .iter()
            .all(Result::is_ok)
    );
    spec.elapse(window(1));
    let made = only_shipment(&spec);
    let carrier_id = set_out(&mut spec, &made);
    let id = &made.shipment_id;
    tell(&mut spec, id, Milestone::Departed, "");
    let events = tell(&mut spec, id, Milestone::PickupFailed, "field-gate");
    let drafted = events.iter().find_map(|event| match event {
        E::ShipmentDrafted(event) => Some(event.clone()),
        _ => None,
    });
    let drafted = drafted.expect("a shipment of its own");
    assert_eq!(drafted.load.expect("a load").order_ids, ["o-f"]);
    assert!(drafted.carries_parcels);
    tell(&mut spec, id, Milestone::Loaded, ROUTE);
    assert_eq!(custodian(&spec, "o-f"), "Carrier/bureau-2");
    arrive(&mut spec, id, &carrier_id);
    spec.accept(take_over(id, vec![]).into());
    settle(&mut spec);
    assert_eq!(state_of(&spec, "o001"), ParcelState::Received);
    let second = haulage::shipment(&spec, &drafted.shipment_id).into_owned();
    carry(&mut spec, &second);
    spec.accept(take_over(&second.shipment_id, vec![]).into());
    settle(&mut spec);
    assert_eq!(state_of(&spec, "o-f"), ParcelState::Received);
    assert_sound(&spec);
}
