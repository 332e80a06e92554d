//! The doorstep protocol (S18): placed, left, called, collected; or the
//! attempt failed, and the parcel is tried again or returned. The order of
//! these steps is the rule: nobody is called before the member has left.

use decider::{Context, Invariant, Name};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ParcelState, RunState},
};

use crate::{
    Rejection,
    command::{
        FailAttempt, LeaveDoor, PlaceGoods, RecordCalled, RecordCollected, RescheduleDelivery,
        ReturnParcel,
    },
    custody,
    parcel::Parcel,
    run::{Run, RunStop, StopState},
    state::{Moment, State},
};

fn stop<'a>(
    state: &'a State,
    context: &Context,
    run_id: &str,
    order_id: &str,
) -> Result<(&'a Run, &'a RunStop, &'a Parcel), Rejection> {
    let run = state.run_in(&context.area, run_id)?;
    let stop = run.stop(order_id).ok_or_else(|| Rejection::StopUnknown {
        run_id: run_id.to_owned(),
        order_id: order_id.to_owned(),
    })?;
    let parcel = state.parcel_in(&context.area, order_id)?;
    Ok((run, stop, parcel))
}

fn started(run: &Run) -> Result<(), Rejection> {
    if run.state == RunState::Started {
        return Ok(());
    }
    Err(Rejection::RunNotStarted {
        run_id: run.run_id.clone(),
        state: run.state,
    })
}

fn failed(run: &Run, stop: &RunStop, reason: pb::ExceptionCode) -> Rejection {
    Rejection::StopFailed {
        run_id: run.run_id.clone(),
        order_id: (&stop.order_id).into(),
        reason,
    }
}

pub(crate) fn place(
    state: &State,
    command: &PlaceGoods,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let (run, stop, _) = stop(state, context, &command.run_id, &command.order_id)?;
    match stop.state {
        StopState::Open => started(run)?,
        StopState::Placed | StopState::Delivered => return Ok(vec![]),
        StopState::Failed(reason) => return Err(failed(run, stop, reason)),
    }
    Ok(vec![
        pb::GoodsPlaced {
            order_id: command.order_id.clone(),
            run_id: command.run_id.clone(),
            member_id: run.member_id.clone(),
        }
        .into(),
    ])
}

pub(crate) fn leave(
    state: &State,
    command: &LeaveDoor,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let (run, stop, parcel) = stop(state, context, &command.run_id, &command.order_id)?;
    match stop.state {
        StopState::Placed => started(run)?,
        StopState::Delivered => return Ok(vec![]),
        StopState::Failed(reason) => return Err(failed(run, stop, reason)),
        StopState::Open => {
            started(run)?;
            return Err(Rejection::GoodsNotPlaced {
                run_id: command.run_id.clone(),
                order_id: command.order_id.clone(),
            });
        }
    }
    Ok(vec![
        pb::DoorLeft {
            order_id: command.order_id.clone(),
            run_id: command.run_id.clone(),
            member_id: run.member_id.clone(),
            household_id: (&parcel.household_id).into(),
            cadre_id: (&parcel.cadre_id).into(),
            door: Some(parcel.door.as_ref().clone()),
        }
        .into(),
    ])
}

pub(crate) fn fail(
    state: &State,
    command: &FailAttempt,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let (run, stop, _) = stop(state, context, &command.run_id, &command.order_id)?;
    match stop.state {
        StopState::Open => started(run)?,
        StopState::Failed(reason) if reason == command.reason => return Ok(vec![]),
        StopState::Failed(reason) => return Err(failed(run, stop, reason)),
        StopState::Placed | StopState::Delivered => {
            return Err(Rejection::GoodsAlreadyPlaced {
                run_id: command.run_id.clone(),
                order_id: command.order_id.clone(),
            });
        }
    }
    Ok(vec![
        pb::AttemptFailed {
            order_id: command.order_id.clone(),
            run_id: command.run_id.clone(),
            member_id: run.member_id.clone(),
            reason: command.reason.into(),
            note: command.note.clone(),
        }
        .into(),
    ])
}

/// Whether the household may have heard of its goods.
fn left(parcel: &Parcel) -> Result<(), Rejection> {
    match parcel.state {
        ParcelState::Left | ParcelState::Called | ParcelState::Collected => Ok(()),
        state => Err(Rejection::NotLeft {
            order_id: (&parcel.order_id).into(),
            state,
        }),
    }
}

pub(crate) fn call(
    state: &State,
    command: &RecordCalled,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let parcel = state.parcel_in(&context.area, &command.order_id)?;
    left(parcel)?;
    if parcel.state != ParcelState::Left {
        return Ok(vec![]);
    }
    Ok(vec![
        pb::HouseholdCalled {
            order_id: command.order_id.clone(),
            means: command.means.name().into(),
        }
        .into(),
    ])
}

pub(crate) fn collect(
    state: &State,
    command: &RecordCollected,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let parcel = state.parcel_in(&context.area, &command.order_id)?;
    left(parcel)?;
    if parcel.state == ParcelState::Collected {
        return Ok(vec![]);
    }
    let called = RecordCalled {
        order_id: command.order_id.clone(),
        means: command.means,
    };
    let mut events = call(state, &called, context)?;
    events.push(
        pb::DeliveryCollected {
            order_id: command.order_id.clone(),
            evidence: command.means.evidence().into(),
        }
        .into(),
    );
    Ok(events)
}

/// Back at the checkpoint after an attempt, and on no run.
fn back_after_attempt(parcel: &Parcel) -> bool {
    parcel.state == ParcelState::Held
        || (parcel.state == ParcelState::Disinfected && parcel.attempts > 0)
}

