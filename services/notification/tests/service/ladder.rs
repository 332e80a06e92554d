//! Nobody answers: message, telephone, visit.

use proto::{
    NotificationEvent,
    notification::v1::{
        CallOutcome, CompleteCallTaskRequest, CompleteVisitRequest, ListNotificationsRequest,
        NotificationState, Rung,
    },
    types::v1::Need,
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{feed::AREA, site::Site};

async fn listed(site: &mut Site, state: NotificationState, min_position: u64) -> Vec<String> {
    let request = ListNotificationsRequest {
        area: AREA.into(),
        min_position,
        state: state.into(),
        ..ListNotificationsRequest::default()
    };
    let answer = site.client.list_notifications(request).await;
    let list = answer.expect("a list").into_inner().notifications;
    list.into_iter().map(|n| n.notification_id).collect()
}

#[tokio::test]
async fn nobody_answers_until_the_cadre_goes() {
    let mut site = Site::start().await;
    site.register("H1", &[]).await;
    let id = site.door_left("O1", "H1").await;
    site.recorded(|event| matches!(event, NotificationEvent::MessageSent(_)).then_some(()))
        .await;
    assert!(
        listed(&mut site, NotificationState::CallTaskOpen, 0)
            .await
            .is_empty()
    );

    site.pass_minutes(31).await;
    assert_eq!(
        listed(&mut site, NotificationState::CallTaskOpen, 0).await,
        [&*id]
    );

    let call = CompleteCallTaskRequest {
        request_id: "call-1".into(),
        area: AREA.into(),
        notification_id: id.clone(),
        outcome: CallOutcome::NoAnswer.into(),
        done_by: "volunteer-1".into(),
    };
    let called = site.client.complete_call_task(call.clone()).await;
    let called = called.expect("accepted").into_inner();
    let visits = listed(&mut site, NotificationState::VisitOpen, called.position);
    assert_eq!(visits.await, [&*id]);
    let again = site.client.complete_call_task(call).await;
    assert_eq!(again.expect("accepted").into_inner(), called);

    let visit = |request_id: &str, cadre_id: &str| CompleteVisitRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        notification_id: id.clone(),
        cadre_id: cadre_id.into(),
        note: "goods taken in together".into(),
    };
    let refused = site
        .client
        .complete_visit(visit("visit-1", "cadre-2"))
        .await;
    let refused = refused.expect_err("not the household's cadre");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let reason = refused.get_details_error_info().expect("a reason").reason;
    assert_eq!(reason, "NOT_THE_CADRE");
    assert!(
        refused.message().contains("cadre-1"),
        "{}",
        refused.message()
    );

    let done = site
        .client
        .complete_visit(visit("visit-2", "cadre-1"))
        .await;
    done.expect("the household's cadre");
    let closed = site.get(&id).await;
    assert_eq!(closed.state(), NotificationState::Closed);
    assert_eq!((&*closed.evidence, closed.rung()), ("visit", Rung::Visit));

    let late = site
        .client
        .complete_visit(visit("visit-3", "cadre-2"))
        .await;
    assert_eq!(late.expect_err("closed").code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn who_has_no_smartphone_is_telephoned_at_once() {
    let mut site = Site::start().await;
    site.register("H1", &[Need::NoSmartphone]).await;
    let id = site.door_left("O1", "H1").await;
    assert_eq!(
        listed(&mut site, NotificationState::CallTaskOpen, 0).await,
        [&*id]
    );
    assert_eq!(site.status().await.pending_work, 0);
    let call = CompleteCallTaskRequest {
        request_id: "call-1".into(),
        area: AREA.into(),
        notification_id: id.clone(),
        outcome: CallOutcome::Answered.into(),
        done_by: "volunteer-1".into(),
    };
    site.client
        .complete_call_task(call)
        .await
        .expect("accepted");
    assert_eq!(site.get(&id).await.evidence, "call");
    assert!(site.robot.given_besides().is_empty());
}
