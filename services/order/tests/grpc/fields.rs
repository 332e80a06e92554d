//! Malformed requests: every wrong field is named, with the value that is
//! wrong with it, except where that is personal.

use proto::{
    order::v1::{
        ActivateContingencyRequest, CancelOrderRequest, Channel, CloseGroupBuyRequest, Contact,
        EndContingencyRequest, GetContingencyRequest, GetCoverageRequest, GetGroupBuyRequest,
        GetHouseholdRequest, GetOrderRequest, HandOverHouseholdsRequest, ListGroupBuysRequest,
        ListHouseholdsRequest, ListMissedHouseholdsRequest, ListOrdersRequest, OpenGroupBuyRequest,
        PlaceOrderRequest, RegisterHouseholdRequest, UpdateHouseholdRequest,
    },
    types::v1::Need,
};
use tonic::Request;

use crate::{
    ask::{self, AREA, line},
    desk::{Desk, refused},
};

/// The refusals of all changes that say nothing but this.
macro_rules! refusals_of_changes {
    ($client:expr, $request_id:expr, $area:expr) => {
        refusals_of_changes!(@ $client, $request_id, $area,
            activate_contingency: ActivateContingencyRequest,
            end_contingency: EndContingencyRequest,
            register_household: RegisterHouseholdRequest,
            update_household: UpdateHouseholdRequest,
            hand_over_households: HandOverHouseholdsRequest,
            open_group_buy: OpenGroupBuyRequest,
            close_group_buy: CloseGroupBuyRequest,
            place_order: PlaceOrderRequest,
            cancel_order: CancelOrderRequest,
        )
    };
    (@ $client:expr, $request_id:expr, $area:expr, $($method:ident: $request:ident,)+) => {
        [$((stringify!($method), {
            let request = $request {
                request_id: $request_id.to_owned(),
                area: $area.to_owned(),
                ..$request::default()
            };
            refused($client.$method(request).await)
        })),+]
    };
}

/// The refusals of all queries that say nothing but this.
macro_rules! refusals_of_queries {
    ($client:expr, $area:expr) => {
        refusals_of_queries!(@ $client, $area,
            get_contingency: GetContingencyRequest,
            get_household: GetHouseholdRequest,
            list_households: ListHouseholdsRequest,
            get_group_buy: GetGroupBuyRequest,
            list_group_buys: ListGroupBuysRequest,
            get_order: GetOrderRequest,
            list_orders: ListOrdersRequest,
            get_coverage: GetCoverageRequest,
            list_missed_households: ListMissedHouseholdsRequest,
        )
    };
    (@ $client:expr, $area:expr, $($method:ident: $request:ident,)+) => {
        [$((stringify!($method), {
            let request = $request {
                area: $area.to_owned(),
                ..$request::default()
            };
            refused($client.$method(request).await)
        })),+]
    };
}

#[tokio::test]
#[allow(clippy::needless_update)] // One request has no other fields.
async fn every_change_needs_a_request_id() {
    let mut desk = Desk::start().await;
    let client = &mut desk.client;
    for (method, refused) in refusals_of_changes!(client, "", AREA) {
        println!("{method}");
        refused.is_for(&["request_id"], &["1 to 64 characters"]);
    }
    let long = "r".repeat(65);
    for id in ["two words", "a/b", "编号", &long] {
        let malformed = PlaceOrderRequest {
            request_id: id.into(),
            ..ask::place("", "H1")
        };
        let shown: String = id.chars().take(40).collect();
        refused(client.place_order(malformed).await).is_for(&["request_id"], &[&shown]);
    }
}

#[tokio::test]
#[allow(clippy::needless_update)] // One request has no other fields.
async fn every_request_needs_an_area_of_nine_digits() {
    let mut desk = Desk::start().await;
    let client = &mut desk.client;
    for area in [
        "",
        "63272510",
        "6327251000",
        "63272510x",
        "６３２７２５１００",
    ] {
        let of_changes = refusals_of_changes!(client, "r", area);
        let of_queries = refusals_of_queries!(client, area);
        for (method, refused) in of_changes.into_iter().chain(of_queries) {
            println!("{method}");
            refused.is_for(&["area"], &[&format!("`{area}`"), "9 digits"]);
        }
    }
}

#[tokio::test]
async fn a_caller_says_who_it_is_in_words_that_are_known() {
    let mut desk = Desk::start().await;
    for (key, value) in [
        ("baogong-role", "emperor"),
        ("baogong-role", "system"),
        ("baogong-actor", "not an id"),
    ] {
        let mut request = Request::new(ask::place("r", "H1"));
        let value = value.parse().expect("ASCII");
        request.metadata_mut().insert(key, value);
        let refused = refused(desk.client.place_order(request).await);
        refused.is_for(&[&format!("metadata {key}")], &[]);
    }
}