fn not_held(parcel: &Parcel) -> Rejection {
    Rejection::NotHeld {
        order_id: (&parcel.order_id).into(),
        state: parcel.state,
    }
}

pub(crate) fn reschedule(
    state: &State,
    command: &RescheduleDelivery,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let parcel = state.parcel_in(&context.area, &command.order_id)?;
    match parcel.state {
        ParcelState::Held => Ok(vec![rescheduled_event(parcel).into()]),
        ParcelState::Disinfected | ParcelState::Planned if parcel.attempts > 0 => Ok(vec![]),
        _ => Err(not_held(parcel)),
    }
}

pub(crate) fn rescheduled_event(parcel: &Parcel) -> pb::DeliveryRescheduled {
    pb::DeliveryRescheduled {
        order_id: (&parcel.order_id).into(),
        attempt: parcel.attempts.saturating_add(1),
    }
}

/// A parcel whose next attempt is not yet planned can still be given back.
pub(crate) fn give_back(
    state: &State,
    command: &ReturnParcel,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let parcel = state.parcel_in(&context.area, &command.order_id)?;
    if parcel.state == ParcelState::Returned {
        return Ok(vec![]);
    }
    if !back_after_attempt(parcel) {
        return Err(not_held(parcel));
    }
    Ok(vec![
        pb::ParcelReturned {
            order_id: command.order_id.clone(),
            reason: command.reason.into(),
        }
        .into(),
    ])
}

/// Gives whether the stop was open before.
fn set_stop(state: &mut State, run_id: &str, order_id: &str, to: StopState) -> bool {
    let mut was_open = false;
    state.change_run(run_id, |run| {
        if let Some(stop) = run.stops.iter_mut().find(|s| s.order_id == *order_id) {
            was_open = stop.state.is_open();
            stop.state = to;
        }
    });
    was_open
}

pub(crate) fn placed(state: &mut State, moment: &Moment<'_>, event: &pb::GoodsPlaced) {
    set_stop(state, &event.run_id, &event.order_id, StopState::Placed);
    state.change_parcel(&event.order_id, moment.at, |parcel, faults| {
        parcel.revision = moment.revision;
        let here = custody::member(&event.member_id);
        parcel.hand_over(&here, here.clone(), faults);
        parcel.state = ParcelState::Placed;
    });
}

pub(crate) fn door_left(state: &mut State, moment: &Moment<'_>, event: &pb::DoorLeft) {
    let delivered = set_stop(state, &event.run_id, &event.order_id, StopState::Delivered);
    if delivered && let Some(member) = state.members.get_mut(&event.member_id) {
        member.delivered_stops = member.delivered_stops.saturating_add(1);
    }
    state.change_parcel(&event.order_id, moment.at, |parcel, faults| {
        parcel.revision = moment.revision;
        if parcel.state != ParcelState::Placed {
            let detail = "the member left the door without having placed the goods";
            faults.of_parcel(
                Invariant::CalledAfterLeaving,
                &event.order_id,
                detail.into(),
            );
        }
        let from = custody::member(&event.member_id);
        parcel.hand_over(&from, custody::household(&event.household_id), faults);
        parcel.state = ParcelState::Left;
    });
}

pub(crate) fn called(state: &mut State, moment: &Moment<'_>, event: &pb::HouseholdCalled) {
    told(state, moment, &event.order_id, ParcelState::Called);
}

pub(crate) fn collected(state: &mut State, moment: &Moment<'_>, event: &pb::DeliveryCollected) {
    told(state, moment, &event.order_id, ParcelState::Collected);
}

fn told(state: &mut State, moment: &Moment<'_>, order_id: &str, to: ParcelState) {
    state.change_parcel(order_id, moment.at, |parcel, faults| {
        parcel.revision = moment.revision;
        match parcel.state {
            ParcelState::Left | ParcelState::Called => parcel.state = to,
            ParcelState::Collected => {}
            _ => faults.of_parcel(
                Invariant::CalledAfterLeaving,
                order_id,
                "the household was called although no member had left its door".into(),
            ),
        }
    });
}

pub(crate) fn attempt_failed(state: &mut State, moment: &Moment<'_>, event: &pb::AttemptFailed) {
    let failed = StopState::Failed(event.reason());
    set_stop(state, &event.run_id, &event.order_id, failed);
    state.change_parcel(&event.order_id, moment.at, |parcel, faults| {
        parcel.revision = moment.revision;
        let here = custody::member(&event.member_id);
        parcel.hand_over(&here, here.clone(), faults);
        parcel.state = ParcelState::AttemptFailed;
        parcel.failure = Some(event.reason());
    });
}

pub(crate) fn held(state: &mut State, moment: &Moment<'_>, event: &pb::ParcelHeld) {
    state.change_parcel(&event.order_id, moment.at, |parcel, faults| {
        parcel.revision = moment.revision;
        let from = custody::member(&event.member_id);
        parcel.hand_over(&from, custody::checkpoint(&event.checkpoint_id), faults);
        parcel.state = ParcelState::Held;
        parcel.run_id = Name::default();
    });
}

pub(crate) fn rescheduled(state: &mut State, moment: &Moment<'_>, event: &pb::DeliveryRescheduled) {
    state.change_parcel(&event.order_id, moment.at, |parcel, _| {
        parcel.revision = moment.revision;
        if parcel.state == ParcelState::Held {
            parcel.state = parcel.waiting_state();
        }
    });
}
