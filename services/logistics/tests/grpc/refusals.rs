//! Requests that cannot be carried out are refused with a code and words that
//! say what to do.

use proto::logistics::v1::*;
use tonic::Code;

use crate::{
    ask::{self, AREA, CHECKPOINT, MEMBER, receipt},
    site::{Site, expected, ok, refused, wrong_fields},
};

#[tokio::test]
async fn every_malformed_field_is_named() {
    let mut site = Site::start().await;
    let client = &mut site.client;
    let no_id = RegisterCheckpointRequest {
        request_id: String::new(),
        ..ask::checkpoint()
    };
    assert_eq!(
        wrong_fields(client.register_checkpoint(no_id).await),
        ["request_id"]
    );
    let elsewhere = StartRunRequest {
        area: "here".into(),
        ..ask::start("R1")
    };
    assert_eq!(wrong_fields(client.start_run(elsewhere).await), ["area"]);
    let nameless = RegisterCheckpointRequest {
        name: String::new(),
        communities: vec!["zhichaka".into(), "no id".into()],
        ..ask::checkpoint()
    };
    assert_eq!(
        wrong_fields(client.register_checkpoint(nameless).await),
        ["name", "communities[1]"]
    );
    for capacity_grams in [-1, 0, 999, 2_000_001] {
        let request = RegisterMemberRequest {
            capacity_grams,
            ..ask::member(MEMBER)
        };
        assert_eq!(
            wrong_fields(client.register_member(request).await),
            ["capacity_grams"]
        );
    }
    let endless = AssignShiftRequest {
        ends_time: None,
        ..ask::shift(MEMBER)
    };
    assert_eq!(
        wrong_fields(client.assign_shift(endless).await),
        ["ends_time"]
    );
    let nothing = DisinfectParcelsRequest {
        agent: String::new(),
        ..ask::disinfect(&[])
    };
    assert_eq!(
        wrong_fields(client.disinfect_parcels(nothing).await),
        ["order_ids", "agent"]
    );
    let many = vec![receipt("O1", &[]); 51];
    assert_eq!(
        wrong_fields(client.receive_parcels(ask::receive(many)).await),
        ["parcels"]
    );
    let long = FailAttemptRequest {
        note: "远".repeat(201),
        ..ask::fail("R1", "O1", ExceptionCode::Unreachable)
    };
    assert_eq!(wrong_fields(client.fail_attempt(long).await), ["note"]);
}

