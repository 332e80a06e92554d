//! HTTP/2 itself, misused.

use bytes::Bytes;
use service_kit::edge::LimitsOptions;

use crate::{
    readers::{framed, head, raw},
    site::{LIST, PATIENCE, Site, acme, list_of, logged},
};

#[tokio::test]
async fn metadata_without_end_is_refused() {
    let site = Site::start().await;
    let (client, _connection) = raw(&site).await;
    let mut client = client.ready().await.expect("ready");
    let mut request = head(&site, LIST, &acme());
    for n in 0..40 {
        let name = format!("x-bomb-{n}").parse::<tonic::codegen::http::HeaderName>();
        let value = "x".repeat(1_000).parse().expect("a value");
        request.headers_mut().insert(name.expect("a name"), value);
    }
    let (answer, mut body) = client.send_request(request, false).expect("sent");
    let _ = body.send_data(framed(&list_of("acme")), true);
    let answer = tokio::time::timeout(PATIENCE, answer)
        .await
        .expect("an answer");
    // RFC 6585: Request Header Fields Too Large; or the call is taken back.
    assert!(answer.map_or(true, |answer| answer.status().as_u16() == 431));
    site.still_serves_another().await;
}

/// "Rapid reset", CVE-2023-44487: calls that are opened and taken back, until
/// the connection is ended.
async fn take_back_calls(site: &Site) {
    let (mut client, connection) = raw(site).await;
    let token = acme();
    let flood = async {
        while !connection.is_finished() {
            let Ok(ready) = client.clone().ready().await else {
                return;
            };
            client = ready;
            let sent = client.send_request(head(site, LIST, &token), false);
            let Ok((answer, mut body)) = sent else { return };
            // Else it would never leave here.
            tokio::task::yield_now().await;
            body.send_reset(h2::Reason::CANCEL);
            drop(answer);
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, flood).await;
    ended.expect("the connection is ended");
}

#[tokio::test]
async fn calls_that_are_taken_back_before_they_are_looked_at_end_the_connection() {
    let site = Site::with(LimitsOptions {
        reset_calls_max: 1,
        cancelled_calls_max: 50,
        ..LimitsOptions::default()
    })
    .await;
    take_back_calls(&site).await;
    site.still_serves_another().await;
}

#[tokio::test]
async fn calls_that_are_taken_back_before_they_are_answered_end_the_connection() {
    let site = Site::with(LimitsOptions {
        reset_calls_max: 1_000_000,
        cancelled_calls_max: 50,
        ..LimitsOptions::default()
    })
    .await;
    take_back_calls(&site).await;
    assert!(logged(&["refused", "TOO_MANY_CANCELLED", "127.0.0.1"]));
    site.still_serves_another().await;
}

#[tokio::test]
async fn a_torso_of_a_message_is_said_to_be_one() {
    let site = Site::start().await;
    let mut socket = h2::client::Builder::new();
    let stream = tokio::net::TcpStream::connect(site.addresses.grpc)
        .await
        .expect("a socket");
    let (client, connection) = socket
        .initial_window_size(65_535)
        .handshake::<_, Bytes>(stream)
        .await
        .expect("HTTP/2");
    let _connection = tokio::spawn(connection);
    let mut client = client.ready().await.expect("ready");
    for (torso, status) in [
        // INVALID_ARGUMENT, of which only the prefix or half the message came.
        (&[0, 0, 0][..], "3"),
        (&[0, 0, 0, 0, 9, 1, 2], "3"),
        // UNIMPLEMENTED: compressed. OUT_OF_RANGE: four gigabytes.
        (&[1, 0, 0, 0, 1, 0], "12"),
        (&[0, 0xff, 0xff, 0xff, 0xff], "11"),
    ] {
        let (answer, mut body) = client
            .send_request(head(&site, LIST, &acme()), false)
            .expect("sent");
        body.send_data(Bytes::copy_from_slice(torso), true)
            .expect("sent");
        let answer = tokio::time::timeout(PATIENCE, answer)
            .await
            .expect("in time");
        let answer = answer.expect("an answer");
        let code = answer.headers().get("grpc-status").expect("a status");
        assert_eq!(code, status, "{torso:?}");
        assert!(
            answer.headers().contains_key("grpc-status-details-bin"),
            "a reason"
        );
    }
    site.still_serves_another().await;
}
