//! The entities of the trunk leg as the API shows them, and as one line for
//! people.

use decider::StreamId;
use proto::{logistics::v1 as pb, time::to_proto};

use super::{
    Carrier, Freight, Pass, Shipment, Webhook,
    rejection::{pass_word, shipment_word},
};

impl Freight {
    pub(crate) fn describe(&self, stream: &StreamId) -> Option<String> {
        let id = stream.id();
        match stream.category() {
            "carrier" => self.carriers.get(id).map(Carrier::describe),
            "pass" => self.passes.get(id).map(Pass::describe),
            "shipment" => self.shipments.get(id).map(Shipment::describe),
            "webhook" => self.webhooks.get(id).map(Webhook::describe),
            _ => None,
        }
    }
}

/// Counters as the API has them.
fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl Carrier {
    #[must_use]
    pub fn to_message(&self) -> pb::Carrier {
        let vehicles = self.vehicles.iter().map(|(id, capacity)| pb::Vehicle {
            vehicle_id: id.clone(),
            capacity_grams: capacity.0,
        });
        let offers = self.offers.values().map(|offer| pb::CapacityOffer {
            offer_id: offer.offer_id.clone(),
            zones: offer.zones.clone(),
            capacity_grams: offer.capacity.0,
            used_grams: offer.used.0,
            from_time: Some(to_proto(offer.from)),
            to_time: Some(to_proto(offer.to)),
        });
        let record = self.record;
        pb::Carrier {
            carrier_id: self.carrier_id.clone(),
            name: self.name.clone(),
            suspended_reason: self.suspended.clone().unwrap_or_default(),
            vehicles: vehicles.collect(),
            driver_ids: self.drivers.iter().cloned().collect(),
            offers: offers.collect(),
            tenders_offered: number(record.offered),
            tenders_accepted: number(record.accepted),
            tenders_declined: number(record.declined),
            tenders_expired: number(record.expired),
            arrivals_on_time: number(record.on_time),
            arrivals_late: number(record.late),
            incidents: number(record.incidents),
            lost_shipments: number(record.lost),
            revision: self.revision.0,
        }
    }

    fn describe(&self) -> String {
        let record = self.record;
        let mut line = format!(
            "{} vehicles, {} drivers, {} offers; {} tendered: {} accepted, {} declined, {} \
             expired; {} on time, {} late, {} incidents, {} lost",
            self.vehicles.len(),
            self.drivers.len(),
            self.offers.len(),
            record.offered,
            record.accepted,
            record.declined,
            record.expired,
            record.on_time,
            record.late,
            record.incidents,
            record.lost
        );
        if let Some(reason) = &self.suspended {
            line += &format!("; suspended: {reason}");
        }
        line
    }
}

impl Pass {
    #[must_use]
    pub fn to_message(&self) -> pb::Pass {
        pb::Pass {
            pass_id: self.pass_id.clone(),
            carrier_id: self.carrier_id.clone(),
            vehicle_id: self.vehicle_id.clone(),
            driver_id: self.driver_id.clone(),
            zones: self.zones.clone(),
            from_time: Some(to_proto(self.from)),
            to_time: Some(to_proto(self.to)),
            state: self.state.into(),
            reason: self.reason.clone(),
            revision: self.revision.0,
        }
    }

    fn describe(&self) -> String {
        let mut line = format!(
            "{}, for vehicle {} and driver {} of {}, zones {}, {} to {}",
            pass_word(self.state),
            self.vehicle_id,
            self.driver_id,
            self.carrier_id,
            self.zones.join(" "),
            to_proto(self.from),
            to_proto(self.to)
        );
        if !self.reason.is_empty() {
            line += &format!(": {}", self.reason);
        }
        line
    }
}

impl Shipment {
    #[must_use]
    pub fn to_message(&self) -> pb::Shipment {
        let tender = self.tender.as_ref();
        let open = tender.filter(|_| self.state == pb::ShipmentState::Tendered);
        let resources = self.resources.clone().unwrap_or_default();
        let handover = self.handover.clone().unwrap_or_default();
        let pickups = self.load.pickups.iter().filter_map(|pickup| {
            let progress = self.pickups.get(&pickup.stop_id)?;
            Some(pb::PickupProgress {
                stop_id: pickup.stop_id.clone(),
                arrived_time: progress.arrived.map(to_proto),
                loaded_time: progress.loaded.map(to_proto),
                failed_time: progress.failed.map(to_proto),
                lines: progress.lines.clone(),
            })
        });
        let incidents = self.incidents.iter().map(|(id, incident)| pb::Incident {
            incident_id: id.clone(),
            kind: incident.kind.into(),
            note: incident.note.clone(),
            opened_time: Some(to_proto(incident.opened)),
            closed_time: incident.closed.map(to_proto),
            resolution: incident.resolution.clone(),
        });
        pb::Shipment {
            shipment_id: self.shipment_id.clone(),
            state: self.state.into(),
            load: Some(self.load.to_message()),
            load_version: self.load_version,
            carrier_id: self.carrier().unwrap_or_default().to_owned(),
            round: tender.map_or(0, |tender| tender.round),
            answer_by_time: open.map(|tender| to_proto(tender.answer_by)),
            vehicle_id: resources.vehicle_id,
            driver_id: resources.driver_id,
            pass_id: resources.pass_id,
            pickups: pickups.collect(),
            departed_time: self.departed.map(to_proto),
            arrived_time: self.arrived.map(to_proto),
            eta_time: self.eta.map(to_proto),
            declared: handover.declared,
            receipts: handover.receipts,
            receiver_id: handover.receiver_id,
            incidents: incidents.collect(),
            returns_shipment_id: self.returns.clone(),
            continues_shipment_id: self.continues.clone(),
            weight_grams: self.load.weight().0,
            revision: self.revision.0,
        }
    }

    fn describe(&self) -> String {
        let mut line = format!(
            "{}, {} from {} pickups to {}",
            shipment_word(self.state),
            self.load.weight(),
            self.load.pickups.len(),
            self.load.destination.place_id
        );
        if let (Some(carrier), Some(tender)) = (self.carrier(), &self.tender) {
            line += &format!(", {carrier} in round {}", tender.round);
        }
        if let Some(resources) = &self.resources {
            line += &format!(
                ", vehicle {}, driver {}, pass {}",
                resources.vehicle_id, resources.driver_id, resources.pass_id
            );
        }
        if let Some(handover) = self.handover.as_ref().filter(|h| h.at.is_some()) {
            let receipts = handover.receipts.iter();
            let (accepted, damaged, short) =
                receipts.fold((0_i64, 0_i64, 0_i64), |(a, d, s), receipt| {
                    (
                        a.saturating_add(receipt.accepted_units),
                        d.saturating_add(receipt.damaged_units),
                        s.saturating_add(receipt.short_units),
                    )
                });
            line += &format!(
                ", taken over by {}: {accepted} accepted, {damaged} damaged, {short} short",
                handover.receiver_id
            );
        }
        let open = self.incidents.values().filter(|i| i.closed.is_none());
        let open = open.count();
        if open > 0 {
            line += &format!(", {open} open incidents");
        }
        if !self.proofs.is_empty() {
            line += &format!(", {} proofs", self.proofs.len());
        }
        line
    }
}
