//! Why a command is refused: what, why, and what to do.

use decider::{Rejected, Timestamp};
use proto::inventory::v1::DemandState;

use crate::{
    demand::state_name,
    surplus::SurplusRejection,
    units::{Grams, Units},
};

/// A business "no" of the inventory service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error(
        "product {product_id} is already defined as \"{name}\" of {unit_weight} and stays as it is, \
         since goods of it may be in stock; define the other one under another id"
    )]
    ProductExists {
        product_id: String,
        name: String,
        unit_weight: Grams,
    },
    #[error("product {product_id} is not defined in area {area}; define it first")]
    ProductUnknown { product_id: String, area: String },
    #[error("{quantity} of {of} cannot be: between 1 and {max} are wanted")]
    QuantityInvalid { of: String, quantity: i64, max: i64 },
    #[error(
        "a lot {lot_id} was already received with other contents; give this delivery an id of its own"
    )]
    LotExists { lot_id: String },
    #[error("lot {lot_id} is not known in area {area}; check the id, or receive the lot first")]
    LotUnknown { lot_id: String, area: String },
    #[error(
        "lot {lot_id} expired at {} and is not taken in; check the date or refuse the delivery",
        rfc3339(*expires)
    )]
    LotExpired { lot_id: String, expires: Timestamp },
    #[error(
        "{asked} of lot {lot_id} cannot be spoiled: {on_hand} are on hand ({reserved} more are \
         reserved); release the orders that hold them first"
    )]
    InsufficientOnHand {
        lot_id: String,
        asked: Units,
        on_hand: Units,
        reserved: Units,
    },
    #[error("order {order_id} has not asked for goods in area {area}; check the id")]
    DemandUnknown { order_id: String, area: String },
    #[error("order {order_id} asks for nothing; an order has at least one line")]
    DemandEmpty { order_id: String },
    #[error(
        "order {order_id} cannot be picked: it is {}; only RESERVED orders can, leave it out",
        state_name(*state)
    )]
    NotReserved {
        order_id: String,
        state: DemandState,
    },
    #[error(
        "order {order_id} cannot be dispatched: it is {}; only PICKED orders can, pick it first \
         or leave it out",
        state_name(*state)
    )]
    NotPicked {
        order_id: String,
        state: DemandState,
    },
    #[error(
        "order {order_id} already left with load {load_id}; what left the store can only be \
         withdrawn on the way or returned"
    )]
    AlreadyDispatched { order_id: String, load_id: String },
    #[error(
        "order {order_id} is {} and none of its goods are out; nothing can be replaced or returned",
        state_name(*state)
    )]
    NotDispatched {
        order_id: String,
        state: DemandState,
    },
    #[error("{asked} orders at once are too many; send at most {max} per request")]
    TooManyOrders { asked: usize, max: usize },
    #[error(
        "the first {fits} of these {asked} orders fill a request (their bags and lots are many); \
         send the rest in another"
    )]
    TooMuchAtOnce { asked: usize, fits: usize },
    #[error(
        "order {order_id} needs {bags} bags, more than the {max} that one order may have; cancel \
         it and place it as several"
    )]
    TooManyBags {
        order_id: String,
        bags: i64,
        max: i64,
    },
    #[error("order {order_id} has no bag {label}; check the label")]
    BagUnknown { order_id: String, label: String },
    #[error(transparent)]
    Surplus(#[from] SurplusRejection),
}

impl Rejected for Rejection {
    fn reason(&self) -> &'static str {
        match self {
            Self::ProductExists { .. } => "PRODUCT_EXISTS",
            Self::ProductUnknown { .. } => "PRODUCT_UNKNOWN",
            Self::QuantityInvalid { .. } => "QUANTITY_INVALID",
            Self::LotExists { .. } => "LOT_EXISTS",
            Self::LotUnknown { .. } => "LOT_UNKNOWN",
            Self::LotExpired { .. } => "LOT_EXPIRED",
            Self::InsufficientOnHand { .. } => "INSUFFICIENT_ON_HAND",
            Self::DemandUnknown { .. } => "DEMAND_UNKNOWN",
            Self::DemandEmpty { .. } => "DEMAND_EMPTY",
            Self::NotReserved { .. } => "NOT_RESERVED",
            Self::NotPicked { .. } => "NOT_PICKED",
            Self::AlreadyDispatched { .. } => "ALREADY_DISPATCHED",
            Self::NotDispatched { .. } => "NOT_DISPATCHED",
            Self::TooManyOrders { .. } => "TOO_MANY_ORDERS",
            Self::TooMuchAtOnce { .. } => "TOO_MUCH_AT_ONCE",
            Self::TooManyBags { .. } => "TOO_MANY_BAGS",
            Self::BagUnknown { .. } => "BAG_UNKNOWN",
            Self::Surplus(rejection) => rejection.reason(),
        }
    }
}

fn rfc3339(time: Timestamp) -> String {
    proto::time::to_proto(time).to_string()
}
