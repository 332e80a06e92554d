//! Whom a driver asks for: in clear for the firm while it has the load, masked
//! for others and before and after, recorded before it is shown, and forgotten.

use decider::spec::START;
use proto::{
    LogisticsEvent, admin::v1::AdvanceClockRequest, log::v1::ReadRequest, logistics::v1::*,
    time::to_proto,
};
use service_kit::config::DurabilityKind;
use tonic::{Code, Request, metadata::MetadataValue};

use crate::{
    ask::{AREA, fresh},
    partner::{get, join, load},
    proofs::{list_as, proof},
    site::{Site, expected, ok, refused, wrong_fields},
};

const NAME: &str = "Wang Xiaoyu";
const PHONE: &str = "13812340000";

/// As somebody in this role.
pub fn by<T>(role: &'static str, actor: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("baogong-role", MetadataValue::from_static(role));
    metadata.insert("baogong-actor", MetadataValue::from_static(actor));
    request
}

fn contact(stop_id: &str) -> StopContact {
    StopContact {
        stop_id: stop_id.into(),
        name: NAME.into(),
        phone: PHONE.into(),
    }
}

fn draft() -> DraftShipmentRequest {
    DraftShipmentRequest {
        request_id: fresh(),
        area: AREA.into(),
        load: Some(load()),
        contacts: vec![contact(""), contact("farm")],
        ..Default::default()
    }
}

fn accept(id: &str) -> AcceptTenderRequest {
    AcceptTenderRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: id.into(),
        round: 1,
    }
}

fn cancel(id: &str) -> CancelShipmentRequest {
    CancelShipmentRequest {
        request_id: fresh(),
        area: AREA.into(),
        shipment_id: id.into(),
        reason: "the hotel is closed".into(),
    }
}

/// Tendered to `acme`.
async fn tendered(site: &mut Site) -> String {
    join(site, "acme").await;
    let drafted = ok(site.freight.draft_shipment(draft()).await);
    assert_eq!(drafted.carrier_id, "acme");
    drafted.shipment_id
}

async fn accepted(site: &mut Site) -> String {
    let id = tendered(site).await;
    ok(site.partner.accept_tender(accept(&id)).await);
    id
}

async fn seen(site: &mut Site, role: &'static str, id: &str) -> Shipment {
    let request = by(role, "reader-1", get("acme", id));
    let answer = ok(site.partner.get_shipment(request).await);
    answer.shipment.expect("a shipment")
}

fn is_clear(shipment: &Shipment) -> bool {
    let phones: Vec<_> = shipment
        .contacts
        .iter()
        .map(|c| (&*c.name, &*c.phone))
        .collect();
    match shipment.contacts_masked {
        true => assert_eq!(phones, [("W**", "138****0000"); 2]),
        false => assert_eq!(phones, [(NAME, PHONE); 2]),
    }
    !shipment.contacts_masked
}

async fn accesses(site: &Site) -> Vec<PersonalDataAccessed> {
    let mut log = proto::log::v1::log_service_client::LogServiceClient::new(site.channel.clone());
    let mut parts = ok(log.read(ReadRequest::default()).await);
    let mut found = Vec::new();
    while let Some(part) = parts.message().await.expect("a part") {
        for bytes in part.records {
            let raw = proto::record::decode(&bytes).expect("a record");
            if let Ok(record) = proto::record::decode_event::<LogisticsEvent>(raw)
                && let LogisticsEvent::PersonalDataAccessed(access) = record.event
            {
                assert_eq!(record.actor.role.name(), access.reader_role);
                assert_eq!(record.actor.id, access.reader_id);
                found.push(access);
            }
        }
    }
    found
}

