//! Requests that cannot be carried out are refused with a code and words that
//! say what to do.

use decider::spec::START;
use proto::{
    inventory::v1::{
        DefineProductRequest, DispatchOrdersRequest, GetDemandRequest, GetLotRequest,
        ReceiveLotRequest, SpoilCause, SpoilStockRequest,
    },
    time::to_proto,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::store::{AREA, OTHER_AREA, Store, dispatch, lot, pick, product};

/// The fields that are complained about; a refusal for another reason has none.
pub fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    let status = answer.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let violations = status.get_details_bad_request().map(|b| b.field_violations);
    let violations = violations.unwrap_or_default();
    violations.into_iter().map(|v| v.field).collect()
}

pub fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("refused");
    let info = status.get_details_error_info().expect("a reason");
    assert_eq!(info.domain, "inventory.baogong");
    (status.code(), info.reason)
}

pub fn expected(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

fn spoil(lot_id: &str, units: i64) -> SpoilStockRequest {
    SpoilStockRequest {
        request_id: format!("spoil-{lot_id}-{units}"),
        area: AREA.into(),
        lot_id: lot_id.into(),
        quantity_units: units,
        reason: "got wet".into(),
        cause: 0,
    }
}

#[tokio::test]
async fn every_malformed_field_is_named() {
    let mut store = Store::start().await;
    let client = &mut store.client;
    let no_id = DefineProductRequest {
        request_id: String::new(),
        ..product("flour", 5_000)
    };
    assert_eq!(fields(client.define_product(no_id).await), ["request_id"]);
    let elsewhere = DefineProductRequest {
        area: "here".into(),
        ..product("flour", 5_000)
    };
    assert_eq!(fields(client.define_product(elsewhere).await), ["area"]);
    let nameless = DefineProductRequest {
        name: String::new(),
        ..product("", 5_000)
    };
    assert_eq!(
        fields(client.define_product(nameless).await),
        ["product_id", "name"]
    );
    for category in [0, -1, 99] {
        let unknown = DefineProductRequest {
            category,
            ..product("flour", 5_000)
        };
        assert_eq!(fields(client.define_product(unknown).await), ["category"]);
    }
    for grams in [i64::MIN, -1, 0, 1_000_001, i64::MAX] {
        let answer = client.define_product(product("flour", grams)).await;
        assert_eq!(fields(answer), ["unit_grams"], "{grams} g");
    }
    for units in [i64::MIN, -1, 0, 10_000_001, i64::MAX] {
        let answer = client.receive_lot(lot("L1", "flour", units)).await;
        assert_eq!(fields(answer), ["quantity_units"], "{units} units");
        let answer = client.spoil_stock(spoil("L1", units)).await;
        assert_eq!(fields(answer), ["quantity_units"], "{units} units");
    }
    let bare = ReceiveLotRequest {
        supplier_id: String::new(),
        expires_time: Some(to_proto(decider::Timestamp(-1))),
        location: "仓".repeat(101),
        ..lot("", "", 1)
    };
    assert_eq!(
        fields(client.receive_lot(bare).await),
        [
            "lot_id",
            "product_id",
            "supplier_id",
            "expires_time",
            "location"
        ]
    );
    let no_reason = SpoilStockRequest {
        reason: String::new(),
        ..spoil("L1", 1)
    };
    assert_eq!(fields(client.spoil_stock(no_reason).await), ["reason"]);
    let other_without_words = SpoilStockRequest {
        cause: SpoilCause::Other.into(),
        reason: String::new(),
        ..spoil("L1", 1)
    };
    assert_eq!(
        fields(client.spoil_stock(other_without_words).await),
        ["reason"]
    );
    let unknown_cause = SpoilStockRequest {
        cause: 99,
        ..spoil("L1", 1)
    };
    assert_eq!(fields(client.spoil_stock(unknown_cause).await), ["cause"]);
}

#[tokio::test]
async fn one_to_fifty_orders_go_at_once() {
    let mut store = Store::start().await;
    let client = &mut store.client;
    let none = client.pick_orders(pick("r", &[])).await;
    assert_eq!(fields(none), ["order_ids"]);
    let many = client.pick_orders(pick("r", &["O1"; 51])).await;
    assert_eq!(fields(many), ["order_ids"]);
    let nameless = client.pick_orders(pick("r", &["O1", ""])).await;
    assert_eq!(fields(nameless), ["order_ids[1]"]);
    let nowhere = DispatchOrdersRequest {
        load_id: String::new(),
        checkpoint_id: "/".into(),
        custodian_id: String::new(),
        ..dispatch("r", &["O1"])
    };
    assert_eq!(
        fields(client.dispatch_orders(nowhere).await),
        ["load_id", "checkpoint_id", "custodian_id"]
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let mut store = Store::start().await;
    let client = &mut store.client;
    let answer = client.receive_lot(lot("L1", "flour", 1)).await;
    assert_eq!(refusal(answer), expected(Code::NotFound, "PRODUCT_UNKNOWN"));
    let no_lot = expected(Code::NotFound, "LOT_UNKNOWN");
    assert_eq!(refusal(client.spoil_stock(spoil("L1", 1)).await), no_lot);
    let get = GetLotRequest {
        area: AREA.into(),
        lot_id: "L1".into(),
        ..GetLotRequest::default()
    };
    assert_eq!(refusal(client.get_lot(get).await), no_lot);
    let no_order = expected(Code::NotFound, "DEMAND_UNKNOWN");
    let picked = client.pick_orders(pick("r1", &["O1"])).await;
    assert_eq!(refusal(picked), no_order);
    let left = client.dispatch_orders(dispatch("r2", &["O1"])).await;
    assert_eq!(refusal(left), no_order);
    let get = GetDemandRequest {
        area: AREA.into(),
        order_id: "O1".into(),
        ..GetDemandRequest::default()
    };
    assert_eq!(refusal(client.get_demand(get.clone()).await), no_order);
    let nothing = GetDemandRequest {
        order_id: String::new(),
        ..get
    };
    assert_eq!(fields(client.get_demand(nothing).await), ["order_id"]);
}

#[tokio::test]
async fn another_area_has_goods_of_its_own() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.receive("L1", "flour", 1).await;
    let get = GetLotRequest {
        area: OTHER_AREA.into(),
        lot_id: "L1".into(),
        ..GetLotRequest::default()
    };
    let answer = store.client.get_lot(get).await;
    assert_eq!(refusal(answer), expected(Code::NotFound, "LOT_UNKNOWN"));
    let there = ReceiveLotRequest {
        request_id: "r1".into(),
        area: OTHER_AREA.into(),
        ..lot("L2", "flour", 1)
    };
    let answer = store.client.receive_lot(there).await;
    assert_eq!(refusal(answer), expected(Code::NotFound, "PRODUCT_UNKNOWN"));
}

#[tokio::test]
async fn a_request_id_stands_for_one_request() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    let first = store.client.receive_lot(lot("L1", "flour", 10)).await;
    let first = first.expect("received").into_inner();
    let again = store.client.receive_lot(lot("L1", "flour", 10)).await;
    assert_eq!(again.expect("the first answer").into_inner(), first);
    let other = store.client.receive_lot(lot("L1", "flour", 11)).await;
    assert_eq!(
        refusal(other),
        expected(Code::AlreadyExists, "REQUEST_ID_REUSED")
    );
    assert_eq!(store.lot("L1").await.received_units, 10);
}

