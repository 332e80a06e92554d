//! Requests that cannot be carried out are refused with a code and words that
//! say what to do.

use proto::{
    NotificationEvent,
    notification::v1::{
        AcknowledgeNotificationRequest, CallOutcome, CompleteCallTaskRequest, CompleteVisitRequest,
        GetNotificationRequest, ListNotificationsRequest, NotificationKind, NotificationState,
        acknowledge_notification_request::Target,
    },
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{feed::AREA, site::Site};

fn receipt(request_id: &str, target: Option<Target>) -> AcknowledgeNotificationRequest {
    AcknowledgeNotificationRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        target,
    }
}

fn call(request_id: &str, notification_id: &str) -> CompleteCallTaskRequest {
    CompleteCallTaskRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        notification_id: notification_id.into(),
        outcome: CallOutcome::Answered.into(),
        done_by: "volunteer-1".into(),
    }
}

fn visit(request_id: &str, notification_id: &str) -> CompleteVisitRequest {
    CompleteVisitRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        notification_id: notification_id.into(),
        cadre_id: "cadre-1".into(),
        note: String::new(),
    }
}

fn list() -> ListNotificationsRequest {
    ListNotificationsRequest {
        area: AREA.into(),
        ..ListNotificationsRequest::default()
    }
}

/// The fields that are complained about; a refusal for another reason has none.
fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    let status = answer.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let violations = status.get_details_bad_request().map(|b| b.field_violations);
    let violations = violations.unwrap_or_default();
    violations.into_iter().map(|v| v.field).collect()
}

fn code<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("refused");
    let reason = status.get_details_error_info().expect("a reason").reason;
    (status.code(), reason)
}

