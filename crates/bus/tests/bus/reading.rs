//! A long part of a stream is read ahead, once, in order.

use bus::{BusError, Reading};

use crate::support::{Log, RunningRelay, Site, order, payload, publish_with_hole, soon};

/// Reads up to `last` and checks that each message continues the one before.
async fn follow(reading: &mut Reading, mut from: u64, last: u64) -> u64 {
    while from <= last {
        let part = soon("messages", reading.next()).await.unwrap();
        assert!((1..=512).contains(&part.len()), "{} at once", part.len());
        for message in part {
            assert_eq!(message.sequence, from);
            assert_eq!(message.payload, payload("we", from));
            from += 1;
        }
    }
    from
}

#[tokio::test]
async fn all_that_was_asked_for_comes_and_then_nothing() {
    let site = Site::start();
    let bus = site.bus().await;
    let missing = soon("an answer", bus.read_on(&order(), 1, 10).next()).await;
    assert!(matches!(missing, Err(BusError::NoStream { .. })));
    let relay = RunningRelay::start(&bus, &Log::of("we", 3500));
    relay.finish().await.unwrap();
    for (from, to) in [(1, 3500), (0, 1), (700, 1300), (3500, 3500), (1, 1)] {
        let mut reading = bus.read_on(&order(), from, to);
        assert_eq!(follow(&mut reading, from.max(1), to).await, to + 1);
        assert_eq!(soon("the end", reading.next()).await.unwrap(), []);
    }
    let mut nothing = bus.read_on(&order(), 20, 10);
    assert_eq!(soon("the end", nothing.next()).await.unwrap(), []);
    let mut beyond = bus.read_on(&order(), 3400, 3600);
    follow(&mut beyond, 3400, 3500).await;
    assert_eq!(soon("the end", beyond.next()).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_when_the_server_was_killed() {
    let mut site = Site::start();
    let bus = site.bus().await;
    let relay = RunningRelay::start(&bus, &Log::of("we", 6000));
    relay.finish().await.unwrap();
    let mut reading = bus.read_on(&order(), 1, 6000);
    let mut next = 1;
    for round in 1..=3 {
        next = follow(&mut reading, next, round * 1500).await;
        site.server.kill();
        site.server.restart().unwrap();
        bus.wait_connected().await;
    }
    follow(&mut reading, next, 6000).await;
}

#[tokio::test]
async fn a_message_that_the_stream_lacks_is_left_out() {
    let site = Site::start();
    publish_with_hole(&site, 6, 4).await;
    let mut reading = site.bus().await.read_on(&order(), 1, 6);
    let mut read = Vec::new();
    while read.last() != Some(&6) {
        let part = soon("messages", reading.next()).await.unwrap();
        assert!(!part.is_empty(), "after {read:?}");
        read.extend(part.iter().map(|message| message.sequence));
    }
    assert_eq!(read, [1, 2, 3, 5, 6]);
}
