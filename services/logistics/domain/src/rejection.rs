//! Every business "no" of the service, with the ids and numbers that the
//! reader needs in order to act.

use decider::Rejected;
use proto::logistics::v1::{ExceptionCode, ParcelState, RunState};

use crate::{door::Entrance, units::Grams};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("checkpoint {checkpoint_id} is not known in this area: register it first")]
    CheckpointUnknown { checkpoint_id: String },
    #[error("checkpoint {checkpoint_id} is already registered with other data: choose another id")]
    CheckpointExists { checkpoint_id: String },
    #[error("member {member_id} is not known in this area: register it first")]
    MemberUnknown { member_id: String },
    #[error("member {member_id} is already registered with other data: choose another id")]
    MemberExists { member_id: String },
    #[error(
        "a shift of {minutes} minutes cannot be assigned: it must end after its start, and at most {max_minutes} minutes after"
    )]
    ShiftLength { minutes: i64, max_minutes: i64 },
    #[error("the shift of member {member_id} would be over already: assign one that ends later")]
    ShiftOver { member_id: String },
    #[error(
        "member {member_id} already has shift {shift_id} in that time: choose a time that does not overlap it"
    )]
    ShiftOverlaps { member_id: String, shift_id: String },
    #[error("the absence of member {member_id} must end after it begins")]
    AbsenceTimes { member_id: String },

    #[error("no parcel of order {order_id} is known in this area: check the order id")]
    ParcelUnknown { order_id: String },
    #[error(
        "the parcel of order {order_id} is already known with other data: one order is one parcel"
    )]
    ParcelExists { order_id: String },
    #[error("order {order_id} is listed twice: list each parcel once")]
    ParcelListedTwice { order_id: String },
    #[error(
        "the parcel of order {order_id} belongs to checkpoint {its_checkpoint_id}, not {checkpoint_id}: bring it there"
    )]
    ParcelElsewhere {
        order_id: String,
        checkpoint_id: String,
        its_checkpoint_id: String,
    },
    #[error(
        "the parcel of order {order_id} cannot be taken over from {from}: {custodian} has it by the record; name that one, or find out who handed it on"
    )]
    NotCustodian {
        order_id: String,
        from: String,
        /// `<kind>/<id>`.
        custodian: String,
    },
    #[error(
        "nothing of order {order_id} is on its way to the checkpoint: its parcel is {}",
        word(*state)
    )]
    NothingToReceive {
        order_id: String,
        state: ParcelState,
    },
    #[error(
        "bag {label} of order {order_id} is not among those handed over ({}): check the label",
        offered.join(", ")
    )]
    BagUnknown {
        order_id: String,
        label: String,
        offered: Vec<String>,
    },
    #[error("bag {label} of order {order_id} is reported twice: report each bag once")]
    BagListedTwice { order_id: String, label: String },
    #[error(
        "the parcel of order {order_id} is not at the checkpoint (it is {}): only received parcels are disinfected",
        word(*state)
    )]
    NotReceived {
        order_id: String,
        state: ParcelState,
    },
    #[error(
        "the parcel of order {order_id} awaits a replacement for {}: disinfect it when that has come or was given up",
        labels.join(", ")
    )]
    AwaitingReplacement {
        order_id: String,
        labels: Vec<String>,
    },
    #[error("no replacement for bag {for_label} of order {order_id} is awaited")]
    ReplacementNotAwaited { order_id: String, for_label: String },
    #[error(
        "another replacement for bag {for_label} of order {order_id} is already on its way: {label}"
    )]
    ReplacementExists {
        order_id: String,
        for_label: String,
        /// Of the bag that is on its way.
        label: String,
    },
    #[error(
        "the parcel of order {order_id} is {}: only a parcel back at the checkpoint after a failed attempt can be rescheduled or returned",
        word(*state)
    )]
    NotHeld {
        order_id: String,
        state: ParcelState,
    },
    #[error(
        "the parcel of order {order_id} is {}: it left the checkpoint before the cancellation and is delivered, or returned after a failed attempt",
        word(*state)
    )]
    AlreadyOut {
        order_id: String,
        state: ParcelState,
    },
    #[error(
        "the household of order {order_id} cannot have been called: no member has left its door (the parcel is {})",
        word(*state)
    )]
    NotLeft {
        order_id: String,
        state: ParcelState,
    },

    #[error(
        "{parcels} parcels at checkpoint {checkpoint_id} cannot be planned: no member is on a delivery shift there now; assign a shift"
    )]
    NobodyOnShift {
        checkpoint_id: String,
        parcels: usize,
    },
    #[error("run {run_id} is not known in this area: check the run id")]
    RunUnknown { run_id: String },
    #[error("run {run_id} is {} and cannot be started: only a planned run can", run_word(*state))]
    RunNotPlanned { run_id: String, state: RunState },
    #[error("run {run_id} is {}: start it first", run_word(*state))]
    RunNotStarted { run_id: String, state: RunState },
    #[error("run {run_id} has no parcel left: plan anew")]
    RunEmpty { run_id: String },
    #[error(
        "run {run_id} cannot start: member {member_id} is not on shift at checkpoint {checkpoint_id} now"
    )]
    NotOnShift {
        run_id: String,
        member_id: String,
        checkpoint_id: String,
    },
    #[error(
        "run {run_id} cannot start: the parcel of order {order_id} is not disinfected; disinfect it first"
    )]
    NotDisinfected { run_id: String, order_id: String },
    #[error("run {run_id} does not serve order {order_id}: check the run's stops")]
    StopUnknown { run_id: String, order_id: String },
    #[error(
        "the goods of order {order_id} are not placed yet: place them at the door before leaving it"
    )]
    GoodsNotPlaced { run_id: String, order_id: String },
    #[error(
        "the goods of order {order_id} are already at the door: the attempt cannot have failed"
    )]
    GoodsAlreadyPlaced { run_id: String, order_id: String },
    #[error(
        "the attempt for order {order_id} on run {run_id} has failed ({}): it is tried again on another run",
        reason.as_str_name().trim_start_matches("EXCEPTION_CODE_").to_ascii_lowercase()
    )]
    StopFailed {
        run_id: String,
        order_id: String,
        reason: ExceptionCode,
    },
    #[error("run {run_id} does not serve entrance {entrance}: check the run's stops")]
    EntranceUnknown { run_id: String, entrance: String },
    #[error(
        "entrance {entrance} of run {run_id} is still being served ({}): disinfect it after the last door",
        order_ids.join(", ")
    )]
    EntranceOpen {
        run_id: String,
        /// `<grid>/<building>/<entrance>`.
        entrance: String,
        order_ids: Vec<String>,
    },
    #[error(
        "run {run_id} cannot be completed: {} of its stops are open ({}); leave each door or report why it was not served",
        order_ids.len(),
        order_ids.join(", ")
    )]
    StopsOpen {
        run_id: String,
        order_ids: Vec<String>,
    },
    #[error(
        "run {run_id} cannot be completed: disinfect {} first",
        entrances.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    EntrancesNotDisinfected {
        run_id: String,
        entrances: Vec<Entrance>,
    },
    #[error("a capacity of {capacity} carries nothing: give member {member_id} one above zero")]
    NoCapacity { member_id: String, capacity: Grams },
    /// About the trunk leg.
    #[error(transparent)]
    Freight(#[from] crate::freight::Rejection),
}