#[tokio::test]
async fn an_unknown_value_of_a_choice_is_refused_and_not_guessed() {
    let mut desk = Desk::start().await;
    let client = &mut desk.client;
    for unknown in [-1, 5, 99, i32::MAX] {
        let named = unknown.to_string();
        let order = PlaceOrderRequest {
            channel: unknown,
            ..ask::place("r", "H1")
        };
        refused(client.place_order(order).await).is_for(&["channel"], &[&named]);
        let household = RegisterHouseholdRequest {
            needs: vec![Need::Elderly.into(), unknown],
            ..ask::register("H1")
        };
        refused(client.register_household(household).await).is_for(&["needs"], &[&named]);
        let mut update = ask::update("r", "H1", &[]);
        update.needs.get_or_insert_default().needs.push(unknown);
        refused(client.update_household(update).await).is_for(&["needs.needs"], &[&named]);
        let group_buys = ListGroupBuysRequest {
            area: AREA.into(),
            state: unknown,
            ..ListGroupBuysRequest::default()
        };
        refused(client.list_group_buys(group_buys).await).is_for(&["state"], &[&named]);
    }
    let orders = ListOrdersRequest {
        area: AREA.into(),
        state: 13,
        ..ListOrdersRequest::default()
    };
    refused(client.list_orders(orders).await).is_for(&["state"], &["13"]);
    let unspecified = PlaceOrderRequest {
        channel: Channel::Unspecified.into(),
        ..ask::place("r", "H1")
    };
    refused(client.place_order(unspecified).await).is_for(&["channel"], &["is needed"]);
}

#[tokio::test]
async fn an_order_is_for_sensible_quantities_of_different_things() {
    let mut desk = Desk::start().await;
    let mut place = async |lines| {
        let order = PlaceOrderRequest {
            lines,
            ..ask::place("r", "H1")
        };
        refused(desk.client.place_order(order).await)
    };
    for units in [i64::MIN, -1, 0, 1001, i64::MAX] {
        let refused = place(vec![line("oil", 1), line("flour", units)]).await;
        refused.is_for(
            &["lines[1].quantity_units"],
            &[&units.to_string(), "1 to 1000"],
        );
    }
    let twice = vec![line("flour", 1), line("oil", 1), line("flour", 2)];
    place(twice)
        .await
        .is_for(&["lines[2].product_id"], &["`flour`", "twice"]);
    place(vec![])
        .await
        .is_for(&["lines"], &["0 entries", "1 to 50"]);
    let many = (0..51).map(|n| line(&format!("P{n}"), 1)).collect();
    place(many)
        .await
        .is_for(&["lines"], &["51 entries", "1 to 50"]);
    let nameless = vec![line("", 1), line("a/b", 1)];
    place(nameless)
        .await
        .is_for(&["lines[0].product_id", "lines[1].product_id"], &["a/b"]);
}

#[tokio::test]
async fn an_order_says_for_whom_and_how_it_came_in() {
    let mut desk = Desk::start().await;
    let client = &mut desk.client;
    let for_nobody = ask::place("r", "");
    refused(client.place_order(for_nobody).await).is_for(&["household_id"], &["is needed"]);
    let for_a_name = ask::place("r", "Mrs. Wang");
    refused(client.place_order(for_a_name).await).is_for(&["household_id"], &["Mrs. Wang"]);
    for channel in [Channel::Phone, Channel::Door] {
        let by_nobody = PlaceOrderRequest {
            channel: channel.into(),
            placed_by: String::new(),
            ..ask::place("r", "H1")
        };
        refused(client.place_order(by_nobody).await).is_for(&["placed_by"], &["is needed"]);
    }
    let without = ask::join("r", "H1", "");
    refused(client.place_order(without).await).is_for(&["group_buy_id"], &["is needed"]);
    let with = PlaceOrderRequest {
        group_buy_id: "01GBY".into(),
        ..ask::place("r", "H1")
    };
    refused(client.place_order(with).await).is_for(&["group_buy_id"], &["CHANNEL_GROUP_BUY"]);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_household_is_told_at_once_but_nothing_personal() {
    let mut desk = Desk::start().await;
    let client = &mut desk.client;
    let (phone, email) = ("139-PLANTED-77", "planted.example");
    let wrong = RegisterHouseholdRequest {
        household_id: String::new(),
        contact: Some(Contact {
            name: String::new(),
            phone: phone.into(),
            address: "路".repeat(301),
            email: email.into(),
        }),
        cadre_id: "a cadre".into(),
        language: "xx".into(),
        people: 51,
        ..ask::register("H1")
    };
    let refusal = refused(client.register_household(wrong).await);
    refusal.is_for(
        &[
            "household_id",
            "contact.phone",
            "contact.email",
            "contact.name",
            "contact.address",
            "cadre_id",
            "language",
            "people",
        ],
        &["a cadre", "`xx`", "51", "301 characters"],
    );
    for personal in [phone, email, "路路"] {
        assert!(!refusal.message.contains(personal), "{refusal:?}");
    }
    let homeless = RegisterHouseholdRequest {
        door: None,
        contact: None,
        ..ask::register("H1")
    };
    refused(client.register_household(homeless).await).is_for(&["door", "contact"], &[]);
    let unchanged = UpdateHouseholdRequest {
        needs: None,
        ..ask::update("r", "H1", &[])
    };
    refused(client.update_household(unchanged).await)
        .is_for(&["contact"], &["nothing would change"]);
}
