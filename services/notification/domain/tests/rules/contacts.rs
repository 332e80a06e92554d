//! How to reach a household is taken over from the order service.

use decider::{Domain, Service, StreamId};
use notification_domain::{Command, Language, Notifications, RecordContact};
use proto::{AnyEvent, OrderEvent, order::v1 as order, types::v1::Need};

use crate::fixtures::*;

fn registered() -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(order::HouseholdRegistered {
        household_id: "H1".into(),
        door: None,
        contact: Some(sealed("H1")),
        needs: vec![Need::Elderly.into(), 99, Need::Unspecified.into()],
        cadre_id: "cadre-1".into(),
        language: "en-GB".into(),
        people: 2,
    }))
}

fn updated(needs: Option<&[Need]>) -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(order::HouseholdUpdated {
        household_id: "H1".into(),
        contact: None,
        needs: needs
            .unwrap_or_default()
            .iter()
            .map(|n| i32::from(*n))
            .collect(),
        needs_changed: needs.is_some(),
    }))
}

fn handover(to: &str) -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(order::HouseholdHandedOver {
        household_id: "H1".into(),
        from_cadre_id: "cadre-1".into(),
        to_cadre_id: to.into(),
        reason: "leave".into(),
    }))
}

#[test]
fn a_registered_household_becomes_a_contact_with_the_needs_that_are_known() {
    let mut story = Story::given([]);
    let events = react(&mut story, Service::Order, registered());
    assert_eq!(events.len(), 1);
    let contact = story.state.contact("H1").expect("known");
    assert_eq!(contact.needs, [Need::Elderly]);
    assert_eq!(contact.language(), Language::English);
    assert_eq!(contact.cadre_id, "cadre-1");
    assert_eq!(contact.sealed, Some(sealed("H1")));
    assert_eq!(
        Notifications::describe(&story.state, &StreamId::new("contact", "H1")),
        Some(
            "contact sealed, cadre cadre-1, language en-GB, needs NEED_ELDERLY, revision 1".into()
        )
    );
}

#[test]
fn the_same_registration_again_changes_nothing() {
    let mut story = Story::given([]);
    react(&mut story, Service::Order, registered());
    assert_eq!(react(&mut story, Service::Order, registered()), []);
}

#[test]
fn an_update_leaves_what_it_does_not_name_as_it_was() {
    let mut story = Story::given([contact("H1", &[Need::Elderly])]);
    assert_eq!(react(&mut story, Service::Order, updated(None)), []);
    let events = react(
        &mut story,
        Service::Order,
        updated(Some(&[Need::NoSmartphone])),
    );
    assert_eq!(events, [contact("H1", &[Need::NoSmartphone])]);
}

#[test]
fn an_update_of_the_contact_keeps_the_needs() {
    let story = Story::given([contact("H1", &[Need::Elderly])]);
    let outcome = story.when(Command::RecordContact(RecordContact {
        household_id: "H1".into(),
        contact: Some(sealed("new")),
        ..RecordContact::default()
    }));
    outcome.then([proto::notification::v1::ContactRecorded {
        household_id: "H1".into(),
        contact: Some(sealed("new")),
        language: "zh".into(),
        needs: vec![Need::Elderly.into()],
        cadre_id: "cadre-1".into(),
    }
    .into()]);
}

#[test]
fn a_household_handed_over_has_another_cadre() {
    let mut story = Story::given([contact("H1", &[])]);
    let events = react(&mut story, Service::Order, handover("cadre-2"));
    assert_eq!(events, [handed_over("cadre-2")]);
    assert_eq!(
        story.state.contact("H1").map(|c| c.cadre_id.as_str()),
        Some("cadre-2")
    );
    assert_eq!(react(&mut story, Service::Order, handover("cadre-2")), []);
}

#[test]
fn an_update_or_hand_over_before_the_registration_is_kept() {
    let mut story = Story::given([]);
    react(&mut story, Service::Order, handover("cadre-2"));
    react(&mut story, Service::Order, updated(Some(&[Need::Elderly])));
    let contact = story.state.contact("H1").expect("known");
    assert_eq!(contact.sealed, None);
    assert_eq!(contact.cadre_id, "cadre-2");
    assert_eq!(contact.needs, [Need::Elderly]);
}

#[test]
fn open_visits_go_with_the_household_to_its_new_cadre_and_closed_ones_do_not() {
    let mut story = Story::given([
        contact("H1", &[]),
        goods_at_door(),
        call_opened("NO_RECEIPT"),
        visit_opened("NO_ANSWER"),
        handed_over("cadre-2"),
    ]);
    assert_eq!(only(&story).cadre_id, "cadre-2");
    story.accept(complete_visit("cadre-2"));
    story.accept(Command::ChangeCadre {
        household_id: "H1".into(),
        cadre_id: "cadre-3".into(),
    });
    assert_eq!(only(&story).cadre_id, "cadre-2");
}
