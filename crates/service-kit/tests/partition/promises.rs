//! The partition's promises to its callers.

use std::sync::Arc;

use decider::{Actor, Position, Recorded, Revision, Service, StreamId};
use event_log::{EventLog, MemoryLog};
use proto::{AnyEvent, OrderEvent, order::v1::OrderReady};
use service_kit::{
    edge::Deadline,
    partition::{
        AsOf, SubmitError,
        machine::{Machine, Refusal},
        replay,
    },
};

use crate::toy::{No, START, Toy, area, confirm, meta, start, start_with, stop};

#[tokio::test]
async fn the_same_request_gets_the_first_answer_also_after_a_restart() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let first = partition
        .submit(confirm("a"), meta("r1", 1))
        .await
        .expect("accepted");
    assert_eq!(first.records.len(), 2);
    stop(writer).await;

    let (partition, writer) = start(&log);
    let again = partition
        .submit(confirm("a"), meta("r1", 1))
        .await
        .expect("answered again");
    assert!(again.repeated);
    assert_eq!(again.records, first.records);
    assert_eq!(log.last_position(), Position(2), "nothing was added");
    stop(writer).await;
}

#[tokio::test]
async fn the_same_request_id_with_another_body_is_refused_and_names_the_first() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let accepted = partition.submit(confirm("a"), meta("r1", 1)).await;
    accepted.expect("accepted");
    match partition.submit(confirm("b"), meta("r1", 2)).await {
        Err(SubmitError::Refused(Refusal::RequestIdReused { position, .. })) => {
            assert_eq!(position, Position(1));
        }
        other => panic!("{other:?}"),
    }
    stop(writer).await;
}

#[tokio::test]
async fn a_command_whose_time_is_over_is_not_decided_and_may_be_asked_again() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let passed = Some(Deadline(tokio::time::Instant::now()));
    let late = partition.submit_before(confirm("a"), meta("r1", 1), passed);
    let late = late.await.expect_err("no time is left");
    assert!(matches!(late, SubmitError::DeadlinePassed), "{late}");
    assert!(late.to_string().contains("same request id"), "{late}");
    assert_eq!(log.last_position(), Position::ZERO, "nothing was recorded");
    let again = partition.submit(confirm("a"), meta("r1", 1)).await;
    assert!(!again.expect("accepted").repeated);
    stop(writer).await;
}

#[tokio::test]
async fn a_request_that_found_nothing_to_do_is_remembered_too() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let first = partition
        .submit(confirm("nothing"), meta("r1", 1))
        .await
        .expect("accepted");
    assert!(first.records.is_empty());
    stop(writer).await;

    let (partition, writer) = start(&log);
    let again = partition
        .submit(confirm("nothing"), meta("r1", 1))
        .await
        .expect("answered again");
    assert!(again.repeated && again.records.is_empty());
    assert_eq!(again.position, first.position);
    let other = partition.submit(confirm("a"), meta("r1", 2)).await;
    assert!(matches!(
        other,
        Err(SubmitError::Refused(Refusal::RequestIdReused { .. }))
    ));
    stop(writer).await;
}

#[tokio::test]
async fn a_refusal_that_rests_on_a_lost_record_is_not_told() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    log.fail_next_append();
    // Both are polled before the writer can answer either, so that they may be
    // one group; as two groups the second finds the log closed.
    let (first, second) = tokio::join!(
        partition.submit(confirm("a"), meta("r1", 1)),
        partition.submit(confirm("b"), meta("r1", 2)),
    );
    assert!(first.is_err(), "{first:?}");
    assert!(
        matches!(second, Err(SubmitError::Log(_) | SubmitError::Stopped)),
        "{second:?}"
    );
    assert!(writer.ended().await.is_err());
}

