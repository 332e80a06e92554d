//! From the carrier's load to the household's receipt.

use proto::{
    InventoryEvent, LogisticsEvent, NotificationEvent,
    inventory::v1::ReplacementDispatched,
    logistics::v1::{
        CustodianKind, ExceptionCode, GetCheckpointRequest, GetRosterRequest, ParcelCount,
        ParcelState, RunState,
    },
    notification::v1::{NotificationAcknowledged, NotificationKind},
};
use tonic::Code;

use crate::{
    ask::{self, AREA, CARRIER, CHECKPOINT, MEMBER, receipt},
    site::{Site, bag, expected, ok, refused},
};

async fn replace(site: &mut Site, order_id: &str, for_label: &str) {
    site.inventory
        .publish::<InventoryEvent>(ReplacementDispatched {
            order_id: order_id.into(),
            for_label: for_label.into(),
            bag: Some(bag(&format!("{for_label}r1"), "greens")),
            checkpoint_id: CHECKPOINT.into(),
            custodian_id: CARRIER.into(),
            allocations: vec![],
        });
    site.recorded(|event| matches!(event, LogisticsEvent::ReplacementExpected(_)).then_some(()))
        .await;
}

async fn shelves(site: &mut Site, min_position: u64) -> Vec<(ParcelState, i64)> {
    let request = GetCheckpointRequest {
        area: AREA.into(),
        min_position,
        checkpoint_id: CHECKPOINT.into(),
    };
    let answer = ok(site.client.get_checkpoint(request).await);
    assert!(answer.as_of_position >= min_position);
    assert_eq!(
        (answer.name.as_str(), answer.communities.as_slice()),
        ("Gate 3", ["zhichaka".to_owned()].as_slice())
    );
    let count = |c: &ParcelCount| (c.state(), c.parcels);
    answer.parcels.iter().map(count).collect()
}

