//! A stream that is made anew from a later position than 1.

use std::path::PathBuf;
use std::process::Command;

use bus::server::{NatsServer, ServerOptions};
use bus::{BusError, StreamState};
use tempfile::TempDir;

use crate::support::{Log, RunningRelay, Site, assert_continues, bus_at, order, soon};

/// A nats-server that knows `first_seq`: the one that this variable names, or
/// the installed one.
const VARIABLE: &str = "BAOGONG_TEST_NATS_SERVER";

fn can_begin_later(version: &str) -> bool {
    let mut numbers = version.split('.').map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (2, 10)
}

/// `None`, said aloud: there is no such server here.
fn newer() -> Option<(NatsServer, TempDir)> {
    let binary = std::env::var_os(VARIABLE).map(PathBuf::from);
    let program = binary.clone().unwrap_or_else(|| "nats-server".into());
    let version = Command::new(program).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default();
    let number = version.trim().rsplit('v').next().unwrap_or_default();
    if !can_begin_later(number) {
        eprintln!("skipped: nats-server 2.10 or newer is needed; {VARIABLE} can name one");
        return None;
    }
    let dir = TempDir::new().unwrap();
    let server = NatsServer::start(ServerOptions {
        store_dir: dir.path().to_owned(),
        binary,
        ..ServerOptions::default()
    });
    Some((server.unwrap(), dir))
}

#[tokio::test]
async fn a_stream_can_begin_at_a_later_position() {
    let Some((mut server, dir)) = newer() else {
        return;
    };
    let bus = bus_at(&server.url()).await.rebuilding_from(701);
    let log = Log::of("we", 1000);
    let mut relay = RunningRelay::start(&bus, &log);
    relay.wait_for(1000).await;
    let state = StreamState {
        first_sequence: 701,
        last_sequence: 1000,
    };
    assert_eq!(bus.stream_state(&order()).await.unwrap(), Some(state));
    let messages = bus.read(&order(), 1, usize::MAX).await.unwrap();
    assert_eq!(messages.len(), 300);
    assert_continues(&messages, "we", 701);
    let gap = soon("a gap", bus.subscribe(order(), 5).next()).await;
    assert!(matches!(
        gap,
        Err(BusError::Gap {
            expected: 5,
            got: 701
        })
    ));

    // What exists stays as it is, for those who ask for nothing too.
    relay.finish().await.unwrap();
    log.append("we", 10);
    let plain = bus_at(&server.url()).await;
    RunningRelay::start(&plain, &log).finish().await.unwrap();
    assert_eq!(
        plain
            .stream_state(&order())
            .await
            .unwrap()
            .unwrap()
            .last_sequence,
        1010
    );

    // A store that is lost while the relay runs is made anew in the same way.
    let mut relay = RunningRelay::start(&bus, &log);
    relay.wait_for(1010).await;
    server.kill();
    std::fs::remove_dir_all(dir.path().join("jetstream")).unwrap();
    server.restart().unwrap();
    log.append("we", 1);
    relay.wait_for(1011).await;
    assert_eq!(
        bus.stream_state(&order())
            .await
            .unwrap()
            .unwrap()
            .first_sequence,
        701
    );
}

#[tokio::test]
async fn a_server_that_cannot_begin_later_is_refused_and_nothing_is_made() {
    let site = Site::start();
    let bus = site.bus().await.rebuilding_from(701);
    soon("a connection", bus.wait_connected()).await;
    if can_begin_later(&bus.server_version()) {
        eprintln!("skipped: the installed nats-server can");
        return;
    }
    let refused = soon("a refusal", bus.ensure_stream(&order()))
        .await
        .unwrap_err();
    assert!(matches!(refused, BusError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("2.10 or newer"), "{refused}");
    assert_eq!(bus.stream_state(&order()).await.unwrap(), None);
}
