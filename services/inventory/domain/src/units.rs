//! Numbers with a unit. Arithmetic saturates: a number from a request or a
//! foreign event can be absurd, but it can never make the state machine panic.

use std::{fmt, iter::Sum};

use serde::{Deserialize, Serialize};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident in $unit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            pub const ZERO: Self = Self(0);

            #[must_use]
            pub const fn plus(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            #[must_use]
            pub const fn minus(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self::ZERO, Self::plus)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{} ", $unit), self.0)
            }
        }
    };
}

quantity!(
    /// Sale units: bags, bottles, boxes.
    Units in "units"
);
quantity!(
    /// Weight in grams.
    Grams in "g"
);
quantity!(
    /// Price of a kilogram in fen (1/100 yuan).
    FenPerKg in "fen/kg"
);

impl Grams {
    /// Weight of `units` that weigh `self` each.
    #[must_use]
    pub const fn times(self, units: Units) -> Self {
        Self(self.0.saturating_mul(units.0))
    }
}
