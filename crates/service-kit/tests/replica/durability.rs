//! `durability = replicated`: what the stream does not hold is neither
//! acknowledged nor shown.

use std::{sync::Arc, time::Duration};

use decider::Position;
use event_log::{EventLog, MemoryLog};
use futures::FutureExt;
use service_kit::partition::{AsOf, Durability, Partition, QueryError, SubmitError};
use tokio::sync::watch;

use crate::{
    site::{Toy, meta, start},
    support::soon,
};

/// Long enough that a test never meets it by accident.
const LONG: Duration = Duration::from_secs(60);

fn replicated(wait: Duration) -> (watch::Sender<u64>, Durability) {
    let (stream, acknowledged) = watch::channel(0);
    let durability = Durability::Replicated { acknowledged, wait };
    (stream, durability)
}

fn running(
    log: &Arc<MemoryLog>,
    durability: Durability,
    queue: usize,
) -> (Partition<Toy>, service_kit::partition::WriterHandle) {
    let (partition, writer, holding) = start(log, durability, queue);
    tokio::spawn(holding.run());
    (partition, writer)
}

async fn recorded(log: &MemoryLog, position: u64) {
    let mut last = log.watch();
    let reached = last.wait_for(|last| last.0 >= position);
    soon("a record", reached).await.expect("a log");
}

#[tokio::test]
async fn an_answer_waits_for_the_stream_and_the_writer_does_not() {
    let log = Arc::new(MemoryLog::new());
    let (stream, durability) = replicated(LONG);
    let (partition, _writer) = running(&log, durability, 64);
    let submit = |id: &str| partition.submit(id.to_owned(), meta(id)).boxed();
    let (mut one, mut two, mut three) = (submit("a"), submit("b"), submit("c"));
    for (n, answer) in [&mut one, &mut two, &mut three].into_iter().enumerate() {
        assert!(answer.now_or_never().is_none());
        // The groups behind go on being recorded.
        recorded(&log, n as u64 + 1).await;
    }
    assert!((&mut one).now_or_never().is_none(), "on the disk only");
    stream.send_replace(2);
    assert_eq!(
        soon("one", one).await.expect("accepted").position,
        Position(1)
    );
    assert_eq!(
        soon("two", two).await.expect("accepted").position,
        Position(2)
    );
    assert!((&mut three).now_or_never().is_none());
    stream.send_replace(3);
    soon("three", three).await.expect("accepted");
}

#[tokio::test]
async fn without_the_stream_the_caller_asks_again_and_gets_the_first_answer() {
    let log = Arc::new(MemoryLog::new());
    let (stream, durability) = replicated(Duration::from_millis(50));
    let (partition, _writer) = running(&log, durability, 64);
    let refused = partition
        .submit("a".to_owned(), meta("r"))
        .await
        .expect_err("no stream");
    assert!(
        matches!(
            refused,
            SubmitError::NotReplicated {
                position: Position(1),
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(log.last_position(), Position(1), "recorded all the same");
    assert_eq!(partition.held(), 0, "nobody waits any more");
    stream.send_replace(1);
    let again = partition
        .submit("a".to_owned(), meta("r"))
        .await
        .expect("the first answer");
    assert!(again.repeated);
    assert_eq!(again.records.len(), 1);
    assert_eq!(log.last_position(), Position(1), "and once only");
}

#[tokio::test]
async fn a_refusal_waits_too_since_it_tells_what_was_recorded() {
    let log = Arc::new(MemoryLog::new());
    let (stream, durability) = replicated(LONG);
    let (partition, _writer) = running(&log, durability, 64);
    let mut first = partition.submit("a".to_owned(), meta("r1")).boxed();
    assert!((&mut first).now_or_never().is_none());
    recorded(&log, 1).await;
    let mut refused = partition.submit("a".to_owned(), meta("r2")).boxed();
    tokio::select! {
        biased;
        _ = &mut refused => panic!("told what the disk alone knows"),
        () = tokio::task::yield_now() => {}
    }
    stream.send_replace(1);
    soon("first", first).await.expect("accepted");
    let refused = soon("second", refused).await.expect_err("it is there");
    assert!(matches!(refused, SubmitError::Refused(_)), "{refused}");
}

#[tokio::test]
async fn queries_show_only_what_the_stream_holds() {
    let log = Arc::new(MemoryLog::new());
    let (stream, durability) = replicated(LONG);
    let (partition, _writer) = running(&log, durability, 64);
    let mut answer = partition.submit("a".to_owned(), meta("r")).boxed();
    assert!((&mut answer).now_or_never().is_none());
    recorded(&log, 1).await;
    let now = partition.query(Position::ZERO, |m| m.state().clone()).await;
    assert!(
        matches!(now, Err(QueryError::NotReplicated { .. })),
        "{now:?}"
    );
    for moment in [
        AsOf::Position(Position(1)),
        AsOf::Time(decider::Timestamp(i64::MAX)),
    ] {
        let past = partition
            .query_as_of(moment, |m, _| m.state().clone())
            .await;
        assert!(
            matches!(past, Err(QueryError::NotReplicated { .. })),
            "{past:?}"
        );
    }
    stream.send_replace(1);
    soon("answer", answer).await.expect("accepted");
    let (seen, at) = partition
        .query(Position(1), |m| m.state().clone())
        .await
        .expect("shown");
    assert_eq!((seen, at), (vec!["a".to_owned()], Position(1)));
}

#[tokio::test]
async fn while_nats_is_away_only_so_many_wait_and_more_are_refused_unrecorded() {
    let log = Arc::new(MemoryLog::new());
    let (_stream, durability) = replicated(LONG);
    let (partition, _writer) = running(&log, durability, 2);
    let mut waiting = Vec::new();
    for (n, id) in (1..).zip(["a", "b"]) {
        let mut answer = partition.submit(id.to_owned(), meta(id)).boxed();
        assert!((&mut answer).now_or_never().is_none());
        recorded(&log, n).await;
        waiting.push(answer);
    }
    // The answers reach the place where they wait a moment after the append.
    while partition.held() < 2 {
        tokio::task::yield_now().await;
    }
    let refused = partition.submit("c".to_owned(), meta("c")).await;
    assert!(
        matches!(refused, Err(SubmitError::ReplicaBehind { waiting: 2, .. })),
        "{refused:?}"
    );
    assert_eq!(log.last_position(), Position(2));
}

#[tokio::test]
async fn when_the_relay_ends_nobody_is_acknowledged() {
    let log = Arc::new(MemoryLog::new());
    let (stream, durability) = replicated(LONG);
    let (partition, _writer) = running(&log, durability, 64);
    let mut answer = partition.submit("a".to_owned(), meta("r")).boxed();
    assert!((&mut answer).now_or_never().is_none());
    recorded(&log, 1).await;
    // As when another writer holds the stream.
    drop(stream);
    let refused = soon("an end", answer)
        .await
        .expect_err("never acknowledged");
    assert!(matches!(refused, SubmitError::Stopped), "{refused}");
    let later = soon("an end", partition.submit("b".to_owned(), meta("b"))).await;
    assert!(matches!(later, Err(SubmitError::Stopped)), "{later:?}");
}
