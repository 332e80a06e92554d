//! A robot of a partner firm: it takes part in an area's trunk leg through the
//! public API alone, as any firm's system would. Rehearsals play firms with
//! it, on test clocks, and load harnesses by the hundred, on the system's.
//!
//! What it decides is apart from what it sends: [`brain`] answers tenders and
//! names vehicles, [`journey`] says what is reported when; both are pure. Only
//! [`Robot`] talks to the suite. All request and report ids follow from the
//! firm and the shipment, so that a robot that was started anew does nothing
//! twice.

pub mod brain;
pub mod carrier;
mod driving;
pub mod journey;
mod key;
mod work;

use decider::Timestamp;

pub use brain::{Act, Brain, Temper};
pub use carrier::Robot;
pub use journey::Journey;
pub use key::Key;

/// A vehicle with its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rig {
    pub vehicle_id: String,
    pub driver_id: String,
    pub capacity_grams: i64,
}

/// A firm, and what it offers.
#[derive(Debug, Clone)]
pub struct Firm {
    pub area: String,
    pub carrier_id: String,
    /// In which it drives; its passes are for all of them.
    pub zones: Vec<String>,
    pub rigs: Vec<Rig>,
    pub capacity_grams: i64,
    /// From when to when.
    pub from: Timestamp,
    pub to: Timestamp,
    pub temper: Temper,
}
