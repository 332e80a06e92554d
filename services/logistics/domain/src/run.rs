//! Runs: one member's trip from the checkpoint to a list of doors and back
//! (S17, S19). What happens at each door is in `doorstep`.

use std::{collections::BTreeSet, sync::Arc};

use decider::{Area, Context, Invariant, Name, Revision, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ExceptionCode, ParcelState, RunState},
    types::v1::Door,
};
use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    command::{CancelRun, RunCancelReason, StartRun},
    custody,
    door::Entrance,
    parcel::Parcel,
    state::{Moment, State},
    units::Grams,
};

/// How a stop stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopState {
    Open,
    Placed,
    /// Placed, and the member has left.
    Delivered,
    Failed(ExceptionCode),
}

impl StopState {
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Placed)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStop {
    pub order_id: Name,
    /// None where the event named none.
    pub door: Option<Arc<Door>>,
    pub weight: Grams,
    pub state: StopState,
}

impl RunStop {
    /// As the API shows it.
    #[must_use]
    pub fn to_message(&self) -> pb::Stop {
        pb::Stop {
            order_id: String::from(&self.order_id),
            door: self.door.as_deref().cloned(),
            weight_grams: self.weight.0,
        }
    }

    /// Where it is; none where the event named no door.
    pub(crate) fn is_at(&self, entrance: &Entrance) -> bool {
        self.door.as_ref().is_some_and(|d| entrance.has(d))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    pub run_id: String,
    pub area: Area,
    pub checkpoint_id: String,
    pub member_id: String,
    pub shift_id: String,
    /// Number of the member's trip in the shift, from 1.
    pub trip: i32,
    /// In the order of the doors, without parcels withdrawn before the start.
    pub stops: Vec<RunStop>,
    pub weight: Grams,
    pub state: RunState,
    /// Entrances disinfected after their last door.
    pub disinfected: BTreeSet<Entrance>,
    pub planned_at: Timestamp,
    pub started_at: Option<Timestamp>,
    /// Completed or cancelled.
    pub ended_at: Option<Timestamp>,
    pub revision: Revision,
    /// While planned: when it is cancelled unless it starts, and why.
    pub(crate) deadline: Option<(Timestamp, RunCancelReason)>,
}

impl Run {
    /// Entrances where something was delivered and that were not disinfected
    /// since: what completing the run waits for.
    #[must_use]
    pub fn undisinfected_entrances(&self) -> Vec<Entrance> {
        let mut entrances: Vec<Entrance> = vec![];
        for stop in &self.stops {
            let Some(door) = &stop.door else {
                continue;
            };
            let entrance = Entrance::of(door);
            if stop.state == StopState::Delivered
                && !self.disinfected.contains(&entrance)
                && !entrances.contains(&entrance)
            {
                entrances.push(entrance);
            }
        }
        entrances
    }

    pub(crate) fn stop(&self, order_id: &str) -> Option<&RunStop> {
        self.stops.iter().find(|s| s.order_id == *order_id)
    }

