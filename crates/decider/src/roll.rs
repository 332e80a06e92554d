//! Lists of a table's rows, in the order of their entities' ids.

use std::{borrow::Borrow, fmt};

use crate::table::{Entity, Row, Table};

/// Rows in the order of their entities' ids: what lists and pages are read
/// from. Four bytes for each, and quick where entities come in order.
#[derive(Default, Clone)]
pub struct Roll {
    full: Vec<Vec<Row>>,
    /// Behind all that are in `full`.
    last: Vec<Row>,
}

/// Rows of a part of a roll; a longer one is split.
const PART_ROWS: usize = 512;

impl Roll {
    pub fn insert<T: Entity>(&mut self, table: &Table<T>, row: Row) {
        let id = table[row].id();
        let end = self.last.last().or_else(|| self.full.last()?.last());
        if end.is_none_or(|end| table[*end].id() < id) {
            self.last.push(row);
            if self.last.len() == PART_ROWS {
                self.full.push(std::mem::take(&mut self.last));
            }
            return;
        }
        let (part, at) = self.seek(|other| table[other].id() < id);
        let rows = self.part_mut(part);
        if rows.get(at) == Some(&row) {
            return;
        }
        rows.insert(at, row);
        if rows.len() > PART_ROWS {
            let behind = rows.split_off(PART_ROWS / 2);
            if part < self.full.len() {
                self.full.insert(part + 1, behind);
            } else {
                self.full.push(std::mem::replace(&mut self.last, behind));
            }
        }
    }

    pub fn remove<T: Entity>(&mut self, table: &Table<T>, row: Row) {
        let id = table[row].id();
        let (part, at) = self.seek(|other| table[other].id() < id);
        let rows = self.part_mut(part);
        if rows.get(at) == Some(&row) {
            rows.remove(at);
            if rows.is_empty() && part < self.full.len() {
                self.full.remove(part);
            }
        }
    }

    /// The entities behind the id `after`, which need not be among them.
    pub fn after<'a, T: Entity, Q>(
        &'a self,
        table: &'a Table<T>,
        after: Option<&Q>,
    ) -> impl Iterator<Item = &'a T> + use<'a, T, Q>
    where
        Q: Ord + ?Sized,
        T::Id: Borrow<Q>,
    {
        let (part, at) = after.map_or((0, 0), |after| {
            self.seek(|row| table[row].id().borrow() <= after)
        });
        let parts = self.full.iter().chain([&self.last]);
        parts
            .skip(part)
            .enumerate()
            .flat_map(move |(n, rows)| rows.iter().skip(if n == 0 { at } else { 0 }))
            .map(|row| &table[*row])
    }

    /// In order.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.full.iter().chain([&self.last]).flatten().copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.full.iter().map(Vec::len).sum::<usize>() + self.last.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.full.is_empty() && self.last.is_empty()
    }

    /// The first place of which `before` does not hold.
    fn seek(&self, before: impl Fn(Row) -> bool) -> (usize, usize) {
        let whole = |rows: &Vec<Row>| rows.last().is_some_and(|row| before(*row));
        let part = self.full.partition_point(whole);
        let rows = self.full.get(part).unwrap_or(&self.last);
        (part, rows.partition_point(|row| before(*row)))
    }

    fn part_mut(&mut self, part: usize) -> &mut Vec<Row> {
        self.full.get_mut(part).unwrap_or(&mut self.last)
    }
}

/// Only how many: rows mean nothing outside their table.
impl fmt::Debug for Roll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[derive(Debug, Clone)]
    struct Thing(String);

    impl Entity for Thing {
        type Id = String;
        fn id(&self) -> &String {
            &self.0
        }
    }

    /// Numbers in an order that looks random and is always the same.
    fn shuffled(count: u64) -> impl Iterator<Item = u64> {
        let mut at = 1_u64;
        (0..count).map(move |_| {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            at >> 40
        })
    }

    #[test]
    fn a_roll_lists_what_a_sorted_set_would() {
        let (mut table, mut roll) = (Table::default(), Roll::default());
        let mut set = BTreeSet::new();
        for (n, number) in shuffled(20_000).enumerate() {
            let id = format!("{number:08}");
            let row = match table.find(id.as_str()) {
                Some(row) => row,
                None => table.insert(Thing(id.clone())),
            };
            assert_eq!(table.get(id.as_str()).map(|t| &t.0), Some(&id));
            // Far more than a part come before some go.
            if n > 5_000 && n % 3 == 0 {
                roll.remove(&table, row);
                set.remove(&id);
                let other = format!("{:08}", n / 2);
                if let Some(row) = table.find(other.as_str()) {
                    roll.remove(&table, row);
                    set.remove(&other);
                }
            } else {
                roll.insert(&table, row);
                set.insert(id);
            }
        }
        assert_eq!(roll.len(), set.len());
        for after in [None, Some("00300000"), Some(""), Some("9")] {
            let listed = roll.after(&table, after).map(|t| &t.0);
            let expected = set
                .iter()
                .filter(|id| after.is_none_or(|a| id.as_str() > a));
            assert!(listed.eq(expected), "behind {after:?}");
        }
        for id in &set {
            roll.remove(&table, table.find(id.as_str()).expect("it was put in"));
        }
        assert!(roll.is_empty());
        assert!(table.sorted().is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn what_is_frozen_stays_while_the_table_goes_on() {
        let mut table = Table::default();
        for n in 0..3_000 {
            table.insert(Thing(format!("{n:04}")));
        }
        let frozen = table.frozen();
        table.insert(Thing("9".to_owned()));
        let row = table.find("1500").expect("there");
        // Only here, and only as nothing looks for it by its id.
        table.at_mut(row).0 = "else".to_owned();
        assert_eq!((frozen.len(), table.len()), (3_000, 3_001));
        assert_eq!(frozen[row].0, "1500");
        let sorted = frozen.sorted_rows();
        assert!(sorted.iter().map(|row| row.number()).eq(0..3_000));
        assert_eq!(frozen.sorted().len(), 3_000);
    }
}
