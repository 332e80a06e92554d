//! Rejections as gRPC codes.

use inventory_domain::Rejection;
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
    }
}
