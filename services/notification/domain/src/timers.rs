//! What happens by itself: nobody gave a receipt, nobody made the call.

use decider::{Due, Timestamp};

use crate::{command::Command, state::State};

/// At most so many at once.
const DUE_MAX: usize = 64;

/// Each command moves its notification up, which takes its timer away.
pub(crate) fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
    state
        .climbs()
        .take_while(|(at, _)| *at <= now)
        .filter_map(|(at, id)| {
            let notification = state.notification(id)?;
            Some(Due {
                area: notification.area.clone(),
                at,
                command: Command::ClimbLadder {
                    notification_id: id.to_owned(),
                },
            })
        })
        .take(DUE_MAX)
        .collect()
}

pub(crate) fn next_due(state: &State) -> Option<Timestamp> {
    state.climbs().next().map(|(at, _)| at)
}
