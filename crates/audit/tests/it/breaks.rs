//! One thing at a time is broken, and exactly the right invariant names it.

use audit::{FindingKind as Kind, History, LogName, Status, Streams, reconcile, verify};
use decider::{Cause, Invariant, Invariant as I, Position, Revision, Service, Timestamp};
use proto::{
    inventory::v1 as inv, logistics::v1 as log, notification::v1 as note, order::v1 as ord,
};

use crate::suite::{ORDER, Suite, custodian, day, logistics, order};

/// The messages of every stream.
type Messages = Vec<(LogName, Vec<bytes::Bytes>)>;

fn broken(suite: &Suite) -> Vec<Invariant> {
    reconcile(&suite.history(), None).broken()
}

fn findings(suite: &Suite) -> Vec<(Kind, Option<u64>)> {
    kinds(&suite.history())
}

fn kinds(history: &History) -> Vec<(Kind, Option<u64>)> {
    let logs = verify(history).logs;
    let findings = logs.into_iter().flat_map(|log| log.findings);
    findings
        .map(|finding| (finding.kind, finding.position.map(|p| p.0)))
        .collect()
}

#[track_caller]
fn only(suite: &Suite, invariant: Invariant) -> String {
    let report = reconcile(&suite.history(), None);
    assert_eq!(report.broken(), [invariant], "{report:#?}");
    assert!(!report.holds);
    let check = report.check(invariant).expect("it is checked");
    check.violations[0].to_string()
}

#[test]
fn an_undisturbed_day_holds() {
    let suite = day();
    let streams = Streams::from_messages(suite.bytes());
    let report = reconcile(&suite.history(), Some(&streams));
    assert!(report.holds, "{report:#?}");
    assert!(report.checks.iter().all(|c| c.status == Status::Holds));
    let facts = |invariant| report.check(invariant).expect("checked").facts;
    assert_eq!(facts(I::PassBeforeDispatch), 0);
    assert_eq!(facts(I::DisinfectedBeforeLeaving), 1);
    assert_eq!(facts(I::ReceiptOrVisit), 1);
    assert_eq!(facts(I::ServedOrListed), 2);
    assert_eq!(facts(I::StreamEqualsLog), report.records);
    let verified = verify(&suite.history());
    assert!(verified.holds, "{verified:#?}");
    assert_eq!(verified.logs.len(), 4);
}

#[test]
fn the_digest_is_of_the_bytes_alone() {
    let one = verify(&day().history());
    let other = verify(&day().history());
    assert_eq!(one, other);
    let mut altered = day();
    altered.alter_event("ProductDefined", |e: &mut inv::ProductDefined| {
        e.name = "oil".into()
    });
    let altered = verify(&altered.history());
    let same = |n: usize| altered.logs[n].digest == one.logs[n].digest;
    assert_eq!(
        [same(0), same(1), same(2), same(3)],
        [true, false, true, true]
    );
}

#[test]
fn a_missing_record_is_a_gap() {
    let mut suite = day();
    suite.tear_out("ShiftAssigned");
    assert_eq!(findings(&suite), [(Kind::PositionGap, Some(4))]);
    assert!(only(&suite, I::LogContinuous).contains("logistics-0@4"));
}

#[test]
fn a_wrong_revision_is_named() {
    let mut suite = day();
    suite.alter("OrderCollected", |raw| raw.revision = Revision(9));
    let at = suite.find("OrderCollected").position.0;
    assert_eq!(findings(&suite), [(Kind::RevisionGap, Some(at))]);
    only(&suite, I::LogContinuous);
}

#[test]
fn an_event_that_cannot_be_decoded_is_named() {
    let mut suite = day();
    suite.alter("ShiftAssigned", |raw| raw.event.data.push(0xff));
    assert_eq!(findings(&suite), [(Kind::Undecodable, Some(3))]);
    only(&suite, I::LogContinuous);
}

#[test]
fn an_event_of_an_unknown_type_is_named() {
    let mut suite = day();
    suite.alter("ShiftAssigned", |raw| {
        raw.event.type_name = "baogong.logistics.v1.NotYetInvented".into();
    });
    assert_eq!(findings(&suite), [(Kind::UnknownType, Some(3))]);
}

