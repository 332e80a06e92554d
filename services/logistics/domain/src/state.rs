//! Everything that is decided upon, and the indexes that keep each look-up
//! short. Rules are in the aggregates; reading for others is in `query`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use decider::{
    Area, Invariant, Name, Names, Position, Recorded, Revision, Timestamp, Violation, table::Table,
};
use proto::{
    LogisticsEvent,
    logistics::v1::{ParcelState, RunState},
};

use crate::{
    Rejection,
    access::Accesses,
    checkpoint::Checkpoint,
    command::RunCancelReason,
    custody::{self, Faults},
    door::{DoorKey, Doors},
    freight::{Freight, arrival},
    member::Member,
    parcel::Parcel,
    rejection::word,
    run::Run,
};

/// The logistics of one partition; built by `evolve` alone.
///
/// Ids are unique in the partition; whatever is looked up is looked up in an
/// area, since who may see and do something is decided by area.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) checkpoints: BTreeMap<String, Checkpoint>,
    pub(crate) members: BTreeMap<String, Member>,
    pub(crate) parcels: Table<Parcel>,
    pub(crate) runs: BTreeMap<String, Run>,
    pub(crate) shelves: Shelves,
    pub(crate) run_lists: RunLists,
    /// When each planned run is cancelled unless it has started.
    pub(crate) deadlines: BTreeSet<(Timestamp, String)>,
    pub(crate) faults: Faults,
    pub(crate) freight: Freight,
    pub(crate) accesses: Accesses,
    pub(crate) names: Names,
    pub(crate) doors: Doors,
}

/// When and where an event was recorded.
pub(crate) struct Moment<'a> {
    pub at: Timestamp,
    pub area: &'a Area,
    pub revision: Revision,
    pub position: Position,
}

impl<'a> Moment<'a> {
    pub(crate) fn of(record: &'a Recorded<LogisticsEvent>) -> Self {
        Self {
            at: record.occurred,
            area: &record.area,
            revision: record.revision,
            position: record.position,
        }
    }
}

/// Area, checkpoint, and a parcel state; `Unspecified` holds those of all
/// states.
type Shelf = (Area, Name, ParcelState);

/// Parcels by checkpoint and state, each in the order of the doors.
#[derive(Debug, Default)]
pub(crate) struct Shelves(pub(crate) BTreeMap<Shelf, BTreeSet<Arc<DoorKey>>>);

impl Shelves {
    pub(crate) fn get(
        &self,
        area: &Area,
        checkpoint_id: &str,
        state: ParcelState,
    ) -> Option<&BTreeSet<Arc<DoorKey>>> {
        self.0
            .get(&(area.clone(), checkpoint_id.into(), state))
            .filter(|shelf| !shelf.is_empty())
    }

    fn put(&mut self, parcel: &Parcel, state: ParcelState) {
        let shelf = (parcel.area.clone(), parcel.checkpoint_id.clone(), state);
        self.0.entry(shelf).or_default().insert(parcel.key.clone());
    }

    fn take(&mut self, parcel: &Parcel, state: ParcelState) {
        let shelf = (parcel.area.clone(), parcel.checkpoint_id.clone(), state);
        if let Some(parcels) = self.0.get_mut(&shelf) {
            parcels.remove(&parcel.key);
        }
    }
}

/// By what runs are listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RunsOf {
    Area,
    Checkpoint(String),
    Member(String),
}

/// Run ids by area, by what they are listed, and by state (`Unspecified`
/// holds those of all states).
#[derive(Debug, Default)]
pub(crate) struct RunLists(pub(crate) BTreeMap<(Area, RunsOf, RunState), BTreeSet<String>>);

impl RunLists {
    fn each(run: &Run, state: RunState) -> [(Area, RunsOf, RunState); 3] {
        [
            (run.area.clone(), RunsOf::Area, state),
            (
                run.area.clone(),
                RunsOf::Checkpoint(run.checkpoint_id.clone()),
                state,
            ),
            (
                run.area.clone(),
                RunsOf::Member(run.member_id.clone()),
                state,
            ),
        ]
    }

    fn put(&mut self, run: &Run, state: RunState) {
        for list in Self::each(run, state) {
            self.0.entry(list).or_default().insert(run.run_id.clone());
        }
    }

    fn take(&mut self, run: &Run, state: RunState) {
        for list in Self::each(run, state) {
            if let Some(runs) = self.0.get_mut(&list) {
                runs.remove(&run.run_id);
            }
        }
    }
}