#[tokio::test]
async fn the_firm_sees_it_from_its_acceptance_until_the_shipment_is_over() {
    let mut site = Site::start().await;
    let id = tendered(&mut site).await;
    assert!(!is_clear(&seen(&mut site, "carrier", &id).await));
    assert!(is_clear(&seen(&mut site, "dispatcher", &id).await));
    ok(site.partner.accept_tender(accept(&id)).await);
    assert!(is_clear(&seen(&mut site, "carrier", &id).await));
    assert!(!is_clear(&seen(&mut site, "auditor", &id).await));
    ok(site.freight.cancel_shipment(cancel(&id)).await);
    for role in ["carrier", "dispatcher", "operator", "auditor"] {
        assert!(!is_clear(&seen(&mut site, role, &id).await), "{role}");
    }
    // Lists and tenders have none at all.
    let all = ListShipmentsRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        ..Default::default()
    };
    let listed = ok(site.partner.list_shipments(all).await).shipments;
    assert!(listed[0].contacts.is_empty());
}

#[tokio::test]
async fn who_is_shown_it_in_clear_is_recorded_and_once_in_ten_minutes() {
    let mut site = Site::start().await;
    let id = accepted(&mut site).await;
    seen(&mut site, "auditor", &id).await;
    assert_eq!(accesses(&site).await, []);
    let mut ends = Vec::new();
    for _ in 0..3 {
        seen(&mut site, "carrier", &id).await;
        let answer = ok(site
            .partner
            .get_shipment(by("auditor", "a-1", get("acme", &id)))
            .await);
        ends.push(answer.as_of_position);
    }
    // Looking again leaves nothing at all in the log.
    assert_eq!(ends, [ends[0]; 3]);
    let mut with_purpose = by("dispatcher", "d-7", get("acme", &id));
    let purpose = MetadataValue::from_static("GOODS_ARE_LATE");
    with_purpose
        .metadata_mut()
        .insert("baogong-purpose", purpose);
    ok(site.partner.get_shipment(with_purpose).await);
    let access = |role: &str, reader: &str, purpose: &str| PersonalDataAccessed {
        shipment_id: id.clone(),
        reader_role: role.into(),
        reader_id: reader.into(),
        carrier_id: "acme".into(),
        method: "GetShipment".into(),
        purpose: purpose.into(),
        content_sha256: vec![],
    };
    let mut wanted = vec![
        access("carrier", "reader-1", "CARRIES_THE_LOAD"),
        access("dispatcher", "d-7", "GOODS_ARE_LATE"),
    ];
    assert_eq!(accesses(&site).await, wanted);
    let later = AdvanceClockRequest {
        to: Some(to_proto(START.plus_minutes(11))),
    };
    ok(site.admin.advance_clock(later).await);
    seen(&mut site, "carrier", &id).await;
    wanted.push(access("carrier", "reader-1", "CARRIES_THE_LOAD"));
    assert_eq!(accesses(&site).await, wanted);
}

