//! Data keys are put, read, replaced, and destroyed for good.

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_purge_the_same_key_at_once_all_succeed() {
    let site = Site::start();
    let mut hands = Vec::new();
    for _ in 0..4 {
        let bus = site.bus().await;
        hands.push(soon("bucket", bus.key_bucket("keys")).await.unwrap());
    }
    for n in 0..20 {
        let key = format!("h{n}");
        let value = Bytes::from_static(SECRET);
        hands[0].create(&key, value).await.unwrap();
        let purges = hands.iter().map(|keys| keys.purge(&key));
        for purged in futures::future::join_all(purges).await {
            purged.unwrap();
        }
        assert_eq!(hands[0].get(&key).await.unwrap(), None);
    }
    assert!(!on_disk(site.dir.path(), SECRET));
}

#[tokio::test]
async fn a_replaced_value_is_gone_from_the_disk_too() {
    let mut site = Site::start();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    keys.create("h1", Bytes::from_static(SECRET)).await.unwrap();
    let old = keys.kept("h1").await.unwrap().expect("it was put");
    assert_eq!(old.value, SECRET);
    assert!(on_disk(site.dir.path(), SECRET));
    let new = Bytes::from_static(b"wrapped anew");
    assert!(
        keys.replace("h1", new.clone(), old.revision).await.unwrap(),
        "nobody else changed it"
    );
    assert!(!on_disk(site.dir.path(), SECRET));
    // The one who read it before comes too late.
    let late = Bytes::from_static(b"too late");
    assert!(!keys.replace("h1", late, old.revision).await.unwrap());
    assert_eq!(keys.get("h1").await.unwrap(), Some(new.clone()));

    site.server.kill();
    site.server.restart().unwrap();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    assert_eq!(keys.get("h1").await.unwrap(), Some(new));
    assert!(!on_disk(site.dir.path(), SECRET));
}

/// A crash between the new value and the destruction of the old one.
#[tokio::test]
async fn what_a_crash_left_behind_is_swept_or_overwritten() {
    let site = Site::start();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    let admin = site.admin().await;
    let raw = admin.get_key_value("keys").await.unwrap();
    for key in ["h1", "h2"] {
        keys.create(key, Bytes::from_static(SECRET)).await.unwrap();
        raw.put(key, Bytes::from_static(b"new")).await.unwrap();
    }
    assert!(on_disk(site.dir.path(), SECRET), "nothing was left behind");

    keys.overwrite("h1", Bytes::from_static(b"new"))
        .await
        .unwrap();
    assert_eq!(keys.sweep().await.unwrap(), 1, "that of h2");
    assert!(!on_disk(site.dir.path(), SECRET));
    assert_eq!(keys.sweep().await.unwrap(), 0);
    for key in ["h1", "h2"] {
        assert_eq!(keys.get(key).await.unwrap().as_deref(), Some(&b"new"[..]));
    }
}

#[tokio::test]
async fn what_overwrites_a_key_stays_and_bars_it() {
    let site = Site::start();
    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    let mark = Bytes::from_static(b"gone");
    keys.create("h1", Bytes::from_static(SECRET)).await.unwrap();
    for key in ["h1", "never-was"] {
        keys.overwrite(key, mark.clone()).await.unwrap();
        keys.overwrite(key, mark.clone()).await.unwrap();
        assert_eq!(keys.get(key).await.unwrap(), Some(mark.clone()));
        let late = Bytes::from_static(b"late");
        assert!(!keys.create(key, late).await.unwrap());
    }
    assert!(!on_disk(site.dir.path(), SECRET));
    let mut all = keys.keys().await.unwrap();
    all.sort();
    assert_eq!(all, ["h1", "never-was"]);
}

#[tokio::test]
async fn a_bucket_of_the_first_release_is_taken_over() {
    let site = Site::start();
    let admin = site.admin().await;
    let first = async_nats::jetstream::stream::Config {
        name: "KV_keys".into(),
        subjects: vec!["$KV.keys.>".into()],
        max_messages_per_subject: 1,
        allow_rollup: true,
        discard: async_nats::jetstream::stream::DiscardPolicy::New,
        ..Default::default()
    };
    admin.create_stream(first).await.unwrap();
    let raw = admin.get_key_value("keys").await.unwrap();
    raw.put("h1", Bytes::from_static(SECRET)).await.unwrap();

    let keys = soon("bucket", site.bus().await.key_bucket("keys"))
        .await
        .unwrap();
    let old = keys.kept("h1").await.unwrap().expect("kept");
    assert_eq!(old.value, SECRET);
    assert!(
        keys.replace("h1", Bytes::from_static(b"new"), old.revision)
            .await
            .unwrap()
    );
    assert!(!on_disk(site.dir.path(), SECRET));
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
