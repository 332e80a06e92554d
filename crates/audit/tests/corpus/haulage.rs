//! The town's trunk leg: two firms, their papers, and shipments that end in
//! every way in which a shipment can end.

use decider::{Actor, Role, Timestamp};
use logistics_domain::{self as logistics, Command, Grams, Load, Logistics, Pickup};
use proto::{
    LogisticsEvent,
    logistics::v1::{
        BagCondition, BagReceipt, DeclineReason, ExceptionCode, IncidentKind, LineReceipt,
        LoadLine, Milestone, PhotoFormat, Place, PlaceKind, ProofKind, ProofOutcome,
    },
    types::v1::Sealed,
};

use crate::town::{Town, operator};

const HOUR_MS: i64 = 3_600_000;

pub fn trunk_leg(town: &mut Town) {
    for carrier in ["acme", "bolt"] {
        join(town, carrier);
    }
    webhook(town);
    let pass = papers(town);
    tenders(town, &pass);
    delivered(town, &pass);
    nobody_came(town, &pass);
    ask(
        town,
        logistics::RevokePass {
            pass_id: pass,
            reason: "forged certificate".into(),
        },
    );
    // The other pass runs out and the delivered shipment is closed.
    town.wait_minutes(14 * 60);
    leave(town);
    forgotten(town);
}

/// Weeks later what is personal of the shipments is forgotten.
fn forgotten(town: &mut Town) {
    town.wait_minutes(logistics::PERSONAL_DAYS * 24 * 60);
    let owed = town.logistics.state().shipment_keys_owed();
    let owed: Vec<_> = owed.map(|(_, id)| id.to_owned()).collect();
    for shipment_id in owed {
        ask(town, logistics::RecordShipmentKeyDestroyed { shipment_id });
    }
}

pub fn ask(town: &mut Town, command: impl Into<Command>) -> Vec<LogisticsEvent> {
    town.ask::<Logistics>(operator(), command.into())
}

pub fn by(town: &mut Town, carrier: &str, command: impl Into<Command>) -> Vec<LogisticsEvent> {
    town.ask::<Logistics>(Actor::new(Role::Carrier, carrier), command.into())
}

pub fn hours(town: &Town, n: i64) -> Timestamp {
    Timestamp(town.now().0 + n * HOUR_MS)
}

fn join(town: &mut Town, carrier: &str) {
    let carrier_id = || carrier.to_owned();
    ask(
        town,
        logistics::RegisterCarrier {
            carrier_id: carrier_id(),
            name: format!("{carrier} haulage"),
        },
    );
    for n in 1..=2 {
        let vehicle = logistics::RegisterVehicle {
            carrier_id: carrier_id(),
            vehicle_id: format!("{carrier}-v{n}"),
            capacity: Grams(2_000_000),
        };
        by(town, carrier, vehicle);
        let driver = logistics::RegisterDriver {
            carrier_id: carrier_id(),
            driver_id: format!("{carrier}-d{n}"),
        };
        by(town, carrier, driver);
    }
    offer(town, carrier);
    offer(town, carrier);
}

pub fn offer(town: &mut Town, carrier: &str) -> String {
    let offer = logistics::OfferCapacity {
        carrier_id: carrier.into(),
        zones: vec!["valley".into(), "town".into()],
        capacity: Grams(5_000_000),
        from: town.now(),
        to: hours(town, 20),
    };
    match &by(town, carrier, offer)[0] {
        LogisticsEvent::CapacityOffered(event) => event.offer_id.clone(),
        other => panic!("{other:?}"),
    }
}

pub fn apply(town: &mut Town, hours_valid: i64) -> String {
    let apply = logistics::ApplyForPass {
        carrier_id: "acme".into(),
        vehicle_id: "acme-v1".into(),
        driver_id: "acme-d1".into(),
        zones: vec!["valley".into(), "town".into()],
        from: town.now(),
        to: hours(town, hours_valid),
        certificate_sha256: [9; 32],
    };
    match &by(town, "acme", apply)[0] {
        LogisticsEvent::PassApplied(event) => event.pass_id.clone(),
        other => panic!("{other:?}"),
    }
}

pub fn issue(town: &mut Town, pass_id: String) {
    let issue = logistics::IssuePass {
        pass_id,
        zones: vec![],
        from: None,
        to: None,
    };
    ask(town, issue);
}

