//! A partner firm and a dispatcher over gRPC: from the firm's registration to
//! a load that was taken over.
#![allow(clippy::needless_update)] // The macro fills in what a request leaves out.

use std::time::Duration;

use decider::spec::START;
use proto::{
    logistics::v1::{carrier_report::What, watch_tenders_response::Update, *},
    time::to_proto,
};
use tonic::{Code, Streaming};

use crate::{
    ask::{AREA, fresh},
    site::{Site, expected, ok, refused},
};

/// A request with its id and area, and these fields.
macro_rules! ask {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        $name { request_id: fresh(), area: AREA.into(), $($field: $value.into(),)* ..Default::default() }
    };
}

fn at(minutes: i64) -> Option<prost_types::Timestamp> {
    Some(to_proto(START.plus_minutes(minutes)))
}

fn zones() -> Vec<String> {
    ["valley", "town"].map(String::from).to_vec()
}

fn place(kind: PlaceKind, place_id: &str, zone: &str) -> Option<Place> {
    Some(Place {
        kind: kind.into(),
        place_id: place_id.into(),
        zone: zone.into(),
    })
}

pub fn load() -> Load {
    Load {
        pickups: vec![Pickup {
            stop_id: "farm".into(),
            place: place(PlaceKind::Field, "farm-1", "valley"),
            from_time: at(0),
            to_time: at(120),
            lines: vec![LoadLine {
                line_id: "radish".into(),
                product_id: "radish".into(),
                quantity_units: 100,
                weight_grams: 500_000,
                labels: vec![],
            }],
        }],
        destination: place(PlaceKind::Checkpoint, "gate-3", "town"),
        due_from_time: at(60),
        due_to_time: at(240),
        order_ids: vec![],
    }
}

/// With vehicle, driver, capacity and an issued pass; the pass's id.
pub async fn join(site: &mut Site, firm: &str) -> String {
    let (partner, freight) = (&mut site.partner, &mut site.freight);
    let register = ask!(RegisterCarrierRequest {
        carrier_id: firm,
        name: "A firm"
    });
    ok(freight.register_carrier(register).await);
    let vehicle = ask!(RegisterVehicleRequest {
        carrier_id: firm,
        vehicle_id: "lorry",
        capacity_grams: 2_000_000,
    });
    ok(partner.register_vehicle(vehicle).await);
    let driver = ask!(RegisterDriverRequest {
        carrier_id: firm,
        driver_id: "d-1"
    });
    ok(partner.register_driver(driver).await);
    let capacity = ask!(OfferCapacityRequest {
        carrier_id: firm,
        zones: zones(),
        capacity_grams: 1_000_000,
        from_time: at(0),
        to_time: at(600),
    });
    ok(partner.offer_capacity(capacity).await);
    let apply = ask!(ApplyForPassRequest {
        carrier_id: firm,
        vehicle_id: "lorry",
        driver_id: "d-1",
        zones: zones(),
        from_time: at(0),
        to_time: at(600),
        certificate_sha256: [7_u8; 32],
    });
    let pass_id = ok(partner.apply_for_pass(apply).await).pass_id;
    let issue = ask!(IssuePassRequest {
        pass_id: pass_id.clone()
    });
    ok(freight.issue_pass(issue).await);
    pass_id
}

fn milestone(
    shipment_id: &str,
    report_id: &str,
    milestone: Milestone,
    stop: &str,
) -> CarrierReport {
    CarrierReport {
        report_id: report_id.into(),
        shipment_id: shipment_id.into(),
        occurred_time: at(0),
        what: Some(What::Milestone(MilestoneReport {
            milestone: milestone.into(),
            stop_id: stop.into(),
            ..Default::default()
        })),
    }
}

fn reports(reports: Vec<CarrierReport>) -> ReportEventsRequest {
    ask!(ReportEventsRequest {
        carrier_id: "acme",
        reports: reports
    })
}

fn get(carrier_id: &str, shipment_id: &str) -> GetShipmentRequest {
    GetShipmentRequest {
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        shipment_id: shipment_id.into(),
        ..Default::default()
    }
}

/// A shipment that `acme` has accepted and named its resources for.
async fn ready(site: &mut Site) -> String {
    let pass_id = join(site, "acme").await;
    let draft = ask!(DraftShipmentRequest { load: load() });
    let drafted = ok(site.freight.draft_shipment(draft).await);
    assert_eq!(drafted.carrier_id, "acme");
    let id = drafted.shipment_id;
    let accept = ask!(AcceptTenderRequest {
        carrier_id: "acme",
        shipment_id: id.clone(),
        round: 1
    });
    ok(site.partner.accept_tender(accept).await);
    let assign = ask!(AssignResourcesRequest {
        carrier_id: "acme",
        shipment_id: id.clone(),
        vehicle_id: "lorry",
        driver_id: "d-1",
        pass_id: pass_id,
    });
    ok(site.partner.assign_resources(assign).await);
    id
}

