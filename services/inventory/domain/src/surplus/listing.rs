//! Listings: what a grower has too much of, where and how long it can be
//! fetched, and what he asks for it. Each unit is in one place: open, proposed
//! to a buyer, confirmed, delivered, lost on the way, withdrawn or expired.

use std::collections::BTreeSet;

use decider::{Area, Revision, Timestamp};
use proto::{
    inventory::v1::{
        CapPolicy, Grade, ListingState, Spot, SurplusChanged, SurplusExpired, SurplusListed,
        SurplusWithdrawn,
    },
    time::or_epoch,
};
use serde::{Deserialize, Serialize};

use super::{Surplus, misfit};
use crate::{
    state::{Fact, Misfit},
    units::{FenPerKg, Grams, Units},
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    pub listing_id: String,
    pub area: Area,
    pub grower_id: String,
    pub product_id: String,
    pub unit_weight: Grams,
    pub grade: Grade,
    pub harvested: Timestamp,
    pub field: Spot,
    /// When it can be fetched.
    pub from: Timestamp,
    pub to: Timestamp,
    pub asking: FenPerKg,
    /// What a kilogram that spoils would cost the grower at most.
    pub reference: FenPerKg,
    pub state: ListingState,
    pub listed: Units,
    pub open: Units,
    pub proposed: Units,
    pub confirmed: Units,
    pub delivered: Units,
    /// Damaged, short or lost on the way.
    pub lost: Units,
    pub withdrawn: Units,
    pub expired: Units,
    /// Price, cap and policy of the latest breach that was recorded.
    pub(crate) breach: Option<(FenPerKg, FenPerKg, CapPolicy)>,
    /// Demands that it is not proposed to again.
    pub(crate) passed_over: BTreeSet<String>,
    /// Of the listing's stream; what becomes of its units stands in those of
    /// the matches.
    pub revision: Revision,
}

impl Listing {
    #[must_use]
    pub fn weight(&self, units: Units) -> Grams {
        self.unit_weight.times(units)
    }

    /// Proposed, confirmed, delivered or lost: what somebody was to have.
    pub(crate) fn served(&self) -> Units {
        let parts = [self.proposed, self.confirmed, self.delivered, self.lost];
        parts.into_iter().sum()
    }

    /// Units that nobody takes after all: open again while it is listed.
    pub(crate) fn give_back(&mut self, units: Units) {
        let place = match self.state {
            ListingState::Withdrawn => &mut self.withdrawn,
            ListingState::Expired => &mut self.expired,
            _ => &mut self.open,
        };
        *place = place.plus(units);
    }
}

pub(crate) fn was_listed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &SurplusListed,
) -> Result<(), Misfit> {
    if surplus.listings.contains_key(&event.listing_id) {
        return Err(misfit(fact, "it is listed twice"));
    }
    if event.quantity_units <= 0 || event.unit_grams <= 0 {
        return Err(misfit(fact, "it is nothing"));
    }
    let units = Units(event.quantity_units);
    let listing = Listing {
        listing_id: event.listing_id.clone(),
        area: fact.area.clone(),
        grower_id: event.grower_id.clone(),
        product_id: event.product_id.clone(),
        unit_weight: Grams(event.unit_grams),
        grade: event.grade(),
        harvested: or_epoch(event.harvested_time.as_ref()),
        field: event.field.clone().unwrap_or_default(),
        from: or_epoch(event.from_time.as_ref()),
        to: or_epoch(event.to_time.as_ref()),
        asking: FenPerKg(event.asking_fen_per_kg),
        reference: FenPerKg(event.reference_fen_per_kg),
        state: ListingState::Open,
        listed: units,
        open: units,
        proposed: Units::ZERO,
        confirmed: Units::ZERO,
        delivered: Units::ZERO,
        lost: Units::ZERO,
        withdrawn: Units::ZERO,
        expired: Units::ZERO,
        breach: None,
        passed_over: BTreeSet::new(),
        revision: fact.revision,
    };
    let (weight, reference) = (listing.weight(units), listing.reference);
    surplus.listings.insert(event.listing_id.clone(), listing);
    // Once more for the indexes.
    surplus.change_listing(fact, &event.listing_id, |_| Ok(()))?;
    surplus
        .deadlines
        .extend(surplus.listings[&event.listing_id].deadline());
    surplus.count(fact.area, &event.grower_id, |report| {
        report.listings = report.listings.saturating_add(1);
        report.list(weight, reference);
    });
    surplus.something_changed(fact);
    Ok(())
}

pub(crate) fn was_changed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &SurplusChanged,
) -> Result<(), Misfit> {
    let mut moved = None;
    surplus.change_listing(fact, &event.listing_id, |listing| {
        if listing.state != ListingState::Open || listing.open != listing.listed {
            return Err("some of it is not open any more".into());
        }
        if event.quantity_units <= 0 {
            return Err("it is nothing".into());
        }
        let before = (listing.weight(listing.listed), listing.reference);
        listing.listed = Units(event.quantity_units);
        listing.open = listing.listed;
        listing.grade = event.grade();
        listing.from = or_epoch(event.from_time.as_ref());
        listing.to = or_epoch(event.to_time.as_ref());
        listing.asking = FenPerKg(event.asking_fen_per_kg);
        listing.reference = FenPerKg(event.reference_fen_per_kg);
        // It is another offer: who refused the former may want it.
        listing.passed_over.clear();
        listing.revision = fact.revision;
        let after = (listing.weight(listing.listed), listing.reference);
        moved = Some((listing.grower_id.clone(), before, after));
        Ok(())
    })?;
    if let Some((grower_id, before, after)) = moved {
        surplus.count(fact.area, &grower_id, |report| {
            report.unlist(before.0, before.1);
            report.list(after.0, after.1);
        });
    }
    surplus.something_changed(fact);
    Ok(())
}

pub(crate) fn was_withdrawn(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &SurplusWithdrawn,
) -> Result<(), Misfit> {
    let ended = end(surplus, fact, &event.listing_id, ListingState::Withdrawn)?;
    surplus.count(fact.area, &ended.grower_id, |report| {
        report.withdraw(ended.weight(ended.withdrawn), ended.reference);
    });
    Ok(())
}

pub(crate) fn was_expired(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &SurplusExpired,
) -> Result<(), Misfit> {
    let ended = end(surplus, fact, &event.listing_id, ListingState::Expired)?;
    surplus.count(fact.area, &ended.grower_id, |report| {
        report.expire(ended.weight(ended.expired));
    });
    Ok(())
}

/// What is open then goes the way of the listing.
fn end(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    listing_id: &str,
    state: ListingState,
) -> Result<Listing, Misfit> {
    surplus.change_listing(fact, listing_id, |listing| {
        if listing.state != ListingState::Open {
            return Err("it is over already".into());
        }
        listing.state = state;
        let open = std::mem::take(&mut listing.open);
        listing.give_back(open);
        listing.revision = fact.revision;
        Ok(())
    })?;
    Ok(surplus.listings[listing_id].clone())
}
