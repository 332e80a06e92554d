//! Goods on trunk routes: which order's wait for their window, and which are
//! on a load. Each stands in exactly one place (INV-03); what reached the
//! checkpoint, or went back, is not here any more.
//!
//! Windows and timers follow from the goods and the routes; they are kept up
//! with them and not written.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use decider::{Area, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Shipment,
    packing::{self, Item},
    timers::{self, Deadline},
};
use crate::units::Grams;

/// One order's goods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goods {
    pub order_id: String,
    pub area: Area,
    pub route_id: String,
    pub weight: Grams,
    /// Each once.
    pub products: Vec<String>,
    /// What they take in the manifest.
    pub bytes: usize,
    /// Since when they are where they are.
    pub since: Timestamp,
    pub place: Where,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Where {
    /// Until their window ends; none where the route has no window any more.
    Waiting(Option<Timestamp>),
    /// The id of the shipment.
    On(String),
}

/// Area, checkpoint, and when it ends.
pub(crate) type WindowKey = (Area, String, Timestamp);

/// In the order in which loads are filled: route by route, so that a load has
/// few pickups; the heaviest first.
type Place = (String, Reverse<Grams>, String);

/// Goods of all routes to one checkpoint that are gathered until one moment.
#[derive(Debug, Default)]
pub(crate) struct Window {
    orders: BTreeSet<Place>,
    weight: Grams,
    timer: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub all: BTreeMap<String, Goods>,
    windows: BTreeMap<WindowKey, Window>,
    /// Order ids by shipment.
    on: BTreeMap<String, BTreeSet<String>>,
    /// Since when shipments owe the checkpoint their parcels.
    owing: BTreeMap<String, Timestamp>,
}

impl Book {
    /// In the order of their ids.
    pub fn on(&self, shipment_id: &str) -> impl Iterator<Item = &Goods> {
        let ids = self.on.get(shipment_id).into_iter().flatten();
        ids.filter_map(|id| self.all.get(id))
    }

    /// Shipments that have goods.
    pub fn shipments(&self) -> impl Iterator<Item = &String> {
        self.on.keys()
    }
}

impl Freight {
    /// The load that an order's goods are on.
    pub(crate) fn load_of(&self, order_id: &str) -> Option<(&Goods, Cow<'_, Shipment>)> {
        let goods = self.goods.all.get(order_id)?;
        match &goods.place {
            Where::On(shipment_id) => Some((goods, self.shipments.get(shipment_id)?)),
            Where::Waiting(_) => None,
        }
    }

    /// Goods that come, or come back, at `now`: they wait for the next window
    /// of their route. Without an open route they stay with their holder.
    pub(crate) fn wait(&mut self, goods: Goods, now: Timestamp) {
        let open = self
            .routes
            .get(&goods.route_id)
            .filter(|r| r.closed.is_none());
        match open.map(|route| route.plan.window(now)) {
            Some(window) => self.put(goods, Where::Waiting(window), now),
            None => drop(self.take_goods(&goods.order_id)),
        }
    }

    pub(crate) fn put(&mut self, mut goods: Goods, place: Where, now: Timestamp) {
        self.take_goods(&goods.order_id);
        goods.place = place;
        goods.since = now;
        self.add_goods(goods);
    }

    /// As they were written.
    pub(crate) fn add_goods(&mut self, goods: Goods) {
        if let Where::On(shipment_id) = &goods.place {
            let on = self.goods.on.entry(shipment_id.clone()).or_default();
            on.insert(goods.order_id.clone());
        }
        let key = self.window_of(&goods);
        if let Some(key) = &key {
            let window = self.goods.windows.entry(key.clone()).or_default();
            window.weight = window.weight.plus(goods.weight);
            window.orders.insert(place(&goods));
        }
        let shipment = match &goods.place {
            Where::On(shipment_id) => Some(shipment_id.clone()),
            Where::Waiting(_) => None,
        };
        self.goods.all.insert(goods.order_id.clone(), goods);
        if let Some(key) = key {
            self.time_window(&key);
        }
        if let Some(shipment_id) = shipment {
            self.time_owing(&shipment_id);
        }
    }

    /// They are not on their way any more.
    pub(crate) fn take_goods(&mut self, order_id: &str) -> Option<Goods> {
        let goods = self.goods.all.remove(order_id)?;
        if let Where::On(shipment_id) = &goods.place
            && let Some(on) = self.goods.on.get_mut(shipment_id)
        {
            on.remove(order_id);
            if on.is_empty() {
                self.goods.on.remove(shipment_id);
            }
            self.time_owing(shipment_id);
        }
        if let Some(key) = self.window_of(&goods)
            && let Some(window) = self.goods.windows.get_mut(&key)
        {
            window.orders.remove(&place(&goods));
            // Counted anew, since a sum that was cut off cannot be undone.
            let all = &self.goods.all;
            let orders = window.orders.iter();
            window.weight = if window.weight == Grams(i64::MAX) {
                orders
                    .filter_map(|(.., id)| all.get(id))
                    .map(|g| g.weight)
                    .sum()
            } else {
                window.weight.minus(goods.weight)
            };
            self.time_window(&key);
        }
        Some(goods)
    }

