//! The state as response messages.

use decider::Area;
use notification_domain::{Evidence, Notification, State};
use proto::{notification::v1 as pb, time::to_proto};

pub fn notification(state: &State, notification: &Notification) -> pb::Notification {
    pb::Notification {
        notification_id: notification.notification_id.to_string(),
        household_id: notification.household_id.clone(),
        kind: notification.kind.to_proto().into(),
        order_id: notification.order_id.clone(),
        cadre_id: notification.cadre_id.clone(),
        state: notification.phase.to_proto().into(),
        rung: notification.rung.to_proto().into(),
        attempts: notification.attempts,
        requested_time: Some(to_proto(notification.requested)),
        updated_time: Some(to_proto(notification.updated)),
        evidence: notification.evidence.map_or("", Evidence::name).to_owned(),
        revision: notification.revision.0,
        personal_data_erased_time: state
            .contact(&notification.household_id)
            .and_then(|contact| contact.erased)
            .map(to_proto),
    }
}

/// A notification of this area; one of another is as good as none.
pub fn of_area<'a>(state: &'a State, area: &Area, id: &str) -> Option<&'a Notification> {
    state.notification(id).filter(|found| found.area == *area)
}
