//! The whole disk is lost under load, several times, with `durability =
//! replicated`: nothing that was acknowledged is lost, and nothing is there
//! twice.

use system_tests::{
    Suite,
    goods::{self, Load},
};

const LOSSES: usize = 4;
const BETWEEN: usize = 150;

fn replicated() -> [(&'static str, String); 1] {
    [("BAOGONG_SERVICE__DURABILITY", "replicated".to_owned())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_the_loss_of_the_disk() {
    let mut suite = Suite::start_only(&["inventory"], &replicated()).expect("a suite");
    let address = suite.services[0].grpc;
    let load = Load::start(address);
    for _ in 0..LOSSES {
        load.more(BETWEEN).await.expect("acknowledged");
        suite.services[0].kill();
        std::fs::remove_dir_all(suite.data().join("inventory")).expect("removed");
        suite.services[0].launch().expect("started again");
        suite.wait_ready().expect("ready again");
    }
    load.more(BETWEEN).await.expect("acknowledged");
    let acknowledged = load.finish().await.expect("all were acknowledged");
    let log = goods::log_of(address).await.expect("the log");
    goods::check(&acknowledged, &log).expect("none lost, none twice");
    assert!(acknowledged.len() >= (LOSSES + 1) * BETWEEN);
    let said = suite.services[0].said();
    assert_eq!(said.matches("restored from the stream").count(), LOSSES);
    let stream = goods::stream_of(&suite.nats.url(), "inventory", log.len()).await;
    assert!(stream.expect("the stream") == log, "message k is record k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_nats_nobody_is_acknowledged_and_later_everybody_once() {
    let mut extra = replicated().to_vec();
    extra.push(("BAOGONG_SERVICE__REPLICATION_WAIT_MS", "300".to_owned()));
    let mut suite = Suite::start_only(&["inventory"], &extra).expect("a suite");
    let address = suite.services[0].grpc;
    let before = goods::define_all(address, "before", 3)
        .await
        .expect("acknowledged");
    suite.nats.kill();
    let channel = goods::channel(address);
    let refused = goods::define(channel.clone(), "away")
        .await
        .expect_err("no NATS");
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    assert!(refused.message().contains("same request id"), "{refused}");
    suite.nats.restart().expect("started again");
    suite.wait_ready().expect("ready again");
    // The first answer, from the record that was made while NATS was away.
    let load = Load::start(address);
    load.more(20).await.expect("acknowledged");
    let mut acknowledged = load.finish().await.expect("acknowledged");
    let position = goods::define(channel, "away")
        .await
        .expect("the first answer");
    acknowledged.insert("away".to_owned(), position);
    acknowledged.extend(before);
    let log = goods::log_of(address).await.expect("the log");
    goods::check(&acknowledged, &log).expect("none lost, none twice");
}
