//! What can be asked about the trunk leg. As in `crate::command`, formats and
//! ranges were checked before.

use std::collections::BTreeMap;

use decider::Timestamp;
use proto::{
    logistics::v1::{
        DeclineReason, ExceptionCode, IncidentKind, LineCount, LineReceipt, Milestone, PhotoFormat,
        Place, ProofKind, ProofOutcome,
    },
    types::v1::Sealed,
};

use crate::{
    freight::{Load, RoutePlan},
    units::Grams,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterCarrier {
    pub carrier_id: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspendCarrier {
    pub carrier_id: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeCarrier {
    pub carrier_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterVehicle {
    pub carrier_id: String,
    pub vehicle_id: String,
    /// Above zero.
    pub capacity: Grams,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawVehicle {
    pub carrier_id: String,
    pub vehicle_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterDriver {
    pub carrier_id: String,
    pub driver_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawDriver {
    pub carrier_id: String,
    pub driver_id: String,
}

/// The offer's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferCapacity {
    pub carrier_id: String,
    /// At least one.
    pub zones: Vec<String>,
    pub capacity: Grams,
    pub from: Timestamp,
    pub to: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawCapacity {
    pub carrier_id: String,
    pub offer_id: String,
}

/// The pass's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyForPass {
    pub carrier_id: String,
    pub vehicle_id: String,
    pub driver_id: String,
    /// At least one.
    pub zones: Vec<String>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub certificate_sha256: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuePass {
    pub pass_id: String,
    /// Of those applied for; empty for all of them.
    pub zones: Vec<String>,
    /// Within the time applied for; none for all of it.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusePass {
    pub pass_id: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokePass {
    pub pass_id: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpirePass {
    pub pass_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRoute {
    pub route_id: String,
    pub plan: RoutePlan,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRoute {
    pub route_id: String,
    pub plan: RoutePlan,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseRoute {
    pub route_id: String,
    pub reason: String,
}

/// The shipment's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MakeLoad {
    pub checkpoint_id: String,
    /// When the window ends.
    pub window: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUpLoad {
    pub shipment_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveLoad {
    pub shipment_id: String,
}

/// The shipment's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftShipment {
    pub load: Load,
    /// The shipment whose goods come back.
    pub returns: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeLoad {
    pub shipment_id: String,
    pub load: Load,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelShipment {
    pub shipment_id: String,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseShipment {
    pub shipment_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenderShipment {
    pub shipment_id: String,
    /// None: the best of those with capacity.
    pub carrier_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptTender {
    pub shipment_id: String,
    pub carrier_id: String,
    pub round: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclineTender {
    pub shipment_id: String,
    pub carrier_id: String,
    pub round: i32,
    /// Not `Unspecified`.
    pub reason: DeclineReason,
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawTender {
    pub shipment_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpireTender {
    pub shipment_id: String,
    pub round: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignResources {
    pub shipment_id: String,
    pub carrier_id: String,
    pub vehicle_id: String,
    pub driver_id: String,
    pub pass_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportMilestone {
    pub shipment_id: String,
    pub carrier_id: String,
    pub report_id: String,
    /// Not `Unspecified`.
    pub milestone: Milestone,
    /// Empty where it is not about one pickup.
    pub stop_id: String,
    pub occurred: Timestamp,
    /// With `Loaded`: what is on the vehicle; empty for all that was planned.
    pub lines: Vec<LineCount>,
    /// With `PickupFailed` and `Lost`.
    pub reason: ExceptionCode,
    pub note: String,
    /// With `Loaded`: bags that were scanned.
    pub labels: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPosition {
    pub shipment_id: String,
    pub carrier_id: String,
    pub report_id: String,
    pub occurred: Timestamp,
    /// Degrees × 10^7.
    pub latitude_e7: i32,
    pub longitude_e7: i32,
    pub eta: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclareHandover {
    pub shipment_id: String,
    pub carrier_id: String,
    /// Empty for all that was loaded.
    pub lines: Vec<LineCount>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TransferCustody {
    pub shipment_id: String,
    pub receiver_id: String,
    /// Lines that are not named are accepted in full.
    pub lines: Vec<LineReceipt>,
}

/// The proof's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordProof {
    pub shipment_id: String,
    pub carrier_id: String,
    /// Empty for the destination.
    pub stop_id: String,
    pub kind: ProofKind,
    pub outcome: ProofOutcome,
    /// With a photo or signature.
    pub content_sha256: Option<[u8; 32]>,
    pub barcodes: Vec<String>,
    pub relation: String,
    pub recipient: Option<Sealed>,
    /// Of the PIN that was told, as [`IssuePin`] has it.
    pub pin_mac: Option<[u8; 32]>,
    pub occurred: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SetContacts {
    pub shipment_id: String,
    /// By stop; of the destination under nothing. Sealed.
    pub contacts: BTreeMap<String, Sealed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EraseShipmentPersonalData {
    pub shipment_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordShipmentKeyDestroyed {
    pub shipment_id: String,
}

/// The PIN was made by who asks; the MAC of it with the shipment's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuePin {
    pub shipment_id: String,
    pub pin_mac: [u8; 32],
}

/// The photo itself is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePhoto {
    pub shipment_id: String,
    pub carrier_id: String,
    pub content_sha256: [u8; 32],
    /// Not `Unspecified`.
    pub format: PhotoFormat,
    /// Above zero.
    pub size_bytes: i64,
    pub delete_at: Timestamp,
    /// A household that is to be seen in it.
    pub household_id: Option<String>,
    /// An order of the load whose household is to be seen in it.
    pub order_id: Option<String>,
    /// What a firm may store in a day (UTC).
    pub quota_bytes: i64,
}

/// Those of which the time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasePhotos {
    pub shipment_id: String,
}

/// Those in which a household is to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasePhotosOfHousehold {
    pub household_id: String,
}

/// The incident's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIncident {
    pub shipment_id: String,
    /// None where the dispatcher opens it.
    pub carrier_id: Option<String>,
    /// Not `Unspecified`.
    pub kind: IncidentKind,
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseIncident {
    pub shipment_id: String,
    pub carrier_id: Option<String>,
    pub incident_id: String,
    pub resolution: String,
}

/// From inventory: both sides of a match of surplus confirmed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMatch {
    pub match_id: String,
    pub product_id: String,
    pub quantity_units: i64,
    pub weight: Grams,
    pub pickup: Place,
    pub pickup_window: (Timestamp, Timestamp),
    pub destination: Place,
    pub due: (Timestamp, Timestamp),
    /// Until then it may wait for others.
    pub load_by: Timestamp,
}

/// Timer: a load of matches does not wait any longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftMatchLoad {
    pub load_id: String,
}

/// From inventory: the context's area proposes no more matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseMatchLoads;
/// The webhook's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterWebhook {
    pub carrier_id: String,
    pub url: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateWebhookSecret {
    pub carrier_id: String,
    pub webhook_id: String,
    /// How long the former secret signs too; zero or more.
    pub overlap_hours: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseWebhook {
    pub carrier_id: String,
    pub webhook_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeWebhook {
    pub carrier_id: String,
    pub webhook_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveWebhook {
    pub carrier_id: String,
    pub webhook_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestWebhook {
    pub carrier_id: String,
    pub webhook_id: String,
}

/// By the service, when nothing could be delivered for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisableWebhook {
    pub webhook_id: String,
    pub failing_since: Timestamp,
    pub reason: String,
}
