//! Three servers, three copies of each message: members fail while a relay and
//! a reader are at work, and nobody has to do anything about it.

use bus::server::Cluster;
use bus::{Bus, BusOptions, Message};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::support::{Log, RunningRelay, assert_continues, assert_replica, order, soon};

const PIECE: u64 = 1000;

async fn bus(url: &str) -> Bus {
    let options = BusOptions {
        url: url.to_owned(),
        name: "test".into(),
        replicas: 3,
    };
    Bus::connect(options).await.unwrap()
}

/// Reads what will be there, from the first message on.
fn reader(bus: Bus, count: u64) -> JoinHandle<Vec<Message>> {
    tokio::spawn(async move {
        let mut subscription = bus.subscribe(order(), 1);
        let mut messages = Vec::new();
        while (messages.len() as u64) < count {
            messages.extend(subscription.next().await.unwrap());
        }
        messages
    })
}

async fn leader(bus: &Bus) -> String {
    let found = async {
        loop {
            if let Ok(Some(name)) = bus.stream_leader(&order()).await {
                return name;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("a leader", found).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_and_a_member_that_is_cut_off_leave_no_trace() {
    let dir = TempDir::new().unwrap();
    let mut cluster = Cluster::start(3, dir.path()).unwrap();
    let anywhere = bus(&cluster.url()).await;
    soon("the cluster", anywhere.ensure_stream(&order()))
        .await
        .unwrap();

    let log = Log::of("we", PIECE);
    let mut relay = RunningRelay::start(&bus(&cluster.url()).await, &log);
    let messages = reader(bus(&cluster.url()).await, 5 * PIECE);
    relay.wait_for(PIECE / 2).await;

    // The leader dies, and comes back while others lead.
    let name = leader(&anywhere).await;
    cluster.member(&name).unwrap().kill();
    log.append("we", PIECE);
    relay.wait_for(2 * PIECE).await;
    cluster.member(&name).unwrap().restart().unwrap();
    log.append("we", PIECE);
    relay.wait_for(3 * PIECE).await;

    // Another leader is there and says nothing.
    let name = leader(&anywhere).await;
    cluster.member(&name).unwrap().pause();
    log.append("we", PIECE);
    relay.wait_for(4 * PIECE).await;
    cluster.member(&name).unwrap().resume();
    log.append("we", PIECE);
    relay.wait_for(5 * PIECE).await;

    let messages = soon("the reader", messages).await.unwrap();
    assert_continues(&messages, "we", 1);
    assert_eq!(messages.len() as u64, 5 * PIECE);
    relay.finish().await.unwrap();
    assert_replica(&bus(&cluster.url()).await, "we", 5 * PIECE).await;
}
