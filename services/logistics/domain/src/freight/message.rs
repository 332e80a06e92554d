//! One line for people about an entity of the trunk leg.

use decider::StreamId;
use proto::time::to_proto;

use super::{
    Carrier, Freight, Pass, Shipment,
    rejection::{pass_word, shipment_word},
};

impl Freight {
    pub(crate) fn describe(&self, stream: &StreamId) -> Option<String> {
        let id = stream.id();
        match stream.category() {
            "carrier" => self.carriers.get(id).map(Carrier::describe),
            "pass" => self.passes.get(id).map(Pass::describe),
            "shipment" => self.shipments.get(id).map(Shipment::describe),
            _ => None,
        }
    }
}

impl Carrier {
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
