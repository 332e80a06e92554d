//! A second, simple-minded account of the same rules, kept by the events
//! alone: it says of each event whether it was fair, and of each pause whether
//! somebody was forgotten.

use std::collections::{BTreeMap, BTreeSet};

use decider::Timestamp;
use proto::{
    InventoryEvent,
    inventory::v1::{Allocation, StockReserved},
    time::from_proto,
    types::v1::Line,
};

type LotKey = (i64, String);

#[derive(Default)]
pub struct Model {
    /// Units on hand by product and then in the order of use.
    shelves: BTreeMap<String, BTreeMap<LotKey, i64>>,
    keys: BTreeMap<String, (String, LotKey)>,
    /// Oldest first.
    orders: Vec<(String, Vec<Line>)>,
    replacements: Vec<(String, String, Line)>,
    closed: bool,
}

impl Model {
    pub fn see(&mut self, event: &InventoryEvent, now: Timestamp) {
        match event {
            InventoryEvent::LotReceived(e) => {
                let expires = e.expires_time.as_ref().map(from_proto);
                let key = (expires.map_or(i64::MAX, |t| t.0), e.lot_id.clone());
                let place = (e.product_id.clone(), key);
                self.keys.insert(e.lot_id.clone(), place);
                self.put(&e.lot_id, e.quantity_units);
            }
            InventoryEvent::StockSpoiled(e) => self.put(&e.lot_id, -e.quantity_units),
            InventoryEvent::DemandQueued(e) => {
                self.orders.push((e.order_id.clone(), e.lines.clone()));
            }
            InventoryEvent::StockReserved(e) => self.reserved(e, now),
            InventoryEvent::DemandRejected(e) => {
                let lines = self.leave(&e.order_id);
                if e.reason == "OUT_OF_STOCK" {
                    assert!(self.closed, "nobody is refused while buying goes on");
                    for line in lines {
                        assert_eq!(self.usable(&line.product_id, now), 0);
                    }
                }
            }
            InventoryEvent::ReservationReleased(e) => {
                if self.orders.iter().any(|(id, _)| *id == e.order_id) {
                    self.leave(&e.order_id);
                }
                self.put_all(&e.allocations, 1);
            }
            InventoryEvent::ReplacementQueued(e) => {
                let line = e.line.clone().expect("a line");
                let entry = (e.order_id.clone(), e.for_label.clone(), line);
                self.replacements.push(entry);
            }
            InventoryEvent::ReplacementDispatched(e) => {
                let line = self.leave_replacements(&e.order_id, &e.for_label);
                let given: i64 = e.allocations.iter().map(|a| a.quantity_units).sum();
                assert_eq!(given, line.quantity_units, "a replacement is whole");
                self.give(&e.allocations, now);
            }
            InventoryEvent::ReplacementRefused(e) => {
                let line = self.leave_replacements(&e.order_id, &e.for_label);
                assert!(self.closed, "nothing is refused while buying goes on");
                assert!(self.usable(&line.product_id, now) < line.quantity_units);
            }
            InventoryEvent::StockReturned(e) => {
                self.replacements.retain(|(id, _, _)| *id != e.order_id);
                self.put_all(&e.allocations, 1);
            }
            InventoryEvent::ProcurementClosed(_) => self.closed = true,
            InventoryEvent::ProcurementOpened(_) => self.closed = false,
            InventoryEvent::ProductDefined(_)
            | InventoryEvent::OrderPicked(_)
            | InventoryEvent::OrderDispatched(_)
            | InventoryEvent::DispatchRecalled(_) => {}
            // Surplus has no lots: `market_histories.rs`.
            _ => {}
        }
    }

