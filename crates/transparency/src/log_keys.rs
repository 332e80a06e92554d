//! The keys that may sign for one log, now or formerly: rotation keeps the old
//! key for the old checkpoints, revocation takes it out of all.

use crate::keys::{KeyError, KeyLabel, KeyUse, PublicKey};
use crate::origin::Origin;

/// For which checkpoints a log's key counts. A checkpoint has no trustworthy
/// time; its size is the only clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// For trees of `from` to `until` records, both included.
    Sizes { from: u64, until: Option<u64> },
    /// For none, also not for the past: the secret may have been stolen.
    Revoked,
}

impl Validity {
    pub const ALWAYS: Self = Self::Sizes {
        from: 0,
        until: None,
    };

    #[must_use]
    pub fn covers(&self, size: u64) -> bool {
        match self {
            Self::Sizes { from, until } => *from <= size && until.is_none_or(|until| size <= until),
            Self::Revoked => false,
        }
    }
}

/// The keys of one log over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKeys {
    origin: Origin,
    keys: Vec<(PublicKey, Validity)>,
}

impl LogKeys {
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        let keys = Vec::new();
        Self { origin, keys }
    }

    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Adds a key, or gives a known one another validity.
    ///
    /// # Errors
    /// It is no log's key or bears another log's name.
    pub fn set(&mut self, key: PublicKey, validity: Validity) -> Result<(), KeyError> {
        let key = key.for_use(KeyUse::Log)?;
        if key.label().name != self.origin.to_string() {
            let log = self.origin.clone();
            let found = key.label().name.clone();
            return Err(KeyError::ForeignName { log, found });
        }
        self.keys.retain(|(known, _)| *known != key);
        self.keys.push((key, validity));
        Ok(())
    }

    /// # Errors
    /// The log has no such key.
    pub fn set_validity(&mut self, label: &KeyLabel, validity: Validity) -> Result<(), KeyError> {
        let known = self.keys.iter_mut().find(|(key, _)| key.label() == label);
        let Some((_, now)) = known else {
            return Err(KeyError::UnknownKey {
                log: self.origin.clone(),
                key: label.clone(),
            });
        };
        *now = validity;
        Ok(())
    }

    pub fn keys(&self) -> impl Iterator<Item = (&PublicKey, Validity)> {
        self.keys.iter().map(|(key, validity)| (key, *validity))
    }
}
