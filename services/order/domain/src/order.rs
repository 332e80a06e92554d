//! S05 and the life of an order: placing and cancelling. How other services
//! carry it forward is decided in `fulfilment`.

use std::{collections::BTreeMap, sync::Arc};

use decider::{Area, Context, Invariant, Recorded, Revision, Role, Timestamp, Violation};
use proto::{
    OrderEvent,
    order::v1::{CancelReason, Channel, OrderCancelled, OrderPlaced, OrderReleased, OrderState},
    types::v1::{Door, Line},
};
use serde::{Deserialize, Serialize};

use crate::{
    State,
    command::{Intake, PlaceOrder},
    household::Household,
    ids::{GroupBuyId, HouseholdId, OrderId},
    index::Index,
    joining,
    rejection::Rejection,
    text,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub order_id: OrderId,
    pub area: Area,
    pub household_id: HouseholdId,
    /// Written apart, where it is not the household's.
    #[serde(skip)]
    pub door: Arc<Door>,
    pub lines: Vec<Line>,
    /// What was missing at a partial confirmation.
    pub short: Vec<Line>,
    pub channel: Channel,
    pub group_buy_id: Option<GroupBuyId>,
    /// Empty for the household itself.
    pub placed_by: String,
    pub state: OrderState,
    /// Why it was rejected, cancelled, failed or returned; otherwise empty.
    pub reason: String,
    pub placed: Timestamp,
    pub updated: Timestamp,
    /// When the goods were left at the door.
    pub delivered: Option<Timestamp>,
    pub revision: Revision,
    pub(crate) released: bool,
    /// Confirmed or partially confirmed, now or earlier.
    pub(crate) confirmed: bool,
    pub(crate) deliveries: u32,
}

impl Order {
    pub(crate) fn describe(&self) -> String {
        let mut line = format!(
            "{}, household {}, {}, {} lines, {} short, placed {}",
            text::order_state(self.state),
            self.household_id,
            text::channel(self.channel),
            self.lines.len(),
            self.short.len(),
            text::time(self.placed),
        );
        if let Some(delivered) = self.delivered {
            line.push_str(&format!(", delivered {}", text::time(delivered)));
        }
        if !self.reason.is_empty() {
            line.push_str(&format!(", reason {}", self.reason));
        }
        line
    }
}

/// Which orders of an area; none means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    pub household_id: Option<HouseholdId>,
    pub group_buy_id: Option<GroupBuyId>,
    pub state: Option<OrderState>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Area(Area),
    Household(HouseholdId),
    GroupBuy(GroupBuyId),
    State(Area, OrderState),
}

#[derive(Debug, Default)]
pub(crate) struct OrderBook {
    by_id: BTreeMap<OrderId, Order>,
    index: Index<Scope, OrderId>,
    /// What `evolve` saw happen against an invariant, by stream.
    pub(crate) breaches: BTreeMap<(Invariant, String), String>,
}

impl OrderBook {
    /// In the order of their ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Order> {
        self.by_id.values()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Order> {
        self.by_id.get(id)
    }

