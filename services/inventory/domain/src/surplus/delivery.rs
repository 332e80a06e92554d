//! What logistics tells of confirmed matches: which shipment has them, what the
//! buyer took over, and shipments that will not arrive. The line of a load has
//! the id of its match.

use std::collections::BTreeSet;

use decider::Context;
use proto::{
    InventoryEvent,
    inventory::v1::{MatchDelivered, MatchFailed, MatchFailure, MatchShipped, MatchState},
};

use super::{
    Match, Surplus, SurplusRejection,
    command::{DeliverMatches, FailMatches, ShipMatches},
};
use crate::{
    rejection::Rejection,
    state::{Fact, Misfit, State},
    units::Units,
};

/// Matches of one shipment: what is recorded of all of them at once fits into
/// the log. Loads that are drafted by themselves have fewer.
const MATCHES_MAX: usize = 100;

pub(crate) fn ship(
    state: &State,
    wanted: &ShipMatches,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let named = wanted.match_ids.iter();
    let matches = named.filter_map(|id| state.surplus.trade(&context.area, id));
    let shipped: Vec<&Match> = matches
        .filter(|trade| trade.is_to_come() && trade.shipment_id != wanted.shipment_id)
        .collect();
    let known = state.surplus.shipments.get(&wanted.shipment_id);
    let count = shipped.len() + known.map_or(0, BTreeSet::len);
    if count > MATCHES_MAX {
        return Err(SurplusRejection::TooManyMatches {
            shipment_id: wanted.shipment_id.clone(),
            matches: count,
            max: MATCHES_MAX,
        }
        .into());
    }
    let shipped = shipped.into_iter().map(|trade| {
        MatchShipped {
            match_id: trade.match_id.clone(),
            shipment_id: wanted.shipment_id.clone(),
        }
        .into()
    });
    Ok(shipped.collect())
}

/// Of a line that was not taken over, and is with no other shipment, nothing
/// came.
pub(crate) fn deliver(
    state: &State,
    wanted: &DeliverMatches,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let delivered = of_shipment(state, &wanted.shipment_id, context).map(|trade| {
        let mut receipts = wanted.receipts.iter();
        let receipt = receipts.find(|receipt| receipt.match_id == trade.match_id);
        let (accepted, damaged) = receipt.map_or((Units::ZERO, Units::ZERO), |receipt| {
            let at_most = |units: Units, most: Units| units.max(Units::ZERO).min(most);
            let accepted = at_most(receipt.accepted, trade.quantity);
            let damaged = at_most(receipt.damaged, trade.quantity.minus(accepted));
            (accepted, damaged)
        });
        MatchDelivered {
            match_id: trade.match_id.clone(),
            shipment_id: wanted.shipment_id.clone(),
            accepted_units: accepted.0,
            damaged_units: damaged.0,
            short_units: trade.quantity.minus(accepted).minus(damaged).0,
        }
        .into()
    });
    Ok(delivered.collect())
}

pub(crate) fn fail(
    state: &State,
    wanted: &FailMatches,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let failed = of_shipment(state, &wanted.shipment_id, context);
    let failed = failed.filter(|trade| !wanted.kept.contains(&trade.match_id));
    let failed = failed.map(|trade| {
        MatchFailed {
            match_id: trade.match_id.clone(),
            shipment_id: wanted.shipment_id.clone(),
            reason: wanted.reason.into(),
        }
        .into()
    });
    Ok(failed.collect())
}

/// What of a shipment is still to come.
fn of_shipment<'a>(
    state: &'a State,
    shipment_id: &str,
    context: &'a Context,
) -> impl Iterator<Item = &'a Match> {
    let ids = state.surplus.shipments.get(shipment_id);
    ids.into_iter()
        .flatten()
        .filter_map(|id| state.surplus.trade(&context.area, id))
        .filter(|trade| trade.is_to_come())
}

pub(crate) fn shipped(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchShipped,
) -> Result<(), Misfit> {
    let mut before = String::new();
    surplus.change_match(fact, &event.match_id, |trade| {
        to_come(trade)?;
        before = std::mem::replace(&mut trade.shipment_id, event.shipment_id.clone());
        Ok(())
    })?;
    if let Some(ids) = surplus.shipments.get_mut(&before) {
        ids.remove(&event.match_id);
        if ids.is_empty() {
            surplus.shipments.remove(&before);
        }
    }
    if !event.shipment_id.is_empty() {
        let ids = surplus.shipments.entry(event.shipment_id.clone());
        ids.or_default().insert(event.match_id.clone());
    }
    Ok(())
}

fn to_come(trade: &Match) -> Result<(), String> {
    if trade.is_to_come() {
        return Ok(());
    }
    Err("it is not confirmed, or it is over".into())
}

pub(crate) fn delivered(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchDelivered,
) -> Result<(), Misfit> {
    let trade = surplus.change_match(fact, &event.match_id, |trade| {
        to_come(trade)?;
        let parts = [event.accepted_units, event.damaged_units, event.short_units];
        let sum: i128 = parts.iter().map(|units| i128::from(*units)).sum();
        if parts.iter().any(|units| *units < 0) || sum != i128::from(trade.quantity.0) {
            return Err(format!("{parts:?} are not the {} of it", trade.quantity));
        }
        trade.state = MatchState::Delivered;
        [trade.accepted, trade.damaged, trade.short] = parts.map(Units);
        Ok(())
    })?;
    surplus.count(fact.area, &trade.grower_id, |report| {
        report.deliver(&trade, trade.weight_of(trade.accepted));
    });
    let lost = trade.damaged.plus(trade.short);
    surplus.change_listing(fact, &trade.listing_id, |listing| {
        listing.confirmed = listing.confirmed.minus(trade.quantity);
        listing.delivered = listing.delivered.plus(trade.accepted);
        listing.lost = listing.lost.plus(lost);
        Ok(())
    })
}

pub(crate) fn failed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchFailed,
) -> Result<(), Misfit> {
    let trade = surplus.change_match(fact, &event.match_id, |trade| {
        to_come(trade)?;
        trade.state = MatchState::Failed;
        trade.failure = event.reason();
        Ok(())
    })?;
    let units = trade.quantity;
    if trade.failure == MatchFailure::ShipmentLost {
        surplus.count(fact.area, &trade.grower_id, |report| {
            report.deliver(&trade, crate::units::Grams::ZERO);
        });
        return surplus.change_listing(fact, &trade.listing_id, |listing| {
            listing.confirmed = listing.confirmed.minus(units);
            listing.lost = listing.lost.plus(units);
            Ok(())
        });
    }
    // Nothing has left the field.
    let of_listing = surplus.change_listing(fact, &trade.listing_id, |listing| {
        listing.confirmed = listing.confirmed.minus(units);
        listing.give_back(units);
        Ok(())
    });
    surplus.count(fact.area, &trade.grower_id, |report| {
        report.take_back(trade.weight);
    });
    surplus.count_given_back(fact, &trade);
    let of_demand = surplus.change_demand(fact, &trade.demand_id, |demand| {
        if demand.round == trade.demand_round {
            demand.confirmed = demand.confirmed.minus(units);
            demand.give_back(units);
        }
        Ok(())
    });
    surplus.something_changed(fact);
    of_listing.and(of_demand)
}