#[tokio::test]
async fn a_receivers_name_is_shown_by_the_same_rule() {
    let mut site = Site::start().await;
    let id = accepted(&mut site).await;
    let told = RecordProofRequest {
        photo_sha256: vec![7; 32],
        recipient_name: NAME.into(),
        ..proof(&id, ProofKind::Photo)
    };
    ok(site.partner.record_proof(told).await);
    let name = |proofs: Vec<Proof>| proofs[0].recipient_name.clone();
    assert_eq!(name(list_as(&mut site, "auditor", &id).await), "W**");
    assert_eq!(accesses(&site).await, []);
    assert_eq!(name(list_as(&mut site, "carrier", &id).await), NAME);
    assert_eq!(accesses(&site).await[0].method, "ListProofs");
    ok(site.freight.cancel_shipment(cancel(&id)).await);
    assert_eq!(name(list_as(&mut site, "carrier", &id).await), "W**");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_shown() {
    let mut site = Site::start_with(|config| {
        config.service.durability = DurabilityKind::Replicated;
        config.service.replication_wait_ms = 500;
        config.service.query_wait_ms = 500;
    })
    .await;
    let id = accepted(&mut site).await;
    assert!(is_clear(&seen(&mut site, "carrier", &id).await));
    site.stop_nats();
    // It was recorded a moment ago that this reader sees it.
    assert!(is_clear(&seen(&mut site, "carrier", &id).await));
    let other = by("dispatcher", "d-7", get("acme", &id));
    let answer = site.partner.get_shipment(other).await;
    let not_recorded = expected(Code::Unavailable, "NOT_REPLICATED");
    assert_eq!(refused(answer), not_recorded);
}

#[tokio::test]
async fn a_restart_forgets_neither_the_contacts_nor_who_saw_them() {
    let mut site = Site::start().await;
    let id = accepted(&mut site).await;
    assert!(is_clear(&seen(&mut site, "carrier", &id).await));
    site.restart().await;
    assert!(is_clear(&seen(&mut site, "carrier", &id).await));
    assert_eq!(accesses(&site).await.len(), 1);
}

#[tokio::test]
async fn contacts_are_replaced_and_what_makes_no_sense_is_refused() {
    let mut site = Site::start().await;
    let id = accepted(&mut site).await;
    let set = |contacts: Vec<StopContact>| SetContactsRequest {
        request_id: fresh(),
        area: AREA.into(),
        shipment_id: id.clone(),
        contacts,
    };
    ok(site.freight.set_contacts(set(vec![contact("farm")])).await);
    let shipment = seen(&mut site, "carrier", &id).await;
    assert_eq!(shipment.contacts, [contact("farm")]);
    let unknown = site.freight.set_contacts(set(vec![contact("z")])).await;
    let no_stop = expected(Code::NotFound, "SHIPMENT_STOP_UNKNOWN");
    assert_eq!(refused(unknown), no_stop);
    let wrong = StopContact {
        stop_id: "../a".into(),
        name: String::new(),
        phone: "call me".into(),
    };
    let again = set(vec![contact("farm"), contact("farm"), wrong]);
    let mut fields = wrong_fields(site.freight.set_contacts(again).await);
    fields.sort();
    assert_eq!(
        fields,
        [
            "contacts[1].stop_id",
            "contacts[2].name",
            "contacts[2].phone",
            "contacts[2].stop_id",
        ]
    );
    let mut elsewhere = draft();
    elsewhere.contacts[1].stop_id = "z".into();
    let fields = wrong_fields(site.freight.draft_shipment(elsewhere).await);
    assert_eq!(fields, ["contacts[1].stop_id"]);
}

#[tokio::test]
async fn a_draft_that_is_asked_for_again_is_the_same_with_its_contacts() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let request = draft();
    let first = ok(site.freight.draft_shipment(request.clone()).await);
    assert_eq!(ok(site.freight.draft_shipment(request).await), first);
    let shipment = seen(&mut site, "dispatcher", &first.shipment_id).await;
    assert!(is_clear(&shipment));
}

#[tokio::test]
async fn thirty_days_after_the_end_nobody_can_read_it_any_more() {
    let mut site = Site::start().await;
    let id = accepted(&mut site).await;
    ok(site.freight.cancel_shipment(cancel(&id)).await);
    let later = AdvanceClockRequest {
        to: Some(to_proto(START.plus_minutes(31 * 24 * 60))),
    };
    ok(site.admin.advance_clock(later).await);
    site.recorded(|event| match event {
        LogisticsEvent::ShipmentKeyDestroyed(event) if event.shipment_id == id => Some(()),
        _ => None,
    })
    .await;
    let shipment = seen(&mut site, "dispatcher", &id).await;
    assert!(shipment.personal_data_erased_time.is_some());
    assert!(shipment.contacts.is_empty());
    let late = RecordProofRequest {
        photo_sha256: vec![7; 32],
        recipient_name: NAME.into(),
        ..proof(&id, ProofKind::Photo)
    };
    let answer = site.partner.record_proof(late).await;
    let erased = expected(Code::FailedPrecondition, "PERSONAL_DATA_ERASED");
    assert_eq!(refused(answer), erased);
}
