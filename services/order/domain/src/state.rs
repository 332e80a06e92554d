//! Everything that is decided upon, and what queries may ask of it. Built by
//! `evolve` alone: there is no public way to change it.

use std::borrow::Cow;

use decider::{Area, Invariant, Recorded, StreamId, Violation, table::Row};
use proto::{
    OrderEvent,
    order::v1::{GroupBuyState, OrderPlaced, OrderState},
};

use crate::{
    book::{OrderBook, OrderFilter},
    contingency::{Contingencies, Contingency},
    coverage::{self, Coverage, Missed},
    fulfilment,
    group_buy::{GroupBuy, GroupBuys},
    household::{Household, HouseholdFilter, Households},
    ids::{CadreId, HouseholdId},
    order::Order,
};

#[derive(Debug, Default)]
pub struct State {
    pub(crate) contingencies: Contingencies,
    pub(crate) households: Households,
    pub(crate) group_buys: GroupBuys,
    pub(crate) orders: OrderBook,
}

/// Queries. What is of another area is not known; lists are in id order and
/// begin behind `after`, which need not exist.
impl State {
    /// The area's latest contingency, active or ended.
    #[must_use]
    pub fn contingency(&self, area: &Area) -> Option<&Contingency> {
        self.contingencies.get(area)
    }

    #[must_use]
    pub fn household(&self, area: &Area, id: &str) -> Option<&Household> {
        self.households.get_in(area, id)
    }

    pub fn households<'a>(
        &'a self,
        area: &Area,
        filter: HouseholdFilter,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Household> + use<'a> {
        self.households.list(area, filter, after)
    }

    #[must_use]
    pub fn household_count(&self, area: &Area) -> usize {
        self.households.count(area)
    }

    /// How many of the chosen households (all, where none is chosen) are still
    /// with the cadre: what a hand-over has left to do.
    #[must_use]
    pub fn households_still_with(
        &self,
        area: &Area,
        cadre_id: &CadreId,
        chosen: &[HouseholdId],
    ) -> usize {
        self.households.still_with(area, cadre_id, chosen)
    }

    #[must_use]
    pub fn group_buy(&self, area: &Area, id: &str) -> Option<&GroupBuy> {
        self.group_buys
            .get(id)
            .filter(|group_buy| group_buy.area == *area)
    }

    pub fn group_buys<'a>(
        &'a self,
        area: &Area,
        state: Option<GroupBuyState>,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a GroupBuy> + use<'a> {
        self.group_buys.list(area, state, after)
    }

    #[must_use]
    pub fn order(&self, area: &Area, id: &str) -> Option<Cow<'_, Order>> {
        self.orders
            .get(&id.into())
            .filter(|order| order.area == *area)
    }

    pub fn orders<'a>(
        &'a self,
        area: &Area,
        filter: OrderFilter,
        after: Option<&str>,
    ) -> impl Iterator<Item = Cow<'a, Order>> + use<'a> {
        self.orders.list(area, filter, after)
    }

    /// Orders of a household, oldest first.
    pub fn orders_of_household(&self, id: &HouseholdId) -> impl Iterator<Item = Cow<'_, Order>> {
        self.orders.of_household(id)
    }

    /// Visits every household of the area.
    #[must_use]
    pub fn coverage(&self, area: &Area) -> Coverage {
        coverage::coverage(self, area)
    }

    /// Households in need that are not served; lazy, so that a page costs what
    /// it visits.
    pub fn missed<'a>(
        &'a self,
        area: &Area,
        after: Option<&str>,
    ) -> impl Iterator<Item = Missed> + use<'a> {
        coverage::missed(self, area, after)
    }
}

