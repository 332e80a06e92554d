//! The surplus trade over gRPC: what growers list, buyers ask for, both
//! confirm, and what each call is refused with.

use decider::{Timestamp, spec::START};
use proto::{
    InventoryEvent, LogisticsEvent,
    admin::v1::AdvanceClockRequest,
    inventory::v1::{self as pb, CapPolicy, Category, Grade, MatchState, RefusalReason, Spot},
    logistics::v1::{CustodyTransferred, LineReceipt, Load, LoadLine, Pickup, ShipmentDrafted},
    time::to_proto,
};
use tonic::{Code, Request, metadata::MetadataValue};

use crate::{
    refusals::{expected, refusal},
    store::{AREA, OTHER_AREA, Store},
};

const HOUR: i64 = 60;

fn refused<T: std::fmt::Debug>(answer: Result<T, tonic::Status>, code: Code, reason: &str) {
    assert_eq!(refusal(answer), expected(code, reason));
}

fn minute(n: i64) -> Timestamp {
    START.plus_minutes(n)
}

fn spot(place_id: &str) -> Option<Spot> {
    Some(Spot {
        place_id: place_id.into(),
        zone: "z1".into(),
    })
}

fn radish() -> pb::DefineProductRequest {
    pb::DefineProductRequest {
        request_id: "radish".into(),
        area: AREA.into(),
        product_id: "radish".into(),
        name: "萝卜 radish".into(),
        unit_grams: 10_000,
        category: Category::Produce.into(),
    }
}

fn buyer(buyer_id: &str) -> pb::RegisterBuyerRequest {
    pb::RegisterBuyerRequest {
        request_id: format!("buyer-{buyer_id}"),
        area: AREA.into(),
        buyer_id: buyer_id.into(),
        name: format!("The {buyer_id}"),
        place: spot(buyer_id),
    }
}

fn offer(request_id: &str, grower_id: &str, units: i64) -> pb::OfferSurplusRequest {
    pb::OfferSurplusRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        grower_id: grower_id.into(),
        product_id: "radish".into(),
        quantity_units: units,
        grade: Grade::B.into(),
        harvested_time: Some(to_proto(minute(-HOUR))),
        field: spot("field-1"),
        from_time: None,
        to_time: Some(to_proto(minute(12 * HOUR))),
        asking_fen_per_kg: 100,
        reference_fen_per_kg: 120,
    }
}

fn demand(request_id: &str, buyer_id: &str, units: i64) -> pb::PlaceBulkDemandRequest {
    pb::PlaceBulkDemandRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        buyer_id: buyer_id.into(),
        product_id: "radish".into(),
        quantity_units: units,
        lowest_grade: Grade::Unspecified.into(),
        from_time: Some(to_proto(minute(2 * HOUR))),
        to_time: Some(to_proto(minute(10 * HOUR))),
        highest_fen_per_kg: 150,
        repeat_until_time: None,
    }
}

/// A hotel that buys radish, and matching that is open.
async fn market() -> Store {
    let mut store = Store::start().await;
    store.client.define_product(radish()).await.expect("radish");
    let hotel = store.surplus.register_buyer(buyer("hotel")).await;
    hotel.expect("a buyer");
    let open = pb::OpenMatchingRequest {
        request_id: "open".into(),
        area: AREA.into(),
        ..Default::default()
    };
    store.surplus.open_matching(open).await.expect("open");
    store
}

/// Lets the clock run to a moment; everything due until then happens.
async fn clock(store: &mut Store, to: Timestamp) {
    let to = Some(to_proto(to));
    let advanced = store.admin.advance_clock(AdvanceClockRequest { to }).await;
    advanced.expect("a test clock");
}

async fn proposed(store: &mut Store) -> pb::MatchProposed {
    store
        .recorded(|event| match event {
            InventoryEvent::MatchProposed(e) => Some(e.clone()),
            _ => None,
        })
        .await
}

async fn matches(store: &mut Store, state: MatchState) -> Vec<pb::Match> {
    let request = pb::ListMatchesRequest {
        area: AREA.into(),
        state: state.into(),
        ..Default::default()
    };
    let page = store.surplus.list_matches(request).await.expect("a list");
    page.into_inner().matches
}