#[tokio::test]
async fn a_load_reaches_its_doors() {
    let mut site = Site::expecting(&["O1", "O2"]).await;

    // One bag of O1 is torn; another comes in its place.
    let receipts = vec![receipt("O1", &["O1-2"]), receipt("O2", &[])];
    let received = ok(site.client.receive_parcels(ask::receive(receipts)).await);
    let counts = (
        received.complete_parcels,
        received.awaiting_replacement_parcels,
    );
    assert_eq!(counts, (1, 1));
    let taken = site
        .recorded(|event| match event {
            LogisticsEvent::ParcelReceived(event) => Some(event.clone()),
            _ => None,
        })
        .await;
    assert_eq!(taken.keeper_id, "keeper-1");
    assert_eq!(taken.exceptions[0].label, "O1-2");
    assert_eq!(site.parcel("O1").await.awaited_labels, ["O1-2"]);
    let early = site.client.disinfect_parcels(ask::disinfect(&["O1", "O2"]));
    assert_eq!(
        refused(early.await),
        expected(Code::FailedPrecondition, "AWAITING_REPLACEMENT")
    );
    replace(&mut site, "O1", "O1-2").await;
    let rest = ask::receive(vec![receipt("O1", &[])]);
    let rest = ok(site.client.receive_parcels(rest).await);
    let counts = (rest.complete_parcels, rest.awaiting_replacement_parcels);
    assert_eq!(counts, (1, 0));

    let disinfected = site.client.disinfect_parcels(ask::disinfect(&["O1", "O2"]));
    let disinfected = ok(disinfected.await);
    assert_eq!(
        shelves(&mut site, disinfected.position).await,
        [(ParcelState::Disinfected, 2)]
    );

    let planned = ok(site.client.plan_runs(ask::plan()).await);
    assert_eq!((planned.planned_parcels, planned.unplanned_parcels), (2, 0));
    let [run_id] = &*planned.run_ids else {
        panic!("{planned:?}");
    };
    let run = site.run(run_id).await;
    assert_eq!((run.state(), run.trip), (RunState::Planned, 1));
    assert_eq!((&*run.member_id, run.weight_grams), (MEMBER, 40_000));
    let stops: Vec<_> = run.stops.iter().map(|s| &*s.order_id).collect();
    assert_eq!(stops, ["O1", "O2"]);
    ok(site.client.start_run(ask::start(run_id)).await);

    let early = site.client.leave_door(ask::leave(run_id, "O1")).await;
    assert_eq!(
        refused(early),
        expected(Code::FailedPrecondition, "GOODS_NOT_PLACED")
    );
    ok(site.client.place_goods(ask::place(run_id, "O1")).await);
    let late = ask::fail(run_id, "O1", ExceptionCode::Refused);
    assert_eq!(
        refused(site.client.fail_attempt(late).await),
        expected(Code::FailedPrecondition, "GOODS_ALREADY_PLACED")
    );
    ok(site.client.leave_door(ask::leave(run_id, "O1")).await);
    let failed = ask::fail(run_id, "O2", ExceptionCode::Unreachable);
    ok(site.client.fail_attempt(failed).await);
    assert_eq!(
        refused(site.client.complete_run(ask::complete(run_id)).await),
        expected(Code::FailedPrecondition, "ENTRANCES_NOT_DISINFECTED")
    );
    assert_eq!(
        site.run(run_id).await.undisinfected_entrances,
        ["G03/B12/E2"]
    );
    let entrance = ask::disinfect_entrance(run_id);
    ok(site.client.disinfect_entrance(entrance).await);
    let completed = ok(site.client.complete_run(ask::complete(run_id)).await);
    assert_eq!((completed.delivered_stops, completed.failed_stops), (1, 1));
    assert_eq!(site.run(run_id).await.state(), RunState::Completed);

    // What failed is at the checkpoint, ready for the next run.
    let failed = site.parcel("O2").await;
    assert_eq!(failed.state(), ParcelState::Disinfected);
    let left = site.parcel("O1").await;
    assert_eq!(left.state(), ParcelState::Left);
    let custodian = left.custodian.expect("a custodian");
    assert_eq!(
        (custodian.kind(), &*custodian.id),
        (CustodianKind::Household, "H-O1")
    );

    site.notification
        .publish::<NotificationEvent>(NotificationAcknowledged {
            notification_id: "N1".into(),
            order_id: "O1".into(),
            kind: NotificationKind::GoodsAtDoor.into(),
        });
    let evidence = site
        .recorded(|event| match event {
            LogisticsEvent::DeliveryCollected(event) => Some(event.evidence.clone()),
            _ => None,
        })
        .await;
    assert_eq!(evidence, "receipt");
    assert_eq!(site.parcel("O1").await.state(), ParcelState::Collected);

    let request = GetRosterRequest {
        area: AREA.into(),
        min_position: completed.position,
    };
    let roster = ok(site.client.get_roster(request).await).members;
    assert_eq!(roster.len(), 1);
    let member = &roster[0];
    assert_eq!((&*member.member_id, member.on_shift), (MEMBER, true));
    assert_eq!((member.completed_runs, member.delivered_stops), (1, 1));
    assert_eq!((member.carried_grams, member.shifts.len()), (40_000, 1));
}

#[tokio::test]
async fn who_is_absent_has_no_run_and_nobody_else_means_no_plan() {
    let mut site = Site::expecting(&["O1"]).await;
    let client = &mut site.client;
    let receipts = ask::receive(vec![receipt("O1", &[])]);
    ok(client.receive_parcels(receipts).await);
    ok(client.disinfect_parcels(ask::disinfect(&["O1"])).await);
    ok(client.plan_runs(ask::plan()).await);
    let absent = ok(client.record_absence(ask::absence(MEMBER)).await);
    assert_eq!(absent.cancelled_runs, 1);
    assert_eq!(
        refused(client.plan_runs(ask::plan()).await),
        expected(Code::FailedPrecondition, "NOBODY_ON_SHIFT")
    );
    let position = absent.position;
    assert_eq!(
        shelves(&mut site, position).await,
        [(ParcelState::Disinfected, 1)]
    );
}

#[tokio::test]
async fn what_is_refused_at_the_door_goes_back_and_stays_there() {
    let (mut site, run_id) = Site::under_way(&["O1"]).await;
    let client = &mut site.client;
    let failed = ask::fail(&run_id, "O1", ExceptionCode::Refused);
    ok(client.fail_attempt(failed).await);
    ok(client.complete_run(ask::complete(&run_id)).await);
    let returned = expected(Code::FailedPrecondition, "PARCEL_NOT_HELD");
    let again = client.reschedule_delivery(ask::reschedule("O1")).await;
    assert_eq!(refused(again), returned);
    assert_eq!(site.parcel("O1").await.state(), ParcelState::Returned);
}
