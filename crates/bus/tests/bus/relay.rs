//! The relay keeps the stream equal to the log, whatever happens to the server.

use std::sync::Arc;

use bus::server::{NatsServer, ServerOptions};
use bus::{Bus, BusError, OutMessage, Outbox, Relay};
use tokio_util::sync::CancellationToken;

use crate::support::{Log, RunningRelay, Site, assert_replica, bus_at, order, soon};

#[tokio::test]
async fn message_k_is_record_k() {
    let site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", 1000);
    let mut relay = RunningRelay::start(&bus, &log);
    relay.wait_for(1000).await;
    log.append("we", 500);
    relay.wait_for(1500).await;
    relay.finish().await.unwrap();
    assert_replica(&bus, "we", 1500).await;
}

#[tokio::test]
async fn subject_and_headers_arrive_as_given() {
    let site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", 3);
    RunningRelay::start(&bus, &log).wait_for(3).await;
    let sent = log.read(2, 1).unwrap().remove(0);
    let got = bus.read(&order(), 2, 1).await.unwrap().remove(0);
    assert_eq!((got.subject, got.headers), (sent.subject, sent.headers));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_the_server_in_mid_stream_leaves_no_trace() {
    const COUNT: u64 = 12_000;
    let mut site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", COUNT / 2);
    let mut relay = RunningRelay::start(&bus, &log);
    for kill_after in [1000, 4000, 8000] {
        relay.wait_for(kill_after).await;
        site.server.kill();
        log.append("we", COUNT / 6);
        site.server.restart().unwrap();
    }
    relay.wait_for(COUNT).await;
    relay.finish().await.unwrap();
    assert_replica(&bus, "we", COUNT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_may_come_later() {
    let port = {
        let site = Site::start();
        site.server.port()
    };
    let bus = bus_at(&format!("nats://127.0.0.1:{port}")).await;
    assert!(!bus.is_connected());
    let log = Log::of("we", 10);
    let mut relay = RunningRelay::start(&bus, &log);
    let dir = tempfile::tempdir().unwrap();
    let _server = NatsServer::start(ServerOptions {
        port: Some(port),
        store_dir: dir.path().to_owned(),
        ..ServerOptions::default()
    })
    .unwrap();
    relay.wait_for(10).await;
    assert!(bus.is_connected());
    assert_replica(&bus, "we", 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_store_is_filled_again_from_the_log() {
    let mut site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", 3000);
    let mut relay = RunningRelay::start(&bus, &log);
    relay.wait_for(3000).await;
    site.wipe();
    log.append("we", 1);
    relay.wait_for(3001).await;
    assert_replica(&bus, "we", 3001).await;
}

#[tokio::test]
async fn a_relay_goes_on_where_the_one_before_it_ended() {
    let site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", 700);
    RunningRelay::start(&bus, &log).finish().await.unwrap();
    assert_replica(&bus, "we", 700).await;
    log.append("we", 700);
    RunningRelay::start(&bus, &log).finish().await.unwrap();
    assert_replica(&bus, "we", 1400).await;
}

#[tokio::test]
async fn a_writer_with_another_history_is_fenced() {
    let site = Site::start();
    let bus = site.bus().await;
    RunningRelay::start(&bus, &Log::of("we", 100))
        .finish()
        .await
        .unwrap();
    let stale = RunningRelay::start(&bus, &Log::of("they", 200));
    let error = stale.ended().await.unwrap_err();
    assert!(matches!(&error, BusError::Fenced { stream, position: 100 }
        if stream == "BAOGONG_ORDER_0"));
    assert_replica(&bus, "we", 100).await;
}

#[tokio::test]
async fn a_writer_with_an_old_copy_of_the_log_is_fenced() {
    let site = Site::start();
    let bus = site.bus().await;
    RunningRelay::start(&bus, &Log::of("we", 100))
        .finish()
        .await
        .unwrap();
    let stale = RunningRelay::start(&bus, &Log::of("we", 60));
    let error = stale.ended().await.unwrap_err();
    assert!(matches!(error, BusError::Fenced { position: 61, .. }));
}

#[tokio::test]
async fn of_two_live_writers_one_is_fenced_at_the_first_difference() {
    let site = Site::start();
    let bus = site.bus().await;
    let (left, right) = (Log::of("we", 50), Log::of("we", 50));
    let mut one = RunningRelay::start(&bus, &left);
    let two = RunningRelay::start(&site.bus().await, &right);
    one.wait_for(50).await;
    left.append("left", 30);
    one.wait_for(80).await;
    right.append("right", 1);
    let error = two.ended().await.unwrap_err();
    assert!(
        matches!(error, BusError::Fenced { position: 51, .. }),
        "{error}"
    );
    left.append("left", 30);
    one.finish().await.unwrap();
    assert_eq!(same_as(&bus, &left).await, 110);
}

#[tokio::test]
async fn what_was_acknowledged_to_a_writer_is_in_the_stream_whoever_else_writes() {
    let site = Site::start();
    let bus = site.bus().await;
    let (left, right) = (Log::of("we", 50), Log::of("we", 50));
    let mut one = RunningRelay::start(&bus, &left);
    let mut two = RunningRelay::start(&site.bus().await, &right);
    one.wait_for(50).await;
    two.wait_for(50).await;
    left.append("left", 3000);
    right.append("right", 4000);
    // At least one meets what the other has written.
    tokio::select! {
        ended = &mut one.task => assert!(matches!(ended.unwrap(), Err(BusError::Fenced { .. }))),
        ended = &mut two.task => assert!(matches!(ended.unwrap(), Err(BusError::Fenced { .. }))),
    }
    one.cancel.cancel();
    two.cancel.cancel();
    for (relay, log) in [(&one, &left), (&two, &right)] {
        let acknowledged = *relay.acknowledged.borrow();
        assert!(same_as(&bus, log).await >= acknowledged);
    }
}

/// Number of the stream's first messages that are the log's first records.
async fn same_as(bus: &Bus, log: &Log) -> u64 {
    let stored = bus.read(&order(), 1, usize::MAX).await.unwrap();
    let logged = log.read(1, usize::MAX).unwrap();
    let pairs = stored.iter().zip(&logged);
    pairs.take_while(|(m, r)| m.payload == r.payload).count() as u64
}

#[tokio::test]
async fn two_relays_of_one_log_do_no_harm() {
    let site = Site::start();
    let log = Log::of("we", 2000);
    let one = RunningRelay::start(&site.bus().await, &log);
    let two = RunningRelay::start(&site.bus().await, &log);
    one.finish().await.unwrap();
    two.finish().await.unwrap();
    assert_replica(&site.bus().await, "we", 2000).await;
}

/// A log whose first record is read by two relays at the same time, so that
/// both have seen the stream empty when either publishes.
struct Together(Arc<Log>, Arc<std::sync::Barrier>, std::sync::Once);

impl Together {
    fn pair(left: &Arc<Log>, right: &Arc<Log>) -> [Arc<Self>; 2] {
        let barrier = Arc::new(std::sync::Barrier::new(2));
        [left, right].map(|log| {
            let once = std::sync::Once::new();
            Arc::new(Self(Arc::clone(log), Arc::clone(&barrier), once))
        })
    }
}

impl Outbox for Together {
    fn read(&self, from: u64, limit: usize) -> Result<Vec<OutMessage>, bus::BoxError> {
        self.2.call_once(|| {
            tokio::task::block_in_place(|| self.1.wait());
        });
        self.0.read(from, limit)
    }
    fn last_position(&self) -> u64 {
        self.0.last_position()
    }
    fn wait_past(&self, position: u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.wait_past(position)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_that_both_find_the_stream_empty_write_its_first_message_once() {
    let site = Site::start();
    let bus = site.bus().await;
    let log = Log::of("we", 50);
    let [one, two] = Together::pair(&log, &log);
    let one = RunningRelay::start(&bus, &one);
    let two = RunningRelay::start(&site.bus().await, &two);
    one.finish().await.unwrap();
    two.finish().await.unwrap();
    assert_replica(&bus, "we", 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_histories_that_begin_at_once_one_is_fenced_at_its_first_record() {
    let site = Site::start();
    let bus = site.bus().await;
    let logs = [Log::of("left", 50), Log::of("right", 50)];
    let [one, two] = Together::pair(&logs[0], &logs[1]);
    let one = RunningRelay::start(&bus, &one);
    let two = RunningRelay::start(&site.bus().await, &two);
    let ended = [one.finish().await, two.finish().await];
    let fenced = ended.iter().position(Result::is_err).unwrap();
    assert!(
        matches!(&ended[fenced], Err(BusError::Fenced { position: 1, .. })),
        "{ended:?}"
    );
    assert!(ended[1 - fenced].is_ok(), "{ended:?}");
    assert_replica(&bus, ["right", "left"][fenced], 50).await;
}

#[tokio::test]
async fn cancelling_publishes_what_the_log_holds_first() {
    let site = Site::start();
    let bus = site.bus().await;
    let relay = RunningRelay::start(&bus, &Log::of("we", 5000));
    relay.finish().await.unwrap();
    assert_replica(&bus, "we", 5000).await;
}

#[tokio::test]
async fn what_cannot_be_published_ends_the_relay_with_its_position() {
    struct Elsewhere(Arc<Log>);
    impl Outbox for Elsewhere {
        fn read(&self, from: u64, limit: usize) -> Result<Vec<OutMessage>, bus::BoxError> {
            let mut records = self.0.read(from, limit)?;
            for record in records.iter_mut().filter(|r| r.position == 3) {
                record.subject = "baogong.inventory.0.632725100.LotReceived".into();
            }
            Ok(records)
        }
        fn last_position(&self) -> u64 {
            self.0.last_position()
        }
        fn wait_past(
            &self,
            position: u64,
        ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            self.0.wait_past(position)
        }
    }
    let site = Site::start();
    let outbox = Arc::new(Elsewhere(Log::of("we", 5)));
    let (relay, _) = Relay::new(site.bus().await, order(), outbox);
    let ended = soon("end", relay.run(CancellationToken::new())).await;
    assert!(matches!(ended, Err(BusError::Outbox { position: 3, .. })));
}
