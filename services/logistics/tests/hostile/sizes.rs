//! Messages as long as they may be, and one byte longer.

use access::{Class, Methods};
use prost::Message;
use proto::logistics::v1::{ListCarriersRequest, RegisterVehicleRequest};
use service_kit::edge::LimitsOptions;
use tonic::Code;

use crate::site::{
    AREA, LIST, REGISTER_VEHICLE, Site, acme, expected, list_of, logged, operator, refused,
};

/// A message with an unknown field, which fills it up to this length.
fn filled(mut message: Vec<u8>, length: usize) -> Vec<u8> {
    // Field 15, of bytes: one byte of key, three of length.
    let inner = length - message.len() - 4;
    message.push(15 << 3 | 2);
    let mut rest = inner;
    for at in 0..3 {
        let more = if at < 2 { 0x80 } else { 0 };
        message.push(u8::try_from(rest & 0x7f).expect("seven bits") | more);
        rest >>= 7;
    }
    assert_eq!(rest, 0, "three bytes of length");
    message.resize(message.len() + inner, 0);
    message
}

#[tokio::test]
async fn each_class_takes_requests_up_to_its_limit_and_not_a_byte_more() {
    let site = Site::start().await;
    let limits = LimitsOptions::default();
    let vehicle = RegisterVehicleRequest {
        request_id: "long".into(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        vehicle_id: "van".into(),
        capacity_grams: 2_000_000,
    };
    for (path, message, max) in [
        (LIST, list_of("acme"), limits.request_bytes_max(Class::Read)),
        (
            REGISTER_VEHICLE,
            vehicle.encode_to_vec(),
            limits.request_bytes_max(Class::Write),
        ),
    ] {
        let longest = site.send(path, &acme(), filled(message.clone(), max)).await;
        assert!(longest.is_ok(), "{path}: {longest:?}");
        let longer = site.send(path, &acme(), filled(message, max + 1)).await;
        assert_eq!(
            refused(longer),
            expected(Code::OutOfRange, "TOO_LARGE"),
            "{path}"
        );
    }
    assert!(logged(&["refused", "TOO_LARGE"]));
    site.still_serves_another().await;
}

/// The length is believed before the bytes come, so nothing is held for it.
#[tokio::test]
async fn huge_messages_are_refused_in_every_method() {
    let site = Site::start().await;
    let limits = LimitsOptions::default();
    let methods = Methods::of_the_suite().expect("methods");
    let huge = limits.request_bytes_max(Class::Write) + 1;
    for method in methods.iter().filter(|method| is_here(&method.path)) {
        // Area and firm are looked at by who is limited to some; an operator
        // is not.
        let answer = site.send(&method.path, &operator(), vec![0; huge]).await;
        let wanted = expected(Code::OutOfRange, "TOO_LARGE");
        assert_eq!(refused(answer), wanted, "{}", method.path);
    }
    site.still_serves_another().await;
}

pub fn is_here(path: &str) -> bool {
    let here = ["logistics", "admin", "log"];
    here.iter()
        .any(|name| path.starts_with(&format!("/baogong.{name}.")))
}

#[tokio::test]
async fn an_answer_that_no_client_would_take_is_not_sent() {
    let mut site = Site::with(LimitsOptions {
        answer_bytes_max: 1_024,
        ..LimitsOptions::default()
    })
    .await;
    for n in 0..100 {
        site.register(&format!("firm-{n}"))
            .await
            .expect("registered");
    }
    let path = "/baogong.logistics.v1.FreightService/ListCarriers";
    let few = ListCarriersRequest {
        area: AREA.into(),
        page_size: 2,
        ..Default::default()
    };
    let answer = site.send(path, &operator(), few.encode_to_vec()).await;
    assert!(answer.expect("a short page").is_some());
    let many = ListCarriersRequest {
        page_size: 100,
        ..few
    };
    let answer = site.send(path, &operator(), many.encode_to_vec()).await;
    assert_eq!(
        refused(answer),
        expected(Code::OutOfRange, "ANSWER_TOO_LARGE")
    );
}
