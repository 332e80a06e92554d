//! S03: which orders may join a group buy: it is open, in its zone, offered,
//! within the limit, and the household's first.

use decider::Timestamp;
use proto::{
    OrderEvent,
    order::v1::{CloseReason, GroupBuySucceeded},
};

use crate::{
    command::PlaceOrder,
    group_buy::{GroupBuy, count},
    household::Household,
    rejection::Rejection,
};

/// Whether the household may join with this order; where it is the one that
/// reaches the cap, also the event that closes the group buy.
pub(crate) fn join(
    group_buy: &GroupBuy,
    household: &Household,
    asked: &PlaceOrder,
    now: Timestamp,
) -> Result<Option<OrderEvent>, Rejection> {
    let group_buy_id = group_buy.group_buy_id.clone();
    let household_id = household.household_id.clone();
    let cap = group_buy.cap_households.unwrap_or(u32::MAX);
    if !group_buy.is_open() || now >= group_buy.closes || group_buy.households() >= cap {
        return Err(Rejection::GroupBuyClosed {
            group_buy_id,
            state: group_buy.state,
            closed: group_buy.closed.unwrap_or(group_buy.closes),
        });
    }
    if now < group_buy.opens {
        return Err(Rejection::GroupBuyNotYetOpen {
            group_buy_id,
            opens: group_buy.opens,
        });
    }
    if !covers(group_buy, household) {
        return Err(Rejection::OutsideZone {
            household_id,
            group_buy_id,
            community: group_buy.community.clone(),
            grid: group_buy.grid.clone(),
        });
    }
    if let Some(order_id) = group_buy.participants.get(&household_id) {
        return Err(Rejection::AlreadyJoined {
            household_id,
            group_buy_id,
            order_id: order_id.clone(),
        });
    }
    check_offers(group_buy, asked)?;
    let households = group_buy.households().saturating_add(1);
    Ok((households >= cap).then(|| {
        GroupBuySucceeded {
            group_buy_id: (&group_buy_id).into(),
            households: count(households),
            reason: CloseReason::Cap.into(),
        }
        .into()
    }))
}

fn check_offers(group_buy: &GroupBuy, asked: &PlaceOrder) -> Result<(), Rejection> {
    for line in &asked.lines {
        let offer = group_buy
            .offers
            .iter()
            .find(|offer| offer.product_id == line.product_id)
            .ok_or_else(|| Rejection::ProductNotOffered {
                product_id: line.product_id.clone(),
                group_buy_id: group_buy.group_buy_id.clone(),
            })?;
        let quantity_units = asked
            .lines
            .iter()
            .filter(|other| other.product_id == line.product_id)
            .fold(0_i64, |sum, other| sum.saturating_add(other.quantity_units));
        let limit_units = offer.limit_per_household_units;
        if limit_units > 0 && quantity_units > limit_units {
            return Err(Rejection::LimitExceeded {
                product_id: line.product_id.clone(),
                group_buy_id: group_buy.group_buy_id.clone(),
                quantity_units,
                limit_units,
            });
        }
    }
    Ok(())
}

fn covers(group_buy: &GroupBuy, household: &Household) -> bool {
    let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
    fits(&group_buy.community, household.door.community())
        && fits(&group_buy.grid, household.door.grid())
}