fn sale(request_id: &str, trade: &pb::MatchProposed) -> pb::ConfirmSaleRequest {
    pb::ConfirmSaleRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        grower_id: trade.grower_id.clone(),
        match_id: trade.match_id.clone(),
    }
}

fn purchase(request_id: &str, trade: &pb::MatchProposed) -> pb::ConfirmPurchaseRequest {
    pb::ConfirmPurchaseRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        buyer_id: trade.buyer_id.clone(),
        match_id: trade.match_id.clone(),
    }
}

#[tokio::test]
async fn surplus_is_listed_matched_confirmed_carried_and_reported() {
    let mut store = market().await;
    let listed = store.surplus.offer_surplus(offer("o1", "g1", 30)).await;
    let listed = listed.expect("listed").into_inner();
    assert!(!listed.above_cap);
    let asked = store
        .surplus
        .place_bulk_demand(demand("d1", "hotel", 5))
        .await;
    let asked = asked.expect("asked").into_inner();
    assert!(!asked.demand_id.is_empty());
    clock(&mut store, START.plus_minutes(1)).await;
    let trade = proposed(&mut store).await;
    assert_eq!((trade.quantity_units, trade.price_fen_per_kg), (5, 100));

    let bought = store.surplus.confirm_purchase(purchase("p1", &trade)).await;
    assert!(!bought.expect("bought").into_inner().confirmed);
    let sold = store.surplus.confirm_sale(sale("s1", &trade)).await;
    assert!(sold.expect("sold").into_inner().confirmed);
    let again = store.surplus.confirm_sale(sale("s1", &trade)).await;
    assert!(
        again
            .expect("the first answer again")
            .into_inner()
            .confirmed
    );

    // Logistics carries it, and the hotel refuses a crate.
    let match_id = trade.match_id.clone();
    store.logistics_tells(shipped("S-1", &match_id));
    store.logistics_tells(taken_over("S-1", &match_id, 4, 1));
    store
        .recorded(|event| matches!(event, InventoryEvent::MatchDelivered(_)).then_some(()))
        .await;
    let request = pb::GetMatchRequest {
        area: AREA.into(),
        match_id,
        ..Default::default()
    };
    let found = store.surplus.get_match(request).await.expect("a match");
    let found = found.into_inner().r#match.expect("a match");
    assert_eq!(found.state(), MatchState::Delivered);
    assert_eq!((found.accepted_units, found.damaged_units), (4, 1));
    assert_eq!(found.shipment_id, "S-1");

    let request = pb::GetGrowerReportRequest {
        area: AREA.into(),
        grower_id: "g1".into(),
        ..Default::default()
    };
    let report = store.surplus.get_grower_report(request).await;
    let report = report.expect("a report").into_inner().report;
    let report = report.expect("a report");
    assert_eq!(
        (report.listed_grams, report.delivered_grams),
        (300_000, 40_000)
    );
    assert_eq!(
        (report.at_risk_fen, report.income_fen, report.avoided_fen),
        (36_000, 4_000, 4_000)
    );
    let request = pb::ListGrowerReportsRequest {
        area: AREA.into(),
        ..Default::default()
    };
    let all = store.surplus.list_grower_reports(request).await;
    let all = all.expect("reports").into_inner();
    assert_eq!(all.reports, std::slice::from_ref(&report));
    let total = pb::GrowerReport {
        grower_id: String::new(),
        ..report
    };
    assert_eq!(all.total, Some(total));

    let request = pb::GetSurplusRequest {
        area: AREA.into(),
        grower_id: "g1".into(),
        listing_id: listed.listing_id.clone(),
        ..Default::default()
    };
    let surplus = store.surplus.get_surplus(request.clone()).await;
    let surplus = surplus.expect("known").into_inner().surplus.expect("known");
    assert_eq!(
        (
            surplus.open_units,
            surplus.delivered_units,
            surplus.lost_units
        ),
        (25, 4, 1)
    );
    let of_another = pb::GetSurplusRequest {
        grower_id: "g2".into(),
        ..request
    };
    let unknown = store.surplus.get_surplus(of_another).await;
    assert_eq!(unknown.expect_err("another's").code(), Code::NotFound);
}