fn expected(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn every_malformed_field_is_named() {
    let mut site = Site::start().await;
    let client = &mut site.client;
    let target = || Some(Target::OrderId("O1".into()));
    let no_id = client.acknowledge_notification(receipt("", target())).await;
    assert_eq!(fields(no_id), ["request_id"]);
    let slashes = client.acknowledge_notification(receipt("send/N/1/sent", target()));
    assert_eq!(fields(slashes.await), ["request_id"]);
    let no_target = client.acknowledge_notification(receipt("r", None)).await;
    assert_eq!(fields(no_target), ["notification_id"]);
    let no_order =
        client.acknowledge_notification(receipt("r", Some(Target::OrderId(String::new()))));
    assert_eq!(fields(no_order.await), ["order_id"]);
    let elsewhere = AcknowledgeNotificationRequest {
        area: "here".into(),
        ..receipt("r", target())
    };
    assert_eq!(
        fields(client.acknowledge_notification(elsewhere).await),
        ["area"]
    );

    for outcome in [0, -1, 99] {
        let unknown = CompleteCallTaskRequest {
            outcome,
            ..call("r", "N1")
        };
        assert_eq!(
            fields(client.complete_call_task(unknown).await),
            ["outcome"]
        );
    }
    let nobody = CompleteCallTaskRequest {
        done_by: String::new(),
        ..call("r", "")
    };
    let named = fields(client.complete_call_task(nobody).await);
    assert_eq!(named, ["notification_id", "done_by"]);

    let long = CompleteVisitRequest {
        note: "好".repeat(201),
        ..visit("r", "N1")
    };
    assert_eq!(fields(client.complete_visit(long).await), ["note"]);

    let unknown = ListNotificationsRequest {
        state: 99,
        kind: 98,
        ..list()
    };
    assert_eq!(
        fields(client.list_notifications(unknown).await),
        ["state", "kind"]
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let mut site = Site::start().await;
    let unknown = expected(Code::NotFound, "NOTIFICATION_UNKNOWN");
    let client = &mut site.client;
    let get = GetNotificationRequest {
        area: AREA.into(),
        notification_id: "N1".into(),
        ..GetNotificationRequest::default()
    };
    assert_eq!(code(client.get_notification(get).await), unknown);
    assert_eq!(
        code(client.complete_call_task(call("r1", "N1")).await),
        unknown
    );
    assert_eq!(
        code(client.complete_visit(visit("r2", "N1")).await),
        unknown
    );
    let by_id = receipt("r3", Some(Target::NotificationId("N1".into())));
    assert_eq!(code(client.acknowledge_notification(by_id).await), unknown);
    let by_order = receipt("r4", Some(Target::OrderId("O1".into())));
    assert_eq!(
        code(client.acknowledge_notification(by_order).await),
        expected(Code::NotFound, "ORDER_NOT_NOTIFIED")
    );
}

#[tokio::test]
async fn a_notification_of_another_area_is_as_good_as_none() {
    let mut site = Site::start().await;
    site.register("H1", &[]).await;
    let id = site.door_left("O1", "H1").await;
    let area = || "110101001".to_owned();
    let get = GetNotificationRequest {
        area: area(),
        notification_id: id.clone(),
        ..GetNotificationRequest::default()
    };
    let answer = site.client.get_notification(get).await;
    assert_eq!(code(answer).0, Code::NotFound);
    let all = ListNotificationsRequest {
        area: area(),
        ..list()
    };
    let answer = site.client.list_notifications(all).await.expect("a list");
    assert!(answer.into_inner().notifications.is_empty());
    let receipt = AcknowledgeNotificationRequest {
        area: area(),
        ..receipt("r", Some(Target::OrderId("O1".into())))
    };
    let answer = site.client.acknowledge_notification(receipt).await;
    assert_eq!(code(answer).0, Code::NotFound);
}

#[tokio::test]
async fn a_request_id_stands_for_one_request() {
    let mut site = Site::start().await;
    site.register("H1", &[]).await;
    let id = site.door_left("O1", "H1").await;
    let first = receipt("r1", Some(Target::NotificationId(id.clone())));
    site.client
        .acknowledge_notification(first)
        .await
        .expect("accepted");
    let other = receipt("r1", Some(Target::OrderId("O1".into())));
    assert_eq!(
        code(site.client.acknowledge_notification(other).await),
        expected(Code::AlreadyExists, "REQUEST_ID_REUSED")
    );
    // What is not on that rung of the ladder says where it stands.
    let answer = site.client.complete_call_task(call("r2", &id)).await;
    let status = answer.expect_err("closed");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("closed"), "{}", status.message());
}

#[tokio::test]
async fn a_list_comes_in_pages_and_a_token_belongs_to_its_list() {
    let mut site = Site::start().await;
    site.register("H1", &[]).await;
    let mut made = Vec::new();
    for order in ["O1", "O2", "O3"] {
        made.push(site.door_left(order, "H1").await);
        site.recorded(|event| matches!(event, NotificationEvent::MessageSent(_)).then_some(()))
            .await;
    }
    made.sort();
    let request = ListNotificationsRequest {
        page_size: 2,
        state: NotificationState::Sent.into(),
        kind: NotificationKind::GoodsAtDoor.into(),
        household_id: "H1".into(),
        cadre_id: "cadre-1".into(),
        ..list()
    };
    let first = site.client.list_notifications(request.clone()).await;
    let first = first.expect("a page").into_inner();
    let next = ListNotificationsRequest {
        page_token: first.next_page_token.clone(),
        ..request.clone()
    };
    let second = site.client.list_notifications(next.clone()).await;
    let second = second.expect("a page").into_inner();
    assert_eq!(second.next_page_token, "");
    let pages = first.notifications.iter().chain(&second.notifications);
    let seen: Vec<_> = pages.map(|n| n.notification_id.clone()).collect();
    assert_eq!(seen, made);

    let invalid = expected(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    for wrong in [
        ListNotificationsRequest {
            order_id: "O1".into(),
            ..next.clone()
        },
        ListNotificationsRequest {
            state: 0,
            ..next.clone()
        },
        ListNotificationsRequest {
            page_token: "nonsense".into(),
            ..request.clone()
        },
    ] {
        assert_eq!(code(site.client.list_notifications(wrong).await), invalid);
    }
    let negative = ListNotificationsRequest {
        page_size: -1,
        ..request
    };
    assert_eq!(
        code(site.client.list_notifications(negative).await),
        expected(Code::InvalidArgument, "PAGE_SIZE_NEGATIVE")
    );
}
