//! The records of one entity over gRPC, by the index.

use decider::Revision;
use proto::{
    log::v1::{ReadRequest, ReadStreamRequest},
    record::{self, Raw},
};
use tonic::Code;

use crate::{
    ask,
    desk::{Desk, ok, refused},
};

fn asking(stream: &str) -> ReadStreamRequest {
    ReadStreamRequest {
        stream: stream.to_owned(),
        ..ReadStreamRequest::default()
    }
}

/// The records, and up to where the log was looked at.
async fn read(desk: &mut Desk, request: ReadStreamRequest) -> (Vec<Raw>, u64) {
    let mut parts = ok(desk.log.read_stream(request).await);
    let (mut records, mut end) = (Vec::new(), None);
    while let Some(part) = parts.message().await.expect("a part") {
        assert!(part.voided_positions.is_empty());
        assert_eq!(*end.get_or_insert(part.last_position), part.last_position);
        let raws = part.records.iter().map(|bytes| record::decode(bytes));
        records.extend(raws.map(|raw| raw.expect("a record")));
    }
    (records, end.expect("a part comes in any case"))
}

/// The same, by looking through the whole log.
async fn searched(desk: &mut Desk, stream: &str) -> Vec<Raw> {
    let mut parts = ok(desk.log.read(ReadRequest::default()).await);
    let mut found = Vec::new();
    while let Some(part) = parts.message().await.expect("a part") {
        let raws = part.records.iter().map(|bytes| record::decode(bytes));
        let raws = raws.map(|raw| raw.expect("a record"));
        found.extend(raws.filter(|raw| raw.stream.as_str() == stream));
    }
    found
}

#[tokio::test]
async fn an_entity_is_read_alone_at_once_and_after_a_restart() {
    let mut desk = Desk::with_households(&["H1", "H2"]).await;
    let order = ok(desk.client.place_order(ask::place("r1", "H1")).await).order_id;
    for n in 0..100 {
        let again = format!("again-{n}");
        ok(desk.client.place_order(ask::place(&again, "H2")).await);
    }
    let stream = format!("order/{order}");
    for _ in 0..2 {
        for stream in [&stream, "household/H1", "household/H2"] {
            let (records, _) = read(&mut desk, asking(stream)).await;
            assert_eq!(records, searched(&mut desk, stream).await);
            assert!(!records.is_empty(), "{stream}");
        }
        desk.start_again().await;
    }
    // Up to a position, from a revision, and so many.
    let (records, end) = read(&mut desk, asking("household/H1")).await;
    let first = records[0].position.0;
    let before = ReadStreamRequest {
        up_to_position: first - 1,
        ..asking(&stream)
    };
    if first > 1 {
        assert_eq!(read(&mut desk, before).await, (vec![], first - 1));
    }
    let behind = ReadStreamRequest {
        from_revision: records.last().expect("records").revision.next().0,
        ..asking("household/H1")
    };
    assert_eq!(read(&mut desk, behind).await, (vec![], end));
    let one = ReadStreamRequest {
        limit: 1,
        ..asking("household/H1")
    };
    let (only, _) = read(&mut desk, one).await;
    assert_eq!(only.len(), 1);
    assert_eq!(only[0].revision, Revision(1));
}

#[tokio::test]
async fn what_cannot_be_read_has_its_own_status() {
    let mut desk = Desk::with_households(&["H1"]).await;
    for stream in [
        "",
        "household",
        "household/",
        "/H1",
        "household/H 1",
        "a/b/c",
    ] {
        refused(desk.log.read_stream(asking(stream)).await).is_for(&["stream"], &[]);
    }
    refused(desk.log.read_stream(asking("household/H9")).await).is(
        Code::NotFound,
        "STREAM_UNKNOWN",
        &["household/H9"],
    );
    let elsewhere = ReadStreamRequest {
        partition: 7,
        ..asking("household/H1")
    };
    refused(desk.log.read_stream(elsewhere).await).is(
        Code::NotFound,
        "PARTITION_ELSEWHERE",
        &["7"],
    );
    let far = ReadStreamRequest {
        up_to_position: 1_000,
        ..asking("household/H1")
    };
    refused(desk.log.read_stream(far).await).is(
        Code::OutOfRange,
        "POSITION_NOT_RECORDED",
        &["1000"],
    );
    let late = ReadStreamRequest {
        from_revision: 9,
        ..asking("household/H1")
    };
    refused(desk.log.read_stream(late).await).is(
        Code::OutOfRange,
        "BEYOND_STREAM",
        &["household/H1", "revision 8"],
    );
}