#[tokio::test]
async fn a_firm_carries_a_load_from_tender_to_hand_over() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let drive = reports(vec![
        milestone(&id, "r-1", Milestone::Departed, ""),
        milestone(&id, "r-2", Milestone::Loaded, "farm"),
        milestone(&id, "r-3", Milestone::ArrivedDestination, ""),
    ]);
    let told = ok(site.partner.report_events(drive.clone()).await);
    let outcomes: Vec<_> = told.answers.iter().map(ReportAnswer::outcome).collect();
    assert_eq!(outcomes, [ReportOutcome::Recorded; 3]);
    // A lost answer is asked for again, under the same id or a new one.
    assert_eq!(ok(site.partner.report_events(drive.clone()).await), told);
    let again = reports(drive.reports);
    let again = ok(site.partner.report_events(again).await);
    let outcomes: Vec<_> = again.answers.iter().map(ReportAnswer::outcome).collect();
    assert_eq!(outcomes, [ReportOutcome::Duplicate; 3]);

    let declare = ask!(DeclareHandoverRequest {
        carrier_id: "acme",
        shipment_id: id.clone()
    });
    ok(site.partner.declare_handover(declare).await);
    let transfer = ask!(TransferCustodyRequest {
        shipment_id: id.clone(),
        receiver_id: "keeper-1",
        lines: vec![LineReceipt {
            line_id: "radish".into(),
            accepted_units: 98,
            damaged_units: 2,
            short_units: 0,
            note: "crushed".into(),
        }],
    });
    ok(site.freight.transfer_custody(transfer).await);
    let shipment = ok(site.partner.get_shipment(get("acme", &id)).await).shipment;
    let shipment = shipment.expect("a shipment");
    assert_eq!(shipment.state(), ShipmentState::CustodyTransferred);
    assert_eq!(shipment.declared[0].units, 100);
    assert_eq!(shipment.receipts[0].accepted_units, 98);
    let carrier = GetCarrierRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        ..Default::default()
    };
    let carrier = ok(site.freight.get_carrier(carrier).await)
        .carrier
        .expect("a carrier");
    assert_eq!((carrier.tenders_accepted, carrier.arrivals_on_time), (1, 1));
}

#[tokio::test]
async fn each_report_of_a_list_has_its_own_fate() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let vague = CarrierReport {
        what: None,
        ..milestone(&id, "r-3", Milestone::Departed, "")
    };
    let early = CarrierReport {
        occurred_time: at(-60),
        ..milestone(&id, "r-4", Milestone::Departed, "")
    };
    let position = |latitude_e7| CarrierReport {
        what: Some(What::Position(PositionReport {
            latitude_e7,
            longitude_e7: 963_000_000,
            eta_time: at(30),
        })),
        ..milestone(&id, &format!("p-{latitude_e7}"), Milestone::Departed, "")
    };
    let told = ok(site
        .partner
        .report_events(reports(vec![
            milestone(&id, "r-1", Milestone::Departed, ""),
            milestone("01UNKNOWN", "r-2", Milestone::Departed, ""),
            vague,
            early,
            milestone(&id, "r-5", Milestone::PickupFailed, "farm"),
            position(321_000_000),
            position(900_000_001),
            milestone(&id, "r-6", Milestone::ArrivedPickup, "farm"),
        ]))
        .await);
    let told: Vec<_> = told
        .answers
        .iter()
        .map(|answer| (answer.report_id.as_str(), answer.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("r-1", ""),
            ("r-2", "SHIPMENT_UNKNOWN"),
            ("r-3", "INVALID_FIELDS"),
            ("r-4", "REPORT_TIME_INVALID"),
            ("r-5", "REPORT_INCOMPLETE"),
            ("p-321000000", ""),
            ("p-900000001", "INVALID_FIELDS"),
            ("r-6", ""),
        ]
    );
    let empty = site.partner.report_events(reports(vec![])).await;
    assert_eq!(refused(empty).0, Code::InvalidArgument);
}

#[tokio::test]
async fn no_firm_sees_what_is_anothers() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let others_pass = join(&mut site, "bolt").await;
    let unknown = |reason: &str| expected(Code::NotFound, reason);
    let others = site.partner.get_shipment(get("bolt", &id)).await;
    assert_eq!(refused(others), unknown("SHIPMENT_UNKNOWN"));
    let accept = ask!(AcceptTenderRequest {
        carrier_id: "bolt",
        shipment_id: id.clone(),
        round: 1
    });
    assert_eq!(
        refused(site.partner.accept_tender(accept).await),
        unknown("SHIPMENT_UNKNOWN")
    );
    let pass = GetPassRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        pass_id: others_pass,
        ..Default::default()
    };
    assert_eq!(
        refused(site.partner.get_pass(pass).await),
        unknown("PASS_UNKNOWN")
    );
    let list = |carrier_id: &str| ListShipmentsRequest {
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        ..Default::default()
    };
    let own = ok(site.partner.list_shipments(list("acme")).await).shipments;
    assert_eq!(own.len(), 1);
    let others = ok(site.partner.list_shipments(list("bolt")).await).shipments;
    assert!(others.is_empty());
}