fn shipped(shipment_id: &str, match_id: &str) -> LogisticsEvent {
    ShipmentDrafted {
        shipment_id: shipment_id.into(),
        load: Some(Load {
            pickups: vec![Pickup {
                lines: vec![LoadLine {
                    line_id: match_id.into(),
                    ..LoadLine::default()
                }],
                ..Pickup::default()
            }],
            ..Load::default()
        }),
        ..ShipmentDrafted::default()
    }
    .into()
}

fn taken_over(shipment_id: &str, match_id: &str, accepted: i64, damaged: i64) -> LogisticsEvent {
    CustodyTransferred {
        shipment_id: shipment_id.into(),
        lines: vec![LineReceipt {
            line_id: match_id.into(),
            accepted_units: accepted,
            damaged_units: damaged,
            ..LineReceipt::default()
        }],
        ..CustodyTransferred::default()
    }
    .into()
}

#[tokio::test]
async fn what_is_refused_is_proposed_to_the_next() {
    let mut store = market().await;
    let plant = store.surplus.register_buyer(buyer("plant")).await;
    plant.expect("a buyer");
    let offered = store.surplus.offer_surplus(offer("o1", "g1", 5)).await;
    offered.expect("listed");
    for buyer in ["hotel", "plant"] {
        let asked = store
            .surplus
            .place_bulk_demand(demand(buyer, buyer, 5))
            .await;
        asked.expect("asked");
    }
    clock(&mut store, START.plus_minutes(1)).await;
    let first = proposed(&mut store).await;
    let refuse = pb::RefusePurchaseRequest {
        request_id: "no".into(),
        area: AREA.into(),
        buyer_id: first.buyer_id.clone(),
        match_id: first.match_id.clone(),
        reason: RefusalReason::Quality.into(),
        note: "woody".into(),
    };
    store
        .surplus
        .refuse_purchase(refuse)
        .await
        .expect("refused");
    clock(&mut store, START.plus_minutes(2)).await;
    let second = proposed(&mut store).await;
    assert_ne!(second.buyer_id, first.buyer_id);
    let refuse = pb::RefuseSaleRequest {
        request_id: "no-2".into(),
        area: AREA.into(),
        grower_id: "g1".into(),
        match_id: second.match_id.clone(),
        reason: RefusalReason::Elsewhere.into(),
        note: String::new(),
    };
    store.surplus.refuse_sale(refuse).await.expect("refused");
    assert_eq!(matches(&mut store, MatchState::Refused).await.len(), 2);
    let late = store.surplus.confirm_sale(sale("late", &second)).await;
    refused(late, Code::FailedPrecondition, "MATCH_STATE");
}

#[tokio::test]
async fn a_price_above_the_cap_is_refused_and_recorded() {
    let mut store = market().await;
    let price = |request_id: &str, policy: CapPolicy| pb::SetReferencePriceRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        product_id: "radish".into(),
        reference_fen_per_kg: 80,
        cap_fen_per_kg: 99,
        policy: policy.into(),
    };
    let set = store
        .surplus
        .set_reference_price(price("p1", CapPolicy::Refuse))
        .await;
    set.expect("set");
    for _ in 0..2 {
        let above = store.surplus.offer_surplus(offer("o1", "g1", 5)).await;
        refused(above, Code::FailedPrecondition, "PRICE_ABOVE_CAP");
    }
    let breach = store
        .recorded(|event| match event {
            InventoryEvent::PriceCapBreached(e) => Some(e.clone()),
            _ => None,
        })
        .await;
    assert_eq!((breach.price_fen_per_kg, breach.cap_fen_per_kg), (100, 99));

    let set = store
        .surplus
        .set_reference_price(price("p2", CapPolicy::Flag))
        .await;
    set.expect("set");
    let flagged = store.surplus.offer_surplus(offer("o2", "g1", 5)).await;
    assert!(flagged.expect("listed").into_inner().above_cap);
    let request = pb::ListReferencePricesRequest {
        area: AREA.into(),
        ..Default::default()
    };
    let prices = store.surplus.list_reference_prices(request).await;
    let prices = prices.expect("prices").into_inner().prices;
    assert_eq!(prices.len(), 1);
    assert_eq!(prices[0].breaches, 2, "each attempt once");
}

