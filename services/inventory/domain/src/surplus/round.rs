//! Matching in an area: opened and closed by its dispatcher, and in between a
//! round whenever something changed, so that what was refused is proposed to
//! the next. A round is made in `proposing`.

use decider::{Area, Context, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{MatchingClosed, MatchingOpened, MatchingRoundHeld},
};
use serde::{Deserialize, Serialize};

use super::{Deadline, Surplus, command::OpenMatching, misfit, timers};
use crate::{
    rejection::Rejection,
    state::{Fact, Misfit, State},
};

/// In which both sides are to answer, where the area says nothing else.
pub const ANSWER_MINUTES: i32 = 60;
/// For which a confirmed match waits for others to the same buyer.
pub const LOAD_WAIT_MINUTES: i32 = 15;
/// What changes within a minute is matched together.
const ROUND_DELAY_MINUTES: i64 = 1;
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matching {
    pub open: bool,
    pub answer_minutes: i32,
    pub load_wait_minutes: i32,
    /// Held so far.
    pub rounds: i64,
    /// Proposed since the last round was held.
    pub(crate) in_round: i64,
    /// When the next round is due, because something changed.
    pub next_round: Option<Timestamp>,
}

impl Matching {
    pub(crate) fn deadline(&self, area: &Area) -> Option<(Timestamp, Deadline)> {
        let at = self.next_round?;
        Some((at, Deadline::Round(area.clone())))
    }
}

pub(crate) fn open(
    state: &State,
    wanted: &OpenMatching,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let same = state.surplus.matching(&context.area).is_some_and(|known| {
        known.open
            && known.answer_minutes == wanted.answer_minutes
            && known.load_wait_minutes == wanted.load_wait_minutes
    });
    if same {
        return Ok(Vec::new());
    }
    Ok(vec![
        MatchingOpened {
            area: context.area.to_string(),
            answer_minutes: wanted.answer_minutes,
            load_wait_minutes: wanted.load_wait_minutes,
        }
        .into(),
    ])
}

pub(crate) fn close(state: &State, context: &Context) -> Result<Vec<InventoryEvent>, Rejection> {
    let known = state.surplus.matching(&context.area);
    if known.is_none_or(|known| !known.open) {
        return Ok(Vec::new());
    }
    Ok(vec![
        MatchingClosed {
            area: context.area.to_string(),
        }
        .into(),
    ])
}

pub(crate) fn opened(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchingOpened,
) -> Result<(), Misfit> {
    if fact.area.as_str() != event.area {
        return Err(misfit(
            fact,
            "it is about another area than it was recorded for",
        ));
    }
    change(surplus, fact, |matching| {
        matching.open = true;
        matching.answer_minutes = event.answer_minutes;
        matching.load_wait_minutes = event.load_wait_minutes;
        matching.next_round = Some(fact.at);
    });
    Ok(())
}

pub(crate) fn closed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchingClosed,
) -> Result<(), Misfit> {
    if fact.area.as_str() != event.area {
        return Err(misfit(
            fact,
            "it is about another area than it was recorded for",
        ));
    }
    change(surplus, fact, |matching| {
        matching.open = false;
        matching.next_round = None;
    });
    Ok(())
}

pub(crate) fn held(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchingRoundHeld,
) -> Result<(), Misfit> {
    if fact.area.as_str() != event.area {
        return Err(misfit(
            fact,
            "it is about another area than it was recorded for",
        ));
    }
    change(surplus, fact, |matching| {
        matching.rounds = event.round;
        matching.in_round = 0;
        matching.next_round = None;
    });
    Ok(())
}

fn change(surplus: &mut Surplus, fact: &Fact<'_>, change: impl FnOnce(&mut Matching)) {
    let matching = surplus.matchings.entry(fact.area.clone()).or_default();
    let before = matching.deadline(fact.area);
    change(matching);
    let after = matching.deadline(fact.area);
    timers::replace(&mut surplus.deadlines, before, after);
}

impl Surplus {
    /// Something may be possible now that was not: to be looked at soon.
    pub(crate) fn something_changed(&mut self, fact: &Fact<'_>) {
        let open = self.open.get(fact.area);
        let possible = open.is_some_and(|o| !o.listings.is_empty() && !o.demands.is_empty());
        let known = self.matchings.get(fact.area);
        if possible && known.is_some_and(|m| m.open && m.next_round.is_none()) {
            change(self, fact, |matching| {
                matching.next_round = Some(fact.at.plus_minutes(ROUND_DELAY_MINUTES));
            });
        }
    }
}
