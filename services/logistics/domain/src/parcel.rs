//! Parcels and their custody up to the checkpoint's door (S16, S12): expected,
//! received with exceptions, completed by replacements, disinfected; withdrawn
//! or returned. What happens on the way to the household is in `doorstep`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use decider::{Area, Context, Invariant, Name, Revision, Timestamp, table::Entity};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, Custodian, CustodianKind, ExceptionCode, ParcelBag, ParcelState},
    types::v1::Door,
};
use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    bags::Bags,
    command::{DisinfectParcels, ExpectParcel, RunCancelReason, WithdrawParcel},
    custody::{self, Faults, Holder},
    door::DoorKey,
    freight::consolidation,
    run,
    state::{Moment, State},
    units::Grams,
};

/// One order is one parcel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Parcel {
    pub order_id: Name,
    pub area: Area,
    pub household_id: Name,
    pub door: Arc<Door>,
    pub cadre_id: Name,
    pub load_id: Name,
    /// Bags that it consists of now: those expected, later those accepted.
    pub bags: Bags,
    /// By the label of a bag that was not accepted: what is on its way in
    /// its place, or nothing yet.
    pub awaited: BTreeMap<String, Option<Replacement>>,
    pub checkpoint_id: Name,
    pub custodian: Holder,
    pub state: ParcelState,
    /// Taken off the way because the order was cancelled; its state is
    /// `Returned`.
    pub withdrawn: bool,
    pub disinfected: bool,
    /// The run that it is, or last was, on; empty where it waits for one.
    pub run_id: Name,
    /// Runs that set out with it.
    pub attempts: i32,
    /// Why the last attempt failed.
    pub failure: Option<ExceptionCode>,
    pub expected: Timestamp,
    /// Since when it is in its state.
    pub state_since: Timestamp,
    pub revision: Revision,
    /// Who handed it over to the checkpoint.
    pub(crate) received_from: Name,
    #[serde(skip)]
    pub(crate) key: Arc<DoorKey>,
}

impl Entity for Parcel {
    type Id = Name;

    fn id(&self) -> &Name {
        &self.order_id
    }
}

/// A bag on its way in place of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replacement {
    pub bag: ParcelBag,
    pub custodian: Custodian,
}

impl Parcel {
    #[must_use]
    pub fn weight(&self) -> Grams {
        self.bags.weight()
    }

    pub(crate) fn is_expected(&self) -> bool {
        self.state == ParcelState::Expected
    }

    pub(crate) fn hand_over(&mut self, from: &Custodian, to: Custodian, faults: &mut Faults) {
        if self.custodian != *from {
            faults.of_parcel(
                Invariant::OneCustodian,
                &self.order_id,
                format!(
                    "{} handed it over to {} while {} had it",
                    custody::name(from),
                    custody::name(&to),
                    custody::name(&self.custodian.to_message())
                ),
            );
        }
        self.custodian = Holder::new(&to, &[&self.household_id, &self.checkpoint_id]);
    }

    pub(crate) const fn custodian_kind_of_state(&self) -> CustodianKind {
        match self.state {
            ParcelState::Unspecified => CustodianKind::Unspecified,
            ParcelState::Expected => CustodianKind::Carrier,
            ParcelState::AwaitingReplacement
            | ParcelState::Received
            | ParcelState::Disinfected
            | ParcelState::Planned
            | ParcelState::Held => CustodianKind::Checkpoint,
            ParcelState::OutForDelivery | ParcelState::Placed | ParcelState::AttemptFailed => {
                CustodianKind::Member
            }
            ParcelState::Left | ParcelState::Called | ParcelState::Collected => {
                CustodianKind::Household
            }
            ParcelState::Returned => CustodianKind::Store,
        }
    }

    /// Where it waits while it is at the checkpoint and on no run.
    pub(crate) const fn waiting_state(&self) -> ParcelState {
        if self.disinfected {
            ParcelState::Disinfected
        } else {
            ParcelState::Received
        }
    }
}

pub(crate) fn expect(
    state: &State,
    command: &ExpectParcel,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    if let Some(known) = state.parcels.get(command.order_id.as_str()) {
        let same = known.area == context.area
            && known.household_id == command.household_id
            && *known.door == command.door
            && known.load_id == command.load_id
            && known.checkpoint_id == command.checkpoint_id;
        return if same {
            Ok(vec![])
        } else {
            Err(Rejection::ParcelExists {
                order_id: command.order_id.clone(),
            })
        };
    }
    // The checkpoint need not be known: the goods are on their way there, and
    // to lose sight of them would help nobody.
    let expected = pb::ParcelExpected {
        order_id: command.order_id.clone(),
        household_id: command.household_id.clone(),
        door: Some(command.door.clone()),
        cadre_id: command.cadre_id.clone(),
        bags: command.bags.clone(),
        checkpoint_id: command.checkpoint_id.clone(),
        custodian: Some(custody::carrier(&command.custodian_id)),
        load_id: command.load_id.clone(),
    };
    let queued = consolidation::queue(&state.freight, &expected, context);
    let queued = queued.map(LogisticsEvent::from);
    Ok(std::iter::once(expected.into()).chain(queued).collect())
}

