//! Proofs over gRPC: no name and no PIN gets into the log in clear, a wrong PIN
//! is counted, and the manifest follows the bags.

use std::path::Path;

use proto::{
    LogisticsEvent,
    log::v1::{ReadRequest, log_service_client::LogServiceClient},
    logistics::v1::{carrier_report::What, *},
};
use sha2::Digest;
use tonic::Code;

use crate::{
    ask::{AREA, fresh},
    masking::by,
    partner::{at, load, milestone, ready, reports},
    site::{Site, expected, ok, refused, wrong_fields},
};

const NAME: &str = "Zhang Xiaoming";

pub fn proof(shipment_id: &str, kind: ProofKind) -> RecordProofRequest {
    RecordProofRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: shipment_id.into(),
        kind: kind.into(),
        outcome: ProofOutcome::Delivered.into(),
        occurred_time: at(0),
        ..Default::default()
    }
}

fn by_pin(shipment_id: &str, pin: &str) -> RecordProofRequest {
    RecordProofRequest {
        pin: pin.into(),
        ..proof(shipment_id, ProofKind::Pin)
    }
}

fn issue_pin(shipment_id: &str) -> IssuePinRequest {
    IssuePinRequest {
        request_id: fresh(),
        area: AREA.into(),
        shipment_id: shipment_id.into(),
    }
}

pub async fn list(site: &mut Site, shipment_id: &str) -> Vec<Proof> {
    list_as(site, "operator", shipment_id).await
}

pub async fn list_as(site: &mut Site, role: &'static str, shipment_id: &str) -> Vec<Proof> {
    let list = ListProofsRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: shipment_id.into(),
        ..Default::default()
    };
    let list = by(role, "reader-1", list);
    ok(site.partner.list_proofs(list).await).proofs
}

/// Another PIN than this.
fn other(pin: &str) -> String {
    let number: u32 = pin.parse().expect("digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

fn on_disk(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            return on_disk(&path, bytes);
        }
        let content = std::fs::read(&path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn a_proof_keeps_the_relation_and_seals_the_name() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let told = RecordProofRequest {
        photo_sha256: vec![7; 32],
        relation: RecipientRelation::Guard.into(),
        recipient_name: NAME.into(),
        barcodes: vec!["13912345678".into(), "radish-2".into()],
        ..proof(&id, ProofKind::Photo)
    };
    let first = ok(site.partner.record_proof(told.clone()).await);
    assert_eq!(ok(site.partner.record_proof(told).await), first);

    let proofs = list(&mut site, &id).await;
    let [proof] = &proofs[..] else {
        panic!("{proofs:?}")
    };
    assert_eq!(proof.proof_id, first.proof_id);
    assert_eq!(proof.relation(), RecipientRelation::Guard);
    assert_eq!(proof.barcodes, ["13912345678", "radish-2"]);
    assert_eq!(proof.photo_state(), PhotoState::Pending);

    let event = site.recorded(|event| match event {
        LogisticsEvent::ProofRecorded(event) => Some(event.clone()),
        _ => None,
    });
    let sealed = event.await.recipient.expect("a sealed name");
    assert_eq!(sealed.key_id, format!("shipment/{AREA}/{id}"));
    assert!(on_disk(&site.data(), id.as_bytes()), "nothing can be found");
    assert!(!on_disk(&site.data(), NAME.as_bytes()));
}

#[tokio::test]
async fn what_makes_no_sense_is_told_field_by_field() {
    let mut site = Site::start().await;
    let wrong = RecordProofRequest {
        shipment_id: "../../etc/passwd".into(),
        stop_id: "../a".into(),
        outcome: 99,
        photo_sha256: vec![1; 31],
        barcodes: vec![String::new()],
        relation: 77,
        recipient_name: "x".repeat(101),
        pin: "12345x".into(),
        occurred_time: None,
        ..proof("", ProofKind::Unspecified)
    };
    let mut fields = wrong_fields(site.partner.record_proof(wrong).await);
    fields.sort();
    assert_eq!(
        fields,
        [
            "barcodes[0]",
            "kind",
            "occurred_time",
            "outcome",
            "photo_sha256",
            "pin",
            "recipient_name",
            "relation",
            "shipment_id",
            "stop_id",
        ]
    );
    let none = issue_pin("nothing");
    let answer = site.freight.issue_pin(none).await;
    assert_eq!(
        refused(answer),
        expected(Code::NotFound, "SHIPMENT_UNKNOWN")
    );
}

#[tokio::test]
async fn a_pin_is_told_once_and_is_nowhere_in_clear() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let early = site.partner.record_proof(by_pin(&id, "123456")).await;
    assert_eq!(
        refused(early),
        expected(Code::FailedPrecondition, "PIN_NOT_ISSUED")
    );
    let request = issue_pin(&id);
    let pin = ok(site.freight.issue_pin(request.clone()).await).pin;
    assert_eq!(pin.len(), 6);
    assert_eq!(ok(site.freight.issue_pin(request).await).pin, "");
    ok(site.partner.record_proof(by_pin(&id, &pin)).await);
    assert!(list(&mut site, &id).await[0].pin_checked);

    let issued = site.recorded(|event| match event {
        LogisticsEvent::PinIssued(event) => Some(event.pin_mac.clone()),
        _ => None,
    });
    let mac = issued.await;
    assert_eq!(mac.len(), 32);
    assert_ne!(mac, sha2::Sha256::digest(pin.as_bytes())[..]);
    // Six digits are found by chance in files; in the records of this shipment
    // they would be a field of their own.
    let mut log = LogServiceClient::new(site.channel.clone());
    let mut parts = ok(log.read(ReadRequest::default()).await);
    let field = [&[6_u8], pin.as_bytes()].concat();
    while let Some(part) = parts.message().await.expect("a part") {
        for record in part.records {
            assert!(!record.windows(7).any(|window| window == field));
        }
    }
}

#[tokio::test]
async fn after_five_wrong_pins_the_dispatcher_is_needed() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let pin = ok(site.freight.issue_pin(issue_pin(&id)).await).pin;
    let wrong = other(&pin);
    let first = by_pin(&id, &wrong);
    for _ in 0..2 {
        // The same request again is the same try.
        let answer = site.partner.record_proof(first.clone()).await;
        let status = answer.expect_err("wrong");
        assert!(
            status.message().contains("; 4 more"),
            "{}",
            status.message()
        );
    }
    for _ in 2..5 {
        let answer = site.partner.record_proof(by_pin(&id, &wrong)).await;
        assert_eq!(
            refused(answer),
            expected(Code::InvalidArgument, "PIN_WRONG")
        );
    }
    for told in [&wrong, &pin] {
        let answer = site.partner.record_proof(by_pin(&id, told)).await;
        let locked = expected(Code::FailedPrecondition, "PIN_LOCKED");
        assert_eq!(refused(answer), locked);
    }
    assert_eq!(list(&mut site, &id).await, []);
    let pin = ok(site.freight.issue_pin(issue_pin(&id)).await).pin;
    ok(site.partner.record_proof(by_pin(&id, &pin)).await);
}

