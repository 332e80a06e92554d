//! Who may join a group buy, and when.

use decider::spec::START;
use proto::{
    order::v1::{
        CloseGroupBuyRequest, GetGroupBuyRequest, GroupBuyState, Offer, OpenGroupBuyRequest,
        PlaceOrderRequest, RegisterHouseholdRequest,
    },
    time::to_proto,
};
use tonic::Code;

use crate::{
    ask::{self, AREA, line},
    desk::{Desk, ok, refused},
};

async fn open(desk: &mut Desk, request: OpenGroupBuyRequest) -> String {
    ok(desk.client.open_group_buy(request).await).group_buy_id
}

#[tokio::test]
async fn a_closed_group_buy_says_since_when_and_what_to_do_instead() {
    let mut desk = Desk::with_households(&["H1", "H2"]).await;
    let id = open(&mut desk, ask::open_group_buy("open")).await;
    ok(desk.client.place_order(ask::join("r1", "H1", &id)).await);
    desk.advance_to_minute(120).await;
    let late = refused(desk.client.place_order(ask::join("r2", "H2", &id)).await);
    late.is(
        Code::FailedPrecondition,
        "GROUP_BUY_CLOSED",
        &[
            &id,
            "SUCCEEDED",
            "2022-09-02T02:00:00Z",
            "order by telephone",
        ],
    );
    let get = GetGroupBuyRequest {
        area: AREA.into(),
        min_position: 0,
        group_buy_id: id,
    };
    let group_buy = ok(desk.client.get_group_buy(get).await).group_buy;
    let group_buy = group_buy.expect("a group buy");
    assert_eq!(group_buy.state(), GroupBuyState::Succeeded);
    assert_eq!(group_buy.households, 1);
}

#[tokio::test]
async fn the_organizer_and_the_cap_close_it_too() {
    let mut desk = Desk::with_households(&["H1", "H2"]).await;
    let id = open(&mut desk, ask::open_group_buy("open-1")).await;
    let close = CloseGroupBuyRequest {
        request_id: "close".into(),
        area: AREA.into(),
        group_buy_id: id.clone(),
    };
    let closed = ok(desk.client.close_group_buy(close).await);
    assert_eq!(closed.state(), GroupBuyState::Failed);
    let late = refused(desk.client.place_order(ask::join("r1", "H1", &id)).await);
    late.is(
        Code::FailedPrecondition,
        "GROUP_BUY_CLOSED",
        &[&id, "FAILED"],
    );

    let capped = OpenGroupBuyRequest {
        cap_households: 1,
        ..ask::open_group_buy("open-2")
    };
    let id = open(&mut desk, capped).await;
    ok(desk.client.place_order(ask::join("r2", "H1", &id)).await);
    let late = refused(desk.client.place_order(ask::join("r3", "H2", &id)).await);
    late.is(
        Code::FailedPrecondition,
        "GROUP_BUY_CLOSED",
        &[&id, "SUCCEEDED"],
    );
}

#[tokio::test]
async fn a_group_buy_that_is_not_yet_open_says_when_it_opens() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let later = OpenGroupBuyRequest {
        opens_time: Some(to_proto(START.plus_minutes(30))),
        ..ask::open_group_buy("open")
    };
    let id = open(&mut desk, later).await;
    let early = refused(desk.client.place_order(ask::join("r1", "H1", &id)).await);
    early.is(
        Code::FailedPrecondition,
        "GROUP_BUY_NOT_YET_OPEN",
        &[&id, "2022-09-02T00:30:00Z"],
    );
    // A refusal uses no request id up.
    desk.advance_to_minute(30).await;
    ok(desk.client.place_order(ask::join("r1", "H1", &id)).await);
}

#[tokio::test]
async fn a_household_out_of_its_zone_is_told_the_zone() {
    let mut desk = Desk::start().await;
    let elsewhere = RegisterHouseholdRequest {
        door: Some(ask::door("G02", "101")),
        ..ask::register("H1")
    };
    ok(desk.client.register_household(elsewhere).await);
    let id = open(&mut desk, ask::open_group_buy("open")).await;
    let refusal = refused(desk.client.place_order(ask::join("r1", "H1", &id)).await);
    refusal.is(
        Code::FailedPrecondition,
        "OUTSIDE_ZONE",
        &["H1", &id, "`zhichaka`", "`G01`"],
    );
}

#[tokio::test]
async fn an_order_keeps_to_what_is_offered_and_to_its_limit() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let id = open(&mut desk, ask::open_group_buy("open")).await;
    let mut place = async |request_id: &str, product_id: &str, units| {
        let order = PlaceOrderRequest {
            lines: vec![line(product_id, units)],
            ..ask::join(request_id, "H1", &id)
        };
        desk.client.place_order(order).await
    };
    let much = refused(place("r1", "pork", 11).await);
    much.is(
        Code::OutOfRange,
        "LIMIT_EXCEEDED",
        &["11 units of pork", "limit of 10", &id],
    );
    let other = refused(place("r2", "flour", 1).await);
    other.is(
        Code::InvalidArgument,
        "PRODUCT_NOT_OFFERED",
        &["flour", &id],
    );
    let order_id = ok(place("r3", "pork", 10).await).order_id;
    let twice = refused(place("r4", "pork", 1).await);
    twice.is(
        Code::AlreadyExists,
        "ALREADY_JOINED",
        &["H1", &id, &order_id],
    );
}

#[tokio::test]
async fn a_group_buy_is_opened_with_a_sensible_window_and_sensible_numbers() {
    let mut desk = Desk::start().await;
    let mut open = async |request| refused(desk.client.open_group_buy(request).await);
    let reversed = OpenGroupBuyRequest {
        opens_time: Some(to_proto(START.plus_minutes(121))),
        ..ask::open_group_buy("r")
    };
    open(reversed).await.is(
        Code::InvalidArgument,
        "GROUP_BUY_WINDOW_INVALID",
        &["2022-09-02T02:01:00Z", "2022-09-02T02:00:00Z"],
    );
    let small_cap = OpenGroupBuyRequest {
        minimum_households: 20,
        cap_households: 19,
        ..ask::open_group_buy("r")
    };
    open(small_cap)
        .await
        .is(Code::InvalidArgument, "CAP_BELOW_MINIMUM", &["19", "20"]);
    let offer = |product_id: &str, price_fen, limit_per_household_units| Offer {
        product_id: product_id.into(),
        price_fen,
        limit_per_household_units,
    };
    let wrong = OpenGroupBuyRequest {
        title: String::new(),
        offers: vec![offer("pork", -1, 1), offer("pork", 1, 1001)],
        minimum_households: 0,
        cap_households: -3,
        closes_time: None,
        tolerance_percent: 101,
        ..ask::open_group_buy("r")
    };
    open(wrong).await.is_for(
        &[
            "offers[0].price_fen",
            "offers[1].product_id",
            "offers[1].limit_per_household_units",
            "minimum_households",
            "cap_households",
            "tolerance_percent",
            "title",
            "closes_time",
        ],
        &["-1", "`pork`", "1001", "-3", "101"],
    );
}
