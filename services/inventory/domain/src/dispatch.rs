//! From the shelf to the load and back: picking, dispatch, return.

use std::collections::BTreeSet;

use decider::{Context, EventSet};
use proto::{
    InventoryEvent,
    inventory::v1::{Allocation, DemandState, OrderDispatched, OrderPicked, StockReturned},
};

use crate::{
    command::{DispatchOrders, PickOrders, ReturnStock},
    demand::{Demand, Replacement, unknown},
    ledger::Movement,
    picking::{ToPack, count_bags, pack},
    rejection::Rejection,
    state::{Fact, Misfit, State},
    units::{Grams, Units},
};

/// Orders picked or dispatched by one command.
pub const ORDERS_MAX: usize = 50;
/// Bags of one order, so that its events stay small.
pub const BAGS_MAX: i64 = 150;
/// Encoded events of one command.
pub const COMMAND_BYTES_MAX: usize = 48 * 1024;

pub(crate) fn pick(
    state: &State,
    wanted: &PickOrders,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    for_each_order(state, &wanted.order_ids, context, |demand| {
        match demand.state {
            DemandState::Reserved => {}
            DemandState::Picked => return Ok(None),
            state => {
                return Err(Rejection::NotReserved {
                    order_id: demand.order_id.to_string(),
                    state,
                });
            }
        }
        let goods = goods(state, demand);
        let bags = count_bags(&goods);
        if bags > BAGS_MAX {
            return Err(Rejection::TooManyBags {
                order_id: demand.order_id.to_string(),
                bags,
                max: BAGS_MAX,
            });
        }
        let picked = OrderPicked {
            order_id: demand.order_id.to_string(),
            bags: pack(&demand.order_id, &goods),
        };
        Ok(Some(picked.into()))
    })
}

/// What of the order was found, by product.
fn goods(state: &State, demand: &Demand) -> Vec<ToPack> {
    let lines = demand.lines.iter().map(|line| ToPack {
        product_id: line.product_id.clone(),
        quantity: demand.allocated(&line.product_id),
        unit_weight: state
            .product(&demand.area, &line.product_id)
            .map_or(Grams::ZERO, |product| product.unit_weight),
    });
    lines.filter(|goods| goods.quantity > Units::ZERO).collect()
}

pub(crate) fn dispatch(
    state: &State,
    wanted: &DispatchOrders,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    for_each_order(state, &wanted.order_ids, context, |demand| {
        match demand.state {
            DemandState::Picked => {}
            DemandState::Dispatched if demand.load_id == wanted.load_id => return Ok(None),
            DemandState::Dispatched => {
                return Err(Rejection::AlreadyDispatched {
                    order_id: demand.order_id.to_string(),
                    load_id: demand.load_id.clone(),
                });
            }
            state => {
                return Err(Rejection::NotPicked {
                    order_id: demand.order_id.to_string(),
                    state,
                });
            }
        }
        let dispatched = OrderDispatched {
            order_id: demand.order_id.to_string(),
            household_id: demand.household_id.clone(),
            door: demand.door.clone(),
            cadre_id: demand.cadre_id.clone(),
            bags: demand.bags.clone(),
            load_id: wanted.load_id.clone(),
            checkpoint_id: wanted.checkpoint_id.clone(),
            custodian_id: wanted.custodian_id.clone(),
            allocations: demand.allocations.clone(),
        };
        Ok(Some(dispatched.into()))
    })
}