#[test]
fn bytes_that_are_no_record_are_named_where_they_stand() {
    let mut bytes = day().bytes();
    bytes[2].1[2] = bytes::Bytes::from_static(b"\xff\xff");
    assert_eq!(
        kinds(&History::from_bytes(bytes)),
        [(Kind::Undecodable, Some(3))]
    );
}

#[test]
fn an_event_in_a_foreign_stream_is_named() {
    let mut suite = day();
    suite.alter_event(
        "CheckpointRegistered",
        |e: &mut log::CheckpointRegistered| {
            e.checkpoint_id = "gate-2".into();
        },
    );
    assert!(findings(&suite).contains(&(Kind::WrongStream, Some(1))));
}

#[test]
fn time_that_runs_backwards_is_named() {
    let mut suite = day();
    suite.alter("ShiftAssigned", |raw| raw.recorded = Timestamp(0));
    assert_eq!(findings(&suite), [(Kind::TimeBackwards, Some(3))]);
    only(&suite, I::LogContinuous);
}

#[test]
fn a_request_has_all_its_records_and_one_meaning() {
    let request = |suite: &mut Suite, id: &str, count: u32, digest: u8| {
        suite.alter("ShiftAssigned", |raw| {
            raw.cause = Cause::Request {
                request_id: id.into(),
                digest: [digest; 16],
                record_count: count,
            };
        });
    };
    let mut suite = day();
    request(&mut suite, "r-own", 2, 1);
    assert_eq!(findings(&suite), [(Kind::RequestIncomplete, Some(3))]);

    let Cause::Request { request_id, .. } = &suite.records(Service::Logistics)[0].cause else {
        panic!("a request made it");
    };
    let id = request_id.clone();
    let mut suite = day();
    request(&mut suite, &id, 1, 99);
    assert_eq!(findings(&suite), [(Kind::RequestReused, Some(3))]);
    only(&suite, I::LogContinuous);
}

#[test]
fn a_cause_beyond_the_end_of_its_log_does_not_exist() {
    let mut suite = day();
    let at = suite.find("OrderConfirmed").position.0;
    let mut nowhere = suite.find("StockReserved");
    nowhere.position = Position(999);
    // The last reaction to inventory, so that nothing comes out of order.
    suite.alter("OrderConfirmed", |raw| raw.cause = Cause::Source(nowhere));
    assert_eq!(findings(&suite), [(Kind::CauseMissing, Some(at))]);
    let told = only(&suite, I::CausesExist);
    assert!(told.contains("inventory-0@999 does not exist"), "{told}");
}

#[test]
fn a_reaction_that_happens_twice_is_named() {
    let mut suite = day();
    let cause = suite.find("StockReserved");
    suite.reaction(
        cause,
        vec![order(ord::OrderConfirmed {
            order_id: ORDER.into(),
        })],
    );
    let last = suite.records(Service::Order).len() as u64;
    assert_eq!(findings(&suite), [(Kind::ReactionRepeated, Some(last))]);
}

#[test]
fn causes_in_a_circle_are_named() {
    let mut suite = day();
    let confirmed = suite.find("OrderConfirmed");
    suite.alter("DemandQueued", |raw| raw.cause = Cause::Source(confirmed));
    assert!(broken(&suite).contains(&I::CausesExist));
    assert!(
        findings(&suite)
            .iter()
            .any(|(kind, _)| *kind == Kind::CauseCircular)
    );
}

#[test]
fn a_second_delivery_is_named() {
    let mut suite = day();
    let delivered = ord::OrderDelivered {
        order_id: ORDER.into(),
        delivered_time: None,
    };
    suite.timer(vec![order(delivered)]);
    let told = only(&suite, I::DeliveredOnceAndConfirmed);
    assert!(told.contains("and again at order-0@"), "{told}");
}

#[test]
fn a_delivery_without_confirmation_is_named() {
    let suite = day().without(&["OrderConfirmed"]);
    let told = only(&suite, I::DeliveredOnceAndConfirmed);
    assert!(told.contains("not confirmed before"), "{told}");
}

