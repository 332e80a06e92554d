//! Subscriptions: catch-up, then live, each record once and in order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use decider::Position;
use event_log::{
    CHUNK_RECORDS, EventLog, MemoryLog, SledLog, SledOptions, Subscription, Unit, subscribe,
};

fn logs() -> (tempfile::TempDir, [Arc<dyn EventLog>; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let options = SledOptions {
        sync: false,
        ..SledOptions::new(dir.path())
    };
    let (log, _) = SledLog::open(options).unwrap();
    (dir, [Arc::new(log), Arc::new(MemoryLog::new())])
}

/// A unit of `n` records, each its own position as text.
fn numbered(first: u64, n: u64) -> Unit {
    (first..first + n)
        .map(|position| Bytes::from(position.to_string()))
        .collect()
}

async fn expect(subscription: &mut Subscription, positions: std::ops::RangeInclusive<u64>) {
    let mut wanted = *positions.start();
    while wanted <= *positions.end() {
        let entries = subscription.next().await.unwrap();
        assert!((1..=CHUNK_RECORDS).contains(&entries.len()));
        for entry in entries {
            assert_eq!(entry.position, Position(wanted));
            assert_eq!(entry.bytes, wanted.to_string());
            wanted += 1;
        }
        assert_eq!(subscription.position(), Position(wanted - 1));
    }
}

#[tokio::test]
async fn catches_up_in_bounded_chunks_and_goes_on_with_concurrent_appends() {
    let (_dir, logs) = logs();
    for log in logs {
        for group in 0..3 {
            log.append(vec![numbered(group * 700 + 1, 700)]).unwrap();
        }
        let mut subscription = subscribe(Arc::clone(&log), Position(5));
        assert_eq!(subscription.position(), Position(4));
        let writer = tokio::task::spawn_blocking(move || {
            for n in 2101..2400 {
                log.append(vec![numbered(n, 1)]).unwrap();
            }
        });
        expect(&mut subscription, 5..=2399).await;
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn waits_for_a_position_that_lies_ahead() {
    let (_dir, logs) = logs();
    for log in logs {
        let mut subscription = subscribe(Arc::clone(&log), Position(3));
        log.append(vec![numbered(1, 2)]).unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(20), subscription.next());
        assert!(waiting.await.is_err(), "nothing wanted is there yet");
        log.append(vec![numbered(3, 2)]).unwrap();
        expect(&mut subscription, 3..=4).await;
    }
}

#[tokio::test]
async fn a_cancelled_wait_loses_nothing() {
    let (_dir, logs) = logs();
    for log in logs {
        let mut subscription = subscribe(Arc::clone(&log), Position::ZERO);
        for n in 1..=200 {
            log.append(vec![numbered(n, 1)]).unwrap();
            // Cancelled at whatever point the first poll leads to.
            tokio::select! {
                biased;
                entries = subscription.next() => {
                    assert_eq!(entries.unwrap().len(), 1);
                    assert_eq!(subscription.position(), Position(n));
                }
                () = std::future::ready(()) => {
                    assert_eq!(subscription.position(), Position(n - 1));
                    expect(&mut subscription, n..=n).await;
                }
            }
        }
    }
}