/// One pass that is issued, one that runs out, one that is refused.
fn papers(town: &mut Town) -> String {
    let [issued, short, refused] = [12, 10, 8].map(|hours_valid| apply(town, hours_valid));
    for pass_id in [issued.clone(), short] {
        issue(town, pass_id);
    }
    let refuse = logistics::RefusePass {
        pass_id: refused,
        reason: "the certificate is out of date".into(),
    };
    ask(town, refuse);
    issued
}

fn load(town: &Town, grams: i64) -> Load {
    let place = |kind: PlaceKind, place_id: &str, zone: &str| Place {
        kind: kind.into(),
        place_id: place_id.into(),
        zone: zone.into(),
    };
    Load {
        pickups: vec![Pickup {
            stop_id: "farm".into(),
            place: place(PlaceKind::Field, "farm-1", "valley"),
            from: town.now(),
            to: hours(town, 2),
            lines: vec![LoadLine {
                line_id: "radish".into(),
                product_id: "radish".into(),
                quantity_units: 100,
                weight_grams: grams,
                labels: vec!["bag-1".into()],
            }],
        }],
        destination: place(PlaceKind::Buyer, "hotel-1", "town"),
        due: (hours(town, 1), hours(town, 4)),
        order_ids: vec![],
    }
}

/// Its id, and to whom it went.
fn draft(town: &mut Town, returns: Option<&str>) -> (String, String) {
    let load = load(town, 1_000_000);
    let returns = returns.map(String::from);
    let events = ask(town, logistics::DraftShipment { load, returns });
    match &events[..] {
        [
            LogisticsEvent::ShipmentDrafted(drafted),
            LogisticsEvent::ShipmentTendered(tendered),
        ] => (drafted.shipment_id.clone(), tendered.carrier_id.clone()),
        other => panic!("{other:?}"),
    }
}

/// Declined, expired, withdrawn, with a changed load, and cancelled.
fn tenders(town: &mut Town, pass_id: &str) {
    let (shipment_id, first) = draft(town, None);
    assert_eq!(first, "acme");
    let decline = logistics::DeclineTender {
        shipment_id: shipment_id.clone(),
        carrier_id: first.clone(),
        round: 1,
        reason: DeclineReason::TimeWindow,
        note: "at the market until noon".into(),
    };
    by(town, &first, decline);
    town.wait_minutes(logistics::ANSWER_MINUTES);
    let tender = logistics::TenderShipment {
        shipment_id: shipment_id.clone(),
        carrier_id: Some("acme".into()),
    };
    ask(town, tender);
    accept(town, &shipment_id, 3);
    assign(town, &shipment_id, pass_id);
    let change = logistics::ChangeLoad {
        shipment_id: shipment_id.clone(),
        load: load(town, 900_000),
    };
    ask(town, change);
    let cancel = logistics::CancelShipment {
        shipment_id,
        reason: "the hotel is closed".into(),
    };
    ask(town, cancel);
}

pub fn accept(town: &mut Town, shipment_id: &str, round: i32) {
    let accept = logistics::AcceptTender {
        shipment_id: shipment_id.into(),
        carrier_id: "acme".into(),
        round,
    };
    by(town, "acme", accept);
}

pub fn assign(town: &mut Town, shipment_id: &str, pass_id: &str) {
    let assign = logistics::AssignResources {
        shipment_id: shipment_id.into(),
        carrier_id: "acme".into(),
        vehicle_id: "acme-v1".into(),
        driver_id: "acme-d1".into(),
        pass_id: pass_id.into(),
    };
    by(town, "acme", assign);
}

/// A shipment that the firm has accepted and named its resources for.
fn ready(town: &mut Town, pass_id: &str, returns: Option<&str>) -> String {
    let (shipment_id, first) = draft(town, returns);
    if first != "acme" {
        let shipment_id = shipment_id.clone();
        ask(town, logistics::WithdrawTender { shipment_id });
    }
    let mut round = 1;
    if first != "acme" {
        round = 2;
        let tender = logistics::TenderShipment {
            shipment_id: shipment_id.clone(),
            carrier_id: Some("acme".into()),
        };
        ask(town, tender);
    }
    accept(town, &shipment_id, round);
    assign(town, &shipment_id, pass_id);
    shipment_id
}

