//! Partner firms (S15) with their vehicles and drivers, and the record by
//! which loads are offered to them.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Area, Context, Revision, Timestamp};
use proto::{LogisticsEvent, logistics::v1 as pb};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject,
    capacity::Offer,
    command::{
        RegisterCarrier, RegisterDriver, RegisterVehicle, ResumeCarrier, SuspendCarrier,
        WithdrawDriver, WithdrawVehicle,
    },
    load::Load,
    tender,
};
use crate::{state::Moment, units::Grams};

/// Tenders that one suspension withdraws at once; the others expire.
const WITHDRAWN_AT_ONCE: usize = 100;

/// What a firm did with what it was offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub offered: u32,
    pub accepted: u32,
    pub declined: u32,
    pub expired: u32,
    /// Arrived at the destination by the time that was due.
    pub on_time: u32,
    pub late: u32,
    pub incidents: u32,
    pub lost: u32,
}

impl Record {
    /// Of the tenders answered or expired, per thousand; 1,000 before the
    /// first.
    #[must_use]
    pub fn acceptance(&self) -> u32 {
        let ended = self.accepted + self.declined + self.expired;
        per_thousand(self.accepted, ended)
    }

    /// Of the arrivals, per thousand; 1,000 before the first.
    #[must_use]
    pub fn punctuality(&self) -> u32 {
        per_thousand(self.on_time, self.on_time + self.late)
    }
}

impl Carrier {
    /// Whether a vehicle of it can take the load; also where it has registered
    /// none, since it may do so until the departure.
    pub(crate) fn has_vehicle_for(&self, load: &Load) -> bool {
        let largest = self.vehicles.values().max();
        largest.is_none_or(|largest| load.weight() <= *largest)
    }
}

