//! What a household is told, and at which rung that begins.

use decider::{Service, Timestamp};
use notification_domain::{Kind, Language, Phase, Rung};
use proto::{
    AnyEvent, NotificationEvent, OrderEvent, order::v1 as order, types::v1::Line, types::v1::Need,
};

use crate::fixtures::*;

fn request_in(events: &[NotificationEvent]) -> &proto::notification::v1::NotificationRequested {
    match &events[0] {
        NotificationEvent::NotificationRequested(event) => event,
        other => panic!("{other:?}"),
    }
}

fn names(events: &[NotificationEvent]) -> Vec<&'static str> {
    use decider::EventSet;
    events
        .iter()
        .map(|e| e.type_name().rsplit('.').next().unwrap_or_default())
        .collect()
}

fn cancelled(reason: order::CancelReason) -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(order::OrderCancelled {
        order_id: "O1".into(),
        reason: reason.into(),
        note: "called by 张三".into(),
        household_id: "H1".into(),
    }))
}

fn partially_confirmed(lines: usize) -> AnyEvent {
    let short = (0..lines)
        .map(|n| Line {
            product_id: format!("p{n}"),
            quantity_units: 2,
        })
        .collect();
    AnyEvent::Order(OrderEvent::from(order::OrderPartiallyConfirmed {
        order_id: "O1".into(),
        short,
        household_id: "H1".into(),
    }))
}

#[test]
fn when_the_member_has_left_the_door_a_message_is_to_be_sent_and_a_receipt_awaited() {
    let mut story = Story::given([contact("H1", &[])]);
    let events = react(&mut story, Service::Logistics, door_left("O1", "H1"));
    assert_eq!(names(&events), ["NotificationRequested"]);
    let request = request_in(&events);
    assert!(request.needs_receipt);
    assert_eq!(request.cadre_id, "cadre-1");
    assert_eq!(request.parameters, parameters(&[("order", "O1")]));
    assert_eq!(phase(&story), Phase::Pending);
    assert_eq!(only(&story).requested, START);
    assert_eq!(story.state.pending_count(START), 1);
}

#[test]
fn a_household_without_smartphone_is_telephoned() {
    let mut story = Story::given([contact("H1", &[Need::NoSmartphone, Need::Elderly])]);
    let events = react(&mut story, Service::Logistics, door_left("O1", "H1"));
    assert_eq!(names(&events), ["NotificationRequested", "CallTaskOpened"]);
    assert_eq!(reason(&events[1]), "NO_SMARTPHONE");
    assert_eq!(only(&story).rung, Rung::Call);
    assert_eq!(phase(&story), Phase::CallTaskOpen);
    assert_eq!(story.state.pending_count(Timestamp(i64::MAX)), 0);
}

#[test]
fn the_elderly_are_telephoned_when_goods_are_at_the_door() {
    let mut story = Story::given([contact("H1", &[Need::Elderly])]);
    let events = react(&mut story, Service::Logistics, door_left("O1", "H1"));
    assert_eq!(names(&events), ["NotificationRequested", "CallTaskOpened"]);
    assert_eq!(reason(&events[1]), "ELDERLY");
}

#[test]
fn what_only_informs_is_messaged_to_the_elderly_and_telephoned_without_a_smartphone() {
    let mut story = Story::given([contact("H1", &[Need::Elderly])]);
    let events = react(&mut story, Service::Order, order_rejected("OUT_OF_STOCK"));
    assert_eq!(names(&events), ["NotificationRequested"]);
    let mut story = Story::given([contact("H1", &[Need::NoSmartphone])]);
    let events = react(&mut story, Service::Order, order_rejected("OUT_OF_STOCK"));
    assert_eq!(names(&events), ["NotificationRequested", "CallTaskOpened"]);
}

#[test]
fn a_household_without_contact_is_visited_by_the_cadre_that_the_delivery_names() {
    let mut story = Story::given([]);
    let events = react(&mut story, Service::Logistics, door_left("O1", "H1"));
    assert_eq!(names(&events), ["NotificationRequested", "VisitOpened"]);
    assert_eq!(reason(&events[1]), "NO_CONTACT");
    assert_eq!(phase(&story), Phase::VisitOpen);
    assert_eq!(only(&story).cadre_id, "cadre-1");
}

#[test]
fn a_household_of_which_only_the_cadre_is_known_is_visited_by_that_cadre() {
    let mut story = Story::given([handed_over("cadre-2")]);
    react(&mut story, Service::Logistics, door_left("O1", "H1"));
    assert_eq!(phase(&story), Phase::VisitOpen);
    assert_eq!(only(&story).cadre_id, "cadre-2");
}

