//! What time alone brings about: a group buy's window ends, and the orders of
//! a closed one are released or cancelled, some at a time.
//!
//! A group buy has one timer at most: the end of its window while it is open,
//! the moment of its closing while orders wait. The timers are a work queue, so
//! that thousands of orders do not make one huge command.

use decider::{Due, Timestamp};
use proto::{
    OrderEvent,
    order::v1::{CancelReason, CloseReason, GroupBuyState, OrderCancelled, OrderReleased},
};

use crate::{State, batch::Batch, command::Command, group_buy, ids::GroupBuyId, order::Order};

/// Commands that one call of `due` gives at most.
const DUE_COMMANDS_MAX: usize = 64;

/// Orders that one command settles at most; a size limit may make it fewer.
pub const SETTLE_ORDERS_MAX: usize = 32;

pub(crate) fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
    let group_buys = &state.group_buys;
    group_buys
        .timers
        .iter()
        .take_while(|(at, _)| *at <= now)
        .filter_map(|(at, id)| {
            let group_buy = group_buys.get(id.as_str())?;
            let group_buy_id = id.clone();
            Some(Due {
                area: group_buy.area.clone(),
                at: *at,
                command: if group_buy.is_open() {
                    Command::CloseGroupBuyByTime { group_buy_id }
                } else {
                    Command::SettleGroupBuy { group_buy_id }
                },
            })
        })
        .take(DUE_COMMANDS_MAX)
        .collect()
}

pub(crate) fn next_due(state: &State) -> Option<Timestamp> {
    state.group_buys.timers.first().map(|(at, _)| *at)
}

/// Nothing before the window has ended, nor where it was closed meanwhile.
pub(crate) fn close_by_time(state: &State, id: &GroupBuyId, now: Timestamp) -> Vec<OrderEvent> {
    state
        .group_buys
        .get(id.as_str())
        .filter(|group_buy| group_buy.is_open() && group_buy.closes <= now)
        .map(|group_buy| group_buy::outcome(group_buy, CloseReason::Time))
        .into_iter()
        .collect()
}

/// Releases or cancels the first orders that wait, in the order of placing.
pub(crate) fn settle(state: &State, id: &GroupBuyId) -> Vec<OrderEvent> {
    let Some(group_buy) = state.group_buys.get(id.as_str()) else {
        return vec![];
    };
    let succeeded = match group_buy.state {
        GroupBuyState::Succeeded => true,
        GroupBuyState::Failed => false,
        GroupBuyState::Open | GroupBuyState::Unspecified => return vec![],
    };
    let mut batch = Batch::new(SETTLE_ORDERS_MAX);
    let waiting = group_buy.waiting.iter();
    for order in waiting.filter_map(|id| state.orders.get(id)) {
        let event = if succeeded {
            release(state, &order)
        } else {
            cancel(&order)
        };
        if !batch.take(event) {
            break;
        }
    }
    batch.into_events()
}

fn release(state: &State, order: &Order) -> OrderEvent {
    // The cadre of this moment: it may have changed since the order was placed.
    let household = state.households.get(order.household_id.as_str());
    OrderReleased {
        order_id: (&order.order_id).into(),
        household_id: (&order.household_id).into(),
        door: Some(order.door.to_door()),
        lines: order.lines.to_vec(),
        cadre_id: household
            .map(|household| String::from(&household.cadre_id))
            .unwrap_or_default(),
    }
    .into()
}

fn cancel(order: &Order) -> OrderEvent {
    OrderCancelled {
        order_id: (&order.order_id).into(),
        reason: CancelReason::GroupBuyFailed.into(),
        note: String::new(),
        household_id: (&order.household_id).into(),
    }
    .into()
}
