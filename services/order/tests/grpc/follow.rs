//! `LogService.Read`: from a position on, also what is recorded later.

use std::time::Duration;

use decider::Position;
use proto::log::v1::{ReadRequest, ReadResponse};
use tonic::{Code, Streaming};

use crate::{
    ask,
    desk::{Desk, PATIENCE, ok, refused},
};

fn read(from_position: u64, follow: bool, limit: u64) -> ReadRequest {
    ReadRequest {
        partition: 0,
        from_position,
        follow,
        limit,
    }
}

/// Positions and short names of the next records.
async fn next(parts: &mut Streaming<ReadResponse>, records: usize) -> Vec<(u64, String)> {
    let mut seen = Vec::new();
    while seen.len() < records {
        let part = tokio::time::timeout(PATIENCE, parts.message()).await;
        let part = part.expect("a part in time").expect("a part");
        for bytes in part.expect("an open stream").records {
            let record = proto::record::decode(&bytes).expect("a record");
            seen.push((record.position.0, record.event.short_name().to_owned()));
        }
    }
    seen
}

async fn all(parts: &mut Streaming<ReadResponse>) -> Vec<Position> {
    let mut seen = Vec::new();
    while let Some(part) = parts.message().await.expect("a part") {
        let records = part.records.iter();
        seen.extend(records.map(|bytes| proto::record::decode(bytes).expect("a record").position));
    }
    seen
}

fn record(position: u64, name: &str) -> (u64, String) {
    (position, name.to_owned())
}

#[tokio::test]
async fn a_follower_resumes_from_a_position_and_gets_what_is_recorded_later() {
    let mut desk = Desk::with_households(&["H1", "H2"]).await;
    let mut log = desk.log.clone();
    let mut parts = ok(log.read(read(2, true, 0)).await);
    assert_eq!(
        next(&mut parts, 1).await,
        [record(2, "HouseholdRegistered")]
    );
    ok(desk.client.place_order(ask::place("r1", "H1")).await);
    assert_eq!(
        next(&mut parts, 2).await,
        [record(3, "OrderPlaced"), record(4, "OrderReleased")]
    );

    // The service goes away, and comes back.
    desk.stop.cancel();
    let gone = tokio::time::timeout(Duration::from_secs(60), parts.message()).await;
    let gone = gone
        .expect("told in time")
        .expect_err("the end of this life");
    assert_eq!(gone.code(), Code::Unavailable, "{gone:?}");
    desk.start_again().await;
    let mut parts = ok(desk.log.read(read(5, true, 0)).await);
    desk.register("H3").await;
    assert_eq!(
        next(&mut parts, 1).await,
        [record(5, "HouseholdRegistered")]
    );
}

#[tokio::test]
async fn a_reader_that_does_not_follow_comes_to_an_end() {
    let mut desk = Desk::with_households(&["H1", "H2", "H3"]).await;
    for (from, limit, expected) in [
        (0, 0, &[1, 2, 3][..]),
        (1, 2, &[1, 2]),
        (3, 0, &[3]),
        (4, 0, &[]),
    ] {
        let mut parts = ok(desk.log.read(read(from, false, limit)).await);
        let seen: Vec<u64> = all(&mut parts).await.into_iter().map(|p| p.0).collect();
        assert_eq!(seen, expected, "from {from}, at most {limit}");
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_more_than_there_is_is_told() {
    let mut desk = Desk::with_households(&["H1"]).await;
    for (from, follow) in [(3, false), (3, true), (u64::MAX, false)] {
        let refusal = refused(desk.log.read(read(from, follow, 0)).await);
        refusal.is(Code::OutOfRange, "BEYOND_LOG", &["position 1", "from 2"]);
    }
}

#[tokio::test]
async fn a_partition_that_is_not_here_is_named() {
    let mut desk = Desk::start().await;
    let elsewhere = ReadRequest {
        partition: 7,
        ..read(1, false, 0)
    };
    let refusal = refused(desk.log.read(elsewhere).await);
    refusal.is(Code::NotFound, "PARTITION_ELSEWHERE", &["partition 7"]);
}
