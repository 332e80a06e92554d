//! Every request of the service with its parser, for tests that feed them
//! nonsense.

use decider::Service::Notification as SERVICE;
use service_kit::{
    readers,
    readers::{Reader, id, page},
};

use crate::parse;

pub const ALL: &[Reader] = readers! {
    notification::AcknowledgeNotificationRequest => parse::acknowledge;
    notification::CompleteCallTaskRequest => parse::complete_call_task;
    notification::CompleteVisitRequest => parse::complete_visit;
    notification::GetNotificationRequest =>
        |r| id(SERVICE, "notification_id", &r.notification_id);
    notification::ListNotificationsRequest => |r| {
        parse::filter(r)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
};
