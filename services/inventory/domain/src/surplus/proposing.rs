//! One round: what is open on both sides, the plan that `matching` makes of it,
//! and the proposals, a part at a time so that no group of events grows large.

use std::collections::BTreeMap;

use decider::{Area, Context, EventSet, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{MatchProposed, MatchingRoundHeld},
    time::to_proto,
};

use super::{
    BulkDemand, Listing, Matching, Surplus,
    matching::{self, Pair, Supply, Wish},
    price::{self, Verdict},
};
use crate::{rejection::Rejection, state::State, units::Units};

/// An answer is due this long before the goods can be fetched for the last
/// time, at least.
const ANSWER_BEFORE_MINUTES: i64 = 30;
/// Events of one part of a round, as in `crate::timers`.
const PART_EVENTS_MAX: usize = 32;
const PART_BYTES_MAX: usize = 20 * 1024;

/// Timer. One part of a round; the last part says that it was held, and until
/// then it stays due.
pub(crate) fn hold(state: &State, context: &Context) -> Result<Vec<InventoryEvent>, Rejection> {
    let surplus = &state.surplus;
    let Some(matching) = surplus.matching(&context.area).filter(|m| m.open) else {
        return Ok(Vec::new());
    };
    let mut part = Part::default();
    let sides = Sides::of(surplus, &context.area);
    // A cap that was set after the listing: spoken of before anything is
    // proposed (INV-14).
    for listing in &sides.listings {
        if let Verdict::Flag(cap) | Verdict::Refuse(cap) = sides.verdict(surplus, listing)
            && !listing.told(cap)
        {
            if part.is_full() {
                return Ok(part.events);
            }
            let by = (listing.listing_id.as_str(), listing.grower_id.as_str());
            part.push(price::breach(cap, by, listing.asking, ""));
        }
    }
    let pairs = sides.plan(surplus, context.now);
    let total = pairs.len();
    for (n, pair) in pairs.into_iter().enumerate() {
        if part.is_full() {
            return Ok(part.events);
        }
        let id = context.new_id(u16::try_from(n).unwrap_or(u16::MAX));
        if let Some(proposal) = sides.proposal(surplus, &pair, id, matching, context.now) {
            part.push(proposal.into());
        }
    }
    if part.is_full() {
        return Ok(part.events);
    }
    let (listings, demands) = sides.left(total, &part.events);
    part.push(
        MatchingRoundHeld {
            area: context.area.to_string(),
            round: matching.rounds.saturating_add(1),
            matches: matching.in_round.saturating_add(count(part.proposals)),
            open_listings: listings,
            open_demands: demands,
        }
        .into(),
    );
    Ok(part.events)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[derive(Default)]
struct Part {
    events: Vec<InventoryEvent>,
    proposals: usize,
    bytes: usize,
}

impl Part {
    fn is_full(&self) -> bool {
        self.events.len() >= PART_EVENTS_MAX || self.bytes >= PART_BYTES_MAX
    }

    fn push(&mut self, event: InventoryEvent) {
        self.bytes = self.bytes.saturating_add(event.encode().len());
        self.proposals += usize::from(matches!(event, InventoryEvent::MatchProposed(_)));
        self.events.push(event);
    }
}

/// What is open in an area.
struct Sides<'a> {
    area: &'a Area,
    listings: Vec<&'a Listing>,
    demands: Vec<&'a BulkDemand>,
}

impl<'a> Sides<'a> {
    fn of(surplus: &'a Surplus, area: &'a Area) -> Self {
        let open = surplus.open.get(area);
        let listings = open.into_iter().flat_map(|open| &open.listings);
        let demands = open.into_iter().flat_map(|open| &open.demands);
        Self {
            area,
            listings: listings.filter_map(|id| surplus.listings.get(id)).collect(),
            demands: demands.filter_map(|id| surplus.demands.get(id)).collect(),
        }
    }

