//! Rejections as gRPC codes.

use notification_domain::Rejection;
use tonic::Code;

/// One exhaustive match: a new rejection does not compile without a code.
#[must_use]
pub fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::NotificationUnknown { .. } | Rejection::OrderNotNotified { .. } => {
            Code::NotFound
        }
        Rejection::NotTheCadre { .. } => Code::PermissionDenied,
        Rejection::AttemptUnexpected { .. }
        | Rejection::CallTaskNotOpen { .. }
        | Rejection::VisitNotOpen { .. }
        | Rejection::NoCadre { .. } => Code::FailedPrecondition,
    }
}
