//! INV-05: no vehicle moved for a shipment before a pass was issued that is
//! valid for that time, every zone of the load, the vehicle and the driver.
//! Told by the passes' and shipments' events alone, whatever the service's own
//! state says.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Invariant, Timestamp};
use proto::{
    LogisticsEvent as E,
    logistics::v1::{Load, Milestone, MilestoneReported, ResourceAssigned},
    time::or_epoch,
};

use super::Found;
use crate::facts::{Fact, Facts};

struct Pass {
    carrier_id: String,
    vehicle_id: String,
    driver_id: String,
    zones: Vec<String>,
    /// None until it is issued.
    valid: Option<(Timestamp, Timestamp)>,
    revoked: Option<Timestamp>,
}

#[derive(Default)]
struct Shipment {
    zones: BTreeSet<String>,
    assigned: Option<ResourceAssigned>,
    departed: bool,
}

struct Papers {
    passes: BTreeMap<String, Pass>,
    shipments: BTreeMap<String, Shipment>,
    found: Found,
}

pub(crate) fn check(facts: &Facts) -> Found {
    let mut papers = Papers {
        passes: BTreeMap::new(),
        shipments: BTreeMap::new(),
        found: Found::new(Invariant::PassBeforeDispatch),
    };
    for (fact, event) in facts.logistics() {
        papers.take(fact, event);
    }
    papers.found
}

impl Papers {
    fn take(&mut self, fact: &Fact, event: &E) {
        match event {
            E::PassApplied(e) => {
                let pass = Pass {
                    carrier_id: e.carrier_id.clone(),
                    vehicle_id: e.vehicle_id.clone(),
                    driver_id: e.driver_id.clone(),
                    zones: Vec::new(),
                    valid: None,
                    revoked: None,
                };
                self.passes.insert(e.pass_id.clone(), pass);
            }
            E::PassIssued(e) => {
                if let Some(pass) = self.passes.get_mut(&e.pass_id) {
                    let (from, to) = (e.from_time.as_ref(), e.to_time.as_ref());
                    pass.valid = Some((or_epoch(from), or_epoch(to)));
                    pass.zones.clone_from(&e.zones);
                }
            }
            E::PassRevoked(e) => {
                if let Some(pass) = self.passes.get_mut(&e.pass_id) {
                    pass.revoked = Some(fact.record.occurred);
                }
            }
            E::ShipmentDrafted(e) => self.loaded(&e.shipment_id, e.load.as_ref()),
            E::LoadChanged(e) => self.loaded(&e.shipment_id, e.load.as_ref()),
            E::ResourceAssigned(e) => {
                let shipment = self.shipments.entry(e.shipment_id.clone()).or_default();
                shipment.assigned = Some(e.clone());
            }
            E::ResourceReleased(e) => self.freed(&e.shipment_id),
            E::TenderWithdrawn(e) => self.freed(&e.shipment_id),
            E::TenderExpired(e) => self.freed(&e.shipment_id),
            E::TenderDeclined(e) => self.freed(&e.shipment_id),
            E::MilestoneReported(e) => self.moved(fact, e),
            _ => {}
        }
    }

    fn loaded(&mut self, shipment_id: &str, load: Option<&Load>) {
        let places = load.into_iter().flat_map(|load| {
            let pickups = load.pickups.iter().map(|pickup| pickup.place.as_ref());
            pickups.chain([load.destination.as_ref()])
        });
        let zones = places.flatten().map(|place| place.zone.clone()).collect();
        let shipment = self.shipments.entry(shipment_id.to_owned()).or_default();
        shipment.zones = zones;
    }

    /// It has no vehicle any more.
    fn freed(&mut self, shipment_id: &str) {
        if let Some(shipment) = self.shipments.get_mut(shipment_id) {
            shipment.assigned = None;
            shipment.departed = false;
        }
    }

    /// What is told until the departure tells that the vehicle moves; that it
    /// is lost does not.
    fn moved(&mut self, fact: &Fact, event: &MilestoneReported) {
        let Some(shipment) = self.shipments.get_mut(&event.shipment_id) else {
            return;
        };
        if shipment.departed || event.milestone() == Milestone::Lost {
            return;
        }
        shipment.departed = event.milestone() == Milestone::Departed;
        self.found.facts += 1;
        let at = or_epoch(event.occurred_time.as_ref());
        let gap = match &shipment.assigned {
            None => Some("no vehicle, driver and pass were named".to_owned()),
            Some(named) => match self.passes.get(&named.pass_id) {
                None => Some(format!("nobody applied for pass {}", named.pass_id)),
                Some(pass) => pass.gap(named, &shipment.zones, at),
            },
        };
        if let Some(gap) = gap {
            let detail = format!("moved at {}: {gap}", fact.at);
            let entity = format!("shipment/{}", event.shipment_id);
            self.found.violated(entity, detail);
        }
    }
}

impl Pass {
    /// Why it does not cover the drive.
    fn gap(
        &self,
        named: &ResourceAssigned,
        zones: &BTreeSet<String>,
        at: Timestamp,
    ) -> Option<String> {
        let id = &named.pass_id;
        let Some((from, to)) = self.valid else {
            return Some(format!("pass {id} was not issued"));
        };
        for (what, named, passed) in [
            ("firm", &named.carrier_id, &self.carrier_id),
            ("vehicle", &named.vehicle_id, &self.vehicle_id),
            ("driver", &named.driver_id, &self.driver_id),
        ] {
            if named != passed {
                return Some(format!("pass {id} is for {what} {passed}, not {named}"));
            }
        }
        if at < from || at >= to || self.revoked.is_some_and(|revoked| at >= revoked) {
            return Some(format!("pass {id} was not valid at that time"));
        }
        let zone = zones.iter().find(|zone| !self.zones.contains(zone))?;
        Some(format!("pass {id} is not for zone {zone}"))
    }
}
