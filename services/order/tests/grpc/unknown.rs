//! What is not there is not found, also where another area has it.

use proto::order::v1::{
    CloseGroupBuyRequest, GetGroupBuyRequest, GetHouseholdRequest, GetOrderRequest,
    PlaceOrderRequest,
};
use tonic::Code;

use crate::{
    ask::{self, AREA, OTHER_AREA},
    desk::{Desk, ok, refused},
};

#[tokio::test]
async fn an_unknown_household_is_named() {
    let mut desk = Desk::start().await;
    let client = &mut desk.client;
    let unknown = (Code::NotFound, "HOUSEHOLD_UNKNOWN");
    let placed = refused(client.place_order(ask::place("r1", "H404")).await);
    placed.is(unknown.0, unknown.1, &["H404", AREA, "register it"]);
    let updated = refused(
        client
            .update_household(ask::update("r2", "H404", &[]))
            .await,
    );
    updated.is(unknown.0, unknown.1, &["H404", AREA]);
    let mut chosen = ask::hand_over("r3", "cadre-2");
    chosen.household_ids = vec!["H404".into()];
    let handed_over = refused(client.hand_over_households(chosen).await);
    handed_over.is(unknown.0, unknown.1, &["H404", AREA]);
    let get = GetHouseholdRequest {
        area: AREA.into(),
        min_position: 0,
        household_id: "H404".into(),
    };
    refused(client.get_household(get).await).is(unknown.0, unknown.1, &["H404"]);
}

#[tokio::test]
async fn an_unknown_order_is_named() {
    let mut desk = Desk::start().await;
    let client = &mut desk.client;
    let cancelled = refused(client.cancel_order(ask::cancel("r1", "O404")).await);
    cancelled.is(Code::NotFound, "ORDER_UNKNOWN", &["O404", AREA]);
    let got = refused(client.get_order(ask::get_order("O404")).await);
    got.is(Code::NotFound, "ORDER_UNKNOWN", &["O404"]);
}

#[tokio::test]
async fn an_unknown_group_buy_is_named() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let client = &mut desk.client;
    let unknown = (Code::NotFound, "GROUP_BUY_UNKNOWN");
    let joined = refused(client.place_order(ask::join("r1", "H1", "GB404")).await);
    joined.is(unknown.0, unknown.1, &["GB404", AREA]);
    let close = CloseGroupBuyRequest {
        request_id: "r2".into(),
        area: AREA.into(),
        group_buy_id: "GB404".into(),
    };
    refused(client.close_group_buy(close).await).is(unknown.0, unknown.1, &["GB404", AREA]);
    let get = GetGroupBuyRequest {
        area: AREA.into(),
        min_position: 0,
        group_buy_id: "GB404".into(),
    };
    refused(client.get_group_buy(get).await).is(unknown.0, unknown.1, &["GB404"]);
}

#[tokio::test]
async fn another_area_knows_nothing_of_them() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let client = &mut desk.client;
    let placed = ok(client.place_order(ask::place("place", "H1")).await);
    let there = PlaceOrderRequest {
        area: OTHER_AREA.into(),
        ..ask::place("r", "H1")
    };
    let refusal = refused(client.place_order(there).await);
    refusal.is(Code::NotFound, "HOUSEHOLD_UNKNOWN", &["H1", OTHER_AREA]);
    let there = GetOrderRequest {
        area: OTHER_AREA.into(),
        ..ask::get_order(&placed.order_id)
    };
    let refusal = refused(client.get_order(there).await);
    refusal.is(Code::NotFound, "ORDER_UNKNOWN", &[&placed.order_id]);
}

#[tokio::test]
async fn a_household_id_is_taken_once() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let other = proto::order::v1::RegisterHouseholdRequest {
        request_id: "other".into(),
        ..ask::register("H1")
    };
    let refusal = refused(desk.client.register_household(other).await);
    refusal.is(
        Code::AlreadyExists,
        "HOUSEHOLD_EXISTS",
        &["H1", "another id"],
    );
}
