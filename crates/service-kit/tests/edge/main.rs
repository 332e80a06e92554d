//! The edge's layers before a service that answers everything: what depends
//! on addresses other than this machine's, and on methods that will be gone.
//! What clients see of the rest is tested with the logistics service
//! (`services/logistics/tests/hostile`).

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use access::Methods;
use decider::Service;
use service_kit::edge::{Edge, FormLayer, LimitsOptions, Peer, QuotaLayer, Rate};
use tonic::{Code, Status, body::Body, codegen::http};
use tonic_types::StatusExt;
use tower::{Layer, Service as _, ServiceExt};

const GET: &str = "/baogong.order.v1.OrderService/GetOrder";

fn narrow() -> LimitsOptions {
    LimitsOptions {
        reads: Rate {
            per_sec: 1,
            burst: 2,
        },
        ..LimitsOptions::default()
    }
}

/// One call without a token from an address; the headers of its answer.
async fn call(edge: &Arc<Edge>, path: &str, address: &str) -> http::HeaderMap {
    let inner = tower::service_fn(|_: http::Request<Body>| async {
        Ok::<_, Infallible>(http::Response::new(Body::empty()))
    });
    let layers = QuotaLayer(Arc::clone(edge)).layer(inner);
    let mut layers = FormLayer(Arc::clone(edge)).layer(layers);
    let address: SocketAddr = address.parse().expect("an address");
    let request = http::Request::post(path)
        .extension(Peer::new(address))
        .body(Body::empty())
        .expect("a request");
    let answer = layers.ready().await.expect("ready").call(request).await;
    answer.expect("infallible").headers().clone()
}

fn refusal(headers: &http::HeaderMap) -> Option<(Code, String)> {
    let status = Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)?;
    let info = status.get_details_error_info().expect("an ErrorInfo");
    Some((status.code(), info.reason))
}

#[tokio::test]
async fn without_a_token_an_address_is_the_caller() {
    let edge = Edge::new(Service::Order, &narrow(), false).expect("an edge");
    let mut last = None;
    for port in 1..10 {
        // Another connection each time.
        last = refusal(&call(&edge, GET, &format!("192.0.2.1:{port}")).await);
    }
    let limited = (Code::ResourceExhausted, "RATE_LIMITED".to_owned());
    assert_eq!(last, Some(limited.clone()));
    assert_eq!(
        refusal(&call(&edge, GET, "192.0.2.2:1").await),
        None,
        "another address"
    );
    // One host of IPv6 has a whole network of addresses.
    for host in 1..10 {
        last = refusal(&call(&edge, GET, &format!("[2001:db8::{host}]:1")).await);
    }
    assert_eq!(last, Some(limited));
}

#[tokio::test]
async fn this_machine_is_counted_only_where_tokens_are_asked_for() {
    for (tokens, limited) in [(false, false), (true, true)] {
        let edge = Edge::new(Service::Order, &narrow(), tokens).expect("an edge");
        let mut last = None;
        for _ in 0..10 {
            last = refusal(&call(&edge, GET, "127.0.0.1:9").await);
        }
        assert_eq!(last.is_some(), limited, "tokens are asked for: {tokens}");
    }
}

/// As the suite's, with a method that will be gone.
fn with_a_method_that_ends() -> Methods {
    let folder = tempfile::tempdir().expect("a folder");
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let text = r#"syntax = "proto3";
        package baogong.test.v1;
        import "baogong/access/v1/access.proto";
        service TestService {
          rpc Old(Request) returns (Response) {
            option deprecated = true;
            option (baogong.access.v1.served_until) = "2027-06-30";
          }
          rpc New(Request) returns (Response);
        }
        message Request {}
        message Response {}"#;
    std::fs::write(folder.path().join("test.proto"), text).expect("written");
    let mut compiler = protox::Compiler::new([folder.path(), protos.as_ref()]).expect("folders");
    compiler.include_imports(true);
    compiler.open_file("test.proto").expect("a good proto");
    Methods::read(&compiler.encode_file_descriptor_set()).expect("methods")
}

#[tokio::test]
async fn every_answer_of_a_method_that_ends_says_so() {
    let methods = with_a_method_that_ends();
    let edge = Edge::for_methods(Service::Order, &narrow(), true, methods);
    let old = "/baogong.test.v1.TestService/Old";
    for _ in 0..5 {
        // The later ones are refusals.
        let headers = call(&edge, old, "127.0.0.1:9").await;
        let told = headers.get("baogong-deprecated").expect("it is told");
        assert_eq!(
            told,
            "baogong.test.v1.TestService/Old; served-until=2027-06-30"
        );
        assert!(headers.contains_key("baogong-version"));
    }
    let headers = call(&edge, "/baogong.test.v1.TestService/New", "127.0.0.1:9").await;
    assert!(!headers.contains_key("baogong-deprecated"));
    assert!(headers.contains_key("baogong-version"));
}
