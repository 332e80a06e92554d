//! An erased household is not messaged any more; its cadre goes.

use axum::http::StatusCode;
use proto::{NotificationEvent, notification::v1::NotificationState};

use crate::site::Site;

#[tokio::test]
async fn a_message_that_was_to_be_sent_again_becomes_a_visit() {
    let mut site = Site::start().await;
    site.robot.will_answer(StatusCode::INTERNAL_SERVER_ERROR);
    site.register("H1", &[]).await;
    let id = site.door_left("O1", "H1").await;
    site.robot.given().await;
    site.recorded(|event| matches!(event, NotificationEvent::MessageFailed(_)).then_some(()))
        .await;
    assert_eq!(site.get(&id).await.personal_data_erased_time, None);

    site.erase("H1");
    let visit = site
        .recorded(|event| match event {
            NotificationEvent::VisitOpened(event) => Some(event.clone()),
            _ => None,
        })
        .await;
    assert_eq!(
        (&*visit.notification_id, &*visit.reason),
        (&*id, "CONTACT_ERASED")
    );
    assert_eq!(visit.cadre_id, "cadre-1");
    let shown = site.get(&id).await;
    assert_eq!(shown.state(), NotificationState::VisitOpen);
    assert!(shown.personal_data_erased_time.is_some());

    // Not when its time has come, nor after a restart, nor for what is new.
    site.pass_seconds(60).await;
    assert_eq!(site.status().await.pending_work, 0);
    site.ask_to_stop();
    site.start_again().await;
    let later = site.door_left("O2", "H1").await;
    let visit = site
        .recorded(|event| match event {
            NotificationEvent::VisitOpened(event) if event.order_id == "O2" => Some(event.clone()),
            _ => None,
        })
        .await;
    assert_eq!(visit.notification_id, later);
    assert_eq!(site.status().await.pending_work, 0);
}
