//! A cancelled order is called back by inventory; the parcel's own order of
//! facts decides whether it can be stopped.

use proto::{
    InventoryEvent, LogisticsEvent,
    logistics::v1::{CustodianKind, ParcelState},
};

use crate::{
    ask,
    site::{Site, dispatched, ok},
};

#[tokio::test]
async fn a_parcel_recalled_right_after_its_dispatch_is_withdrawn() {
    let mut site = Site::with_team().await;
    site.inventory.publish::<InventoryEvent>(dispatched("O1"));
    site.recall("O1");
    let order_id = site
        .recorded(|event| match event {
            LogisticsEvent::ParcelWithdrawn(event) => Some(event.order_id.clone()),
            _ => None,
        })
        .await;
    assert_eq!(order_id, "O1");
    let parcel = site.parcel("O1").await;
    assert_eq!(parcel.state(), ParcelState::Returned);
    let custodian = parcel.custodian.expect("a custodian");
    assert_eq!(custodian.kind(), CustodianKind::Store);
}

#[tokio::test]
async fn a_parcel_that_is_out_is_delivered_all_the_same() {
    let (mut site, run_id) = Site::under_way(&["O1"]).await;
    site.recall("O1");
    // When this one is expected, the recall has been taken in.
    site.dispatch("O2").await;
    assert_eq!(site.parcel("O1").await.state(), ParcelState::OutForDelivery);
    ok(site.client.place_goods(ask::place(&run_id, "O1")).await);
    ok(site.client.leave_door(ask::leave(&run_id, "O1")).await);
    assert_eq!(site.parcel("O1").await.state(), ParcelState::Left);
}
