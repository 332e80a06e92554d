//! Intake: an order is served from the shelves at once, queued or refused, and
//! gives back what it holds when it is cancelled, or is recalled if it left.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use decider::Context;
use proto::{
    InventoryEvent,
    inventory::v1::{
        DemandQueued, DemandRejected, DemandState, DispatchRecalled, ReservationReleased,
        StockReserved,
    },
    types::v1::Line,
};

use crate::{
    command::{QueueDemand, ReleaseReservation},
    demand::{Demand, allocated},
    door::sort_key,
    ledger::Movement,
    queue::WaitingOrder,
    rejection::Rejection,
    reservation::{Plan, Shelves},
    state::{Fact, Misfit, State},
    units::Units,
};

/// Nothing of what was ordered is in stock.
pub const OUT_OF_STOCK: &str = "OUT_OF_STOCK";
/// Something was ordered that the area does not have at all.
pub const PRODUCT_UNKNOWN: &str = "PRODUCT_UNKNOWN";

/// The most units of one product in an order.
const LINE_UNITS_MAX: i64 = 1_000_000;

pub(crate) fn queue(
    state: &State,
    wanted: &QueueDemand,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    if state.demands.contains_key(wanted.order_id.as_str()) {
        return Ok(Vec::new());
    }
    let lines = merge(&wanted.order_id, &wanted.lines)?;
    let wants = || {
        lines
            .iter()
            .map(|line| (line.product_id.as_str(), Units(line.quantity_units)))
    };
    let queued = DemandQueued {
        order_id: wanted.order_id.clone(),
        household_id: wanted.household_id.clone(),
        door: wanted.door.clone(),
        lines: lines.clone(),
        cadre_id: wanted.cadre_id.clone(),
    };
    let mut events = vec![queued.into()];
    let book = state.books.get(&context.area);
    let known = |id: &str| book.is_some_and(|book| book.products.contains_key(id));
    let waited_for = |id: &str| book.is_some_and(|book| book.queue.is_wanted(id));
    if !wants().all(|(id, _)| known(id)) {
        events.push(rejected_because(&wanted.order_id, PRODUCT_UNKNOWN));
    } else if !wants().any(|(id, _)| waited_for(id)) {
        let plan = Shelves::new(state, &context.area, context.now).plan(wants());
        if plan.in_stock || book.is_some_and(|book| book.procurement.closed) {
            events.push(answer(&wanted.order_id, plan));
        }
    }
    Ok(events)
}

/// What there is, or that there is nothing.
pub(crate) fn answer(order_id: &str, plan: Plan) -> InventoryEvent {
    if plan.allocations.is_empty() {
        return rejected_because(order_id, OUT_OF_STOCK);
    }
    StockReserved {
        order_id: order_id.to_owned(),
        allocations: plan.allocations,
        short: plan.short,
    }
    .into()
}

fn rejected_because(order_id: &str, reason: &str) -> InventoryEvent {
    DemandRejected {
        order_id: order_id.to_owned(),
        reason: reason.to_owned(),
    }
    .into()
}

/// Each product once, where it first stood.
fn merge(order_id: &str, lines: &[Line]) -> Result<Vec<Line>, Rejection> {
    let mut merged: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        let known = merged.iter_mut().find(|m| m.product_id == line.product_id);
        let sum = known.as_ref().map_or(0, |m| m.quantity_units);
        let sum = sum.saturating_add(line.quantity_units);
        if line.quantity_units < 1 || sum > LINE_UNITS_MAX {
            return Err(Rejection::QuantityInvalid {
                of: format!("units of {} for order {order_id}", line.product_id),
                quantity: if line.quantity_units < 1 {
                    line.quantity_units
                } else {
                    sum
                },
                max: LINE_UNITS_MAX,
            });
        }
        match known {
            Some(known) => known.quantity_units = sum,
            None => merged.push(line.clone()),
        }
    }
    if merged.is_empty() {
        return Err(Rejection::DemandEmpty {
            order_id: order_id.to_owned(),
        });
    }
    Ok(merged)
}

pub(crate) fn release(
    state: &State,
    wanted: &ReleaseReservation,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    // An order may be cancelled before it was ever released to the store.
    let Some(demand) = state.demand(&context.area, &wanted.order_id) else {
        return Ok(Vec::new());
    };
    match demand.state {
        DemandState::Queued | DemandState::Reserved | DemandState::Picked => Ok(vec![
            ReservationReleased {
                order_id: wanted.order_id.clone(),
                allocations: demand.allocations.clone(),
            }
            .into(),
        ]),
        // It left: whether it can still be stopped is seen on the way.
        DemandState::Dispatched if !demand.recalled => Ok(vec![
            DispatchRecalled {
                order_id: wanted.order_id.clone(),
            }
            .into(),
        ]),
        DemandState::Dispatched
        | DemandState::Rejected
        | DemandState::Released
        | DemandState::Returned
        | DemandState::Unspecified => Ok(Vec::new()),
    }
}

