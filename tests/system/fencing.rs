//! Two processes on one partition: each has a data directory of its own, and
//! they share the stream.

use std::{fs, path::Path};

use system_tests::{Service, Suite, goods};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// A suite with ten products, and a second process on a copy of its data.
async fn two_writers(durability: &str) -> (Suite, Service, goods::Acknowledged) {
    let extra = [("BAOGONG_SERVICE__DURABILITY", durability.to_owned())];
    let mut suite = Suite::start_only(&["inventory"], &extra).expect("a suite");
    let first = &mut suite.services[0];
    let mut acknowledged = goods::define_all(first.grpc, "first", 10)
        .await
        .expect("acknowledged");
    assert!(first.terminate().expect("waited for"));
    let elsewhere = suite.directory.path().join("elsewhere");
    copy(&suite.data(), &elsewhere.join("data"));
    let first = &mut suite.services[0];
    first.launch().expect("started again");
    first.wait_ready().expect("ready again");
    let mut second = first.twin(&elsewhere).expect("ports");
    second.launch().expect("started");
    second.wait_ready().expect("ready");
    // The second one does not know of these.
    let more = goods::define_all(first.grpc, "more", 10).await;
    acknowledged.extend(more.expect("acknowledged"));
    (suite, second, acknowledged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stale_one_of_two_writers_acknowledges_nothing_and_stops() {
    let (suite, mut stale, mut acknowledged) = two_writers("replicated").await;
    let refused = goods::define(goods::channel(stale.grpc), "stale").await;
    let refused = refused.expect_err("never acknowledged");
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    let said = stale.wait_ended().expect("it stops");
    assert!(
        said.contains("another writer holds this partition"),
        "{said}"
    );

    // The other one goes on, and the same request can be made there.
    let address = suite.services[0].grpc;
    let channel = goods::channel(address);
    let position = goods::define(channel, "stale").await.expect("acknowledged");
    acknowledged.insert("stale".to_owned(), position);
    let log = goods::log_of(address).await.expect("the log");
    goods::check(&acknowledged, &log).expect("none lost, none twice");
    let stream = goods::stream_of(&suite.nats.url(), "inventory", log.len()).await;
    assert!(stream.expect("the stream") == log, "message k is record k");

    // Started again it finds what it wrote, and names the position.
    stale.launch().expect("started");
    let said = stale.wait_ended().expect("it does not start");
    let first_own = acknowledged["first-9"] + 1;
    let named = format!("hold different records at position {first_own}:");
    assert!(said.contains(&named), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_on_both_what_was_acknowledged_is_in_the_stream() {
    let (suite, mut second, _) = two_writers("replicated").await;
    let mut lists = Vec::new();
    for (address, prefix) in [(suite.services[0].grpc, "left"), (second.grpc, "right")] {
        lists.push(tokio::spawn(async move {
            let channel = goods::channel(address);
            let mut acknowledged = goods::Acknowledged::new();
            for n in 0..200 {
                let product = format!("{prefix}-{n}");
                // The first error is the end of a fenced process.
                match goods::define(channel.clone(), &product).await {
                    Ok(position) => acknowledged.insert(product, position),
                    Err(_) => break,
                };
            }
            acknowledged
        }));
    }
    let mut acknowledged = goods::Acknowledged::new();
    for list in lists {
        acknowledged.extend(list.await.expect("no panic"));
    }
    second.wait_ended().expect("the second one stops");
    let last = acknowledged.values().copied().max().unwrap_or_default();
    let last = usize::try_from(last).expect("a position");
    let stream = goods::stream_of(&suite.nats.url(), "inventory", last).await;
    goods::check(&acknowledged, &stream.expect("the stream")).expect("none lost, none twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_local_durability_the_stale_one_stops_at_its_first_own_record() {
    let (suite, mut stale, acknowledged) = two_writers("local").await;
    // Whether this one is answered is a race that the disk wins at times: the
    // record is on the stale one's disk and nowhere else.
    let _ = goods::define(goods::channel(stale.grpc), "stale").await;
    let said = stale.wait_ended().expect("it stops");
    assert!(
        said.contains("another writer holds this partition"),
        "{said}"
    );
    let log = goods::log_of(suite.services[0].grpc)
        .await
        .expect("the log");
    goods::check(&acknowledged, &log).expect("none lost, none twice");
}
