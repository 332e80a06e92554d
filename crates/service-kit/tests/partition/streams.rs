//! One entity's records are all of them that are released, wherever the index
//! ends.

use std::{path::Path, sync::Arc};

use decider::{Position, Revision, StreamId};
use event_log::EventLog;
use proto::record;
use service_kit::partition::{
    Durability, Kept, Partition, QueryError,
    indexer::{self, Indexer},
    machine::Decision,
    replay,
    stream_reader::{StreamError, StreamReader},
};
use stream_index::StreamIndex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    history::{History, voiding},
    toy::{START, Toy, confirm, limits, meta, start_keeping, start_machine, stop},
};

/// What is read of a stream: positions, and whether each is void.
type Read = Vec<(u64, bool)>;

fn order(id: &str) -> StreamId {
    StreamId::new("order", id)
}

fn index_of(directory: &Path, history: &History) -> Arc<StreamIndex> {
    let index = indexer::open(directory, decider::Service::Order, 0, &*history.log);
    Arc::new(index.expect("a folder"))
}

/// Brings the index up to what the log has now, and not further.
fn take_in(index: &Arc<StreamIndex>, history: &History) {
    let log = Arc::clone(&history.log) as Arc<dyn EventLog>;
    Indexer::new(Arc::clone(index), log)
        .bring_up()
        .expect("added");
}

fn start(history: &History, index: &Arc<StreamIndex>) -> Partition<Toy> {
    let (machine, _) = replay::<Toy>(&*history.log, 0, None).expect("readable");
    let kept = Kept {
        index: Some(Arc::clone(index)),
        ..Kept::default()
    };
    start_machine(&history.log, machine, 64, kept).0
}

/// In parts of so many records.
fn all(mut reader: StreamReader, part: usize) -> Read {
    let mut read = Vec::new();
    loop {
        let records = reader.read(part).expect("readable");
        if records.is_empty() {
            return read;
        }
        read.extend(records.iter().map(|r| (r.entry.position.0, r.voided)));
    }
}

/// The same, by looking through the whole log.
fn searched(history: &History, stream: &StreamId, from: u64, end: u64, void: &[u64]) -> Read {
    let entries = history.log.read(Position(1), usize::MAX).expect("readable");
    let raws = entries
        .iter()
        .map(|e| record::decode(&e.bytes).expect("ours"));
    let own = raws.filter(|raw| raw.stream == *stream && raw.revision.0 >= from);
    own.filter(|raw| raw.position.0 <= end)
        .map(|raw| (raw.position.0, void.contains(&raw.position.0)))
        .collect()
}

/// Two orders in turn, and a command of which only the first record is left.
fn happen(history: &mut History, round: usize) {
    history.request("a", &format!("a{round}"));
    history.request("b", &format!("b{round}"));
    if round == 1 {
        let torn = history.decide("a", "torn");
        let Decision::Accepted(step) = torn else {
            panic!("refused")
        };
        history.tear(step, 1);
    }
    history.request("a", &format!("c{round}"));
}

