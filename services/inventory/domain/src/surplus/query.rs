//! What can be asked about surplus. As in `crate::query`, lists are in a fixed
//! order and go on behind a key.

use std::{collections::BTreeMap, ops::Bound};

use decider::{Area, Timestamp};
use proto::inventory::v1::{BulkDemandState, ListingState, MatchState};

use super::{BulkDemand, Buyer, Listing, Match, Matching, Price, Report};
use crate::state::State;

/// By what matches are chosen; none and `Unspecified` mean any.
#[derive(Debug, Clone, Default)]
pub struct MatchFilter<'a> {
    pub state: MatchState,
    pub grower_id: Option<&'a str>,
    pub buyer_id: Option<&'a str>,
}

fn behind(after: Option<&str>) -> (Bound<&str>, Bound<&str>) {
    (
        after.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    )
}

fn is(wanted: Option<&str>, found: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == found)
}

impl State {
    #[must_use]
    pub fn listing(&self, area: &Area, listing_id: &str) -> Option<&Listing> {
        self.surplus.listing(area, listing_id)
    }

    /// By listing id, that is by the time of listing, behind `after`.
    pub fn listings<'a>(
        &'a self,
        area: &'a Area,
        grower_id: Option<&'a str>,
        product_id: Option<&'a str>,
        state: ListingState,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Listing> {
        let all = self.surplus.listings.range::<str, _>(behind(after));
        all.map(|(_, listing)| listing).filter(move |listing| {
            listing.area == *area
                && is(grower_id, &listing.grower_id)
                && is(product_id, &listing.product_id)
                && (state == ListingState::Unspecified || listing.state == state)
        })
    }

    /// By buyer id, behind `after`.
    pub fn buyers<'a>(
        &'a self,
        area: &'a Area,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Buyer> {
        let all = self.surplus.buyers.range::<str, _>(behind(after));
        all.map(|(_, buyer)| buyer)
            .filter(move |buyer| buyer.area == *area)
    }

    #[must_use]
    pub fn bulk_demand(&self, area: &Area, demand_id: &str) -> Option<&BulkDemand> {
        self.surplus.demand(area, demand_id)
    }

    /// By demand id, that is by the time of asking, behind `after`.
    pub fn bulk_demands<'a>(
        &'a self,
        area: &'a Area,
        buyer_id: Option<&'a str>,
        product_id: Option<&'a str>,
        state: BulkDemandState,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a BulkDemand> {
        let all = self.surplus.demands.range::<str, _>(behind(after));
        all.map(|(_, demand)| demand).filter(move |demand| {
            demand.area == *area
                && is(buyer_id, &demand.buyer_id)
                && is(product_id, &demand.product_id)
                && (state == BulkDemandState::Unspecified || demand.state == state)
        })
    }

    #[must_use]
    pub fn trade(&self, area: &Area, match_id: &str) -> Option<&Match> {
        self.surplus.trade(area, match_id)
    }

    /// By match id, that is by the time of the proposal, behind `after`.
    pub fn matches<'a>(
        &'a self,
        area: &'a Area,
        filter: MatchFilter<'a>,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Match> {
        let all = self.surplus.matches.range::<str, _>(behind(after));
        all.map(|(_, trade)| trade).filter(move |trade| {
            trade.area == *area
                && is(filter.grower_id, &trade.grower_id)
                && is(filter.buyer_id, &trade.buyer_id)
                && (filter.state == MatchState::Unspecified || trade.state == filter.state)
        })
    }

    /// By product id, behind `after`.
    pub fn prices(&self, area: &Area, after: Option<&str>) -> impl Iterator<Item = &Price> {
        let first = (area.clone(), after.unwrap_or_default().to_owned());
        let behind = (
            after.map_or(Bound::Included(first.clone()), |_| Bound::Excluded(first)),
            Bound::Unbounded,
        );
        let area = area.clone();
        let all = self.surplus.prices.range(behind);
        all.take_while(move |((of, _), _)| *of == area)
            .map(|(_, price)| price)
    }

    /// Prices above a cap, of every area that has reference prices.
    #[must_use]
    pub fn cap_breaches(&self) -> BTreeMap<Area, u64> {
        let mut breaches = BTreeMap::<Area, u64>::new();
        for ((area, _), price) in &self.surplus.prices {
            let count = breaches.entry(area.clone()).or_default();
            *count = count.saturating_add(price.breaches);
        }
        breaches
    }

    #[must_use]
    pub fn matching(&self, area: &Area) -> Matching {
        self.surplus.matching(area).cloned().unwrap_or_default()
    }

    /// Listings and demands of which units are open.
    #[must_use]
    pub fn open_surplus(&self, area: &Area) -> (usize, usize) {
        let open = self.surplus.open.get(area);
        open.map_or((0, 0), |open| (open.listings.len(), open.demands.len()))
    }

    /// None where the grower never listed anything.
    #[must_use]
    pub fn grower_report(&self, area: &Area, grower_id: &str) -> Option<Report> {
        let key = (area.clone(), grower_id.to_owned());
        self.surplus.reports.get(&key).copied()
    }

    /// By grower id, behind `after`.
    pub fn grower_reports(
        &self,
        area: &Area,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&str, Report)> {
        let first = (area.clone(), after.unwrap_or_default().to_owned());
        let behind = (
            after.map_or(Bound::Included(first.clone()), |_| Bound::Excluded(first)),
            Bound::Unbounded,
        );
        let area = area.clone();
        let all = self.surplus.reports.range(behind);
        all.take_while(move |((of, _), _)| *of == area)
            .map(|((_, grower_id), report)| (grower_id.as_str(), *report))
    }

    /// The sum over all growers of the area.
    #[must_use]
    pub fn surplus_total(&self, area: &Area) -> Report {
        self.surplus.totals.get(area).copied().unwrap_or_default()
    }

    /// When a round of matching is due in the area.
    #[must_use]
    pub fn next_round(&self, area: &Area) -> Option<Timestamp> {
        self.surplus.matching(area)?.next_round
    }
}