#[tokio::test]
async fn every_record_says_how_many_of_its_command_follow() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let accepted = partition.submit(confirm("a"), meta("r1", 1)).await;
    let records = accepted.expect("accepted").records;
    stop(writer).await;
    let remaining: Vec<u32> = records.iter().map(|record| record.unit_remaining).collect();
    assert_eq!(remaining, [1, 0]);
    for (entry, record) in log
        .read(Position(1), 2)
        .expect("readable")
        .iter()
        .zip(records)
    {
        let raw = proto::record::decode(&entry.bytes).expect("a record");
        assert_eq!(raw.unit_remaining, record.unit_remaining);
        assert_eq!(proto::record::encode(&raw), entry.bytes, "canonical bytes");
    }
}

#[tokio::test]
async fn a_stale_revision_is_refused() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let mut stale = meta("r1", 1);
    stale.if_revision = Some(Revision(5));
    match partition.submit(confirm("a"), stale).await {
        Err(SubmitError::Refused(Refusal::RevisionMismatch { actual, .. })) => {
            assert_eq!(actual, Revision::ZERO);
        }
        other => panic!("{other:?}"),
    }
    let mut fresh = meta("r2", 1);
    fresh.if_revision = Some(Revision::ZERO);
    let accepted = partition.submit(confirm("a"), fresh).await;
    accepted.expect("the revision is right");
    stop(writer).await;
}

#[tokio::test]
async fn a_business_no_leaves_no_record() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let refused = partition.submit(confirm("no"), meta("r1", 1)).await;
    assert!(matches!(
        refused,
        Err(SubmitError::Refused(Refusal::Rejected(No(_))))
    ));
    assert_eq!(log.last_position(), Position::ZERO);
    stop(writer).await;
}

#[tokio::test]
async fn an_event_too_large_is_refused_whole() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let refused = partition
        .submit(confirm(&"x".repeat(70_000)), meta("r1", 1))
        .await;
    assert!(matches!(
        refused,
        Err(SubmitError::Refused(Refusal::TooLarge { .. }))
    ));
    assert_eq!(log.last_position(), Position::ZERO);
    stop(writer).await;
}

#[tokio::test]
async fn a_foreign_fact_is_taken_in_once_and_a_rejection_is_recorded() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let source = decider::Source {
        service: Service::Inventory,
        partition: 0,
        position: Position(9),
    };
    let event: OrderEvent = OrderReady {
        order_id: "a".to_owned(),
    }
    .into();
    let foreign = Recorded {
        position: Position(9),
        event_id: String::new(),
        stream: StreamId::new("order", "a"),
        revision: Revision(1),
        area: area(),
        occurred: START,
        recorded: START,
        actor: Actor::system("inventory"),
        cause: decider::Cause::Timer { due: START },
        correlation_id: "c".to_owned(),
        traceparent: String::new(),
        unit_remaining: 0,
        event: AnyEvent::Order(event),
    };
    for _ in 0..2 {
        partition
            .take_in(
                source,
                foreign.clone(),
                "x.OrderReady".into(),
                String::new(),
            )
            .await
            .expect("queued");
    }
    // Behind both in no queue but the clock's: wait for the position instead.
    let (confirmed, position) = partition
        .query(Position(3), |machine| machine.state().confirmed.clone())
        .await
        .expect("reached");
    assert_eq!(confirmed, ["a"]);
    assert_eq!(position, Position(3), "a rejection and two events");
    assert_eq!(partition.cursor(Service::Inventory), Position(9));
    stop(writer).await;
    let rejected = log.read(Position(1), 1).expect("readable");
    let raw = proto::record::decode(&rejected[0].bytes).expect("a record");
    assert_eq!(raw.event.short_name(), "ReactionRejected");

    let (machine, _) = replay::<Toy>(&*log, 0, None).expect("readable");
    assert_eq!(machine.cursor(Service::Inventory), Position(9));
}

