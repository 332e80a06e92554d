//! The last rung: the household's cadre goes there.

use notification_domain::{CallOutcome, Evidence, Kind, Phase, Rejection};
use proto::notification::v1::NotificationRequested;

use crate::fixtures::*;

fn to_be_visited() -> Story {
    Story::given([
        contact("H1", &[]),
        goods_at_door(),
        visit_opened("NO_ANSWER"),
    ])
}

#[test]
fn the_cadres_visit_ends_it() {
    let mut story = to_be_visited();
    let events = story.accept(complete_visit("cadre-1"));
    assert_eq!(events, [visited("cadre-1")]);
    assert_eq!(phase(&story), Phase::Closed);
    assert_eq!(only(&story).evidence, Some(Evidence::Visit));
    story.when(complete_visit("cadre-1")).then([]);
}

#[test]
fn only_the_households_cadre_can_visit() {
    to_be_visited()
        .when(complete_visit("cadre-2"))
        .then_rejected(Rejection::NotTheCadre {
            notification_id: N1.into(),
            household_id: "H1".into(),
            cadre_id: "cadre-2".into(),
            expected_cadre_id: "cadre-1".into(),
        });
}

#[test]
fn after_a_hand_over_it_is_the_new_cadre() {
    let story = Story::given([
        contact("H1", &[]),
        goods_at_door(),
        visit_opened("NO_ANSWER"),
        handed_over("cadre-2"),
    ]);
    story
        .when(complete_visit("cadre-2"))
        .then([visited("cadre-2")]);
    story
        .when(complete_visit("cadre-1"))
        .then_rejected(Rejection::NotTheCadre {
            notification_id: N1.into(),
            household_id: "H1".into(),
            cadre_id: "cadre-1".into(),
            expected_cadre_id: "cadre-2".into(),
        });
}

#[test]
fn where_no_cadre_is_known_nobody_can_complete_a_visit() {
    let unknown = NotificationRequested {
        cadre_id: String::new(),
        ..requested(Kind::OrderRejected)
    };
    let mut story = Story::given([unknown.into(), visit_opened("NO_CONTACT")]);
    story
        .when(complete_visit("cadre-1"))
        .then_rejected(Rejection::NoCadre {
            notification_id: N1.into(),
            household_id: "H1".into(),
        });
    story.accept(notification_domain::Command::ChangeCadre {
        household_id: "H1".into(),
        cadre_id: "cadre-1".into(),
    });
    story.accept(complete_visit("cadre-1"));
}

#[test]
fn a_visit_is_completed_only_where_one_is_open() {
    let refused = |phase| Rejection::VisitNotOpen {
        notification_id: N1.into(),
        phase,
    };
    Story::given([goods_at_door()])
        .when(complete_visit("cadre-1"))
        .then_rejected(refused(Phase::Pending));
    Story::given([goods_at_door(), call_opened("NO_RECEIPT")])
        .when(complete_visit("cadre-1"))
        .then_rejected(refused(Phase::CallTaskOpen));
    Story::given([
        goods_at_door(),
        call_opened("NO_RECEIPT"),
        called(CallOutcome::Answered),
    ])
    .when(complete_visit("cadre-1"))
    .then_rejected(refused(Phase::Closed));
}

#[test]
fn a_visit_has_no_end_of_its_own() {
    let mut story = to_be_visited();
    assert_eq!(story.elapse(START.plus_minutes(60 * 24 * 30)), 0);
    assert_eq!(phase(&story), Phase::VisitOpen);
}
