//! INV-16 on the whole state: every listing and demand balances, and agrees
//! with what its matches hold.

use std::collections::BTreeMap;

use decider::{Invariant, Violation};
use proto::inventory::v1::{MatchFailure, MatchState};

use super::{BulkDemand, Listing, Surplus};
use crate::units::Units;

/// What the matches hold of a listing or of a demand's present window.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Held {
    proposed: Units,
    confirmed: Units,
    delivered: Units,
    lost: Units,
}

pub(crate) fn violations(surplus: &Surplus) -> Vec<Violation> {
    let mut of_listings = BTreeMap::<&str, Held>::new();
    let mut of_demands = BTreeMap::<&str, Held>::new();
    for trade in surplus.matches.values() {
        let mut held = Held::default();
        match (trade.state, trade.failure) {
            (MatchState::Proposed, _) => held.proposed = trade.quantity,
            (MatchState::Confirmed, _) => held.confirmed = trade.quantity,
            (MatchState::Delivered, _) => {
                held.delivered = trade.accepted;
                held.lost = trade.damaged.plus(trade.short);
            }
            (MatchState::Failed, MatchFailure::ShipmentLost) => held.lost = trade.quantity,
            _ => continue,
        }
        add(of_listings.entry(&trade.listing_id).or_default(), held);
        let demand = surplus.demands.get(&trade.demand_id);
        if demand.is_some_and(|demand| demand.round == trade.demand_round) {
            add(of_demands.entry(&trade.demand_id).or_default(), held);
        }
    }
    let listings = surplus.listings.values().filter_map(|listing| {
        let held = of_listings.get(listing.listing_id.as_str());
        let detail = of_listing(listing, held.copied().unwrap_or_default())?;
        Some((format!("listing/{}", listing.listing_id), detail))
    });
    let demands = surplus.demands.values().filter_map(|demand| {
        let held = of_demands.get(demand.demand_id.as_str());
        let detail = of_demand(demand, held.copied().unwrap_or_default())?;
        Some((format!("bulk-demand/{}", demand.demand_id), detail))
    });
    listings
        .chain(demands)
        .map(|(entity, detail)| Violation {
            invariant: Invariant::SurplusConserved,
            entity,
            detail,
        })
        .collect()
}

fn add(sum: &mut Held, held: Held) {
    sum.proposed = sum.proposed.plus(held.proposed);
    sum.confirmed = sum.confirmed.plus(held.confirmed);
    sum.delivered = sum.delivered.plus(held.delivered);
    sum.lost = sum.lost.plus(held.lost);
}

fn of_listing(listing: &Listing, held: Held) -> Option<String> {
    let booked = Held {
        proposed: listing.proposed,
        confirmed: listing.confirmed,
        delivered: listing.delivered,
        lost: listing.lost,
    };
    let parts = [
        listing.open,
        listing.proposed,
        listing.confirmed,
        listing.delivered,
        listing.lost,
        listing.withdrawn,
        listing.expired,
    ];
    let sum: Units = parts.into_iter().sum();
    if sum != listing.listed || parts.iter().any(|part| *part < Units::ZERO) {
        let parts = parts.map(|part| part.0);
        return Some(format!(
            "{} are listed, in their places are {parts:?}",
            listing.listed
        ));
    }
    (booked != held).then(|| {
        format!(
            "booked are {} proposed and {} confirmed, its matches hold {} and {}",
            booked.proposed.0, booked.confirmed.0, held.proposed.0, held.confirmed.0
        )
    })
}

fn of_demand(demand: &BulkDemand, held: Held) -> Option<String> {
    let parts = [
        demand.open,
        demand.proposed,
        demand.confirmed,
        demand.withdrawn,
    ];
    let sum: Units = parts.into_iter().sum();
    if sum != demand.asked || parts.iter().any(|part| *part < Units::ZERO) {
        let parts = parts.map(|part| part.0);
        return Some(format!(
            "{} are asked for, in their places are {parts:?}",
            demand.asked
        ));
    }
    let confirmed = held.confirmed.plus(held.delivered).plus(held.lost);
    (demand.proposed != held.proposed || demand.confirmed != confirmed).then(|| {
        format!(
            "booked are {} proposed and {} confirmed, its matches hold {} and {}",
            demand.proposed.0, demand.confirmed.0, held.proposed.0, confirmed.0
        )
    })
}
