//! All orders as they are written in a snapshot, and read again.
//!
//! An order is written as it is packed, with other numbers: those of the areas,
//! names and households as they are written before, in order, so that equal
//! states give equal bytes. Whoever reads them takes the numbers over, and most
//! orders with them as they are.

use std::{fmt, sync::Arc};

use decider::{
    Area, Name,
    table::{Roll, Row, Table},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, SeqAccess, Unexpected, Visitor},
    ser::{SerializeSeq, SerializeTuple},
};

use super::{Customer, Form, Moving, OrderStore, Slot, rests};
use crate::{
    compact::DoorCodes,
    household::Household,
    ids::{HouseholdId, OrderId},
    packing::{Numbers, Packed},
};

/// Rows for which room is made at once, whatever the bytes say.
const ROOM_MAX: usize = 1 << 24;

/// Areas, names, households with the door of their first order, orders.
const PARTS: usize = 4;

struct WrittenOrders<'a> {
    store: &'a OrderStore,
    renumbered: Renumbered,
}

/// The number in the snapshot of each number in memory.
struct Renumbered {
    areas: Vec<u32>,
    names: Vec<u32>,
    customers: Vec<u32>,
}

impl Renumbered {
    fn of(&self, numbers: Numbers) -> Numbers {
        let name = |number: u32| self.names[number as usize];
        Numbers {
            area: self.areas[numbers.area as usize],
            household: self.customers[numbers.household as usize],
            placed_by: name(numbers.placed_by),
            reason: name(numbers.reason),
            group_buy: numbers.group_buy.map(name),
        }
    }
}

/// The place of each number in the order given.
fn places(count: usize, sorted: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut places = vec![u32::MAX; count];
    for (place, number) in (0..).zip(sorted) {
        places[number as usize] = place;
    }
    places
}

impl OrderStore {
    fn numbers_of(&self, slot: &Slot) -> Numbers {
        match &slot.form {
            Form::Moving(moving) => moving.numbers,
            Form::Resting(place) => self.packed(*place).numbers,
        }
    }

    /// Numbers of the names that some order has, in the order of their texts.
    fn used_names(&self) -> Vec<u32> {
        let mut used = vec![false; self.names.len()];
        for slot in self.table.iter() {
            let numbers = self.numbers_of(slot);
            for number in [numbers.placed_by, numbers.reason]
                .into_iter()
                .chain(numbers.group_buy)
            {
                used[number as usize] = true;
            }
        }
        let mut names: Vec<u32> = (0..)
            .zip(used)
            .filter_map(|(n, is)| is.then_some(n))
            .collect();
        names.sort_unstable_by(|a, b| self.names.at(*a).cmp(&self.names.at(*b)));
        names
    }

    /// Lets the orders share what the households have, too.
    pub(crate) fn share_with(&mut self, households: &Table<Household>) {
        for row in self.customers.all_rows() {
            let customer = self.customers.at_mut(row);
            let Some(household) = households.get(&customer.household_id) else {
                continue;
            };
            customer.household_id = household.household_id.clone();
            if customer.door == household.door {
                customer.door = household.door.clone();
            }
        }
    }
}

impl Serialize for OrderStore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.used_names();
        let customers = self.customers.sorted_rows();
        let renumbered = Renumbered {
            areas: places(self.areas.len(), self.area_numbers.values().copied()),
            names: places(self.names.len(), names.iter().copied()),
            customers: places(
                self.customers.len(),
                customers.iter().map(|row| row.number()),
            ),
        };
        let areas: Vec<&Area> = self.area_numbers.keys().collect();
        let names: Vec<_> = names.iter().filter_map(|n| self.names.at(*n)).collect();
        let customers: Vec<_> = customers
            .iter()
            .map(|row| &self.customers[*row])
            .map(|customer| (&customer.household_id, &customer.door))
            .collect();
        let orders = WrittenOrders {
            store: self,
            renumbered,
        };
        let mut parts = serializer.serialize_tuple(PARTS)?;
        parts.serialize_element(&areas)?;
        parts.serialize_element(&names)?;
        parts.serialize_element(&customers)?;
        parts.serialize_element(&orders)?;
        parts.end()
    }
}

