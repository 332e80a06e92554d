//! A follower gets every record once and in order, and one who takes nothing
//! makes the service read one part and no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use decider::Position;
use futures::StreamExt;
use service_kit::{
    follow::{Entry, Follower, Parts, follow, tail},
    partition::{Kept, Partition},
};
use tokio_util::sync::CancellationToken;

use crate::{
    history::History,
    toy::{Toy, confirm, meta, start_machine, stop},
};

/// Commands of the past, so many that their records are read in several parts.
const PAST: usize = 1000;
/// More records than one part has, and much fewer than the past.
const FEW: u64 = 512;

#[derive(Debug, PartialEq)]
enum Told {
    Record(u64),
    UpTo(u64),
}

/// Tells every position, and counts those that it was shown.
struct Positions {
    shown: Arc<AtomicU64>,
}

impl Follower<Toy> for Positions {
    type Message = Told;

    fn message(&mut self, _: &Partition<Toy>, entry: &Entry) -> Option<Told> {
        self.shown.fetch_add(1, Ordering::Relaxed);
        Some(Told::Record(entry.position.0))
    }

    fn heartbeat(&mut self, at: Position) -> Told {
        Told::UpTo(at.0)
    }
}

async fn next(parts: &mut Parts<Told>) -> Told {
    let next = tokio::time::timeout(Duration::from_secs(20), parts.next()).await;
    let next = next.expect("told in time").expect("not at its end");
    next.expect("no error")
}

#[tokio::test]
async fn a_follower_is_read_for_only_as_far_as_he_takes() {
    let mut history = History::new();
    for i in 0..PAST {
        history.request(&format!("o{i}"), &format!("r{i}"));
    }
    let (partition, writer) = start_machine(&history.log, history.machine, 64, Kept::default());
    let end = partition.released().borrow().0;
    assert!(end > FEW * 2, "{end}");
    let (tail, reader) = tail::tail(partition.clone(), |_| true);
    let reading = tokio::spawn(reader.run());

    let shown = Arc::new(AtomicU64::new(0));
    let follower = Positions {
        shown: Arc::clone(&shown),
    };
    let ended = CancellationToken::new();
    let mut told = follow(&partition, &tail, Position(0), follower, ended.clone());
    assert_eq!(next(&mut told).await, Told::UpTo(0));
    assert_eq!(next(&mut told).await, Told::Record(1));
    // Time enough to read all of it, were it read ahead.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ahead = shown.load(Ordering::Relaxed);
    assert!(
        ahead <= FEW,
        "{ahead} records were read for one that was taken"
    );

    for position in 2..=end {
        assert_eq!(next(&mut told).await, Told::Record(position));
    }
    let (command, meta) = (confirm("new"), meta("new", 1));
    partition.submit(command, meta).await.expect("accepted");
    assert_eq!(next(&mut told).await, Told::Record(end + 1));
    assert_eq!(next(&mut told).await, Told::Record(end + 2));
    assert_eq!(shown.load(Ordering::Relaxed), end + 2, "each once");

    ended.cancel();
    let last = told.next().await.expect("an outcome");
    assert_eq!(last.expect_err("cut").code(), tonic::Code::Unavailable);
    stop(writer).await;
    drop(partition);
    reading.abort();
}
