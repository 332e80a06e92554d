//! INV-12: while a contingency is active every household of the area is either
//! served, by the deliveries in the log, or in the order service's list of
//! missed doors, which gives each a reason.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Area, Invariant, Timestamp};
use order_domain::State;
use proto::{OrderEvent as E, time::from_proto};

use super::Found;
use crate::facts::Facts;

/// What the events of one area say.
#[derive(Default)]
struct Tally<'f> {
    /// Since when the contingency is active.
    active: Option<Timestamp>,
    households: BTreeSet<&'f str>,
    /// Household and time of each delivery.
    deliveries: Vec<(&'f str, Timestamp)>,
}

pub(crate) fn check<'s>(facts: &Facts, states: impl Iterator<Item = &'s State>) -> Found {
    let mut found = Found::new(Invariant::ServedOrListed);
    let tallies = tally(facts);
    let states: Vec<&State> = states.collect();
    for (area, tally) in &tallies {
        let Some(since) = tally.active else { continue };
        found.facts += tally.households.len() as u64;
        let served: BTreeSet<&str> = tally
            .deliveries
            .iter()
            .filter(|(_, at)| *at >= since)
            .map(|(household, _)| *household)
            .collect();
        let state = states
            .iter()
            .find(|s| s.contingency(area).is_some() || s.household_count(area) > 0);
        let Some(state) = state else {
            found.violated(
                format!("area/{area}"),
                "the order service's state has no such area",
            );
            continue;
        };
        compare(area, tally, &served, state, &mut found);
    }
    found
}

fn tally<'f>(facts: &'f Facts) -> BTreeMap<&'f Area, Tally<'f>> {
    let mut tallies = BTreeMap::<&Area, Tally<'_>>::new();
    let mut household_of = BTreeMap::<&str, &str>::new();
    for (fact, event) in facts.order() {
        let tally = tallies.entry(&fact.record.area).or_default();
        match event {
            E::ContingencyActivated(_) => {
                tally.active.get_or_insert(fact.record.occurred);
            }
            E::ContingencyEnded(_) => tally.active = None,
            E::HouseholdRegistered(e) => {
                tally.households.insert(&e.household_id);
            }
            E::OrderPlaced(e) => {
                household_of.insert(&e.order_id, &e.household_id);
            }
            E::OrderDelivered(e) => {
                let at = e.delivered_time.as_ref().map(from_proto);
                if let Some(household) = household_of.get(e.order_id.as_str()) {
                    let at = at.unwrap_or(fact.record.occurred);
                    tally.deliveries.push((household, at));
                }
            }
            _ => {}
        }
    }
    tallies
}

fn compare(
    area: &Area,
    tally: &Tally<'_>,
    served: &BTreeSet<&str>,
    state: &State,
    found: &mut Found,
) {
    let missed: Vec<_> = state.missed(area, None).collect();
    let missed: BTreeSet<&str> = missed.iter().map(|m| m.household_id.as_str()).collect();
    for household in &tally.households {
        let detail = match (served.contains(household), missed.contains(household)) {
            (true, false) | (false, true) => continue,
            (false, false) => "in need, neither served nor in the list of missed doors",
            (true, true) => "served by the log, and in the list of missed doors",
        };
        found.violated(format!("household/{household}"), detail);
    }
    let total = state.coverage(area).total;
    let known = tally.households.len() as u64;
    let in_log = tally
        .households
        .iter()
        .filter(|h| served.contains(*h))
        .count() as u64;
    if (total.in_need_households, total.served_households) != (known, in_log) {
        let detail = format!(
            "coverage counts {} served of {} in need, the log {in_log} of {known}",
            total.served_households, total.in_need_households
        );
        found.violated(format!("area/{area}"), detail);
    }
}
