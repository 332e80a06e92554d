//! What is personal of a shipment: who sees it in clear and until when, that
//! looking is recorded, and that it is forgotten.

use decider::{Actor, Domain, Role};
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{Milestone, ProofKind, ProofOutcome},
    types::v1::Sealed,
};

use crate::{
    haulage::*,
    world::{Spec, area, hours},
};

fn sealed(content: u8) -> Sealed {
    Sealed {
        key_id: "shipment".into(),
        nonce: vec![0; 12],
        ciphertext: vec![content],
    }
}

fn contacts(id: &str, stops: &[&str]) -> SetContacts {
    let stops = stops.iter().map(|stop| ((*stop).to_owned(), sealed(1)));
    SetContacts {
        shipment_id: id.into(),
        contacts: stops.collect(),
    }
}

fn look(id: &str, method: &str) -> RecordAccess {
    RecordAccess {
        shipment_id: id.into(),
        carrier_id: "acme".into(),
        method: method.into(),
        purpose: "CARRIES_THE_LOAD".into(),
        content_sha256: None,
    }
}

fn seen_by(spec: &Spec, id: &str, role: Role, carrier_id: &str) -> bool {
    shipment(spec, id).shows_personal_data(role, carrier_id)
}

#[test]
fn the_firm_sees_it_from_its_acceptance_until_the_shipment_is_closed() {
    let mut spec = haulage();
    pass(&mut spec, "acme");
    let id = drafted(&spec.accept(draft(one_farm())));
    let firm = |spec: &Spec| seen_by(spec, &id, Role::Carrier, "acme");
    assert!(!firm(&spec));
    assert!(seen_by(&spec, &id, Role::Dispatcher, "acme"));
    spec.accept(accept(&id, "acme", 1).into());
    assert!(firm(&spec));
    assert!(!seen_by(&spec, &id, Role::Carrier, "bolt"));
    assert!(!seen_by(&spec, &id, Role::Auditor, "acme"));

    let pass_id = pass(&mut spec, "acme");
    spec.accept(assign(&id, "acme", &pass_id).into());
    drive(&mut spec, &id);
    spec.accept(declare(&id, None).into());
    spec.accept(take_over(&id, (100, 0, 0)).into());
    assert!(firm(&spec));
    let close = CloseShipment {
        shipment_id: id.clone(),
    };
    spec.accept(close.into());
    assert!(!firm(&spec));
    assert!(!seen_by(&spec, &id, Role::Dispatcher, "acme"));
    assert!(!seen_by(&spec, &id, Role::Operator, "acme"));
}

#[test]
fn a_firm_that_lost_the_load_sees_nothing_and_the_next_not_yet() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let shipment_id = id.clone();
    spec.accept(WithdrawTender { shipment_id }.into());
    assert!(!seen_by(&spec, &id, Role::Carrier, "acme"));
    let to_bolt = TenderShipment {
        shipment_id: id.clone(),
        carrier_id: Some("bolt".into()),
    };
    spec.accept(to_bolt.into());
    assert!(!seen_by(&spec, &id, Role::Carrier, "acme"));
    assert!(!seen_by(&spec, &id, Role::Carrier, "bolt"));
    spec.accept(accept(&id, "bolt", 2).into());
    assert!(seen_by(&spec, &id, Role::Carrier, "bolt"));
}

#[test]
fn contacts_are_those_of_the_stops() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let elsewhere = contacts(&id, &["", "z"]);
    assert_eq!(refused(&mut spec, elsewhere), "SHIPMENT_STOP_UNKNOWN");
    spec.accept(contacts(&id, &["", "a"]).into());
    spec.when(contacts(&id, &["", "a"]).into()).then([]);
    spec.accept(contacts(&id, &["a"]).into());
    let shipment = shipment(&spec, &id);
    let stops: Vec<_> = shipment.contacts.keys().collect();
    assert_eq!(stops, ["a"]);
    let cancel = CancelShipment {
        shipment_id: id.clone(),
        reason: "the hotel is closed".into(),
    };
    spec.accept(cancel.into());
    assert_eq!(refused(&mut spec, contacts(&id, &[])), "SHIPMENT_STATE");
}

#[test]
fn a_pickup_that_becomes_a_shipment_takes_its_contacts_along() {
    let mut spec = haulage();
    let two = load(vec![pickup("a", 500), pickup("b", 500)]);
    let (id, _) = assigned(&mut spec, two);
    spec.accept(contacts(&id, &["", "a", "b"]).into());
    let at = minutes(1);
    let departed = report(&id, "acme", "r-1", Milestone::Departed, "", at);
    spec.accept(departed.into());
    let failed = report(&id, "acme", "r-2", Milestone::PickupFailed, "b", at);
    let events = spec.accept(failed.into());
    let next = shipment(&spec, &drafted(&events));
    let stops: Vec<_> = next.contacts.keys().map(String::as_str).collect();
    assert_eq!(stops, ["", "b"]);
}

