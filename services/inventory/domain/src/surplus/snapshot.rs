//! The surplus trade as it is written: its entities in the order of their ids,
//! each once. Indexes and deadlines are made anew on reading.

use std::collections::BTreeMap;

use decider::Area;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BulkDemand, Buyer, Listing, Match, Matching, Price, Report, Surplus};

#[derive(Serialize)]
struct Written<'a> {
    listings: Vec<&'a Listing>,
    buyers: Vec<&'a Buyer>,
    demands: Vec<&'a BulkDemand>,
    matches: Vec<&'a Match>,
    prices: &'a BTreeMap<(Area, String), Price>,
    matchings: &'a BTreeMap<Area, Matching>,
    reports: &'a BTreeMap<(Area, String), Report>,
    totals: &'a BTreeMap<Area, Report>,
}

#[derive(Deserialize)]
struct Read {
    listings: Vec<Listing>,
    buyers: Vec<Buyer>,
    demands: Vec<BulkDemand>,
    matches: Vec<Match>,
    prices: BTreeMap<(Area, String), Price>,
    matchings: BTreeMap<Area, Matching>,
    reports: BTreeMap<(Area, String), Report>,
    totals: BTreeMap<Area, Report>,
}

impl Serialize for Surplus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written {
            listings: self.listings.values().collect(),
            buyers: self.buyers.values().collect(),
            demands: self.demands.values().collect(),
            matches: self.matches.values().collect(),
            prices: &self.prices,
            matchings: &self.matchings,
            reports: &self.reports,
            totals: &self.totals,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Surplus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        let listings = read.listings.into_iter();
        let buyers = read.buyers.into_iter();
        let demands = read.demands.into_iter();
        let matches = read.matches.into_iter();
        let mut surplus = Self {
            listings: listings.map(|l| (l.listing_id.clone(), l)).collect(),
            buyers: buyers.map(|b| (b.buyer_id.clone(), b)).collect(),
            demands: demands.map(|d| (d.demand_id.clone(), d)).collect(),
            matches: matches.map(|m| (m.match_id.clone(), m)).collect(),
            prices: read.prices,
            matchings: read.matchings,
            reports: read.reports,
            totals: read.totals,
            ..Self::default()
        };
        surplus.derive();
        Ok(surplus)
    }
}
