//! Checkpoints, members, shifts, absences (S25).

use decider::{Rejected, spec::START};
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ParcelState, RunState},
    time::to_proto,
};

use crate::world::*;

#[test]
fn a_checkpoint_is_registered_once() {
    let mut spec = Spec::given([]);
    spec.when(checkpoint().into())
        .then([pb::CheckpointRegistered {
            checkpoint_id: CP.into(),
            name: "North gate".into(),
            communities: vec!["zhichaka".into()],
        }
        .into()]);
    spec.accept(checkpoint().into());
    spec.when(checkpoint().into()).then([]);
    let other = RegisterCheckpoint {
        name: "South gate".into(),
        ..checkpoint()
    };
    spec.when(other.into())
        .then_rejected(Rejection::CheckpointExists {
            checkpoint_id: CP.into(),
        });
}

#[test]
fn a_member_is_registered_once_and_can_carry_something() {
    let mut spec = Spec::given([]);
    spec.accept(member("m-1", 120_000).into());
    spec.when(member("m-1", 120_000).into()).then([]);
    spec.when(member("m-1", 90_000).into())
        .then_rejected(Rejection::MemberExists {
            member_id: "m-1".into(),
        });
    spec.when(member("m-2", 0).into())
        .then_rejected(Rejection::NoCapacity {
            member_id: "m-2".into(),
            capacity: Grams(0),
        });
}

#[test]
fn a_shift_has_an_id_of_its_own() {
    let mut spec = Spec::given([]);
    spec.accept(checkpoint().into());
    spec.accept(member("m-1", 120_000).into());
    let shift_id = spec.context.new_id(0);
    spec.when(shift("m-1", START, hours(8)).into())
        .then([pb::ShiftAssigned {
            shift: Some(pb::Shift {
                shift_id,
                member_id: "m-1".into(),
                checkpoint_id: CP.into(),
                post: DELIVERY_POST.into(),
                starts_time: Some(to_proto(START)),
                ends_time: Some(to_proto(hours(8))),
            }),
        }
        .into()]);
}

#[test]
fn a_shift_needs_a_member_a_checkpoint_and_a_sensible_time() {
    let mut spec = Spec::given([]);
    spec.accept(checkpoint().into());
    spec.when(shift("m-1", START, hours(8)).into())
        .then_rejected(Rejection::MemberUnknown {
            member_id: "m-1".into(),
        });
    spec.accept(member("m-1", 120_000).into());
    let elsewhere = AssignShift {
        checkpoint_id: "cp-9".into(),
        ..shift("m-1", START, hours(8))
    };
    spec.when(elsewhere.into())
        .then_rejected(Rejection::CheckpointUnknown {
            checkpoint_id: "cp-9".into(),
        });
    let length = |minutes| Rejection::ShiftLength {
        minutes,
        max_minutes: SHIFT_MAX_MINUTES,
    };
    spec.when(shift("m-1", hours(2), hours(1)).into())
        .then_rejected(length(-60));
    spec.when(shift("m-1", START, START).into())
        .then_rejected(length(0));
    spec.when(shift("m-1", START, hours(17)).into())
        .then_rejected(length(17 * 60));
    spec.when(shift("m-1", hours(-9), hours(-1)).into())
        .then_rejected(Rejection::ShiftOver {
            member_id: "m-1".into(),
        });
}

#[test]
fn shifts_of_a_member_do_not_overlap() {
    let mut spec = team(&["m-1"]);
    let known = spec.state.member(&area(), "m-1").expect("known");
    let shift_id = known.shifts().next().expect("one").shift_id.clone();
    spec.when(shift("m-1", START, hours(8)).into()).then([]);
    for (from, to) in [(-1, 1), (7, 9), (2, 3), (-1, 9), (0, 9)] {
        spec.when(shift("m-1", hours(from), hours(to)).into())
            .then_rejected(Rejection::ShiftOverlaps {
                member_id: "m-1".into(),
                shift_id: shift_id.clone(),
            });
    }
    spec.accept(shift("m-1", hours(8), hours(9)).into());
}

fn absent(from: i64, to: i64) -> RecordAbsence {
    RecordAbsence {
        member_id: "m-1".into(),
        from: hours(from),
        to: hours(to),
        reason: "ill".into(),
    }
}

#[test]
fn a_member_is_on_shift_between_its_hours_unless_absent() {
    let mut spec = team(&["m-1"]);
    spec.accept(absent(2, 3).into());
    let member = spec.state.member(&area(), "m-1").expect("known");
    let on = |n| member.shift_at(hours(n)).is_some();
    assert_eq!(
        [-1, 0, 1, 2, 3, 7, 8].map(on),
        [false, true, true, false, true, true, false]
    );
}

#[test]
fn an_absence_cancels_the_runs_that_have_not_started() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1")), ("b", door("E1", "2"))]);
    let run_id = planned(&spec.accept(plan()))[0].run_id.clone();
    let events = spec.accept(absent(0, 8).into());
    assert_eq!(
        events[1],
        LogisticsEvent::from(pb::RunCancelled {
            run_id: run_id.clone(),
            member_id: "m-1".into(),
            order_ids: vec!["a".into(), "b".into()],
            reason: "MEMBER_ABSENT".into(),
        })
    );
    assert_eq!(run_state(&spec, &run_id), RunState::Cancelled);
    assert_eq!(state_of(&spec, "a"), ParcelState::Disinfected);
    spec.when(absent(0, 8).into()).then([]);
    spec.when(plan()).then_rejected(Rejection::NobodyOnShift {
        checkpoint_id: CP.into(),
        parcels: 2,
    });
    assert_sound(&spec);
}

#[test]
fn an_absence_that_is_over_cancels_nothing() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1"))]);
    spec.context.now = hours(4);
    spec.accept(plan());
    assert_eq!(spec.accept(absent(1, 2).into()).len(), 1);
    assert_eq!(state_of(&spec, "a"), ParcelState::Planned);
    let backwards = spec.run(absent(3, 2).into()).expect_err("refused");
    assert_eq!(backwards.reason(), "ABSENCE_TIMES_INVALID");
}

#[test]
fn an_absence_with_many_runs_cancels_the_rest_through_timers() {
    let mut spec = team(&["m-1"]);
    for n in 0..20 {
        // Each parcel is in another community, hence on a run of its own.
        let at = proto::types::v1::Door {
            community: format!("c{n}"),
            ..door("E1", "1")
        };
        ready(&mut spec, &[(&format!("o-{n}"), at)]);
    }
    assert_eq!(spec.accept(plan()).len(), 20);
    assert_eq!(spec.accept(absent(0, 8).into()).len(), 1 + 16);
    assert_eq!(spec.elapse(START), 4);
    for n in 0..20 {
        assert_eq!(state_of(&spec, &format!("o-{n}")), ParcelState::Disinfected);
    }
}

#[test]
fn a_run_that_was_not_started_ends_with_its_shift() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1"))]);
    let run_id = planned(&spec.accept(plan()))[0].run_id.clone();
    assert_eq!(spec.elapse(hours(7)), 0);
    assert_eq!(spec.elapse(hours(8)), 1);
    assert_eq!(run_state(&spec, &run_id), RunState::Cancelled);
    assert_eq!(state_of(&spec, "a"), ParcelState::Disinfected);
}

#[test]
fn a_started_run_may_last_longer_than_the_shift() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    assert_eq!(spec.elapse(hours(9)), 0);
    spec.accept(place(&run_id, "a"));
    spec.accept(leave(&run_id, "a"));
}
