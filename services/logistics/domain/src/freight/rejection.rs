//! Every "no" about the trunk leg.

use std::fmt;

use decider::{Rejected, Timestamp};
use proto::{
    logistics::v1::{PassState, ShipmentState, WebhookState},
    time::to_proto,
};

use crate::units::Grams;

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Carrier,
    Vehicle,
    Driver,
    Offer,
    Pass,
    Shipment,
    Stop,
    Line,
    Label,
    Order,
    Incident,
    Route,
    Webhook,
}

impl Subject {
    const fn word(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Vehicle => "vehicle",
            Self::Driver => "driver",
            Self::Offer => "capacity offer",
            Self::Pass => "pass",
            Self::Shipment => "shipment",
            Self::Stop => "stop",
            Self::Line => "line",
            Self::Label => "bag",
            Self::Order => "order",
            Self::Incident => "incident",
            Self::Route => "route",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Also of what is another firm's.
    #[error("{subject} {id} is not known: check the id, and that it is yours")]
    Unknown { subject: Subject, id: String },
    #[error("{subject} {id} is already known with other data: choose another id")]
    Exists { subject: Subject, id: String },
    #[error("carrier {carrier_id} is suspended ({reason}): ask the dispatcher")]
    CarrierSuspended { carrier_id: String, reason: String },
    #[error("{subject} {id} is in use by shipment {shipment_id}: assign another one to it first")]
    InUse {
        subject: Subject,
        id: String,
        shipment_id: String,
    },
    #[error("the time must end after it begins, and end in the future (it ends at {})", to_proto(*to))]
    Times { to: Timestamp },
    #[error("an offer of {capacity} carries nothing: offer more than zero")]
    NoCapacity { capacity: Grams },
    #[error("pass {pass_id} is {}: {needed}", pass_word(*state))]
    PassIs {
        pass_id: String,
        state: PassState,
        /// What it would have to be, and what to do.
        needed: &'static str,
    },
    #[error("zone {zone} was not applied for with pass {pass_id}: apply for a pass that has it")]
    ZoneNotApplied { pass_id: String, zone: String },
    #[error(
        "pass {pass_id} does not cover this: {why}; apply for a pass that is valid for the time, zones, vehicle and driver"
    )]
    PassInvalid { pass_id: String, why: String },

    #[error("the load is not one that can be carried: {why}")]
    Load { why: String },
    #[error("shipment {shipment_id} is {}: {needed}", shipment_word(*state))]
    ShipmentIs {
        shipment_id: String,
        state: ShipmentState,
        needed: &'static str,
    },
    #[error(
        "no carrier has capacity for shipment {shipment_id} ({weight}, zones {}): wait for an offer, or name a carrier",
        zones.join(" ")
    )]
    NobodyHasCapacity {
        shipment_id: String,
        weight: Grams,
        zones: Vec<String>,
    },
    #[error(
        "tender {round} of shipment {shipment_id} is not open any more (the latest is {latest}): read the shipment again"
    )]
    TenderOver {
        shipment_id: String,
        round: i32,
        latest: i32,
    },
    #[error(
        "vehicle {vehicle_id} carries {capacity}, shipment {shipment_id} weighs {weight}: assign a larger one"
    )]
    VehicleTooSmall {
        vehicle_id: String,
        shipment_id: String,
        capacity: Grams,
        weight: Grams,
    },
    #[error(
        "report {report_id} of shipment {shipment_id} was already made with other content: give each report an id of its own"
    )]
    ReportExists {
        shipment_id: String,
        report_id: String,
    },
    #[error(
        "the report's time {} is {side}: correct the clock that it comes from",
        to_proto(*occurred)
    )]
    ReportTime {
        occurred: Timestamp,
        /// "in the future" or "before the tender was accepted".
        side: &'static str,
    },
    #[error("{milestone} of a shipment needs {needed}")]
    ReportIncomplete {
        milestone: &'static str,
        needed: &'static str,
    },
    #[error("stop {stop_id} of shipment {shipment_id} was reported {was}, which excludes this")]
    ReportContradicts {
        shipment_id: String,
        stop_id: String,
        was: &'static str,
    },
    #[error("line {line_id}: {why}")]
    Count { line_id: String, why: String },
    #[error("the route cannot be: {why}")]
    Route { why: String },
    #[error(
        "what {holder_id} sends to {checkpoint_id} takes route {other_id}: close that one first"
    )]
    RouteConflict {
        holder_id: String,
        checkpoint_id: String,
        other_id: String,
    },
    #[error("route {route_id} is closed ({reason}): open another one")]
    RouteClosed { route_id: String, reason: String },
    #[error(
        "order {order_id} is on the load of shipment {shipment_id}: take that over as a whole, or \
         cancel it"
    )]
    OnLoad {
        order_id: String,
        shipment_id: String,
    },
    #[error("a proof by {kind} needs {needed}")]
    ProofIncomplete {
        kind: &'static str,
        needed: &'static str,
    },
    #[error("bag {label} is named twice: name each bag once")]
    LabelTwice { label: String },
    #[error("shipment {shipment_id} has {most} {what} already, which is the limit")]
    ShipmentFull {
        shipment_id: String,
        what: &'static str,
        most: usize,
    },
    #[error(
        "{carrier_id} has stored {stored} bytes of photos today (UTC) and may store {quota}: upload \
         it tomorrow, or send smaller photos"
    )]
    PhotoQuota {
        carrier_id: String,
        stored: i64,
        quota: i64,
    },
    #[error("shipment {shipment_id} has no PIN: the receiver asks the dispatcher for one")]
    PinNotIssued { shipment_id: String },
    #[error("this is not the PIN of shipment {shipment_id}; {left} more tries are left")]
    PinWrong { shipment_id: String, left: i32 },
    #[error(
        "a wrong PIN was told too often for shipment {shipment_id}: the dispatcher has to issue a \
         new one"
    )]
    PinLocked { shipment_id: String },
    #[error(
        "carrier {carrier_id} has {max} webhooks, and that is the limit: remove one",
        max = super::WEBHOOKS_MAX
    )]
    TooManyWebhooks { carrier_id: String },
    #[error(
        "webhook {webhook_id} is {}: resume it first",
        state.as_str_name().trim_start_matches("WEBHOOK_STATE_")
    )]
    WebhookIs {
        webhook_id: String,
        state: WebhookState,
    },
}