#[test]
fn a_cancelled_order_is_delivered_only_if_it_went_out_nevertheless() {
    let cancelled = || {
        order(ord::OrderCancelled {
            order_id: ORDER.into(),
            reason: ord::CancelReason::Customer.into(),
            note: String::new(),
            household_id: "H-1".into(),
        })
    };
    // After it went out, so that nothing reinstates it before the delivery.
    let mut suite = day().without(&["OrderDelivered"]);
    suite.timer(vec![cancelled()]);
    let left = suite.find("DoorLeft");
    suite.reaction(
        left,
        vec![order(ord::OrderDelivered {
            order_id: ORDER.into(),
            delivered_time: None,
        })],
    );
    let told = reconcile(&suite.history(), None);
    let check = told.check(I::DeliveredOnceAndConfirmed).expect("checked");
    assert!(
        check.violations[0]
            .detail
            .contains("but cancelled at order-0@")
    );
}

#[test]
fn a_door_left_that_the_order_service_passed_over_is_named() {
    let suite = day().without(&["OrderDelivered"]);
    // It has taken in the collection, which comes later.
    let told = reconcile(&suite.history(), None);
    let check = told.check(I::DeliveredOnceAndConfirmed).expect("checked");
    assert_eq!(check.status, Status::Broken);

    let suite = day().without(&["OrderDelivered", "OrderCollected"]);
    let told = reconcile(&suite.history(), None);
    let check = told.check(I::DeliveredOnceAndConfirmed).expect("checked");
    assert_eq!((check.status, check.pending.len()), (Status::Holds, 1));
}

#[test]
fn a_fork_of_custody_is_named() {
    let mut suite = day();
    let again = log::ParcelExpected {
        order_id: ORDER.into(),
        household_id: "H-1".into(),
        custodian: custodian(log::CustodianKind::Carrier, "group-2"),
        checkpoint_id: "gate-1".into(),
        ..Default::default()
    };
    suite.timer(vec![logistics(again)]);
    let told = only(&suite, I::OneCustodian);
    assert!(told.contains("while household/H-1 has had it"), "{told}");
}

#[test]
fn a_hand_over_by_somebody_else_is_named() {
    let mut suite = day();
    suite.alter_event("ParcelReceived", |e: &mut log::ParcelReceived| {
        e.from = custodian(log::CustodianKind::Carrier, "group-2");
    });
    let told = only(&suite, I::OneCustodian);
    assert!(told.contains("carrier/group-2 handed it over"), "{told}");
}

#[test]
fn a_run_with_an_undisinfected_parcel_is_named() {
    let suite = day().without(&["ParcelDisinfected"]);
    let told = only(&suite, I::DisinfectedBeforeLeaving);
    assert!(told.contains("left checkpoint gate-1 on run R-1"), "{told}");
}

#[test]
fn units_that_were_never_reserved_are_named() {
    let mut suite = day();
    suite.alter_event("OrderDispatched", |e: &mut inv::OrderDispatched| {
        e.allocations[0].quantity_units = 5;
    });
    let told = only(&suite, I::LotConservation);
    assert!(told.contains("5 units of lot L-1 moved"), "{told}");
}

#[test]
fn a_lot_that_gives_more_than_it_had_is_named() {
    let mut suite = day();
    suite.alter_event("LotReceived", |e: &mut inv::LotReceived| {
        e.quantity_units = 1
    });
    let told = only(&suite, I::LotConservation);
    assert!(told.contains("-1 units are on hand"), "{told}");
}

#[test]
fn leaving_without_placing_is_named() {
    let suite = day().without(&["GoodsPlaced"]);
    let told = only(&suite, I::CalledAfterLeaving);
    assert!(told.contains("no goods were placed before"), "{told}");
}

#[test]
fn telling_a_household_before_the_door_was_left_is_named() {
    let mut suite = day();
    let started = suite.find("RunStarted");
    suite.alter("NotificationRequested", |raw| {
        raw.cause = Cause::Source(started)
    });
    let told = only(&suite, I::CalledAfterLeaving);
    assert!(told.contains("which is no door left"), "{told}");
}

