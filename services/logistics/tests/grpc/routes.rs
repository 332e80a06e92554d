//! Trunk routes over gRPC: dispatched goods come over the bus, become loads,
//! and are carried and handed over.
#![allow(clippy::needless_update)] // The macro fills in what a request leaves out.

use decider::spec::START;
use proto::{
    LogisticsEvent,
    admin::v1::{AdvanceClockRequest, admin_service_client::AdminServiceClient},
    logistics::v1::{carrier_report::What, *},
    time::to_proto,
};
use tonic::Code;

use crate::{
    ask::{AREA, CARRIER, CHECKPOINT, fresh},
    partner::{at, join, place},
    site::{Site, expected, ok, refused, wrong_fields},
};

/// A request with its id and area, and these fields.
macro_rules! ask {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        $name { request_id: fresh(), area: AREA.into(), $($field: $value.into(),)* ..Default::default() }
    };
}

/// A query of the area, with these fields.
macro_rules! look {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        $name { area: AREA.into(), $($field: $value.into(),)* ..Default::default() }
    };
}

const ROUTE: &str = "depot-gate";

fn plan() -> RoutePlan {
    RoutePlan {
        origin: place(PlaceKind::Depot, "depot", "valley"),
        holder_id: CARRIER.into(),
        destination: place(PlaceKind::Checkpoint, CHECKPOINT, "town"),
        from_time: at(0),
        to_time: at(240),
        every_minutes: 60,
        weight_grams_max: 1_000_000,
        orders_max: 100,
        lead_minutes: 30,
        transit_minutes: 60,
    }
}

fn open() -> OpenRouteRequest {
    ask!(OpenRouteRequest {
        route_id: ROUTE,
        plan: plan()
    })
}

impl Site {
    async fn clock_at(&mut self, minutes: i64) {
        let to = Some(to_proto(START.plus_minutes(minutes)));
        let mut admin = AdminServiceClient::new(self.channel.clone());
        ok(admin.advance_clock(AdvanceClockRequest { to }).await);
    }

    async fn waiting(&mut self, reason: WaitReason) -> Vec<WaitingGoods> {
        let request = look!(ListWaitingGoodsRequest { reason: reason });
        ok(self.freight.list_waiting_goods(request).await).goods
    }

    async fn shipment_of(&mut self, carrier_id: &str) -> Shipment {
        let request = look!(ListShipmentsRequest {
            carrier_id: carrier_id
        });
        let mut found = ok(self.partner.list_shipments(request).await).shipments;
        assert_eq!(found.len(), 1);
        found.remove(0)
    }
}

#[tokio::test]
async fn dispatched_goods_become_a_load_that_is_carried_and_handed_over() {
    let mut site = Site::with_team().await;
    let pass_id = join(&mut site, "acme").await;
    ok(site.freight.open_route(open()).await);
    for order_id in ["o1", "o2"] {
        site.dispatch(order_id).await;
    }
    let goods = site.waiting(WaitReason::WindowOpen).await;
    let ids: Vec<_> = goods.iter().map(|goods| &*goods.order_id).collect();
    assert_eq!(ids, ["o1", "o2"]);
    assert_eq!(goods[0].window_time, at(60));
    let route = look!(GetRouteRequest { route_id: ROUTE });
    let route = ok(site.freight.get_route(route).await).route.expect("it");
    assert_eq!((route.waiting_orders, route.waiting_grams), (2, 40_000));

    site.clock_at(60).await;
    let shipment = site.shipment_of("acme").await;
    assert_eq!(shipment.state(), ShipmentState::Tendered);
    let load = shipment.load.clone().expect("a load");
    assert_eq!(load.order_ids, ["o1", "o2"]);
    let labels: Vec<_> = load.pickups[0]
        .lines
        .iter()
        .map(|l| l.labels.join(" "))
        .collect();
    assert_eq!(labels, ["o1-2 o2-2", "o1-1 o2-1"]);
    let id = shipment.shipment_id;
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
    let report = |report_id: &str, milestone: Milestone, stop: &str| CarrierReport {
        report_id: report_id.into(),
        shipment_id: id.clone(),
        occurred_time: at(60),
        what: Some(What::Milestone(MilestoneReport {
            milestone: milestone.into(),
            stop_id: stop.into(),
            ..Default::default()
        })),
    };
    let drive = ask!(ReportEventsRequest {
        carrier_id: "acme",
        reports: vec![
            report("r-1", Milestone::Departed, ""),
            report("r-2", Milestone::Loaded, ROUTE),
            report("r-3", Milestone::ArrivedDestination, ""),
        ]
    });
    let told = ok(site.partner.report_events(drive).await);
    assert!(told.answers.iter().all(|answer| answer.reason.is_empty()));
    assert_eq!(site.parcel("o1").await.custodian.expect("one").id, "acme");
    assert_eq!(site.waiting(WaitReason::Unspecified).await, vec![]);
    // It comes as a load, and is not taken over one by one.
    let alone = crate::ask::receive(vec![crate::ask::receipt("o1", &[])]);
    assert_eq!(
        refused(site.client.receive_parcels(alone).await),
        expected(Code::FailedPrecondition, "PARCEL_ON_LOAD")
    );
    let declare = ask!(DeclareHandoverRequest {
        carrier_id: "acme",
        shipment_id: id.clone()
    });
    ok(site.partner.declare_handover(declare).await);
    let mut short = LineReceipt {
        line_id: load.pickups[0].lines[0].line_id.clone(),
        accepted_units: 2,
        short_units: 2,
        note: "a bag is not there".into(),
        ..Default::default()
    };
    let transfer = |line: &LineReceipt| {
        ask!(TransferCustodyRequest {
            shipment_id: id.clone(),
            receiver_id: "keeper-1",
            lines: vec![line.clone()],
        })
    };
    assert_eq!(
        refused(site.freight.transfer_custody(transfer(&short)).await),
        expected(Code::InvalidArgument, "COUNT_INVALID")
    );
    short.bags = vec![BagReceipt::of("o2-2", BagCondition::Missing)];
    ok(site.freight.transfer_custody(transfer(&short)).await);
    let received = site
        .recorded(|event| match event {
            LogisticsEvent::ParcelReceived(event) if event.order_id == "o2" => Some(event.clone()),
            _ => None,
        })
        .await;
    assert_eq!(received.accepted_labels, ["o2-1"]);
    assert_eq!(received.exceptions[0].code(), ExceptionCode::Short);
    assert_eq!(received.from.expect("both sides").id, "acme");
    assert_eq!(received.keeper_id, "keeper-1");
    assert_eq!(site.parcel("o1").await.state(), ParcelState::Received);
}

