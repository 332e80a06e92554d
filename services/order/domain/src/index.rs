//! Sets of ids under a key, in id order: what lists and pages are read from.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

#[derive(Debug)]
pub(crate) struct Index<K, V> {
    sets: BTreeMap<K, BTreeSet<V>>,
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self {
            sets: BTreeMap::new(),
        }
    }
}

impl<K: Ord, V: Ord + Borrow<str>> Index<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.sets.entry(key).or_default().insert(value);
    }

    pub(crate) fn remove(&mut self, key: &K, value: &V) {
        if let Some(set) = self.sets.get_mut(key) {
            set.remove::<V>(value);
            if set.is_empty() {
                self.sets.remove(key);
            }
        }
    }

    pub(crate) fn count(&self, key: &K) -> usize {
        self.sets.get(key).map_or(0, BTreeSet::len)
    }

    /// The values under `key` behind `after`, which need not be among them.
    pub(crate) fn after<'a>(
        &'a self,
        key: &K,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a V> + use<'a, K, V> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.sets
            .get(key)
            .map(|set| set.range::<str, _>((from, Bound::Unbounded)))
            .into_iter()
            .flatten()
    }
}
