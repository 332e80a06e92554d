//! The supply team: members, their shifts and absences (S25), and the work
//! that each has done.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Area, Context, Revision, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1 as pb,
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    command::{AssignShift, RecordAbsence, RegisterMember, RunCancelReason},
    run,
    state::{Moment, State},
    units::Grams,
};

/// The post over whose shifts runs are planned.
pub const DELIVERY_POST: &str = "delivery";

/// A longer shift is a mistake in the roster.
pub const SHIFT_MAX_MINUTES: i64 = 16 * 60;

/// Runs that one absence cancels at once; the rest follow through the timers.
const CANCELLED_AT_ONCE: usize = 16;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shift {
    pub shift_id: String,
    pub checkpoint_id: String,
    pub post: String,
    pub starts: Timestamp,
    pub ends: Timestamp,
    /// Planned and carried in this shift: what planning balances.
    pub load: Grams,
    /// Trips planned so far, cancelled ones included.
    pub trips: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    pub from: Timestamp,
    pub to: Timestamp,
    pub reason: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    pub member_id: String,
    pub area: Area,
    /// For one trip.
    pub capacity: Grams,
    pub leader: bool,
    pub absences: Vec<Absence>,
    pub completed_runs: i32,
    pub delivered_stops: i32,
    /// Weight of all runs started.
    pub carried: Grams,
    pub registered: Timestamp,
    pub revision: Revision,
    /// By start: shifts of one member do not overlap.
    pub(crate) shifts: BTreeMap<Timestamp, Shift>,
    #[serde(skip)]
    pub(crate) shift_starts: BTreeMap<String, Timestamp>,
    /// Runs that are planned and not started.
    pub(crate) planned: BTreeSet<String>,
}

impl Member {
    /// All shifts, the earliest first.
    pub fn shifts(&self) -> impl Iterator<Item = &Shift> {
        self.shifts.values()
    }

    /// The shift of this moment, absences counted.
    #[must_use]
    pub fn shift_at(&self, now: Timestamp) -> Option<&Shift> {
        let (_, shift) = self.shifts.range(..=now).next_back()?;
        let absent = self.absences.iter().any(|a| a.from <= now && now < a.to);
        (now < shift.ends && !absent).then_some(shift)
    }

    #[must_use]
    pub fn shift(&self, shift_id: &str) -> Option<&Shift> {
        self.shifts.get(self.shift_starts.get(shift_id)?)
    }

    pub(crate) fn shift_mut(&mut self, shift_id: &str) -> Option<&mut Shift> {
        self.shifts.get_mut(self.shift_starts.get(shift_id)?)
    }

    /// The shift in which the member can be sent out from `checkpoint_id` now.
    pub(crate) fn delivering_at(&self, now: Timestamp, checkpoint_id: &str) -> Option<&Shift> {
        self.shift_at(now)
            .filter(|s| s.checkpoint_id == checkpoint_id && s.post == DELIVERY_POST)
    }

    fn overlapping(&self, starts: Timestamp, ends: Timestamp) -> Option<&Shift> {
        // Without overlaps among them, only the last one that starts before
        // `ends` can reach beyond `starts`.
        let (_, shift) = self.shifts.range(..ends).next_back()?;
        (shift.ends > starts).then_some(shift)
    }
}

pub(crate) fn register(
    state: &State,
    command: &RegisterMember,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    if let Some(known) = state.members.get(&command.member_id) {
        let same = known.area == context.area
            && known.capacity == command.capacity
            && known.leader == command.leader;
        return if same {
            Ok(vec![])
        } else {
            Err(Rejection::MemberExists {
                member_id: command.member_id.clone(),
            })
        };
    }
    if command.capacity <= Grams::ZERO {
        return Err(Rejection::NoCapacity {
            member_id: command.member_id.clone(),
            capacity: command.capacity,
        });
    }
    Ok(vec![
        pb::MemberRegistered {
            member_id: command.member_id.clone(),
            capacity_grams: command.capacity.0,
            leader: command.leader,
        }
        .into(),
    ])
}

pub(crate) fn assign_shift(
    state: &State,
    command: &AssignShift,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let member = state.member_in(&context.area, &command.member_id)?;
    state.checkpoint_in(&context.area, &command.checkpoint_id)?;
    let minutes = command.ends.seconds_since(command.starts) / 60;
    if command.ends <= command.starts
        || command.ends > command.starts.plus_minutes(SHIFT_MAX_MINUTES)
    {
        return Err(Rejection::ShiftLength {
            minutes,
            max_minutes: SHIFT_MAX_MINUTES,
        });
    }
    if let Some(other) = member.overlapping(command.starts, command.ends) {
        let same = other.starts == command.starts
            && other.ends == command.ends
            && other.checkpoint_id == command.checkpoint_id
            && other.post == command.post;
        return if same {
            Ok(vec![])
        } else {
            Err(Rejection::ShiftOverlaps {
                member_id: command.member_id.clone(),
                shift_id: other.shift_id.clone(),
            })
        };
    }
    if command.ends <= context.now {
        return Err(Rejection::ShiftOver {
            member_id: command.member_id.clone(),
        });
    }
    Ok(vec![
        pb::ShiftAssigned {
            shift: Some(pb::Shift {
                shift_id: context.new_id(0),
                member_id: command.member_id.clone(),
                checkpoint_id: command.checkpoint_id.clone(),
                post: command.post.clone(),
                starts_time: Some(to_proto(command.starts)),
                ends_time: Some(to_proto(command.ends)),
            }),
        }
        .into(),
    ])
}

