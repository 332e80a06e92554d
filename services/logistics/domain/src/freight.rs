//! The trunk leg: partner carriers with their vehicles and drivers, the passes
//! that let them drive, the tender of loads to them, and what is reported of a
//! shipment until somebody took it over.

pub(crate) mod capacity;
pub(crate) mod carrier;
pub(crate) mod command;
pub(crate) mod execution;
pub(crate) mod handover;
pub(crate) mod incident;
mod load;
mod message;
pub(crate) mod pass;
mod rejection;
pub(crate) mod release;
pub(crate) mod shipment;
pub(crate) mod tender;
mod timers;
pub(crate) mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use decider::{Area, Timestamp};

use crate::state::Moment;

pub use capacity::Offer;
pub use carrier::{Carrier, Record};
pub use load::{LOAD_LINES_MAX, LOAD_PICKUPS_MAX, Load, Pickup};
pub use pass::Pass;
pub use rejection::{Rejection, Subject};
pub use shipment::{Shipment, Tender};
pub use tender::ANSWER_MINUTES;
pub use webhook::{WEBHOOKS_MAX, Webhook};

pub(crate) use timers::{Deadline, due, next_due};

/// All of the trunk leg in one partition.
#[derive(Debug, Default)]
pub(crate) struct Freight {
    pub carriers: BTreeMap<String, Carrier>,
    pub passes: BTreeMap<String, Pass>,
    pub shipments: BTreeMap<String, Shipment>,
    pub webhooks: BTreeMap<String, Webhook>,
    /// What happens by itself, and when.
    pub deadlines: BTreeSet<(Timestamp, Deadline)>,
}

impl Freight {
    pub fn carrier_in(&self, area: &Area, carrier_id: &str) -> Result<&Carrier, Rejection> {
        self.carriers
            .get(carrier_id)
            .filter(|carrier| carrier.area == *area)
            .ok_or_else(|| Rejection::unknown(Subject::Carrier, carrier_id))
    }

    /// A carrier that may be offered something and may ask for something.
    pub fn active_carrier(&self, area: &Area, carrier_id: &str) -> Result<&Carrier, Rejection> {
        let carrier = self.carrier_in(area, carrier_id)?;
        match &carrier.suspended {
            None => Ok(carrier),
            Some(reason) => Err(Rejection::CarrierSuspended {
                carrier_id: carrier_id.to_owned(),
                reason: reason.clone(),
            }),
        }
    }

    pub fn pass_in(&self, area: &Area, pass_id: &str) -> Result<&Pass, Rejection> {
        self.passes
            .get(pass_id)
            .filter(|pass| pass.area == *area)
            .ok_or_else(|| Rejection::unknown(Subject::Pass, pass_id))
    }

    pub fn shipment_in(&self, area: &Area, shipment_id: &str) -> Result<&Shipment, Rejection> {
        self.shipments
            .get(shipment_id)
            .filter(|shipment| shipment.area == *area)
            .ok_or_else(|| Rejection::unknown(Subject::Shipment, shipment_id))
    }

    /// The shipment, if this carrier has accepted it: another's shipment is
    /// unknown to it.
    pub fn shipment_of(
        &self,
        area: &Area,
        shipment_id: &str,
        carrier_id: &str,
    ) -> Result<&Shipment, Rejection> {
        let shipment = self.shipment_in(area, shipment_id)?;
        if shipment.carrier() == Some(carrier_id) {
            Ok(shipment)
        } else {
            Err(Rejection::unknown(Subject::Shipment, shipment_id))
        }
    }

    /// Changes a shipment, and what will happen to it by itself.
    fn change(&mut self, shipment_id: &str, moment: &Moment<'_>, f: impl FnOnce(&mut Shipment)) {
        if let Some(shipment) = self.shipments.get_mut(shipment_id) {
            let before = shipment.deadline();
            f(shipment);
            shipment.revision = moment.revision;
            timers::replace(&mut self.deadlines, before, shipment.deadline());
        }
    }

    fn change_pass(&mut self, pass_id: &str, moment: &Moment<'_>, f: impl FnOnce(&mut Pass)) {
        if let Some(pass) = self.passes.get_mut(pass_id) {
            let before = pass.deadline();
            f(pass);
            pass.revision = moment.revision;
            timers::replace(&mut self.deadlines, before, pass.deadline());
        }
    }
}
