//! Lists come in pages, and a token belongs to the list that gave it.

use proto::logistics::v1::{ListParcelsRequest, ListRunsRequest, ParcelState, RunState};
use tonic::Code;

use crate::{
    ask::{self, CHECKPOINT, MEMBER, receipt},
    site::{Site, expected, ok, refused},
};

#[tokio::test]
async fn parcels_come_in_the_order_of_the_doors() {
    let mut site = Site::expecting(&["10", "9", "11"]).await;
    let first = ListParcelsRequest {
        page_size: 2,
        checkpoint_id: CHECKPOINT.into(),
        state: ParcelState::Expected.into(),
        ..ask::parcels()
    };
    let page = ok(site.client.list_parcels(first.clone()).await);
    let next = ListParcelsRequest {
        page_token: page.next_page_token,
        ..first.clone()
    };
    // What changes its state between two pages leaves the others their place.
    let taken = ask::receive(vec![receipt("10", &[])]);
    let position = ok(site.client.receive_parcels(taken).await).position;
    let last = ListParcelsRequest {
        min_position: position,
        ..next.clone()
    };
    let last = ok(site.client.list_parcels(last).await);
    assert_eq!(last.next_page_token, "");
    let pages = page.parcels.iter().chain(&last.parcels);
    let seen: Vec<_> = pages.map(|parcel| &*parcel.order_id).collect();
    assert_eq!(seen, ["9", "10", "11"]);

    let invalid = expected(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let of_all = ListParcelsRequest {
        state: 0,
        ..next.clone()
    };
    let of_another = ListParcelsRequest {
        checkpoint_id: "gate-9".into(),
        ..next.clone()
    };
    let made_up = ListParcelsRequest {
        page_token: "nonsense".into(),
        ..first.clone()
    };
    for wrong in [of_all, of_another, made_up] {
        assert_eq!(refused(site.client.list_parcels(wrong).await), invalid);
    }
    let runs = ListRunsRequest {
        page_token: next.page_token,
        ..ask::runs()
    };
    assert_eq!(refused(site.client.list_runs(runs).await), invalid);
    let negative = ListParcelsRequest {
        page_size: -1,
        ..first
    };
    assert_eq!(
        refused(site.client.list_parcels(negative).await),
        expected(Code::InvalidArgument, "PAGE_SIZE_NEGATIVE")
    );
}

#[tokio::test]
async fn runs_come_by_id_and_none_is_lost_between_pages() {
    let mut site = Site::expecting(&["1", "2", "3"]).await;
    let mut planned = vec![];
    for order_id in ["1", "2", "3"] {
        let client = &mut site.client;
        let receipts = ask::receive(vec![receipt(order_id, &[])]);
        ok(client.receive_parcels(receipts).await);
        ok(client.disinfect_parcels(ask::disinfect(&[order_id])).await);
        planned.extend(ok(client.plan_runs(ask::plan()).await).run_ids);
    }
    assert_eq!(planned.len(), 3);
    let mut request = ListRunsRequest {
        page_size: 1,
        checkpoint_id: CHECKPOINT.into(),
        member_id: MEMBER.into(),
        state: RunState::Planned.into(),
        ..ask::runs()
    };
    let mut seen = vec![];
    loop {
        let page = ok(site.client.list_runs(request.clone()).await);
        seen.extend(page.runs.into_iter().map(|run| run.run_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    planned.sort();
    assert_eq!(seen, planned);
}
