//! How long a call may take.

use prost::Message;
use proto::admin::v1::GetStatusRequest;
use service_kit::edge::LimitsOptions;
use tonic::{Code, Status};

use crate::{
    readers::{framed, head, raw},
    site::{
        Bytes, PATIENCE, REGISTER_VEHICLE, Site, acme, expected, logged, refused, vehicle,
        watch_of, with_token,
    },
};

#[tokio::test]
async fn a_call_whose_time_is_over_says_that_repeating_it_is_safe() {
    let site = Site::start().await;
    // Without a client that gives up by itself.
    let (client, _connection) = raw(&site).await;
    let mut client = client.ready().await.expect("ready");
    let mut request = head(&site, REGISTER_VEHICLE, &acme());
    let timeout = "200m".parse().expect("a header");
    request.headers_mut().insert("grpc-timeout", timeout);
    let (answer, mut body) = client.send_request(request, false).expect("sent");
    // The end of the request does not come.
    body.send_data(framed(&vehicle("van")), false)
        .expect("sent");
    let answer = tokio::time::timeout(PATIENCE, answer)
        .await
        .expect("in time");
    let headers = answer.expect("an answer").headers().clone();
    let status = Status::from_header_map(&headers).expect("a status");
    assert!(status.message().contains("same request id"), "{status:?}");
    let wanted = expected(Code::DeadlineExceeded, "DEADLINE_PASSED");
    assert_eq!(refused(Err::<(), _>(status)), wanted);
    // It is safe, as it says.
    let again = site.send(REGISTER_VEHICLE, &acme(), vehicle("van")).await;
    assert!(again.is_ok(), "{again:?}");
    site.still_serves_another().await;
}

/// One who sends his request byte by byte holds a call, and not for ever.
#[tokio::test]
async fn a_request_that_never_ends_is_given_up() {
    let site = Site::with(LimitsOptions {
        call_ms_max: 300,
        ..LimitsOptions::default()
    })
    .await;
    let mut grpc = tonic::client::Grpc::new(site.channel.clone());
    grpc.ready().await.expect("a connection");
    let path = REGISTER_VEHICLE.parse().expect("a path");
    let request = with_token(futures::stream::pending::<Vec<u8>>(), &acme());
    let answering = grpc.streaming(request, path, Bytes);
    let answer = tokio::time::timeout(PATIENCE, answering).await;
    let answer = answer.expect("given up").map(|_| ());
    assert_eq!(refused(answer).1, "DEADLINE_PASSED");
    let line = ["refused", "DEADLINE_PASSED", "acme-dispatch of acme"];
    assert!(logged(&line));
    site.still_serves_another().await;
}

/// A stream's time is the caller's affair, and he may set it.
#[tokio::test]
async fn a_stream_ends_when_its_caller_said() {
    let site = Site::with(LimitsOptions {
        call_ms_max: 500,
        ..LimitsOptions::default()
    })
    .await;
    let mut grpc = tonic::client::Grpc::new(site.channel.clone());
    grpc.ready().await.expect("a connection");
    let path = crate::site::WATCH.parse().expect("a path");
    let mut request = with_token(futures::stream::iter(vec![watch_of("acme")]), &acme());
    let timeout = "900m".parse().expect("a header");
    request.metadata_mut().insert("grpc-timeout", timeout);
    let opened = grpc.streaming(request, path, Bytes).await;
    let mut stream = opened
        .expect("the service's limit is not for streams")
        .into_inner();
    let first = stream.message().await.expect("a heartbeat");
    assert!(first.is_some());
    let end = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert_eq!(refused(end).0, Code::DeadlineExceeded);
}

#[tokio::test]
async fn every_answer_says_which_version_gives_it() {
    let site = Site::start().await;
    let path = "/baogong.admin.v1.AdminService/GetStatus";
    let request = GetStatusRequest {}.encode_to_vec();
    let opened = site
        .open(path, &crate::site::operator(), vec![request])
        .await;
    let metadata = opened.expect("answered").metadata().clone();
    let version = metadata.get("baogong-version").expect("a version");
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let refusal = site
        .send(path, "none", Vec::new())
        .await
        .expect_err("refused");
    assert!(refusal.metadata().contains_key("baogong-version"));
}
