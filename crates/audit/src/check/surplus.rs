//! INV-16: what is promised of a listing was open of it, no window of a demand
//! is promised more than was asked, nothing is carried that was not confirmed,
//! and what a buyer is said to have accepted is what the hand-over says. Kept
//! from the events alone.

use std::collections::BTreeMap;

use decider::{Invariant, Source};
use proto::{
    AnyEvent, InventoryEvent as E, LogisticsEvent,
    inventory::v1::{MatchDelivered, MatchFailure, MatchProposed},
};

use super::Found;
use crate::facts::{Fact, Facts};

#[derive(Debug, Default)]
struct Books<'a> {
    /// Open units.
    listings: BTreeMap<&'a str, i128>,
    /// Asked units, the present window, and what is open of it.
    demands: BTreeMap<&'a str, (i128, i32, i128)>,
    matches: BTreeMap<&'a str, Trade<'a>>,
}

#[derive(Debug)]
struct Trade<'a> {
    event: &'a MatchProposed,
    stands: Stands,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Proposed,
    Confirmed,
    Over,
}

pub(crate) fn check(facts: &Facts) -> Found {
    let mut found = Found::new(Invariant::SurplusConserved);
    let mut books = Books::default();
    for (fact, event) in facts.inventory() {
        match event {
            E::SurplusListed(e) => {
                books
                    .listings
                    .insert(&e.listing_id, e.quantity_units.into());
            }
            E::SurplusChanged(e) => {
                books
                    .listings
                    .insert(&e.listing_id, e.quantity_units.into());
            }
            E::SurplusWithdrawn(e) => {
                books.end(&mut found, fact.at, &e.listing_id, e.quantity_units);
            }
            E::SurplusExpired(e) => {
                books.end(&mut found, fact.at, &e.listing_id, e.quantity_units);
            }
            E::BulkDemandPlaced(e) => {
                let asked = i128::from(e.quantity_units);
                books.demands.insert(&e.demand_id, (asked, 1, asked));
            }
            E::BulkDemandRenewed(e) => {
                if let Some((asked, round, open)) = books.demands.get_mut(&*e.demand_id) {
                    (*round, *open) = (e.round, *asked);
                }
            }
            E::MatchProposed(e) => books.propose(&mut found, fact.at, e),
            E::MatchConfirmed(e) => {
                let to = Stands::Confirmed;
                books.go(&mut found, fact.at, &e.match_id, Stands::Proposed, to);
            }
            E::MatchRefused(e) => books.give_back(&mut found, fact.at, &e.match_id),
            E::MatchExpired(e) => books.give_back(&mut found, fact.at, &e.match_id),
            E::MatchWithdrawn(e) => books.give_back(&mut found, fact.at, &e.match_id),
            E::MatchShipped(e) => {
                let to = Stands::Confirmed;
                books.go(&mut found, fact.at, &e.match_id, Stands::Confirmed, to);
            }
            E::MatchDelivered(e) => {
                let to = Stands::Over;
                books.go(&mut found, fact.at, &e.match_id, Stands::Confirmed, to);
                handed_over(&mut found, facts, fact, e);
            }
            E::MatchFailed(e) => {
                let to = Stands::Over;
                books.go(&mut found, fact.at, &e.match_id, Stands::Confirmed, to);
                if e.reason() == MatchFailure::ShipmentCancelled {
                    books.open_again(&e.match_id);
                }
            }
            _ => {}
        }
    }
    found
}

/// What the buyer accepted stands in the hand-over of the shipment.
fn handed_over(found: &mut Found, facts: &Facts, fact: &Fact, event: &MatchDelivered) {
    let cause = facts.cause(fact).map(|cause| &cause.event);
    let Some(AnyEvent::Logistics(LogisticsEvent::CustodyTransferred(over))) = cause else {
        let detail = format!("delivered at {} without a hand-over", fact.at);
        return found.violated(format!("match/{}", event.match_id), detail);
    };
    let line = over.lines.iter().find(|l| l.line_id == event.match_id);
    let accepted = line.map_or(0, |line| line.accepted_units);
    if over.shipment_id != event.shipment_id || accepted != event.accepted_units {
        let detail = format!(
            "{} units were accepted at {}, by the hand-over of shipment {} it was {accepted}",
            event.accepted_units, fact.at, over.shipment_id
        );
        found.violated(format!("match/{}", event.match_id), detail);
    }
}

impl<'a> Books<'a> {
    fn propose(&mut self, found: &mut Found, at: Source, event: &'a MatchProposed) {
        found.facts += 1;
        let units = i128::from(event.quantity_units);
        let open = self.listings.entry(&event.listing_id).or_default();
        if units <= 0 || units > *open {
            let detail = format!("{units} units are proposed at {at}, {open} were open");
            found.violated(format!("listing/{}", event.listing_id), detail);
        }
        *open -= units.min(*open);
        let (_, round, open) = self.demands.entry(&event.demand_id).or_default();
        if *round != event.demand_round || units > *open {
            let detail = format!("{units} units are proposed at {at}, {open} were wanted");
            found.violated(format!("bulk-demand/{}", event.demand_id), detail);
        }
        *open -= units.min(*open);
        let trade = Trade {
            event,
            stands: Stands::Proposed,
        };
        if self.matches.insert(&event.match_id, trade).is_some() {
            found.violated(
                format!("match/{}", event.match_id),
                format!("proposed again at {at}"),
            );
        }
    }

    fn go(&mut self, found: &mut Found, at: Source, match_id: &str, from: Stands, to: Stands) {
        found.facts += 1;
        let trade = self.matches.get_mut(match_id);
        match trade {
            Some(trade) if trade.stands == from => trade.stands = to,
            _ => {
                let detail = format!("what happened at {at} does not follow from what was before");
                found.violated(format!("match/{match_id}"), detail);
            }
        }
    }

    fn give_back(&mut self, found: &mut Found, at: Source, match_id: &str) {
        self.go(found, at, match_id, Stands::Proposed, Stands::Over);
        self.open_again(match_id);
    }

    fn open_again(&mut self, match_id: &str) {
        let Some(trade) = self.matches.get(match_id) else {
            return;
        };
        let units = i128::from(trade.event.quantity_units);
        // What is over is not in the books any more.
        if let Some(open) = self.listings.get_mut(&*trade.event.listing_id) {
            *open += units;
        }
        if let Some((_, round, open)) = self.demands.get_mut(&*trade.event.demand_id)
            && *round == trade.event.demand_round
        {
            *open += units;
        }
    }

    /// All that is open of a listing goes with it.
    fn end(&mut self, found: &mut Found, at: Source, listing_id: &str, units: i64) {
        found.facts += 1;
        match self.listings.remove(listing_id) {
            Some(open) if open == i128::from(units) => {}
            open => {
                let open = open.unwrap_or_default();
                let detail = format!("{units} units went with it at {at}, {open} were open");
                found.violated(format!("listing/{listing_id}"), detail);
            }
        }
    }
}
