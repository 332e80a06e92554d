//! Lists come in pages; a token belongs to its list with its filters.

use std::collections::BTreeSet;

use proto::order::v1::{
    ListGroupBuysRequest, ListHouseholdsRequest, ListMissedHouseholdsRequest, ListOrdersRequest,
    list_missed_households_request::AsOf,
};
use tonic::Code;

use crate::{
    ask::{self, AREA, CADRE, OTHER_AREA},
    desk::{Desk, ok, refused},
};

fn households(page_size: i32, page_token: &str) -> ListHouseholdsRequest {
    ListHouseholdsRequest {
        area: AREA.into(),
        page_size,
        page_token: page_token.into(),
        ..ListHouseholdsRequest::default()
    }
}

#[tokio::test]
async fn paging_gives_every_household_exactly_once_while_others_are_registered() {
    let mut desk = Desk::start().await;
    let ids: Vec<String> = (0..40).map(|n| format!("H{n:03}")).collect();
    for id in &ids {
        desk.register(id).await;
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    for page in 0.. {
        let answer = ok(desk.client.list_households(households(7, &token)).await);
        assert!(answer.households.len() <= 7);
        seen.extend(answer.households.into_iter().map(|h| h.household_id));
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
        // Where the reader has been already.
        desk.register(&format!("H000-{page}")).await;
    }
    assert_eq!(seen, ids);

    let all = ok(desk.client.list_households(households(0, "")).await);
    let unique: BTreeSet<_> = all.households.iter().map(|h| &h.household_id).collect();
    assert_eq!((unique.len(), all.households.len()), (45, 45));
    assert_eq!(all.next_page_token, "");
    // More than a page can hold is cut, not refused.
    let all = ok(desk.client.list_households(households(i32::MAX, "")).await);
    assert_eq!(all.households.len(), 45);
}

#[tokio::test]
async fn a_token_is_good_for_the_list_and_the_filters_that_gave_it() {
    let mut desk = Desk::with_households(&["H1", "H2", "H3"]).await;
    let client = &mut desk.client;
    ok(client.activate_contingency(ask::activate()).await);
    let token = ok(client.list_households(households(1, "")).await).next_page_token;
    let good = households(1, &token);
    let second = ok(client.list_households(good.clone()).await);
    assert_eq!(second.households[0].household_id, "H2");

    let with = |set: fn(&mut ListHouseholdsRequest)| {
        let mut request = good.clone();
        set(&mut request);
        request
    };
    let foreign = ok(client
        .list_missed_households(ListMissedHouseholdsRequest {
            area: AREA.into(),
            page_size: 1,
            ..ListMissedHouseholdsRequest::default()
        })
        .await)
    .next_page_token;
    assert_ne!(foreign, "");
    let cut = &token[..token.len() - 2];
    let again = token.repeat(2);
    let mut wrong = vec![
        with(|r| OTHER_AREA.clone_into(&mut r.area)),
        with(|r| "zhichaka".clone_into(&mut r.community)),
        with(|r| CADRE.clone_into(&mut r.cadre_id)),
    ];
    for token in [
        &foreign, cut, &again, "nonsense", "====", "\u{0}", "中", "AAAA",
    ] {
        wrong.push(households(1, token));
    }
    for request in wrong {
        println!("{request:?}");
        let refusal = refused(client.list_households(request).await);
        refusal.is(
            Code::InvalidArgument,
            "PAGE_TOKEN_INVALID",
            &["page_token", "begin again"],
        );
    }

    let orders = ListOrdersRequest {
        area: AREA.into(),
        page_token: token.clone(),
        ..ListOrdersRequest::default()
    };
    let group_buys = ListGroupBuysRequest {
        area: AREA.into(),
        page_token: token.clone(),
        ..ListGroupBuysRequest::default()
    };
    // Pages of now and of then are different lists.
    let missed_then = ListMissedHouseholdsRequest {
        area: AREA.into(),
        page_token: foreign,
        as_of: Some(AsOf::Position(4)),
        ..ListMissedHouseholdsRequest::default()
    };
    for refusal in [
        refused(client.list_orders(orders).await),
        refused(client.list_group_buys(group_buys).await),
        refused(client.list_missed_households(missed_then).await),
    ] {
        refusal.is(Code::InvalidArgument, "PAGE_TOKEN_INVALID", &["page_token"]);
    }
}

#[tokio::test]
async fn a_page_has_no_negative_size() {
    let mut desk = Desk::start().await;
    let client = &mut desk.client;
    for page_size in [-1, i32::MIN] {
        let orders = ListOrdersRequest {
            area: AREA.into(),
            page_size,
            ..ListOrdersRequest::default()
        };
        let group_buys = ListGroupBuysRequest {
            area: AREA.into(),
            page_size,
            ..ListGroupBuysRequest::default()
        };
        let missed = ListMissedHouseholdsRequest {
            area: AREA.into(),
            page_size,
            ..ListMissedHouseholdsRequest::default()
        };
        for refusal in [
            refused(client.list_households(households(page_size, "")).await),
            refused(client.list_orders(orders).await),
            refused(client.list_group_buys(group_buys).await),
            refused(client.list_missed_households(missed).await),
        ] {
            let named = [&*page_size.to_string(), "0 (for 100) to 500"];
            refusal.is(Code::InvalidArgument, "PAGE_SIZE_NEGATIVE", &named);
        }
    }
}
