//! Pure core of the logistics service: checkpoints and custody, disinfection,
//! the supply team's roster, runs on foot and what happens at each door.
//!
//! No I/O, clock, randomness, async or logging. Each aggregate's file has its
//! data, its rules (functions that return events or a [`Rejection`]) and the
//! folding of its events into the [`State`]; `query` reads the state for
//! others.

mod access;
mod bags;
mod checkpoint;
mod command;
mod custody;
mod door;
mod doorstep;
mod ending;
mod freight;
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

pub use access::{ACCESS_MINUTES, RecordAccess};
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
pub use freight::command::{
    AcceptTender, ApplyForPass, AssignResources, CancelShipment, ChangeLoad, ChangeRoute,
    CloseIncident, CloseRoute, CloseShipment, DeclareHandover, DeclineTender, DisableWebhook,
    DraftMatchLoad, DraftShipment, ErasePhotos, ErasePhotosOfHousehold, EraseShipmentPersonalData,
    ExpirePass, ExpireTender, GiveUpLoad, IssuePass, IssuePin, MakeLoad, OfferCapacity,
    OpenIncident, OpenRoute, PauseWebhook, QueueMatch, ReceiveLoad, RecordProof,
    RecordShipmentKeyDestroyed, RefusePass, RegisterCarrier, RegisterDriver, RegisterVehicle,
    RegisterWebhook, ReleaseMatchLoads, RemoveWebhook, ReportMilestone, ReportPosition,
    ResumeCarrier, ResumeWebhook, RevokePass, RotateWebhookSecret, SetContacts, StorePhoto,
    SuspendCarrier, TenderShipment, TestWebhook, TransferCustody, WithdrawCapacity, WithdrawDriver,
    WithdrawTender, WithdrawVehicle,
};
pub use freight::{
    ANSWER_MINUTES, Carrier, Goods, LOAD_LINES_MAX, LOAD_PICKUPS_MAX, Load, Offer, PERSONAL_DAYS,
    PHOTOS_MAX, PIN_TRIES, PROOFS_MAX, Pass, Photo, Pickup, Pin, Proof, Record,
    Rejection as FreightRejection, Route, RoutePlan, Shipment, Subject, Tender, WEBHOOKS_MAX,
    Webhook, Where,
};
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
        let freight = &state.freight;
        match command {
            Command::RegisterCheckpoint(c) => checkpoint::register(state, c, context),
            Command::RegisterMember(c) => member::register(state, c, context),
            Command::AssignShift(c) => member::assign_shift(state, c, context),
            Command::RecordAbsence(c) => member::record_absence(state, c, context),
            Command::ExpectParcel(c) => parcel::expect(state, c, context),
            Command::DisinfectParcels(c) => parcel::disinfect(state, c, context),
            Command::WithdrawParcel(c) => freight::recall::withdraw(state, c, context),
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
            Command::RegisterCarrier(c) => Ok(freight::carrier::register(freight, c, context)?),
            Command::SuspendCarrier(c) => Ok(freight::carrier::suspend(freight, c, context)?),
            Command::ResumeCarrier(c) => Ok(freight::carrier::resume(freight, c, context)?),
            Command::RegisterVehicle(c) => {
                Ok(freight::carrier::register_vehicle(freight, c, context)?)
            }
            Command::WithdrawVehicle(c) => {
                Ok(freight::carrier::withdraw_vehicle(freight, c, context)?)
            }
            Command::RegisterDriver(c) => {
                Ok(freight::carrier::register_driver(freight, c, context)?)
            }
            Command::WithdrawDriver(c) => {
                Ok(freight::carrier::withdraw_driver(freight, c, context)?)
            }
            Command::OfferCapacity(c) => Ok(freight::capacity::offer(freight, c, context)?),
            Command::WithdrawCapacity(c) => Ok(freight::capacity::withdraw(freight, c, context)?),
            Command::ApplyForPass(c) => Ok(freight::pass::apply(freight, c, context)?),
            Command::IssuePass(c) => Ok(freight::pass::issue(freight, c, context)?),
            Command::RefusePass(c) => Ok(freight::pass::refuse(freight, c, context)?),
            Command::RevokePass(c) => Ok(freight::pass::revoke(freight, c, context)?),
            Command::ExpirePass(c) => Ok(freight::pass::expire(freight, c, context)?),
            Command::DraftShipment(c) => Ok(freight::shipment::draft(freight, c, context)?),
            Command::ChangeLoad(c) => Ok(freight::shipment::change_load(freight, c, context)?),
            Command::CancelShipment(c) => Ok(freight::shipment::cancel(freight, c, context)?),
            Command::CloseShipment(c) => Ok(freight::shipment::close(freight, c, context)?),
            Command::TenderShipment(c) => Ok(freight::tender::tender(freight, c, context)?),
            Command::AcceptTender(c) => Ok(freight::tender::accept(freight, c, context)?),
            Command::DeclineTender(c) => Ok(freight::tender::decline(freight, c, context)?),
            Command::WithdrawTender(c) => Ok(freight::tender::withdraw(freight, c, context)?),
            Command::ExpireTender(c) => Ok(freight::tender::expire(freight, c, context)?),
            Command::AssignResources(c) => Ok(freight::execution::assign(freight, c, context)?),
            Command::ReportMilestone(c) => freight::tally::report(state, c, context),
            Command::ReportPosition(c) => {
                Ok(freight::execution::report_position(freight, c, context)?)
            }
            Command::DeclareHandover(c) => freight::tally::declare(state, c, context),
            Command::TransferCustody(c) => freight::tally::transfer(state, c, context),
            Command::RecordProof(c) => Ok(freight::proof::record(freight, c, context)?),
            Command::SetContacts(c) => Ok(freight::contact::set(freight, c, context)?),
            Command::EraseShipmentPersonalData(c) => {
                Ok(freight::contact::erase(freight, c, context)?)
            }
            Command::RecordShipmentKeyDestroyed(c) => {
                Ok(freight::contact::destroy(freight, c, context)?)
            }
            Command::RecordAccess(c) => Ok(access::record(state, c, context)?),
            Command::IssuePin(c) => Ok(freight::pin::issue(freight, c, context)?),
            Command::StorePhoto(c) => Ok(freight::photo::store(freight, c, context)?),
            Command::ErasePhotos(c) => Ok(freight::photo::erase(freight, c, context)?),
            Command::ErasePhotosOfHousehold(c) => {
                Ok(freight::photo::erase_of_household(state, c, context))
            }
            Command::OpenIncident(c) => Ok(freight::incident::open(freight, c, context)?),
            Command::CloseIncident(c) => Ok(freight::incident::close(freight, c, context)?),
            Command::OpenRoute(c) => freight::route::open(state, c, context),
            Command::ChangeRoute(c) => Ok(freight::route::change(freight, c, context)?),
            Command::CloseRoute(c) => Ok(freight::route::close(freight, c, context)?),
            Command::MakeLoad(c) => Ok(freight::consolidation::make(state, c, context)?),
            Command::GiveUpLoad(c) => Ok(freight::consolidation::give_up(freight, c, context)?),
            Command::ReceiveLoad(c) => Ok(freight::arrival::receive(state, c, context)?),
            Command::QueueMatch(c) => Ok(freight::match_load::queue(freight, c, context)?),
            Command::ReleaseMatchLoads(_) => Ok(freight::match_load::release(freight, context)?),
            Command::DraftMatchLoad(c) => Ok(freight::match_load::draft(freight, c, context)?),
            Command::RegisterWebhook(c) => Ok(freight::webhook::register(freight, c, context)?),
            Command::RotateWebhookSecret(c) => Ok(freight::webhook::rotate(freight, c, context)?),
            Command::PauseWebhook(c) => Ok(freight::webhook::pause(freight, c, context)?),
            Command::ResumeWebhook(c) => Ok(freight::webhook::resume(freight, c, context)?),
            Command::RemoveWebhook(c) => Ok(freight::webhook::remove(freight, c, context)?),
            Command::TestWebhook(c) => Ok(freight::webhook::test(freight, c, context)?),
            Command::DisableWebhook(c) => Ok(freight::webhook::disable(freight, c, context)?),
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
            LogisticsEvent::CarrierRegistered(e) => {
                freight::carrier::registered(&mut state.freight, moment, e)
            }
            LogisticsEvent::CarrierSuspended(e) => {
                freight::carrier::suspended(&mut state.freight, moment, e)
            }
            LogisticsEvent::CarrierResumed(e) => {
                freight::carrier::resumed(&mut state.freight, moment, e)
            }
            LogisticsEvent::VehicleRegistered(e) => {
                freight::carrier::vehicle_registered(&mut state.freight, moment, e)
            }
            LogisticsEvent::VehicleWithdrawn(e) => {
                freight::carrier::vehicle_withdrawn(&mut state.freight, moment, e)
            }
            LogisticsEvent::DriverRegistered(e) => {
                freight::carrier::driver_registered(&mut state.freight, moment, e)
            }
            LogisticsEvent::DriverWithdrawn(e) => {
                freight::carrier::driver_withdrawn(&mut state.freight, moment, e)
            }
            LogisticsEvent::CapacityOffered(e) => {
                freight::capacity::offered(&mut state.freight, moment, e)
            }
            LogisticsEvent::CapacityWithdrawn(e) => {
                freight::capacity::withdrawn(&mut state.freight, moment, e)
            }
            LogisticsEvent::PassApplied(e) => freight::pass::applied(&mut state.freight, moment, e),
            LogisticsEvent::PassIssued(e) => freight::pass::issued(&mut state.freight, moment, e),
            LogisticsEvent::PassRefused(e) => freight::pass::refused(&mut state.freight, moment, e),
            LogisticsEvent::PassRevoked(e) => freight::pass::revoked(&mut state.freight, moment, e),
            LogisticsEvent::PassExpired(e) => freight::pass::expired(&mut state.freight, moment, e),
            LogisticsEvent::ShipmentDrafted(e) => {
                freight::shipment::drafted(&mut state.freight, moment, e);
                freight::match_load::drafted(&mut state.freight, e);
            }
            LogisticsEvent::MatchQueued(e) => {
                freight::match_load::queued(&mut state.freight, moment, e)
            }
            LogisticsEvent::MatchLoadReleased(e) => {
                freight::match_load::released(&mut state.freight, moment, e)
            }
            LogisticsEvent::LoadChanged(e) => {
                freight::shipment::load_changed(&mut state.freight, moment, e)
            }
            LogisticsEvent::ShipmentCancelled(e) => {
                freight::shipment::cancelled(&mut state.freight, moment, e)
            }
            LogisticsEvent::ShipmentClosed(e) => {
                freight::shipment::closed(&mut state.freight, moment, e)
            }
            LogisticsEvent::ShipmentTendered(e) => {
                freight::tender::tendered(&mut state.freight, moment, e)
            }
            LogisticsEvent::TenderAccepted(e) => {
                freight::tender::accepted(&mut state.freight, moment, e)
            }
            LogisticsEvent::TenderDeclined(e) => {
                freight::tender::declined(&mut state.freight, moment, e)
            }
            LogisticsEvent::TenderExpired(e) => {
                freight::tender::expired(&mut state.freight, moment, e)
            }
            LogisticsEvent::TenderWithdrawn(e) => {
                freight::tender::withdrawn(&mut state.freight, moment, e)
            }
            LogisticsEvent::ResourceAssigned(e) => {
                freight::execution::assigned(&mut state.freight, moment, e)
            }
            LogisticsEvent::ResourceReleased(e) => {
                freight::release::released(&mut state.freight, moment, e)
            }
            LogisticsEvent::MilestoneReported(e) => {
                freight::execution::reported(&mut state.freight, &mut state.faults, moment, e);
                freight::arrival::reported(state, moment, e);
            }
            LogisticsEvent::PositionReported(e) => {
                freight::execution::position_reported(&mut state.freight, moment, e)
            }
            LogisticsEvent::HandoverDeclared(e) => {
                freight::handover::declared(&mut state.freight, moment, e)
            }
            LogisticsEvent::CustodyTransferred(e) => {
                freight::handover::transferred(&mut state.freight, &mut state.faults, moment, e);
                freight::arrival::transferred(&mut state.freight, moment.at, &e.shipment_id);
            }
            LogisticsEvent::ProofRecorded(e) => {
                freight::proof::recorded(&mut state.freight, moment, e)
            }
            LogisticsEvent::ShipmentContactsSet(e) => {
                freight::contact::contacts_set(&mut state.freight, moment, e)
            }
            LogisticsEvent::ShipmentPersonalDataErased(e) => {
                freight::contact::erased(&mut state.freight, moment, e)
            }
            LogisticsEvent::ShipmentKeyDestroyed(e) => {
                freight::contact::destroyed(&mut state.freight, moment, e)
            }
            LogisticsEvent::PersonalDataAccessed(e) => access::recorded(state, moment, e),
            LogisticsEvent::PinIssued(e) => freight::pin::issued(&mut state.freight, moment, e),
            LogisticsEvent::PinRefused(e) => freight::pin::refused(&mut state.freight, moment, e),
            LogisticsEvent::PhotoStored(e) => freight::photo::stored(&mut state.freight, moment, e),
            LogisticsEvent::PhotoErased(e) => freight::photo::erased(&mut state.freight, moment, e),
            LogisticsEvent::HouseholdPhotosErased(e) => {
                freight::photo::erased_of_household(state, moment, e)
            }
            LogisticsEvent::IncidentOpened(e) => {
                freight::incident::opened(&mut state.freight, moment, e)
            }
            LogisticsEvent::IncidentClosed(e) => {
                freight::incident::closed(&mut state.freight, moment, e)
            }
            LogisticsEvent::RouteOpened(e) => freight::route::opened(&mut state.freight, moment, e),
            LogisticsEvent::RouteChanged(e) => {
                freight::route::changed(&mut state.freight, moment, e);
            }
            LogisticsEvent::RouteClosed(e) => freight::route::closed(&mut state.freight, moment, e),
            LogisticsEvent::ParcelQueued(e) => freight::consolidation::queued(state, moment, e),
            LogisticsEvent::ParcelRecalled(e) => freight::recall::recalled(state, moment, e),
            LogisticsEvent::WebhookRegistered(e) => {
                freight::webhook::registered(&mut state.freight, moment, e)
            }
            LogisticsEvent::WebhookSecretRotated(e) => {
                freight::webhook::rotated(&mut state.freight, moment, e)
            }
            LogisticsEvent::WebhookPaused(e) => {
                freight::webhook::paused(&mut state.freight, moment, e)
            }
            LogisticsEvent::WebhookResumed(e) => {
                freight::webhook::resumed(&mut state.freight, moment, e)
            }
            LogisticsEvent::WebhookDisabled(e) => {
                freight::webhook::disabled(&mut state.freight, moment, e)
            }
            LogisticsEvent::WebhookTested(e) => {
                freight::webhook::tested(&mut state.freight, moment, e)
            }
            LogisticsEvent::WebhookRemoved(e) => freight::webhook::removed(&mut state.freight, e),
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
