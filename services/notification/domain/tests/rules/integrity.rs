//! INV-08, and what an altered log would show.

use decider::{Domain, Invariant, StreamId};
use notification_domain::{Kind, Notifications};
use proto::notification::v1::NotificationRequested;

use crate::fixtures::*;

fn violations(story: &Story) -> Vec<String> {
    let found = Notifications::violations(&story.state);
    assert!(
        found
            .iter()
            .all(|v| v.invariant == Invariant::ReceiptOrVisit)
    );
    found.into_iter().map(|v| v.to_string()).collect()
}

#[test]
fn an_open_rung_is_no_violation() {
    let open = [
        vec![],
        vec![failed(1, Some(START))],
        vec![sent(Kind::GoodsAtDoor, 1)],
        vec![call_opened("NO_RECEIPT")],
        vec![visit_opened("NO_ANSWER")],
        vec![visit_opened("NO_ANSWER"), visited("cadre-1")],
    ];
    for events in open {
        let story = Story::given([goods_at_door()].into_iter().chain(events));
        assert_eq!(violations(&story), [] as [String; 0]);
    }
}

#[test]
fn given_up_sending_without_a_call_task_is_a_violation() {
    let story = Story::given([goods_at_door(), failed(1, None)]);
    assert_eq!(
        violations(&story),
        ["INV-08 notification/N1: goods at the door of order O1 is to be sent without a next step"]
    );
}

#[test]
fn a_visit_of_somebody_else_is_a_violation() {
    let story = Story::given([
        goods_at_door(),
        visit_opened("NO_ANSWER"),
        visited("cadre-9"),
    ]);
    assert_eq!(
        violations(&story),
        [
            "INV-08 notification/N1: closed by a visit of cadre-9, but cadre-1 answers for household H1"
        ]
    );
}

#[test]
fn goods_at_the_door_closed_by_sending_alone_is_a_violation() {
    let careless = NotificationRequested {
        needs_receipt: false,
        ..requested(Kind::GoodsAtDoor)
    };
    let story = Story::given([careless.into(), sent(Kind::GoodsAtDoor, 1)]);
    assert_eq!(violations(&story).len(), 1);
}

#[test]
fn a_notification_is_described_in_a_line_without_personal_data() {
    let mut story = Story::given([
        contact("H1", &[]),
        goods_at_door(),
        call_opened("NO_RECEIPT"),
    ]);
    let stream = StreamId::new("notification", N1);
    let describe = |story: &Story| Notifications::describe(&story.state, &stream);
    assert_eq!(
        describe(&story).as_deref(),
        Some(
            "call task open: goods at the door of order O1 for household H1, cadre cadre-1, \
             attempts 0, revision 2"
        )
    );
    story.accept(acknowledge());
    assert_eq!(
        describe(&story).as_deref(),
        Some(
            "closed by receipt: goods at the door of order O1 for household H1, cadre cadre-1, \
             attempts 0, revision 3"
        )
    );
    let unknown = StreamId::new("notification", "N9");
    assert_eq!(Notifications::describe(&story.state, &unknown), None);
    assert_eq!(
        Notifications::describe(&story.state, &StreamId::new("order", "O1")),
        None
    );
}