#[test]
fn a_delivery_that_ends_with_a_message_alone_is_named() {
    let mut suite = day().without(&["NotificationAcknowledged"]);
    suite.alter_event(
        "NotificationRequested",
        |e: &mut note::NotificationRequested| {
            e.needs_receipt = false;
        },
    );
    let told = only(&suite, I::ReceiptOrVisit);
    assert!(told.contains("without a receipt or visit"), "{told}");
}

#[test]
fn a_delivery_on_the_ladder_is_pending() {
    let suite = day().without(&["NotificationAcknowledged"]);
    let report = reconcile(&suite.history(), None);
    assert!(report.holds, "{report:#?}");
    let pending = &report.check(I::ReceiptOrVisit).expect("checked").pending;
    assert_eq!(pending.len(), 1);
    assert!(
        pending[0].contains("a receipt is awaited since"),
        "{pending:?}"
    );
}

#[test]
fn a_delivery_that_nobody_was_told_of_is_named_once_it_was_taken_in() {
    let untold = || {
        day().without(&[
            "NotificationRequested",
            "MessageSent",
            "NotificationAcknowledged",
        ])
    };
    let suite = untold();
    let report = reconcile(&suite.history(), None);
    assert!(report.holds, "{report:#?}");
    assert_eq!(
        report
            .check(I::ReceiptOrVisit)
            .expect("checked")
            .pending
            .len(),
        1
    );

    let mut suite = untold();
    let left = suite.find("DoorLeft");
    suite.cursor(Service::Notification, left);
    let told = only(&suite, I::ReceiptOrVisit);
    assert!(told.contains("told nobody"), "{told}");
}

#[test]
fn a_collection_needs_the_evidence_it_names() {
    let mut suite = day();
    suite.alter_event("DeliveryCollected", |e: &mut log::DeliveryCollected| {
        e.evidence = "visit".into();
    });
    only(&suite, I::ReceiptOrVisit);
}

#[test]
fn an_order_of_a_household_that_is_nowhere_is_named() {
    let mut suite = day();
    suite.alter_event("OrderPlaced", |e: &mut ord::OrderPlaced| {
        e.household_id = "H-9".into();
    });
    only(&suite, I::ServedOrListed);
}

#[test]
fn a_stream_that_differs_ends_early_or_is_missing_is_named() {
    let suite = day();
    let history = suite.history();
    let told = |change: &dyn Fn(&mut Messages)| {
        let mut bytes = suite.bytes();
        change(&mut bytes);
        let report = reconcile(&history, Some(&Streams::from_messages(bytes)));
        assert_eq!(report.broken(), [I::StreamEqualsLog]);
        report
            .check(I::StreamEqualsLog)
            .expect("checked")
            .violations[0]
            .to_string()
    };
    let other = |bytes: &mut Messages| {
        let mut message = bytes[1].1[4].to_vec();
        message[20] ^= 1;
        bytes[1].1[4] = message.into();
    };
    assert!(told(&other).contains("inventory-0: log and stream differ at position 5"));
    assert!(told(&|bytes| drop(bytes[0].1.pop())).contains("order-0: the stream ends at"));
    assert!(told(&|bytes| drop(bytes.remove(3))).contains("notification-0: there is no stream"));
    let more = |bytes: &mut Messages| {
        bytes[2].1.push(bytes::Bytes::from_static(b"more"));
    };
    assert!(told(&more).contains("logistics-0: the log ends at"));
}

#[test]
fn without_nats_the_streams_are_not_checked() {
    let report = reconcile(&day().history(), None);
    let check = report.check(I::StreamEqualsLog).expect("listed");
    assert_eq!(check.status, Status::NotChecked);
    assert_eq!(check.note, "no NATS given");
    assert!(report.holds);
}

#[test]
fn the_advice_comes_with_the_finding() {
    let mut suite = day();
    suite.tear_out("ShiftAssigned");
    let report = verify(&suite.history());
    let finding = &report.logs[2].findings[0];
    assert_eq!(finding.position, Some(Position(4)));
    assert!(finding.detail.contains("1 records are missing"));
    assert!(
        finding
            .advice
            .contains("restore the log from its JetStream stream")
    );
}