impl Rejected for Rejection {
    fn reason(&self) -> &'static str {
        match self {
            Self::CheckpointUnknown { .. } => "CHECKPOINT_UNKNOWN",
            Self::CheckpointExists { .. } => "CHECKPOINT_ALREADY_EXISTS",
            Self::MemberUnknown { .. } => "MEMBER_UNKNOWN",
            Self::MemberExists { .. } => "MEMBER_ALREADY_EXISTS",
            Self::ShiftLength { .. } => "SHIFT_LENGTH_INVALID",
            Self::ShiftOver { .. } => "SHIFT_OVER",
            Self::ShiftOverlaps { .. } => "SHIFT_OVERLAPS",
            Self::AbsenceTimes { .. } => "ABSENCE_TIMES_INVALID",
            Self::ParcelUnknown { .. } => "PARCEL_UNKNOWN",
            Self::ParcelExists { .. } => "PARCEL_ALREADY_EXISTS",
            Self::ParcelListedTwice { .. } => "PARCEL_LISTED_TWICE",
            Self::ParcelElsewhere { .. } => "PARCEL_ELSEWHERE",
            Self::NotCustodian { .. } => "NOT_CUSTODIAN",
            Self::NothingToReceive { .. } => "NOTHING_TO_RECEIVE",
            Self::BagUnknown { .. } => "BAG_UNKNOWN",
            Self::BagListedTwice { .. } => "BAG_LISTED_TWICE",
            Self::NotReceived { .. } => "PARCEL_NOT_RECEIVED",
            Self::AwaitingReplacement { .. } => "AWAITING_REPLACEMENT",
            Self::ReplacementNotAwaited { .. } => "REPLACEMENT_NOT_AWAITED",
            Self::ReplacementExists { .. } => "REPLACEMENT_ALREADY_EXISTS",
            Self::NotHeld { .. } => "PARCEL_NOT_HELD",
            Self::AlreadyOut { .. } => "ALREADY_OUT",
            Self::NotLeft { .. } => "DOOR_NOT_LEFT",
            Self::NobodyOnShift { .. } => "NOBODY_ON_SHIFT",
            Self::RunUnknown { .. } => "RUN_UNKNOWN",
            Self::RunNotPlanned { .. } => "RUN_NOT_PLANNED",
            Self::RunNotStarted { .. } => "RUN_NOT_STARTED",
            Self::RunEmpty { .. } => "RUN_EMPTY",
            Self::NotOnShift { .. } => "MEMBER_NOT_ON_SHIFT",
            Self::NotDisinfected { .. } => "NOT_DISINFECTED",
            Self::StopUnknown { .. } => "STOP_UNKNOWN",
            Self::GoodsNotPlaced { .. } => "GOODS_NOT_PLACED",
            Self::GoodsAlreadyPlaced { .. } => "GOODS_ALREADY_PLACED",
            Self::StopFailed { .. } => "ATTEMPT_ALREADY_FAILED",
            Self::EntranceUnknown { .. } => "ENTRANCE_UNKNOWN",
            Self::EntranceOpen { .. } => "ENTRANCE_STILL_SERVED",
            Self::StopsOpen { .. } => "STOPS_OPEN",
            Self::EntrancesNotDisinfected { .. } => "ENTRANCES_NOT_DISINFECTED",
            Self::NoCapacity { .. } => "CAPACITY_INVALID",
            Self::Freight(rejection) => rejection.reason(),
        }
    }
}

/// A parcel state as a word: `OUT_FOR_DELIVERY`.
pub(crate) fn word(state: ParcelState) -> &'static str {
    state.as_str_name().trim_start_matches("PARCEL_STATE_")
}

/// A run state as a word: `STARTED`.
pub(crate) fn run_word(state: RunState) -> &'static str {
    state.as_str_name().trim_start_matches("RUN_STATE_")
}
