//! From the store to the checkpoint: custody (S16) and disinfection (S12).

use decider::Service;
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, Custodian, CustodianKind, ExceptionCode, ParcelState, RunState},
};

use crate::world::*;

fn carrier() -> Custodian {
    Custodian {
        kind: CustodianKind::Carrier.into(),
        id: CARRIER.into(),
    }
}

fn at_checkpoint() -> Custodian {
    Custodian {
        kind: CustodianKind::Checkpoint.into(),
        id: CP.into(),
    }
}

fn expected_world() -> Spec {
    let mut spec = team(&["m-1"]);
    expect_parcel(&mut spec, "a", &door("E1", "1"));
    spec
}

/// Parcel `a` lacks its second bag.
fn incomplete_world() -> Spec {
    let mut spec = expected_world();
    spec.accept(receive(vec![receipt("a", &["a-2"])]).into());
    spec
}

fn substitute() -> pb::ParcelBag {
    pb::ParcelBag {
        label: "a-2r1".into(),
        ..bag("a", 2, 10)
    }
}

fn one(heard: Vec<Decided>) -> Decided {
    assert_eq!(heard.len(), 1, "{heard:?}");
    heard.into_iter().next().expect("one")
}

#[test]
fn a_dispatched_order_is_a_parcel_with_its_carrier() {
    let mut spec = team(&[]);
    let event = dispatched("a", &door("E1", "1"), &set("a"));
    let events = one(spec.react(Service::Inventory, event.clone()));
    assert_eq!(
        events,
        Ok(vec![
            pb::ParcelExpected {
                order_id: "a".into(),
                household_id: "h-a".into(),
                door: Some(door("E1", "1")),
                cadre_id: "cadre-1".into(),
                bags: set("a"),
                checkpoint_id: CP.into(),
                custodian: Some(carrier()),
                load_id: "load-1".into(),
            }
            .into()
        ])
    );
    assert_eq!(parcel(&spec, "a").custodian, carrier());
    assert_eq!(parcel(&spec, "a").weight(), Grams(20_000));
    assert_eq!(one(spec.react(Service::Inventory, event)), Ok(vec![]));
    let elsewhere = dispatched("a", &door("E2", "1"), &set("a"));
    assert_eq!(
        one(spec.react(Service::Inventory, elsewhere)),
        Err(Rejection::ParcelExists {
            order_id: "a".into()
        })
    );
}

#[test]
fn a_hand_over_names_both_sides_and_every_bag() {
    let mut spec = expected_world();
    spec.when(receive(vec![receipt("a", &["a-2"])]).into())
        .then([pb::ParcelReceived {
            order_id: "a".into(),
            checkpoint_id: CP.into(),
            from: Some(carrier()),
            to: Some(at_checkpoint()),
            accepted_labels: vec!["a-1".into(), "a-3".into()],
            exceptions: vec![pb::BagException {
                label: "a-2".into(),
                product_id: "p-2".into(),
                quantity_units: 1,
                code: ExceptionCode::Damaged.into(),
                note: "torn".into(),
            }],
            household_id: "h-a".into(),
            keeper_id: "keeper-1".into(),
        }
        .into()]);
    spec.accept(receive(vec![receipt("a", &[])]).into());
    assert_eq!(state_of(&spec, "a"), ParcelState::Received);
    assert_eq!(parcel(&spec, "a").custodian, at_checkpoint());
    assert_sound(&spec);
}

#[test]
fn only_the_custodian_can_hand_over() {
    let spec = expected_world();
    let stranger = ReceiveParcels {
        from_custodian_id: "stranger".into(),
        ..receive(vec![receipt("a", &[])])
    };
    spec.when(stranger.into())
        .then_rejected(Rejection::NotCustodian {
            order_id: "a".into(),
            from: "stranger".into(),
            custodian: "carrier/bureau-1".into(),
        });
}

#[test]
fn a_hand_over_is_all_or_none() {
    let mut spec = expected_world();
    let both = receive(vec![receipt("a", &[]), receipt("b", &[])]);
    spec.when(both.into())
        .then_rejected(Rejection::ParcelUnknown {
            order_id: "b".into(),
        });
    let twice = receive(vec![receipt("a", &[]), receipt("a", &[])]);
    spec.when(twice.into())
        .then_rejected(Rejection::ParcelListedTwice {
            order_id: "a".into(),
        });
    expect_parcel(&mut spec, "b", &door("E1", "2"));
    let both = receive(vec![receipt("a", &[]), receipt("b", &[])]);
    assert_eq!(spec.accept(both.into()).len(), 2);
}

#[test]
fn a_hand_over_told_twice_is_one() {
    let mut spec = expected_world();
    spec.accept(receive(vec![receipt("a", &[])]).into());
    spec.when(receive(vec![receipt("a", &[])]).into()).then([]);
    spec.when(receive(vec![receipt("a", &["a-1"])]).into())
        .then_rejected(Rejection::NothingToReceive {
            order_id: "a".into(),
            state: ParcelState::Received,
        });
}