    fn verdict<'s>(&self, surplus: &'s Surplus, listing: &Listing) -> Verdict<'s> {
        price::judge(surplus, self.area, &listing.product_id, listing.asking)
    }

    fn plan(&self, surplus: &'a Surplus, now: Timestamp) -> Vec<Pair<'a>> {
        let listings = self
            .listings
            .iter()
            .filter(|listing| !matches!(self.verdict(surplus, listing), Verdict::Refuse(_)));
        let supplies: Vec<_> = listings.map(|listing| supply(listing)).collect();
        let demands = self.demands.iter();
        let wishes: Vec<_> = demands
            .filter_map(|demand| {
                Some(wish(
                    demand,
                    &surplus.buyers.get(&demand.buyer_id)?.place.zone,
                ))
            })
            .collect();
        matching::plan(&supplies, &wishes, now, |listing_id, demand_id| {
            let listing = surplus.listings.get(listing_id);
            listing.is_some_and(|listing| listing.passed_over.contains(demand_id))
        })
    }

    fn proposal(
        &self,
        surplus: &Surplus,
        pair: &Pair<'_>,
        match_id: String,
        matching: &Matching,
        now: Timestamp,
    ) -> Option<MatchProposed> {
        let listing = surplus.listings.get(pair.listing_id)?;
        let demand = surplus.demands.get(pair.demand_id)?;
        let buyer = surplus.buyers.get(&demand.buyer_id)?;
        let (from, to) =
            matching::pickup_window(&supply(listing), &wish(demand, &buyer.place.zone), now)?;
        let answer_by = now
            .plus_minutes(matching.answer_minutes.into())
            .min(to.plus_minutes(-ANSWER_BEFORE_MINUTES));
        Some(MatchProposed {
            match_id,
            listing_id: listing.listing_id.clone(),
            demand_id: demand.demand_id.clone(),
            demand_round: demand.round,
            grower_id: listing.grower_id.clone(),
            buyer_id: demand.buyer_id.clone(),
            product_id: listing.product_id.clone(),
            quantity_units: pair.units.0,
            weight_grams: listing.weight(pair.units).0,
            price_fen_per_kg: listing.asking.0,
            reference_fen_per_kg: listing.reference.0,
            pickup: Some(listing.field.clone()),
            pickup_from_time: Some(to_proto(from)),
            pickup_to_time: Some(to_proto(to)),
            destination: Some(buyer.place.clone()),
            due_from_time: Some(to_proto(demand.from)),
            due_to_time: Some(to_proto(demand.to)),
            answer_by_time: Some(to_proto(answer_by)),
        })
    }

    /// Listings and demands that are still open once the events have happened.
    fn left(&self, pairs: usize, events: &[InventoryEvent]) -> (i64, i64) {
        let mut taken = BTreeMap::<&str, Units>::new();
        for event in events {
            if let InventoryEvent::MatchProposed(e) = event {
                for id in [e.listing_id.as_str(), e.demand_id.as_str()] {
                    let sum = taken.entry(id).or_default();
                    *sum = sum.plus(Units(e.quantity_units));
                }
            }
        }
        debug_assert!(
            pairs == 0 || !taken.is_empty(),
            "a plan that proposes nothing"
        );
        let open = |id: &str, open: Units| open > taken.get(id).copied().unwrap_or_default();
        let listings = self.listings.iter().filter(|l| open(&l.listing_id, l.open));
        let demands = self.demands.iter().filter(|d| open(&d.demand_id, d.open));
        (count(listings.count()), count(demands.count()))
    }
}

fn supply(listing: &Listing) -> Supply<'_> {
    Supply {
        listing_id: &listing.listing_id,
        product_id: &listing.product_id,
        zone: &listing.field.zone,
        grade: listing.grade,
        unit_weight: listing.unit_weight,
        asking: listing.asking,
        from: listing.from,
        to: listing.to,
        harvested: listing.harvested,
        open: listing.open,
        listed: listing.listed,
        served: listing.served(),
    }
}

fn wish<'a>(demand: &'a BulkDemand, zone: &'a str) -> Wish<'a> {
    Wish {
        demand_id: &demand.demand_id,
        product_id: &demand.product_id,
        zone,
        lowest_grade: demand.lowest_grade,
        highest: demand.highest,
        from: demand.from,
        to: demand.to,
        open: demand.open,
        asked: demand.asked,
        served: demand.proposed.plus(demand.confirmed),
    }
}