fn per_thousand(part: u32, whole: u32) -> u32 {
    let share = u64::from(part) * 1000 / u64::from(whole.max(1));
    if whole == 0 {
        1000
    } else {
        u32::try_from(share).unwrap_or(1000)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Carrier {
    pub carrier_id: String,
    pub area: Area,
    pub name: String,
    /// Why it is offered nothing at the moment.
    pub suspended: Option<String>,
    /// What each can carry.
    pub vehicles: BTreeMap<String, Grams>,
    pub drivers: BTreeSet<String>,
    pub offers: BTreeMap<String, Offer>,
    pub record: Record,
    /// The latest day (UTC, since 1970) on which it stored photos, and their
    /// bytes on that day.
    pub photo_bytes: (i64, i64),
    pub registered: Timestamp,
    pub revision: Revision,
}

pub(crate) fn register(
    freight: &Freight,
    command: &RegisterCarrier,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    if let Ok(known) = freight.carrier_in(&context.area, &command.carrier_id) {
        let same = known.name == command.name;
        return already(same, Subject::Carrier, &command.carrier_id);
    }
    Ok(vec![
        pb::CarrierRegistered {
            carrier_id: command.carrier_id.clone(),
            name: command.name.clone(),
        }
        .into(),
    ])
}

/// Nothing to do where the data are the `same`.
fn already(same: bool, subject: Subject, id: &str) -> Result<Vec<LogisticsEvent>, Rejection> {
    if same {
        return Ok(vec![]);
    }
    Err(Rejection::Exists {
        subject,
        id: id.to_owned(),
    })
}

pub(crate) fn registered(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::CarrierRegistered,
) {
    let carriers = freight.carriers.entry(moment.area.clone()).or_default();
    carriers
        .entry(event.carrier_id.clone())
        .or_insert_with(|| Carrier {
            carrier_id: event.carrier_id.clone(),
            area: moment.area.clone(),
            name: event.name.clone(),
            suspended: None,
            vehicles: BTreeMap::new(),
            drivers: BTreeSet::new(),
            offers: BTreeMap::new(),
            record: Record::default(),
            photo_bytes: (0, 0),
            registered: moment.at,
            revision: moment.revision,
        });
}

pub(crate) fn suspend(
    freight: &Freight,
    command: &SuspendCarrier,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.carrier_in(&context.area, &command.carrier_id)?;
    if carrier.suspended.is_some() {
        return Ok(vec![]);
    }
    let suspended = pb::CarrierSuspended {
        carrier_id: command.carrier_id.clone(),
        reason: command.reason.clone(),
    };
    let moving = freight.moving_of(&context.area, &command.carrier_id);
    let open = moving.filter(|shipment| shipment.state == pb::ShipmentState::Tendered);
    let withdrawn = open
        .take(WITHDRAWN_AT_ONCE)
        .filter_map(|shipment| {
            tender::withdrawn_event(shipment, pb::WithdrawReason::CarrierSuspended)
        })
        .map(LogisticsEvent::from);
    Ok(std::iter::once(suspended.into()).chain(withdrawn).collect())
}

pub(crate) fn suspended(freight: &mut Freight, moment: &Moment<'_>, event: &pb::CarrierSuspended) {
    change(freight, moment, &event.carrier_id, |carrier| {
        carrier.suspended = Some(event.reason.clone());
    });
}

pub(crate) fn resume(
    freight: &Freight,
    command: &ResumeCarrier,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.carrier_in(&context.area, &command.carrier_id)?;
    let resumed = carrier.suspended.as_ref().map(|_| {
        pb::CarrierResumed {
            carrier_id: command.carrier_id.clone(),
        }
        .into()
    });
    Ok(resumed.into_iter().collect())
}

pub(crate) fn resumed(freight: &mut Freight, moment: &Moment<'_>, event: &pb::CarrierResumed) {
    change(freight, moment, &event.carrier_id, |carrier| {
        carrier.suspended = None;
    });
}

pub(crate) fn register_vehicle(
    freight: &Freight,
    command: &RegisterVehicle,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.active_carrier(&context.area, &command.carrier_id)?;
    if command.capacity <= Grams::ZERO {
        return Err(Rejection::NoCapacity {
            capacity: command.capacity,
        });
    }
    if let Some(known) = carrier.vehicles.get(&command.vehicle_id) {
        let same = *known == command.capacity;
        return already(same, Subject::Vehicle, &command.vehicle_id);
    }
    Ok(vec![
        pb::VehicleRegistered {
            carrier_id: command.carrier_id.clone(),
            vehicle_id: command.vehicle_id.clone(),
            capacity_grams: command.capacity.0,
        }
        .into(),
    ])
}

pub(crate) fn vehicle_registered(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::VehicleRegistered,
) {
    change(freight, moment, &event.carrier_id, |carrier| {
        let capacity = Grams(event.capacity_grams);
        carrier.vehicles.insert(event.vehicle_id.clone(), capacity);
    });
}

pub(crate) fn withdraw_vehicle(
    freight: &Freight,
    command: &WithdrawVehicle,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.carrier_in(&context.area, &command.carrier_id)?;
    if !carrier.vehicles.contains_key(&command.vehicle_id) {
        return Err(Rejection::unknown(Subject::Vehicle, &command.vehicle_id));
    }
    let uses = |resources: &super::shipment::Resources| resources.vehicle_id == command.vehicle_id;
    not_in_use(
        freight,
        carrier,
        Subject::Vehicle,
        &command.vehicle_id,
        uses,
    )?;
    Ok(vec![
        pb::VehicleWithdrawn {
            carrier_id: command.carrier_id.clone(),
            vehicle_id: command.vehicle_id.clone(),
        }
        .into(),
    ])
}

pub(crate) fn vehicle_withdrawn(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::VehicleWithdrawn,
) {
    change(freight, moment, &event.carrier_id, |carrier| {
        carrier.vehicles.remove(&event.vehicle_id);
    });
}

pub(crate) fn register_driver(
    freight: &Freight,
    command: &RegisterDriver,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.active_carrier(&context.area, &command.carrier_id)?;
    if carrier.drivers.contains(&command.driver_id) {
        return Ok(vec![]);
    }
    Ok(vec![
        pb::DriverRegistered {
            carrier_id: command.carrier_id.clone(),
            driver_id: command.driver_id.clone(),
        }
        .into(),
    ])
}

pub(crate) fn driver_registered(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::DriverRegistered,
) {
    change(freight, moment, &event.carrier_id, |carrier| {
        carrier.drivers.insert(event.driver_id.clone());
    });
}

pub(crate) fn withdraw_driver(
    freight: &Freight,
    command: &WithdrawDriver,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.carrier_in(&context.area, &command.carrier_id)?;
    if !carrier.drivers.contains(&command.driver_id) {
        return Err(Rejection::unknown(Subject::Driver, &command.driver_id));
    }
    let uses = |resources: &super::shipment::Resources| resources.driver_id == command.driver_id;
    not_in_use(freight, carrier, Subject::Driver, &command.driver_id, uses)?;
    Ok(vec![
        pb::DriverWithdrawn {
            carrier_id: command.carrier_id.clone(),
            driver_id: command.driver_id.clone(),
        }
        .into(),
    ])
}

pub(crate) fn driver_withdrawn(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::DriverWithdrawn,
) {
    change(freight, moment, &event.carrier_id, |carrier| {
        carrier.drivers.remove(&event.driver_id);
    });
}

/// A vehicle or driver on the way is not withdrawn.
fn not_in_use(
    freight: &Freight,
    carrier: &Carrier,
    subject: Subject,
    id: &str,
    uses: impl Fn(&super::shipment::Resources) -> bool,
) -> Result<(), Rejection> {
    let user = freight
        .moving_of(&carrier.area, &carrier.carrier_id)
        .find(|shipment| shipment.is_under_way() && shipment.resources.as_ref().is_some_and(&uses));
    match user {
        None => Ok(()),
        Some(shipment) => Err(Rejection::InUse {
            subject,
            id: id.to_owned(),
            shipment_id: shipment.shipment_id.clone(),
        }),
    }
}

pub(crate) fn change(
    freight: &mut Freight,
    moment: &Moment<'_>,
    carrier_id: &str,
    change: impl FnOnce(&mut Carrier),
) {
    if let Some(carrier) = freight.carrier_mut(moment.area, carrier_id) {
        change(carrier);
        carrier.revision = moment.revision;
    }
}

/// What shipments tell of a firm; the revision of its stream stays.
pub(crate) fn score(
    freight: &mut Freight,
    area: &Area,
    carrier_id: &str,
    score: impl FnOnce(&mut Record),
) {
    if let Some(carrier) = freight.carrier_mut(area, carrier_id) {
        score(&mut carrier.record);
    }
}