#[tokio::test]
async fn timers_fire_in_order_as_the_test_clock_is_advanced() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    for id in ["late-1", "late-2"] {
        let accepted = partition.submit(confirm(id), meta(id, 1)).await;
        accepted.expect("accepted");
    }
    let to = START.plus_minutes(5);
    let (now, fired) = partition.advance_clock(to).await.expect("a test clock");
    assert_eq!((now, fired), (to, 2));
    let last = log.last_position();
    stop(writer).await;
    let entries = log.read(Position(5), 10).expect("readable");
    let times: Vec<_> = entries
        .iter()
        .map(|entry| {
            proto::record::decode(&entry.bytes)
                .expect("a record")
                .recorded
        })
        .collect();
    assert_eq!(times, [START.plus_minutes(1), START.plus_minutes(1), to]);

    // The clock goes on from where it stood.
    let (partition, writer) = start(&log);
    assert_eq!(partition.clock().now(), to);
    assert_eq!(log.last_position(), last);
    stop(writer).await;
}

#[tokio::test]
async fn the_past_can_be_asked_by_position_and_by_time() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let accepted = partition.submit(confirm("a"), meta("r1", 1)).await;
    accepted.expect("accepted");
    partition
        .advance_clock(START.plus_minutes(10))
        .await
        .expect("a test clock");
    let accepted = partition.submit(confirm("b"), meta("r2", 1)).await;
    accepted.expect("accepted");
    let look = |machine: &Machine<Toy>, _| machine.state().confirmed.len();
    for (moment, expected) in [
        (AsOf::Position(Position(2)), 1),
        (AsOf::Time(START.plus_minutes(9)), 1),
        (AsOf::Position(Position(5)), 2),
        (AsOf::Time(START.plus_minutes(11)), 2),
        (AsOf::Position(Position::ZERO), 0),
    ] {
        let (count, _) = partition.query_as_of(moment, look).await.expect("a past");
        assert_eq!(count, expected, "{moment:?}");
    }
    let future = partition
        .query_as_of(AsOf::Position(Position(99)), look)
        .await;
    assert!(future.is_err(), "position 99 is not recorded");
    stop(writer).await;
}

#[tokio::test]
async fn a_query_waits_for_its_position_and_says_so_when_it_does_not_come() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let error = partition
        .query(Position(1), |_| ())
        .await
        .expect_err("nothing is recorded");
    assert!(error.to_string().contains("position 0"), "{error}");
    stop(writer).await;
}

#[tokio::test]
async fn a_failed_append_answers_nobody_and_ends_the_writer() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    log.fail_next_append();
    let refused = partition.submit(confirm("a"), meta("r1", 1)).await;
    assert!(matches!(refused, Err(SubmitError::Log(_))), "{refused:?}");
    assert!(writer.ended().await.is_err());
    let after = partition.submit(confirm("b"), meta("r2", 1)).await;
    assert!(matches!(after, Err(SubmitError::Stopped)), "{after:?}");
}

#[tokio::test]
async fn a_full_queue_refuses_instead_of_growing() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start_with(&log, 4);
    let calls = (0..200).map(|n| {
        let id = format!("c{n}");
        let partition = partition.clone();
        async move {
            let command = confirm(&id);
            partition.submit(command, meta(&id, 1)).await
        }
    });
    // All are polled once before any can be answered: the runtime is this
    // thread's alone.
    let answers = futures::future::join_all(calls).await;
    let full = answers
        .iter()
        .filter(|answer| matches!(answer, Err(SubmitError::QueueFull { .. })))
        .count();
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(full + accepted, 200);
    assert!(full > 0, "the queue holds four");
    assert_eq!(log.last_position().0, 2 * accepted as u64);
    stop(writer).await;
}

#[tokio::test]
async fn what_was_queued_before_the_end_is_still_carried_out() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let id = format!("c{n}");
            let partition = partition.clone();
            tokio::spawn(async move { partition.submit(confirm(&id), meta(&id, 1)).await })
        })
        .collect();
    for call in calls {
        let answer = call.await.expect("no panic");
        answer.expect("accepted");
    }
    stop(writer).await;
    assert_eq!(log.last_position(), Position(40));
}
