//! `PlanRuns`: the parcels that wait at a checkpoint and the members on shift
//! there, put before `planning`, and what comes out made into runs.

use std::collections::BTreeSet;

use decider::Context;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ParcelState, RunState},
};

use crate::{
    Rejection,
    command::{PlanRuns, RunCancelReason},
    planning::{self, Item, Limits, Porter},
    run::{Run, RunStop, StopState},
    state::{Moment, State},
    units::Grams,
};

/// Plans over the members on shift; what one command leaves is planned by the
/// next.
pub(crate) fn plan(
    state: &State,
    command: &PlanRuns,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let checkpoint = state.checkpoint_in(&context.area, &command.checkpoint_id)?;
    let ready = ParcelState::Disinfected;
    let Some(ready) = state
        .shelves
        .get(&context.area, &checkpoint.checkpoint_id, ready)
    else {
        return Ok(vec![]);
    };
    let team: Vec<_> = checkpoint
        .team
        .iter()
        .filter_map(|member_id| state.members.get(member_id))
        .filter_map(|m| Some((m, m.delivering_at(context.now, &checkpoint.checkpoint_id)?)))
        .collect();
    if team.is_empty() {
        return Err(Rejection::NobodyOnShift {
            checkpoint_id: command.checkpoint_id.clone(),
            parcels: ready.len(),
        });
    }
    let porters: Vec<Porter<'_>> = team
        .iter()
        .map(|(member, shift)| Porter {
            member_id: &member.member_id,
            capacity: member.capacity,
            load: shift.load,
        })
        .collect();
    let items = ready
        .iter()
        .filter_map(|key| state.parcels.get(key.order_id.as_str()))
        .map(|parcel| Item {
            order_id: &parcel.order_id,
            door: &parcel.door,
            weight: parcel.weight(),
        });
    let trips = planning::plan(items, &porters, Limits::STANDARD);
    let mut numbers: Vec<i32> = team.iter().map(|(_, shift)| shift.trips).collect();
    let events = trips.into_iter().zip(0_u16..).map(|(trip, n)| {
        let (member, shift) = team[trip.porter];
        numbers[trip.porter] = numbers[trip.porter].saturating_add(1);
        LogisticsEvent::from(pb::RunPlanned {
            run_id: context.new_id(n),
            checkpoint_id: command.checkpoint_id.clone(),
            member_id: member.member_id.clone(),
            shift_id: shift.shift_id.clone(),
            stops: trip
                .items
                .iter()
                .map(|item| pb::Stop {
                    order_id: item.order_id.to_owned(),
                    door: Some(item.door.clone()),
                    weight_grams: item.weight.0,
                })
                .collect(),
            weight_grams: trip.weight.0,
            trip: numbers[trip.porter],
        })
    });
    Ok(events.collect())
}

pub(crate) fn planned(state: &mut State, moment: &Moment<'_>, event: &pb::RunPlanned) {
    if state.runs.contains_key(&event.run_id) {
        return;
    }
    let stops = event.stops.iter().map(|stop| {
        let parcel = state.parcels.get(stop.order_id.as_str());
        RunStop {
            order_id: parcel.map_or_else(|| (&*stop.order_id).into(), |p| p.order_id.clone()),
            door: stop.door.as_ref().map(|door| state.doors.get(door)),
            weight: Grams(stop.weight_grams),
            state: StopState::Open,
        }
    });
    let stops: Vec<RunStop> = stops.collect();
    state.add_run(Run {
        run_id: event.run_id.clone(),
        area: moment.area.clone(),
        checkpoint_id: event.checkpoint_id.clone(),
        member_id: event.member_id.clone(),
        shift_id: event.shift_id.clone(),
        trip: event.trip,
        stops,
        weight: Grams(event.weight_grams),
        state: RunState::Planned,
        disinfected: BTreeSet::new(),
        planned_at: moment.at,
        started_at: None,
        ended_at: None,
        revision: moment.revision,
        deadline: None,
    });
    if let Some(member) = state.members.get_mut(&event.member_id) {
        member.planned.insert(event.run_id.clone());
        if let Some(shift) = member.shift_mut(&event.shift_id) {
            shift.load = shift.load.plus(Grams(event.weight_grams));
            shift.trips = event.trip;
            let deadline = (shift.ends, RunCancelReason::ShiftEnded);
            state.set_deadline(&event.run_id, Some(deadline));
        }
    }
    let run_id = state.names.get(&event.run_id);
    for stop in &event.stops {
        state.change_parcel(&stop.order_id, moment.at, |parcel, _| {
            if matches!(
                parcel.state,
                ParcelState::Received | ParcelState::Disinfected | ParcelState::Held
            ) {
                parcel.state = ParcelState::Planned;
                parcel.run_id.clone_from(&run_id);
            }
        });
    }
}