impl Serialize for WrittenOrders<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let store = self.store;
        let mut orders = serializer.serialize_seq(Some(store.table.len()))?;
        let mut bytes = Vec::new();
        for row in store.table.sorted_rows() {
            let slot = &store.table[row];
            bytes.clear();
            slot.order_id.put(&mut bytes);
            match &slot.form {
                Form::Moving(moving) => {
                    let mut packed = store.pack(&moving.order, moving.numbers);
                    packed.numbers = self.renumbered.of(packed.numbers);
                    packed.put(&mut bytes);
                }
                Form::Resting(place) => {
                    let mut packed = store.shelf.get(*place);
                    let numbers = Numbers::take(&mut packed).expect("what was packed");
                    self.renumbered.of(numbers).put(&mut bytes);
                    bytes.extend_from_slice(packed);
                }
            }
            orders.serialize_element(&Bytes(&bytes))?;
        }
        orders.end()
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for OrderStore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(PARTS, Store)
    }
}

/// Reads the parts one after another: no order is kept twice.
struct Store;

impl<'de> Visitor<'de> for Store {
    type Value = OrderStore;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("areas, names, households and orders")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<OrderStore, A::Error> {
        let missing = |at| A::Error::invalid_length(at, &self);
        let mut store = OrderStore::default();
        let areas: Vec<Area> = parts.next_element()?.ok_or_else(|| missing(0))?;
        let names: Vec<Name> = parts.next_element()?.ok_or_else(|| missing(1))?;
        let customers: Vec<(HouseholdId, DoorCodes)> =
            parts.next_element()?.ok_or_else(|| missing(2))?;
        if !(areas.is_sorted_by(|a, b| a < b)
            && names.is_sorted_by(|a, b| a < b)
            && customers.is_sorted_by(|(a, _), (b, _)| a < b))
        {
            return Err(A::Error::custom("a list is not in order, each entry once"));
        }
        for area in areas {
            store.area_number(area);
        }
        for name in names {
            store.names.number(&name);
        }
        for (household_id, door) in customers {
            store.customers.insert(Customer {
                household_id,
                door,
                orders: Roll::default(),
            });
        }
        let orders = parts.next_element_seed(Orders { store: &mut store })?;
        orders.ok_or_else(|| missing(3))?;
        Ok(store)
    }
}

struct Orders<'a> {
    store: &'a mut OrderStore,
}

impl<'de> DeserializeSeed<'de> for Orders<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Orders<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("packed orders")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut orders: A) -> Result<(), A::Error> {
        let count = orders.size_hint().unwrap_or_default();
        self.store.table.reserve(count.min(ROOM_MAX));
        let mut last = None;
        while let Some(row) = orders.next_element_seed(Next { store: self.store })? {
            let table = &self.store.table;
            if last.is_some_and(|last: Row| table[last].order_id >= table[row].order_id) {
                return Err(A::Error::custom("an order is not behind the one before"));
            }
            last = Some(row);
        }
        Ok(())
    }
}

struct Next<'a> {
    store: &'a mut OrderStore,
}

impl<'de> DeserializeSeed<'de> for Next<'_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Next<'_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a packed order")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Row, E> {
        let row = self.store.read(bytes);
        row.ok_or_else(|| E::invalid_value(Unexpected::Bytes(bytes), &self))
    }
}

impl OrderStore {
    /// Adds an order as it was written behind all others; none where it is not
    /// one of this store.
    fn read(&mut self, mut bytes: &[u8]) -> Option<Row> {
        let order_id = OrderId::take(&mut bytes)?;
        let packed = Packed::read(bytes)?;
        if !self.knows(packed.numbers) {
            return None;
        }
        let customer = self.customers.row(packed.numbers.household)?;
        let place = rests(packed.state).then(|| self.shelf.put(bytes)).flatten();
        let form = match place {
            Some(place) => Form::Resting(place),
            None => Form::Moving(Arc::new(Moving {
                order: self.order(&order_id, &packed)?,
                numbers: packed.numbers,
            })),
        };
        let row = self.table.insert(Slot { order_id, form });
        let orders = &mut self.customers.at_mut(customer).orders;
        orders.insert(&self.table, row);
        Some(row)
    }
}