#[test]
fn exceptions_name_bags_of_the_parcel_once() {
    let spec = expected_world();
    spec.when(receive(vec![receipt("a", &["b-1"])]).into())
        .then_rejected(Rejection::BagUnknown {
            order_id: "a".into(),
            label: "b-1".into(),
            offered: vec!["a-1".into(), "a-2".into(), "a-3".into()],
        });
    spec.when(receive(vec![receipt("a", &["a-1", "a-1"])]).into())
        .then_rejected(Rejection::BagListedTwice {
            order_id: "a".into(),
            label: "a-1".into(),
        });
}

#[test]
fn parcels_are_received_at_their_own_checkpoint() {
    let mut spec = expected_world();
    let other = RegisterCheckpoint {
        checkpoint_id: "cp-2".into(),
        ..checkpoint()
    };
    let there = ReceiveParcels {
        checkpoint_id: "cp-2".into(),
        ..receive(vec![receipt("a", &[])])
    };
    spec.when(there.clone().into())
        .then_rejected(Rejection::CheckpointUnknown {
            checkpoint_id: "cp-2".into(),
        });
    spec.accept(other.into());
    spec.when(there.into())
        .then_rejected(Rejection::ParcelElsewhere {
            order_id: "a".into(),
            checkpoint_id: "cp-2".into(),
            its_checkpoint_id: CP.into(),
        });
}

#[test]
fn a_parcel_with_a_damaged_bag_awaits_the_replacement() {
    let mut spec = incomplete_world();
    assert_eq!(state_of(&spec, "a"), ParcelState::AwaitingReplacement);
    assert_eq!(parcel(&spec, "a").weight(), Grams(10_000));
    spec.when(disinfect(&["a"]).into())
        .then_rejected(Rejection::AwaitingReplacement {
            order_id: "a".into(),
            labels: vec!["a-2".into()],
        });
    spec.when(receive(vec![receipt("a", &[])]).into())
        .then_rejected(Rejection::NothingToReceive {
            order_id: "a".into(),
            state: ParcelState::AwaitingReplacement,
        });

    let sent = replacement_sent("a", "a-2", &substitute());
    assert_eq!(
        one(spec.react(Service::Inventory, sent.clone())),
        Ok(vec![
            pb::ReplacementExpected {
                order_id: "a".into(),
                for_label: "a-2".into(),
                bag: Some(substitute()),
                custodian: Some(carrier()),
            }
            .into()
        ])
    );
    assert_eq!(one(spec.react(Service::Inventory, sent)), Ok(vec![]));
    let events = spec.accept(receive(vec![receipt("a", &[])]).into());
    let LogisticsEvent::ParcelReceived(received) = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(received.accepted_labels, ["a-2r1"]);
    assert_eq!(state_of(&spec, "a"), ParcelState::Received);
    assert_eq!(parcel(&spec, "a").weight(), Grams(20_000));
    assert_sound(&spec);
}

#[test]
fn a_replacement_can_be_damaged_too() {
    let mut spec = incomplete_world();
    let _ = spec.react(
        Service::Inventory,
        replacement_sent("a", "a-2", &substitute()),
    );
    spec.accept(receive(vec![receipt("a", &["a-2r1"])]).into());
    assert_eq!(state_of(&spec, "a"), ParcelState::AwaitingReplacement);
    let awaited: Vec<_> = parcel(&spec, "a").awaited.keys().cloned().collect();
    assert_eq!(awaited, ["a-2r1"]);
    assert_sound(&spec);
}

#[test]
fn a_replacement_stands_in_for_an_awaited_bag_only() {
    let mut spec = incomplete_world();
    let other = replacement_sent("a", "a-1", &substitute());
    assert_eq!(
        one(spec.react(Service::Inventory, other)),
        Err(Rejection::ReplacementNotAwaited {
            order_id: "a".into(),
            for_label: "a-1".into()
        })
    );
    let _ = spec.react(
        Service::Inventory,
        replacement_sent("a", "a-2", &substitute()),
    );
    let second = pb::ParcelBag {
        label: "a-2r2".into(),
        ..substitute()
    };
    assert_eq!(
        one(spec.react(Service::Inventory, replacement_sent("a", "a-2", &second))),
        Err(Rejection::ReplacementExists {
            order_id: "a".into(),
            for_label: "a-2".into(),
            label: "a-2r1".into()
        })
    );
}

#[test]
fn without_a_replacement_the_parcel_goes_on_with_what_it_has() {
    let mut spec = incomplete_world();
    let refused = replacement_refused("a", "a-2");
    assert_eq!(
        one(spec.react(Service::Inventory, refused)),
        Ok(vec![
            pb::ReplacementGivenUp {
                order_id: "a".into(),
                for_label: "a-2".into(),
                reason: "OUT_OF_STOCK".into(),
            }
            .into()
        ])
    );
    assert_eq!(state_of(&spec, "a"), ParcelState::Received);
    spec.accept(disinfect(&["a"]).into());
}

