//! The way of the goods: queued, reserved, picked, dispatched, or back on the
//! shelf.

use proto::{
    InventoryEvent,
    inventory::v1::{
        DemandState, GetDemandRequest, ListProductsRequest, Lot, Product, SpoilCause,
        SpoilStockRequest,
    },
};

use crate::store::{AREA, Store, dispatch, line, pick};

fn is_balanced(lot: &Lot) -> bool {
    let accounted =
        lot.on_hand_units + lot.reserved_units + lot.dispatched_units + lot.spoiled_units
            - lot.returned_units;
    lot.received_units == accounted
}

async fn products(store: &mut Store) -> Vec<Product> {
    let request = ListProductsRequest {
        area: AREA.into(),
        ..ListProductsRequest::default()
    };
    let answer = store.client.list_products(request).await.expect("a list");
    answer.into_inner().products
}

#[tokio::test]
async fn an_order_waits_for_goods_and_leaves_with_a_load() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.released("O1", "101", &[("flour", 6)]);
    store.queued("O1").await;
    assert_eq!(store.demand("O1").await.state(), DemandState::Queued);

    store.receive("L1", "flour", 10).await;
    assert_eq!(store.reserved("O1").await, []);
    let reserved = store.demand("O1").await;
    assert_eq!(reserved.state(), DemandState::Reserved);
    assert_eq!(reserved.lines, [line("flour", 6)]);
    assert_eq!(reserved.household_id, "household-101");
    assert_eq!(reserved.door.expect("a door").door, "101");
    let [allocation] = &reserved.allocations[..] else {
        panic!("one lot suffices: {:?}", reserved.allocations);
    };
    assert_eq!((&*allocation.lot_id, allocation.quantity_units), ("L1", 6));
    let lot = store.lot("L1").await;
    assert_eq!((lot.on_hand_units, lot.reserved_units), (4, 6));
    assert!(is_balanced(&lot));

    // 30 kg are more than one person carries.
    let picked = store.client.pick_orders(pick("pick", &["O1"])).await;
    let picked = picked.expect("picked").into_inner();
    assert_eq!(picked.bags, 2);
    let labels: Vec<_> = store.demand("O1").await.bags;
    let labels: Vec<_> = labels.into_iter().map(|bag| bag.label).collect();
    assert_eq!(labels, ["O1-1", "O1-2"]);

    let left = store
        .client
        .dispatch_orders(dispatch("load", &["O1"]))
        .await;
    let left = left.expect("dispatched").into_inner();
    assert_eq!(left.weight_grams, 30_000);
    let request = GetDemandRequest {
        area: AREA.into(),
        min_position: left.position,
        order_id: "O1".into(),
    };
    let demand = store.client.get_demand(request).await.expect("a demand");
    let demand = demand.into_inner();
    assert!(demand.as_of_position >= left.position);
    assert_eq!(
        demand.demand.expect("a demand").state(),
        DemandState::Dispatched
    );
    let lot = store.lot("L1").await;
    assert_eq!((lot.reserved_units, lot.dispatched_units), (0, 6));
    assert!(is_balanced(&lot));
    let [flour] = &products(&mut store).await[..] else {
        panic!("one product is defined");
    };
    assert_eq!((flour.on_hand_units, flour.dispatched_units), (4, 6));
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_the_first_time_even_in_another_life() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.receive("L1", "flour", 10).await;
    store.released("O1", "101", &[("flour", 6)]);
    store.released("O2", "102", &[("flour", 1)]);
    store.reserved("O2").await;

    let orders = ["O1", "O2"];
    let picked = store.client.pick_orders(pick("pick", &orders)).await;
    let picked = picked.expect("picked").into_inner();
    let left = store
        .client
        .dispatch_orders(dispatch("load", &orders))
        .await;
    let left = left.expect("dispatched").into_inner();
    assert_eq!((picked.bags, left.weight_grams), (3, 35_000));

    for life in ["first", "second"] {
        let again = store.client.pick_orders(pick("pick", &orders)).await;
        assert_eq!(again.expect(life).into_inner(), picked, "{life} life");
        let again = store
            .client
            .dispatch_orders(dispatch("load", &orders))
            .await;
        assert_eq!(again.expect(life).into_inner(), left, "{life} life");
        store.start_again().await;
    }
    assert_eq!(store.lot("L1").await.dispatched_units, 7);
}

#[tokio::test]
async fn what_is_already_so_is_no_work_and_no_mistake() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.receive("L1", "flour", 1).await;
    store.released("O1", "101", &[("flour", 1)]);
    store.reserved("O1").await;
    let pick_with = |request_id| pick(request_id, &["O1"]);
    let load_with = |request_id| dispatch(request_id, &["O1"]);

    let first = store.client.pick_orders(pick_with("r1")).await;
    assert_eq!(first.expect("picked").into_inner().bags, 1);
    let second = store.client.pick_orders(pick_with("r2")).await;
    assert_eq!(second.expect("picked before").into_inner().bags, 0);
    let first = store.client.dispatch_orders(load_with("r3")).await;
    assert_eq!(first.expect("dispatched").into_inner().weight_grams, 5_000);
    let second = store.client.dispatch_orders(load_with("r4")).await;
    let second = second.expect("dispatched before").into_inner();
    assert_eq!(second.weight_grams, 0);
}

#[tokio::test]
async fn goods_of_a_cancelled_order_are_there_for_others() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.receive("L1", "flour", 6).await;
    store.released("O1", "101", &[("flour", 6)]);
    store.reserved("O1").await;
    store.released("O2", "102", &[("flour", 4)]);
    store.queued("O2").await;

    store.cancelled("O1");
    assert_eq!(store.reserved("O2").await, []);
    assert_eq!(store.demand("O1").await.state(), DemandState::Released);
    let lot = store.lot("L1").await;
    assert_eq!((lot.on_hand_units, lot.reserved_units), (2, 4));
}

#[tokio::test]
async fn an_order_for_something_unknown_is_rejected() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.released("O1", "101", &[("flour", 1), ("saffron", 1)]);
    assert_eq!(store.rejected("O1").await, "PRODUCT_UNKNOWN");
    assert_eq!(store.demand("O1").await.state(), DemandState::Rejected);
}

#[tokio::test]
async fn spoiled_units_are_off_the_shelf_but_in_the_books() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.receive("L1", "flour", 10).await;
    let request = SpoilStockRequest {
        request_id: "spoil".into(),
        area: AREA.into(),
        lot_id: "L1".into(),
        quantity_units: 4,
        reason: "got wet".into(),
        cause: SpoilCause::Damaged.into(),
    };
    let spoiled = store.client.spoil_stock(request).await;
    spoiled.expect("spoiled");
    let why = store
        .recorded(|event| match event {
            InventoryEvent::StockSpoiled(e) => Some((e.cause(), e.note.clone())),
            _ => None,
        })
        .await;
    assert_eq!(why, (SpoilCause::Damaged, "got wet".into()));
    let lot = store.lot("L1").await;
    assert_eq!((lot.on_hand_units, lot.spoiled_units), (6, 4));
    assert_eq!(lot.revision, 2);
    assert!(is_balanced(&lot));
}
