//! The registry of invariants that unit tests, simulation, the audit command
//! and production metrics share.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! invariants {
    ($($variant:ident = $id:literal: $statement:literal;)*) => {
        /// A statement about the suite that holds at every moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant {
            $(#[doc = $statement] $variant,)*
        }

        impl Invariant {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// For example `INV-01`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),* }
            }

            #[must_use]
            pub const fn statement(self) -> &'static str {
                match self { $(Self::$variant => $statement),* }
            }
        }
    };
}

invariants! {
    LotConservation = "INV-01": "a lot's received units are on hand, reserved, dispatched or spoiled, less those returned; none is negative";
    DeliveredOnceAndConfirmed = "INV-02": "nothing is delivered that was not confirmed, and nothing twice";
    OneCustodian = "INV-03": "every parcel has exactly one custodian; both sides of each hand-over agree";
    DisinfectedBeforeLeaving = "INV-04": "goods leave a checkpoint only after their disinfection is recorded";
    PassBeforeDispatch = "INV-05": "no vehicle is dispatched without a pass valid for that time, zone, vehicle and driver";
    CalledAfterLeaving = "INV-06": "a household is called only after its goods were placed and the member has left";
    CylinderInOnePlace = "INV-07": "a cylinder is in exactly one place and returns to the household it came from";
    ReceiptOrVisit = "INV-08": "every delivery ends in a receipt (the household's word, given itself or on the telephone), or in a visit by its cadre";
    LogContinuous = "INV-09": "positions are gapless, revisions continuous, every acknowledged command present once";
    StreamEqualsLog = "INV-10": "the bus stream equals the log, message for event";
    CausesExist = "INV-11": "every event's cause exists in the log it names";
    ServedOrListed = "INV-12": "every household in need is served, or listed with a reason";
    TransferHasOutcome = "INV-13": "every medical transfer ends with an outcome";
    PriceCapSpeaks = "INV-14": "a price above its cap never passes silently";
    NoPersonalData = "INV-15": "no personal data in clear in any log or stream";
    SurplusConserved = "INV-16": "of a listing's units each is open, proposed, confirmed, delivered, lost, withdrawn or expired, and no window is promised more than was asked";
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl Serialize for Invariant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Invariant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|invariant| invariant.id() == id);
        known
            .copied()
            .ok_or_else(|| serde::de::Error::custom(format_args!("`{id}` is no invariant")))
    }
}

/// One case in which an invariant does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    pub invariant: Invariant,
    /// The entity concerned, for example `lot/rice-1`.
    pub entity: String,
    /// What was found, in words and numbers.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.invariant, self.entity, self.detail)
    }
}