pub fn report(town: &mut Town, shipment_id: &str, milestone: Milestone, stop_id: &str) {
    let reasoned = milestone == Milestone::PickupFailed;
    let report = logistics::ReportMilestone {
        shipment_id: shipment_id.into(),
        carrier_id: "acme".into(),
        report_id: format!("r-{}", milestone.as_str_name()),
        milestone,
        stop_id: stop_id.into(),
        occurred: town.now(),
        lines: vec![],
        reason: if reasoned {
            ExceptionCode::PickupNotReady
        } else {
            ExceptionCode::Unspecified
        },
        note: String::new(),
        labels: match milestone {
            Milestone::Loaded => vec!["bag-1".into()],
            _ => vec![],
        },
    };
    by(town, "acme", report);
}

fn delivered(town: &mut Town, pass_id: &str) {
    let id = ready(town, pass_id, None);
    report(town, &id, Milestone::Departed, "");
    let position = logistics::ReportPosition {
        shipment_id: id.clone(),
        carrier_id: "acme".into(),
        report_id: "p-1".into(),
        occurred: town.now(),
        latitude_e7: 321_000_000,
        longitude_e7: 963_000_000,
        eta: Some(hours(town, 1)),
    };
    by(town, "acme", position);
    let open = logistics::OpenIncident {
        shipment_id: id.clone(),
        carrier_id: Some("acme".into()),
        kind: IncidentKind::ZoneSealed,
        note: "a detour".into(),
    };
    let incident_id = match &by(town, "acme", open)[0] {
        LogisticsEvent::IncidentOpened(event) => event.incident_id.clone(),
        other => panic!("{other:?}"),
    };
    let close = logistics::CloseIncident {
        shipment_id: id.clone(),
        carrier_id: None,
        incident_id,
        resolution: "the road is open again".into(),
    };
    ask(town, close);
    report(town, &id, Milestone::Loaded, "farm");
    report(town, &id, Milestone::ArrivedDestination, "");
    let declare = logistics::DeclareHandover {
        shipment_id: id.clone(),
        carrier_id: "acme".into(),
        lines: vec![],
    };
    by(town, "acme", declare);
    let proof = logistics::RecordProof {
        shipment_id: id.clone(),
        carrier_id: "acme".into(),
        stop_id: String::new(),
        kind: ProofKind::Photo,
        outcome: ProofOutcome::Delivered,
        content_sha256: Some([5; 32]),
        barcodes: vec!["radish-1".into(), "radish-2".into()],
        relation: "colleague".into(),
        recipient: Some(Sealed {
            key_id: "shipment-1".into(),
            ciphertext: vec![1, 2, 3],
            ..Sealed::default()
        }),
        pin_mac: None,
        occurred: town.now(),
    };
    by(town, "acme", proof);
    contacts(town, &id);
    pin(town, &id);
    photos(town, &id);
    let transfer = logistics::TransferCustody {
        shipment_id: id,
        receiver_id: "porter-1".into(),
        lines: vec![LineReceipt {
            line_id: "radish".into(),
            accepted_units: 95,
            damaged_units: 3,
            short_units: 2,
            note: "three crushed, two missing".into(),
            bags: vec![BagReceipt {
                label: "bag-1".into(),
                condition: BagCondition::Damaged.into(),
            }],
        }],
    };
    ask(town, transfer);
}

/// Whom the driver asks for, and that he did; a key that goes later.
fn contacts(town: &mut Town, shipment_id: &str) {
    let contact = Sealed {
        key_id: "shipment-1".into(),
        ciphertext: vec![4, 5, 6],
        ..Sealed::default()
    };
    let set = logistics::SetContacts {
        shipment_id: shipment_id.into(),
        contacts: [(String::new(), contact)].into(),
    };
    ask(town, set);
    let look = logistics::RecordAccess {
        shipment_id: shipment_id.into(),
        carrier_id: "acme".into(),
        method: "GetShipment".into(),
        purpose: "CARRIES_THE_LOAD".into(),
        content_sha256: None,
    };
    by(town, "acme", look);
}

