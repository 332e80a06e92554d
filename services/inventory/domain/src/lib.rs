//! Pure core of the inventory service: products and lots, the queue of orders
//! for them, first-expiry-first-out reservation, picking, dispatch,
//! replacements and returns; and the surplus of growers, matched to firms that
//! buy in bulk (`surplus.rs`). No I/O, clock, randomness or logging.
//!
//! The life of a demand: QUEUED → RESERVED → PICKED → DISPATCHED → RETURNED;
//! REJECTED out of the queue; RELEASED until it is dispatched, from then on a
//! cancellation recalls it and those on the way see whether it can be stopped.
//!
//! An order is served at once when its goods are there and nobody waits for
//! them; otherwise it queues (`queue.rs`), and the queue is worked by the
//! timer (`timers.rs`) after each fact that may let somebody be served. While
//! buying goes on only whole orders are served; when it is closed everybody in
//! the queue gets what there is.

mod audit;
mod command;
mod demand;
mod dispatch;
mod door;
mod intake;
mod ledger;
mod lot;
mod picking;
mod procurement;
mod product;
mod query;
mod queue;
mod react;
mod rejection;
mod replacement;
mod reservation;
mod snapshot;
mod state;
mod surplus;
mod timers;
mod units;

use decider::{Context, Domain, Due, EventSet, Recorded, Service, StreamId, Timestamp, Violation};
use proto::{AnyEvent, InventoryEvent};

pub use command::{
    Command, DefineProduct, DispatchOrders, PickOrders, QueueDemand, ReceiveLot,
    ReleaseReservation, ReplaceBag, ReturnStock, SpoilStock,
};
pub use demand::Demand;
pub use dispatch::{BAGS_MAX, COMMAND_BYTES_MAX, ORDERS_MAX};
pub use intake::{OUT_OF_STOCK, PRODUCT_UNKNOWN};
pub use ledger::Ledger;
pub use lot::{LOT_UNITS_MAX, Lot};
pub use picking::BAG_WEIGHT_MAX;
pub use procurement::{Need, Procurement};
pub use product::{Product, UNIT_WEIGHT_MAX};
pub use query::{QueueLength, UnknownPage};
pub use rejection::Rejection;
pub use replacement::STOCK_SCATTERED;
pub use reservation::ALLOCATIONS_MAX;
pub use state::State;
pub use surplus::{
    ANSWER_MINUTES, BulkDemand, Buyer, ChangeSurplus, ConfirmMatch, DEMAND_DAYS_MAX,
    DeliverMatches, FailMatches, LISTING_DAYS_MAX, LOAD_WAIT_MINUTES, Listing, Match, MatchFilter,
    MatchReceipt, Matching, OfferSurplus, OpenMatching, PRICE_MAX, PlaceBulkDemand, Price,
    RefuseMatch, RegisterBuyer, Report, SetReferencePrice, ShipMatches, Subject, SurplusRejection,
    WithdrawBulkDemand, WithdrawSurplus, above_cap, matching,
};
pub use units::{FenPerKg, Grams, Units};

use state::Fact;

/// The rules of the inventory service.
pub struct Stock;

impl Domain for Stock {
    type State = State;
    type Command = Command;
    type Event = InventoryEvent;
    type Foreign = AnyEvent;
    type Rejection = Rejection;

    const SERVICE: Service = Service::Inventory;
    const SOURCES: &'static [Service] = &[Service::Order, Service::Logistics];