#[tokio::test]
async fn another_firm_can_neither_prove_nor_look() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    ok(site.freight.issue_pin(issue_pin(&id)).await);
    let foreign = RecordProofRequest {
        carrier_id: "bolt".into(),
        recipient_name: NAME.into(),
        ..by_pin(&id, "123456")
    };
    let unknown = || expected(Code::NotFound, "SHIPMENT_UNKNOWN");
    assert_eq!(refused(site.partner.record_proof(foreign).await), unknown());
    let look = ListProofsRequest {
        area: AREA.into(),
        carrier_id: "bolt".into(),
        shipment_id: id.clone(),
        ..Default::default()
    };
    assert_eq!(refused(site.partner.list_proofs(look).await), unknown());
    let manifest = manifest(&id, "bolt");
    assert_eq!(
        refused(site.partner.get_manifest(manifest).await),
        unknown()
    );
}

fn manifest(shipment_id: &str, carrier_id: &str) -> GetManifestRequest {
    GetManifestRequest {
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        shipment_id: shipment_id.into(),
        ..Default::default()
    }
}

fn loaded(shipment_id: &str, labels: &[&str]) -> CarrierReport {
    let mut report = milestone(shipment_id, "r-1", Milestone::Loaded, "farm");
    if let Some(What::Milestone(milestone)) = &mut report.what {
        milestone.labels = labels.iter().map(|label| (*label).to_owned()).collect();
    }
    report
}

#[tokio::test]
async fn the_manifest_follows_the_bags() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let mut load = load();
    load.order_ids = vec!["o-1".into()];
    load.pickups[0].lines[0].labels = vec!["o-1-1".into(), "x-1".into()];
    let change = ChangeLoadRequest {
        request_id: fresh(),
        area: AREA.into(),
        shipment_id: id.clone(),
        load: Some(load),
    };
    ok(site.freight.change_load(change).await);
    site.dispatch("o-1").await;
    let told = ok(site.partner.get_manifest(manifest(&id, "acme")).await);
    let told = told.manifest.expect("a manifest");
    let bags = &told.stops[0].lines[0].bags;
    assert_eq!((told.bag_count, bags.len()), (2, 2));
    assert_eq!((&*bags[0].order_id, bags[0].weight_grams), ("o-1", 10_000));
    assert_eq!((&*bags[1].order_id, bags[1].weight_grams), ("", 0));

    let accept = AcceptTenderRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: id.clone(),
        round: 2,
    };
    ok(site.partner.accept_tender(accept).await);
    let wrong = reports(vec![loaded(&id, &["o-2-1"])]);
    let answer = ok(site.partner.report_events(wrong).await)
        .answers
        .remove(0);
    assert_eq!(answer.outcome(), ReportOutcome::Refused);
    assert_eq!(answer.reason, "LABEL_UNKNOWN");
}
