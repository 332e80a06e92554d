//! The state as it is written: its entities in the order of their ids, each
//! once. Lists, timers and what is shared are made anew on reading.

use decider::table::Table;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    book::OrderBook,
    contingency::Contingencies,
    group_buy::{GroupBuy, GroupBuys},
    household::{Household, Households},
    state::State,
};

#[derive(Serialize)]
struct Written<'a> {
    contingencies: &'a Contingencies,
    households: &'a Table<Household>,
    group_buys: &'a Table<GroupBuy>,
    orders: &'a OrderBook,
}

#[derive(Deserialize)]
struct Read {
    contingencies: Contingencies,
    households: Vec<Household>,
    group_buys: Vec<GroupBuy>,
    orders: OrderBook,
}

impl State {
    /// What is written of it, and nothing else.
    pub(crate) fn frozen(&mut self) -> Self {
        Self {
            contingencies: self.contingencies.clone(),
            households: self.households.frozen(),
            group_buys: self.group_buys.frozen(),
            orders: self.orders.frozen(),
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written {
            contingencies: &self.contingencies,
            households: self.households.table(),
            group_buys: self.group_buys.table(),
            orders: &self.orders,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut read = Read::deserialize(deserializer)?;
        let mut households = Households::default();
        for household in read.households {
            households.put(household);
        }
        let mut group_buys = GroupBuys::default();
        for group_buy in read.group_buys {
            group_buys.put(group_buy);
        }
        read.orders.store.share_with(households.table());
        Ok(Self {
            contingencies: read.contingencies,
            households,
            group_buys,
            orders: read.orders,
        })
    }
}
