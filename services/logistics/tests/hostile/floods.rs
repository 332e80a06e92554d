//! More of everything than is anybody's share.

use std::time::Duration;

use decider::Role;
use service_kit::edge::{LimitsOptions, Rate};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::site::{
    LIST, PATIENCE, REGISTER_VEHICLE, Site, WATCH, acme, expected, globex, grant, list_of, logged,
    refused, token, vehicle, watch_of,
};

fn narrow() -> LimitsOptions {
    let slow = Rate {
        per_sec: 1,
        burst: 5,
    };
    LimitsOptions {
        reads: slow,
        writes: slow,
        watches: Rate {
            per_sec: 1,
            burst: 100,
        },
        streams_per_caller_max: 3,
        ..LimitsOptions::default()
    }
}

async fn flood(site: &Site, path: &str, token: &str) -> (usize, Status) {
    let mut taken = 0;
    loop {
        match site.send(path, token, list_of("acme")).await {
            Err(status) if status.code() == Code::ResourceExhausted => return (taken, status),
            _ => taken += 1,
        }
        assert!(taken < 1_000, "a limit");
    }
}

#[tokio::test]
async fn a_flood_of_one_firm_is_refused_with_the_true_time_and_no_other_feels_it() {
    let site = Site::with(narrow()).await;
    let (taken, refusal) = flood(&site, LIST, &acme()).await;
    // Those in the burst, and what came back while they were made.
    assert!((5..50).contains(&taken), "{taken}");
    let retry = refusal.get_details_retry_info().expect("a RetryInfo");
    let wait = retry.retry_delay.expect("a time");
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_secs(1),
        "{wait:?}"
    );
    assert!(
        refusal.message().contains("acme-dispatch of acme"),
        "{refusal:?}"
    );
    let wanted = expected(Code::ResourceExhausted, "RATE_LIMITED");
    assert_eq!(refused(Err::<(), _>(refusal)), wanted);
    assert!(logged(&[
        "refused",
        "RATE_LIMITED",
        "acme-dispatch of acme"
    ]));
    site.still_serves_another().await;
    // The same firm's other calls, and another person of the firm.
    let written = site.send(REGISTER_VEHICLE, &acme(), vehicle("")).await;
    assert_eq!(
        written.expect_err("no vehicle").code(),
        Code::InvalidArgument
    );
    let second = token("acme-night", grant(Role::Carrier, Some("acme")));
    let read = site.send(LIST, &second, list_of("acme")).await;
    assert!(read.is_ok(), "{read:?}");
    // The time is true: after it there is room again.
    let again = async {
        loop {
            tokio::time::sleep(wait).await;
            if site.send(LIST, &acme(), list_of("acme")).await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, again)
        .await
        .expect("room again");
}

#[tokio::test]
async fn one_firm_opens_so_many_streams_and_no_more() {
    let site = Site::with(narrow()).await;
    let watch = watch_of("acme");
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = site.open(WATCH, &acme(), vec![watch.clone()]).await;
        let first = stream.as_mut().expect("open").get_mut().message().await;
        assert!(first.expect("a heartbeat").is_some());
        open.push(stream);
    }
    let fourth = site.send(WATCH, &acme(), watch.clone()).await;
    let wanted = expected(Code::ResourceExhausted, "TOO_MANY_STREAMS");
    assert_eq!(refused(fourth), wanted);
    assert!(logged(&[
        "refused",
        "TOO_MANY_STREAMS",
        "acme-dispatch of acme"
    ]));
    let other = site.send(WATCH, &globex(), watch_of("globex")).await;
    assert!(other.expect("another firm's").is_some());
    site.still_serves_another().await;
    // What is closed makes room.
    open.pop();
    let again = async {
        while site.send(WATCH, &acme(), watch.clone()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again)
        .await
        .expect("room again");
}

#[tokio::test]
async fn a_flood_of_forged_tokens_takes_no_time_of_those_who_are_known() {
    let site = Site::with(LimitsOptions {
        strangers: Rate {
            per_sec: 1,
            burst: 20,
        },
        ..LimitsOptions::default()
    })
    .await;
    // Known from now on, though all come from one address.
    let good = site.send(LIST, &globex(), list_of("globex")).await;
    assert!(good.is_ok(), "{good:?}");
    let mut refusals = Vec::new();
    for n in 0..60 {
        let forged = format!("{}{n}", acme());
        let answer = site.send(LIST, &forged, list_of("acme")).await;
        refusals.push(refused(answer).1);
    }
    let checked = refusals.iter().filter(|reason| *reason != "RATE_LIMITED");
    assert!(checked.count() < 40, "only some were checked: {refusals:?}");
    assert_eq!(refusals.last().map(String::as_str), Some("RATE_LIMITED"));
    assert!(logged(&["refused", "RATE_LIMITED", "127.0.0.1"]));
    site.still_serves_another().await;
}

#[tokio::test]
async fn connections_from_one_address_have_an_end() {
    let site = Site::with(LimitsOptions {
        connections_per_peer_max: 4,
        greeting_secs_max: 1,
        ..LimitsOptions::default()
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(
            tokio::net::TcpStream::connect(site.addresses.grpc)
                .await
                .expect("a socket"),
        );
    }
    // Those beyond the limit are closed at once, the silent ones soon after.
    for mut socket in silent {
        let mut bytes = Vec::new();
        let closed = tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut bytes);
        let closed = tokio::time::timeout(PATIENCE, closed).await;
        let _ = closed.expect("it is closed");
    }
    assert!(logged(&["refused", "TOO_MANY_CONNECTIONS", "127.0.0.1"]));
    assert!(logged(&["refused: no HTTP/2 in time"]));
    site.still_serves_another().await;
}
