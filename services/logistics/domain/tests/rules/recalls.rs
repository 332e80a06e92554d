//! An order is cancelled while its goods are on a trunk route.

use decider::Service;
use logistics_domain::*;
use proto::{
    LogisticsEvent as E,
    logistics::v1::{Milestone, ParcelState, ShipmentState, WithdrawReason},
};

use crate::{haulage, trunk::*, world::*};

fn recall(spec: &mut Spec, order_id: &str) -> Vec<E> {
    let heard = spec.react(Service::Inventory, recalled(order_id));
    heard.into_iter().next().expect("heard").expect("accepted")
}

/// Three orders on a load that was tendered to `acme`.
fn tendered() -> (Spec, Shipment) {
    let mut spec = town();
    send(&mut spec, &orders(3));
    spec.elapse(window(1));
    let made = only_shipment(&spec);
    (spec, made)
}

#[test]
fn what_waits_is_taken_from_its_window() {
    let mut spec = town();
    send(&mut spec, &orders(2));
    let events = recall(&mut spec, "o001");
    assert!(matches!(&events[..], [E::ParcelWithdrawn(_)]));
    spec.elapse(window(1));
    assert_eq!(only_shipment(&spec).load.order_ids, ["o002"]);
    assert_sound(&spec);
}

#[test]
fn before_the_departure_the_load_is_smaller_and_tendered_again() {
    let (mut spec, made) = tendered();
    let carrier_id = set_out(&mut spec, &made);
    let events = recall(&mut spec, "o002");
    let [
        E::ParcelWithdrawn(_),
        E::TenderWithdrawn(ended),
        E::LoadChanged(changed),
        E::ShipmentTendered(again),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(ended.reason(), WithdrawReason::LoadChanged);
    assert_eq!((&again.carrier_id, again.round), (&carrier_id, 2));
    assert!(!again.offer_id.is_empty(), "booked on the offer again");
    assert_eq!((again.weight_grams, changed.load_version), (40_000, 2));
    let load = &haulage::shipment(&spec, &made.shipment_id).load;
    assert_eq!(load.order_ids, ["o001", "o003"]);
    assert_eq!(load.pickups[0].lines[1].labels, ["o001-2", "o003-2"]);
    assert_eq!(load.pickups[0].lines[1].quantity_units, 2);
    assert_eq!(state_of(&spec, "o002"), ParcelState::Returned);
    assert_sound(&spec);
}

#[test]
fn a_load_of_which_nothing_is_left_is_cancelled() {
    let (mut spec, made) = tendered();
    for order_id in ["o001", "o002", "o003"] {
        recall(&mut spec, order_id);
    }
    let shipment = haulage::shipment(&spec, &made.shipment_id);
    assert_eq!(shipment.state, ShipmentState::Cancelled);
    assert_eq!(waiting(&spec), vec![]);
    let acme = spec.state.carrier(&area(), "acme").expect("known");
    assert!(acme.offers.values().all(|offer| offer.used == Grams::ZERO));
    assert_sound(&spec);
}

#[test]
fn on_the_way_to_the_pickup_there_is_less_to_load_and_nobody_is_asked_again() {
    let (mut spec, made) = tendered();
    set_out(&mut spec, &made);
    let id = &made.shipment_id;
    tell(&mut spec, id, Milestone::Departed, "");
    let events = recall(&mut spec, "o001");
    assert!(matches!(
        &events[..],
        [E::ParcelWithdrawn(_), E::LoadChanged(_)]
    ));
    tell(&mut spec, id, Milestone::Loaded, ROUTE);
    let shipment = haulage::shipment(&spec, id);
    assert_eq!(shipment.state, ShipmentState::Loaded);
    assert!(shipment.on_board().iter().all(|line| line.units == 2));
    assert_eq!(custodian(&spec, "o001"), "Store/store");
    assert_eq!(custodian(&spec, "o002"), "Carrier/acme");
    assert_sound(&spec);
}

#[test]
fn what_the_carrier_has_comes_back_from_the_checkpoint_with_a_linked_shipment() {
    let (mut spec, made) = tendered();
    let carrier_id = set_out(&mut spec, &made);
    let id = &made.shipment_id;
    tell(&mut spec, id, Milestone::Departed, "");
    tell(&mut spec, id, Milestone::Loaded, ROUTE);
    let events = recall(&mut spec, "o002");
    assert!(matches!(&events[..], [E::ParcelRecalled(_)]));
    assert!(recall(&mut spec, "o002").is_empty(), "once");
    assert_eq!(custodian(&spec, "o002"), "Carrier/acme", "it still has it");

    arrive(&mut spec, id, &carrier_id);
    spec.accept(take_over(id, vec![]).into());
    settle(&mut spec);
    use ParcelState::{Received, Returned};
    assert_eq!(states(&spec, &orders(3)), [Received, Returned, Received]);
    let back = shipments(&spec)
        .into_iter()
        .find(|shipment| shipment.returns == *id)
        .expect("a linked return");
    assert_eq!(back.load.order_ids, ["o002"]);
    assert_eq!(back.load.pickups[0].place.place_id, CP);
    assert_eq!(back.load.destination.place_id, "depot");
    let labels: Vec<_> = back.load.lines().flat_map(|line| &line.labels).collect();
    assert_eq!(labels, ["o002-1", "o002-2", "o002-3"]);
    assert_eq!(back.state, ShipmentState::Tendered);
    assert_sound(&spec);
}
