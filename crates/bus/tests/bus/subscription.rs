//! Subscriptions yield every message from their position on, once, in order.

use bus::{Bus, BusError, Subscription};
use futures::FutureExt;

use crate::support::{Log, RunningRelay, Site, assert_continues, order, publish_with_hole, soon};

/// Takes messages up to `last` and checks that each continues the one before.
async fn follow(subscription: &mut Subscription, last: u64) {
    let mut expected = subscription.position();
    while expected <= last {
        let batch = soon("messages", subscription.next()).await.unwrap();
        assert!((1..=512).contains(&batch.len()));
        assert_continues(&batch, "we", expected);
        expected += batch.len() as u64;
    }
    assert_eq!(subscription.position(), expected);
}

async fn published(bus: &Bus, count: u64) -> RunningRelay {
    let mut relay = RunningRelay::start(bus, &Log::of("we", count));
    relay.wait_for(count).await;
    relay
}

#[tokio::test]
async fn begins_at_its_position_and_goes_on_with_what_comes() {
    let site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", 2000);
    let mut relay = RunningRelay::start(&bus, &log);
    relay.wait_for(2000).await;
    let mut subscription = bus.subscribe(order(), 1234);
    follow(&mut subscription, 2000).await;
    log.append("we", 1000);
    follow(&mut subscription, 3000).await;
}

#[tokio::test]
async fn may_begin_before_the_stream_exists() {
    let site = Site::start();
    let bus = site.bus().await;
    let mut subscription = bus.subscribe(order(), 1);
    let mut first = Box::pin(subscription.next());
    let none_yet = tokio::time::timeout(std::time::Duration::from_millis(300), &mut first).await;
    assert!(none_yet.is_err());
    let _relay = published(&bus, 10).await;
    let batch = soon("the first messages", first).await.unwrap();
    assert_continues(&batch, "we", 1);
}

#[tokio::test]
async fn may_begin_at_the_end_of_the_stream() {
    let site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", 10);
    let mut relay = RunningRelay::start(&bus, &log);
    relay.wait_for(10).await;
    let mut subscription = bus.subscribe(order(), 11);
    assert!(subscription.next().now_or_never().is_none());
    log.append("we", 5);
    follow(&mut subscription, 15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survives_kill_9_of_the_server() {
    let mut site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", 3000);
    let _relay = RunningRelay::start(&bus, &log);
    let mut subscription = bus.subscribe(order(), 1);
    for round in 1..=3 {
        follow(&mut subscription, round * 2000 - 1000).await;
        site.server.kill();
        log.append("we", 1000);
        site.server.restart().unwrap();
    }
    follow(&mut subscription, 6000).await;
}

#[tokio::test]
async fn waits_where_a_lost_stream_is_being_filled_again() {
    let mut site = Site::start();
    let bus = site.bus().await;
    let relay = published(&bus, 100).await;
    let mut subscription = bus.subscribe(order(), 1);
    follow(&mut subscription, 100).await;
    relay.finish().await.unwrap();
    site.wipe();
    let _relay = published(&bus, 40).await;
    assert!(subscription.next().now_or_never().is_none());
    let log = Log::of("we", 130);
    let _relay = RunningRelay::start(&bus, &log);
    // Position 101 comes next, and 1 to 100 do not come again.
    follow(&mut subscription, 130).await;
}

#[tokio::test]
async fn dropping_a_pending_call_loses_nothing() {
    let site = Site::start();
    let bus = site.bus().await;
    let _relay = published(&bus, 3000).await;
    let mut subscription = bus.subscribe(order(), 1);
    let mut expected = 1;
    while expected <= 3000 {
        let Some(batch) = subscription.next().now_or_never() else {
            tokio::task::yield_now().await;
            // Long enough for an attempt to get somewhere, mostly too short to succeed.
            let hasty = std::time::Duration::from_millis(expected % 3 + 1);
            if let Ok(batch) = tokio::time::timeout(hasty, subscription.next()).await {
                let batch = batch.unwrap();
                assert_continues(&batch, "we", expected);
                expected += batch.len() as u64;
            }
            continue;
        };
        let batch = batch.unwrap();
        assert_continues(&batch, "we", expected);
        expected += batch.len() as u64;
    }
}

#[tokio::test]
async fn a_message_that_the_stream_lacks_is_reported() {
    let site = Site::start();
    publish_with_hole(&site, 6, 4).await;
    let mut subscription = site.bus().await.subscribe(order(), 1);
    follow(&mut subscription, 3).await;
    for _ in 0..2 {
        let error = soon("the gap", subscription.next()).await.unwrap_err();
        assert!(matches!(
            error,
            BusError::Gap {
                expected: 4,
                got: 5
            }
        ));
    }
}
