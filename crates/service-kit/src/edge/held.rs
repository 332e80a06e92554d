//! Counts of what is open, by who opened it. Who has nothing open is not kept.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;

pub(super) struct Counts<K>(Arc<Mutex<HashMap<K, usize>>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// One that is open; closed when it is dropped.
pub(super) struct Held<K: Eq + Hash> {
    key: K,
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash + Clone> Counts<K> {
    /// One more, where that are not more than `max`.
    pub(super) fn take(&self, key: &K, max: usize) -> Option<Held<K>> {
        let mut counts = self.0.lock();
        let open = counts.get(key).copied().unwrap_or(0);
        if open >= max {
            return None;
        }
        counts.insert(key.clone(), open + 1);
        Some(Held {
            key: key.clone(),
            counts: Arc::clone(&self.0),
        })
    }

    /// How many are open altogether.
    pub(super) fn all(&self) -> usize {
        self.0.lock().values().sum()
    }
}

impl<K: Eq + Hash> Drop for Held<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(open) = counts.get_mut(&self.key) {
            *open -= 1;
            if *open == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_his_own_and_nothing_is_kept_of_who_has_none() {
        let counts = Counts::default();
        let first = counts.take(&"a", 2).expect("room");
        let second = counts.take(&"a", 2).expect("room");
        assert!(counts.take(&"a", 2).is_none(), "two are the limit");
        let other = counts.take(&"b", 2);
        assert!(other.is_some(), "another has his own");
        drop(first);
        assert!(counts.take(&"a", 2).is_some(), "one was closed");
        drop((second, other));
        assert_eq!(counts.all(), 0);
        assert!(counts.0.lock().is_empty());
    }
}