#[tokio::test]
async fn a_value_that_is_not_known_is_refused_and_not_guessed() {
    let mut site = Site::start().await;
    let client = &mut site.client;
    for code in [0, -1, 99, ExceptionCode::Lost.into()] {
        let mut torn = receipt("O1", &["O1-1"]);
        torn.exceptions[0].code = code;
        assert_eq!(
            wrong_fields(client.receive_parcels(ask::receive(vec![torn])).await),
            ["parcels[0].exceptions[0].code"]
        );
    }
    for reason in [0, -1, 99] {
        let failed = FailAttemptRequest {
            reason,
            ..ask::fail("R1", "O1", ExceptionCode::Unreachable)
        };
        assert_eq!(wrong_fields(client.fail_attempt(failed).await), ["reason"]);
        let back = ReturnParcelRequest {
            reason,
            ..ask::give_back("O1")
        };
        assert_eq!(wrong_fields(client.return_parcel(back).await), ["reason"]);
    }
    let list = ListParcelsRequest {
        state: 99,
        ..ask::parcels()
    };
    assert_eq!(wrong_fields(client.list_parcels(list).await), ["state"]);
    let list = ListRunsRequest {
        state: 99,
        ..ask::runs()
    };
    assert_eq!(wrong_fields(client.list_runs(list).await), ["state"]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let mut site = Site::with_team().await;
    let client = &mut site.client;
    let parcel = expected(Code::NotFound, "PARCEL_UNKNOWN");
    let run = expected(Code::NotFound, "RUN_UNKNOWN");
    let get = GetParcelRequest {
        area: AREA.into(),
        order_id: "O9".into(),
        ..GetParcelRequest::default()
    };
    assert_eq!(refused(client.get_parcel(get).await), parcel);
    let receipts = ask::receive(vec![receipt("O9", &[])]);
    assert_eq!(refused(client.receive_parcels(receipts).await), parcel);
    let disinfect = ask::disinfect(&["O9"]);
    assert_eq!(refused(client.disinfect_parcels(disinfect).await), parcel);
    let back = client.return_parcel(ask::give_back("O9")).await;
    assert_eq!(refused(back), parcel);
    let get = GetRunRequest {
        area: AREA.into(),
        run_id: "R9".into(),
        ..GetRunRequest::default()
    };
    assert_eq!(refused(client.get_run(get).await), run);
    assert_eq!(refused(client.start_run(ask::start("R9")).await), run);
    assert_eq!(
        refused(client.place_goods(ask::place("R9", "O9")).await),
        run
    );
    assert_eq!(refused(client.complete_run(ask::complete("R9")).await), run);
    let get = GetCheckpointRequest {
        area: AREA.into(),
        checkpoint_id: "gate-9".into(),
        ..GetCheckpointRequest::default()
    };
    assert_eq!(
        refused(client.get_checkpoint(get).await),
        expected(Code::NotFound, "CHECKPOINT_UNKNOWN")
    );
    assert_eq!(
        refused(client.assign_shift(ask::shift("m-99")).await),
        expected(Code::NotFound, "MEMBER_UNKNOWN")
    );
    // Another area's things are as good as none.
    let get = GetCheckpointRequest {
        area: "110101001".into(),
        checkpoint_id: CHECKPOINT.into(),
        ..GetCheckpointRequest::default()
    };
    assert_eq!(refused(client.get_checkpoint(get).await).0, Code::NotFound);
}

#[tokio::test]
async fn an_id_that_is_taken_is_refused() {
    let mut site = Site::with_team().await;
    let client = &mut site.client;
    let other = RegisterCheckpointRequest {
        name: "Gate 4".into(),
        ..ask::checkpoint()
    };
    assert_eq!(
        refused(client.register_checkpoint(other).await),
        expected(Code::AlreadyExists, "CHECKPOINT_ALREADY_EXISTS")
    );
    let other = RegisterMemberRequest {
        leader: true,
        ..ask::member(MEMBER)
    };
    assert_eq!(
        refused(client.register_member(other).await),
        expected(Code::AlreadyExists, "MEMBER_ALREADY_EXISTS")
    );
}

#[tokio::test]
async fn only_who_has_the_parcel_hands_it_over() {
    let mut site = Site::expecting(&["O1"]).await;
    let stranger = ReceiveParcelsRequest {
        from_custodian_id: "stranger".into(),
        ..ask::receive(vec![receipt("O1", &[])])
    };
    let status = site.client.receive_parcels(stranger).await;
    let status = status.expect_err("refused");
    assert!(status.message().contains("carrier/bureau-1"), "{status:?}");
    assert_eq!(
        refused::<()>(Err(status)),
        expected(Code::FailedPrecondition, "NOT_CUSTODIAN")
    );
    let unknown = ask::receive(vec![receipt("O1", &["O1-7"])]);
    assert_eq!(
        refused(site.client.receive_parcels(unknown).await),
        expected(Code::NotFound, "BAG_UNKNOWN")
    );
    assert_eq!(site.parcel("O1").await.state(), ParcelState::Expected);
}

#[tokio::test]
async fn what_is_not_disinfected_is_on_no_run() {
    let mut site = Site::expecting(&["O1"]).await;
    let client = &mut site.client;
    let early = client.disinfect_parcels(ask::disinfect(&["O1"])).await;
    assert_eq!(
        refused(early),
        expected(Code::FailedPrecondition, "PARCEL_NOT_RECEIVED")
    );
    let receipts = ask::receive(vec![receipt("O1", &[])]);
    ok(client.receive_parcels(receipts).await);
    let planned = ok(client.plan_runs(ask::plan()).await);
    let counts = (planned.planned_parcels, planned.unplanned_parcels);
    assert_eq!((planned.run_ids.len(), counts), (0, (0, 0)));
    assert_eq!(site.parcel("O1").await.state(), ParcelState::Received);
}

#[tokio::test]
async fn a_run_is_done_door_by_door() {
    let (mut site, run_id) = Site::under_way(&["O1"]).await;
    let client = &mut site.client;
    assert_eq!(
        refused(client.leave_door(ask::leave(&run_id, "O1")).await),
        expected(Code::FailedPrecondition, "GOODS_NOT_PLACED")
    );
    assert_eq!(
        refused(client.place_goods(ask::place(&run_id, "O9")).await),
        expected(Code::NotFound, "STOP_UNKNOWN")
    );
    let entrance = ask::disinfect_entrance(&run_id);
    assert_eq!(
        refused(client.disinfect_entrance(entrance).await),
        expected(Code::FailedPrecondition, "ENTRANCE_STILL_SERVED")
    );
    let elsewhere = DisinfectEntranceRequest {
        entrance: "E9".into(),
        ..ask::disinfect_entrance(&run_id)
    };
    assert_eq!(
        refused(client.disinfect_entrance(elsewhere).await),
        expected(Code::NotFound, "ENTRANCE_UNKNOWN")
    );
    assert_eq!(
        refused(client.complete_run(ask::complete(&run_id)).await),
        expected(Code::FailedPrecondition, "STOPS_OPEN")
    );
}
