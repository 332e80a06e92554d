//! Rows under a key, in the order of their ids: what lists and pages are read
//! from.

use std::{borrow::Borrow, collections::HashMap, fmt, hash::Hash};

use decider::table::{DefaultHashBuilder, Entity, Roll, Row, Table};

pub(crate) struct Index<K> {
    rolls: HashMap<K, Roll, DefaultHashBuilder>,
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self {
            rolls: HashMap::default(),
        }
    }
}

impl<K: Eq + Hash> Index<K> {
    pub(crate) fn insert<T: Entity>(&mut self, table: &Table<T>, key: K, row: Row) {
        self.rolls.entry(key).or_default().insert(table, row);
    }

    pub(crate) fn remove<T: Entity>(&mut self, table: &Table<T>, key: &K, row: Row) {
        if let Some(roll) = self.rolls.get_mut(key) {
            roll.remove(table, row);
            if roll.is_empty() {
                self.rolls.remove(key);
            }
        }
    }

    pub(crate) fn count(&self, key: &K) -> usize {
        self.rolls.get(key).map_or(0, Roll::len)
    }

    /// The entities under `key` behind `after`, which need not be among them.
    pub(crate) fn after<'a, T: Entity, Q>(
        &'a self,
        table: &'a Table<T>,
        key: &K,
        after: Option<&Q>,
    ) -> impl Iterator<Item = &'a T> + use<'a, K, T, Q>
    where
        Q: Ord + ?Sized,
        T::Id: Borrow<Q>,
    {
        let roll = self.rolls.get(key);
        roll.map(|roll| roll.after(table, after))
            .into_iter()
            .flatten()
    }
}

/// In an order of its own: that of a hash table differs from one to the next.
impl<K: fmt::Debug> fmt::Debug for Index<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rolls = self.rolls.iter();
        let mut rolls: Vec<String> = rolls.map(|(k, r)| format!("{k:?}: {r:?}")).collect();
        rolls.sort_unstable();
        f.debug_list().entries(rolls).finish()
    }
}
