//! A contact is forgotten; what is open is handed to the cadre.

use decider::{Domain, Service, StreamId};
use notification_domain::{CallOutcome, Kind, Notifications, Phase};
use proto::{
    AnyEvent, NotificationEvent, OrderEvent,
    notification::v1 as pb,
    order::v1::{HouseholdRegistered, PersonalDataErased},
    types::v1::Need,
};

use crate::fixtures::*;

fn personal_data_erased() -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(PersonalDataErased {
        household_id: "H1".into(),
        key_id: "household/H1".into(),
        reason: "MOVED_AWAY".into(),
        open_orders: 0,
    }))
}

fn erased() -> NotificationEvent {
    pb::ContactErased {
        household_id: "H1".into(),
    }
    .into()
}

fn hear(story: &mut Story) -> Vec<NotificationEvent> {
    react(story, Service::Order, personal_data_erased())
}

#[test]
fn the_contact_is_forgotten_and_the_rest_stays() {
    let mut story = Story::given([contact("H1", &[Need::Elderly]), contact("H2", &[])]);
    assert_eq!(hear(&mut story), [erased()]);
    let contact = story.state.contact("H1").expect("known");
    assert_eq!(contact.sealed, None);
    assert!(contact.erased.is_some());
    assert_eq!(
        (&*contact.cadre_id, &*contact.needs),
        ("cadre-1", &[Need::Elderly][..])
    );
    let line = Notifications::describe(&story.state, &StreamId::new("contact", "H1"));
    assert!(line.expect("known").starts_with("contact erased"));
    let forgotten: Vec<_> = story.state.erased_contacts(0).collect();
    assert_eq!(forgotten.len(), 1);
    assert_eq!(story.state.erased_contacts(1).count(), 0);
    assert_eq!(hear(&mut story), [], "again it changes nothing");
}

#[test]
fn whatever_is_open_goes_to_the_visit_of_the_cadre() {
    let before = [
        vec![],
        vec![failed(1, Some(START.plus_seconds(30)))],
        vec![sent(Kind::GoodsAtDoor, 1)],
        vec![call_opened("NO_SMARTPHONE")],
    ];
    for events in before {
        let events = [contact("H1", &[]), goods_at_door()]
            .into_iter()
            .chain(events);
        let mut story = Story::given(events);
        let told = hear(&mut story);
        assert_eq!(told, [erased(), visit_opened("CONTACT_ERASED")]);
        assert_eq!(phase(&story), Phase::VisitOpen);
        assert_eq!(story.state.pending_count(story.context.now), 0);
    }
}

#[test]
fn an_open_visit_stays_and_what_is_closed_stays_closed() {
    for (last, stands) in [
        (visit_opened("NO_ANSWER"), Phase::VisitOpen),
        (acknowledged(), Phase::Closed),
    ] {
        let mut story = Story::given([contact("H1", &[]), goods_at_door(), last]);
        assert_eq!(hear(&mut story), [erased()]);
        assert_eq!(phase(&story), stands);
    }
}

#[test]
fn a_message_that_was_on_its_way_changes_nothing_any_more() {
    let mut story = Story::given([contact("H1", &[]), goods_at_door()]);
    hear(&mut story);
    story.when(record_sent(1)).then([]);
    story.when(record_failed(1, true)).then([]);
    story
        .run(complete_call(CallOutcome::Answered))
        .expect_err("no call task is open");
    assert_eq!(
        story.accept(complete_visit("cadre-1")),
        [visited("cadre-1")]
    );
}

#[test]
fn later_news_begins_with_the_visit() {
    let mut story = Story::given([contact("H1", &[Need::NoSmartphone]), erased()]);
    let told = react(&mut story, Service::Logistics, door_left("O2", "H1"));
    let [_, NotificationEvent::VisitOpened(visit)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(visit.reason, "CONTACT_ERASED");
    assert_eq!(visit.cadre_id, "cadre-1");
}

#[test]
fn a_contact_that_comes_late_is_not_taken() {
    let mut story = Story::given([contact("H1", &[]), erased()]);
    let late = AnyEvent::Order(OrderEvent::from(HouseholdRegistered {
        household_id: "H1".into(),
        contact: Some(sealed("H1")),
        cadre_id: "cadre-2".into(),
        language: "zh".into(),
        ..HouseholdRegistered::default()
    }));
    let told = react(&mut story, Service::Order, late);
    let [NotificationEvent::ContactRecorded(recorded)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(recorded.contact, None);
    assert_eq!(story.state.contact("H1").expect("known").sealed, None);
    // Nor from a log that says so.
    let story = Story::given([erased(), contact("H1", &[])]);
    assert_eq!(story.state.contact("H1").expect("known").sealed, None);
}

/// More than one command opens; the ladder does the rest in its own time.
#[test]
fn the_last_of_many_messages_gets_its_visit_too() {
    let requested = |n: i32| -> NotificationEvent {
        pb::NotificationRequested {
            notification_id: format!("N{n:03}"),
            order_id: format!("O{n:03}"),
            ..requested(Kind::GoodsAtDoor)
        }
        .into()
    };
    let mut story = Story::given((0..70).map(requested));
    assert_eq!(hear(&mut story).len(), 1 + 64);
    let now = story.context.now;
    for send in story.state.pending_sends(now, 100) {
        assert_eq!(send.contact, None);
        let told = story.accept(notification_domain::Command::RecordFailed {
            notification_id: send.notification_id,
            channel: CONSOLE,
            attempt: send.attempt,
            error: "the household has no contact".into(),
            permanent: true,
        });
        assert!(
            matches!(told.last(), Some(NotificationEvent::VisitOpened(_))),
            "{told:?}"
        );
    }
    assert_eq!(story.state.count(Phase::VisitOpen), 70);
}