#[test]
fn a_parcel_of_which_nothing_is_left_is_returned() {
    let mut spec = expected_world();
    spec.accept(receive(vec![receipt("a", &["a-1", "a-2", "a-3"])]).into());
    for label in ["a-1", "a-2"] {
        let heard = one(spec.react(Service::Inventory, replacement_refused("a", label)));
        assert_eq!(heard.expect("accepted").len(), 1);
        assert_eq!(state_of(&spec, "a"), ParcelState::AwaitingReplacement);
    }
    let events = one(spec.react(Service::Inventory, replacement_refused("a", "a-3")));
    assert_eq!(
        events.expect("accepted")[1],
        pb::ParcelReturned {
            order_id: "a".into(),
            reason: ExceptionCode::Short.into(),
        }
        .into()
    );
    assert_eq!(state_of(&spec, "a"), ParcelState::Returned);
    assert_sound(&spec);
}

#[test]
fn only_received_parcels_are_disinfected() {
    let mut spec = expected_world();
    spec.when(disinfect(&["a"]).into())
        .then_rejected(Rejection::NotReceived {
            order_id: "a".into(),
            state: ParcelState::Expected,
        });
    spec.accept(receive(vec![receipt("a", &[])]).into());
    spec.when(disinfect(&["a", "a"]).into())
        .then([pb::ParcelDisinfected {
            order_id: "a".into(),
            checkpoint_id: CP.into(),
            agent: "chlorine 500 mg/L".into(),
            done_by: "keeper-1".into(),
        }
        .into()]);
    spec.accept(disinfect(&["a"]).into());
    spec.when(disinfect(&["a"]).into()).then([]);
}

#[test]
fn a_recalled_parcel_is_withdrawn_until_its_run_starts() {
    let steps: [fn(&mut Spec); 5] = [
        |_| {},
        |spec| drop(spec.accept(receive(vec![receipt("a", &["a-1"])]).into())),
        |spec| drop(spec.accept(receive(vec![receipt("a", &[])]).into())),
        |spec| {
            spec.accept(receive(vec![receipt("a", &[])]).into());
            spec.accept(disinfect(&["a"]).into());
        },
        |spec| {
            spec.accept(receive(vec![receipt("a", &[])]).into());
            spec.accept(disinfect(&["a"]).into());
            spec.accept(plan());
        },
    ];
    for step in steps {
        let mut spec = expected_world();
        step(&mut spec);
        let events = one(spec.react(Service::Inventory, recalled("a"))).expect("accepted");
        assert_eq!(
            events[0],
            pb::ParcelWithdrawn {
                order_id: "a".into()
            }
            .into()
        );
        assert_eq!(state_of(&spec, "a"), ParcelState::Returned);
        assert!(parcel(&spec, "a").withdrawn);
        assert_eq!(
            one(spec.react(Service::Inventory, recalled("a"))),
            Ok(vec![]),
            "a second time changes nothing"
        );
        assert_sound(&spec);
    }
}

#[test]
fn a_withdrawn_parcel_is_taken_off_its_run() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1")), ("b", door("E1", "2"))]);
    let run_id = planned(&spec.accept(plan()))[0].run_id.clone();
    let _ = spec.react(Service::Inventory, recalled("a"));
    assert_eq!(run(&spec, &run_id).weight, Grams(20_000));
    let events = spec.accept(start(&run_id));
    let LogisticsEvent::RunStarted(started) = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!(started.order_ids, ["b"]);
    assert_sound(&spec);
}

#[test]
fn a_run_whose_parcels_were_all_withdrawn_is_cancelled() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1"))]);
    let run_id = planned(&spec.accept(plan()))[0].run_id.clone();
    let events = one(spec.react(Service::Inventory, recalled("a"))).expect("accepted");
    assert_eq!(
        events[1],
        pb::RunCancelled {
            run_id: run_id.clone(),
            member_id: "m-1".into(),
            order_ids: vec![],
            reason: "NOTHING_LEFT".into(),
        }
        .into()
    );
    assert_eq!(run_state(&spec, &run_id), RunState::Cancelled);
    spec.when(start(&run_id))
        .then_rejected(Rejection::RunNotPlanned {
            run_id,
            state: RunState::Cancelled,
        });
}

#[test]
fn a_recall_after_the_start_comes_too_late() {
    let (mut spec, _) = on_the_way(&[("a", door("E1", "1"))]);
    assert_eq!(
        one(spec.react(Service::Inventory, recalled("a"))),
        Err(Rejection::AlreadyOut {
            order_id: "a".into(),
            state: ParcelState::OutForDelivery
        })
    );
}

#[test]
fn a_recalled_order_without_a_parcel_needs_nothing() {
    let mut spec = team(&[]);
    assert_eq!(
        one(spec.react(Service::Inventory, recalled("x"))),
        Ok(vec![])
    );
}

#[test]
fn another_area_sees_and_does_nothing_here() {
    let mut spec = expected_world();
    spec.context.area = decider::Area::new("321202002").expect("nine digits");
    spec.when(receive(vec![receipt("a", &[])]).into())
        .then_rejected(Rejection::CheckpointUnknown {
            checkpoint_id: CP.into(),
        });
    assert!(spec.state.parcel(&spec.context.area, "a").is_none());
    spec.when(checkpoint().into())
        .then_rejected(Rejection::CheckpointExists {
            checkpoint_id: CP.into(),
        });
}