#[tokio::test]
async fn an_id_stands_for_one_thing() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.receive("L1", "flour", 10).await;
    let heavier = DefineProductRequest {
        request_id: "r1".into(),
        ..product("flour", 10_000)
    };
    assert_eq!(
        refusal(store.client.define_product(heavier).await),
        expected(Code::AlreadyExists, "PRODUCT_EXISTS")
    );
    let larger = ReceiveLotRequest {
        request_id: "r2".into(),
        ..lot("L1", "flour", 11)
    };
    assert_eq!(
        refusal(store.client.receive_lot(larger).await),
        expected(Code::AlreadyExists, "LOT_EXISTS")
    );
}

#[tokio::test]
async fn steps_are_taken_in_their_order() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.released("O1", "101", &[("flour", 1)]);
    store.queued("O1").await;
    let too_early = store.client.pick_orders(pick("r1", &["O1"])).await;
    assert_eq!(
        refusal(too_early),
        expected(Code::FailedPrecondition, "NOT_RESERVED")
    );
    store.receive("L1", "flour", 2).await;
    store.reserved("O1").await;
    let not_picked = store.client.dispatch_orders(dispatch("r2", &["O1"])).await;
    assert_eq!(
        refusal(not_picked),
        expected(Code::FailedPrecondition, "NOT_PICKED")
    );
    // All or none: O1 could be picked.
    let with_unknown = store.client.pick_orders(pick("r3", &["O1", "O9"])).await;
    assert_eq!(
        refusal(with_unknown),
        expected(Code::NotFound, "DEMAND_UNKNOWN")
    );
    let picked = store.client.pick_orders(pick("r4", &["O1"])).await;
    assert_eq!(picked.expect("picked").into_inner().bags, 1);
    let left = store.client.dispatch_orders(dispatch("r5", &["O1"])).await;
    left.expect("dispatched");
    let other_load = DispatchOrdersRequest {
        load_id: "load-2".into(),
        ..dispatch("r6", &["O1"])
    };
    let answer = store.client.dispatch_orders(other_load).await;
    assert_eq!(
        refusal(answer),
        expected(Code::FailedPrecondition, "ALREADY_DISPATCHED")
    );
    let answer = store.client.spoil_stock(spoil("L1", 2)).await;
    assert_eq!(
        refusal(answer),
        expected(Code::FailedPrecondition, "INSUFFICIENT_ON_HAND")
    );
    let expired = ReceiveLotRequest {
        expires_time: Some(to_proto(START)),
        ..lot("L2", "flour", 1)
    };
    let answer = store.client.receive_lot(expired).await;
    assert_eq!(
        refusal(answer),
        expected(Code::FailedPrecondition, "LOT_EXPIRED")
    );
}