#[test]
fn an_order_has_one_notification_of_a_kind() {
    let mut story = Story::given([contact("H1", &[])]);
    react(&mut story, Service::Logistics, door_left("O1", "H1"));
    assert_eq!(
        react(&mut story, Service::Logistics, door_left("O1", "H1")),
        []
    );
    assert_eq!(
        react(&mut story, Service::Logistics, door_left("O2", "H1")).len(),
        1
    );
    assert_eq!(
        react(&mut story, Service::Order, order_rejected("X")).len(),
        1
    );
    assert_eq!(react(&mut story, Service::Order, order_rejected("X")), []);
}

#[test]
fn every_failed_attempt_is_told() {
    let mut story = Story::given([contact("H1", &[])]);
    for _ in 0..2 {
        let events = react(&mut story, Service::Order, order_failed("O1"));
        let request = request_in(&events);
        assert_eq!(request.kind(), Kind::DeliveryFailed.to_proto());
        assert_eq!(
            request.parameters,
            parameters(&[("order", "O1"), ("reason", "refused")])
        );
        assert!(!request.needs_receipt);
    }
    assert_eq!(story.state.notifications_of_order("O1").count(), 2);
}

#[test]
fn a_failed_group_buy_and_an_operators_cancellation_are_told_but_not_ones_own() {
    let mut story = Story::given([contact("H1", &[])]);
    let events = react(
        &mut story,
        Service::Order,
        cancelled(order::CancelReason::GroupBuyFailed),
    );
    assert_eq!(request_in(&events).kind(), Kind::GroupBuyFailed.to_proto());
    let events = react(
        &mut story,
        Service::Order,
        cancelled(order::CancelReason::Operator),
    );
    let request = request_in(&events);
    assert_eq!(request.kind(), Kind::OrderRejected.to_proto());
    assert_eq!(
        request.parameters,
        parameters(&[("order", "O1"), ("reason", "CANCELLED_BY_OPERATOR")])
    );
    assert_eq!(
        react(
            &mut story,
            Service::Order,
            cancelled(order::CancelReason::Customer)
        ),
        []
    );
}

#[test]
fn what_is_missing_of_a_partial_confirmation_is_named_up_to_a_limit() {
    let mut story = Story::given([contact("H1", &[])]);
    let events = react(&mut story, Service::Order, partially_confirmed(2));
    assert_eq!(
        request_in(&events).parameters,
        parameters(&[("order", "O1"), ("short", "p0 × 2, p1 × 2")])
    );
    let mut story = Story::given([contact("H1", &[])]);
    let events = react(&mut story, Service::Order, partially_confirmed(500));
    let value = &request_in(&events).parameters[1].value;
    assert!(value.ends_with("p19 × 2, …"), "{value}");
}

#[test]
fn a_reason_that_is_no_code_does_not_get_into_a_message() {
    let mut story = Story::given([contact("H1", &[])]);
    let events = react(
        &mut story,
        Service::Order,
        order_rejected("张三 did not pay"),
    );
    assert_eq!(
        request_in(&events).parameters,
        parameters(&[("order", "O1"), ("reason", "OTHER")])
    );
}

#[test]
fn every_kind_carries_exactly_the_parameters_that_its_template_may_use() {
    let facts = [
        (Service::Logistics, door_left("O1", "H1")),
        (Service::Order, order_rejected("X")),
        (Service::Order, order_failed("O1")),
        (Service::Order, partially_confirmed(1)),
        (
            Service::Order,
            cancelled(order::CancelReason::GroupBuyFailed),
        ),
    ];
    let mut kinds: Vec<Kind> = Vec::new();
    for (service, fact) in facts {
        let mut story = Story::given([contact("H1", &[])]);
        react(&mut story, service, fact);
        let n = only(&story);
        let names: Vec<&str> = n.parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, n.kind.parameter_names(), "{}", n.kind);
        kinds.push(n.kind);
    }
    kinds.sort();
    assert_eq!(kinds, Kind::ALL);
}

#[test]
fn a_household_is_told_in_its_language() {
    let mut english = contact("H1", &[]);
    if let NotificationEvent::ContactRecorded(event) = &mut english {
        event.language = "en".into();
    }
    let mut story = Story::given([english]);
    let events = react(&mut story, Service::Logistics, door_left("O1", "H1"));
    assert_eq!(request_in(&events).language, "en");
    assert_eq!(only(&story).language, Language::English);
}

#[test]
fn other_facts_call_for_nothing() {
    let mut story = Story::given([contact("H1", &[])]);
    let fact = AnyEvent::Order(OrderEvent::from(order::OrderConfirmed {
        order_id: "O1".into(),
    }));
    assert_eq!(react(&mut story, Service::Order, fact), []);
    assert_eq!(react(&mut story, Service::Order, AnyEvent::Other), []);
}

fn reason(event: &NotificationEvent) -> &str {
    match event {
        NotificationEvent::CallTaskOpened(event) => &event.reason,
        NotificationEvent::VisitOpened(event) => &event.reason,
        other => panic!("{other:?}"),
    }
}
