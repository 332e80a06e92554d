//! Pure core of the order service: contingencies, households, group buys,
//! orders, and who has been served.
//!
//! No I/O, clock, randomness, async or logging: time, ids and actor come in the
//! command's context. One file per aggregate holds its state and its rules.

mod batch;
mod book;
mod command;
mod compact;
mod contingency;
mod coverage;
mod erasure;
mod fulfilment;
mod group_buy;
mod household;
mod ids;
mod index;
mod joining;
mod lines;
mod order;
mod packing;
mod react;
mod rejection;
mod snapshot;
mod state;
mod store;
mod text;
mod timers;

pub use book::OrderFilter;
pub use command::{Command, Intake, OpenGroupBuy, PlaceOrder, Progress, RegisterHousehold};
pub use compact::{DoorCodes, Needs, SealedContact};
pub use contingency::Contingency;
pub use coverage::{Coverage, CoverageRow, FULL_BASIS_POINTS, Missed, MissedReason};
pub use erasure::{Erased, PendingErasure};
pub use group_buy::GroupBuy;
pub use household::{HAND_OVER_HOUSEHOLDS_MAX, Household, HouseholdFilter};
pub use ids::{CadreId, GroupBuyId, HouseholdId, OrderId};
pub use lines::Lines;
pub use order::Order;
pub use rejection::Rejection;
pub use state::State;
pub use timers::SETTLE_ORDERS_MAX;

use decider::{Context, Domain, Due, Recorded, Service, StreamId, Timestamp, Violation};
use proto::{AnyEvent, OrderEvent};

/// The order service's rules.
#[derive(Debug, Clone, Copy)]
pub struct Orders;

impl Domain for Orders {
    type State = State;
    type Command = Command;
    type Event = OrderEvent;
    type Foreign = AnyEvent;
    type Rejection = Rejection;

    const SERVICE: Service = Service::Order;
    const SOURCES: &'static [Service] = &[Service::Inventory, Service::Logistics];

    fn command_name(command: &Command) -> &'static str {
        command.name()
    }

    fn decide(
        state: &State,
        command: &Command,
        context: &Context,
    ) -> Result<Vec<OrderEvent>, Rejection> {
        match command {
            Command::ActivateContingency { reason } => {
                contingency::activate(&state.contingencies, reason, context)
            }
            Command::EndContingency => Ok(contingency::end(&state.contingencies, context)),
            Command::RegisterHousehold(asked) => {
                household::register(&state.households, asked, context)
            }
            Command::UpdateHousehold {
                household_id,
                contact,
                needs,
            } => household::update(
                &state.households,
                household_id,
                contact.as_ref(),
                needs.as_deref(),
                context,
            ),
            Command::HandOverHouseholds {
                from_cadre_id,
                to_cadre_id,
                household_ids,
                reason,
            } => household::hand_over(
                &state.households,
                from_cadre_id,
                to_cadre_id,
                household_ids,
                reason,
                context,
            ),
            Command::EraseHousehold {
                household_id,
                reason,
                force,
            } => erasure::erase(state, household_id, reason, *force, context),
            Command::RecordKeyDestroyed { household_id } => {
                erasure::record_destroyed(&state.households, household_id, context)
            }
            Command::OpenGroupBuy(asked) => group_buy::open(asked, context),
            Command::CloseGroupBuy { group_buy_id } => {
                group_buy::close_by_organizer(&state.group_buys, group_buy_id, context)
            }
            Command::PlaceOrder(asked) => order::place(state, asked, context),
            Command::CancelOrder { order_id, note } => {
                order::cancel(state, order_id, note, context)
            }
            Command::RecordProgress { order_id, progress } => {
                fulfilment::record(&state.orders, order_id, progress, context)
            }
            Command::CloseGroupBuyByTime { group_buy_id } => {
                Ok(timers::close_by_time(state, group_buy_id, context.now))
            }
            Command::SettleGroupBuy { group_buy_id } => Ok(timers::settle(state, group_buy_id)),
        }
    }

    fn frozen(state: &mut State) -> Option<State> {
        Some(state.frozen())
    }

    fn evolve(state: &mut State, record: &Recorded<OrderEvent>) {
        state.evolve(record);
    }

    fn react(_state: &State, record: &Recorded<AnyEvent>) -> Vec<Command> {
        react::react(record)
    }

    fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
        timers::due(state, now)
    }

    fn next_due(state: &State) -> Option<Timestamp> {
        timers::next_due(state)
    }

    /// Visits every household of the areas whose contingency is active: for a
    /// regular check, not for every command.
    fn violations(state: &State) -> Vec<Violation> {
        state.violations()
    }

    fn describe(state: &State, stream: &StreamId) -> Option<String> {
        state.describe(stream)
    }
}