#[tokio::test]
async fn lists_come_in_pages_and_by_state() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let mut ids = vec![];
    for _ in 0..2 {
        let draft = ask!(DraftShipmentRequest { load: load() });
        ids.push(ok(site.freight.draft_shipment(draft).await).shipment_id);
    }
    // Made in the same millisecond of the test's clock, in no certain order.
    ids.sort();
    let decline = ask!(AcceptTenderRequest {
        carrier_id: "acme",
        shipment_id: ids[1].clone(),
        round: 1,
    });
    ok(site.partner.accept_tender(decline).await);
    let list = |page_size, page_token: &str, state: ShipmentState| ListShipmentsRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        page_size,
        page_token: page_token.into(),
        state: state.into(),
        ..Default::default()
    };
    let any = ShipmentState::Unspecified;
    let first = ok(site.partner.list_shipments(list(1, "", any)).await);
    assert_eq!(first.shipments[0].shipment_id, ids[0]);
    let second = list(1, &first.next_page_token, any);
    let second = ok(site.partner.list_shipments(second).await);
    assert_eq!(second.shipments[0].shipment_id, ids[1]);
    assert_eq!(second.next_page_token, "");
    let tendered = list(0, "", ShipmentState::Tendered);
    let tendered = ok(site.partner.list_shipments(tendered).await).shipments;
    assert_eq!(tendered.len(), 1);
    let elsewhere = list(1, &first.next_page_token, ShipmentState::Tendered);
    assert_eq!(
        refused(site.partner.list_shipments(elsewhere).await),
        expected(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
    );
}

async fn watch(site: &mut Site, carrier_id: &str, after_cursor: u64) -> Watch {
    let request = WatchTendersRequest {
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        after_cursor,
        ..Default::default()
    };
    Watch(ok(site.partner.watch_tenders(request).await))
}

struct Watch(Streaming<WatchTendersResponse>);

impl Watch {
    async fn next(&mut self) -> WatchTendersResponse {
        let next = tokio::time::timeout(Duration::from_secs(30), self.0.message());
        let next = next.await.expect("a message in time");
        next.expect("no error").expect("no end")
    }

    /// The next that is no heartbeat, and its cursor.
    async fn update(&mut self) -> (Update, u64) {
        loop {
            let message = self.next().await;
            match message.update.expect("an update") {
                Update::Heartbeat(_) => {}
                update => return (update, message.cursor),
            }
        }
    }
}

#[tokio::test]
async fn a_firm_is_told_of_its_tenders_and_passes_and_goes_on_where_it_was() {
    let mut site = Site::start().await;
    let mut acme = watch(&mut site, "acme", 0).await;
    let first = acme.next().await;
    assert_eq!(first.update, Some(Update::Heartbeat(Heartbeat {})));
    let pass_id = join(&mut site, "acme").await;
    let (Update::Pass(pass), _) = acme.update().await else {
        panic!("no pass")
    };
    assert_eq!(
        (pass.pass_id, pass.state),
        (pass_id, PassState::Issued.into())
    );

    let draft = ask!(DraftShipmentRequest { load: load() });
    let id = ok(site.freight.draft_shipment(draft).await).shipment_id;
    let (Update::Tendered(tendered), cursor) = acme.update().await else {
        panic!("no tender")
    };
    assert_eq!(
        (tendered.shipment_id.as_str(), tendered.round),
        (id.as_str(), 1)
    );
    assert_eq!(tendered.load, Some(load()));
    drop(acme);

    // While nobody listens it is withdrawn and tendered again.
    let withdraw = ask!(WithdrawTenderRequest {
        shipment_id: id.clone()
    });
    ok(site.freight.withdraw_tender(withdraw).await);
    let tender = ask!(TenderShipmentRequest {
        shipment_id: id.clone(),
        carrier_id: "acme"
    });
    ok(site.freight.tender_shipment(tender).await);
    let mut acme = watch(&mut site, "acme", cursor).await;
    let (Update::Ended(ended), _) = acme.update().await else {
        panic!("no end")
    };
    assert_eq!(
        (ended.round, ended.reason()),
        (1, WithdrawReason::Dispatcher)
    );
    let (Update::Tendered(again), _) = acme.update().await else {
        panic!("no tender")
    };
    assert_eq!(again.round, 2);

    // From the beginning all of it comes again; what is over has no load.
    let mut all = watch(&mut site, "acme", 0).await;
    all.update().await;
    let (Update::Tendered(over), again_cursor) = all.update().await else {
        panic!("no tender")
    };
    assert_eq!((over.round, over.load, again_cursor), (1, None, cursor));

    // Another firm hears nothing of it.
    let mut bolt = watch(&mut site, "bolt", 0).await;
    assert!(matches!(
        bolt.next().await.update,
        Some(Update::Heartbeat(_))
    ));
    join(&mut site, "bolt").await;
    assert!(matches!(bolt.update().await.0, Update::Pass(pass) if pass.carrier_id == "bolt"));

    let beyond = WatchTendersRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        after_cursor: 1_000_000,
        ..Default::default()
    };
    let refused = site
        .partner
        .watch_tenders(beyond)
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), Code::OutOfRange);
}
