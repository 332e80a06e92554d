//! All orders by id. Those that move are kept as they are; one that has come to
//! rest is packed, since a state keeps all that there ever were and hardly ever
//! looks at most of them: it takes about 100 bytes with all that belongs to it.
//! It is unpacked for who asks for it.

mod written;

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use decider::{
    Area, Names, Timestamp,
    shelf::{Place, Shelf},
    table::{Entity, Roll, Row, Table},
};
use proto::order::v1::OrderState;

use crate::{
    compact::DoorCodes,
    ids::{GroupBuyId, HouseholdId, OrderId},
    lines::Lines,
    order::Order,
    packing::{Numbers, Packed},
};

#[derive(Default)]
pub(crate) struct OrderStore {
    pub(crate) table: Table<Slot>,
    shelf: Shelf,
    /// Who placed an order, reasons, and group buys.
    pub(crate) names: Names,
    areas: Vec<Area>,
    area_numbers: BTreeMap<Area, u32>,
    customers: Table<Customer>,
    /// By the row of a registered household, where its customer was looked for
    /// before: the row of that. Not written, and never asked for what is not
    /// found without it.
    customer_rows: Vec<Option<Row>>,
    /// Memory that is used again and again.
    packing: Vec<u8>,
}

/// Where an order is.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) order_id: OrderId,
    form: Form,
}

#[derive(Clone)]
enum Form {
    Moving(Arc<Moving>),
    Resting(Place),
}

#[derive(Clone)]
struct Moving {
    order: Order,
    numbers: Numbers,
}

impl Entity for Slot {
    type Id = OrderId;

    fn id(&self) -> &OrderId {
        &self.order_id
    }
}

/// A household that has orders, registered or not.
#[derive(Clone)]
pub(crate) struct Customer {
    pub(crate) household_id: HouseholdId,
    /// That of its first order.
    pub(crate) door: DoorCodes,
    pub(crate) orders: Roll,
}

impl Entity for Customer {
    type Id = HouseholdId;

    fn id(&self) -> &HouseholdId {
        &self.household_id
    }
}

/// What most questions about many orders need to know of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glance {
    pub(crate) row: Row,
    pub(crate) state: OrderState,
    pub(crate) updated: Timestamp,
    pub(crate) delivered: Option<Timestamp>,
}

/// What says in which lists an order is.
pub(crate) struct Listed {
    pub(crate) area: Area,
    pub(crate) state: OrderState,
    pub(crate) group_buy_id: Option<GroupBuyId>,
}

/// In which an order is left alone, as a rule: changing it means unpacking it.
const fn rests(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Delivered
            | OrderState::Collected
            | OrderState::Returned
            | OrderState::Rejected
            | OrderState::Cancelled
    )
}

impl OrderStore {
    pub(crate) fn find(&self, id: &OrderId) -> Option<Row> {
        self.table.find(id)
    }

