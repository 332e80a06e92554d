//! What happens by itself: a listing's time is over, a demand's window is over,
//! a proposal was not answered, a round is due.

use std::collections::BTreeSet;

use decider::{Area, Due, Timestamp};
use proto::inventory::v1::{BulkDemandState, ListingState, MatchState};

use super::{BulkDemand, Listing, Match, Surplus};
use crate::command::Command;

/// At one moment proposals end before what they are made of, and a round comes
/// after all that may have changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    Match(String),
    Listing(String),
    Demand(String),
    Round(Area),
}

type Timed = (Timestamp, Deadline);

/// At most `limit`, the earliest first.
pub(crate) fn due(surplus: &Surplus, now: Timestamp, limit: usize) -> Vec<Due<Command>> {
    let over = surplus.deadlines.iter().take_while(|(at, _)| *at <= now);
    let due = over.take(limit).filter_map(|(at, deadline)| {
        let (area, command) = match deadline {
            Deadline::Match(id) => (
                &surplus.matches.get(id)?.area,
                Command::ExpireMatch(id.clone()),
            ),
            Deadline::Listing(id) => (
                &surplus.listings.get(id)?.area,
                Command::ExpireSurplus(id.clone()),
            ),
            Deadline::Demand(id) => (
                &surplus.demands.get(id)?.area,
                Command::EndDemandWindow(id.clone()),
            ),
            Deadline::Round(area) => (area, Command::HoldRound),
        };
        Some(Due {
            area: area.clone(),
            at: *at,
            command,
        })
    });
    due.collect()
}

pub(crate) fn next_due(surplus: &Surplus) -> Option<Timestamp> {
    surplus.deadlines.first().map(|(at, _)| *at)
}

pub(crate) fn replace(
    deadlines: &mut BTreeSet<Timed>,
    before: Option<Timed>,
    after: Option<Timed>,
) {
    if before != after {
        before.map(|before| deadlines.remove(&before));
        deadlines.extend(after);
    }
}

impl Listing {
    pub(crate) fn deadline(&self) -> Option<Timed> {
        let open = self.state == ListingState::Open;
        open.then(|| (self.to, Deadline::Listing(self.listing_id.clone())))
    }
}

impl BulkDemand {
    pub(crate) fn deadline(&self) -> Option<Timed> {
        let open = self.state == BulkDemandState::Open;
        open.then(|| (self.to, Deadline::Demand(self.demand_id.clone())))
    }
}

impl Match {
    pub(crate) fn deadline(&self) -> Option<Timed> {
        let open = self.state == MatchState::Proposed;
        open.then(|| (self.answer_by, Deadline::Match(self.match_id.clone())))
    }
}
