//! Rejections as gRPC codes.

use inventory_domain::{Rejection, SurplusRejection};
use tonic::Code;

/// One exhaustive match: a new rejection does not compile without a code.
#[must_use]
pub fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::ProductUnknown { .. }
        | Rejection::LotUnknown { .. }
        | Rejection::DemandUnknown { .. }
        | Rejection::BagUnknown { .. } => Code::NotFound,
        Rejection::ProductExists { .. } | Rejection::LotExists { .. } => Code::AlreadyExists,
        // Wrong whatever the stock is.
        Rejection::QuantityInvalid { .. }
        | Rejection::DemandEmpty { .. }
        | Rejection::TooManyOrders { .. } => Code::InvalidArgument,
        // The same orders in smaller portions will do.
        Rejection::TooMuchAtOnce { .. } => Code::OutOfRange,
        Rejection::LotExpired { .. }
        | Rejection::InsufficientOnHand { .. }
        | Rejection::NotReserved { .. }
        | Rejection::NotPicked { .. }
        | Rejection::AlreadyDispatched { .. }
        | Rejection::NotDispatched { .. }
        | Rejection::TooManyBags { .. } => Code::FailedPrecondition,
        Rejection::Surplus(rejection) => surplus(rejection),
    }
}

const fn surplus(rejection: &SurplusRejection) -> Code {
    match rejection {
        SurplusRejection::Unknown { .. } => Code::NotFound,
        SurplusRejection::BuyerExists { .. } => Code::AlreadyExists,
        SurplusRejection::PriceInvalid { .. }
        | SurplusRejection::CapBelowReference { .. }
        | SurplusRejection::Times { .. } => Code::InvalidArgument,
        SurplusRejection::TooManyMatches { .. } => Code::OutOfRange,
        SurplusRejection::AboveCap { .. }
        | SurplusRejection::ListingMatched { .. }
        | SurplusRejection::ListingOver { .. }
        | SurplusRejection::DemandOver { .. }
        | SurplusRejection::MatchIs { .. }
        | SurplusRejection::AnswerTooLate { .. } => Code::FailedPrecondition,
    }
}
