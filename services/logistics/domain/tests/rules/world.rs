//! A small community to test in: one checkpoint, members on shift, parcels of
//! three bags that weigh 20 kg together.
#![allow(dead_code)]

use decider::{Area, Domain, Service, StreamId, Timestamp, spec::START};
use logistics_domain::*;
use proto::{
    AnyEvent, InventoryEvent, LogisticsEvent,
    inventory::v1 as inventory,
    logistics::v1::{self as pb, ExceptionCode, ParcelState, RunState},
    types::v1::Door,
};

pub type Spec = decider::spec::Spec<Logistics>;
pub type Decided = Result<Vec<LogisticsEvent>, Rejection>;

pub const CP: &str = "cp-1";
pub const CARRIER: &str = "bureau-1";
pub const SHIFT_HOURS: i64 = 8;

pub fn area() -> Area {
    Area::new("632725100").expect("nine digits")
}

pub fn hours(n: i64) -> Timestamp {
    START.plus_minutes(n * 60)
}

pub fn door(entrance: &str, door: &str) -> Door {
    Door {
        community: "zhichaka".into(),
        grid: "G1".into(),
        building: "B1".into(),
        entrance: entrance.into(),
        door: door.into(),
    }
}

pub fn checkpoint() -> RegisterCheckpoint {
    RegisterCheckpoint {
        checkpoint_id: CP.into(),
        name: "North gate".into(),
        communities: vec!["zhichaka".into()],
    }
}

pub fn member(id: &str, capacity: i64) -> RegisterMember {
    RegisterMember {
        member_id: id.into(),
        capacity: Grams(capacity),
        leader: false,
    }
}

pub fn shift(member_id: &str, starts: Timestamp, ends: Timestamp) -> AssignShift {
    AssignShift {
        member_id: member_id.into(),
        checkpoint_id: CP.into(),
        post: DELIVERY_POST.into(),
        starts,
        ends,
    }
}

/// A checkpoint and these members, of 120 kg each, on shift for eight hours.
pub fn team(members: &[&str]) -> Spec {
    let mut spec = Spec::given([]);
    spec.accept(checkpoint().into());
    for id in members {
        spec.accept(member(id, 120_000).into());
        spec.accept(shift(id, START, hours(SHIFT_HOURS)).into());
    }
    spec
}

pub fn bag(order_id: &str, n: u32, kilograms: i64) -> pb::ParcelBag {
    pb::ParcelBag {
        label: format!("{order_id}-{n}"),
        product_id: format!("p-{n}"),
        quantity_units: 1,
        weight_grams: kilograms * 1000,
    }
}

pub fn dispatched(order_id: &str, at: &Door, bags: &[pb::ParcelBag]) -> AnyEvent {
    let bags = bags.iter().map(|bag| inventory::Bag {
        label: bag.label.clone(),
        product_id: bag.product_id.clone(),
        quantity_units: bag.quantity_units,
        weight_grams: bag.weight_grams,
    });
    let event = inventory::OrderDispatched {
        order_id: order_id.into(),
        household_id: format!("h-{order_id}"),
        door: Some(at.clone()),
        cadre_id: "cadre-1".into(),
        bags: bags.collect(),
        load_id: "load-1".into(),
        checkpoint_id: CP.into(),
        custodian_id: CARRIER.into(),
        allocations: vec![],
    };
    AnyEvent::Inventory(InventoryEvent::OrderDispatched(event))
}

pub fn set(order_id: &str) -> Vec<pb::ParcelBag> {
    vec![
        bag(order_id, 1, 5),
        bag(order_id, 2, 10),
        bag(order_id, 3, 5),
    ]
}

pub fn receipt(order_id: &str, damaged: &[&str]) -> ParcelReceipt {
    ParcelReceipt {
        order_id: order_id.into(),
        exceptions: damaged
            .iter()
            .map(|label| BagReport {
                label: (*label).into(),
                fault: BagFault::Damaged,
                note: "torn".into(),
            })
            .collect(),
    }
}

pub fn receive(parcels: Vec<ParcelReceipt>) -> ReceiveParcels {
    ReceiveParcels {
        checkpoint_id: CP.into(),
        from_custodian_id: CARRIER.into(),
        keeper_id: "keeper-1".into(),
        parcels,
    }
}

pub fn disinfect(order_ids: &[&str]) -> DisinfectParcels {
    DisinfectParcels {
        checkpoint_id: CP.into(),
        order_ids: order_ids.iter().map(|id| (*id).to_owned()).collect(),
        agent: "chlorine 500 mg/L".into(),
        done_by: "keeper-1".into(),
    }
}

pub fn plan() -> Command {
    PlanRuns {
        checkpoint_id: CP.into(),
    }
    .into()
}

