//! Sending: attempts, pauses between them, and what a late outcome changes.

use decider::Domain;
use notification_domain::{ATTEMPTS_MAX, Command, Evidence, Kind, Notifications, Phase, Rejection};
use proto::NotificationEvent;

use crate::fixtures::*;

#[test]
fn a_message_taken_over_by_a_channel_is_sent() {
    Story::given([contact("H1", &[]), goods_at_door()])
        .when(record_sent(1))
        .then([sent(Kind::GoodsAtDoor, 1)]);
}

#[test]
fn what_only_informs_is_closed_when_it_is_sent() {
    let mut story = Story::given([contact("H1", &[]), requested(Kind::OrderRejected).into()]);
    story.accept(record_sent(1));
    assert_eq!(phase(&story), Phase::Closed);
    assert_eq!(only(&story).evidence, Some(Evidence::Sent));
}

#[test]
fn a_failed_attempt_is_repeated_after_a_pause_that_doubles() {
    let mut story = Story::given([contact("H1", &[]), goods_at_door()]);
    for (attempt, pause) in [(1, 30), (2, 60), (3, 120), (4, 240)] {
        let now = story.context.now;
        let again = now.plus_seconds(pause);
        let events = story.accept(record_failed(attempt, false));
        assert_eq!(events, [failed(attempt, Some(again))]);
        assert_eq!(story.state.pending_sends(now, 10), []);
        assert_eq!(story.state.next_send(), Some(again));
        let next = story.state.pending_sends(again, 10);
        assert_eq!(next[0].attempt, attempt + 1);
        story.context.now = again;
    }
}

#[test]
fn after_the_last_attempt_somebody_must_telephone() {
    let again = Some(START);
    let story = Story::given([
        contact("H1", &[]),
        goods_at_door(),
        failed(1, again),
        failed(2, again),
        failed(3, again),
        failed(4, again),
    ]);
    story
        .when(record_failed(ATTEMPTS_MAX, false))
        .then([failed(5, None), call_opened("MESSAGE_FAILED")]);
}

#[test]
fn a_permanent_failure_is_not_tried_again() {
    let mut story = Story::given([contact("H1", &[]), goods_at_door()]);
    let events = story.accept(record_failed(1, true));
    assert_eq!(events, [failed(1, None), call_opened("MESSAGE_FAILED")]);
    assert_eq!(phase(&story), Phase::CallTaskOpen);
    assert_eq!(story.state.next_send(), None);
}

#[test]
fn an_outcome_recorded_already_changes_nothing() {
    let story = Story::given([contact("H1", &[]), goods_at_door(), failed(1, Some(START))]);
    story.when(record_sent(1)).then([]);
    story.when(record_failed(1, true)).then([]);
    let story = Story::given([
        contact("H1", &[]),
        goods_at_door(),
        sent(Kind::GoodsAtDoor, 1),
    ]);
    story.when(record_sent(1)).then([]);
    story.when(record_sent(2)).then([]);
}

#[test]
fn an_outcome_that_comes_after_the_receipt_changes_nothing() {
    let story = Story::given([contact("H1", &[]), goods_at_door(), acknowledged()]);
    story.when(record_sent(1)).then([]);
    story.when(record_failed(1, true)).then([]);
}

#[test]
fn an_attempt_out_of_turn_is_refused() {
    for command in [record_sent(3), record_failed(3, false)] {
        Story::given([contact("H1", &[]), goods_at_door(), failed(1, Some(START))])
            .when(command)
            .then_rejected(Rejection::AttemptUnexpected {
                notification_id: N1.into(),
                attempt: 3,
                expected: 2,
            });
    }
}

#[test]
fn an_error_text_is_cut() {
    let mut story = Story::given([contact("H1", &[]), goods_at_door()]);
    let events = story.accept(Command::RecordFailed {
        notification_id: N1.into(),
        channel: CONSOLE,
        attempt: 1,
        error: "错".repeat(10_000),
        permanent: false,
    });
    match &events[0] {
        NotificationEvent::MessageFailed(event) => assert_eq!(event.error.chars().count(), 200),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_notification_and_one_of_another_area_are_refused_alike() {
    let story = Story::given([contact("H1", &[]), goods_at_door()]);
    let unknown = Rejection::NotificationUnknown {
        notification_id: N1.into(),
        area: elsewhere(),
    };
    for command in [
        record_sent(1),
        record_failed(1, false),
        acknowledge(),
        complete_call(notification_domain::CallOutcome::Answered),
        complete_visit("cadre-1"),
    ] {
        let there = context_elsewhere(&story);
        assert_eq!(
            Notifications::decide(&story.state, &command, &there),
            Err(unknown.clone())
        );
        Story::given([])
            .when(command)
            .then_rejected(Rejection::NotificationUnknown {
                notification_id: N1.into(),
                area: area(),
            });
    }
}
