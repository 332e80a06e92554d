//! Rejections as gRPC codes.

use order_domain::Rejection;
use tonic::Code;

/// One exhaustive match: a new rejection does not compile without a code.
#[must_use]
pub fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::HouseholdUnknown { .. }
        | Rejection::GroupBuyUnknown { .. }
        | Rejection::OrderUnknown { .. } => Code::NotFound,
        Rejection::HouseholdExists { .. } | Rejection::AlreadyJoined { .. } => Code::AlreadyExists,
        Rejection::SameCadre { .. }
        | Rejection::GroupBuyWindowInvalid { .. }
        | Rejection::CapBelowMinimum { .. }
        | Rejection::ProductNotOffered { .. } => Code::InvalidArgument,
        Rejection::LimitExceeded { .. } => Code::OutOfRange,
        Rejection::ContingencyAlreadyActive { .. }
        | Rejection::PersonalDataErased { .. }
        | Rejection::GoodsUnderWay { .. }
        | Rejection::NotErased { .. }
        | Rejection::HouseholdOfOtherCadre { .. }
        | Rejection::GroupBuyClosed { .. }
        | Rejection::GroupBuyNotYetOpen { .. }
        | Rejection::OutsideZone { .. }
        | Rejection::TooLateToCancel { .. }
        | Rejection::OutOfSequence { .. } => Code::FailedPrecondition,
    }
}
