//! The household's own word ends it at any rung.

use decider::Domain;
use notification_domain::{CallOutcome, Evidence, Kind, Notifications, Phase, Rejection};
use proto::NotificationEvent;

use crate::fixtures::*;

#[test]
fn a_receipt_ends_it_at_every_rung() {
    let rungs: [Vec<NotificationEvent>; 4] = [
        vec![],
        vec![sent(Kind::GoodsAtDoor, 1)],
        vec![call_opened("NO_RECEIPT")],
        vec![visit_opened("NO_ANSWER")],
    ];
    for rung in rungs {
        let mut story = Story::given(
            [contact("H1", &[]), goods_at_door()]
                .into_iter()
                .chain(rung),
        );
        let events = story.accept(acknowledge());
        assert_eq!(events, [acknowledged()]);
        assert_eq!(phase(&story), Phase::Closed);
        assert_eq!(only(&story).evidence, Some(Evidence::Receipt));
        assert_eq!(story.state.next_send(), None);
        assert_eq!(Notifications::next_due(&story.state), None);
    }
}

#[test]
fn the_order_will_do_instead_of_the_notification() {
    Story::given([goods_at_door()])
        .when(acknowledge_order("O1"))
        .then([acknowledged()]);
}

#[test]
fn a_receipt_for_what_has_ended_changes_nothing() {
    let ends: [Vec<NotificationEvent>; 3] = [
        vec![acknowledged()],
        vec![call_opened("NO_RECEIPT"), called(CallOutcome::Answered)],
        vec![visit_opened("NO_ANSWER"), visited("cadre-1")],
    ];
    for end in ends {
        let story = Story::given([goods_at_door()].into_iter().chain(end));
        story.when(acknowledge()).then([]);
        story.when(acknowledge_order("O1")).then([]);
    }
}

#[test]
fn an_order_whose_goods_are_not_at_the_door_cannot_be_acknowledged() {
    let refused = Rejection::OrderNotNotified {
        order_id: "O1".into(),
        area: area(),
    };
    Story::given([])
        .when(acknowledge_order("O1"))
        .then_rejected(refused.clone());
    Story::given([requested(Kind::OrderRejected).into()])
        .when(acknowledge_order("O1"))
        .then_rejected(refused);
    let story = Story::given([goods_at_door()]);
    assert_eq!(
        Notifications::decide(
            &story.state,
            &acknowledge_order("O1"),
            &context_elsewhere(&story)
        ),
        Err(Rejection::OrderNotNotified {
            order_id: "O1".into(),
            area: elsewhere(),
        })
    );
}
