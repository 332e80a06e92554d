//! What this service can be asked to do: values that are already valid in
//! themselves. Whether they fit the state is decided elsewhere.

use decider::Timestamp;
use proto::{
    order::v1::Offer,
    types::v1::{Door, Line, Need, Sealed},
};

use crate::ids::{CadreId, GroupBuyId, HouseholdId, OrderId};

/// The area that a command concerns is the context's.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    ActivateContingency {
        reason: String,
    },
    EndContingency,
    RegisterHousehold(RegisterHousehold),
    UpdateHousehold {
        household_id: HouseholdId,
        /// Unchanged where none.
        contact: Option<Sealed>,
        /// Unchanged where none.
        needs: Option<Vec<Need>>,
    },
    HandOverHouseholds {
        from_cadre_id: CadreId,
        to_cadre_id: CadreId,
        /// Empty means all of the cadre's.
        household_ids: Vec<HouseholdId>,
        reason: String,
    },
    EraseHousehold {
        household_id: HouseholdId,
        /// A code.
        reason: String,
        /// Although orders are under way.
        force: bool,
    },
    /// The key of an erased household is gone from the bucket.
    RecordKeyDestroyed {
        household_id: HouseholdId,
    },
    OpenGroupBuy(OpenGroupBuy),
    /// By the organizer, before the window ends.
    CloseGroupBuy {
        group_buy_id: GroupBuyId,
    },
    PlaceOrder(PlaceOrder),
    CancelOrder {
        order_id: OrderId,
        note: String,
    },

    /// Another service told how an order goes on.
    RecordProgress {
        order_id: OrderId,
        progress: Progress,
    },

    /// A group buy's window has ended.
    CloseGroupBuyByTime {
        group_buy_id: GroupBuyId,
    },
    /// Some of a closed group buy's orders are to be released or cancelled.
    SettleGroupBuy {
        group_buy_id: GroupBuyId,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct RegisterHousehold {
    pub household_id: HouseholdId,
    pub door: Door,
    pub contact: Option<Sealed>,
    pub needs: Vec<Need>,
    pub cadre_id: CadreId,
    /// "zh" or "en".
    pub language: String,
    /// People in the household, from 1.
    pub people: i32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OpenGroupBuy {
    pub title: String,
    pub organizer_id: String,
    pub offers: Vec<Offer>,
    pub minimum_households: u32,
    pub cap_households: Option<u32>,
    /// Now, where none.
    pub opens: Option<Timestamp>,
    pub closes: Timestamp,
    /// Community that is served; empty means the whole area.
    pub community: String,
    /// Grid of the community; empty means the whole community.
    pub grid: String,
    /// 0 to 100.
    pub tolerance_percent: u8,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PlaceOrder {
    pub household_id: HouseholdId,
    pub lines: Vec<Line>,
    pub intake: Intake,
    /// Role id of who placed it; empty for the household itself.
    pub placed_by: String,
}

/// How an order came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intake {
    GroupBuy(GroupBuyId),
    Phone,
    Door,
    Chat,
}

/// What other services tell of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Inventory set the goods aside; `short` is what it could not.
    Reserved {
        short: Vec<Line>,
    },
    /// Inventory has nothing of it.
    DemandRejected {
        reason: String,
    },
    /// The parcel may leave the checkpoint.
    Disinfected,
    RunStarted {
        run_id: String,
        member_id: String,
    },
    /// The goods are at the door and the member has left.
    DoorLeft {
        at: Timestamp,
    },
    Collected {
        evidence: String,
    },
    AttemptFailed {
        reason: String,
    },
    /// There will be another attempt.
    Rescheduled,
    /// The parcel goes back to the store.
    Returned {
        reason: String,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::ActivateContingency { .. } => "ActivateContingency",
            Self::EndContingency => "EndContingency",
            Self::RegisterHousehold(_) => "RegisterHousehold",
            Self::UpdateHousehold { .. } => "UpdateHousehold",
            Self::HandOverHouseholds { .. } => "HandOverHouseholds",
            Self::EraseHousehold { .. } => "EraseHousehold",
            Self::RecordKeyDestroyed { .. } => "RecordKeyDestroyed",
            Self::OpenGroupBuy(_) => "OpenGroupBuy",
            Self::CloseGroupBuy { .. } => "CloseGroupBuy",
            Self::PlaceOrder(_) => "PlaceOrder",
            Self::CancelOrder { .. } => "CancelOrder",
            Self::RecordProgress { progress, .. } => progress.command_name(),
            Self::CloseGroupBuyByTime { .. } => "CloseGroupBuyByTime",
            Self::SettleGroupBuy { .. } => "SettleGroupBuy",
        }
    }
}

impl Progress {
    const fn command_name(&self) -> &'static str {
        match self {
            Self::Reserved { .. } => "ConfirmOrder",
            Self::DemandRejected { .. } => "RejectOrder",
            Self::Disinfected => "MakeOrderReady",
            Self::RunStarted { .. } => "SendOrderOut",
            Self::DoorLeft { .. } => "DeliverOrder",
            Self::Collected { .. } => "CollectOrder",
            Self::AttemptFailed { .. } => "FailOrder",
            Self::Rescheduled => "RescheduleOrder",
            Self::Returned { .. } => "ReturnOrder",
        }
    }

    /// The fact, as a person would say it of the order.
    pub(crate) const fn fact(&self) -> &'static str {
        match self {
            Self::Reserved { .. } => "its goods were reserved",
            Self::DemandRejected { .. } => "its goods cannot be had",
            Self::Disinfected => "its parcel was disinfected",
            Self::RunStarted { .. } => "its run started",
            Self::DoorLeft { .. } => "it was left at the door",
            Self::Collected { .. } => "it was collected",
            Self::AttemptFailed { .. } => "its delivery failed",
            Self::Rescheduled => "its delivery was rescheduled",
            Self::Returned { .. } => "its parcel was returned",
        }
    }
}
