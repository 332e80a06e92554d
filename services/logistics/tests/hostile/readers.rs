//! Readers who do not read.

use bytes::Bytes;
use h2::client::SendRequest;
use prost::Message;
use proto::log::v1::ReadRequest;
use service_kit::edge::LimitsOptions;
use tokio::{net::TcpStream, task::JoinHandle};
use tonic::codegen::http::Request;

use crate::site::{PATIENCE, Site, logged, operator, token};

const READ: &str = "/baogong.log.v1.LogService/Read";

/// A connection that takes 64 bytes of each answer and no more.
pub async fn raw(site: &Site) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let socket = TcpStream::connect(site.addresses.grpc)
        .await
        .expect("a socket");
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(64);
    let (client, connection) = builder.handshake(socket).await.expect("HTTP/2");
    (client, tokio::spawn(connection))
}

pub fn head(site: &Site, path: &str, token: &str) -> Request<()> {
    Request::post(format!("http://{}{path}", site.addresses.grpc))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {token}"))
        .body(())
        .expect("a request")
}

pub fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("short");
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}

fn read_all() -> Bytes {
    let request = ReadRequest {
        from_position: 1,
        follow: true,
        ..Default::default()
    };
    framed(&request.encode_to_vec())
}

#[tokio::test]
async fn who_reads_nothing_is_cut_and_others_are_not_kept_waiting() {
    let site = Site::with(LimitsOptions {
        stall_secs_max: 1,
        ..LimitsOptions::default()
    })
    .await;
    let slow = token(
        "slow-reader",
        crate::site::grant(decider::Role::Auditor, None),
    );
    let (client, connection) = raw(&site).await;
    let mut client = client.ready().await.expect("ready");
    let mut answers = Vec::new();
    for _ in 0..20 {
        let (answer, mut body) = client
            .send_request(head(&site, READ, &slow), false)
            .expect("sent");
        body.send_data(read_all(), true).expect("sent");
        // The answers begin, and nobody takes more of them than begins.
        answers.push(answer.await.expect("an answer"));
    }
    site.still_serves_another().await;
    // None of his streams is read, so his connection goes.
    let cut = tokio::time::timeout(PATIENCE, connection).await;
    let ended = cut.expect("it is cut").expect("no panic");
    drop((ended, answers));
    assert!(logged(&["refused", "SLOW_READER", "slow-reader", READ]));
    site.still_serves_another().await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_does_not_end_one_beside_it_that_is() {
    let mut site = Site::with(LimitsOptions {
        stall_secs_max: 1,
        ..LimitsOptions::default()
    })
    .await;
    let slow = token(
        "half-reader",
        crate::site::grant(decider::Role::Auditor, None),
    );
    let (client, connection) = raw(&site).await;
    let mut client = client.ready().await.expect("ready");
    let (answer, mut body) = client
        .send_request(head(&site, READ, &slow), false)
        .expect("sent");
    body.send_data(read_all(), true).expect("sent");
    let mut stalled = answer.await.expect("an answer").into_body();
    // Beside it, a call that is under way as long as it is not told more.
    let (beside, still_open) = client
        .send_request(head(&site, READ, &operator()), false)
        .expect("sent");
    // More than is on its way already.
    for n in 0..3 {
        site.register(&format!("firm-{n}"))
            .await
            .expect("registered");
    }
    let said = async {
        while !logged(&["refused", "SLOW_READER", "half-reader"]) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, said)
        .await
        .expect("it is noticed");
    assert!(!connection.is_finished(), "another call is under way");
    // Who reads on gets what was on its way, and then learns why it ended.
    let end = async {
        while let Some(part) = stalled.data().await {
            let part = part.expect("data");
            stalled
                .flow_control()
                .release_capacity(part.len())
                .expect("room");
        }
        stalled
            .trailers()
            .await
            .expect("trailers")
            .expect("a status")
    };
    let trailers = tokio::time::timeout(PATIENCE, end).await.expect("the end");
    let told = trailers.get("grpc-message").expect("a message");
    let told = told.to_str().expect("text");
    assert!(told.contains("nothing%20was%20read"), "{told}");
    assert_eq!(trailers.get("grpc-status").expect("a code"), "10");
    drop((beside, still_open));
    site.still_serves_another().await;
}