    /// All that wait on a route, taken out.
    pub(crate) fn take_waiting(&mut self, route_id: &str) -> Vec<Goods> {
        let waiting =
            self.goods.all.values().filter(|goods| {
                goods.route_id == route_id && matches!(goods.place, Where::Waiting(_))
            });
        let ids: Vec<String> = waiting.map(|goods| goods.order_id.clone()).collect();
        ids.iter().filter_map(|id| self.take_goods(id)).collect()
    }

    /// All that are on a shipment and that `which` wants back to their routes.
    pub(crate) fn unload(
        &mut self,
        shipment_id: &str,
        now: Timestamp,
        which: impl Fn(&Goods) -> bool,
    ) {
        let wanted = self.goods.on(shipment_id).filter(|goods| which(goods));
        let wanted: Vec<Goods> = wanted.cloned().collect();
        for goods in wanted {
            self.wait(goods, now);
        }
    }

    /// The window in which goods wait. Those that no load may carry are in
    /// none, and are listed.
    fn window_of(&self, goods: &Goods) -> Option<WindowKey> {
        let Where::Waiting(Some(end)) = goods.place else {
            return None;
        };
        let plan = &self.routes.get(&goods.route_id)?.plan;
        let fits = goods.weight <= plan.weight_max;
        fits.then(|| (goods.area.clone(), plan.destination.place_id.clone(), end))
    }

    /// What waits in a window, in the order in which loads are filled.
    pub(crate) fn items(&self, key: &WindowKey) -> impl Iterator<Item = Item<'_>> {
        let orders = self.goods.windows.get(key).map(|window| &window.orders);
        orders
            .into_iter()
            .flatten()
            .filter_map(|(route_id, _, id)| {
                Some(Item {
                    goods: self.goods.all.get(id)?,
                    plan: &self.routes.get(route_id)?.plan,
                })
            })
    }

    /// When loads are made of a window's goods: at its end, or at once when
    /// they fill one.
    fn time_window(&mut self, key: &WindowKey) {
        let Some(window) = self.goods.windows.get(key) else {
            return;
        };
        let timer = if window.orders.is_empty() {
            None
        } else if self.fills_a_load(key, window.weight) {
            let since = self.items(key).map(|item| item.goods.since);
            Some(since.max().unwrap_or(key.2).min(key.2))
        } else {
            Some(key.2)
        };
        let deadline = |at| (at, Deadline::Window(key.0.clone(), key.1.clone(), key.2));
        let before = window.timer.map(deadline);
        timers::replace(&mut self.deadlines, [before], [timer.map(deadline)]);
        match (timer, self.goods.windows.get_mut(key)) {
            (Some(_), Some(window)) => window.timer = timer,
            _ => drop(self.goods.windows.remove(key)),
        }
    }

    fn fills_a_load(&self, key: &WindowKey, weight: Grams) -> bool {
        let Some(first) = self.items(key).next() else {
            return false;
        };
        let many = self.goods.windows.get(key).map_or(0, |w| w.orders.len());
        let may = weight >= first.plan.weight_max
            || many >= first.plan.orders_max
            || many >= packing::ORDERS_OF_MANY_BYTES;
        may && packing::fill(self.items(key), None, true).is_full
    }

    /// Whether loads are to be made of the window's goods by now.
    pub(crate) fn is_window_due(&self, key: &WindowKey, now: Timestamp) -> bool {
        let window = self.goods.windows.get(key);
        window.is_some_and(|window| window.timer.is_some_and(|at| at <= now))
    }

    /// A shipment that was handed over, or lost, owes the checkpoint the
    /// parcels that it had: each is received, with what is missing of it.
    pub(crate) fn time_owing(&mut self, shipment_id: &str) {
        let over = |shipment: Cow<'_, Shipment>| {
            let handed_over = shipment.handover.as_ref().and_then(|h| h.at);
            handed_over.or(shipment.ended.filter(|_| shipment.lost.is_some()))
        };
        let has_goods = self.goods.on.contains_key(shipment_id);
        let shipment = self.shipments.get(shipment_id).filter(|_| has_goods);
        let owes = shipment.and_then(over);
        let deadline = |at: Timestamp| (at, Deadline::Parcels(shipment_id.to_owned()));
        let before = self.goods.owing.get(shipment_id).copied();
        timers::replace(
            &mut self.deadlines,
            [before.map(deadline)],
            [owes.map(deadline)],
        );
        match owes {
            Some(at) => drop(self.goods.owing.insert(shipment_id.to_owned(), at)),
            None => drop(self.goods.owing.remove(shipment_id)),
        }
    }
}

fn place(goods: &Goods) -> Place {
    (
        goods.route_id.clone(),
        Reverse(goods.weight),
        goods.order_id.clone(),
    )
}
