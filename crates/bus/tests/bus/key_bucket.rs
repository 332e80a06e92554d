//! Data keys are put once, read, and destroyed for good.

use std::path::Path;

use bus::BusError;
use bytes::Bytes;

use crate::support::{Site, soon};

const SECRET: &[u8] = b"the-data-key-of-one-household-0123456789";

/// Whether any file below `dir` contains `bytes`.
fn on_disk(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            on_disk(&path, bytes)
        } else {
            let content = std::fs::read(&path).unwrap_or_default();
            content.windows(bytes.len()).any(|window| window == bytes)
        }
    })
}

#[tokio::test]
async fn a_key_is_put_once() {
    let site = Site::start();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    assert_eq!(keys.get("household.G03-0501").await.unwrap(), None);
    let value = Bytes::from_static(SECRET);
    assert!(
        keys.create("household.G03-0501", value.clone())
            .await
            .unwrap()
    );
    let second = Bytes::from_static(b"another");
    assert!(!keys.create("household.G03-0501", second).await.unwrap());
    assert_eq!(keys.get("household.G03-0501").await.unwrap(), Some(value));
}

#[tokio::test]
async fn keys_outlive_kill_9_of_the_server() {
    let mut site = Site::start();
    let bus = site.bus().await;
    let keys = soon("bucket", bus.key_bucket("keys")).await.unwrap();
    keys.create("h1", Bytes::from_static(SECRET)).await.unwrap();
    site.server.kill();
    site.server.restart().unwrap();
    soon("connection", bus.wait_connected()).await;
    let keys = soon("bucket", bus.key_bucket("keys")).await.unwrap();
    assert_eq!(keys.get("h1").await.unwrap().as_deref(), Some(SECRET));
}

#[tokio::test]
async fn a_purged_key_is_gone_from_the_disk_too() {
    let mut site = Site::start();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    keys.create("h0", Bytes::from_static(b"a neighbour"))
        .await
        .unwrap();
    keys.create("h1", Bytes::from_static(SECRET)).await.unwrap();
    keys.create("h2", Bytes::from_static(b"another neighbour"))
        .await
        .unwrap();
    assert!(
        on_disk(site.dir.path(), SECRET),
        "the test looks in the wrong place"
    );

    keys.purge("h1").await.unwrap();
    assert_eq!(keys.get("h1").await.unwrap(), None);
    assert!(!on_disk(site.dir.path(), SECRET));

    site.server.stop();
    assert!(!on_disk(site.dir.path(), SECRET));
    site.server.restart().unwrap();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    assert_eq!(keys.get("h1").await.unwrap(), None);
    for (key, value) in [("h0", "a neighbour"), ("h2", "another neighbour")] {
        assert_eq!(
            keys.get(key).await.unwrap().as_deref(),
            Some(value.as_bytes())
        );
    }
}

#[tokio::test]
async fn purging_again_or_what_never_was_changes_nothing() {
    let site = Site::start();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    keys.purge("h1").await.unwrap();
    keys.create("h1", Bytes::from_static(SECRET)).await.unwrap();
    keys.purge("h1").await.unwrap();
    keys.purge("h1").await.unwrap();
    assert_eq!(keys.get("h1").await.unwrap(), None);
    // A household that comes back gets a new key.
    assert!(keys.create("h1", Bytes::from_static(b"new")).await.unwrap());
    assert_eq!(keys.get("h1").await.unwrap().as_deref(), Some(&b"new"[..]));
}

#[tokio::test]
async fn names_that_cannot_be_keys_are_refused() {
    let site = Site::start();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    for wrong in ["", ".a", "a.", "a b", "a>", "名"] {
        let error = keys.get(wrong).await.unwrap_err();
        assert!(matches!(error, BusError::Key(_)), "{wrong}");
    }
}

#[tokio::test]
async fn a_bucket_that_keeps_old_values_is_refused() {
    let site = Site::start();
    let with_history = async_nats::jetstream::stream::Config {
        name: "KV_keys".into(),
        subjects: vec!["$KV.keys.>".into()],
        max_messages_per_subject: 5,
        discard: async_nats::jetstream::stream::DiscardPolicy::New,
        ..Default::default()
    };
    let admin = site.admin().await;
    admin.create_stream(with_history).await.unwrap();
    let refusal = soon("refusal", site.bus().await.key_bucket("keys")).await;
    let error = refusal.unwrap_err().to_string();
    assert!(error.contains("max_msgs_per_subject"), "{error}");
}