    pub(crate) fn get(&self, id: &OrderId) -> Option<Cow<'_, Order>> {
        self.find(id).map(|row| self.at(row))
    }

    /// # Panics
    /// The row is another store's.
    pub(crate) fn at(&self, row: Row) -> Cow<'_, Order> {
        self.look(&self.table[row])
    }

    pub(crate) fn look<'a>(&'a self, slot: &'a Slot) -> Cow<'a, Order> {
        match &slot.form {
            Form::Moving(moving) => Cow::Borrowed(&moving.order),
            Form::Resting(place) => Cow::Owned(self.unpack(&slot.order_id, *place).order),
        }
    }

    pub(crate) fn glance(&self, row: Row) -> Glance {
        match &self.table[row].form {
            Form::Moving(moving) => Glance {
                row,
                state: moving.order.state,
                updated: moving.order.updated,
                delivered: moving.order.delivered,
            },
            Form::Resting(place) => {
                let order = self.packed(*place);
                Glance {
                    row,
                    state: order.state,
                    updated: order.updated,
                    delivered: order.delivered,
                }
            }
        }
    }

    /// # Panics
    /// The row is another store's.
    pub(crate) fn listed(&self, row: Row) -> Listed {
        match &self.table[row].form {
            Form::Moving(moving) => Listed {
                area: moving.order.area.clone(),
                state: moving.order.state,
                group_buy_id: moving.order.group_buy_id.clone(),
            },
            Form::Resting(place) => {
                let order = self.packed(*place);
                let group_buy = order.numbers.group_buy;
                let group_buy = group_buy.and_then(|number| self.names.at(number));
                Listed {
                    area: self.areas[order.numbers.area as usize].clone(),
                    state: order.state,
                    group_buy_id: group_buy.cloned().map(GroupBuyId::from),
                }
            }
        }
    }

    pub(crate) fn customer(&self, id: &HouseholdId) -> Option<&Customer> {
        self.customers.get(id)
    }

    /// Adds an order that is not there yet, of a household whose row among the
    /// registered is known, or of one that is not registered.
    pub(crate) fn insert(&mut self, order: Order, household: Option<Row>) -> Row {
        let customer = self.customer_of(&order, household);
        let numbers = Numbers {
            area: self.area_number(order.area.clone()),
            household: customer.number(),
            placed_by: self.names.number(&order.placed_by),
            reason: self.names.number(&order.reason),
            group_buy: order
                .group_buy_id
                .as_ref()
                .map(|id| self.names.number(id.as_str())),
        };
        let order_id = order.order_id.clone();
        let moving = Moving { order, numbers };
        let form = self.rested(&moving, None);
        let form = form.unwrap_or_else(|| Form::Moving(Arc::new(moving)));
        let row = self.table.insert(Slot { order_id, form });
        let orders = &mut self.customers.at_mut(customer).orders;
        orders.insert(&self.table, row);
        row
    }

    /// Changes anything of an order but what it was placed with. Gives the
    /// states in which it was and is.
    ///
    /// # Panics
    /// The row is another store's.
    pub(crate) fn change(
        &mut self,
        row: Row,
        change: impl FnOnce(&mut Order, &mut Names),
    ) -> (OrderState, OrderState) {
        let change = |moving: &mut Moving, names: &mut Names| {
            let was = moving.order.state;
            change(&mut moving.order, names);
            moving.numbers.reason = names.number(&moving.order.reason);
            (was, moving.order.state)
        };
        let (states, form) = match &mut self.table.at_mut(row).form {
            Form::Moving(shared) => {
                let moving = Arc::make_mut(shared);
                let states = change(moving, &mut self.names);
                if !rests(states.1) {
                    return states;
                }
                let moving = Arc::clone(shared);
                match self.rested(&moving, None) {
                    Some(form) => (states, form),
                    None => return states,
                }
            }
            Form::Resting(place) => {
                let place = *place;
                let mut moving = self.unpack(&self.table[row].order_id, place);
                let states = change(&mut moving, &mut self.names);
                let form = self.rested(&moving, Some(place));
                (
                    states,
                    form.unwrap_or_else(|| Form::Moving(Arc::new(moving))),
                )
            }
        };
        self.table.at_mut(row).form = form;
        states
    }

    /// Packs an order, where there is room in the place where it was before. None
    /// where it still moves, or is too long for a shelf: it is kept as it is.
    fn rested(&mut self, moving: &Moving, before: Option<Place>) -> Option<Form> {
        if !rests(moving.order.state) {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.packing);
        bytes.clear();
        self.pack(&moving.order, moving.numbers).put(&mut bytes);
        let place = match before {
            Some(place) => self.shelf.replace(place, &bytes),
            None => self.shelf.put(&bytes),
        };
        self.packing = bytes;
        place.map(Form::Resting)
    }

    /// With the numbers of this store.
    fn pack<'a>(&self, order: &'a Order, numbers: Numbers) -> Packed<'a> {
        let customer = self.customers.row(numbers.household);
        let own_door = customer.is_none_or(|row| self.customers[row].door != order.door);
        Packed::of(order, numbers, own_door)
    }

    fn packed(&self, place: Place) -> Packed<'_> {
        Packed::read(self.shelf.get(place)).expect("what was packed, or checked on reading")
    }

    fn unpack(&self, order_id: &OrderId, place: Place) -> Moving {
        let packed = self.packed(place);
        Moving {
            order: self
                .order(order_id, &packed)
                .expect("its numbers are ours, or were checked on reading"),
            numbers: packed.numbers,
        }
    }

    /// Only to be written.
    pub(crate) fn frozen(&mut self) -> Self {
        Self {
            table: self.table.frozen(),
            shelf: self.shelf.clone(),
            names: self.names.clone(),
            areas: self.areas.clone(),
            area_numbers: self.area_numbers.clone(),
            customers: self.customers.frozen(),
            ..Self::default()
        }
    }

    /// Whether they all stand for something here.
    fn knows(&self, numbers: Numbers) -> bool {
        let name = |number| self.names.at(number).is_some();
        self.areas.len() > numbers.area as usize
            && self.customers.row(numbers.household).is_some()
            && name(numbers.placed_by)
            && name(numbers.reason)
            && numbers.group_buy.is_none_or(name)
    }

    /// None where its numbers are not this store's.
    fn order(&self, order_id: &OrderId, packed: &Packed<'_>) -> Option<Order> {
        let numbers = packed.numbers;
        let name = |number| self.names.at(number).cloned();
        let customer = &self.customers[self.customers.row(numbers.household)?];
        Some(Order {
            order_id: order_id.clone(),
            area: self.areas.get(numbers.area as usize)?.clone(),
            household_id: customer.household_id.clone(),
            door: match packed.door {
                Some(door) => DoorCodes::from_bytes(door),
                None => customer.door.clone(),
            },
            lines: Lines::from_bytes(packed.lines),
            short: Lines::from_bytes(packed.short),
            channel: packed.channel,
            group_buy_id: match numbers.group_buy {
                Some(number) => Some(name(number)?.into()),
                None => None,
            },
            placed_by: name(numbers.placed_by)?,
            state: packed.state,
            reason: name(numbers.reason)?,
            placed: packed.placed,
            updated: packed.updated,
            delivered: packed.delivered,
            revision: packed.revision,
            released: packed.released,
            confirmed: packed.confirmed,
            deliveries: packed.deliveries,
        })
    }

    fn area_number(&mut self, area: Area) -> u32 {
        let areas = &mut self.areas;
        *self.area_numbers.entry(area).or_insert_with_key(|area| {
            areas.push(area.clone());
            // There are fewer areas than rows.
            areas.len() as u32 - 1
        })
    }

    fn customer_of(&mut self, order: &Order, household: Option<Row>) -> Row {
        let at = household.map(|row| row.number() as usize);
        if let Some(row) = at.and_then(|at| *self.customer_rows.get(at)?) {
            return row;
        }
        let row = match self.customers.find(&order.household_id) {
            Some(row) => row,
            None => self.customers.insert(Customer {
                household_id: order.household_id.clone(),
                door: order.door.clone(),
                orders: Roll::default(),
            }),
        };
        if let Some(at) = at {
            if self.customer_rows.len() <= at {
                self.customer_rows.resize(at + 1, None);
            }
            self.customer_rows[at] = Some(row);
        }
        row
    }
}

/// Every order in full, in the order of their ids.
impl fmt::Debug for OrderStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.table.sorted_rows();
        f.debug_list()
            .entries(rows.into_iter().map(|row| self.at(row)))
            .finish()
    }
}