    fn command_name(command: &Command) -> &'static str {
        match command {
            Command::DefineProduct(_) => "DefineProduct",
            Command::ReceiveLot(_) => "ReceiveLot",
            Command::SpoilStock(_) => "SpoilStock",
            Command::CloseProcurement => "CloseProcurement",
            Command::OpenProcurement => "OpenProcurement",
            Command::PickOrders(_) => "PickOrders",
            Command::DispatchOrders(_) => "DispatchOrders",
            Command::QueueDemand(_) => "QueueDemand",
            Command::ReleaseReservation(_) => "ReleaseReservation",
            Command::ReplaceBag(_) => "ReplaceBag",
            Command::ReturnStock(_) => "ReturnStock",
            Command::AllocateDemand => "AllocateDemand",
            Command::SetReferencePrice(_) => "SetReferencePrice",
            Command::OfferSurplus(_) => "OfferSurplus",
            Command::ChangeSurplus(_) => "ChangeSurplus",
            Command::WithdrawSurplus(_) => "WithdrawSurplus",
            Command::RegisterBuyer(_) => "RegisterBuyer",
            Command::PlaceBulkDemand(_) => "PlaceBulkDemand",
            Command::WithdrawBulkDemand(_) => "WithdrawBulkDemand",
            Command::OpenMatching(_) => "OpenMatching",
            Command::CloseMatching => "CloseMatching",
            Command::ConfirmMatch(_) => "ConfirmMatch",
            Command::RefuseMatch(_) => "RefuseMatch",
            Command::ShipMatches(_) => "ShipMatches",
            Command::DeliverMatches(_) => "DeliverMatches",
            Command::FailMatches(_) => "FailMatches",
            Command::ExpireSurplus(_) => "ExpireSurplus",
            Command::EndDemandWindow(_) => "EndDemandWindow",
            Command::ExpireMatch(_) => "ExpireMatch",
            Command::HoldRound => "HoldRound",
        }
    }

    fn decide(
        state: &State,
        command: &Command,
        context: &Context,
    ) -> Result<Vec<InventoryEvent>, Rejection> {
        match command {
            Command::DefineProduct(wanted) => product::define(state, wanted, context),
            Command::ReceiveLot(wanted) => lot::receive(state, wanted, context),
            Command::SpoilStock(wanted) => lot::spoil(state, wanted, context),
            Command::CloseProcurement => procurement::close(state, context),
            Command::OpenProcurement => procurement::open(state, context),
            Command::PickOrders(wanted) => dispatch::pick(state, wanted, context),
            Command::DispatchOrders(wanted) => dispatch::dispatch(state, wanted, context),
            Command::QueueDemand(wanted) => intake::queue(state, wanted, context),
            Command::ReleaseReservation(wanted) => intake::release(state, wanted, context),
            Command::ReplaceBag(wanted) => replacement::replace(state, wanted, context),
            Command::ReturnStock(wanted) => dispatch::take_back(state, wanted, context),
            Command::AllocateDemand => timers::allocate(state, context),
            Command::SetReferencePrice(wanted) => surplus::price::set(state, wanted, context),
            Command::OfferSurplus(wanted) => surplus::offering::offer(state, wanted, context),
            Command::ChangeSurplus(wanted) => surplus::offering::change(state, wanted, context),
            Command::WithdrawSurplus(wanted) => surplus::offering::withdraw(state, wanted, context),
            Command::RegisterBuyer(wanted) => surplus::buyer::register(state, wanted, context),
            Command::PlaceBulkDemand(wanted) => surplus::demand::place(state, wanted, context),
            Command::WithdrawBulkDemand(wanted) => {
                surplus::demand::withdraw(state, wanted, context)
            }
            Command::OpenMatching(wanted) => surplus::round::open(state, wanted, context),
            Command::ConfirmMatch(wanted) => surplus::answer::confirm(state, wanted, context),
            Command::RefuseMatch(wanted) => surplus::answer::refuse(state, wanted, context),
            Command::ShipMatches(wanted) => surplus::delivery::ship(state, wanted, context),
            Command::DeliverMatches(wanted) => surplus::delivery::deliver(state, wanted, context),
            Command::FailMatches(wanted) => surplus::delivery::fail(state, wanted, context),
            Command::CloseMatching => surplus::round::close(state, context),
            Command::ExpireSurplus(id) => surplus::offering::expire(state, id, context),
            Command::EndDemandWindow(id) => surplus::demand::end_window(state, id, context),
            Command::ExpireMatch(id) => surplus::answer::expire(state, id, context),
            Command::HoldRound => surplus::proposing::hold(state, context),
        }
    }

    fn evolve(state: &mut State, record: &Recorded<InventoryEvent>) {
        let fact = Fact {
            stream: &record.stream,
            area: &record.area,
            at: record.occurred,
            revision: record.revision,
            seq: record.position.0,
            type_name: record.event.type_name(),
        };
        let fitted = match &record.event {
            InventoryEvent::ProductDefined(e) => product::defined(state, &fact, e),
            InventoryEvent::LotReceived(e) => lot::received(state, &fact, e),
            InventoryEvent::StockSpoiled(e) => lot::spoiled(state, &fact, e),
            InventoryEvent::DemandQueued(e) => intake::queued(state, &fact, e),
            InventoryEvent::StockReserved(e) => intake::reserved(state, &fact, e),
            InventoryEvent::DemandRejected(e) => intake::rejected(state, &fact, e),
            InventoryEvent::ReservationReleased(e) => intake::released(state, &fact, e),
            InventoryEvent::OrderPicked(e) => dispatch::picked(state, &fact, e),
            InventoryEvent::OrderDispatched(e) => dispatch::dispatched(state, &fact, e),
            InventoryEvent::DispatchRecalled(e) => intake::recalled(state, &fact, e),
            InventoryEvent::ReplacementDispatched(e) => replacement::dispatched(state, &fact, e),
            InventoryEvent::ReplacementRefused(e) => replacement::refused(state, &fact, e),
            InventoryEvent::ReplacementQueued(e) => replacement::queued(state, &fact, e),
            InventoryEvent::StockReturned(e) => dispatch::returned(state, &fact, e),
            InventoryEvent::ProcurementClosed(e) => {
                procurement::changed(state, &fact, &e.area, true)
            }
            InventoryEvent::ProcurementOpened(e) => {
                procurement::changed(state, &fact, &e.area, false)
            }
            other => surplus::evolve(&mut state.surplus, &fact, other),
        };
        // An event that does not fit is left aside and shows as a violation.
        if let Err(misfit) = fitted {
            state.note(misfit);
        }
        state.settle(&fact);
    }

    fn react(state: &State, record: &Recorded<AnyEvent>) -> Vec<Command> {
        react::react(state, record)
    }

    fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
        timers::due(state, now)
    }

    fn next_due(state: &State) -> Option<Timestamp> {
        timers::next_due(state)
    }

    fn violations(state: &State) -> Vec<Violation> {
        audit::violations(state)
    }

    fn describe(state: &State, stream: &StreamId) -> Option<String> {
        audit::describe(state, stream)
    }
}