impl Rejection {
    pub(crate) fn unknown(subject: Subject, id: &str) -> Self {
        Self::Unknown {
            subject,
            id: id.to_owned(),
        }
    }
}

impl Rejected for Rejection {
    fn reason(&self) -> &'static str {
        match self {
            Self::Unknown { subject, .. } => match subject {
                Subject::Carrier => "CARRIER_UNKNOWN",
                Subject::Vehicle => "VEHICLE_UNKNOWN",
                Subject::Driver => "DRIVER_UNKNOWN",
                Subject::Offer => "CAPACITY_OFFER_UNKNOWN",
                Subject::Pass => "PASS_UNKNOWN",
                Subject::Shipment => "SHIPMENT_UNKNOWN",
                Subject::Stop => "SHIPMENT_STOP_UNKNOWN",
                Subject::Line => "LINE_UNKNOWN",
                Subject::Label => "LABEL_UNKNOWN",
                Subject::Order => "ORDER_UNKNOWN",
                Subject::Incident => "INCIDENT_UNKNOWN",
                Subject::Route => "ROUTE_UNKNOWN",
                Subject::Webhook => "WEBHOOK_UNKNOWN",
            },
            Self::Exists { .. } => "ALREADY_REGISTERED",
            Self::CarrierSuspended { .. } => "CARRIER_SUSPENDED",
            Self::InUse { .. } => "IN_USE",
            Self::Times { .. } => "TIMES_INVALID",
            Self::NoCapacity { .. } => "CAPACITY_INVALID",
            Self::PassIs { .. } => "PASS_STATE",
            Self::ZoneNotApplied { .. } => "ZONE_NOT_APPLIED",
            Self::PassInvalid { .. } => "PASS_INVALID",
            Self::Load { .. } => "LOAD_INVALID",
            Self::ShipmentIs { .. } => "SHIPMENT_STATE",
            Self::NobodyHasCapacity { .. } => "NOBODY_HAS_CAPACITY",
            Self::TenderOver { .. } => "TENDER_OVER",
            Self::VehicleTooSmall { .. } => "VEHICLE_TOO_SMALL",
            Self::ReportExists { .. } => "REPORT_ALREADY_EXISTS",
            Self::ReportTime { .. } => "REPORT_TIME_INVALID",
            Self::ReportIncomplete { .. } => "REPORT_INCOMPLETE",
            Self::ReportContradicts { .. } => "REPORT_CONTRADICTS",
            Self::Count { .. } => "COUNT_INVALID",
            Self::ProofIncomplete { .. } => "PROOF_INCOMPLETE",
            Self::LabelTwice { .. } => "LABEL_TWICE",
            Self::ShipmentFull { .. } => "SHIPMENT_FULL",
            Self::PhotoQuota { .. } => "PHOTO_QUOTA_USED_UP",
            Self::PinNotIssued { .. } => "PIN_NOT_ISSUED",
            Self::PinWrong { .. } => "PIN_WRONG",
            Self::PinLocked { .. } => "PIN_LOCKED",
            Self::Route { .. } => "ROUTE_INVALID",
            Self::OnLoad { .. } => "PARCEL_ON_LOAD",
            Self::RouteConflict { .. } => "ROUTE_CONFLICT",
            Self::RouteClosed { .. } => "ROUTE_CLOSED",
            Self::TooManyWebhooks { .. } => "TOO_MANY_WEBHOOKS",
            Self::WebhookIs { .. } => "WEBHOOK_STATE",
        }
    }
}

/// `EN_ROUTE_PICKUP`.
pub(crate) fn shipment_word(state: ShipmentState) -> &'static str {
    state.as_str_name().trim_start_matches("SHIPMENT_STATE_")
}

/// `REVOKED`.
pub(crate) fn pass_word(state: PassState) -> &'static str {
    state.as_str_name().trim_start_matches("PASS_STATE_")
}