    fn weigh(&mut self) -> Grams {
        let before = self.weight;
        let stops = self.stops.iter();
        self.weight = stops.map(|s| s.weight.max(Grams::ZERO)).sum();
        before
    }
}

pub(crate) fn start(
    state: &State,
    command: &StartRun,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let run = state.run_in(&context.area, &command.run_id)?;
    match run.state {
        RunState::Planned => {}
        RunState::Started => return Ok(vec![]),
        state => {
            return Err(Rejection::RunNotPlanned {
                run_id: run.run_id.clone(),
                state,
            });
        }
    }
    let on_shift = state.members.get(&run.member_id).is_some_and(|member| {
        member
            .delivering_at(context.now, &run.checkpoint_id)
            .is_some()
    });
    if !on_shift {
        return Err(Rejection::NotOnShift {
            run_id: run.run_id.clone(),
            member_id: run.member_id.clone(),
            checkpoint_id: run.checkpoint_id.clone(),
        });
    }
    let mut order_ids = vec![];
    for stop in &run.stops {
        let parcel = state.parcels.get(stop.order_id.as_str());
        let Some(parcel) = parcel.filter(|p| is_planned_on(p, run)) else {
            continue;
        };
        if !parcel.disinfected {
            return Err(Rejection::NotDisinfected {
                run_id: run.run_id.clone(),
                order_id: (&parcel.order_id).into(),
            });
        }
        order_ids.push(String::from(&parcel.order_id));
    }
    if order_ids.is_empty() {
        return Err(Rejection::RunEmpty {
            run_id: run.run_id.clone(),
        });
    }
    Ok(vec![
        pb::RunStarted {
            run_id: run.run_id.clone(),
            checkpoint_id: run.checkpoint_id.clone(),
            member_id: run.member_id.clone(),
            order_ids,
        }
        .into(),
    ])
}

fn is_planned_on(parcel: &Parcel, run: &Run) -> bool {
    parcel.state == ParcelState::Planned && parcel.run_id == run.run_id
}

/// A run that meanwhile started or ended needs no cancelling.
pub(crate) fn cancel(
    state: &State,
    command: &CancelRun,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let run = state.run_in(&context.area, &command.run_id)?;
    if run.state != RunState::Planned {
        return Ok(vec![]);
    }
    Ok(vec![cancelled_event(run, command.reason).into()])
}

pub(crate) fn cancelled_event(run: &Run, reason: RunCancelReason) -> pb::RunCancelled {
    pb::RunCancelled {
        run_id: run.run_id.clone(),
        member_id: run.member_id.clone(),
        order_ids: run.stops.iter().map(|s| (&s.order_id).into()).collect(),
        reason: reason.name().into(),
    }
}

pub(crate) fn cancelled(state: &mut State, moment: &Moment<'_>, event: &pb::RunCancelled) {
    let planned = |run: &&Run| run.state == RunState::Planned;
    let Some(run) = state.runs.get(&event.run_id).filter(planned) else {
        return;
    };
    let weight = run.weight;
    leave_plan(state, &event.run_id, weight, Grams::ZERO);
    release(state, moment, &event.run_id, &BTreeSet::new());
    state.change_run(&event.run_id, |run| {
        run.state = RunState::Cancelled;
        run.ended_at = Some(moment.at);
        run.revision = moment.revision;
    });
}

pub(crate) fn started(state: &mut State, moment: &Moment<'_>, event: &pb::RunStarted) {
    let taken: BTreeSet<&str> = event.order_ids.iter().map(String::as_str).collect();
    let known = state.runs.get(&event.run_id);
    if known.is_some_and(|run| run.state == RunState::Planned) {
        release(state, moment, &event.run_id, &taken);
        let mut weights = (Grams::ZERO, Grams::ZERO);
        state.change_run(&event.run_id, |run| {
            run.stops.retain(|s| taken.contains(s.order_id.as_str()));
            weights = (run.weigh(), run.weight);
            run.state = RunState::Started;
            run.started_at = Some(moment.at);
            run.revision = moment.revision;
        });
        leave_plan(state, &event.run_id, weights.0, weights.1);
        if let Some(member) = state.members.get_mut(&event.member_id) {
            member.carried = member.carried.plus(weights.1);
        }
    }
    let from = custody::checkpoint(&event.checkpoint_id);
    let run_id = state.names.get(&event.run_id);
    for order_id in &event.order_ids {
        state.change_parcel(order_id, moment.at, |parcel, faults| {
            if !parcel.disinfected {
                let detail = format!(
                    "it left the checkpoint undisinfected on run {}",
                    event.run_id
                );
                faults.of_parcel(Invariant::DisinfectedBeforeLeaving, order_id, detail);
            }
            parcel.hand_over(&from, custody::member(&event.member_id), faults);
            parcel.state = ParcelState::OutForDelivery;
            parcel.run_id.clone_from(&run_id);
            parcel.attempts = parcel.attempts.saturating_add(1);
            parcel.failure = None;
        });
    }
}

/// Parcels of a planned run that it does not take can be planned again.
fn release(state: &mut State, moment: &Moment<'_>, run_id: &str, taken: &BTreeSet<&str>) {
    let Some(run) = state.runs.get(run_id) else {
        return;
    };
    let planned: Vec<Name> = run
        .stops
        .iter()
        .map(|s| s.order_id.clone())
        .filter(|id| !taken.contains(id.as_str()) && state.parcels.find(id).is_some())
        .collect();
    for order_id in planned {
        state.change_parcel(&order_id, moment.at, |parcel, _| {
            if parcel.state == ParcelState::Planned && parcel.run_id == *run_id {
                parcel.state = parcel.waiting_state();
                parcel.run_id = Name::default();
            }
        });
    }
}

/// The run is no longer one that may start: no deadline, and the shift's load
/// becomes what is really carried.
fn leave_plan(state: &mut State, run_id: &str, planned: Grams, carried: Grams) {
    state.set_deadline(run_id, None);
    let Some(run) = state.runs.get(run_id) else {
        return;
    };
    if let Some(member) = state.members.get_mut(&run.member_id) {
        member.planned.remove(run_id);
        if let Some(shift) = member.shift_mut(&run.shift_id) {
            shift.load = shift.load.minus(planned).plus(carried);
        }
    }
}

/// A parcel that goes back to the store leaves the run on which it is planned.
pub(crate) fn take_off(state: &mut State, order_id: &str) {
    let Some(parcel) = state.parcels.get(order_id) else {
        return;
    };
    if parcel.state != ParcelState::Planned {
        return;
    }
    let run_id = String::from(&parcel.run_id);
    let mut weights = None;
    state.change_run(&run_id, |run| {
        if run.state == RunState::Planned {
            run.stops.retain(|s| s.order_id != *order_id);
            weights = Some((run.weigh(), run.weight));
        }
    });
    let Some((before, after)) = weights else {
        return;
    };
    let Some(run) = state.runs.get(&run_id) else {
        return;
    };
    if let Some(member) = state.members.get_mut(&run.member_id)
        && let Some(shift) = member.shift_mut(&run.shift_id)
    {
        shift.load = shift.load.minus(before).plus(after);
    }
}
