//! An order is cancelled while its goods are on a trunk route. Those that wait
//! are taken from their window; those on a load that is not loaded are taken
//! out of it, and before the vehicle has left the carrier is asked again about
//! the smaller load. What a carrier has goes on to the checkpoint and comes
//! back as a shipment of its own (`arrival`).

use decider::Context;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, WithdrawReason},
};

use super::{
    Shipment, capacity,
    load::{Load, Pickup},
    shipment, tender,
};
use crate::{
    Rejection,
    bags::Bags,
    command::WithdrawParcel,
    freight::consolidation::bags,
    parcel,
    state::{Moment, State},
};

/// Why a shipment is cancelled of which nothing is left.
const ALL_RECALLED: &str = "ALL_RECALLED";

pub(crate) fn withdraw(
    state: &State,
    command: &WithdrawParcel,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let order_id = &command.order_id;
    let on_load = state.freight.load_of(order_id);
    let on_load = on_load.filter(|(goods, _)| goods.area == context.area);
    let Some((goods, shipment)) = on_load else {
        return parcel::withdraw(state, command, context);
    };
    let pickup = shipment.pickups.get(&goods.route_id);
    if pickup.is_some_and(|pickup| pickup.loaded.is_some()) {
        if shipment.recalled.contains(order_id) {
            return Ok(vec![]);
        }
        return Ok(vec![
            pb::ParcelRecalled {
                order_id: order_id.clone(),
                shipment_id: shipment.shipment_id.clone(),
            }
            .into(),
        ]);
    }
    let mut events = parcel::withdraw(state, command, context)?;
    let load = without(&shipment.load, order_id, &bags(state, order_id));
    events.extend(shrink(state, &shipment, load, context));
    Ok(events)
}

/// The load without an order.
fn without(load: &Load, order_id: &str, bags: &Bags) -> Load {
    let mut load = load.clone();
    load.order_ids.retain(|id| id != order_id);
    for line in load.pickups.iter_mut().flat_map(|p| &mut p.lines) {
        for bag in bags.iter() {
            if line.labels.contains(&bag.label) {
                line.labels.retain(|label| *label != bag.label);
                line.quantity_units = line.quantity_units.saturating_sub(bag.quantity_units);
                line.weight_grams = line.weight_grams.saturating_sub(bag.weight_grams);
            }
        }
    }
    for pickup in &mut load.pickups {
        pickup.lines.retain(|line| !line.labels.is_empty());
    }
    load.pickups.retain(|pickup| !pickup.lines.is_empty());
    load
}

fn shrink(
    state: &State,
    shipment: &Shipment,
    load: Load,
    context: &Context,
) -> Vec<LogisticsEvent> {
    let freight = &state.freight;
    // A pickup that failed is another shipment's.
    let failed = |pickup: &Pickup| {
        let known = shipment.pickups.get(&pickup.stop_id);
        known.is_some_and(|pickup| pickup.failed.is_some())
    };
    if load.pickups.iter().all(failed) {
        let withdrawn = tender::withdrawn_event(shipment, WithdrawReason::Cancelled);
        let cancelled = pb::ShipmentCancelled {
            shipment_id: shipment.shipment_id.clone(),
            reason: ALL_RECALLED.into(),
        };
        let withdrawn = withdrawn.map(LogisticsEvent::from).into_iter();
        let mut events: Vec<_> = withdrawn.chain([cancelled.into()]).collect();
        events.extend(capacity::freed(freight, shipment, context));
        return events;
    }
    if shipment.departed.is_some() {
        // Less than what the carrier has said yes to, and it is on the way.
        return vec![shipment::changed_event(shipment, &load).into()];
    }
    shipment::new_load_events(freight, shipment, &load, context)
}

pub(crate) fn recalled(state: &mut State, moment: &Moment<'_>, event: &pb::ParcelRecalled) {
    let shipments = &mut state.freight.shipments;
    shipments.change(&event.shipment_id, |shipment| {
        shipment.recalled.insert(event.order_id.clone());
    });
    state.change_parcel(&event.order_id, moment.at, |parcel, _| {
        parcel.revision = moment.revision;
    });
}
