//! The stock account of a lot, and the same sums for a product: every unit is
//! in exactly one place, and units change place by a named movement.

use serde::{Deserialize, Serialize};

use crate::units::Units;

/// received = on hand + reserved + dispatched + spoiled − returned (INV-01);
/// dispatched and returned count all that ever left and came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub received: Units,
    pub on_hand: Units,
    pub reserved: Units,
    pub dispatched: Units,
    pub spoiled: Units,
    pub returned: Units,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Movement {
    Receive,
    Spoil,
    Reserve,
    Release,
    /// Reserved units leave the store.
    Dispatch,
    /// Units leave the store without having been reserved: a replacement.
    DispatchAtOnce,
    Return,
}

impl Ledger {
    pub(crate) fn apply(&mut self, movement: Movement, units: Units) {
        let place = |to: &mut Units| *to = to.plus(units);
        let take = |from: &mut Units| *from = from.minus(units);
        match movement {
            Movement::Receive => {
                place(&mut self.received);
                place(&mut self.on_hand);
            }
            Movement::Spoil => {
                take(&mut self.on_hand);
                place(&mut self.spoiled);
            }
            Movement::Reserve => {
                take(&mut self.on_hand);
                place(&mut self.reserved);
            }
            Movement::Release => {
                take(&mut self.reserved);
                place(&mut self.on_hand);
            }
            Movement::Dispatch => {
                take(&mut self.reserved);
                place(&mut self.dispatched);
            }
            Movement::DispatchAtOnce => {
                take(&mut self.on_hand);
                place(&mut self.dispatched);
            }
            Movement::Return => {
                place(&mut self.returned);
                place(&mut self.on_hand);
            }
        }
    }

    /// Units that left and have not come back.
    #[must_use]
    pub const fn out(&self) -> Units {
        self.dispatched.minus(self.returned)
    }

    /// What is wrong with the account; none where it balances.
    pub(crate) fn imbalance(&self) -> Option<String> {
        let accounted = self
            .on_hand
            .plus(self.reserved)
            .plus(self.dispatched)
            .plus(self.spoiled)
            .minus(self.returned);
        let parts = [
            self.received,
            self.on_hand,
            self.reserved,
            self.dispatched,
            self.spoiled,
            self.returned,
            self.out(),
        ];
        let negative = parts.iter().any(|part| *part < Units::ZERO);
        (negative || accounted != self.received).then(|| self.to_string())
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "received {}, on hand {}, reserved {}, dispatched {}, spoiled {}, returned {}",
            self.received.0,
            self.on_hand.0,
            self.reserved.0,
            self.dispatched.0,
            self.spoiled.0,
            self.returned.0
        )
    }
}
