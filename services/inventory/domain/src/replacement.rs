//! Replacements: a bag that a checkpoint did not take over is sent again from
//! stock, or the order goes on without it.

use std::sync::Arc;

use decider::Context;
use proto::{
    InventoryEvent,
    inventory::v1::{
        Allocation, Bag, DemandState, ReplacementDispatched, ReplacementQueued, ReplacementRefused,
    },
    types::v1::Line,
};

use crate::{
    command::ReplaceBag,
    demand::{Demand, Replacement, unknown},
    intake::OUT_OF_STOCK,
    ledger::Movement,
    picking::{original_label, replacement_label},
    queue::WaitingReplacement,
    rejection::Rejection,
    reservation::{Plan, Shelves},
    state::{Fact, Misfit, State},
    units::{Grams, Units},
};

/// The units lie in too many lots for one bag.
pub const STOCK_SCATTERED: &str = "STOCK_SCATTERED";

pub(crate) fn replace(
    state: &State,
    wanted: &ReplaceBag,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let Some(demand) = state.demand(&context.area, &wanted.order_id) else {
        return Err(unknown(&wanted.order_id, &context.area));
    };
    if demand.replacements.contains_key(&wanted.for_label) {
        return Ok(Vec::new());
    }
    if demand.state != DemandState::Dispatched {
        return Err(Rejection::NotDispatched {
            order_id: wanted.order_id.clone(),
            state: demand.state,
        });
    }
    let Some(bag) = demand.bags.iter().find(|bag| bag.label == wanted.for_label) else {
        return Err(Rejection::BagUnknown {
            order_id: wanted.order_id.clone(),
            label: wanted.for_label.clone(),
        });
    };
    let part = (1..=bag.quantity_units).contains(&wanted.quantity.0);
    let quantity = if part {
        wanted.quantity.0
    } else {
        bag.quantity_units
    };
    let queued = ReplacementQueued {
        order_id: wanted.order_id.clone(),
        for_label: wanted.for_label.clone(),
        line: Some(Line {
            product_id: bag.product_id.clone(),
            quantity_units: quantity,
        }),
        checkpoint_id: wanted.checkpoint_id.clone(),
    };
    let mut events = vec![queued.into()];
    let Some(book) = state.books.get(&context.area) else {
        return Ok(events);
    };
    // Orders that wait for the product are passed, older replacements are not.
    if !book.queue.is_wanted_as_replacement(&bag.product_id) {
        let waiting = WaitingReplacement {
            order_id: Arc::clone(&demand.order_id),
            for_label: wanted.for_label.clone(),
            product_id: bag.product_id.clone(),
            quantity: Units(quantity),
            checkpoint_id: wanted.checkpoint_id.clone(),
        };
        let shelves = Shelves::new(state, &context.area, context.now);
        let wants = [(bag.product_id.as_str(), Units(quantity))];
        let plan = shelves.plan(wants.into_iter());
        if plan.in_stock || book.procurement.closed {
            events.push(answer(state, demand, &waiting, plan));
        }
    }
    Ok(events)
}

/// The bag, if all of it is there; otherwise that none will come. Who had the
/// order from the store brings it, even if a carrier brought the rest: goods
/// are lent no vehicle one by one.
pub(crate) fn answer(
    state: &State,
    demand: &Demand,
    waiting: &WaitingReplacement,
    plan: Plan,
) -> InventoryEvent {
    if !plan.short.is_empty() {
        return ReplacementRefused {
            order_id: demand.order_id.to_string(),
            for_label: waiting.for_label.clone(),
            checkpoint_id: waiting.checkpoint_id.clone(),
            reason: if plan.in_stock {
                STOCK_SCATTERED
            } else {
                OUT_OF_STOCK
            }
            .to_owned(),
        }
        .into();
    }
    let original = original_label(&demand.order_id, &waiting.for_label);
    let earlier = demand.bags.iter().filter(|bag| {
        bag.label != original && original_label(&demand.order_id, &bag.label) == original
    });
    let unit_weight = state
        .product(&demand.area, &waiting.product_id)
        .map_or(Grams::ZERO, |product| product.unit_weight);
    let label = replacement_label(&demand.order_id, &waiting.for_label, earlier.count() + 1);
    ReplacementDispatched {
        order_id: demand.order_id.to_string(),
        for_label: waiting.for_label.clone(),
        bag: Some(Bag {
            label,
            product_id: waiting.product_id.clone(),
            quantity_units: waiting.quantity.0,
            weight_grams: unit_weight.times(waiting.quantity).0,
        }),
        checkpoint_id: waiting.checkpoint_id.clone(),
        custodian_id: demand.custodian_id.clone(),
        allocations: plan.allocations,
    }
    .into()
}

