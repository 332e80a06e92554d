//! Checkpoints: where goods come into an area's custody before the last leg.

use std::collections::BTreeSet;

use decider::{Area, Context, Revision, Timestamp};
use proto::{LogisticsEvent, logistics::v1 as pb};

use crate::{
    Rejection,
    command::RegisterCheckpoint,
    state::{Moment, State},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checkpoint {
    pub checkpoint_id: String,
    pub area: Area,
    pub name: String,
    /// Communities that it serves.
    pub communities: Vec<String>,
    pub registered: Timestamp,
    pub revision: Revision,
    /// Members who ever had a shift here.
    pub(crate) team: BTreeSet<String>,
}

pub(crate) fn register(
    state: &State,
    command: &RegisterCheckpoint,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    if let Some(known) = state.checkpoints.get(&command.checkpoint_id) {
        let same = known.area == context.area
            && known.name == command.name
            && known.communities == command.communities;
        return if same {
            Ok(vec![])
        } else {
            Err(Rejection::CheckpointExists {
                checkpoint_id: command.checkpoint_id.clone(),
            })
        };
    }
    Ok(vec![
        pb::CheckpointRegistered {
            checkpoint_id: command.checkpoint_id.clone(),
            name: command.name.clone(),
            communities: command.communities.clone(),
        }
        .into(),
    ])
}

pub(crate) fn registered(state: &mut State, moment: &Moment<'_>, event: &pb::CheckpointRegistered) {
    if state.checkpoints.contains_key(&event.checkpoint_id) {
        return;
    }
    state.checkpoints.insert(
        event.checkpoint_id.clone(),
        Checkpoint {
            checkpoint_id: event.checkpoint_id.clone(),
            area: moment.area.clone(),
            name: event.name.clone(),
            communities: event.communities.clone(),
            registered: moment.at,
            revision: moment.revision,
            team: BTreeSet::new(),
        },
    );
}