#[tokio::test]
async fn wherever_the_index_ends_the_same_is_read() {
    for indexed_rounds in 0..=3 {
        let directory = tempfile::tempdir().expect("a directory");
        let mut history = History::new();
        let index = index_of(directory.path(), &history);
        for round in 0..3 {
            if round == indexed_rounds {
                take_in(&index, &history);
            }
            happen(&mut history, round);
        }
        if indexed_rounds == 3 {
            take_in(&index, &history);
        }
        let partition = start(&history, &index);
        let last = history.log.last_position().0;
        // The torso and its note are in the second round.
        let void = [11];
        for stream in [order("a"), order("b"), voiding()] {
            let whole = searched(&history, &stream, 1, last, &void);
            for from in 1..=whole.len() as u64 + 1 {
                for end in 1..=last {
                    let up_to = Some(Position(end));
                    let reader = partition.read_stream(stream.clone(), Revision(from), up_to);
                    let reader = reader.await.expect("there");
                    assert_eq!(reader.end(), Position(end));
                    // A torso whose note is further on has no end up to there.
                    let void = if end >= 12 { &void[..] } else { &[] };
                    let expected = searched(&history, &stream, from, end, void);
                    let part = 1 + usize::try_from(end).expect("small") % 4;
                    assert_eq!(all(reader, part), expected, "{stream} {from} {end}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_there_has_its_own_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    history.request("a", "r1");
    let index = index_of(directory.path(), &history);
    let partition = start(&history, &index);
    let read = async |id: &str, from, up_to: Option<u64>| {
        let up_to = up_to.map(Position);
        let reader = partition
            .read_stream(order(id), Revision(from), up_to)
            .await;
        reader.map(|reader| all(reader, 10))
    };
    assert_eq!(read("a", 3, None).await.expect("its end"), []);
    let beyond = read("a", 4, None).await.expect_err("beyond");
    assert!(matches!(beyond, StreamError::Beyond { .. }), "{beyond}");
    assert!(beyond.to_string().contains("revision 3"), "{beyond}");
    let unknown = read("x", 1, None).await.expect_err("unknown");
    assert!(matches!(unknown, StreamError::Unknown(_)), "{unknown}");
    // Neither does an id that another one begins with.
    assert!(read("", 1, None).await.is_err());
    let later = read("a", 1, Some(3)).await.expect_err("not recorded");
    let StreamError::Query(QueryError::NotRecorded { wanted, last }) = later else {
        panic!("{later}");
    };
    assert_eq!((wanted, last), (Position(3), Position(2)));
}

#[tokio::test]
async fn what_the_stream_does_not_hold_yet_is_not_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    history.request("a", "r1");
    history.request("b", "r2");
    history.request("a", "r3");
    let index = index_of(directory.path(), &history);
    take_in(&index, &history);
    let (machine, _) = replay::<Toy>(&*history.log, 0, None).expect("readable");
    let (stream, acknowledged) = watch::channel(2);
    let (partition, _writer, holding) = Partition::start_with(
        0,
        Arc::clone(&history.log) as Arc<dyn EventLog>,
        machine,
        Arc::new(service_kit::clock::Clock::test(START)),
        limits(64),
        Kept {
            index: Some(index),
            ..Kept::default()
        },
        Durability::Replicated {
            acknowledged,
            wait: std::time::Duration::from_secs(60),
        },
    )
    .expect("a thread");
    let holding = tokio::spawn(holding.run());
    let read = async |id: &str, from, up_to: Option<u64>| {
        let up_to = up_to.map(Position);
        let reader = partition
            .read_stream(order(id), Revision(from), up_to)
            .await;
        reader.map(|reader| (reader.end().0, all(reader, 10)))
    };
    let a = read("a", 1, None).await.expect("there");
    assert_eq!(a, (2, vec![(1, false), (2, false)]));
    assert!(matches!(
        read("b", 1, None).await,
        Err(StreamError::Unknown(_))
    ));
    assert!(matches!(
        read("a", 4, None).await,
        Err(StreamError::Beyond { .. })
    ));
    assert!(matches!(
        read("a", 1, Some(5)).await,
        Err(StreamError::Query(QueryError::NotReplicated { .. }))
    ));
    stream.send_replace(5);
    let a = read("a", 1, Some(5)).await.expect("acknowledged");
    assert_eq!(a, (5, vec![(1, false), (2, false), (5, false)]));
    holding.abort();
}

#[tokio::test]
async fn an_index_that_is_far_behind_is_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    let index = index_of(directory.path(), &history);
    // Two records each, one more than is looked through.
    for n in 0..=8192 {
        history.request(&format!("o{n}"), &format!("r{n}"));
    }
    let partition = start(&history, &index);
    let behind = partition.read_stream(order("o7"), Revision(0), None).await;
    let Err(StreamError::Behind { indexed, wanted }) = behind else {
        panic!("{behind:?}");
    };
    assert_eq!((indexed.0, wanted.0), (0, 16_386));
    take_in(&index, &history);
    let reader = partition.read_stream(order("o7"), Revision(0), None).await;
    let read = all(reader.expect("indexed"), 10);
    assert_eq!(read, [(15, false), (16, false)]);
}

#[tokio::test]
async fn an_index_that_points_at_other_records_is_not_believed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut other = History::new();
    other.request("a", "r1");
    let index = index_of(directory.path(), &other);
    take_in(&index, &other);
    let mut history = History::new();
    history.request("b", "r1");
    let partition = start(&history, &index);
    let reader = partition.read_stream(order("a"), Revision(1), None).await;
    let read = reader.expect("by the index").read(10);
    let error = read.expect_err("another stream's");
    assert!(matches!(error, QueryError::Indexer(_)), "{error:?}");
    assert!(error.to_string().contains("position 1: order/b"), "{error}");
}

#[tokio::test]
async fn what_is_recorded_while_a_stream_is_read_comes_with_the_next_reading() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    history.request("a", "r1");
    let index = index_of(directory.path(), &history);
    let partition = start(&history, &index);
    let reader = partition.read_stream(order("a"), Revision(1), None).await;
    let reader = reader.expect("there");
    let accepted = partition.submit(confirm("a"), meta("r2", 1)).await;
    accepted.expect("accepted");
    // Now the index has more than the reader looked through.
    take_in(&index, &history);
    assert_eq!(all(reader, 1), [(1, false), (2, false)]);
    let reader = partition.read_stream(order("a"), Revision(3), None).await;
    assert_eq!(all(reader.expect("there"), 1), [(3, false), (4, false)]);
}

#[tokio::test]
async fn a_reader_of_the_log_keeps_the_index_behind_it_until_it_is_stopped() {
    let directory = tempfile::tempdir().expect("a directory");
    let history = History::new();
    let index = index_of(directory.path(), &history);
    let kept = Kept {
        index: Some(Arc::clone(&index)),
        ..Kept::default()
    };
    let (partition, writer) = start_keeping(&history.log, 64, kept);
    let end = CancellationToken::new();
    let following = tokio::spawn(indexer::follow(partition.clone(), end.clone()));
    for (id, request) in [("a", "r1"), ("b", "r2"), ("a", "r3")] {
        let accepted = partition.submit(confirm(id), meta(request, 1)).await;
        accepted.expect("accepted");
    }
    stop(writer).await;
    end.cancel();
    following.await.expect("no panic").expect("a clean end");
    let positions = index.positions(&order("a"), Revision(0), 10);
    let positions: Vec<u64> = positions.expect("readable").iter().map(|p| p.0).collect();
    assert_eq!(positions, [1, 2, 5, 6]);
}
