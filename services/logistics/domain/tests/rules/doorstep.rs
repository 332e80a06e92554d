//! At the door (S18), the entrance afterwards (S19), and what is brought back.

use decider::Service;
use logistics_domain::*;
use proto::{
    AnyEvent, NotificationEvent,
    logistics::v1::{self as pb, ExceptionCode, ParcelState, RunState},
    notification::v1::{self as notification, CallOutcome, NotificationKind},
};

use crate::world::*;

fn sent(order_id: &str, kind: NotificationKind) -> AnyEvent {
    AnyEvent::Notification(NotificationEvent::MessageSent(notification::MessageSent {
        order_id: order_id.into(),
        kind: kind.into(),
        ..Default::default()
    }))
}

fn acknowledged(order_id: &str) -> AnyEvent {
    let event = notification::NotificationAcknowledged {
        notification_id: "n".into(),
        order_id: order_id.into(),
        kind: NotificationKind::GoodsAtDoor.into(),
    };
    AnyEvent::Notification(NotificationEvent::NotificationAcknowledged(event))
}

fn telephoned(order_id: &str, outcome: CallOutcome) -> AnyEvent {
    let event = notification::CallTaskCompleted {
        order_id: order_id.into(),
        outcome: outcome.into(),
        kind: NotificationKind::GoodsAtDoor.into(),
        ..Default::default()
    };
    AnyEvent::Notification(NotificationEvent::CallTaskCompleted(event))
}

fn visited(order_id: &str) -> AnyEvent {
    let event = notification::VisitCompleted {
        order_id: order_id.into(),
        kind: NotificationKind::GoodsAtDoor.into(),
        ..Default::default()
    };
    AnyEvent::Notification(NotificationEvent::VisitCompleted(event))
}

fn called(means: &str) -> proto::LogisticsEvent {
    pb::HouseholdCalled {
        order_id: "a".into(),
        means: means.into(),
    }
    .into()
}

fn collected(evidence: &str) -> proto::LogisticsEvent {
    pb::DeliveryCollected {
        order_id: "a".into(),
        evidence: evidence.into(),
    }
    .into()
}

/// The member has left the door of `a`.
fn delivered() -> (Spec, String) {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    spec.accept(place(&run_id, "a"));
    spec.accept(leave(&run_id, "a"));
    (spec, run_id)
}

#[test]
fn goods_are_placed_and_then_the_door_is_left() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    spec.when(leave(&run_id, "a"))
        .then_rejected(Rejection::GoodsNotPlaced {
            run_id: run_id.clone(),
            order_id: "a".into(),
        });
    spec.when(place(&run_id, "a")).then([pb::GoodsPlaced {
        order_id: "a".into(),
        run_id: run_id.clone(),
        member_id: "m-1".into(),
    }
    .into()]);
    spec.accept(place(&run_id, "a"));
    spec.when(place(&run_id, "a")).then([]);
    spec.when(leave(&run_id, "a")).then([pb::DoorLeft {
        order_id: "a".into(),
        run_id: run_id.clone(),
        member_id: "m-1".into(),
        household_id: "h-a".into(),
        cadre_id: "cadre-1".into(),
        door: Some(door("E1", "1")),
    }
    .into()]);
    spec.accept(leave(&run_id, "a"));
    spec.when(leave(&run_id, "a")).then([]);
    spec.when(place(&run_id, "a")).then([]);
    assert_eq!(parcel(&spec, "a").custodian.id, "h-a");
    assert_sound(&spec);
}

#[test]
fn a_stop_belongs_to_its_started_run() {
    let (spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    spec.when(place(&run_id, "b"))
        .then_rejected(Rejection::StopUnknown {
            run_id,
            order_id: "b".into(),
        });
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1"))]);
    let run_id = planned(&spec.accept(plan()))[0].run_id.clone();
    for command in [
        place(&run_id, "a"),
        leave(&run_id, "a"),
        fail(&run_id, "a", ExceptionCode::Unreachable),
        clean(&run_id, &door("E1", "1")),
        complete(&run_id),
    ] {
        spec.when(command).then_rejected(Rejection::RunNotStarted {
            run_id: run_id.clone(),
            state: RunState::Planned,
        });
    }
}

#[test]
fn an_attempt_fails_only_before_the_goods_are_placed() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1")), ("b", door("E1", "2"))]);
    let unreachable = ExceptionCode::Unreachable;
    spec.accept(place(&run_id, "a"));
    spec.when(fail(&run_id, "a", unreachable))
        .then_rejected(Rejection::GoodsAlreadyPlaced {
            run_id: run_id.clone(),
            order_id: "a".into(),
        });
    spec.accept(fail(&run_id, "b", unreachable));
    assert_eq!(state_of(&spec, "b"), ParcelState::AttemptFailed);
    spec.when(fail(&run_id, "b", unreachable)).then([]);
    let failed = Rejection::StopFailed {
        run_id: run_id.clone(),
        order_id: "b".into(),
        reason: unreachable,
    };
    for command in [
        fail(&run_id, "b", ExceptionCode::Refused),
        place(&run_id, "b"),
        leave(&run_id, "b"),
    ] {
        spec.when(command).then_rejected(failed.clone());
    }
}