    pub(crate) fn list<'a>(
        &'a self,
        area: &Area,
        filter: OrderFilter,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Order> + use<'a> {
        let area = area.clone();
        let scope = match &filter {
            OrderFilter {
                household_id: Some(id),
                ..
            } => Scope::Household(id.clone()),
            OrderFilter {
                group_buy_id: Some(id),
                ..
            } => Scope::GroupBuy(id.clone()),
            OrderFilter {
                state: Some(state), ..
            } => Scope::State(area.clone(), *state),
            _ => Scope::Area(area.clone()),
        };
        self.index
            .after(&scope, after)
            .filter_map(|id| self.by_id.get(id))
            .filter(move |order| {
                order.area == area
                    && filter
                        .group_buy_id
                        .as_ref()
                        .is_none_or(|id| order.group_buy_id.as_ref() == Some(id))
                    && filter.state.is_none_or(|state| order.state == state)
            })
    }

    pub(crate) fn of_household(&self, id: &HouseholdId) -> impl Iterator<Item = &Order> {
        self.index
            .after(&Scope::Household(id.clone()), None)
            .filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn violations(&self) -> impl Iterator<Item = Violation> {
        self.breaches
            .iter()
            .map(|((invariant, entity), detail)| Violation {
                invariant: *invariant,
                entity: entity.clone(),
                detail: detail.clone(),
            })
    }

    /// Notes it once; the first detail stays.
    pub(crate) fn breach(&mut self, invariant: Invariant, order_id: &str, detail: String) {
        self.breaches
            .entry((invariant, format!("order/{order_id}")))
            .or_insert(detail);
    }

    pub(crate) fn placed(
        &mut self,
        record: &Recorded<OrderEvent>,
        event: &OrderPlaced,
        household: Option<&Household>,
    ) -> bool {
        let id = OrderId::from(event.order_id.as_str());
        if self.by_id.contains_key(&id) {
            return false;
        }
        let door = event.door.clone().unwrap_or_default();
        // A household does not move: its orders share its door.
        let door = match household {
            Some(household) if *household.door == door => household.door.clone(),
            _ => Arc::new(door),
        };
        let group_buy_id =
            (!event.group_buy_id.is_empty()).then(|| event.group_buy_id.as_str().into());
        let order = Order {
            order_id: id,
            area: record.area.clone(),
            household_id: event.household_id.as_str().into(),
            door,
            lines: event.lines.clone(),
            short: vec![],
            channel: event.channel(),
            group_buy_id,
            placed_by: event.placed_by.clone(),
            state: OrderState::Placed,
            reason: String::new(),
            placed: record.occurred,
            updated: record.occurred,
            delivered: None,
            revision: record.revision,
            released: false,
            confirmed: false,
            deliveries: 0,
        };
        self.put(order);
        true
    }

    pub(crate) fn put(&mut self, order: Order) {
        let id = &order.order_id;
        let scopes = [
            Some(Scope::Area(order.area.clone())),
            Some(Scope::Household(order.household_id.clone())),
            Some(Scope::State(order.area.clone(), order.state)),
            order.group_buy_id.clone().map(Scope::GroupBuy),
        ];
        for scope in scopes.into_iter().flatten() {
            self.index.insert(scope, id.clone());
        }
        self.by_id.insert(id.clone(), order);
    }

    /// Changes an order and keeps its place in the lists. Gives the order as it
    /// is then, and the state in which it was.
    pub(crate) fn change(
        &mut self,
        record: &Recorded<OrderEvent>,
        id: &str,
        change: impl FnOnce(&mut Order),
    ) -> Option<(&Order, OrderState)> {
        let order = self.by_id.get_mut(id)?;
        let was = order.state;
        order.revision = record.revision;
        order.updated = record.occurred;
        change(order);
        if order.state != was {
            let scope = |state| Scope::State(order.area.clone(), state);
            self.index.remove(&scope(was), &order.order_id);
            self.index
                .insert(scope(order.state), order.order_id.clone());
        }
        Some((order, was))
    }
}

pub(crate) fn place(
    state: &State,
    asked: &PlaceOrder,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let household = state.households.known(&context.area, &asked.household_id)?;
    let channel = match asked.intake {
        Intake::GroupBuy(_) => Channel::GroupBuy,
        Intake::Phone => Channel::Phone,
        Intake::Door => Channel::Door,
        Intake::Chat => Channel::Chat,
    };
    let order_id = context.new_id(0);
    let mut placed = OrderPlaced {
        order_id: order_id.clone(),
        household_id: (&household.household_id).into(),
        door: Some(household.door.as_ref().clone()),
        lines: asked.lines.clone(),
        channel: channel.into(),
        group_buy_id: String::new(),
        placed_by: asked.placed_by.clone(),
    };
    let Intake::GroupBuy(group_buy_id) = &asked.intake else {
        let released = OrderReleased {
            order_id,
            household_id: placed.household_id.clone(),
            door: placed.door.clone(),
            lines: placed.lines.clone(),
            cadre_id: (&household.cadre_id).into(),
        };
        return Ok(vec![placed.into(), released.into()]);
    };
    let group_buy = state.group_buys.known(&context.area, group_buy_id)?;
    let closing = joining::join(group_buy, household, asked, context.now)?;
    placed.group_buy_id = group_buy_id.into();
    Ok([placed.into()].into_iter().chain(closing).collect())
}

/// An order can be cancelled until it is out for delivery. Where a run starts
/// at the same moment, logistics has the last word: see `fulfilment`.
pub(crate) fn cancel(
    state: &State,
    order_id: &OrderId,
    note: &str,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let order = state
        .orders
        .get(order_id.as_str())
        .filter(|order| order.area == context.area)
        .ok_or_else(|| Rejection::OrderUnknown {
            order_id: order_id.clone(),
            area: context.area.clone(),
        })?;
    match order.state {
        OrderState::Cancelled => Ok(vec![]),
        OrderState::Placed
        | OrderState::Released
        | OrderState::Confirmed
        | OrderState::PartiallyConfirmed
        | OrderState::Ready => Ok(vec![
            OrderCancelled {
                order_id: order_id.into(),
                reason: cancel_reason(context).into(),
                note: note.to_owned(),
                household_id: (&order.household_id).into(),
            }
            .into(),
        ]),
        _ => Err(Rejection::TooLateToCancel {
            order_id: order_id.clone(),
            state: order.state,
        }),
    }
}

/// The household's wish, said itself or through somebody who acts for it, or
/// an operator's decision, of which the household must be told.
fn cancel_reason(context: &Context) -> CancelReason {
    let actor = &context.actor;
    if actor.role == Role::Resident || !actor.on_behalf_of.is_empty() {
        CancelReason::Customer
    } else {
        CancelReason::Operator
    }
}
