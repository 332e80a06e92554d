//! Restoring as a person does it: directories and streams are deleted, and the
//! services started again.

use std::fs;

use bus::server::{NatsServer, ServerOptions};
use system_tests::{Suite, goods};

async fn with_products(count: usize) -> Suite {
    let suite = Suite::start_only(&["inventory"], &[]).expect("a suite");
    goods::define_all(suite.services[0].grpc, "p", count)
        .await
        .expect("acknowledged");
    suite
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_data_directory_comes_back_from_the_stream() {
    let mut suite = with_products(30).await;
    let address = suite.services[0].grpc;
    let before = goods::log_of(address).await.expect("the log");
    assert!(suite.services[0].terminate().expect("waited for"));
    fs::remove_dir_all(suite.data().join("inventory")).expect("removed");
    suite.services[0].launch().expect("started again");
    suite.wait_ready().expect("ready again");
    assert!(goods::log_of(address).await.expect("the log") == before);
    let said = suite.services[0].said();
    let restored = format!("{} records restored from the stream", before.len());
    assert!(said.contains(&restored), "{said}");
    // Requests of before are known.
    let again = goods::define_all(address, "p", 30).await.expect("repeated");
    goods::check(&again, &before).expect("the first answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_streams_come_back_from_the_logs() {
    let mut suite = with_products(30).await;
    let address = suite.services[0].grpc;
    // While the service runs.
    suite.nats.kill();
    fs::remove_dir_all(suite.nats_store()).expect("removed");
    suite.nats.restart().expect("started again");
    let log = goods::log_of(address).await.expect("the log");
    let url = suite.nats.url();
    let stream = goods::stream_of(&url, "inventory", log.len()).await;
    assert!(stream.expect("the stream") == log);
    // And while it is stopped.
    assert!(suite.services[0].terminate().expect("waited for"));
    suite.nats.stop();
    fs::remove_dir_all(suite.nats_store()).expect("removed");
    suite.nats.restart().expect("started again");
    suite.services[0].launch().expect("started again");
    suite.wait_ready().expect("ready again");
    let stream = goods::stream_of(&url, "inventory", log.len()).await;
    assert!(stream.expect("the stream") == log);
    let said = suite.services[0].said();
    let told = format!("the stream is at 0 and gets {} records", log.len());
    assert!(said.contains(&told), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_different_log_and_stream_the_first_position_is_named() {
    let mut suite = with_products(10).await;
    let common = goods::log_of(suite.services[0].grpc)
        .await
        .expect("the log")
        .len();
    assert!(suite.services[0].terminate().expect("waited for"));

    // Its log goes on in one way, with another NATS server ...
    let other = NatsServer::start(ServerOptions {
        store_dir: suite.directory.path().join("other"),
        ..ServerOptions::default()
    })
    .expect("a server");
    let elsewhere = suite.directory.path().join("elsewhere");
    let mut twin = suite.services[0].twin(&elsewhere).expect("ports");
    fs::create_dir_all(&elsewhere).expect("a directory");
    twin.launch().expect("started");
    twin.wait_ready().expect("restored");
    let service = &mut suite.services[0];
    service.set("NATS__URL", other.url());
    service.launch().expect("started");
    service.wait_ready().expect("ready");
    goods::define_all(service.grpc, "log", 3)
        .await
        .expect("acknowledged");
    assert!(service.terminate().expect("waited for"));
    // ... and its stream in another.
    goods::define_all(twin.grpc, "stream", 3)
        .await
        .expect("acknowledged");
    assert!(twin.terminate().expect("waited for"));

    service.set("NATS__URL", suite.nats.url());
    service.launch().expect("started");
    let said = service.wait_ended().expect("it does not start");
    let named = format!("hold different records at position {}:", common + 1);
    assert!(said.contains(&named), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_log_and_stream_are_lost_no_second_history_begins() {
    let mut suite = with_products(10).await;
    wait_for_note(&suite).await;
    assert!(suite.services[0].terminate().expect("waited for"));
    suite.nats.stop();
    fs::remove_dir_all(suite.data().join("inventory")).expect("removed");
    fs::remove_dir_all(suite.nats_store().join("$G/streams/BAOGONG_INVENTORY_0")).expect("removed");
    suite.nats.restart().expect("started again");
    suite.services[0].launch().expect("started");
    let said = suite.services[0].wait_ended().expect("it does not start");
    assert!(said.contains("this is a second history"), "{said}");
    assert!(said.contains("inventory itself has seen"), "{said}");
}

/// The owner notes every other second how far its stream has acknowledged.
async fn wait_for_note(suite: &Suite) {
    let bus = bus::Bus::connect(bus::BusOptions {
        url: suite.nats.url(),
        name: "system test".to_owned(),
        replicas: 1,
    })
    .await
    .expect("an address");
    let register = bus.register("BAOGONG_HISTORIES");
    let written = async {
        loop {
            let note = register.get("inventory.0.owner").await.ok().flatten();
            let note: serde_json::Value = note
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default();
            if note["acknowledged"]["position"].as_u64() >= Some(10) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, written).await.expect("a note");
}
