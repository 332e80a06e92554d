//! A match: some units of one listing for one window of one demand, and how
//! far it has come. Who proposes it is in `round`, who answers in `answer`,
//! what became of it in `delivery`.

use decider::{Area, Revision, Timestamp};
use proto::{
    inventory::v1::{ListingState, MatchFailure, MatchProposed, MatchState, Spot},
    time::or_epoch,
};
use serde::{Deserialize, Serialize};

use super::{Surplus, misfit};
use crate::{
    state::{Fact, Misfit},
    units::{FenPerKg, Grams, Units},
};

/// `match` is a word of the language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Match {
    pub match_id: String,
    pub area: Area,
    pub listing_id: String,
    pub demand_id: String,
    pub demand_round: i32,
    pub grower_id: String,
    pub buyer_id: String,
    pub product_id: String,
    pub quantity: Units,
    pub weight: Grams,
    pub price: FenPerKg,
    pub reference: FenPerKg,
    pub pickup: Spot,
    pub pickup_window: (Timestamp, Timestamp),
    pub destination: Spot,
    pub due: (Timestamp, Timestamp),
    pub answer_by: Timestamp,
    pub state: MatchState,
    pub grower_agreed: bool,
    pub buyer_agreed: bool,
    pub shipment_id: String,
    pub accepted: Units,
    pub damaged: Units,
    pub short: Units,
    /// Why it will not be delivered; `Unspecified` where it may.
    pub failure: MatchFailure,
    pub revision: Revision,
}

impl Match {
    /// Weight of some of its units.
    #[must_use]
    pub fn weight_of(&self, units: Units) -> Grams {
        let whole = i128::from(self.quantity.0.max(1));
        let part = i128::from(self.weight.0) * i128::from(units.0) / whole;
        Grams(i64::try_from(part).unwrap_or(i64::MAX))
    }

    /// Confirmed, and nothing has become of it yet.
    #[must_use]
    pub fn is_to_come(&self) -> bool {
        self.state == MatchState::Confirmed
    }
}

pub(crate) fn proposed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchProposed,
) -> Result<(), Misfit> {
    if surplus.matches.contains_key(&event.match_id) {
        return Err(misfit(fact, "the match is proposed twice"));
    }
    let units = Units(event.quantity_units);
    let trade = Match {
        match_id: event.match_id.clone(),
        area: fact.area.clone(),
        listing_id: event.listing_id.clone(),
        demand_id: event.demand_id.clone(),
        demand_round: event.demand_round,
        grower_id: event.grower_id.clone(),
        buyer_id: event.buyer_id.clone(),
        product_id: event.product_id.clone(),
        quantity: units,
        weight: Grams(event.weight_grams),
        price: FenPerKg(event.price_fen_per_kg),
        reference: FenPerKg(event.reference_fen_per_kg),
        pickup: event.pickup.clone().unwrap_or_default(),
        pickup_window: (
            or_epoch(event.pickup_from_time.as_ref()),
            or_epoch(event.pickup_to_time.as_ref()),
        ),
        destination: event.destination.clone().unwrap_or_default(),
        due: (
            or_epoch(event.due_from_time.as_ref()),
            or_epoch(event.due_to_time.as_ref()),
        ),
        answer_by: or_epoch(event.answer_by_time.as_ref()),
        state: MatchState::Proposed,
        grower_agreed: false,
        buyer_agreed: false,
        shipment_id: String::new(),
        accepted: Units::ZERO,
        damaged: Units::ZERO,
        short: Units::ZERO,
        failure: MatchFailure::Unspecified,
        revision: fact.revision,
    };
    surplus.deadlines.extend(trade.deadline());
    surplus.matches.insert(event.match_id.clone(), trade);
    if let Some(matching) = surplus.matchings.get_mut(fact.area) {
        matching.in_round = matching.in_round.saturating_add(1);
    }
    // The two accounts are looked at one by one: what is wrong with one of
    // them is noted, and the match stands, since it can be answered.
    let of_listing = surplus.change_listing(fact, &event.listing_id, |listing| {
        if listing.state != ListingState::Open || units > listing.open || units <= Units::ZERO {
            return Err(format!(
                "{units} of {} open ones cannot be proposed",
                listing.open.0
            ));
        }
        listing.open = listing.open.minus(units);
        listing.proposed = listing.proposed.plus(units);
        Ok(())
    });
    let of_demand = surplus.change_demand(fact, &event.demand_id, |demand| {
        if event.demand_round != demand.round || units > demand.open || units <= Units::ZERO {
            return Err(format!(
                "{units} are proposed for {} that are open",
                demand.open.0
            ));
        }
        demand.open = demand.open.minus(units);
        demand.proposed = demand.proposed.plus(units);
        Ok(())
    });
    of_listing.and(of_demand)?;
    super::price::passed(surplus, fact, event)
}
