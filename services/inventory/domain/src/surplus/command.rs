//! What can be asked about surplus. As in `crate::command`, formats were
//! checked before.

use decider::Timestamp;
use proto::inventory::v1::{CapPolicy, Grade, MatchFailure, MatchSide, RefusalReason, Spot};

use crate::units::{FenPerKg, Units};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetReferencePrice {
    pub product_id: String,
    pub reference: FenPerKg,
    pub cap: FenPerKg,
    /// Not `Unspecified`.
    pub policy: CapPolicy,
}

/// The listing's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferSurplus {
    pub grower_id: String,
    pub product_id: String,
    pub quantity: Units,
    /// Not `Unspecified`.
    pub grade: Grade,
    pub harvested: Timestamp,
    pub field: Spot,
    /// None: now.
    pub from: Option<Timestamp>,
    pub to: Timestamp,
    pub asking: FenPerKg,
    /// None: the area's.
    pub reference: Option<FenPerKg>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSurplus {
    pub grower_id: String,
    pub listing_id: String,
    pub quantity: Units,
    pub grade: Grade,
    /// None: as it was.
    pub from: Option<Timestamp>,
    pub to: Timestamp,
    pub asking: FenPerKg,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawSurplus {
    pub grower_id: String,
    pub listing_id: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RegisterBuyer {
    pub buyer_id: String,
    pub name: String,
    pub place: Spot,
}

/// The demand's id is the command's `Context::new_id(0)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceBulkDemand {
    pub buyer_id: String,
    pub product_id: String,
    pub quantity: Units,
    /// `Unspecified`: any.
    pub lowest_grade: Grade,
    pub from: Timestamp,
    pub to: Timestamp,
    pub highest: FenPerKg,
    /// A standing demand.
    pub repeat_until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawBulkDemand {
    pub buyer_id: String,
    pub demand_id: String,
}

/// For the context's area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenMatching {
    pub answer_minutes: i32,
    pub load_wait_minutes: i32,
}

/// By the side's own id, or somebody for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmMatch {
    pub match_id: String,
    /// Not `Unspecified`.
    pub side: MatchSide,
    /// Grower or buyer.
    pub party_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefuseMatch {
    pub match_id: String,
    /// Not `Unspecified`.
    pub side: MatchSide,
    pub party_id: String,
    /// Not `Unspecified`.
    pub reason: RefusalReason,
    pub note: String,
}

/// From logistics: a load has these matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipMatches {
    pub shipment_id: String,
    pub match_ids: Vec<String>,
}

/// What a buyer took over of one match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchReceipt {
    pub match_id: String,
    pub accepted: Units,
    pub damaged: Units,
}

/// From logistics: somebody took a shipment over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverMatches {
    pub shipment_id: String,
    pub receipts: Vec<MatchReceipt>,
}

/// From logistics: a shipment will not arrive, or not with all of its matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailMatches {
    pub shipment_id: String,
    /// Those that it still has.
    pub kept: Vec<String>,
    pub reason: MatchFailure,
}