pub(crate) fn queued(
    state: &mut State,
    fact: &Fact<'_>,
    event: &DemandQueued,
) -> Result<(), Misfit> {
    if state.demands.contains_key(event.order_id.as_str()) {
        return Err(fact.misfit("the order is queued twice"));
    }
    let mut products = BTreeSet::new();
    let proper = |line: &Line| line.quantity_units > 0 && products.insert(line.product_id.clone());
    if event.lines.is_empty() || !event.lines.iter().all(proper) {
        return Err(fact.misfit("its lines are none, doubled or without units"));
    }
    let mut demand = Demand {
        order_id: event.order_id.as_str().into(),
        household_id: event.household_id.clone(),
        door: event.door.clone(),
        cadre_id: event.cadre_id.clone(),
        area: fact.area.clone(),
        lines: event.lines.clone(),
        short: Vec::new(),
        allocations: Vec::new(),
        bags: Vec::new(),
        state: DemandState::Unspecified,
        load_id: String::new(),
        checkpoint_id: String::new(),
        custodian_id: String::new(),
        recalled: false,
        queued: fact.at,
        updated: fact.at,
        revision: fact.revision,
        seq: fact.seq,
        door_key: sort_key(event.door.as_ref()),
        lost: Vec::new(),
        replacements: BTreeMap::new(),
    };
    let wants = event.lines.iter();
    let wants = wants.map(|line| (line.product_id.clone(), Units(line.quantity_units)));
    let waiting = WaitingOrder {
        order_id: Arc::clone(&demand.order_id),
        wants: wants.collect(),
    };
    let book = state.books.entry(fact.area.clone()).or_default();
    book.change_state(&mut demand, DemandState::Queued);
    // After the change of state, which takes the entry of the state before out.
    let all = book.doors.entry(DemandState::Unspecified).or_default();
    all.insert(demand.door_key());
    book.queue.add_order(fact.seq, waiting);
    for line in &event.lines {
        book.refresh(&line.product_id);
    }
    state.demands.insert(Arc::clone(&demand.order_id), demand);
    Ok(())
}

pub(crate) fn reserved(
    state: &mut State,
    fact: &Fact<'_>,
    event: &StockReserved,
) -> Result<(), Misfit> {
    state.check(fact, &event.allocations)?;
    state.transition(
        fact,
        &event.order_id,
        &[DemandState::Queued],
        |demand, book| {
            for line in &demand.lines {
                let short = event
                    .short
                    .iter()
                    .filter(|s| s.product_id == line.product_id);
                let short: Units = short.map(|s| Units(s.quantity_units)).sum();
                let given = allocated(&event.allocations, &line.product_id);
                if given.plus(short) != Units(line.quantity_units) {
                    return Err(fact.misfit(format_args!(
                        "{} of {} are given and {} short, {} were ordered",
                        given, line.product_id, short, line.quantity_units
                    )));
                }
            }
            demand.allocations.clone_from(&event.allocations);
            demand.short.clone_from(&event.short);
            book.leave_queue(demand.seq);
            Ok(DemandState::Reserved)
        },
    )?;
    state.move_all(&event.allocations, Movement::Reserve);
    Ok(())
}

pub(crate) fn rejected(
    state: &mut State,
    fact: &Fact<'_>,
    event: &DemandRejected,
) -> Result<(), Misfit> {
    state.transition(
        fact,
        &event.order_id,
        &[DemandState::Queued],
        |demand, book| {
            book.leave_queue(demand.seq);
            Ok(DemandState::Rejected)
        },
    )
}

pub(crate) fn released(
    state: &mut State,
    fact: &Fact<'_>,
    event: &ReservationReleased,
) -> Result<(), Misfit> {
    let before = [
        DemandState::Queued,
        DemandState::Reserved,
        DemandState::Picked,
    ];
    state.transition(fact, &event.order_id, &before, |demand, book| {
        demand.give_up(fact, &event.allocations)?;
        demand.bags.clear();
        book.leave_queue(demand.seq);
        Ok(DemandState::Released)
    })?;
    state.move_all(&event.allocations, Movement::Release);
    Ok(())
}

/// Only noted: the goods are out until they are back.
pub(crate) fn recalled(
    state: &mut State,
    fact: &Fact<'_>,
    event: &DispatchRecalled,
) -> Result<(), Misfit> {
    let before = [DemandState::Dispatched];
    state.transition(fact, &event.order_id, &before, |demand, _| {
        if demand.recalled {
            return Err(fact.misfit("the order is recalled twice"));
        }
        demand.recalled = true;
        Ok(DemandState::Dispatched)
    })
}
