//! A request id stands for one request: the same is answered as the first
//! time, in every life of the service; another is refused.

use proto::{
    order::v1::{
        CloseGroupBuyRequest, EndContingencyRequest, GetHouseholdRequest, OrderState,
        PlaceOrderRequest,
    },
    types::v1::Need,
};
use tonic::Code;

use crate::{
    ask::{self, AREA, line},
    desk::{Desk, ok, refused},
};

#[tokio::test]
async fn a_request_id_with_another_body_is_refused_naming_what_it_stands_for() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let placed = ok(desk.client.place_order(ask::place("r1", "H1")).await);
    // Placing recorded two facts; the first of them is named.
    let position = format!("position {}", placed.position - 1);
    for life in ["first", "second"] {
        println!("{life} life");
        let other = PlaceOrderRequest {
            lines: vec![line("flour", 3)],
            ..ask::place("r1", "H1")
        };
        refused(desk.client.place_order(other).await).is(
            Code::AlreadyExists,
            "REQUEST_ID_REUSED",
            &["r1", &position, "use a new id"],
        );
        // Nor does it stand for a request of another kind.
        refused(
            desk.client
                .cancel_order(ask::cancel("r1", &placed.order_id))
                .await,
        )
        .is(Code::AlreadyExists, "REQUEST_ID_REUSED", &["r1", &position]);
        desk.start_again().await;
    }
    let order = ok(desk
        .client
        .get_order(ask::get_order(&placed.order_id))
        .await);
    let order = order.order.expect("an order");
    assert_eq!(order.lines, [line("flour", 2)]);
    assert_eq!(order.state(), OrderState::Released);
}

#[tokio::test]
async fn every_change_is_answered_as_the_first_time_also_in_another_life() {
    let mut desk = Desk::start().await;
    let end = EndContingencyRequest {
        request_id: "end".into(),
        area: AREA.into(),
    };
    let mut chosen = ask::hand_over("hand-over", "cadre-2");
    chosen.household_ids = vec!["H1".into()];
    let mut first = None;
    for life in ["first", "second"] {
        for time in ["once", "again"] {
            let client = &mut desk.client;
            let activated = ok(client.activate_contingency(ask::activate()).await);
            let registered = ok(client.register_household(ask::register("H1")).await);
            let needs = [Need::Expecting];
            let updated = ok(client
                .update_household(ask::update("update", "H1", &needs))
                .await);
            let handed_over = ok(client.hand_over_households(chosen.clone()).await);
            let opened = ok(client.open_group_buy(ask::open_group_buy("open")).await);
            let group_buy_id = opened.group_buy_id.clone();
            let joined = ok(client
                .place_order(ask::join("join", "H1", &group_buy_id))
                .await);
            let close = CloseGroupBuyRequest {
                request_id: "close".into(),
                area: AREA.into(),
                group_buy_id,
            };
            let closed = ok(client.close_group_buy(close).await);
            let placed = ok(client.place_order(ask::place("place", "H1")).await);
            let cancelled = ok(client
                .cancel_order(ask::cancel("cancel", &placed.order_id))
                .await);
            let ended = ok(client.end_contingency(end.clone()).await);
            let answers = (
                (activated, registered, updated, handed_over, opened),
                (joined, closed, placed, cancelled, ended),
            );
            let first = first.get_or_insert_with(|| answers.clone());
            assert_eq!(answers, *first, "{life} life, {time}");
        }
        desk.start_again().await;
    }
}

#[tokio::test]
async fn a_cancelled_order_is_not_placed_anew_by_its_old_request() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let placed = ok(desk.client.place_order(ask::place("place", "H1")).await);
    ok(desk
        .client
        .cancel_order(ask::cancel("cancel", &placed.order_id))
        .await);
    let again = ok(desk.client.place_order(ask::place("place", "H1")).await);
    assert_eq!(again, placed);
    let order = ok(desk
        .client
        .get_order(ask::get_order(&placed.order_id))
        .await);
    assert_eq!(
        order.order.expect("an order").state(),
        OrderState::Cancelled
    );
}

#[tokio::test]
async fn a_stale_revision_is_refused_naming_both() {
    let mut desk = Desk::with_households(&["H1"]).await;
    let client = &mut desk.client;
    let get = GetHouseholdRequest {
        area: AREA.into(),
        min_position: 0,
        household_id: "H1".into(),
    };
    let read = ok(client.get_household(get.clone()).await).household;
    let read = read.expect("a household").revision;
    let mut mine = ask::update("mine", "H1", &[Need::Expecting]);
    let mut theirs = ask::update("theirs", "H1", &[Need::BottledGas]);
    (mine.if_revision, theirs.if_revision) = (Some(read), Some(read));
    let revision = ok(client.update_household(theirs).await).revision;
    assert_eq!(revision, read + 1);
    refused(client.update_household(mine.clone()).await).is(
        Code::Aborted,
        "REVISION_MISMATCH",
        &["household/H1 is at revision 2, not 1", "read it again"],
    );
    (mine.request_id, mine.if_revision) = ("mine-2".into(), Some(revision));
    let revision = ok(client.update_household(mine).await).revision;
    let after = ok(client.get_household(get).await).household;
    let after = after.expect("a household");
    assert_eq!(
        (after.revision, after.needs().collect::<Vec<_>>()),
        (revision, vec![Need::Expecting])
    );

    let placed = ok(client.place_order(ask::place("place", "H1")).await);
    let mut cancel = ask::cancel("cancel", &placed.order_id);
    cancel.if_revision = Some(1);
    let stream = format!("order/{} is at revision 2, not 1", placed.order_id);
    refused(client.cancel_order(cancel).await).is(Code::Aborted, "REVISION_MISMATCH", &[&stream]);
}