/// The receiver's PIN, told wrongly and rightly.
fn pin(town: &mut Town, shipment_id: &str) {
    let issue = logistics::IssuePin {
        shipment_id: shipment_id.into(),
        pin_mac: [3; 32],
    };
    ask(town, issue);
    for mac in [4, 3] {
        let proof = logistics::RecordProof {
            shipment_id: shipment_id.into(),
            carrier_id: "acme".into(),
            stop_id: String::new(),
            kind: ProofKind::Pin,
            outcome: ProofOutcome::Delivered,
            content_sha256: None,
            barcodes: vec![],
            relation: String::new(),
            recipient: None,
            pin_mac: Some([mac; 32]),
            occurred: town.now(),
        };
        by(town, "acme", proof);
    }
}

/// One that goes with its time, one with its household.
fn photos(town: &mut Town, shipment_id: &str) {
    for (content, household_id) in [(5, None), (6, Some("H-photo".to_owned()))] {
        let store = logistics::StorePhoto {
            shipment_id: shipment_id.into(),
            carrier_id: "acme".into(),
            content_sha256: [content; 32],
            format: PhotoFormat::Jpeg,
            size_bytes: 40_000,
            delete_at: hours(town, 10),
            household_id,
            order_id: None,
            quota_bytes: 1_000_000,
        };
        by(town, "acme", store);
    }
    let household_id = "H-photo".into();
    ask(town, logistics::ErasePhotosOfHousehold { household_id });
}

/// One firm is told by webhooks, until its address is away for good.
fn webhook(town: &mut Town) {
    let carrier_id = || "bolt".to_owned();
    let register = logistics::RegisterWebhook {
        carrier_id: carrier_id(),
        url: "https://bolt.example/hook".into(),
    };
    let webhook_id = match &by(town, "bolt", register)[0] {
        LogisticsEvent::WebhookRegistered(event) => event.webhook_id.clone(),
        other => panic!("{other:?}"),
    };
    let id = || webhook_id.clone();
    let test = logistics::TestWebhook {
        carrier_id: carrier_id(),
        webhook_id: id(),
    };
    by(town, "bolt", test);
    let rotate = logistics::RotateWebhookSecret {
        carrier_id: carrier_id(),
        webhook_id: id(),
        overlap_hours: 24,
    };
    by(town, "bolt", rotate);
    let pause = logistics::PauseWebhook {
        carrier_id: carrier_id(),
        webhook_id: id(),
    };
    by(town, "bolt", pause);
    let resume = logistics::ResumeWebhook {
        carrier_id: carrier_id(),
        webhook_id: id(),
    };
    by(town, "bolt", resume);
    let disable = logistics::DisableWebhook {
        webhook_id: id(),
        failing_since: town.now(),
        reason: "the address answers 503".into(),
    };
    ask(town, disable);
    let remove = logistics::RemoveWebhook {
        carrier_id: carrier_id(),
        webhook_id: id(),
    };
    by(town, "bolt", remove);
}

/// Nothing could be picked up, and the next firm is suspended meanwhile.
fn nobody_came(town: &mut Town, pass_id: &str) {
    let id = ready(town, pass_id, None);
    report(town, &id, Milestone::PickupFailed, "farm");
    for carrier in ["bolt", "acme"] {
        let suspend = logistics::SuspendCarrier {
            carrier_id: carrier.into(),
            reason: "papers are checked".into(),
        };
        ask(town, suspend);
        let resume = logistics::ResumeCarrier {
            carrier_id: carrier.into(),
        };
        ask(town, resume);
    }
    // Those of which the pass is revoked before the departure.
    ready(town, pass_id, None);
}

fn leave(town: &mut Town) {
    let offer_id = offer(town, "bolt");
    let carrier_id = || "bolt".to_owned();
    let withdraw = logistics::WithdrawCapacity {
        carrier_id: carrier_id(),
        offer_id,
    };
    by(town, "bolt", withdraw);
    let vehicle = logistics::WithdrawVehicle {
        carrier_id: carrier_id(),
        vehicle_id: "bolt-v2".into(),
    };
    by(town, "bolt", vehicle);
    let driver = logistics::WithdrawDriver {
        carrier_id: carrier_id(),
        driver_id: "bolt-d2".into(),
    };
    by(town, "bolt", driver);
}