#[test]
fn an_entrance_is_disinfected_after_its_last_door() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1")), ("b", door("E1", "2"))]);
    spec.accept(place(&run_id, "a"));
    spec.accept(leave(&run_id, "a"));
    spec.when(clean(&run_id, &door("E1", "")))
        .then_rejected(Rejection::EntranceOpen {
            run_id: run_id.clone(),
            entrance: "G1/B1/E1".into(),
            order_ids: vec!["b".into()],
        });
    spec.when(clean(&run_id, &door("E2", "")))
        .then_rejected(Rejection::EntranceUnknown {
            run_id: run_id.clone(),
            entrance: "G1/B1/E2".into(),
        });
    spec.accept(fail(&run_id, "b", ExceptionCode::Unreachable));
    spec.when(clean(&run_id, &door("E1", "")))
        .then([pb::EntranceDisinfected {
            run_id: run_id.clone(),
            community: "zhichaka".into(),
            grid: "G1".into(),
            building: "B1".into(),
            entrance: "E1".into(),
            agent: "chlorine 1000 mg/L".into(),
            done_by: "m-1".into(),
        }
        .into()]);
    spec.accept(clean(&run_id, &door("E1", "")));
    spec.when(clean(&run_id, &door("E1", ""))).then([]);
}

#[test]
fn a_run_is_completed_when_every_door_is_done_and_every_entrance_clean() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1")), ("b", door("E2", "1"))]);
    spec.accept(place(&run_id, "a"));
    spec.when(complete(&run_id))
        .then_rejected(Rejection::StopsOpen {
            run_id: run_id.clone(),
            order_ids: vec!["a".into(), "b".into()],
        });
    spec.accept(leave(&run_id, "a"));
    spec.accept(fail(&run_id, "b", ExceptionCode::Unreachable));
    spec.when(complete(&run_id))
        .then_rejected(Rejection::EntrancesNotDisinfected {
            run_id: run_id.clone(),
            entrances: vec![Entrance::of(&door("E1", "1"))],
        });
    spec.accept(clean(&run_id, &door("E1", "")));
    spec.when(complete(&run_id)).then([
        pb::ParcelHeld {
            order_id: "b".into(),
            checkpoint_id: CP.into(),
            member_id: "m-1".into(),
        }
        .into(),
        pb::DeliveryRescheduled {
            order_id: "b".into(),
            attempt: 2,
        }
        .into(),
        pb::RunCompleted {
            run_id: run_id.clone(),
            member_id: "m-1".into(),
            delivered_stops: 1,
            failed_stops: 1,
        }
        .into(),
    ]);
    spec.accept(complete(&run_id));
    spec.when(complete(&run_id)).then([]);
    assert_eq!(state_of(&spec, "b"), ParcelState::Disinfected);
    let member = spec.state.member(&area(), "m-1").expect("known");
    assert_eq!((member.completed_runs, member.delivered_stops), (1, 1));
    assert_eq!(member.carried, Grams(40_000));
    assert_sound(&spec);
}

/// The parcel goes out, fails, and comes back.
fn attempt(spec: &mut Spec, reason: ExceptionCode) {
    let run_id = planned(&spec.accept(plan()))[0].run_id.clone();
    spec.accept(start(&run_id));
    spec.accept(fail(&run_id, "a", reason));
    spec.accept(complete(&run_id));
}

#[test]
fn after_three_attempts_a_parcel_goes_back_to_the_store() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1"))]);
    for tried in 1..=ATTEMPTS_MAX {
        assert_eq!(state_of(&spec, "a"), ParcelState::Disinfected);
        attempt(&mut spec, ExceptionCode::Unreachable);
        assert_eq!(parcel(&spec, "a").attempts, tried);
    }
    assert_eq!(state_of(&spec, "a"), ParcelState::Returned);
    assert_sound(&spec);
}

