//! What happens by itself: a planned run that its member can no longer start,
//! because the shift is over or the member is absent, is cancelled, so that
//! its parcels can be planned anew. The trunk leg has timers of its own.

use decider::{Due, Timestamp};

use crate::{
    command::{CancelRun, Command},
    freight,
    state::State,
};

/// Commands of each kind given out at once.
const DUE_MAX: usize = 64;

pub(crate) fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
    let mut due = runs_due(state, now);
    due.extend(freight::due(&state.freight, now, DUE_MAX));
    due.sort_by_key(|due| due.at);
    due
}

fn runs_due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
    state
        .deadlines
        .iter()
        .take_while(|(at, _)| *at <= now)
        .take(DUE_MAX)
        .filter_map(|(at, run_id)| {
            let run = state.runs.get(run_id)?;
            let (_, reason) = run.deadline?;
            Some(Due {
                area: run.area.clone(),
                at: *at,
                command: CancelRun {
                    run_id: run_id.clone(),
                    reason,
                }
                .into(),
            })
        })
        .collect()
}

pub(crate) fn next_due(state: &State) -> Option<Timestamp> {
    let run = state.deadlines.first().map(|(at, _)| *at);
    run.into_iter()
        .chain(freight::next_due(&state.freight))
        .min()
}
