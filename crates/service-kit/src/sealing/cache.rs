//! Data keys in memory, for a short time: what was erased elsewhere must not
//! stay readable here.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::aead::Key;

/// A key is used from memory for so long, then asked for again.
pub(super) const LIFETIME: Duration = Duration::from_secs(60);
/// How often keys that are past it are dropped. With [`LIFETIME`] the bound
/// within which an erased key has left the memory of every process.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(15);
const KEYS_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Cache {
    keys: HashMap<String, (Key, Instant)>,
}

impl Cache {
    pub(super) fn get(&self, key_id: &str, now: Instant) -> Option<Key> {
        let (key, put) = self.keys.get(key_id)?;
        (now.duration_since(*put) < LIFETIME).then_some(*key)
    }

    pub(super) fn put(&mut self, key_id: &str, key: Key, now: Instant) {
        if self.keys.len() >= KEYS_MAX {
            self.clear();
        }
        self.keys.insert(key_id.to_owned(), (key, now));
    }

    pub(super) fn forget(&mut self, key_id: &str) {
        if let Some((key, _)) = self.keys.get_mut(key_id) {
            key.fill(0);
        }
        self.keys.remove(key_id);
    }

    pub(super) fn sweep(&mut self, now: Instant) {
        self.keys.retain(|_, (key, put)| {
            let stays = now.duration_since(*put) < LIFETIME;
            if !stays {
                key.fill(0);
            }
            stays
        });
    }

    fn clear(&mut self) {
        for (key, _) in self.keys.values_mut() {
            key.fill(0);
        }
        self.keys.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_gone_after_its_lifetime_or_when_it_is_forgotten() {
        let start = Instant::now();
        let mut cache = Cache::default();
        cache.put("a", [1; 32], start);
        cache.put("b", [2; 32], start + LIFETIME / 2);
        assert_eq!(cache.get("a", start + LIFETIME / 2), Some([1; 32]));
        assert_eq!(cache.get("a", start + LIFETIME), None);
        cache.sweep(start + LIFETIME);
        assert_eq!(cache.keys.len(), 1, "b is young");
        cache.forget("b");
        assert_eq!(cache.get("b", start + LIFETIME / 2), None);
        assert!(cache.keys.is_empty());
    }
}
