//! Pure core of the logistics service: checkpoints and custody, disinfection,
//! the supply team's roster, runs on foot and what happens at each door.
//!
//! No I/O, clock, randomness, async or logging. Each aggregate's file has its
//! data, its rules (functions that return events or a [`Rejection`]) and the
//! folding of its events into the [`State`]; `query` reads the state for
//! others.

mod bags;
mod checkpoint;
mod command;
mod custody;
mod door;
mod doorstep;
mod ending;
mod member;
mod parcel;
pub mod planning;
mod query;
mod react;
mod receipt;
mod rejection;
mod run;
mod snapshot;
mod state;
mod timers;
mod trips;
mod units;

use decider::{Context, Domain, Due, Recorded, Service, StreamId, Timestamp, Violation};
use proto::{AnyEvent, LogisticsEvent};

pub use bags::Bags;
pub use checkpoint::Checkpoint;
pub use command::{
    AssignShift, BagFault, BagReport, CancelRun, Command, CompleteRun, DisinfectEntrance,
    DisinfectParcels, ExpectParcel, ExpectReplacement, FailAttempt, GiveUpReplacement, LeaveDoor,
    Means, ParcelReceipt, PlaceGoods, PlanRuns, ReceiveParcels, RecordAbsence, RecordCalled,
    RecordCollected, RegisterCheckpoint, RegisterMember, RescheduleDelivery, ReturnParcel,
    RunCancelReason, StartRun, WithdrawParcel,
};
pub use custody::Holder;
pub use door::Entrance;
pub use ending::ATTEMPTS_MAX;
pub use member::{Absence, DELIVERY_POST, Member, SHIFT_MAX_MINUTES, Shift};
pub use parcel::{Parcel, Replacement};
pub use query::{Page, ParcelFilter, RunFilter};
pub use rejection::Rejection;
pub use run::{Run, RunStop, StopState};
pub use state::State;
pub use units::Grams;

use state::Moment;

/// The logistics service's rules.
pub struct Logistics;

impl Domain for Logistics {
    type State = State;
    type Command = Command;
    type Event = LogisticsEvent;
    type Foreign = AnyEvent;
    type Rejection = Rejection;

    const SERVICE: Service = Service::Logistics;
    const SOURCES: &'static [Service] = &[Service::Inventory, Service::Notification];

    fn command_name(command: &Command) -> &'static str {
        command.name()
    }

    fn decide(
        state: &State,
        command: &Command,
        context: &Context,
    ) -> Result<Vec<LogisticsEvent>, Rejection> {
        match command {
            Command::RegisterCheckpoint(c) => checkpoint::register(state, c, context),
            Command::RegisterMember(c) => member::register(state, c, context),
            Command::AssignShift(c) => member::assign_shift(state, c, context),
            Command::RecordAbsence(c) => member::record_absence(state, c, context),
            Command::ExpectParcel(c) => parcel::expect(state, c, context),
            Command::DisinfectParcels(c) => parcel::disinfect(state, c, context),
            Command::WithdrawParcel(c) => parcel::withdraw(state, c, context),
            Command::ReceiveParcels(c) => receipt::receive(state, c, context),
            Command::ExpectReplacement(c) => receipt::expect_replacement(state, c, context),
            Command::GiveUpReplacement(c) => receipt::give_up(state, c, context),
            Command::PlanRuns(c) => trips::plan(state, c, context),
            Command::StartRun(c) => run::start(state, c, context),
            Command::CancelRun(c) => run::cancel(state, c, context),
            Command::PlaceGoods(c) => doorstep::place(state, c, context),
            Command::LeaveDoor(c) => doorstep::leave(state, c, context),
            Command::FailAttempt(c) => doorstep::fail(state, c, context),
            Command::RecordCalled(c) => doorstep::call(state, c, context),
            Command::RecordCollected(c) => doorstep::collect(state, c, context),
            Command::RescheduleDelivery(c) => doorstep::reschedule(state, c, context),
            Command::ReturnParcel(c) => doorstep::give_back(state, c, context),
            Command::DisinfectEntrance(c) => ending::disinfect_entrance(state, c, context),
            Command::CompleteRun(c) => ending::complete(state, c, context),
        }
    }

    fn evolve(state: &mut State, record: &Recorded<LogisticsEvent>) {
        let moment = &Moment::of(record);
        match &record.event {
            LogisticsEvent::CheckpointRegistered(e) => checkpoint::registered(state, moment, e),
            LogisticsEvent::MemberRegistered(e) => member::registered(state, moment, e),
            LogisticsEvent::ShiftAssigned(e) => member::shift_assigned(state, moment, e),
            LogisticsEvent::AbsenceRecorded(e) => member::absence_recorded(state, moment, e),
            LogisticsEvent::ParcelExpected(e) => parcel::expected(state, moment, e),
            LogisticsEvent::ParcelDisinfected(e) => parcel::disinfected(state, moment, e),
            LogisticsEvent::ParcelReturned(e) => parcel::returned(state, moment, e),
            LogisticsEvent::ParcelWithdrawn(e) => parcel::withdrawn(state, moment, e),
            LogisticsEvent::ParcelReceived(e) => receipt::received(state, moment, e),
            LogisticsEvent::ReplacementExpected(e) => {
                receipt::replacement_expected(state, moment, e);
            }
            LogisticsEvent::ReplacementGivenUp(e) => receipt::given_up(state, moment, e),
            LogisticsEvent::RunPlanned(e) => trips::planned(state, moment, e),
            LogisticsEvent::RunCancelled(e) => run::cancelled(state, moment, e),
            LogisticsEvent::RunStarted(e) => run::started(state, moment, e),
            LogisticsEvent::GoodsPlaced(e) => doorstep::placed(state, moment, e),
            LogisticsEvent::DoorLeft(e) => doorstep::door_left(state, moment, e),
            LogisticsEvent::HouseholdCalled(e) => doorstep::called(state, moment, e),
            LogisticsEvent::DeliveryCollected(e) => doorstep::collected(state, moment, e),
            LogisticsEvent::AttemptFailed(e) => doorstep::attempt_failed(state, moment, e),
            LogisticsEvent::ParcelHeld(e) => doorstep::held(state, moment, e),
            LogisticsEvent::DeliveryRescheduled(e) => doorstep::rescheduled(state, moment, e),
            LogisticsEvent::EntranceDisinfected(e) => {
                ending::entrance_disinfected(state, moment, e);
            }
            LogisticsEvent::RunCompleted(e) => ending::completed(state, moment, e),
        }
    }

    fn react(_: &State, record: &Recorded<AnyEvent>) -> Vec<Command> {
        react::react(&record.event).into_iter().collect()
    }

    fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
        timers::due(state, now)
    }

    fn next_due(state: &State) -> Option<Timestamp> {
        timers::next_due(state)
    }

    fn violations(state: &State) -> Vec<Violation> {
        state.violations()
    }

    fn describe(state: &State, stream: &StreamId) -> Option<String> {
        state.describe(stream)
    }
}