impl State {
    pub(crate) fn checkpoint_in(
        &self,
        area: &Area,
        checkpoint_id: &str,
    ) -> Result<&Checkpoint, Rejection> {
        self.checkpoints
            .get(checkpoint_id)
            .filter(|checkpoint| checkpoint.area == *area)
            .ok_or_else(|| Rejection::CheckpointUnknown {
                checkpoint_id: checkpoint_id.to_owned(),
            })
    }

    pub(crate) fn member_in(&self, area: &Area, member_id: &str) -> Result<&Member, Rejection> {
        self.members
            .get(member_id)
            .filter(|member| member.area == *area)
            .ok_or_else(|| Rejection::MemberUnknown {
                member_id: member_id.to_owned(),
            })
    }

    pub(crate) fn parcel_in(&self, area: &Area, order_id: &str) -> Result<&Parcel, Rejection> {
        self.parcels
            .get(order_id)
            .filter(|parcel| parcel.area == *area)
            .ok_or_else(|| Rejection::ParcelUnknown {
                order_id: order_id.to_owned(),
            })
    }

    pub(crate) fn run_in(&self, area: &Area, run_id: &str) -> Result<&Run, Rejection> {
        self.runs
            .get(run_id)
            .filter(|run| run.area == *area)
            .ok_or_else(|| Rejection::RunUnknown {
                run_id: run_id.to_owned(),
            })
    }

    pub(crate) fn add_parcel(&mut self, parcel: Parcel) {
        self.shelves.put(&parcel, ParcelState::Unspecified);
        self.shelves.put(&parcel, parcel.state);
        self.parcels.insert(parcel);
    }

    pub(crate) fn add_run(&mut self, run: Run) {
        self.run_lists.put(&run, RunState::Unspecified);
        self.run_lists.put(&run, run.state);
        self.runs.insert(run.run_id.clone(), run);
    }

    /// Changes a parcel and puts it on the shelf of its new state. A fact
    /// about a parcel that nobody ever had is a fault of custody.
    pub(crate) fn change_parcel(
        &mut self,
        order_id: &str,
        at: Timestamp,
        change: impl FnOnce(&mut Parcel, &mut Faults),
    ) {
        let Some(parcel) = self.parcels.get_mut(order_id) else {
            self.faults.of_parcel(
                Invariant::OneCustodian,
                order_id,
                "something happened to a parcel that was never expected".into(),
            );
            return;
        };
        let before = parcel.state;
        change(parcel, &mut self.faults);
        if parcel.state != before {
            parcel.state_since = at;
            self.shelves.take(parcel, before);
            self.shelves.put(parcel, parcel.state);
            // It is not on a trunk route any more.
            if before == ParcelState::Expected {
                self.freight.take_goods(order_id);
            }
        }
    }

    /// Changes a run and puts it on the lists of its new state.
    pub(crate) fn change_run(&mut self, run_id: &str, change: impl FnOnce(&mut Run)) {
        let Some(run) = self.runs.get_mut(run_id) else {
            return;
        };
        let before = run.state;
        change(run);
        if run.state != before {
            self.run_lists.take(run, before);
            self.run_lists.put(run, run.state);
        }
    }

    /// Sets or clears the moment at which a planned run is cancelled.
    pub(crate) fn set_deadline(
        &mut self,
        run_id: &str,
        deadline: Option<(Timestamp, RunCancelReason)>,
    ) {
        let Some(run) = self.runs.get_mut(run_id) else {
            return;
        };
        if let Some((at, _)) = run.deadline.take() {
            self.deadlines.remove(&(at, run_id.to_owned()));
        }
        if let Some((at, _)) = deadline {
            self.deadlines.insert((at, run_id.to_owned()));
        }
        run.deadline = deadline;
    }

    /// Invariants that do not hold: what the history said that cannot have
    /// been, and parcels whose custodian does not fit their state.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let mut found = self.faults.all();
        let strange = |p: &&Parcel| p.custodian.kind() != p.custodian_kind_of_state();
        let mut strange: Vec<&Parcel> = self.parcels.iter().filter(strange).collect();
        strange.sort_unstable_by_key(|parcel| &parcel.order_id);
        found.extend(strange.into_iter().map(|parcel| Violation {
            invariant: Invariant::OneCustodian,
            entity: format!("parcel/{}", parcel.order_id),
            detail: format!(
                "is {} and held by {}",
                word(parcel.state),
                custody::name(&parcel.custodian.to_message())
            ),
        }));
        found.extend(arrival::violations(self));
        found
    }
}
