//! S05 and the life of an order: placing and cancelling. How other services
//! carry it forward is decided in `fulfilment`.

use decider::{Area, Context, Name, Revision, Role, Timestamp};
use proto::{
    OrderEvent,
    order::v1::{CancelReason, Channel, OrderCancelled, OrderPlaced, OrderReleased, OrderState},
};

use crate::{
    State,
    command::{Intake, PlaceOrder},
    compact::DoorCodes,
    ids::{GroupBuyId, HouseholdId, OrderId},
    joining,
    lines::Lines,
    rejection::Rejection,
    text,
};

/// An order, the same while it is on the way and when it has come to its end.
/// A state keeps most of them packed: see `store`.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub order_id: OrderId,
    pub area: Area,
    pub household_id: HouseholdId,
    pub door: DoorCodes,
    pub lines: Lines,
    /// What was missing at a partial confirmation.
    pub short: Lines,
    pub channel: Channel,
    pub group_buy_id: Option<GroupBuyId>,
    /// Empty for the household itself.
    pub placed_by: Name,
    pub state: OrderState,
    /// Why it was rejected, cancelled, failed or returned; otherwise empty.
    pub reason: Name,
    pub placed: Timestamp,
    pub updated: Timestamp,
    /// When the goods were left at the door.
    pub delivered: Option<Timestamp>,
    pub revision: Revision,
    pub(crate) released: bool,
    /// Confirmed or partially confirmed, now or earlier.
    pub(crate) confirmed: bool,
    pub(crate) deliveries: u32,
}

impl Order {
    pub(crate) fn describe(&self) -> String {
        let mut line = format!(
            "{}, household {}, {}, {} lines, {} short, placed {}",
            text::order_state(self.state),
            self.household_id,
            text::channel(self.channel),
            self.lines.len(),
            self.short.len(),
            text::time(self.placed),
        );
        if let Some(delivered) = self.delivered {
            line.push_str(&format!(", delivered {}", text::time(delivered)));
        }
        if !self.reason.is_empty() {
            line.push_str(&format!(", reason {}", self.reason));
        }
        line
    }
}

pub(crate) fn place(
    state: &State,
    asked: &PlaceOrder,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let household = state.households.known(&context.area, &asked.household_id)?;
    let channel = match asked.intake {
        Intake::GroupBuy(_) => Channel::GroupBuy,
        Intake::Phone => Channel::Phone,
        Intake::Door => Channel::Door,
        Intake::Chat => Channel::Chat,
    };
    let order_id = context.new_id(0);
    let mut placed = OrderPlaced {
        order_id: order_id.clone(),
        household_id: (&household.household_id).into(),
        door: Some(household.door.to_door()),
        lines: asked.lines.clone(),
        channel: channel.into(),
        group_buy_id: String::new(),
        placed_by: asked.placed_by.clone(),
    };
    let Intake::GroupBuy(group_buy_id) = &asked.intake else {
        let released = OrderReleased {
            order_id,
            household_id: placed.household_id.clone(),
            door: placed.door.clone(),
            lines: placed.lines.clone(),
            cadre_id: (&household.cadre_id).into(),
        };
        return Ok(vec![placed.into(), released.into()]);
    };
    let group_buy = state.group_buys.known(&context.area, group_buy_id)?;
    let closing = joining::join(group_buy, household, asked, context.now)?;
    placed.group_buy_id = group_buy_id.into();
    Ok([placed.into()].into_iter().chain(closing).collect())
}

/// An order can be cancelled until it is out for delivery. Where a run starts
/// at the same moment, logistics has the last word: see `fulfilment`.
pub(crate) fn cancel(
    state: &State,
    order_id: &OrderId,
    note: &str,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let order = state
        .orders
        .get(order_id)
        .filter(|order| order.area == context.area)
        .ok_or_else(|| Rejection::OrderUnknown {
            order_id: order_id.clone(),
            area: context.area.clone(),
        })?;
    match order.state {
        OrderState::Cancelled => Ok(vec![]),
        OrderState::Placed
        | OrderState::Released
        | OrderState::Confirmed
        | OrderState::PartiallyConfirmed
        | OrderState::Ready => Ok(vec![
            OrderCancelled {
                order_id: order_id.into(),
                reason: cancel_reason(context).into(),
                note: note.to_owned(),
                household_id: (&order.household_id).into(),
            }
            .into(),
        ]),
        _ => Err(Rejection::TooLateToCancel {
            order_id: order_id.clone(),
            state: order.state,
        }),
    }
}

/// The household's wish, said itself or through somebody who acts for it, or
/// an operator's decision, of which the household must be told.
fn cancel_reason(context: &Context) -> CancelReason {
    let actor = &context.actor;
    if actor.role == Role::Resident || !actor.on_behalf_of.is_empty() {
        CancelReason::Customer
    } else {
        CancelReason::Operator
    }
}
