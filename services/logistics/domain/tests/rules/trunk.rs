//! The town of `haulage` with a trunk route: what `bureau-1` sends from its
//! depot in the valley to the checkpoint is gathered for an hour at a time.
#![allow(dead_code)]

use std::borrow::Cow;

use decider::{Timestamp, spec::START};
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{LineReceipt, Milestone, ParcelState, Place, PlaceKind, WaitReason},
};

use crate::{
    haulage::{self, minutes},
    world::*,
};

pub const ROUTE: &str = "depot-gate";

pub fn trunk_plan() -> RoutePlan {
    RoutePlan {
        origin: Place {
            kind: PlaceKind::Depot.into(),
            place_id: "depot".into(),
            zone: "valley".into(),
        },
        holder_id: CARRIER.into(),
        destination: Place {
            kind: PlaceKind::Checkpoint.into(),
            place_id: CP.into(),
            zone: "town".into(),
        },
        from: START,
        to: hours(4),
        every: 60,
        weight_max: Grams(1_000_000),
        orders_max: 100,
        lead: 30,
        transit: 60,
    }
}

pub fn open(route_id: &str, plan: RoutePlan) -> OpenRoute {
    let route_id = route_id.into();
    OpenRoute { route_id, plan }
}

/// Three firms with capacity for 3 t and a vehicle for 2 t each, and a route.
pub fn town() -> Spec {
    let mut spec = haulage::haulage();
    spec.accept(open(ROUTE, trunk_plan()).into());
    spec
}

pub fn orders(n: usize) -> Vec<String> {
    (1..=n).map(|n| format!("o{n:03}")).collect()
}

/// Sets of 20 kg leave the store.
pub fn send(spec: &mut Spec, order_ids: &[String]) {
    for order_id in order_ids {
        expect_parcel(spec, order_id, &door("E1", order_id));
    }
}

/// The shipments of the partition, oldest first.
pub fn shipments(spec: &Spec) -> Vec<Shipment> {
    let here = area();
    let all = spec.state.shipments_after(&here, None);
    let mut all: Vec<_> = all.map(Cow::into_owned).collect();
    all.sort_by_key(|shipment| (shipment.drafted, shipment.shipment_id.clone()));
    all
}

pub fn only_shipment(spec: &Spec) -> Shipment {
    let mut all = shipments(spec);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// Order id and reason of what waits.
pub fn waiting(spec: &Spec) -> Vec<(String, WaitReason)> {
    let area = area();
    let goods = spec.state.waiting_goods_after(&area, None);
    goods
        .map(|goods| (goods.order_id.clone(), goods.reason()))
        .collect()
}

pub fn custodian(spec: &Spec, order_id: &str) -> String {
    let custodian = &parcel(spec, order_id).custodian;
    format!("{:?}/{}", custodian.kind(), &*custodian.id)
}

/// The carrier has accepted the load and named its resources.
pub fn set_out(spec: &mut Spec, shipment: &Shipment) -> String {
    let carrier_id = shipment.carrier().expect("a tender").to_owned();
    let round = shipment.tender.as_ref().expect("a tender").round;
    let id = &shipment.shipment_id;
    let pass_id = haulage::pass(spec, &carrier_id);
    spec.accept(haulage::accept(id, &carrier_id, round).into());
    spec.accept(haulage::assign(id, &carrier_id, &pass_id).into());
    carrier_id
}

pub fn tell(spec: &mut Spec, id: &str, milestone: Milestone, stop: &str) -> Vec<LogisticsEvent> {
    let shipment = spec.state.shipment(&area(), id).expect("a shipment");
    let carrier_id = shipment.carrier().expect("a carrier").to_owned();
    let report_id = format!("r-{milestone:?}-{stop}");
    let at = spec.context.now;
    spec.accept(haulage::report(id, &carrier_id, &report_id, milestone, stop, at).into())
}

/// Accepted, loaded at all its stops, and at the checkpoint.
pub fn carry(spec: &mut Spec, shipment: &Shipment) -> String {
    let carrier_id = set_out(spec, shipment);
    let id = &shipment.shipment_id;
    tell(spec, id, Milestone::Departed, "");
    for pickup in &shipment.load.pickups {
        tell(spec, id, Milestone::Loaded, &pickup.stop_id);
    }
    arrive(spec, id, &carrier_id);
    carrier_id
}

pub fn arrive(spec: &mut Spec, id: &str, carrier_id: &str) {
    tell(spec, id, Milestone::ArrivedDestination, "");
    let declare = DeclareHandover {
        shipment_id: id.into(),
        carrier_id: carrier_id.into(),
        lines: vec![],
    };
    spec.accept(declare.into());
}

pub fn take_over(id: &str, lines: Vec<LineReceipt>) -> TransferCustody {
    TransferCustody {
        shipment_id: id.into(),
        receiver_id: "keeper-1".into(),
        lines,
    }
}

/// What is to happen by now happens.
pub fn settle(spec: &mut Spec) {
    let now = spec.context.now;
    spec.elapse(now);
}

pub fn window(n: i64) -> Timestamp {
    minutes(60 * n)
}

pub fn states(spec: &Spec, order_ids: &[String]) -> Vec<ParcelState> {
    order_ids.iter().map(|id| state_of(spec, id)).collect()
}