    fn reserved(&mut self, event: &StockReserved, now: Timestamp) {
        let place = self.orders.iter().position(|(id, _)| *id == event.order_id);
        let place = place.expect("only who waits is served");
        let wanted: BTreeSet<String> = products(&self.orders[place].1);
        for (older, lines) in &self.orders[..place] {
            let shared = products(lines).intersection(&wanted).count();
            assert_eq!(shared, 0, "{} overtook {older}", event.order_id);
        }
        if !self.closed {
            assert_eq!(event.short, [], "only whole orders while buying goes on");
            for (_, label, line) in &self.replacements {
                assert!(!wanted.contains(&line.product_id), "{label} was overtaken");
            }
        }
        self.orders.remove(place);
        self.give(&event.allocations, now);
        for line in &event.short {
            assert_eq!(
                self.usable(&line.product_id, now),
                0,
                "something was kept back"
            );
        }
    }

    /// First expiry first, and nothing expired.
    fn give(&mut self, allocations: &[Allocation], now: Timestamp) {
        self.put_all(allocations, -1);
        for allocation in allocations {
            let (product, key) = &self.keys[&allocation.lot_id];
            assert!(key.0 > now.0, "{} has expired", allocation.lot_id);
            let before = self.shelves[product].range(..key.clone());
            for (earlier, units) in before.filter(|((expires, _), _)| *expires > now.0) {
                assert_eq!(*units, 0, "{} was to be used first", earlier.1);
            }
        }
    }

    /// To be asked when nothing is due any more: was anybody forgotten?
    pub fn at_rest(&self, now: Timestamp) {
        if self.closed {
            assert_eq!(
                self.orders.len() + self.replacements.len(),
                0,
                "all are answered"
            );
        }
        let mut taken = BTreeSet::new();
        for (_, label, line) in &self.replacements {
            let first = taken.insert(line.product_id.clone());
            let there = self.usable(&line.product_id, now) >= line.quantity_units;
            assert!(!(first && there), "{label} was forgotten");
        }
        for (order_id, lines) in &self.orders {
            let first = products(lines).is_disjoint(&taken);
            let there = |line: &Line| self.usable(&line.product_id, now) >= line.quantity_units;
            assert!(
                !(first && lines.iter().all(there)),
                "{order_id} was forgotten"
            );
            taken.extend(products(lines));
        }
    }

    pub fn waiting(&self) -> usize {
        self.orders.len() + self.replacements.len()
    }

    pub fn demanded(&self, product_id: &str) -> i64 {
        let of_orders = self.orders.iter().flat_map(|(_, lines)| lines);
        of_orders
            .chain(self.replacements.iter().map(|(_, _, line)| line))
            .filter(|line| line.product_id == product_id)
            .map(|line| line.quantity_units)
            .sum()
    }

    fn usable(&self, product_id: &str, now: Timestamp) -> i64 {
        let shelf = self.shelves.get(product_id).into_iter().flatten();
        shelf
            .filter(|((expires, _), _)| *expires > now.0)
            .map(|(_, units)| *units)
            .sum()
    }

    fn leave(&mut self, order_id: &str) -> Vec<Line> {
        let place = self.orders.iter().position(|(id, _)| id == order_id);
        self.orders.remove(place.expect("it waits")).1
    }

    fn leave_replacements(&mut self, order_id: &str, label: &str) -> Line {
        let mut all = self.replacements.iter();
        let place = all.position(|(id, of, _)| id == order_id && of == label);
        let place = place.expect("it waits");
        let line = self.replacements.remove(place).2;
        for (_, older, earlier) in &self.replacements[..place] {
            assert_ne!(
                earlier.product_id, line.product_id,
                "{label} overtook {older}"
            );
        }
        line
    }

    fn put_all(&mut self, allocations: &[Allocation], sign: i64) {
        for allocation in allocations {
            self.put(&allocation.lot_id, sign * allocation.quantity_units);
        }
    }

    fn put(&mut self, lot_id: &str, units: i64) {
        let (product, key) = &self.keys[lot_id];
        let shelf = self.shelves.entry(product.clone()).or_default();
        let on_hand = shelf.entry(key.clone()).or_default();
        *on_hand += units;
        assert!(*on_hand >= 0, "{lot_id} has {on_hand} units on hand");
    }
}

fn products(lines: &[Line]) -> BTreeSet<String> {
    lines.iter().map(|line| line.product_id.clone()).collect()
}
