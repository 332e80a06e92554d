//! The trunk leg: partner carriers with their vehicles and drivers, the passes
//! that let them drive, the routes on which dispatched goods become loads, the
//! tender of loads to them, and what is reported of a shipment until somebody
//! took it over.

pub(crate) mod arrival;
pub(crate) mod capacity;
pub(crate) mod carrier;
pub(crate) mod command;
pub(crate) mod consolidation;
pub(crate) mod contact;
pub(crate) mod execution;
pub(crate) mod goods;
pub(crate) mod handover;
pub(crate) mod incident;
mod load;
pub(crate) mod manifest;
pub(crate) mod match_load;
mod message;
mod packing;
pub(crate) mod pass;
pub(crate) mod photo;
pub(crate) mod pin;
pub(crate) mod proof;
pub(crate) mod recall;
mod rejection;
pub(crate) mod release;
pub(crate) mod route;
pub(crate) mod shipment;
pub(crate) mod tally;
pub(crate) mod tender;
mod timers;
pub(crate) mod webhook;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use decider::{
    Area, EntityId, Timestamp,
    store::{Rests, Store},
};
use proto::logistics::v1::ShipmentState;

use crate::state::Moment;

pub use capacity::Offer;
pub use carrier::{Carrier, Record};
pub use contact::PERSONAL_DAYS;
pub use goods::{Goods, Where};
pub use load::{LOAD_LINES_MAX, LOAD_PICKUPS_MAX, Load, Pickup};
pub use pass::Pass;
pub use photo::{PHOTOS_MAX, Photo};
pub use pin::{PIN_TRIES, Pin};
pub use proof::{PROOFS_MAX, Proof};
pub use rejection::{Rejection, Subject};
pub use route::{Route, RoutePlan};
pub use shipment::{Shipment, Tender};
pub use tender::ANSWER_MINUTES;
pub use webhook::{WEBHOOKS_MAX, Webhook};

pub(crate) use timers::{Deadline, due, next_due};

/// Shipment ids by area and firm.
type Held = BTreeMap<(Area, String), BTreeSet<EntityId>>;

/// All of the trunk leg in one partition.
#[derive(Debug, Default)]
pub(crate) struct Freight {
    /// A firm may serve several areas, each with a record of its own.
    pub carriers: BTreeMap<Area, BTreeMap<String, Carrier>>,
    pub passes: BTreeMap<String, Pass>,
    pub shipments: Store<Shipment>,
    /// The shipments that each firm is tendered or has accepted; follows from
    /// them and is not written.
    pub held: Held,
    pub routes: BTreeMap<String, Route>,
    pub goods: goods::Book,
    /// Shipments that nobody has; follows from them and is not written.
    pub drafts: BTreeSet<String>,
    /// Confirmed matches that wait for a load.
    pub match_loads: match_load::MatchLoads,
    pub webhooks: BTreeMap<String, Webhook>,
    /// What happens by itself, and when.
    pub deadlines: BTreeSet<(Timestamp, Deadline)>,
    pub photos: photo::Index,
    /// Shipments whose personal data are erased and whose key is not destroyed.
    pub keys_owed: BTreeSet<String>,
}

impl Freight {
    pub fn carrier_in(&self, area: &Area, carrier_id: &str) -> Result<&Carrier, Rejection> {
        self.carriers
            .get(area)
            .and_then(|carriers| carriers.get(carrier_id))
            .ok_or_else(|| Rejection::unknown(Subject::Carrier, carrier_id))
    }

    fn carrier_mut(&mut self, area: &Area, carrier_id: &str) -> Option<&mut Carrier> {
        self.carriers.get_mut(area)?.get_mut(carrier_id)
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

    pub fn shipment_in(
        &self,
        area: &Area,
        shipment_id: &str,
    ) -> Result<Cow<'_, Shipment>, Rejection> {
        self.shipments
            .get(shipment_id)
            .filter(|shipment| shipment.area == *area)
            .ok_or_else(|| Rejection::unknown(Subject::Shipment, shipment_id))
    }

    /// The shipments that a firm is tendered or has accepted, by id; those of a
    /// state if one is named.
    pub fn shipments_of<'a>(
        &'a self,
        area: &Area,
        carrier_id: &str,
        state: Option<ShipmentState>,
        after: Option<&str>,
    ) -> impl Iterator<Item = Cow<'a, Shipment>> {
        let held = self.held.get(&(area.clone(), carrier_id.to_owned()));
        let after = after.map(EntityId::from);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = held
            .into_iter()
            .flat_map(move |ids| ids.range((from.clone(), Bound::Unbounded)));
        let found = ids.filter_map(|id| self.shipments.find(id));
        // Those at rest are many, and are not unpacked for another state.
        found
            .filter(move |found| {
                state.is_none() || found.at_rest().is_none_or(|at| Some(at) == state)
            })
            .map(|found| found.unpacked())
            .filter(move |shipment| state.is_none_or(|state| shipment.state == state))
    }

    /// Those of them that are not at their end.
    pub fn moving_of<'a>(
        &'a self,
        area: &'a Area,
        carrier_id: &'a str,
    ) -> impl Iterator<Item = &'a Shipment> {
        let own = |s: &&Shipment| s.area == *area && s.carrier() == Some(carrier_id);
        self.shipments.moving_after(None).filter(own)
    }

    /// The shipment, if this carrier has accepted it: another's shipment is
    /// unknown to it.
    pub fn shipment_of(
        &self,
        area: &Area,
        shipment_id: &str,
        carrier_id: &str,
    ) -> Result<Cow<'_, Shipment>, Rejection> {
        let shipment = self.shipment_in(area, shipment_id)?;
        if shipment.carrier() == Some(carrier_id) {
            Ok(shipment)
        } else {
            Err(Rejection::unknown(Subject::Shipment, shipment_id))
        }
    }

    /// Changes a shipment, and what will happen to it by itself.
    fn change(&mut self, shipment_id: &str, moment: &Moment<'_>, f: impl FnOnce(&mut Shipment)) {
        self.shipments.change(shipment_id, |shipment| {
            let before = shipment.deadlines();
            let holder = shipment.carrier().map(str::to_owned);
            f(shipment);
            shipment.revision = moment.revision;
            timers::replace(&mut self.deadlines, before, shipment.deadlines());
            if shipment.carrier() != holder.as_deref() {
                hold(&mut self.held, shipment, holder);
            }
            if shipment.state == ShipmentState::Draft {
                self.drafts.insert(shipment_id.to_owned());
            } else {
                self.drafts.remove(shipment_id);
            }
        });
    }

    fn change_pass(&mut self, pass_id: &str, moment: &Moment<'_>, f: impl FnOnce(&mut Pass)) {
        if let Some(pass) = self.passes.get_mut(pass_id) {
            let before = pass.deadline();
            f(pass);
            pass.revision = moment.revision;
            timers::replace(&mut self.deadlines, [before], [pass.deadline()]);
        }
    }
}

/// Notes who has a shipment now, and that its holder before has it no more.
pub(crate) fn hold(held: &mut Held, shipment: &Shipment, before: Option<String>) {
    let key = |carrier: String| (shipment.area.clone(), carrier);
    if let Some(all) = before.and_then(|before| held.get_mut(&key(before))) {
        all.remove(&shipment.id());
    }
    if let Some(carrier) = shipment.carrier() {
        let all = held.entry(key(carrier.to_owned())).or_default();
        all.insert(shipment.id());
    }
}