pub fn recalled(order_id: &str) -> AnyEvent {
    let event = inventory::DispatchRecalled {
        order_id: order_id.into(),
    };
    AnyEvent::Inventory(InventoryEvent::from(event))
}

pub fn replacement_sent(order_id: &str, for_label: &str, bag: &pb::ParcelBag) -> AnyEvent {
    let event = inventory::ReplacementDispatched {
        order_id: order_id.into(),
        for_label: for_label.into(),
        bag: Some(inventory::Bag {
            label: bag.label.clone(),
            product_id: bag.product_id.clone(),
            quantity_units: bag.quantity_units,
            weight_grams: bag.weight_grams,
        }),
        checkpoint_id: CP.into(),
        custodian_id: CARRIER.into(),
        allocations: vec![],
    };
    AnyEvent::Inventory(InventoryEvent::ReplacementDispatched(event))
}

pub fn replacement_refused(order_id: &str, for_label: &str) -> AnyEvent {
    let event = inventory::ReplacementRefused {
        order_id: order_id.into(),
        for_label: for_label.into(),
        checkpoint_id: CP.into(),
        reason: "OUT_OF_STOCK".into(),
    };
    AnyEvent::Inventory(InventoryEvent::ReplacementRefused(event))
}

pub fn expect_parcel(spec: &mut Spec, order_id: &str, at: &Door) {
    let heard = spec.react(Service::Inventory, dispatched(order_id, at, &set(order_id)));
    assert!(heard.iter().all(Result::is_ok), "{heard:?}");
}

/// Parcels that are at the checkpoint and disinfected.
pub fn ready(spec: &mut Spec, parcels: &[(&str, Door)]) {
    for (order_id, at) in parcels {
        expect_parcel(spec, order_id, at);
        spec.accept(receive(vec![receipt(order_id, &[])]).into());
        spec.accept(disinfect(&[order_id]).into());
    }
}

pub fn planned(events: &[LogisticsEvent]) -> Vec<pb::RunPlanned> {
    let runs = events.iter().map(|event| match event {
        LogisticsEvent::RunPlanned(run) => run.clone(),
        other => panic!("planning gave {other:?}"),
    });
    runs.collect()
}

/// One member, these parcels, and the run that serves them, started.
pub fn on_the_way(parcels: &[(&str, Door)]) -> (Spec, String) {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, parcels);
    let runs = planned(&spec.accept(plan()));
    assert_eq!(runs.len(), 1);
    let run_id = runs[0].run_id.clone();
    spec.accept(start(&run_id));
    (spec, run_id)
}

pub fn start(run_id: &str) -> Command {
    StartRun {
        run_id: run_id.into(),
    }
    .into()
}

pub fn place(run_id: &str, order_id: &str) -> Command {
    PlaceGoods {
        run_id: run_id.into(),
        order_id: order_id.into(),
    }
    .into()
}

pub fn leave(run_id: &str, order_id: &str) -> Command {
    LeaveDoor {
        run_id: run_id.into(),
        order_id: order_id.into(),
    }
    .into()
}

pub fn fail(run_id: &str, order_id: &str, reason: ExceptionCode) -> Command {
    FailAttempt {
        run_id: run_id.into(),
        order_id: order_id.into(),
        reason,
        note: String::new(),
    }
    .into()
}

pub fn clean(run_id: &str, at: &Door) -> Command {
    DisinfectEntrance {
        run_id: run_id.into(),
        grid: at.grid.clone(),
        building: at.building.clone(),
        entrance: at.entrance.clone(),
        agent: "chlorine 1000 mg/L".into(),
        done_by: "m-1".into(),
    }
    .into()
}

pub fn complete(run_id: &str) -> Command {
    CompleteRun {
        run_id: run_id.into(),
    }
    .into()
}

pub fn parcel<'a>(spec: &'a Spec, order_id: &str) -> &'a Parcel {
    spec.state
        .parcel(&area(), order_id)
        .expect("the parcel is known")
}

pub fn state_of(spec: &Spec, order_id: &str) -> ParcelState {
    parcel(spec, order_id).state
}

pub fn run<'a>(spec: &'a Spec, run_id: &str) -> &'a Run {
    spec.state.run(&area(), run_id).expect("the run is known")
}

pub fn run_state(spec: &Spec, run_id: &str) -> RunState {
    run(spec, run_id).state
}

pub fn describe(spec: &Spec, category: &str, id: &str) -> Option<String> {
    Logistics::describe(&spec.state, &StreamId::new(category, id))
}

pub fn assert_sound(spec: &Spec) {
    assert_eq!(Logistics::violations(&spec.state), vec![]);
}
