//! Every business "no" of this service.

use decider::{Area, Rejected};

use crate::values::Phase;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error(
        "there is no notification {notification_id} in area {area}; \
         ListNotifications shows those that there are"
    )]
    NotificationUnknown { notification_id: String, area: Area },

    #[error(
        "nothing was notified about goods at the door of order {order_id} in area {area}: \
         the member has not left the door yet, or it is another order"
    )]
    OrderNotNotified { order_id: String, area: Area },

    #[error(
        "attempt {attempt} at notification {notification_id} is not the next one, \
         which is {expected}; read the pending sends again"
    )]
    AttemptUnexpected {
        notification_id: String,
        attempt: i32,
        expected: i32,
    },

    #[error(
        "notification {notification_id} has no open call task, it is {phase}; \
         if the household has said that it has the goods, acknowledge the notification instead"
    )]
    CallTaskNotOpen {
        notification_id: String,
        phase: Phase,
    },

    #[error(
        "notification {notification_id} has no open visit, it is {phase}; \
         if the household has said that it has the goods, acknowledge the notification instead"
    )]
    VisitNotOpen {
        notification_id: String,
        phase: Phase,
    },

    #[error(
        "notification {notification_id} is for the visit of cadre {expected_cadre_id}, who answers \
         for household {household_id}, not of {cadre_id}; hand the household over first if \
         {cadre_id} is to go"
    )]
    NotTheCadre {
        notification_id: String,
        household_id: String,
        cadre_id: String,
        expected_cadre_id: String,
    },

    #[error(
        "no cadre answers for household {household_id}, so nobody can complete the visit of \
         notification {notification_id}; register the household with its cadre first"
    )]
    NoCadre {
        notification_id: String,
        household_id: String,
    },
}

impl Rejected for Rejection {
    fn reason(&self) -> &'static str {
        match self {
            Self::NotificationUnknown { .. } => "NOTIFICATION_UNKNOWN",
            Self::OrderNotNotified { .. } => "ORDER_NOT_NOTIFIED",
            Self::AttemptUnexpected { .. } => "ATTEMPT_UNEXPECTED",
            Self::CallTaskNotOpen { .. } => "CALL_TASK_NOT_OPEN",
            Self::VisitNotOpen { .. } => "VISIT_NOT_OPEN",
            Self::NotTheCadre { .. } => "NOT_THE_CADRE",
            Self::NoCadre { .. } => "NO_CADRE",
        }
    }
}
