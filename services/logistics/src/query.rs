//! What answers need of the state beyond the messages that the domain makes of
//! its entities.

use decider::{Area, Timestamp};
use logistics_domain::{Member, Page, Parcel, Run, RunStop, State, StopState};
use proto::logistics::v1::{self as pb, ParcelState};

/// How long a shift that is over still shows in the roster.
const ROSTER_LOOKBACK_MINUTES: i64 = 24 * 60;

pub fn checkpoint(
    state: &State,
    area: &Area,
    checkpoint_id: &str,
) -> Option<pb::GetCheckpointResponse> {
    let checkpoint = state.checkpoint(area, checkpoint_id)?;
    Some(checkpoint.to_message(&state.parcel_counts(area, checkpoint_id)))
}

pub fn roster(state: &State, area: &Area, now: Timestamp) -> Vec<pb::MemberStatus> {
    let since = now.plus_minutes(-ROSTER_LOOKBACK_MINUTES);
    let members = state.roster(area);
    members
        .map(|member| member.to_message(now, since))
        .collect()
}

/// The shift that the member has at exactly this time.
pub fn shift_id(state: &State, area: &Area, member_id: &str, starts: Timestamp) -> Option<String> {
    let mut shifts = state.member(area, member_id).map(Member::shifts)?;
    let shift = shifts.find(|shift| shift.starts == starts)?;
    Some(shift.shift_id.clone())
}

pub fn awaits_replacement(state: &State, area: &Area, order_id: &str) -> bool {
    state
        .parcel(area, order_id)
        .is_some_and(|parcel| parcel.state == ParcelState::AwaitingReplacement)
}

/// Parcels that planning has left.
pub fn unplanned(state: &State, area: &Area, checkpoint_id: &str) -> usize {
    state.parcel_count(area, checkpoint_id, ParcelState::Disinfected)
}

/// Stops delivered and stops failed of a run.
pub fn outcome(run: &Run) -> (usize, usize) {
    let count = |holds: fn(&&RunStop) -> bool| run.stops.iter().filter(holds).count();
    (
        count(|stop| stop.state == StopState::Delivered),
        count(|stop| matches!(stop.state, StopState::Failed(_))),
    )
}

pub fn parcels(page: Page<'_, Parcel>) -> impl Iterator<Item = pb::Parcel> {
    page.items.into_iter().map(Parcel::to_message)
}

pub fn runs(page: Page<'_, Run>) -> impl Iterator<Item = pb::Run> {
    page.items.into_iter().map(Run::to_message)
}
