//! All orders, and the lists of them. Who asks for a state's list gets it from
//! the few orders that are on the way, or from those that ended in that state:
//! so a step on the way changes no list.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use decider::{
    Area, Invariant, Names, Recorded, Violation,
    table::{Roll, Row, Table},
};
use proto::{
    OrderEvent,
    order::v1::{OrderPlaced, OrderState},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    compact::DoorCodes,
    household::Household,
    ids::{GroupBuyId, HouseholdId, OrderId},
    index::Index,
    lines::Lines,
    order::Order,
    store::{Glance, Listed, OrderStore, Slot},
};

/// Which orders of an area; none means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    pub household_id: Option<HouseholdId>,
    pub group_buy_id: Option<GroupBuyId>,
    pub state: Option<OrderState>,
}

#[derive(Debug, Default)]
pub(crate) struct OrderBook {
    pub(crate) store: OrderStore,
    areas: BTreeMap<Area, Lists>,
    by_group_buy: Index<GroupBuyId>,
    /// What `evolve` saw happen against an invariant, by stream.
    pub(crate) breaches: BTreeMap<(Invariant, String), String>,
}

/// The orders of an area.
#[derive(Debug, Default)]
struct Lists {
    all: Roll,
    on_the_way: BTreeSet<OrderId>,
    ended: BTreeMap<OrderState, Roll>,
}

impl Lists {
    fn enter(&mut self, table: &Table<Slot>, row: Row, state: OrderState) {
        if is_end(state) {
            self.ended.entry(state).or_default().insert(table, row);
        } else {
            self.on_the_way.insert(table[row].order_id.clone());
        }
    }

    /// Takes an order out of where it was as it was in `state`.
    fn leave(&mut self, table: &Table<Slot>, row: Row, state: OrderState) {
        if !is_end(state) {
            self.on_the_way.remove(&table[row].order_id);
        } else if let Some(roll) = self.ended.get_mut(&state) {
            roll.remove(table, row);
            if roll.is_empty() {
                self.ended.remove(&state);
            }
        }
    }
}

/// In which orders stay, as a rule.
const fn is_end(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Collected | OrderState::Returned | OrderState::Rejected | OrderState::Cancelled
    )
}

type Slots<'a> = Box<dyn Iterator<Item = &'a Slot> + 'a>;

impl OrderBook {
    /// Only to be written.
    pub(crate) fn frozen(&mut self) -> Self {
        Self {
            store: self.store.frozen(),
            breaches: self.breaches.clone(),
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, id: &OrderId) -> Option<Cow<'_, Order>> {
        self.store.get(id)
    }

