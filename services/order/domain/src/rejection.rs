//! Every business "no" of this service: what was refused, why, what to do.

use decider::{Area, Rejected, Timestamp};
use proto::order::v1::{GroupBuyState, OrderState};

use crate::{
    ids::{CadreId, GroupBuyId, HouseholdId, OrderId},
    text,
};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error(
        "area {area} already has the active contingency {contingency_id}: end it before activating another"
    )]
    ContingencyAlreadyActive { area: Area, contingency_id: String },

    #[error(
        "household {household_id} is already registered with other details: use another id, or update the one that exists"
    )]
    HouseholdExists { household_id: HouseholdId },
    #[error("household {household_id} is not known in area {area}: register it, or check the id")]
    HouseholdUnknown {
        household_id: HouseholdId,
        area: Area,
    },
    #[error(
        "the personal data of household {household_id} were erased, which cannot be undone: if it gives its contact again, register it under another id"
    )]
    PersonalDataErased { household_id: HouseholdId },
    #[error(
        "household {household_id} still waits for {orders} orders (order {order_id} is {}), of which it must be told: wait until they have ended, or erase with `force`, and its cadre tells it at the door",
        text::order_state(*state)
    )]
    GoodsUnderWay {
        household_id: HouseholdId,
        /// The oldest of them.
        order_id: OrderId,
        state: OrderState,
        orders: usize,
    },
    #[error(
        "the personal data of household {household_id} were not erased, so no key of it can be gone"
    )]
    NotErased { household_id: HouseholdId },
    #[error("cadre {cadre_id} cannot hand over to itself: name another cadre")]
    SameCadre { cadre_id: CadreId },
    #[error(
        "household {household_id} is not with cadre {from_cadre_id} but with {cadre_id}: hand it over from there"
    )]
    HouseholdOfOtherCadre {
        household_id: HouseholdId,
        from_cadre_id: CadreId,
        cadre_id: CadreId,
    },

    #[error(
        "a group buy cannot be open from {} to {}: it must close after it opens and after now, {}",
        text::time(*opens), text::time(*closes), text::time(*now)
    )]
    GroupBuyWindowInvalid {
        opens: Timestamp,
        closes: Timestamp,
        now: Timestamp,
    },
    #[error(
        "a cap of {cap_households} households is below the minimum of {minimum_households}: raise the cap or lower the minimum"
    )]
    CapBelowMinimum {
        cap_households: u32,
        minimum_households: u32,
    },
    #[error("group buy {group_buy_id} is not known in area {area}: check the id")]
    GroupBuyUnknown {
        group_buy_id: GroupBuyId,
        area: Area,
    },
    #[error(
        "group buy {group_buy_id} is closed ({}) since {}: join another, or order by telephone",
        text::group_buy_state(*state), text::time(*closed)
    )]
    GroupBuyClosed {
        group_buy_id: GroupBuyId,
        /// Still `Open` where the window has ended but the closing is not yet
        /// recorded.
        state: GroupBuyState,
        closed: Timestamp,
    },
    #[error("group buy {group_buy_id} opens at {}: order then", text::time(*opens))]
    GroupBuyNotYetOpen {
        group_buy_id: GroupBuyId,
        opens: Timestamp,
    },
    #[error(
        "household {household_id} is outside the zone of group buy {group_buy_id} (community `{community}`, grid `{grid}`): join one of its own zone, or order by telephone"
    )]
    OutsideZone {
        household_id: HouseholdId,
        group_buy_id: GroupBuyId,
        community: String,
        grid: String,
    },
    #[error(
        "household {household_id} already takes part in group buy {group_buy_id} with order {order_id}: cancel that one to change it"
    )]
    AlreadyJoined {
        household_id: HouseholdId,
        group_buy_id: GroupBuyId,
        order_id: OrderId,
    },
    #[error(
        "product {product_id} is not offered in group buy {group_buy_id}: order only what it offers"
    )]
    ProductNotOffered {
        product_id: String,
        group_buy_id: GroupBuyId,
    },
    #[error(
        "{quantity_units} units of {product_id} are above the limit of {limit_units} for one household in group buy {group_buy_id}: order {limit_units} or fewer"
    )]
    LimitExceeded {
        product_id: String,
        group_buy_id: GroupBuyId,
        quantity_units: i64,
        limit_units: i64,
    },

    #[error("order {order_id} is not known in area {area}: check the id")]
    OrderUnknown { order_id: OrderId, area: Area },
    #[error(
        "order {order_id} is {} and can no longer be cancelled: only orders that are not yet out for delivery can",
        text::order_state(*state)
    )]
    TooLateToCancel {
        order_id: OrderId,
        state: OrderState,
    },
    #[error(
        "order {order_id} is {}, to which it does not fit that {fact}: compare the order's history with the sender's",
        text::order_state(*state)
    )]
    OutOfSequence {
        order_id: OrderId,
        state: OrderState,
        fact: &'static str,
    },
}

impl Rejected for Rejection {
    fn reason(&self) -> &'static str {
        match self {
            Self::ContingencyAlreadyActive { .. } => "CONTINGENCY_ALREADY_ACTIVE",
            Self::HouseholdExists { .. } => "HOUSEHOLD_EXISTS",
            Self::HouseholdUnknown { .. } => "HOUSEHOLD_UNKNOWN",
            Self::PersonalDataErased { .. } => "PERSONAL_DATA_ERASED",
            Self::GoodsUnderWay { .. } => "GOODS_UNDER_WAY",
            Self::NotErased { .. } => "NOT_ERASED",
            Self::SameCadre { .. } => "SAME_CADRE",
            Self::HouseholdOfOtherCadre { .. } => "HOUSEHOLD_OF_OTHER_CADRE",
            Self::GroupBuyWindowInvalid { .. } => "GROUP_BUY_WINDOW_INVALID",
            Self::CapBelowMinimum { .. } => "CAP_BELOW_MINIMUM",
            Self::GroupBuyUnknown { .. } => "GROUP_BUY_UNKNOWN",
            Self::GroupBuyClosed { .. } => "GROUP_BUY_CLOSED",
            Self::GroupBuyNotYetOpen { .. } => "GROUP_BUY_NOT_YET_OPEN",
            Self::OutsideZone { .. } => "OUTSIDE_ZONE",
            Self::AlreadyJoined { .. } => "ALREADY_JOINED",
            Self::ProductNotOffered { .. } => "PRODUCT_NOT_OFFERED",
            Self::LimitExceeded { .. } => "LIMIT_EXCEEDED",
            Self::OrderUnknown { .. } => "ORDER_UNKNOWN",
            Self::TooLateToCancel { .. } => "TOO_LATE_TO_CANCEL",
            Self::OutOfSequence { .. } => "OUT_OF_SEQUENCE",
        }
    }
}