pub(crate) fn disinfect(
    state: &State,
    command: &DisinfectParcels,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    state.checkpoint_in(&context.area, &command.checkpoint_id)?;
    let mut events = vec![];
    let order_ids: BTreeSet<&String> = command.order_ids.iter().collect();
    for order_id in order_ids {
        let parcel = state.parcel_in(&context.area, order_id)?;
        at_checkpoint(parcel, &command.checkpoint_id)?;
        match parcel.state {
            ParcelState::Received => events.push(
                pb::ParcelDisinfected {
                    order_id: order_id.clone(),
                    checkpoint_id: command.checkpoint_id.clone(),
                    agent: command.agent.clone(),
                    done_by: command.done_by.clone(),
                }
                .into(),
            ),
            ParcelState::AwaitingReplacement => {
                return Err(Rejection::AwaitingReplacement {
                    order_id: order_id.clone(),
                    labels: parcel.awaited.keys().cloned().collect(),
                });
            }
            state if !parcel.disinfected || state == ParcelState::Returned => {
                return Err(Rejection::NotReceived {
                    order_id: order_id.clone(),
                    state,
                });
            }
            _ => {}
        }
    }
    Ok(events)
}

pub(crate) fn at_checkpoint(parcel: &Parcel, checkpoint_id: &str) -> Result<(), Rejection> {
    if parcel.checkpoint_id == checkpoint_id {
        return Ok(());
    }
    Err(Rejection::ParcelElsewhere {
        order_id: (&parcel.order_id).into(),
        checkpoint_id: checkpoint_id.to_owned(),
        its_checkpoint_id: (&parcel.checkpoint_id).into(),
    })
}

/// The order was cancelled. An order without a parcel needs nothing.
pub(crate) fn withdraw(
    state: &State,
    command: &WithdrawParcel,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let Ok(parcel) = state.parcel_in(&context.area, &command.order_id) else {
        return Ok(vec![]);
    };
    match parcel.state {
        ParcelState::Returned => return Ok(vec![]),
        ParcelState::Expected
        | ParcelState::AwaitingReplacement
        | ParcelState::Received
        | ParcelState::Disinfected
        | ParcelState::Planned
        | ParcelState::Held => {}
        state => {
            return Err(Rejection::AlreadyOut {
                order_id: command.order_id.clone(),
                state,
            });
        }
    }
    let mut events = vec![
        pb::ParcelWithdrawn {
            order_id: command.order_id.clone(),
        }
        .into(),
    ];
    if parcel.state == ParcelState::Planned
        && let Some(run) = state.runs.get(parcel.run_id.as_str())
        && run.stops.iter().all(|s| s.order_id == command.order_id)
    {
        let mut cancelled = run::cancelled_event(run, RunCancelReason::NothingLeft);
        cancelled.order_ids.clear();
        events.push(cancelled.into());
    }
    Ok(events)
}

pub(crate) fn expected(state: &mut State, moment: &Moment<'_>, event: &pb::ParcelExpected) {
    if state.parcels.find(event.order_id.as_str()).is_some() {
        return;
    }
    let door = match &event.door {
        Some(door) => state.doors.get(door),
        None => state.doors.get(&Door::default()),
    };
    let names = &mut state.names;
    let order_id = Name::from(&*event.order_id);
    let parcel = Parcel {
        key: Arc::new(DoorKey::new(door.clone(), order_id.clone())),
        order_id,
        area: moment.area.clone(),
        household_id: names.get(&event.household_id),
        door,
        cadre_id: names.get(&event.cadre_id),
        load_id: names.get(&event.load_id),
        bags: Bags::from(&*event.bags),
        awaited: BTreeMap::new(),
        checkpoint_id: names.get(&event.checkpoint_id),
        custodian: Holder::new(
            event.custodian.as_ref().unwrap_or(&Custodian::default()),
            &[],
        ),
        state: ParcelState::Expected,
        withdrawn: false,
        disinfected: false,
        run_id: Name::default(),
        attempts: 0,
        failure: None,
        expected: moment.at,
        state_since: moment.at,
        revision: moment.revision,
        received_from: Name::default(),
    };
    state.add_parcel(parcel);
}

pub(crate) fn disinfected(state: &mut State, moment: &Moment<'_>, event: &pb::ParcelDisinfected) {
    state.change_parcel(&event.order_id, moment.at, |parcel, _| {
        parcel.revision = moment.revision;
        parcel.disinfected = true;
        if parcel.state == ParcelState::Received {
            parcel.state = ParcelState::Disinfected;
        }
    });
}

pub(crate) fn withdrawn(state: &mut State, moment: &Moment<'_>, event: &pb::ParcelWithdrawn) {
    back_to_store(state, moment, &event.order_id, true);
}

pub(crate) fn returned(state: &mut State, moment: &Moment<'_>, event: &pb::ParcelReturned) {
    back_to_store(state, moment, &event.order_id, false);
}

fn back_to_store(state: &mut State, moment: &Moment<'_>, order_id: &str, withdrawn: bool) {
    run::take_off(state, order_id);
    state.change_parcel(order_id, moment.at, |parcel, faults| {
        parcel.revision = moment.revision;
        let kind = parcel.custodian.kind();
        let on_the_way = withdrawn && kind == CustodianKind::Carrier;
        if kind != CustodianKind::Checkpoint && !on_the_way {
            faults.of_parcel(
                Invariant::OneCustodian,
                order_id,
                format!(
                    "it went back to the store from {}",
                    custody::name(&parcel.custodian.to_message())
                ),
            );
        }
        parcel.custodian = Holder::new(&custody::store(), &[]);
        parcel.state = ParcelState::Returned;
        parcel.withdrawn = withdrawn;
        parcel.awaited.clear();
    });
}