    pub(crate) fn list<'a>(
        &'a self,
        area: &Area,
        filter: OrderFilter,
        after: Option<&str>,
    ) -> impl Iterator<Item = Cow<'a, Order>> + use<'a> {
        let area = area.clone();
        self.narrowest(&area, &filter, after.map(OrderId::from))
            .map(|slot| self.store.look(slot))
            .filter(move |order| {
                order.area == area
                    && filter
                        .group_buy_id
                        .as_ref()
                        .is_none_or(|id| order.group_buy_id.as_ref() == Some(id))
                    && filter.state.is_none_or(|state| order.state == state)
            })
    }

    /// Not all of it need pass the filter.
    fn narrowest(&self, area: &Area, filter: &OrderFilter, after: Option<OrderId>) -> Slots<'_> {
        let (table, behind) = (&self.store.table, after.as_ref());
        if let Some(id) = &filter.household_id {
            let orders = self.store.customer(id).map(|one| &one.orders);
            let orders = orders.map(|roll| roll.after(table, behind));
            return Box::new(orders.into_iter().flatten());
        }
        if let Some(id) = &filter.group_buy_id {
            return Box::new(self.by_group_buy.after(table, id, behind));
        }
        let Some(lists) = self.areas.get(area) else {
            return Box::new(std::iter::empty());
        };
        match filter.state {
            None => Box::new(lists.all.after(table, behind)),
            Some(state) if is_end(state) => {
                let roll = lists.ended.get(&state).into_iter();
                Box::new(roll.flat_map(move |roll| roll.after(table, after.as_ref())))
            }
            Some(_) => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let ids = lists.on_the_way.range((from, Bound::Unbounded));
                Box::new(ids.filter_map(|id| table.get(id)))
            }
        }
    }

    pub(crate) fn of_household(&self, id: &HouseholdId) -> impl Iterator<Item = Cow<'_, Order>> {
        self.glances(id).map(|glance| self.store.at(glance.row))
    }

    /// The household's orders at a glance, the oldest first.
    pub(crate) fn glances(&self, id: &HouseholdId) -> impl Iterator<Item = Glance> {
        let orders = self.store.customer(id).map(|one| &one.orders);
        let rows = orders.into_iter().flat_map(Roll::rows);
        rows.map(|row| self.store.glance(row))
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
        household: Option<(Row, &Household)>,
    ) -> bool {
        let order_id = OrderId::from(event.order_id.as_str());
        let table = &self.store.table;
        if !table.is_behind_all(&order_id) && table.find(&order_id).is_some() {
            return false;
        }
        let (row, household) = household.unzip();
        // A household does not move: its orders share its door, and its id.
        let door = match (household, &event.door) {
            (Some(household), Some(door)) if household.door == *door => household.door.clone(),
            (_, Some(door)) => DoorCodes::from(door),
            (_, None) => DoorCodes::default(),
        };
        let household_id = household.map_or_else(
            || event.household_id.as_str().into(),
            |household| household.household_id.clone(),
        );
        let group_buy_id =
            (!event.group_buy_id.is_empty()).then(|| event.group_buy_id.as_str().into());
        let names = &mut self.store.names;
        let (placed_by, reason) = (names.get(&event.placed_by), names.get(""));
        let order = Order {
            order_id,
            area: record.area.clone(),
            household_id,
            door,
            lines: Lines::from(&*event.lines),
            short: Lines::default(),
            channel: event.channel(),
            group_buy_id,
            placed_by,
            state: OrderState::Placed,
            reason,
            placed: record.occurred,
            updated: record.occurred,
            delivered: None,
            revision: record.revision,
            released: false,
            confirmed: false,
            deliveries: 0,
        };
        let row = self.store.insert(order, row);
        self.enlist(row, self.store.listed(row));
        true
    }

    /// Into the lists, as the order is.
    fn enlist(&mut self, row: Row, listed: Listed) {
        let lists = self.areas.entry(listed.area).or_default();
        lists.all.insert(&self.store.table, row);
        lists.enter(&self.store.table, row, listed.state);
        if let Some(id) = listed.group_buy_id {
            self.by_group_buy.insert(&self.store.table, id, row);
        }
    }

    /// Changes an order and keeps its place in the lists. Gives its row, and
    /// the states in which it was and is.
    pub(crate) fn change(
        &mut self,
        record: &Recorded<OrderEvent>,
        id: &str,
        change: impl FnOnce(&mut Order, &mut Names),
    ) -> Option<(Row, OrderState, OrderState)> {
        let row = self.store.find(&OrderId::from(id))?;
        let (was, is) = self.store.change(row, |order, names| {
            order.revision = record.revision;
            order.updated = record.occurred;
            change(order, names);
        });
        if is != was
            && (is_end(is) || is_end(was))
            && let Some(lists) = self.areas.get_mut(&self.store.listed(row).area)
        {
            lists.leave(&self.store.table, row, was);
            lists.enter(&self.store.table, row, is);
        }
        Some((row, was, is))
    }
}

impl Serialize for OrderBook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let breaches: Vec<_> = self.breaches.iter().collect();
        (&self.store, breaches).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OrderBook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (store, breaches): (_, Vec<_>) = Deserialize::deserialize(deserializer)?;
        let mut book = Self {
            store,
            breaches: breaches.into_iter().collect(),
            ..Self::default()
        };
        for row in book.store.table.all_rows() {
            let listed = book.store.listed(row);
            book.enlist(row, listed);
        }
        Ok(book)
    }
}
