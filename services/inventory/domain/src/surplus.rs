//! What growers cannot sell (S09), firms that buy in bulk (S10), and the
//! matches between them: listed, asked for, proposed, confirmed by both sides,
//! carried, and what loss that avoided.
//!
//! Nothing here touches lots and orders: surplus lies at the grower's field and
//! goes to the buyer's door without ever being in the store.

pub(crate) mod answer;
pub(crate) mod buyer;
pub(crate) mod command;
pub(crate) mod delivery;
pub(crate) mod demand;
mod describe;
pub(crate) mod listing;
pub mod matching;
pub(crate) mod offering;
pub(crate) mod price;
pub(crate) mod proposing;
mod query;
mod rejection;
pub(crate) mod report;
pub(crate) mod round;
mod snapshot;
mod timers;
mod trade;
mod violations;

use std::collections::{BTreeMap, BTreeSet};

use decider::{Area, Invariant, Timestamp};
use proto::InventoryEvent;

use crate::{
    state::{Fact, Misfit},
    units::Units,
};

pub use buyer::Buyer;
pub use command::{
    ChangeSurplus, ConfirmMatch, DeliverMatches, FailMatches, MatchReceipt, OfferSurplus,
    OpenMatching, PlaceBulkDemand, RefuseMatch, RegisterBuyer, SetReferencePrice, ShipMatches,
    WithdrawBulkDemand, WithdrawSurplus,
};
pub use demand::{BulkDemand, DEMAND_DAYS_MAX};
pub use listing::Listing;
pub use offering::LISTING_DAYS_MAX;
pub use price::{PRICE_MAX, Price};
pub use query::MatchFilter;
pub use rejection::{Subject, SurplusRejection, above_cap};
pub use report::Report;
pub use round::{ANSWER_MINUTES, LOAD_WAIT_MINUTES, Matching};
pub use trade::Match;

pub(crate) use timers::{Deadline, due, next_due};
pub(crate) use violations::violations;

/// All of the surplus trade in one partition. Ids are unique in the partition;
/// what is looked up is looked up in an area.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Surplus {
    pub listings: BTreeMap<String, Listing>,
    pub buyers: BTreeMap<String, Buyer>,
    pub demands: BTreeMap<String, BulkDemand>,
    pub matches: BTreeMap<String, Match>,
    /// By area and product id.
    pub prices: BTreeMap<(Area, String), Price>,
    pub matchings: BTreeMap<Area, Matching>,
    /// By area and grower id.
    pub reports: BTreeMap<(Area, String), Report>,
    /// The sum over all growers of each area.
    pub totals: BTreeMap<Area, Report>,
    /// Listings and demands of which units are open.
    pub open: BTreeMap<Area, Open>,
    /// Confirmed matches by their shipment.
    pub shipments: BTreeMap<String, BTreeSet<String>>,
    /// What happens by itself, and when.
    pub deadlines: BTreeSet<(Timestamp, Deadline)>,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Open {
    pub listings: BTreeSet<String>,
    pub demands: BTreeSet<String>,
}

impl Surplus {
    pub fn listing(&self, area: &Area, listing_id: &str) -> Option<&Listing> {
        let found = self.listings.get(listing_id);
        found.filter(|listing| listing.area == *area)
    }

    pub fn demand(&self, area: &Area, demand_id: &str) -> Option<&BulkDemand> {
        let found = self.demands.get(demand_id);
        found.filter(|demand| demand.area == *area)
    }

    pub fn trade(&self, area: &Area, match_id: &str) -> Option<&Match> {
        let found = self.matches.get(match_id);
        found.filter(|trade| trade.area == *area)
    }

    pub fn price(&self, area: &Area, product_id: &str) -> Option<&Price> {
        self.prices.get(&(area.clone(), product_id.to_owned()))
    }

    pub fn matching(&self, area: &Area) -> Option<&Matching> {
        self.matchings.get(area)
    }

    /// Changes a listing, and what follows from it.
    pub fn change_listing(
        &mut self,
        fact: &Fact<'_>,
        listing_id: &str,
        change: impl FnOnce(&mut Listing) -> Result<(), String>,
    ) -> Result<(), Misfit> {
        let listing = self.listings.get_mut(listing_id);
        let Some(listing) = listing.filter(|listing| listing.area == *fact.area) else {
            return Err(misfit(fact, "no such listing in the area"));
        };
        let before = listing.deadline();
        let mut changed = listing.clone();
        change(&mut changed).map_err(|detail| misfit(fact, detail))?;
        *listing = changed;
        timers::replace(&mut self.deadlines, before, listing.deadline());
        let open = self.open.entry(fact.area.clone()).or_default();
        mark(&mut open.listings, listing_id, listing.open > Units::ZERO);
        Ok(())
    }