pub(crate) fn record_absence(
    state: &State,
    command: &RecordAbsence,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let member = state.member_in(&context.area, &command.member_id)?;
    let absence = Absence {
        from: command.from,
        to: command.to,
        reason: command.reason.clone(),
    };
    if absence.to <= absence.from {
        return Err(Rejection::AbsenceTimes {
            member_id: command.member_id.clone(),
        });
    }
    if member.absences.contains(&absence) {
        return Ok(vec![]);
    }
    let mut events = vec![
        pb::AbsenceRecorded {
            member_id: command.member_id.clone(),
            from_time: Some(to_proto(absence.from)),
            to_time: Some(to_proto(absence.to)),
            reason: absence.reason.clone(),
        }
        .into(),
    ];
    let missed = runs_missed(state, member, &absence, context.now);
    for run in missed.into_iter().take(CANCELLED_AT_ONCE) {
        events.push(run::cancelled_event(run, RunCancelReason::MemberAbsent).into());
    }
    Ok(events)
}

/// Planned runs of the shifts that the absence touches; none where it is
/// reported after it is over.
fn runs_missed<'a>(
    state: &'a State,
    member: &Member,
    absence: &Absence,
    now: Timestamp,
) -> Vec<&'a run::Run> {
    if absence.to <= now {
        return vec![];
    }
    member
        .planned
        .iter()
        .filter_map(|run_id| state.runs.get(run_id))
        .filter(|run| {
            member
                .shift(&run.shift_id)
                .is_some_and(|shift| shift.starts < absence.to && absence.from < shift.ends)
        })
        .collect()
}

pub(crate) fn registered(state: &mut State, moment: &Moment<'_>, event: &pb::MemberRegistered) {
    if state.members.contains_key(&event.member_id) {
        return;
    }
    state.members.insert(
        event.member_id.clone(),
        Member {
            member_id: event.member_id.clone(),
            area: moment.area.clone(),
            capacity: Grams(event.capacity_grams),
            leader: event.leader,
            absences: vec![],
            completed_runs: 0,
            delivered_stops: 0,
            carried: Grams::ZERO,
            registered: moment.at,
            revision: moment.revision,
            shifts: BTreeMap::new(),
            shift_starts: BTreeMap::new(),
            planned: BTreeSet::new(),
        },
    );
}

pub(crate) fn shift_assigned(state: &mut State, moment: &Moment<'_>, event: &pb::ShiftAssigned) {
    let Some(shift) = &event.shift else { return };
    let Some(member) = state.members.get_mut(&shift.member_id) else {
        return;
    };
    member.revision = moment.revision;
    let starts = or_epoch(shift.starts_time.as_ref());
    if member.shifts.contains_key(&starts) || member.shift_starts.contains_key(&shift.shift_id) {
        return;
    }
    member.shift_starts.insert(shift.shift_id.clone(), starts);
    member.shifts.insert(
        starts,
        Shift {
            shift_id: shift.shift_id.clone(),
            checkpoint_id: shift.checkpoint_id.clone(),
            post: shift.post.clone(),
            starts,
            ends: or_epoch(shift.ends_time.as_ref()),
            load: Grams::ZERO,
            trips: 0,
        },
    );
    if let Some(checkpoint) = state.checkpoints.get_mut(&shift.checkpoint_id) {
        checkpoint.team.insert(shift.member_id.clone());
    }
}

pub(crate) fn absence_recorded(
    state: &mut State,
    moment: &Moment<'_>,
    event: &pb::AbsenceRecorded,
) {
    let absence = Absence {
        from: or_epoch(event.from_time.as_ref()),
        to: or_epoch(event.to_time.as_ref()),
        reason: event.reason.clone(),
    };
    let Some(member) = state.members.get(&event.member_id) else {
        return;
    };
    // All of them are due at once; those that the same command cancels leave
    // the queue again with their own events.
    let missed: Vec<String> = runs_missed(state, member, &absence, moment.at)
        .into_iter()
        .map(|run| run.run_id.clone())
        .collect();
    for run_id in missed {
        state.set_deadline(&run_id, Some((moment.at, RunCancelReason::MemberAbsent)));
    }
    if let Some(member) = state.members.get_mut(&event.member_id) {
        member.revision = moment.revision;
        member.absences.push(absence);
    }
}