#[tokio::test]
async fn listings_change_and_are_withdrawn_until_they_are_matched() {
    let mut store = market().await;
    let listed = store.surplus.offer_surplus(offer("o1", "g1", 30)).await;
    let listing_id = listed.expect("listed").into_inner().listing_id;
    let change = |request_id: &str, units: i64, revision: Option<u64>| pb::ChangeSurplusRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        grower_id: "g1".into(),
        listing_id: listing_id.clone(),
        quantity_units: units,
        grade: Grade::A.into(),
        from_time: None,
        to_time: Some(to_proto(minute(12 * HOUR))),
        asking_fen_per_kg: 90,
        if_revision: revision,
    };
    let changed = store
        .surplus
        .change_surplus(change("c1", 20, Some(1)))
        .await;
    changed.expect("changed");
    let stale = store
        .surplus
        .change_surplus(change("c2", 10, Some(1)))
        .await;
    assert_eq!(stale.expect_err("a stale revision").code(), Code::Aborted);

    let asked = store
        .surplus
        .place_bulk_demand(demand("d1", "hotel", 5))
        .await;
    asked.expect("asked");
    clock(&mut store, START.plus_minutes(1)).await;
    proposed(&mut store).await;
    let late = store.surplus.change_surplus(change("c3", 10, None)).await;
    refused(late, Code::FailedPrecondition, "LISTING_MATCHED");
    let withdraw = |grower_id: &str| pb::WithdrawSurplusRequest {
        request_id: format!("w-{grower_id}"),
        area: AREA.into(),
        grower_id: grower_id.into(),
        listing_id: listing_id.clone(),
    };
    let others = store.surplus.withdraw_surplus(withdraw("g2")).await;
    refused(others, Code::NotFound, "LISTING_UNKNOWN");
    let own = store.surplus.withdraw_surplus(withdraw("g1")).await;
    own.expect("withdrawn");
    assert_eq!(matches(&mut store, MatchState::Withdrawn).await.len(), 1);
}

#[tokio::test]
async fn lists_have_filters_and_pages() {
    let mut store = market().await;
    for n in 0..5 {
        let grower = format!("g{}", n % 2);
        let offered = store
            .surplus
            .offer_surplus(offer(&format!("o{n}"), &grower, 2))
            .await;
        offered.expect("listed");
    }
    let mut request = pb::ListSurplusesRequest {
        area: AREA.into(),
        grower_id: "g0".into(),
        page_size: 2,
        ..Default::default()
    };
    let first = store.surplus.list_surpluses(request.clone()).await;
    let first = first.expect("a page").into_inner();
    assert_eq!(first.surpluses.len(), 2);
    request.page_token = first.next_page_token.clone();
    let second = store.surplus.list_surpluses(request.clone()).await;
    let second = second.expect("a page").into_inner();
    assert_eq!(
        (second.surpluses.len(), second.next_page_token),
        (1, String::new())
    );
    // A token is that of its filters.
    request.grower_id = "g1".into();
    let other = store.surplus.list_surpluses(request).await;
    refused(other, Code::InvalidArgument, "PAGE_TOKEN_INVALID");

    let asked = store
        .surplus
        .place_bulk_demand(demand("d1", "hotel", 9))
        .await;
    asked.expect("asked");
    let request = pb::ListBulkDemandsRequest {
        area: AREA.into(),
        buyer_id: "hotel".into(),
        ..Default::default()
    };
    let demands = store.surplus.list_bulk_demands(request).await;
    assert_eq!(demands.expect("a list").into_inner().demands.len(), 1);
    let request = pb::ListBuyersRequest {
        area: AREA.into(),
        ..Default::default()
    };
    let buyers = store.surplus.list_buyers(request).await;
    assert_eq!(
        buyers.expect("a list").into_inner().buyers[0].buyer_id,
        "hotel"
    );

    clock(&mut store, START.plus_minutes(1)).await;
    proposed(&mut store).await;
    let sales = pb::ListSalesRequest {
        area: AREA.into(),
        grower_id: "g1".into(),
        ..Default::default()
    };
    let sales = store.surplus.list_sales(sales).await.expect("a list");
    let sales = sales.into_inner().matches;
    assert!(!sales.is_empty() && sales.iter().all(|trade| trade.grower_id == "g1"));
    let purchases = pb::ListPurchasesRequest {
        area: AREA.into(),
        buyer_id: "hotel".into(),
        state: MatchState::Proposed.into(),
        ..Default::default()
    };
    let purchases = store.surplus.list_purchases(purchases).await;
    let purchases = purchases.expect("a list").into_inner().matches;
    let units: i64 = purchases.iter().map(|trade| trade.quantity_units).sum();
    assert_eq!(units, 9);
    let elsewhere = pb::ListMatchesRequest {
        area: OTHER_AREA.into(),
        ..Default::default()
    };
    let elsewhere = store.surplus.list_matches(elsewhere).await;
    assert_eq!(elsewhere.expect("a list").into_inner().matches, []);
    let matching = pb::GetMatchingRequest {
        area: AREA.into(),
        ..Default::default()
    };
    let matching = store.surplus.get_matching(matching).await;
    let matching = matching.expect("a state").into_inner();
    // The first had nothing to match.
    assert!(matching.open && matching.rounds == 2);
    assert_eq!((matching.answer_minutes, matching.open_demands), (60, 0));
}

