//! What can be asked of the stock. Formats and ranges are the caller's to
//! check; whether it may be done is decided here in the crate.

use decider::Timestamp;
use proto::{
    inventory::v1::{Category, SpoilCause},
    types::v1::{Door, Line},
};

use crate::{
    surplus::{
        ChangeSurplus, ConfirmMatch, DeliverMatches, FailMatches, OfferSurplus, OpenMatching,
        PlaceBulkDemand, RefuseMatch, RegisterBuyer, SetReferencePrice, ShipMatches,
        WithdrawBulkDemand, WithdrawSurplus,
    },
    units::{Grams, Units},
};

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    // Asked for by people and partners.
    DefineProduct(DefineProduct),
    ReceiveLot(ReceiveLot),
    SpoilStock(SpoilStock),
    /// For the context's area.
    CloseProcurement,
    /// For the context's area.
    OpenProcurement,
    PickOrders(PickOrders),
    DispatchOrders(DispatchOrders),

    // Called for by facts of other services.
    QueueDemand(QueueDemand),
    ReleaseReservation(ReleaseReservation),
    ReplaceBag(ReplaceBag),
    ReturnStock(ReturnStock),

    // Called for by time: the context's area's waiting work, a part at a time.
    AllocateDemand,

    // The surplus trade.
    SetReferencePrice(SetReferencePrice),
    OfferSurplus(OfferSurplus),
    ChangeSurplus(ChangeSurplus),
    WithdrawSurplus(WithdrawSurplus),
    RegisterBuyer(RegisterBuyer),
    PlaceBulkDemand(PlaceBulkDemand),
    WithdrawBulkDemand(WithdrawBulkDemand),
    OpenMatching(OpenMatching),
    /// For the context's area.
    CloseMatching,
    ConfirmMatch(ConfirmMatch),
    RefuseMatch(RefuseMatch),
    // Called for by logistics.
    ShipMatches(ShipMatches),
    DeliverMatches(DeliverMatches),
    FailMatches(FailMatches),
    // Called for by time: a listing, a demand, a match; a round in the
    // context's area, a part at a time.
    ExpireSurplus(String),
    EndDemandWindow(String),
    ExpireMatch(String),
    HoldRound,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefineProduct {
    pub product_id: String,
    pub name: String,
    /// Of one sale unit.
    pub unit_weight: Grams,
    pub category: Category,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveLot {
    pub lot_id: String,
    pub product_id: String,
    pub quantity: Units,
    pub supplier_id: String,
    /// None: it does not expire.
    pub expires: Option<Timestamp>,
    pub location: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoilStock {
    pub lot_id: String,
    pub quantity: Units,
    pub cause: SpoilCause,
    /// What was seen; may be empty.
    pub note: String,
}

/// 1 to 50 orders: all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickOrders {
    pub order_ids: Vec<String>,
}

/// 1 to 50 orders: all or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchOrders {
    pub order_ids: Vec<String>,
    pub load_id: String,
    pub checkpoint_id: String,
    /// Who takes the load: a procurement group's or carrier's id.
    pub custodian_id: String,
}

/// An order was released to fulfilment.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueDemand {
    pub order_id: String,
    pub household_id: String,
    pub door: Option<Door>,
    pub lines: Vec<Line>,
    pub cadre_id: String,
}

/// An order was cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseReservation {
    pub order_id: String,
}

/// A checkpoint did not take over a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplaceBag {
    pub order_id: String,
    /// Label of the bag that was damaged or missing.
    pub for_label: String,
    /// How much of it; the whole bag where this is not a part of it.
    pub quantity: Units,
    pub checkpoint_id: String,
}

/// The order's parcel came back, or was called back on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnStock {
    pub order_id: String,
    pub reason: String,
}
