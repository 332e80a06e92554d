//! Messages go out once an attempt, again when they must, and are owed until
//! their outcome is recorded.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use decider::{Cause, Role};
use proto::{
    NotificationEvent,
    notification::v1::{
        AcknowledgeNotificationRequest, ChannelKind, NotificationState,
        acknowledge_notification_request::Target,
    },
    types::v1::Sealed,
};

use crate::{feed::AREA, site::Site};

fn receipt(request_id: &str, target: Target) -> AcknowledgeNotificationRequest {
    AcknowledgeNotificationRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        target: Some(target),
    }
}

#[tokio::test]
async fn a_refused_message_is_sent_again_later_and_closed_by_the_receipt() {
    let mut site = Site::start().await;
    site.robot.will_answer(StatusCode::INTERNAL_SERVER_ERROR);
    site.register("H1", &[]).await;
    let id = site.door_left("O1", "H1").await;

    let first = site.robot.given().await;
    assert_eq!(first.key, format!("{id}-1"));
    assert!(first.text.contains("O1"), "{}", first.text);
    assert!(!first.text.contains("13800001234"), "{}", first.text);
    let failed = site
        .recorded(|event| match event {
            NotificationEvent::MessageFailed(event) => Some(event.clone()),
            _ => None,
        })
        .await;
    assert_eq!(failed.error, "the webhook answered HTTP 500");
    assert_eq!((failed.attempt, failed.r#final), (1, false));
    assert_eq!(site.get(&id).await.state(), NotificationState::Pending);
    assert_eq!(
        site.status().await.pending_work,
        0,
        "nothing before its time"
    );

    site.pass_seconds(30).await;
    assert_eq!(site.robot.given().await.key, format!("{id}-2"));
    let (sent, actor, cause) = site
        .record(|record| match &record.event {
            NotificationEvent::MessageSent(event) => {
                Some((event.clone(), record.actor.clone(), record.cause.clone()))
            }
            _ => None,
        })
        .await;
    assert_eq!((sent.attempt, sent.channel()), (2, ChannelKind::Webhook));
    assert_eq!((actor.role, &*actor.id), (Role::System, "notification"));
    let Cause::Request { request_id, .. } = cause else {
        panic!("{cause:?}");
    };
    assert_eq!(request_id, format!("send/{id}/2/sent"));
    assert_eq!(site.get(&id).await.state(), NotificationState::Sent);

    let by_order = receipt("ack-1", Target::OrderId("O1".into()));
    let answer = site.client.acknowledge_notification(by_order.clone()).await;
    let answer = answer.expect("accepted").into_inner();
    assert_eq!(answer.notification_id, id);
    let closed = site.get(&id).await;
    assert_eq!(closed.state(), NotificationState::Closed);
    assert_eq!((&*closed.evidence, closed.attempts), ("receipt", 2));

    let repeated = site.client.acknowledge_notification(by_order).await;
    assert_eq!(repeated.expect("accepted").into_inner(), answer);
    for (request_id, target) in [
        ("ack-2", Target::OrderId("O1".into())),
        ("ack-3", Target::NotificationId(id.clone())),
    ] {
        let again = site
            .client
            .acknowledge_notification(receipt(request_id, target));
        let again = again.await.expect("accepted").into_inner();
        assert_eq!(again.notification_id, answer.notification_id);
    }
    assert!(site.robot.given_besides().is_empty());
}

#[tokio::test]
async fn a_message_on_its_way_is_owed_and_not_sent_twice() {
    let mut site = Site::start().await;
    site.robot.stall();
    site.register("H1", &[]).await;
    site.register("H2", &[]).await;
    let id = site.door_left("O1", "H1").await;
    assert_eq!(site.robot.given().await.key, format!("{id}-1"));
    assert_eq!(site.status().await.pending_work, 1);

    // Other records wake the sender; the message stays where it is.
    let other = site.door_left("O2", "H2").await;
    assert_eq!(site.robot.given().await.key, format!("{other}-1"));
    assert_eq!(site.status().await.pending_work, 2);

    // The receipt overtakes the message: it is still owed until it has ended.
    let target = Target::NotificationId(id.clone());
    let acknowledged = site.client.acknowledge_notification(receipt("ack", target));
    acknowledged.await.expect("accepted");
    assert_eq!(site.status().await.pending_work, 2);

    site.robot.go_on();
    let sent = site
        .recorded(|event| match event {
            NotificationEvent::MessageSent(event) => Some(event.notification_id.clone()),
            _ => None,
        })
        .await;
    assert_eq!(sent, other, "what is closed is not recorded as sent");
    assert_eq!(site.get(&id).await.evidence, "receipt");
    assert!(site.robot.given_besides().is_empty());
}

#[tokio::test]
async fn many_messages_go_out_side_by_side_within_a_limit_and_once_each() {
    const DOORS: usize = 150;
    const SIDE_BY_SIDE: usize = 64;
    let mut site = Site::start().await;
    site.robot.stall();
    site.register("H1", &[]).await;
    for n in 0..DOORS {
        site.door_left(&format!("O{n}"), "H1").await;
    }
    let mut keys = BTreeSet::new();
    for _ in 0..SIDE_BY_SIDE {
        keys.insert(site.robot.given().await.key);
    }
    assert!(site.robot.given_besides().is_empty());
    let owed = site.status().await.pending_work;
    assert_eq!(owed, DOORS as u64);

    site.robot.go_on();
    for _ in 0..DOORS {
        site.recorded(|event| matches!(event, NotificationEvent::MessageSent(_)).then_some(()))
            .await;
    }
    keys.extend(
        site.robot
            .given_besides()
            .into_iter()
            .map(|given| given.key),
    );
    assert_eq!(keys.len(), DOORS);
    assert_eq!(site.status().await.pending_work, 0);
}

#[tokio::test]
async fn a_shutdown_waits_for_the_message_on_its_way() {
    let mut site = Site::start().await;
    site.robot.stall();
    site.register("H1", &[]).await;
    let id = site.door_left("O1", "H1").await;
    site.robot.given().await;
    site.ask_to_stop();
    site.robot.go_on();
    site.start_again().await;
    assert_eq!(site.get(&id).await.state(), NotificationState::Sent);
    assert_eq!(site.status().await.pending_work, 0);
    assert!(site.robot.given_besides().is_empty());
}

#[tokio::test]
async fn who_cannot_be_written_to_any_more_is_telephoned() {
    let mut site = Site::start().await;
    // No such key: as it is after the household's data was erased.
    let erased = Sealed {
        key_id: "household/H9".into(),
        nonce: vec![0; 12],
        ciphertext: vec![0; 40],
    };
    site.register_with("H9", &[], erased.clone()).await;
    site.register_with("H8", &[], erased).await;
    for (order, household, error) in [
        ("O9", "H9", "the contact was erased"),
        ("O8", "H8", "the contact is sealed for another household"),
    ] {
        let id = site.door_left(order, household).await;
        let failed = site
            .recorded(|event| match event {
                NotificationEvent::MessageFailed(event) => Some(event.clone()),
                _ => None,
            })
            .await;
        assert_eq!(failed.notification_id, id);
        assert_eq!((&*failed.error, failed.r#final), (error, true));
        let found = site.get(&id).await;
        assert_eq!(found.state(), NotificationState::CallTaskOpen);
    }
    assert!(site.robot.given_besides().is_empty());
}
