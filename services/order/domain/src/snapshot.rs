//! The state as it is written: its entities in the order of their ids, each
//! once. Lists, timers and what is shared are made anew on reading.

use decider::{Invariant, table::Table};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    book::OrderBook,
    compact::DoorCodes,
    contingency::Contingencies,
    group_buy::{GroupBuy, GroupBuys},
    household::{Household, Households},
    order::Order,
    state::State,
};

#[derive(Serialize)]
struct Written<'a> {
    contingencies: &'a Contingencies,
    households: &'a Table<Household>,
    group_buys: &'a Table<GroupBuy>,
    /// With the door where it is not the household's.
    orders: Vec<(&'a Order, Option<&'a DoorCodes>)>,
    breaches: Vec<(&'a (Invariant, String), &'a String)>,
}

#[derive(Deserialize)]
struct Read {
    contingencies: Contingencies,
    households: Vec<Household>,
    group_buys: Vec<GroupBuy>,
    orders: Vec<(Order, Option<DoorCodes>)>,
    breaches: Vec<((Invariant, String), String)>,
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own_door = |order: &Order| {
            let household = self.households.get(order.household_id.as_str());
            household.is_some_and(|household| household.door == order.door)
        };
        Written {
            contingencies: &self.contingencies,
            households: self.households.table(),
            group_buys: self.group_buys.table(),
            orders: self
                .orders
                .table()
                .sorted()
                .into_iter()
                .map(|order| (order, (!own_door(order)).then_some(&order.door)))
                .collect(),
            breaches: self.orders.breaches.iter().collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
        let mut households = Households::default();
        for household in read.households {
            households.put(household);
        }
        let mut group_buys = GroupBuys::default();
        for group_buy in read.group_buys {
            group_buys.put(group_buy);
        }
        let mut orders = OrderBook::default();
        for (mut order, door) in read.orders {
            let household = households.get(order.household_id.as_str());
            order.door = match (door, household) {
                (Some(door), _) => door,
                (None, Some(household)) => household.door.clone(),
                (None, None) => DoorCodes::default(),
            };
            orders.put_read(order, household);
        }
        orders.breaches = read.breaches.into_iter().collect();
        Ok(Self {
            contingencies: read.contingencies,
            households,
            group_buys,
            orders,
        })
    }
}