pub(crate) fn queued(
    state: &mut State,
    fact: &Fact<'_>,
    event: &ReplacementQueued,
) -> Result<(), Misfit> {
    state.transition(
        fact,
        &event.order_id,
        &[DemandState::Dispatched],
        |demand, book| {
            let line = event.line.clone().unwrap_or_default();
            if demand.replacements.contains_key(&event.for_label) {
                return Err(fact.misfit("the bag is replaced twice"));
            }
            if line.quantity_units <= 0
                || demand.allocated(&line.product_id).0 < line.quantity_units
            {
                return Err(fact.misfit("the order does not have such units to lose"));
            }
            demand.lose(&line);
            let waiting = Replacement::Waiting(fact.seq);
            demand.replacements.insert(event.for_label.clone(), waiting);
            let product_id = line.product_id.clone();
            let waiting = WaitingReplacement {
                order_id: Arc::clone(&demand.order_id),
                for_label: event.for_label.clone(),
                product_id: line.product_id,
                quantity: Units(line.quantity_units),
                checkpoint_id: event.checkpoint_id.clone(),
            };
            book.queue.add_replacement(fact.seq, waiting);
            book.refresh(&product_id);
            Ok(DemandState::Dispatched)
        },
    )
}

pub(crate) fn dispatched(
    state: &mut State,
    fact: &Fact<'_>,
    event: &ReplacementDispatched,
) -> Result<(), Misfit> {
    state.check(fact, &event.allocations)?;
    answered(state, fact, &event.order_id, &event.for_label, |demand| {
        demand.allocations.extend(event.allocations.iter().cloned());
        demand.bags.extend(event.bag.clone());
    })?;
    state.move_all(&event.allocations, Movement::DispatchAtOnce);
    Ok(())
}

pub(crate) fn refused(
    state: &mut State,
    fact: &Fact<'_>,
    event: &ReplacementRefused,
) -> Result<(), Misfit> {
    answered(state, fact, &event.order_id, &event.for_label, |_| ())
}

fn answered(
    state: &mut State,
    fact: &Fact<'_>,
    order_id: &str,
    for_label: &str,
    change: impl FnOnce(&mut Demand),
) -> Result<(), Misfit> {
    state.transition(
        fact,
        order_id,
        &[DemandState::Dispatched],
        |demand, book| {
            match demand.replacements.get_mut(for_label) {
                Some(replacement @ Replacement::Waiting(_)) => {
                    if let Replacement::Waiting(seq) = *replacement {
                        book.leave_queue(seq);
                    }
                    *replacement = Replacement::Answered;
                }
                _ => return Err(fact.misfit("no replacement of that bag is waited for")),
            }
            change(demand);
            Ok(DemandState::Dispatched)
        },
    )
}

impl Demand {
    /// Units of the order are lost or spoiled on the way. Bags do not say of
    /// which lot their units are: the lot used last bears the loss.
    fn lose(&mut self, line: &Line) {
        let mut open = line.quantity_units;
        for allocation in self.allocations.iter_mut().rev() {
            let take = if allocation.product_id == line.product_id {
                allocation.quantity_units.min(open)
            } else {
                0
            };
            if take > 0 {
                allocation.quantity_units -= take;
                open -= take;
                self.lost.push(Allocation {
                    quantity_units: take,
                    ..allocation.clone()
                });
            }
        }
        self.allocations.retain(|a| a.quantity_units > 0);
    }
}
