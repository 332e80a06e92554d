//! What must be bought, and what happens when buying is over.

use proto::inventory::v1::{
    CloseProcurementRequest, GetProcurementNeedRequest, GetProcurementNeedResponse,
    OpenProcurementRequest, ProcurementLine,
};

use crate::store::{AREA, Store, line};

async fn need(store: &mut Store) -> GetProcurementNeedResponse {
    let request = GetProcurementNeedRequest {
        area: AREA.into(),
        ..GetProcurementNeedRequest::default()
    };
    let answer = store.client.get_procurement_need(request).await;
    answer.expect("a need").into_inner()
}

async fn close(store: &mut Store, request_id: &str) -> i64 {
    let request = CloseProcurementRequest {
        request_id: request_id.into(),
        area: AREA.into(),
    };
    let answer = store.client.close_procurement(request).await;
    answer.expect("closed").into_inner().queued_orders
}

#[tokio::test]
async fn the_need_is_what_the_queue_lacks() {
    let mut store = Store::start().await;
    assert_eq!(need(&mut store).await.lines, []);
    store.define("flour", 5_000).await;
    store.define("oil", 2_500).await;
    store.receive("L1", "oil", 1).await;
    store.released("O1", "101", &[("flour", 4), ("oil", 2)]);
    store.released("O2", "102", &[("flour", 3)]);
    store.queued("O2").await;

    let before = need(&mut store).await;
    assert_eq!(before.queued_orders, 2);
    let flour = ProcurementLine {
        product_id: "flour".into(),
        demanded_units: 7,
        on_hand_units: 0,
        to_buy_units: 7,
        to_buy_grams: 35_000,
    };
    let oil = ProcurementLine {
        product_id: "oil".into(),
        demanded_units: 2,
        on_hand_units: 1,
        to_buy_units: 1,
        to_buy_grams: 2_500,
    };
    assert_eq!(before.lines, [flour, oil]);

    store.receive("L2", "flour", 7).await;
    store.receive("L3", "oil", 1).await;
    store.reserved("O1").await;
    store.reserved("O2").await;
    let after = need(&mut store).await;
    assert_eq!((after.lines, after.queued_orders), (vec![], 0));
    assert!(after.as_of_position > before.as_of_position);
}

#[tokio::test]
async fn when_buying_is_over_everybody_gets_what_there_is() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.receive("L1", "flour", 7).await;
    store.released("O1", "101", &[("flour", 5)]);
    store.released("O2", "102", &[("flour", 5)]);
    store.released("O3", "103", &[("flour", 5)]);
    store.queued("O3").await;

    assert_eq!(close(&mut store, "close").await, 2);
    assert_eq!(store.reserved("O2").await, [line("flour", 3)]);
    assert_eq!(store.rejected("O3").await, "OUT_OF_STOCK");
    assert_eq!(store.demand("O2").await.short, [line("flour", 3)]);
    assert_eq!(
        close(&mut store, "close").await,
        2,
        "the first answer again"
    );
    assert_eq!(close(&mut store, "close-2").await, 0, "it was closed");

    let open = OpenProcurementRequest {
        request_id: "open".into(),
        area: AREA.into(),
    };
    let opened = store.client.open_procurement(open).await.expect("open");
    assert!(opened.into_inner().position > 0);
    store.released("O4", "104", &[("flour", 1)]);
    store.queued("O4").await;
    assert_eq!(need(&mut store).await.queued_orders, 1);
}