#[tokio::test]
async fn a_recall_before_the_departure_is_a_new_round() {
    let mut site = Site::with_team().await;
    join(&mut site, "acme").await;
    ok(site.freight.open_route(open()).await);
    for order_id in ["o1", "o2"] {
        site.dispatch(order_id).await;
    }
    site.clock_at(60).await;
    site.recall("o1");
    let (order_ids, round) = site
        .recorded(|event| match event {
            LogisticsEvent::LoadChanged(event) => {
                let load = event.load.clone().expect("a load");
                Some((load.order_ids, event.load_version))
            }
            _ => None,
        })
        .await;
    assert_eq!((order_ids, round), (vec!["o2".to_owned()], 2));
    let shipment = site.shipment_of("acme").await;
    assert_eq!((shipment.round, shipment.weight_grams), (2, 20_000));
}

#[tokio::test]
async fn requests_are_answered_again_and_refusals_say_what_is_wrong() {
    let mut site = Site::with_team().await;
    let first = open();
    let position = ok(site.freight.open_route(first.clone()).await).position;
    assert_eq!(ok(site.freight.open_route(first).await).position, position);
    let mut second = open();
    second.route_id = "second".into();
    assert_eq!(
        refused(site.freight.open_route(second).await),
        expected(Code::FailedPrecondition, "ROUTE_CONFLICT")
    );
    let wrong = OpenRouteRequest {
        plan: Some(RoutePlan {
            every_minutes: 1,
            weight_grams_max: 1,
            orders_max: 501,
            lead_minutes: 0,
            from_time: None,
            ..plan()
        }),
        ..open()
    };
    let fields = wrong_fields(site.freight.open_route(wrong).await);
    for field in [
        "orders_max",
        "from_time",
        "every_minutes",
        "weight_grams_max",
        "lead_minutes",
    ] {
        assert!(fields.contains(&format!("plan.{field}")), "{fields:?}");
    }
    let unknown = look!(GetRouteRequest { route_id: "none" });
    let unknown = site.freight.get_route(unknown).await;
    assert_eq!(refused(unknown).0, Code::NotFound);
    let close = |reason: &str| {
        ask!(CloseRouteRequest {
            route_id: ROUTE,
            reason: reason
        })
    };
    assert_eq!(
        wrong_fields(site.freight.close_route(close("")).await),
        ["reason"]
    );
    ok(site.freight.close_route(close("snow")).await);
    let longer = RoutePlan {
        to_time: at(300),
        ..plan()
    };
    let change = ask!(ChangeRouteRequest {
        route_id: ROUTE,
        plan: longer
    });
    assert_eq!(
        refused(site.freight.change_route(change).await),
        expected(Code::FailedPrecondition, "ROUTE_CLOSED")
    );
}

#[tokio::test]
async fn routes_and_waiting_goods_come_in_pages() {
    let mut site = Site::with_team().await;
    for n in 1..=3 {
        let mut request = open();
        request.route_id = format!("route-{n}");
        if let Some(plan) = &mut request.plan {
            plan.holder_id = if n == 1 {
                CARRIER.into()
            } else {
                format!("bureau-{n}")
            };
        }
        ok(site.freight.open_route(request).await);
    }
    let mut request = look!(ListRoutesRequest { page_size: 2 });
    let page = ok(site.freight.list_routes(request.clone()).await);
    assert_eq!(page.routes.len(), 2);
    request.page_token = page.next_page_token;
    let last = ok(site.freight.list_routes(request).await);
    assert_eq!((last.routes.len(), &*last.next_page_token), (1, ""));

    for order_id in ["o1", "o2", "o3"] {
        site.dispatch(order_id).await;
    }
    let mut request = look!(ListWaitingGoodsRequest {
        page_size: 2,
        route_id: "route-1"
    });
    let page = ok(site.freight.list_waiting_goods(request.clone()).await);
    assert_eq!(page.goods.len(), 2);
    request.page_token = page.next_page_token;
    let last = ok(site.freight.list_waiting_goods(request.clone()).await);
    assert_eq!(last.goods[0].order_id, "o3");
    request.route_id = "route-2".into();
    assert_eq!(
        refused(site.freight.list_waiting_goods(request).await),
        expected(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
    );
    let elsewhere = look!(ListWaitingGoodsRequest {
        route_id: "route-2"
    });
    assert!(
        ok(site.freight.list_waiting_goods(elsewhere).await)
            .goods
            .is_empty()
    );
}
