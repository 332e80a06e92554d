//! Asking for what is already so is answered as the first time.

use proto::logistics::v1::ParcelReceipt;
use tonic::Code;

use crate::{
    ask::{self, MEMBER, receipt},
    site::{Site, expected, ok, refused},
};

#[tokio::test]
async fn a_request_id_stands_for_one_request() {
    let mut site = Site::expecting(&["O1", "O2"]).await;
    let request = ask::receive(vec![receipt("O1", &["O1-1"])]);
    let first = ok(site.client.receive_parcels(request.clone()).await);
    let again = ok(site.client.receive_parcels(request.clone()).await);
    assert_eq!(first, again);
    let other = ask::receive(vec![receipt("O2", &[])]);
    let other = proto::logistics::v1::ReceiveParcelsRequest {
        request_id: request.request_id,
        ..other
    };
    assert_eq!(
        refused(site.client.receive_parcels(other).await),
        expected(Code::AlreadyExists, "REQUEST_ID_REUSED")
    );
}

#[tokio::test]
async fn the_same_under_another_request_id_changes_nothing_and_tells_the_same() {
    let mut site = Site::expecting(&["O1"]).await;
    let client = &mut site.client;
    let shift = ok(client.assign_shift(ask::shift(MEMBER)).await);
    let roster = proto::logistics::v1::GetRosterRequest {
        area: ask::AREA.into(),
        min_position: shift.position,
    };
    let roster = ok(client.get_roster(roster).await);
    assert_eq!(roster.members[0].shifts[0].shift_id, shift.shift_id);

    let receipts: Vec<ParcelReceipt> = vec![receipt("O1", &[])];
    let first = ok(client.receive_parcels(ask::receive(receipts.clone())).await);
    let again = ok(client.receive_parcels(ask::receive(receipts)).await);
    assert_eq!(first.complete_parcels, again.complete_parcels);
    let only_the_answer = first.position + 1;
    assert_eq!(again.position, only_the_answer, "no event was recorded");

    ok(client.disinfect_parcels(ask::disinfect(&["O1"])).await);
    let run_id = ok(client.plan_runs(ask::plan()).await).run_ids.remove(0);
    let nothing = ok(client.plan_runs(ask::plan()).await);
    assert_eq!((nothing.run_ids.len(), nothing.planned_parcels), (0, 0));
    ok(client.start_run(ask::start(&run_id)).await);
    ok(client.place_goods(ask::place(&run_id, "O1")).await);
    ok(client.leave_door(ask::leave(&run_id, "O1")).await);
    let entrance = ask::disinfect_entrance(&run_id);
    ok(client.disinfect_entrance(entrance).await);
    let first = ok(client.complete_run(ask::complete(&run_id)).await);
    let again = ok(client.complete_run(ask::complete(&run_id)).await);
    assert_eq!(again.position, first.position + 1, "no event was recorded");
    for answer in [first, again] {
        assert_eq!((answer.delivered_stops, answer.failed_stops), (1, 0));
    }
}
