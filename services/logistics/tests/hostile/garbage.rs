//! Bytes that are no message, to every method of the service.

use access::Methods;
use tonic::Code;

use crate::{
    site::{LIST, Site, acme, expected, logged, operator, refused},
    sizes::is_here,
};

#[tokio::test]
async fn what_is_no_message_is_an_invalid_argument_in_every_method() {
    let site = Site::start().await;
    let methods = Methods::of_the_suite().expect("methods");
    let mut walked = 0;
    for method in methods.iter().filter(|method| is_here(&method.path)) {
        walked += 1;
        for garbage in [
            // A field that is longer than the message.
            &[0x0a, 0x7f][..],
            // A number without an end.
            &[0xff; 11],
            // A group that is closed and was never opened.
            &[0x0c],
            // The field number 0.
            &[0x00, 0x01],
        ] {
            let answer = site.send(&method.path, &operator(), garbage.to_vec()).await;
            let status = answer.clone().expect_err("refused");
            assert!(status.message().contains("request"), "{status:?}");
            let wanted = expected(Code::InvalidArgument, "REQUEST_UNREADABLE");
            assert_eq!(refused(answer), wanted, "{} {garbage:?}", method.path);
        }
    }
    assert!(walked > 60, "{walked} methods");
    assert!(logged(&["refused", "REQUEST_UNREADABLE"]));
    site.still_serves_another().await;
}

#[tokio::test]
async fn one_request_is_one_message() {
    let site = Site::start().await;
    let wanted = expected(Code::InvalidArgument, "REQUEST_UNREADABLE");
    for messages in [Vec::new(), vec![Vec::new(), Vec::new()]] {
        let count = messages.len();
        let answer = site.send_all(LIST, &operator(), messages).await;
        assert_eq!(refused(answer), wanted, "{count} messages");
    }
    site.still_serves_another().await;
}

#[tokio::test]
async fn a_method_that_is_none_is_said_to_be_none() {
    let site = Site::start().await;
    for path in [
        "/baogong.logistics.v1.PartnerService/Conquer",
        "/baogong.order.v1.OrderService/GetOrder",
        "/x/y",
    ] {
        let answer = site.send(path, &acme(), Vec::new()).await;
        let code = answer.expect_err("refused").code();
        assert!(
            matches!(code, Code::Unimplemented | Code::PermissionDenied),
            "{path}: {code}"
        );
    }
    site.still_serves_another().await;
}