#[tokio::test]
async fn everything_wrong_with_a_request_is_told_at_once() {
    let mut store = market().await;
    let empty = pb::OfferSurplusRequest {
        request_id: "empty".into(),
        area: AREA.into(),
        ..Default::default()
    };
    let status = store.surplus.offer_surplus(empty).await;
    let status = status.expect_err("nothing is in it");
    assert_eq!(status.code(), Code::InvalidArgument);
    for field in [
        "grower_id",
        "product_id",
        "quantity_units",
        "grade",
        "harvested_time",
        "field",
        "to_time",
        "asking_fen_per_kg",
    ] {
        assert!(status.message().contains(field), "{}", status.message());
    }
    let unknown = store
        .surplus
        .place_bulk_demand(demand("d1", "inn", 5))
        .await;
    refused(unknown, Code::NotFound, "BUYER_UNKNOWN");
    let mut over = offer("over", "g1", 5);
    over.to_time = Some(to_proto(minute(-1)));
    let over = store.surplus.offer_surplus(over).await;
    refused(over, Code::InvalidArgument, "TIMES_INVALID");
    let mut moved = buyer("hotel");
    moved.request_id = "moved".into();
    moved.name = "Another".into();
    let moved = store.surplus.register_buyer(moved).await;
    refused(moved, Code::AlreadyExists, "BUYER_EXISTS");
}

#[tokio::test]
async fn who_acts_for_a_grower_is_recorded_with_him() {
    let mut store = market().await;
    let mut by_cadre = Request::new(offer("o1", "g1", 5));
    let metadata = by_cadre.metadata_mut();
    metadata.insert("baogong-role", MetadataValue::from_static("cadre"));
    metadata.insert("baogong-actor", MetadataValue::from_static("c-7"));
    store.surplus.offer_surplus(by_cadre).await.expect("listed");
    let actor = store
        .recorded_by(|event| matches!(event, InventoryEvent::SurplusListed(_)))
        .await;
    assert_eq!(actor.to_string(), "cadre/c-7 for g1");
    let mut by_himself = Request::new(offer("o2", "g1", 5));
    let metadata = by_himself.metadata_mut();
    metadata.insert("baogong-role", MetadataValue::from_static("resident"));
    metadata.insert("baogong-actor", MetadataValue::from_static("g1"));
    store
        .surplus
        .offer_surplus(by_himself)
        .await
        .expect("listed");
    let actor = store
        .recorded_by(|event| matches!(event, InventoryEvent::SurplusListed(_)))
        .await;
    assert_eq!(actor.to_string(), "resident/g1");
}

#[tokio::test]
async fn a_trade_goes_on_after_a_restart() {
    let mut store = market().await;
    let offered = store.surplus.offer_surplus(offer("o1", "g1", 5)).await;
    offered.expect("listed");
    let asked = store
        .surplus
        .place_bulk_demand(demand("d1", "hotel", 5))
        .await;
    asked.expect("asked");
    clock(&mut store, START.plus_minutes(1)).await;
    let trade = proposed(&mut store).await;
    let bought = store.surplus.confirm_purchase(purchase("p1", &trade)).await;
    bought.expect("bought");
    store.start_again().await;
    let sold = store.surplus.confirm_sale(sale("s1", &trade)).await;
    assert!(sold.expect("sold").into_inner().confirmed);
}
