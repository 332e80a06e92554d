//! Rejections as gRPC codes.

use logistics_domain::{FreightRejection, Rejection};
use tonic::Code;

/// One exhaustive match: a new rejection does not compile without a code.
#[must_use]
pub fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::CheckpointUnknown { .. }
        | Rejection::MemberUnknown { .. }
        | Rejection::ParcelUnknown { .. }
        | Rejection::RunUnknown { .. }
        | Rejection::StopUnknown { .. }
        | Rejection::EntranceUnknown { .. }
        | Rejection::BagUnknown { .. } => Code::NotFound,
        Rejection::CheckpointExists { .. }
        | Rejection::MemberExists { .. }
        | Rejection::ParcelExists { .. }
        | Rejection::ReplacementExists { .. } => Code::AlreadyExists,
        Rejection::ShiftLength { .. }
        | Rejection::AbsenceTimes { .. }
        | Rejection::ParcelListedTwice { .. }
        | Rejection::BagListedTwice { .. }
        | Rejection::NoCapacity { .. } => Code::InvalidArgument,
        Rejection::ShiftOver { .. }
        | Rejection::ShiftOverlaps { .. }
        | Rejection::ParcelElsewhere { .. }
        | Rejection::NotCustodian { .. }
        | Rejection::NothingToReceive { .. }
        | Rejection::NotReceived { .. }
        | Rejection::AwaitingReplacement { .. }
        | Rejection::ReplacementNotAwaited { .. }
        | Rejection::NotHeld { .. }
        | Rejection::AlreadyOut { .. }
        | Rejection::NotLeft { .. }
        | Rejection::NobodyOnShift { .. }
        | Rejection::RunNotPlanned { .. }
        | Rejection::RunNotStarted { .. }
        | Rejection::RunEmpty { .. }
        | Rejection::NotOnShift { .. }
        | Rejection::NotDisinfected { .. }
        | Rejection::GoodsNotPlaced { .. }
        | Rejection::GoodsAlreadyPlaced { .. }
        | Rejection::StopFailed { .. }
        | Rejection::EntranceOpen { .. }
        | Rejection::StopsOpen { .. }
        | Rejection::EntrancesNotDisinfected { .. } => Code::FailedPrecondition,
        Rejection::Freight(rejection) => of_freight(rejection),
    }
}

fn of_freight(rejection: &FreightRejection) -> Code {
    match rejection {
        FreightRejection::Unknown { .. } => Code::NotFound,
        FreightRejection::Exists { .. } | FreightRejection::ReportExists { .. } => {
            Code::AlreadyExists
        }
        FreightRejection::Times { .. }
        | FreightRejection::NoCapacity { .. }
        | FreightRejection::ZoneNotApplied { .. }
        | FreightRejection::Load { .. }
        | FreightRejection::Route { .. }
        | FreightRejection::ReportTime { .. }
        | FreightRejection::ReportIncomplete { .. }
        | FreightRejection::Count { .. }
        | FreightRejection::ProofIncomplete { .. }
        | FreightRejection::LabelTwice { .. }
        | FreightRejection::PinWrong { .. } => Code::InvalidArgument,
        FreightRejection::PhotoQuota { .. } => Code::ResourceExhausted,
        FreightRejection::CarrierSuspended { .. } => Code::PermissionDenied,
        FreightRejection::TooManyWebhooks { .. } => Code::ResourceExhausted,
        FreightRejection::InUse { .. }
        | FreightRejection::PassIs { .. }
        | FreightRejection::WebhookIs { .. }
        | FreightRejection::PassInvalid { .. }
        | FreightRejection::ShipmentIs { .. }
        | FreightRejection::NobodyHasCapacity { .. }
        | FreightRejection::TenderOver { .. }
        | FreightRejection::VehicleTooSmall { .. }
        | FreightRejection::ShipmentFull { .. }
        | FreightRejection::PinNotIssued { .. }
        | FreightRejection::PinLocked { .. }
        | FreightRejection::OnLoad { .. }
        | FreightRejection::RouteConflict { .. }
        | FreightRejection::RouteClosed { .. }
        | FreightRejection::ReportContradicts { .. } => Code::FailedPrecondition,
    }
}
