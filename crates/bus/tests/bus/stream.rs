//! Streams are created as wanted, or refused; ranges are read as stored.

use async_nats::jetstream::stream::{Config, StorageType};
use bus::{Bus, BusError, BusOptions, StreamState};

use crate::support::{Log, RunningRelay, Site, assert_continues, order, soon};

#[tokio::test]
async fn ensure_creates_once_and_changes_nothing_later() {
    let site = Site::start();
    let bus = site.bus().await;
    assert_eq!(
        soon("answer", bus.stream_state(&order())).await.unwrap(),
        None
    );
    let empty = StreamState {
        first_sequence: 0,
        last_sequence: 0,
    };
    assert_eq!(bus.ensure_stream(&order()).await.unwrap(), empty);
    RunningRelay::start(&bus, &Log::of("we", 7))
        .finish()
        .await
        .unwrap();
    let filled = StreamState {
        first_sequence: 1,
        last_sequence: 7,
    };
    assert_eq!(bus.ensure_stream(&order()).await.unwrap(), filled);
    assert_eq!(bus.stream_state(&order()).await.unwrap(), Some(filled));
}

#[tokio::test]
async fn nothing_can_be_removed_from_a_stream() {
    let site = Site::start();
    let bus = site.bus().await;
    RunningRelay::start(&bus, &Log::of("we", 7))
        .finish()
        .await
        .unwrap();
    let admin = site.admin().await;
    let stream = admin.get_stream(order().to_string()).await.unwrap();
    assert!(stream.delete_message(3).await.is_err());
    assert!(stream.purge().await.is_err());
}

#[tokio::test]
async fn a_stream_that_is_set_differently_is_refused_with_the_setting() {
    fn file() -> Config {
        Config {
            name: order().to_string(),
            subjects: vec![order().subjects()],
            discard: async_nats::jetstream::stream::DiscardPolicy::New,
            deny_delete: true,
            deny_purge: true,
            ..Config::default()
        }
    }
    let cases = [
        (
            "storage",
            Config {
                storage: StorageType::Memory,
                ..file()
            },
        ),
        (
            "deny_delete",
            Config {
                deny_delete: false,
                ..file()
            },
        ),
        (
            "deny_purge",
            Config {
                deny_purge: false,
                ..file()
            },
        ),
        (
            "max_msgs",
            Config {
                max_messages: 10,
                ..file()
            },
        ),
        (
            "max_age",
            Config {
                max_age: std::time::Duration::from_secs(60),
                ..file()
            },
        ),
        (
            "subjects",
            Config {
                subjects: vec!["baogong.order.>".into()],
                ..file()
            },
        ),
        (
            "discard",
            Config {
                discard: Default::default(),
                ..file()
            },
        ),
        (
            "allow_rollup_hdrs",
            Config {
                deny_purge: false,
                allow_rollup: true,
                ..file()
            },
        ),
    ];
    let site = Site::start();
    let bus = site.bus().await;
    let admin = site.admin().await;
    for (name, config) in cases {
        admin.create_stream(config).await.unwrap();
        let error = soon("refusal", bus.ensure_stream(&order()))
            .await
            .unwrap_err();
        let BusError::Settings { setting, .. } = &error else {
            panic!("{name}: {error}");
        };
        // Rollups cannot be allowed without purges.
        assert!(*setting == name || (name, *setting) == ("allow_rollup_hdrs", "deny_purge"));
        assert!(error.to_string().contains(setting));
        assert!(!error.is_transient());
        admin.delete_stream(order().to_string()).await.unwrap();
    }
    admin.create_stream(file()).await.unwrap();
    soon("consent", bus.ensure_stream(&order())).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_cannot_be_created_is_not_waited_for() {
    let site = Site::start();
    let admin = site.admin().await;
    let other = Config {
        name: "OTHER".into(),
        subjects: vec!["baogong.>".into()],
        ..Config::default()
    };
    admin.create_stream(other).await.unwrap();
    let bus = site.bus().await;
    let error = soon("refusal", bus.ensure_stream(&order()))
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn ranges_are_read_as_far_as_they_are_stored() {
    let site = Site::start();
    let bus = site.bus().await;
    let missing = soon("answer", bus.read(&order(), 1, 10)).await;
    assert!(matches!(missing, Err(BusError::NoStream { .. })));
    RunningRelay::start(&bus, &Log::of("we", 3500))
        .finish()
        .await
        .unwrap();
    for (from, limit, count) in [
        (1, 1, 1),
        (3500, 1, 1),
        (1, 3500, 3500),
        (1000, 1500, 1500),
        (3400, 1000, 101),
        (0, 5, 5),
        (3501, 10, 0),
        (10, 0, 0),
    ] {
        let messages = soon("range", bus.read(&order(), from, limit))
            .await
            .unwrap();
        assert_eq!(messages.len(), count, "from {from}, at most {limit}");
        assert_continues(&messages, "we", from.max(1));
    }
}

#[tokio::test]
async fn options_that_can_never_work_are_refused_at_once() {
    let options = |url: &str, replicas| BusOptions {
        url: url.into(),
        name: "test".into(),
        replicas,
    };
    for wrong in [
        options("http://user:secret@[", 1),
        options("", 1),
        options("nats://127.0.0.1:4222", 0),
    ] {
        let error = Bus::connect(wrong).await.unwrap_err();
        assert!(matches!(error, BusError::Config(_)), "{error}");
        assert!(!error.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn while_nats_is_away_questions_fail_in_time() {
    let mut site = Site::start();
    let bus = site.bus().await;
    site.server.kill();
    let error = soon("an answer", bus.stream_state(&order()))
        .await
        .unwrap_err();
    assert!(error.is_transient());
}
