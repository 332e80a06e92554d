//! A history that cannot have been is told apart (INV-03, INV-04, INV-06).

use decider::{Cause, Domain, EventSet, Invariant, Position, Recorded, Revision};
use logistics_domain::Logistics;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, Custodian, CustodianKind},
};

use crate::world::*;

/// Folds events that no command made.
pub fn fold(spec: &mut Spec, events: impl IntoIterator<Item = LogisticsEvent>) {
    for event in events {
        let record = Recorded {
            position: Position(1),
            event_id: String::new(),
            stream: event.stream(),
            revision: Revision(1),
            area: spec.context.area.clone(),
            occurred: spec.context.now,
            recorded: spec.context.now,
            actor: spec.context.actor.clone(),
            cause: Cause::Timer {
                due: spec.context.now,
            },
            correlation_id: String::new(),
            traceparent: String::new(),
            unit_remaining: 0,
            event,
        };
        Logistics::evolve(&mut spec.state, &record);
    }
}

fn broken(spec: &Spec) -> Vec<Invariant> {
    let violations = Logistics::violations(&spec.state);
    violations.into_iter().map(|v| v.invariant).collect()
}

#[test]
fn a_hand_over_by_somebody_who_did_not_have_it() {
    let mut spec = team(&["m-1"]);
    expect_parcel(&mut spec, "a", &door("E1", "1"));
    let thief = Custodian {
        kind: CustodianKind::Carrier.into(),
        id: "thief".into(),
    };
    let keeper = Custodian {
        kind: CustodianKind::Checkpoint.into(),
        id: CP.into(),
    };
    let received = pb::ParcelReceived {
        order_id: "a".into(),
        checkpoint_id: CP.into(),
        from: Some(thief),
        to: Some(keeper),
        accepted_labels: vec!["a-1".into(), "a-2".into(), "a-3".into()],
        exceptions: vec![],
        household_id: "h-a".into(),
        keeper_id: "keeper-1".into(),
    };
    fold(&mut spec, [received.into()]);
    assert_eq!(broken(&spec), [Invariant::OneCustodian]);
}

#[test]
fn a_parcel_that_nobody_ever_had() {
    let mut spec = team(&["m-1"]);
    let held = pb::ParcelHeld {
        order_id: "ghost".into(),
        checkpoint_id: CP.into(),
        member_id: "m-1".into(),
    };
    fold(&mut spec, [held.into()]);
    assert_eq!(broken(&spec), [Invariant::OneCustodian]);
}

#[test]
fn a_parcel_that_left_undisinfected() {
    let mut spec = team(&["m-1"]);
    expect_parcel(&mut spec, "a", &door("E1", "1"));
    spec.accept(receive(vec![receipt("a", &[])]).into());
    let started = pb::RunStarted {
        run_id: "r-1".into(),
        checkpoint_id: CP.into(),
        member_id: "m-1".into(),
        order_ids: vec!["a".into()],
    };
    fold(&mut spec, [started.into()]);
    assert_eq!(broken(&spec), [Invariant::DisinfectedBeforeLeaving]);
}

#[test]
fn a_household_that_was_called_too_early_or_a_door_left_without_goods() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    let called = pb::HouseholdCalled {
        order_id: "a".into(),
        means: "call".into(),
    };
    let left = pb::DoorLeft {
        order_id: "a".into(),
        run_id,
        member_id: "m-1".into(),
        household_id: "h-a".into(),
        cadre_id: "cadre-1".into(),
        door: None,
    };
    fold(&mut spec, [called.into(), left.into()]);
    assert_eq!(
        broken(&spec),
        [Invariant::CalledAfterLeaving, Invariant::CalledAfterLeaving]
    );
}

#[test]
fn goods_left_at_a_door_twice() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    spec.accept(place(&run_id, "a"));
    let events = spec.accept(leave(&run_id, "a"));
    fold(&mut spec, events);
    assert!(broken(&spec).contains(&Invariant::OneCustodian));
}
