//! The end of a run: its entrances disinfected (S19), what could not be
//! delivered brought back to the checkpoint.

use decider::Context;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ExceptionCode, RunState},
};

use crate::{
    Rejection,
    command::{CompleteRun, DisinfectEntrance},
    door::Entrance,
    doorstep,
    run::{Run, StopState},
    state::{Moment, State},
};

/// Attempts after which a parcel goes back to the store.
pub const ATTEMPTS_MAX: i32 = 3;

pub(crate) fn disinfect_entrance(
    state: &State,
    command: &DisinfectEntrance,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let run = state.run_in(&context.area, &command.run_id)?;
    let entrance = find_entrance(run, command)?;
    if run.disinfected.contains(&entrance) {
        return Ok(vec![]);
    }
    if run.state != RunState::Started {
        return Err(Rejection::RunNotStarted {
            run_id: run.run_id.clone(),
            state: run.state,
        });
    }
    let open: Vec<String> = run
        .stops
        .iter()
        .filter(|s| s.state.is_open() && s.is_at(&entrance))
        .map(|s| String::from(&s.order_id))
        .collect();
    if !open.is_empty() {
        return Err(Rejection::EntranceOpen {
            run_id: run.run_id.clone(),
            entrance: entrance.to_string(),
            order_ids: open,
        });
    }
    Ok(vec![
        pb::EntranceDisinfected {
            run_id: run.run_id.clone(),
            community: entrance.community,
            grid: entrance.grid,
            building: entrance.building,
            entrance: entrance.entrance,
            agent: command.agent.clone(),
            done_by: command.done_by.clone(),
        }
        .into(),
    ])
}

fn find_entrance(run: &Run, command: &DisinfectEntrance) -> Result<Entrance, Rejection> {
    let doors = run.stops.iter().filter_map(|s| s.door.as_deref());
    doors
        .map(Entrance::of)
        .find(|e| {
            e.grid == command.grid
                && e.building == command.building
                && e.entrance == command.entrance
        })
        .ok_or_else(|| Rejection::EntranceUnknown {
            run_id: run.run_id.clone(),
            entrance: format!("{}/{}/{}", command.grid, command.building, command.entrance),
        })
}

pub(crate) fn complete(
    state: &State,
    command: &CompleteRun,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let run = state.run_in(&context.area, &command.run_id)?;
    match run.state {
        RunState::Started => {}
        RunState::Completed => return Ok(vec![]),
        state => {
            return Err(Rejection::RunNotStarted {
                run_id: run.run_id.clone(),
                state,
            });
        }
    }
    let open = run.stops.iter().filter(|s| s.state.is_open());
    let open: Vec<String> = open.map(|s| String::from(&s.order_id)).collect();
    if !open.is_empty() {
        return Err(Rejection::StopsOpen {
            run_id: run.run_id.clone(),
            order_ids: open,
        });
    }
    let entrances = run.undisinfected_entrances();
    if !entrances.is_empty() {
        return Err(Rejection::EntrancesNotDisinfected {
            run_id: run.run_id.clone(),
            entrances,
        });
    }
    let mut events = vec![];
    let (mut delivered, mut failed) = (0_i32, 0_i32);
    for stop in &run.stops {
        if let StopState::Failed(reason) = stop.state {
            failed = failed.saturating_add(1);
            bring_back(state, run, &stop.order_id, reason, &mut events);
        } else {
            delivered = delivered.saturating_add(1);
        }
    }
    events.push(
        pb::RunCompleted {
            run_id: run.run_id.clone(),
            member_id: run.member_id.clone(),
            delivered_stops: delivered,
            failed_stops: failed,
        }
        .into(),
    );
    Ok(events)
}

/// At the checkpoint again, and from there another attempt or the store.
fn bring_back(
    state: &State,
    run: &Run,
    order_id: &str,
    reason: ExceptionCode,
    events: &mut Vec<LogisticsEvent>,
) {
    let Some(parcel) = state.parcels.get(order_id) else {
        return;
    };
    events.push(
        pb::ParcelHeld {
            order_id: order_id.to_owned(),
            checkpoint_id: run.checkpoint_id.clone(),
            member_id: run.member_id.clone(),
        }
        .into(),
    );
    // Another attempt would meet the same refusal, or the same wrong area.
    let hopeless = matches!(reason, ExceptionCode::Refused | ExceptionCode::OutOfArea);
    if parcel.attempts < ATTEMPTS_MAX && !hopeless {
        events.push(doorstep::rescheduled_event(parcel).into());
    } else {
        events.push(
            pb::ParcelReturned {
                order_id: order_id.to_owned(),
                reason: reason.into(),
            }
            .into(),
        );
    }
}

pub(crate) fn entrance_disinfected(
    state: &mut State,
    moment: &Moment<'_>,
    event: &pb::EntranceDisinfected,
) {
    state.change_run(&event.run_id, |run| {
        run.revision = moment.revision;
        run.disinfected.insert(Entrance {
            community: event.community.clone(),
            grid: event.grid.clone(),
            building: event.building.clone(),
            entrance: event.entrance.clone(),
        });
    });
}

pub(crate) fn completed(state: &mut State, moment: &Moment<'_>, event: &pb::RunCompleted) {
    let mut counts = false;
    state.change_run(&event.run_id, |run| {
        if run.state == RunState::Started {
            counts = true;
            run.state = RunState::Completed;
            run.ended_at = Some(moment.at);
            run.revision = moment.revision;
        }
    });
    if counts && let Some(member) = state.members.get_mut(&event.member_id) {
        member.completed_runs = member.completed_runs.saturating_add(1);
    }
}