/// All or none; an order named twice counts once, one for which nothing is
/// left to do is passed over.
fn for_each_order(
    state: &State,
    order_ids: &[String],
    context: &Context,
    mut event_of: impl FnMut(&Demand) -> Result<Option<InventoryEvent>, Rejection>,
) -> Result<Vec<InventoryEvent>, Rejection> {
    if order_ids.len() > ORDERS_MAX {
        return Err(Rejection::TooManyOrders {
            asked: order_ids.len(),
            max: ORDERS_MAX,
        });
    }
    let mut seen = BTreeSet::new();
    let mut events = Vec::with_capacity(order_ids.len());
    let mut bytes = 0usize;
    let mut fits = None;
    for (n, order_id) in order_ids.iter().enumerate() {
        if !seen.insert(order_id) {
            continue;
        }
        let Some(demand) = state.demand(&context.area, order_id) else {
            return Err(unknown(order_id, &context.area));
        };
        if let Some(event) = event_of(demand)? {
            bytes = bytes.saturating_add(event.encode().len());
            if bytes > COMMAND_BYTES_MAX {
                fits = fits.or(Some(n));
            }
            events.push(event);
        }
    }
    match fits {
        None => Ok(events),
        Some(fits) => Err(Rejection::TooMuchAtOnce {
            asked: order_ids.len(),
            fits,
        }),
    }
}

pub(crate) fn take_back(
    state: &State,
    wanted: &ReturnStock,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let Some(demand) = state.demand(&context.area, &wanted.order_id) else {
        return Err(unknown(&wanted.order_id, &context.area));
    };
    match demand.state {
        // Also where nothing is left of it: the order's life ends here.
        DemandState::Dispatched => Ok(vec![
            StockReturned {
                order_id: wanted.order_id.clone(),
                allocations: demand.allocations.clone(),
                reason: wanted.reason.clone(),
            }
            .into(),
        ]),
        DemandState::Returned => Ok(Vec::new()),
        state => Err(Rejection::NotDispatched {
            order_id: wanted.order_id.clone(),
            state,
        }),
    }
}

pub(crate) fn picked(
    state: &mut State,
    fact: &Fact<'_>,
    event: &OrderPicked,
) -> Result<(), Misfit> {
    state.transition(
        fact,
        &event.order_id,
        &[DemandState::Reserved],
        |demand, _| {
            demand.bags.clone_from(&event.bags);
            Ok(DemandState::Picked)
        },
    )
}

pub(crate) fn dispatched(
    state: &mut State,
    fact: &Fact<'_>,
    event: &OrderDispatched,
) -> Result<(), Misfit> {
    state.transition(
        fact,
        &event.order_id,
        &[DemandState::Picked],
        |demand, _| {
            demand.expect_held(fact, &event.allocations)?;
            demand.load_id.clone_from(&event.load_id);
            demand.checkpoint_id.clone_from(&event.checkpoint_id);
            demand.custodian_id.clone_from(&event.custodian_id);
            Ok(DemandState::Dispatched)
        },
    )?;
    state.move_all(&event.allocations, Movement::Dispatch);
    Ok(())
}

pub(crate) fn returned(
    state: &mut State,
    fact: &Fact<'_>,
    event: &StockReturned,
) -> Result<(), Misfit> {
    state.transition(
        fact,
        &event.order_id,
        &[DemandState::Dispatched],
        |demand, book| {
            demand.give_up(fact, &event.allocations)?;
            // Nobody needs a replacement for goods that came back.
            for replacement in demand.replacements.values_mut() {
                if let Replacement::Waiting(seq) = *replacement {
                    book.leave_queue(seq);
                    *replacement = Replacement::Answered;
                }
            }
            Ok(DemandState::Returned)
        },
    )?;
    state.move_all(&event.allocations, Movement::Return);
    Ok(())
}

impl Demand {
    /// The units named must be those that the order has.
    fn expect_held(&self, fact: &Fact<'_>, allocations: &[Allocation]) -> Result<(), Misfit> {
        if self.allocations == allocations {
            Ok(())
        } else {
            Err(fact.misfit("it names other lots or units than the order has"))
        }
    }

    /// The order has nothing any more.
    pub(crate) fn give_up(
        &mut self,
        fact: &Fact<'_>,
        allocations: &[Allocation],
    ) -> Result<(), Misfit> {
        self.expect_held(fact, allocations)?;
        self.allocations.clear();
        Ok(())
    }
}