    pub fn change_demand(
        &mut self,
        fact: &Fact<'_>,
        demand_id: &str,
        change: impl FnOnce(&mut BulkDemand) -> Result<(), String>,
    ) -> Result<(), Misfit> {
        let demand = self.demands.get_mut(demand_id);
        let Some(demand) = demand.filter(|demand| demand.area == *fact.area) else {
            return Err(misfit(fact, "no such demand in the area"));
        };
        let before = demand.deadline();
        let mut changed = demand.clone();
        change(&mut changed).map_err(|detail| misfit(fact, detail))?;
        *demand = changed;
        timers::replace(&mut self.deadlines, before, demand.deadline());
        let open = self.open.entry(fact.area.clone()).or_default();
        mark(&mut open.demands, demand_id, demand.open > Units::ZERO);
        Ok(())
    }

    pub fn change_match(
        &mut self,
        fact: &Fact<'_>,
        match_id: &str,
        change: impl FnOnce(&mut Match) -> Result<(), String>,
    ) -> Result<Match, Misfit> {
        let trade = self.matches.get_mut(match_id);
        let Some(trade) = trade.filter(|trade| trade.area == *fact.area) else {
            return Err(misfit(fact, "no such match in the area"));
        };
        let before = trade.deadline();
        let mut changed = trade.clone();
        change(&mut changed).map_err(|detail| misfit(fact, detail))?;
        changed.revision = fact.revision;
        *trade = changed;
        timers::replace(&mut self.deadlines, before, trade.deadline());
        Ok(trade.clone())
    }

    /// Counts something for a grower and for the area.
    pub fn count(&mut self, area: &Area, grower_id: &str, count: impl Fn(&mut Report)) {
        let key = (area.clone(), grower_id.to_owned());
        count(self.reports.entry(key).or_default());
        count(self.totals.entry(area.clone()).or_default());
    }

    /// What can be derived from the entities, on reading a snapshot.
    pub fn derive(&mut self) {
        for listing in self.listings.values() {
            self.deadlines.extend(listing.deadline());
            let open = self.open.entry(listing.area.clone()).or_default();
            mark(
                &mut open.listings,
                &listing.listing_id,
                listing.open > Units::ZERO,
            );
        }
        for demand in self.demands.values() {
            self.deadlines.extend(demand.deadline());
            let open = self.open.entry(demand.area.clone()).or_default();
            mark(
                &mut open.demands,
                &demand.demand_id,
                demand.open > Units::ZERO,
            );
        }
        for trade in self.matches.values() {
            self.deadlines.extend(trade.deadline());
            if !trade.shipment_id.is_empty() {
                let on_board = self.shipments.entry(trade.shipment_id.clone());
                on_board.or_default().insert(trade.match_id.clone());
            }
        }
        for (area, matching) in &self.matchings {
            self.deadlines.extend(matching.deadline(area));
        }
    }
}

/// Folds an event of the surplus trade; others do not come here.
pub(crate) fn evolve(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &InventoryEvent,
) -> Result<(), Misfit> {
    use InventoryEvent as E;
    match event {
        E::ReferencePriceSet(e) => price::was_set(surplus, fact, e),
        E::PriceCapBreached(e) => price::breached(surplus, fact, e),
        E::SurplusListed(e) => return listing::was_listed(surplus, fact, e),
        E::SurplusChanged(e) => return listing::was_changed(surplus, fact, e),
        E::SurplusWithdrawn(e) => return listing::was_withdrawn(surplus, fact, e),
        E::SurplusExpired(e) => return listing::was_expired(surplus, fact, e),
        E::BuyerRegistered(e) => return buyer::registered(surplus, fact, e),
        E::BulkDemandPlaced(e) => return demand::placed(surplus, fact, e),
        E::BulkDemandRenewed(e) => return demand::renewed(surplus, fact, e),
        E::BulkDemandWithdrawn(e) => return demand::was_withdrawn(surplus, fact, e),
        E::BulkDemandEnded(e) => return demand::ended(surplus, fact, e),
        E::MatchingOpened(e) => return round::opened(surplus, fact, e),
        E::MatchingClosed(e) => return round::closed(surplus, fact, e),
        E::MatchingRoundHeld(e) => return round::held(surplus, fact, e),
        E::MatchProposed(e) => return trade::proposed(surplus, fact, e),
        E::MatchAgreed(e) => return answer::agreed(surplus, fact, e),
        E::MatchConfirmed(e) => return answer::confirmed(surplus, fact, e),
        E::MatchRefused(e) => return answer::refused(surplus, fact, e),
        E::MatchExpired(e) => return answer::expired(surplus, fact, e),
        E::MatchWithdrawn(e) => return answer::withdrawn(surplus, fact, e),
        E::MatchShipped(e) => return delivery::shipped(surplus, fact, e),
        E::MatchDelivered(e) => return delivery::delivered(surplus, fact, e),
        E::MatchFailed(e) => return delivery::failed(surplus, fact, e),
        _ => {}
    }
    Ok(())
}

fn mark(set: &mut BTreeSet<String>, id: &str, belongs: bool) {
    if !belongs {
        set.remove(id);
    } else if !set.contains(id) {
        set.insert(id.to_owned());
    }
}

pub(crate) fn misfit(fact: &Fact<'_>, detail: impl std::fmt::Display) -> Misfit {
    fact.breaks(Invariant::SurplusConserved, detail)
}
