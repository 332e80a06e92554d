//! Lists come in pages; a token belongs to its list with its filters.

use proto::inventory::v1::{DemandState, ListDemandsRequest, ListLotsRequest, ListProductsRequest};
use tonic::Code;

use crate::{
    refusals::{expected, fields, refusal},
    store::{AREA, OTHER_AREA, Store},
};

#[tokio::test]
async fn demands_are_listed_as_people_walk() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.receive("L1", "flour", 2).await;
    for (order, door) in [("O1", "10"), ("O2", "9"), ("O3", "101"), ("O4", "2")] {
        store.released(order, door, &[("flour", 1)]);
    }
    store.queued("O4").await;
    let all = ListDemandsRequest {
        area: AREA.into(),
        page_size: 3,
        ..ListDemandsRequest::default()
    };
    let first = store.client.list_demands(all.clone()).await;
    let first = first.expect("a page").into_inner();
    let next = ListDemandsRequest {
        page_token: first.next_page_token,
        ..all.clone()
    };
    let second = store.client.list_demands(next.clone()).await;
    let second = second.expect("a page").into_inner();
    assert_eq!(second.next_page_token, "");
    let pages = first.demands.iter().chain(&second.demands);
    let seen: Vec<_> = pages.map(|demand| demand.order_id.as_str()).collect();
    assert_eq!(seen, ["O4", "O2", "O1", "O3"]);

    let queued = ListDemandsRequest {
        state: DemandState::Queued.into(),
        ..all.clone()
    };
    let queued = store.client.list_demands(queued).await.expect("a list");
    let queued = queued.into_inner().demands;
    let queued: Vec<_> = queued.iter().map(|d| d.order_id.as_str()).collect();
    assert_eq!(queued, ["O4", "O3"]);

    for wrong in [
        ListDemandsRequest {
            state: DemandState::Reserved.into(),
            ..next.clone()
        },
        ListDemandsRequest {
            area: OTHER_AREA.into(),
            ..next.clone()
        },
        ListDemandsRequest {
            page_token: "nonsense".into(),
            ..all.clone()
        },
    ] {
        assert_eq!(
            refusal(store.client.list_demands(wrong).await),
            expected(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
        );
    }
    let negative = ListDemandsRequest {
        page_size: -1,
        ..all.clone()
    };
    assert_eq!(
        refusal(store.client.list_demands(negative).await),
        expected(Code::InvalidArgument, "PAGE_SIZE_NEGATIVE")
    );
    let unknown = ListDemandsRequest { state: 99, ..all };
    assert_eq!(fields(store.client.list_demands(unknown).await), ["state"]);
}

#[tokio::test]
async fn lots_are_listed_by_id_of_one_product_or_of_all() {
    let mut store = Store::start().await;
    store.define("flour", 5_000).await;
    store.define("oil", 2_500).await;
    for (lot, product) in [("L3", "flour"), ("L1", "oil"), ("L2", "flour")] {
        store.receive(lot, product, 1).await;
    }
    let all = ListLotsRequest {
        area: AREA.into(),
        page_size: 2,
        ..ListLotsRequest::default()
    };
    let first = store.client.list_lots(all.clone()).await;
    let first = first.expect("a page").into_inner();
    let next = ListLotsRequest {
        page_token: first.next_page_token,
        ..all.clone()
    };
    let second = store.client.list_lots(next.clone()).await;
    let second = second.expect("a page").into_inner();
    let pages = first.lots.iter().chain(&second.lots);
    let seen: Vec<_> = pages.map(|lot| lot.lot_id.as_str()).collect();
    assert_eq!(seen, ["L1", "L2", "L3"]);
    assert_eq!(second.next_page_token, "");

    let flour = ListLotsRequest {
        product_id: "flour".into(),
        ..all.clone()
    };
    let flour = store.client.list_lots(flour).await.expect("a list");
    let flour = flour.into_inner().lots;
    let flour: Vec<_> = flour.iter().map(|lot| lot.lot_id.as_str()).collect();
    assert_eq!(flour, ["L2", "L3"]);

    // A token of the lots is none of the products.
    let products = ListProductsRequest {
        area: AREA.into(),
        page_token: next.page_token.clone(),
        ..ListProductsRequest::default()
    };
    let invalid = expected(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    assert_eq!(refusal(store.client.list_products(products).await), invalid);
    let other_filter = ListLotsRequest {
        product_id: "flour".into(),
        ..next
    };
    assert_eq!(refusal(store.client.list_lots(other_filter).await), invalid);
    let no_code = ListLotsRequest {
        product_id: "a/b".into(),
        ..all
    };
    assert_eq!(
        fields(store.client.list_lots(no_code).await),
        ["product_id"]
    );
}