#[test]
fn a_refused_parcel_goes_back_at_once() {
    for reason in [ExceptionCode::Refused, ExceptionCode::OutOfArea] {
        let mut spec = team(&["m-1"]);
        ready(&mut spec, &[("a", door("E1", "1"))]);
        attempt(&mut spec, reason);
        assert_eq!(state_of(&spec, "a"), ParcelState::Returned);
    }
}

fn return_parcel(order_id: &str) -> Command {
    ReturnParcel {
        order_id: order_id.into(),
        reason: ExceptionCode::Unclaimed,
    }
    .into()
}

fn reschedule(order_id: &str) -> Command {
    RescheduleDelivery {
        order_id: order_id.into(),
    }
    .into()
}

#[test]
fn a_failed_parcel_can_be_returned_before_its_next_attempt() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1"))]);
    let not_held = |state| Rejection::NotHeld {
        order_id: "a".into(),
        state,
    };
    for command in [return_parcel("a"), reschedule("a")] {
        spec.when(command)
            .then_rejected(not_held(ParcelState::Disinfected));
    }
    attempt(&mut spec, ExceptionCode::Unreachable);
    spec.when(reschedule("a")).then([]);
    spec.when(return_parcel("a")).then([pb::ParcelReturned {
        order_id: "a".into(),
        reason: ExceptionCode::Unclaimed.into(),
    }
    .into()]);
    spec.accept(return_parcel("a"));
    spec.when(return_parcel("a")).then([]);
    spec.when(reschedule("a"))
        .then_rejected(not_held(ParcelState::Returned));
    assert_sound(&spec);
}

#[test]
fn a_held_parcel_is_rescheduled_or_returned_by_hand() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    spec.accept(fail(&run_id, "a", ExceptionCode::Unreachable));
    let held = pb::ParcelHeld {
        order_id: "a".into(),
        checkpoint_id: CP.into(),
        member_id: "m-1".into(),
    };
    crate::history::fold(&mut spec, [held.into()]);
    spec.when(reschedule("a")).then([pb::DeliveryRescheduled {
        order_id: "a".into(),
        attempt: 2,
    }
    .into()]);
    assert!(spec.run(return_parcel("a")).is_ok());
    assert_sound(&spec);
}

#[test]
fn a_household_hears_of_its_goods_after_the_door_was_left() {
    let (mut spec, _) = delivered();
    let told = spec.react(
        Service::Notification,
        sent("a", NotificationKind::GoodsAtDoor),
    );
    assert_eq!(told, [Ok(vec![called("message")])]);
    assert_eq!(state_of(&spec, "a"), ParcelState::Called);
    let again = spec.react(
        Service::Notification,
        sent("a", NotificationKind::GoodsAtDoor),
    );
    assert_eq!(again, [Ok(vec![])]);
    let receipt = spec.react(Service::Notification, acknowledged("a"));
    assert_eq!(receipt, [Ok(vec![collected("receipt")])]);
    assert_eq!(state_of(&spec, "a"), ParcelState::Collected);
    let visit = spec.react(Service::Notification, visited("a"));
    assert_eq!(visit, [Ok(vec![])]);
    assert_sound(&spec);
}

#[test]
fn an_answer_also_tells_that_the_household_was_called() {
    for (event, means, evidence) in [
        (acknowledged("a"), "message", "receipt"),
        (telephoned("a", CallOutcome::Answered), "call", "call"),
        (visited("a"), "visit", "visit"),
    ] {
        let (mut spec, _) = delivered();
        let heard = spec.react(Service::Notification, event);
        assert_eq!(heard, [Ok(vec![called(means), collected(evidence)])]);
        assert_sound(&spec);
    }
}

#[test]
fn nobody_is_called_before_the_door_was_left() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    spec.accept(place(&run_id, "a"));
    for event in [
        sent("a", NotificationKind::GoodsAtDoor),
        acknowledged("a"),
        telephoned("a", CallOutcome::Answered),
        visited("a"),
    ] {
        let heard = spec.react(Service::Notification, event);
        let too_early = Rejection::NotLeft {
            order_id: "a".into(),
            state: ParcelState::Placed,
        };
        assert_eq!(heard, [Err(too_early)]);
    }
}

#[test]
fn other_messages_and_unanswered_calls_mean_nothing_here() {
    let (mut spec, _) = delivered();
    for event in [
        sent("a", NotificationKind::OrderRejected),
        telephoned("a", CallOutcome::NoAnswer),
        telephoned("a", CallOutcome::WrongNumber),
        AnyEvent::Other,
    ] {
        assert_eq!(spec.react(Service::Notification, event), []);
    }
}
