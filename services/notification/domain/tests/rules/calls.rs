//! The second rung: somebody telephones.

use notification_domain::{
    CALL_WAIT_MINUTES, CallOutcome, Evidence, Kind, NextStep, Phase, RECEIPT_WAIT_MINUTES,
    Rejection,
};

use crate::fixtures::*;

fn sent_at_start() -> Story {
    Story::given([
        contact("H1", &[]),
        goods_at_door(),
        sent(Kind::GoodsAtDoor, 1),
    ])
}

#[test]
fn without_a_receipt_somebody_must_telephone() {
    let mut story = sent_at_start();
    let end = START.plus_minutes(RECEIPT_WAIT_MINUTES);
    assert_eq!(
        only(&story).next_step(),
        Some(NextStep::Receipt { until: end })
    );
    assert_eq!(story.elapse(end.plus_seconds(-1)), 0);
    assert_eq!(phase(&story), Phase::Sent);
    assert_eq!(story.elapse(end), 1);
    assert_eq!(phase(&story), Phase::CallTaskOpen);
}

#[test]
fn the_time_for_a_receipt_cannot_be_cut_short() {
    let story = sent_at_start();
    let climb = notification_domain::Command::ClimbLadder {
        notification_id: N1.into(),
    };
    story.when(climb.clone()).then([]);
    story
        .at(START.plus_minutes(RECEIPT_WAIT_MINUTES))
        .when(climb)
        .then([call_opened("NO_RECEIPT")]);
}

#[test]
fn an_answered_call_ends_it() {
    let mut story = Story::given([goods_at_door(), call_opened("NO_RECEIPT")]);
    let events = story.accept(complete_call(CallOutcome::Answered));
    assert_eq!(events, [called(CallOutcome::Answered)]);
    assert_eq!(only(&story).evidence, Some(Evidence::Call));
    assert_eq!(story.elapse(START.plus_minutes(10_000)), 0);
}

#[test]
fn a_call_in_vain_sends_the_cadre_at_once() {
    for (outcome, reason) in [
        (CallOutcome::NoAnswer, "NO_ANSWER"),
        (CallOutcome::WrongNumber, "WRONG_NUMBER"),
    ] {
        Story::given([goods_at_door(), call_opened("NO_RECEIPT")])
            .when(complete_call(outcome))
            .then([called(outcome), visit_opened(reason)]);
    }
}

#[test]
fn a_call_that_nobody_makes_sends_the_cadre() {
    let mut story = Story::given([goods_at_door(), call_opened("NO_SMARTPHONE")]);
    let end = START.plus_minutes(CALL_WAIT_MINUTES);
    assert_eq!(
        only(&story).next_step(),
        Some(NextStep::Call { until: end })
    );
    assert_eq!(story.elapse(end.plus_seconds(-1)), 0);
    assert_eq!(story.elapse(end), 1);
    assert_eq!(phase(&story), Phase::VisitOpen);
}

#[test]
fn from_message_to_visit_it_takes_two_and_a_half_hours() {
    let mut story = sent_at_start();
    let fired = story.elapse(START.plus_minutes(RECEIPT_WAIT_MINUTES + CALL_WAIT_MINUTES));
    assert_eq!(fired, 2);
    assert_eq!(phase(&story), Phase::VisitOpen);
    assert_eq!(
        only(&story).next_step(),
        Some(NextStep::Visit {
            cadre_id: "cadre-1"
        })
    );
}

#[test]
fn the_same_outcome_again_changes_nothing() {
    for outcome in CallOutcome::ALL {
        let mut story = Story::given([goods_at_door(), call_opened("NO_RECEIPT")]);
        story.accept(complete_call(*outcome));
        story.when(complete_call(*outcome)).then([]);
    }
}

#[test]
fn a_call_is_completed_only_where_one_is_to_be_made() {
    let refused = |phase| Rejection::CallTaskNotOpen {
        notification_id: N1.into(),
        phase,
    };
    sent_at_start()
        .when(complete_call(CallOutcome::Answered))
        .then_rejected(refused(Phase::Sent));
    Story::given([goods_at_door(), visit_opened("CALL_NOT_MADE")])
        .when(complete_call(CallOutcome::Answered))
        .then_rejected(refused(Phase::VisitOpen));
    Story::given([goods_at_door(), acknowledged()])
        .when(complete_call(CallOutcome::NoAnswer))
        .then_rejected(refused(Phase::Closed));
}