impl State {
    pub(crate) fn evolve(&mut self, record: &Recorded<OrderEvent>) {
        use OrderEvent as E;
        match &record.event {
            E::ContingencyActivated(event) => self.contingencies.activated(record, event),
            E::ContingencyEnded(event) => self.contingencies.ended(record, event),
            E::HouseholdRegistered(event) => self.households.registered(record, event),
            E::HouseholdUpdated(event) => self.households.updated(record, event),
            E::HouseholdHandedOver(event) => self.households.handed_over(record, event),
            E::PersonalDataErased(event) => self.households.erased(record, event),
            E::PersonalDataKeyDestroyed(event) => self.households.key_destroyed(record, event),
            E::GroupBuyOpened(event) => self.group_buys.opened(record, event),
            E::GroupBuySucceeded(event) => {
                let id = &event.group_buy_id;
                self.group_buys.closed(record, id, GroupBuyState::Succeeded);
            }
            E::GroupBuyFailed(event) => {
                let id = &event.group_buy_id;
                self.group_buys.closed(record, id, GroupBuyState::Failed);
            }
            E::OrderPlaced(event) => self.order_placed(record, event),
            E::OrderReleased(event) => self.order_changed(record, &event.order_id),
            E::OrderConfirmed(event) => self.order_changed(record, &event.order_id),
            E::OrderPartiallyConfirmed(event) => self.order_changed(record, &event.order_id),
            E::OrderRejected(event) => self.order_changed(record, &event.order_id),
            E::OrderCancelled(event) => self.order_changed(record, &event.order_id),
            E::OrderReady(event) => self.order_changed(record, &event.order_id),
            E::OrderOutForDelivery(event) => self.order_changed(record, &event.order_id),
            E::OrderDelivered(event) => self.order_delivered(record, &event.order_id),
            E::OrderCollected(event) => self.order_changed(record, &event.order_id),
            E::OrderFailed(event) => self.order_changed(record, &event.order_id),
            E::OrderReturned(event) => self.order_changed(record, &event.order_id),
        }
    }

    fn order_placed(&mut self, record: &Recorded<OrderEvent>, event: &OrderPlaced) {
        let household = self.households.find(&event.household_id);
        if household.is_none() {
            // Nobody could be listed as served or missed for it.
            let detail = format!("placed for unknown household {}", event.household_id);
            self.orders
                .breach(Invariant::ServedOrListed, &event.order_id, detail);
        }
        if self.orders.placed(record, event, household) && !event.group_buy_id.is_empty() {
            self.group_buys.joined(event);
        }
    }

    fn order_delivered(&mut self, record: &Recorded<OrderEvent>, order_id: &str) {
        let mut wrong = None;
        let known = self.change_order(record, order_id, |order| {
            wrong = fulfilment::wrong_delivery(order);
        });
        if !known {
            wrong = Some("delivered, but never placed".to_owned());
        }
        if let Some(detail) = wrong {
            self.orders
                .breach(Invariant::DeliveredOnceAndConfirmed, order_id, detail);
        }
    }

    fn order_changed(&mut self, record: &Recorded<OrderEvent>, order_id: &str) {
        self.change_order(record, order_id, |_| ());
    }

    /// Gives whether there is such an order, and lets `look` see what it is now.
    fn change_order(
        &mut self,
        record: &Recorded<OrderEvent>,
        order_id: &str,
        look: impl FnOnce(&Order),
    ) -> bool {
        let changed = self.orders.change(record, order_id, |order, names| {
            fulfilment::apply(order, names, record);
            look(order);
        });
        let Some((row, was, is)) = changed else {
            return false;
        };
        if was == OrderState::Placed && is != OrderState::Placed {
            self.leave_group_buy(row);
        }
        true
    }

    fn leave_group_buy(&mut self, row: Row) {
        let order = self.orders.store.at(row);
        if let Some(group_buy_id) = &order.group_buy_id {
            self.group_buys
                .left(group_buy_id.as_str(), &order.order_id, &order.household_id);
        }
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        let mut found: Vec<Violation> = self.orders.violations().collect();
        found.extend(
            self.contingencies
                .active_areas()
                .filter_map(|area| self.unlisted(area)),
        );
        found
    }

    /// INV-12: the rows and the list of missed doors account for every
    /// registered household.
    fn unlisted(&self, area: &Area) -> Option<Violation> {
        let registered = self.households.count(area) as u64;
        let served = self.coverage(area).total.served_households;
        let missed = self.missed(area, None).count() as u64;
        (served + missed != registered).then(|| Violation {
            invariant: Invariant::ServedOrListed,
            entity: format!("area/{area}"),
            detail: format!("{registered} households, {served} served, {missed} listed as missed"),
        })
    }

    pub(crate) fn describe(&self, stream: &StreamId) -> Option<String> {
        let id = stream.id();
        match stream.category() {
            "area" => {
                let area = Area::new(id).ok()?;
                self.contingencies.get(&area).map(Contingency::describe)
            }
            "household" => self.households.get(id).map(Household::describe),
            "group-buy" => self.group_buys.get(id).map(GroupBuy::describe),
            "order" => self.orders.get(&id.into()).map(|order| order.describe()),
            _ => None,
        }
    }
}
