//! Ids of this service's entities as types of their own, so that an order's id
//! cannot be looked up among households.
//!
//! The id of an order, of which there are very many, is 16 bytes; the others are
//! shared text. What characters they may have is checked where requests are
//! parsed.

use std::{borrow::Borrow, fmt, sync::Arc};

use decider::{EntityId, Name};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<Name> for $name {
            fn from(name: Name) -> Self {
                Self(name.into())
            }
        }

        impl From<&$name> for String {
            fn from(id: &$name) -> Self {
                id.as_str().to_owned()
            }
        }

        // Ordering and hash are those of the text, as `Borrow` demands.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

id!(
    /// Chosen by who registers the household.
    HouseholdId
);
id!(
    /// Role id of the cadre who answers for households.
    CadreId
);
id!(
    /// ULID, made by the service.
    GroupBuyId
);

/// ULID, made by the service: the order of ids is the order of placing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(EntityId);

impl OrderId {
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
    }

    pub(crate) fn take(bytes: &mut &[u8]) -> Option<Self> {
        EntityId::take(bytes).map(Self)
    }
}

impl From<&str> for OrderId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for OrderId {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&OrderId> for String {
    fn from(id: &OrderId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