#[test]
fn a_look_is_recorded_once_in_ten_minutes_for_each_reader_and_method() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    spec.context.actor = Actor::new(Role::Carrier, "acme");
    let events = spec.accept(look(&id, "GetShipment").into());
    let [LogisticsEvent::PersonalDataAccessed(access)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(access.reader_role, "carrier");
    assert_eq!(access.reader_id, "acme");
    assert_eq!(access.purpose, "CARRIES_THE_LOAD");
    let begin = spec.context.now;
    let at = |spec: &mut Spec, minutes| spec.context.now = begin.plus_minutes(minutes);
    at(&mut spec, 9);
    spec.when(look(&id, "GetShipment").into()).then([]);
    assert_eq!(spec.accept(look(&id, "ListProofs").into()).len(), 1);
    let photo = RecordAccess {
        content_sha256: Some([1; 32]),
        ..look(&id, "DownloadPhoto")
    };
    assert_eq!(spec.accept(photo.clone().into()).len(), 1);
    let other = RecordAccess {
        content_sha256: Some([2; 32]),
        ..photo
    };
    assert_eq!(spec.accept(other.into()).len(), 1);
    spec.context.actor = Actor::new(Role::Dispatcher, "d-1");
    assert_eq!(spec.accept(look(&id, "GetShipment").into()).len(), 1);
    spec.context.actor = Actor::new(Role::Carrier, "acme");
    at(&mut spec, 10);
    assert_eq!(spec.accept(look(&id, "GetShipment").into()).len(), 1);
    assert_eq!(refused(&mut spec, look("nothing", "x")), "SHIPMENT_UNKNOWN");
}

#[test]
fn looking_leaves_the_shipment_at_its_revision() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let revision = shipment(&spec, &id).revision;
    spec.accept(look(&id, "GetShipment").into());
    assert_eq!(shipment(&spec, &id).revision, revision);
}

#[test]
fn contacts_that_were_taken_back_cost_the_key_as_well() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    spec.accept(contacts(&id, &[""]).into());
    spec.accept(contacts(&id, &[]).into());
    let cancel = CancelShipment {
        shipment_id: id.clone(),
        reason: "the hotel is closed".into(),
    };
    spec.accept(cancel.into());
    spec.elapse(hours(PERSONAL_DAYS * 24));
    assert_eq!(spec.state.shipment_keys_owed_count(), 1);
}

#[test]
fn thirty_days_after_its_end_it_is_forgotten_and_the_key_is_owed() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    spec.accept(contacts(&id, &[""]).into());
    let pin = IssuePin {
        shipment_id: id.clone(),
        pin_mac: [1; 32],
    };
    spec.accept(pin.into());
    let proof = RecordProof {
        shipment_id: id.clone(),
        carrier_id: "acme".into(),
        stop_id: String::new(),
        kind: ProofKind::Photo,
        outcome: ProofOutcome::Delivered,
        content_sha256: Some([1; 32]),
        barcodes: vec![],
        relation: "guard".into(),
        recipient: Some(sealed(2)),
        pin_mac: None,
        occurred: minutes(1),
    };
    spec.accept(proof.into());
    let cancel = CancelShipment {
        shipment_id: id.clone(),
        reason: "the hotel is closed".into(),
    };
    spec.accept(cancel.into());
    let end = hours(PERSONAL_DAYS * 24);
    spec.elapse(end.plus_minutes(-1));
    assert_eq!(shipment(&spec, &id).personal_erased, None);
    spec.elapse(end);
    let over = shipment(&spec, &id);
    assert_eq!(over.personal_erased, Some(end));
    assert!(over.contacts.is_empty() && over.pin.is_none());
    assert_eq!(over.proofs[0].recipient, None);
    assert_eq!(over.proofs[0].relation, "guard");
    let owed = |spec: &Spec| spec.state.shipment_keys_owed_count();
    assert_eq!(owed(&spec), 1);
    let (at, first) = spec.state.shipment_keys_owed().next().expect("one");
    assert_eq!((at, first), (area(), &*id));
    let destroyed = RecordShipmentKeyDestroyed {
        shipment_id: id.clone(),
    };
    assert_eq!(spec.accept(destroyed.clone().into()).len(), 1);
    assert_eq!(owed(&spec), 0);
    spec.when(destroyed.into()).then([]);
    assert_eq!(Logistics::next_due(&spec.state), None);
}
