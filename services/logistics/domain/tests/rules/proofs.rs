//! Proofs of delivery, also of what failed, and the receiver's PIN.

use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ProofKind, ProofOutcome},
};

use crate::{
    haulage::*,
    world::{Spec, hours},
};

fn proof(id: &str, kind: ProofKind) -> RecordProof {
    RecordProof {
        shipment_id: id.into(),
        carrier_id: "acme".into(),
        stop_id: String::new(),
        kind,
        outcome: ProofOutcome::Delivered,
        content_sha256: None,
        barcodes: vec![],
        relation: "guard".into(),
        recipient: None,
        pin_mac: None,
        occurred: minutes(1),
    }
}

fn photo(id: &str) -> RecordProof {
    RecordProof {
        content_sha256: Some([1; 32]),
        ..proof(id, ProofKind::Photo)
    }
}

fn by_pin(id: &str, mac: u8) -> RecordProof {
    RecordProof {
        pin_mac: Some([mac; 32]),
        ..proof(id, ProofKind::Pin)
    }
}

fn pin(id: &str, mac: u8) -> IssuePin {
    IssuePin {
        shipment_id: id.into(),
        pin_mac: [mac; 32],
    }
}

fn told_wrong(events: &[LogisticsEvent]) -> &pb::PinRefused {
    match events {
        [LogisticsEvent::PinRefused(refused)] => refused,
        other => panic!("{other:?}"),
    }
}

fn accepted_load() -> (Spec, String) {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    (spec, id)
}

#[test]
fn proofs_say_what_they_are_of_also_where_it_failed() {
    let (mut spec, id) = accepted_load();
    let failed = RecordProof {
        stop_id: "a".into(),
        outcome: ProofOutcome::Failed,
        ..photo(&id)
    };
    spec.accept(failed.into());
    let scanned = RecordProof {
        barcodes: vec!["one".into(), "two".into()],
        ..proof(&id, ProofKind::Barcode)
    };
    spec.accept(scanned.into());
    let proofs = &shipment(&spec, &id).proofs;
    assert_eq!(proofs[0].outcome, ProofOutcome::Failed);
    assert_eq!(proofs[0].stop_id, "a");
    assert_eq!(proofs[1].barcodes, ["one", "two"]);
    assert_eq!(proofs.len(), 2);
}

#[test]
fn each_kind_needs_what_it_proves_with() {
    let (mut spec, id) = accepted_load();
    for kind in [
        ProofKind::Photo,
        ProofKind::Signature,
        ProofKind::Barcode,
        ProofKind::Pin,
        ProofKind::Unspecified,
    ] {
        let incomplete = proof(&id, kind);
        assert_eq!(refused(&mut spec, incomplete), "PROOF_INCOMPLETE");
    }
    let elsewhere = RecordProof {
        stop_id: "z".into(),
        ..photo(&id)
    };
    assert_eq!(refused(&mut spec, elsewhere), "SHIPMENT_STOP_UNKNOWN");
    for occurred in [hours(1), hours(-1)] {
        let wrong = RecordProof {
            occurred,
            ..photo(&id)
        };
        assert_eq!(refused(&mut spec, wrong), "REPORT_TIME_INVALID");
    }
}

#[test]
fn only_who_accepted_it_proves_something_and_not_without_end() {
    let mut spec = haulage();
    let events = spec.accept(draft(one_farm()));
    let id = drafted(&events);
    assert_eq!(refused(&mut spec, photo(&id)), "SHIPMENT_STATE");
    spec.accept(accept(&id, "acme", 1).into());
    let other = RecordProof {
        carrier_id: "bolt".into(),
        ..photo(&id)
    };
    assert_eq!(refused(&mut spec, other), "SHIPMENT_UNKNOWN");
    for _ in 0..PROOFS_MAX {
        spec.accept(photo(&id).into());
    }
    assert_eq!(refused(&mut spec, photo(&id)), "SHIPMENT_FULL");
}

#[test]
fn a_cancelled_shipment_can_be_proved_to_be_so() {
    let (mut spec, id) = accepted_load();
    let cancel = CancelShipment {
        shipment_id: id.clone(),
        reason: "the hotel is closed".into(),
    };
    spec.accept(cancel.into());
    let cancelled = RecordProof {
        outcome: ProofOutcome::Cancelled,
        ..photo(&id)
    };
    spec.accept(cancelled.into());
    assert_eq!(shipment(&spec, &id).proofs.len(), 1);
}

#[test]
fn goods_that_come_back_have_proofs_of_their_own() {
    let (mut spec, id) = accepted_load();
    drive(&mut spec, &id);
    let back = DraftShipment {
        load: one_farm(),
        returns: Some(id),
    };
    let events = spec.accept(back.into());
    let back = drafted(&events);
    spec.accept(accept(&back, "acme", 1).into());
    let returned = RecordProof {
        outcome: ProofOutcome::Returned,
        occurred: spec.context.now,
        ..photo(&back)
    };
    spec.accept(returned.into());
    assert_eq!(shipment(&spec, &back).proofs.len(), 1);
}

#[test]
fn the_right_pin_is_noted() {
    let (mut spec, id) = accepted_load();
    assert_eq!(refused(&mut spec, by_pin(&id, 7)), "PIN_NOT_ISSUED");
    spec.accept(pin(&id, 7).into());
    spec.accept(by_pin(&id, 7).into());
    let with_photo = RecordProof {
        pin_mac: Some([7; 32]),
        ..photo(&id)
    };
    spec.accept(with_photo.into());
    let shipment = shipment(&spec, &id);
    let checked = shipment.proofs.iter().map(|p| p.pin_checked);
    assert_eq!(checked.collect::<Vec<_>>(), [true, true]);
}

#[test]
fn a_wrong_pin_is_counted_and_the_fifth_locks() {
    let (mut spec, id) = accepted_load();
    spec.accept(pin(&id, 7).into());
    for tries in 1..=PIN_TRIES {
        let events = spec.accept(by_pin(&id, 8).into());
        assert_eq!(told_wrong(&events).tries, tries);
        let left = match FreightRejection::of_pin(told_wrong(&events)) {
            FreightRejection::PinWrong { left, .. } => left,
            FreightRejection::PinLocked { .. } => 0,
            other => panic!("{other:?}"),
        };
        assert_eq!(left, PIN_TRIES - tries);
    }
    assert_eq!(refused(&mut spec, by_pin(&id, 7)), "PIN_LOCKED");
    assert_eq!(shipment(&spec, &id).proofs.len(), 0);
    // The dispatcher has a new one made, and the old one is void.
    spec.accept(pin(&id, 9).into());
    let events = spec.accept(by_pin(&id, 7).into());
    assert_eq!(told_wrong(&events).tries, 1);
    spec.accept(by_pin(&id, 9).into());
}

#[test]
fn a_shipment_that_is_over_gets_no_pin() {
    let (mut spec, id) = accepted_load();
    let cancel = CancelShipment {
        shipment_id: id.clone(),
        reason: "the hotel is closed".into(),
    };
    spec.accept(cancel.into());
    assert_eq!(refused(&mut spec, pin(&id, 7)), "SHIPMENT_STATE");
}
