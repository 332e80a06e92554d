//! The entities of the trunk leg as the API shows them, and as one line for
//! people.

use decider::{StreamId, Timestamp};
use proto::{logistics::v1 as pb, time::to_proto};

use super::{
    Carrier, Freight, Goods, Pass, Route, Shipment, Webhook, Where,
    rejection::{pass_word, shipment_word},
};
use crate::units::Grams;

impl Freight {
    pub(crate) fn describe(&self, stream: &StreamId) -> Option<String> {
        let id = stream.id();
        match stream.category() {
            "carrier" => {
                let everywhere = self.carriers.values().filter_map(|all| all.get(id));
                let lines: Vec<_> = everywhere.map(Carrier::describe).collect();
                (!lines.is_empty()).then(|| lines.join("\n"))
            }
            "pass" => self.passes.get(id).map(Pass::describe),
            "shipment" => self.shipments.get(id).map(|s| s.describe()),
            "route" => self.routes.get(id).map(Route::describe),
            "match-load" => Some(self.match_loads.describe(id)),
            "webhook" => self.webhooks.get(id).map(Webhook::describe),
            _ => None,
        }
    }

    /// Why goods wait, and for what; none where a carrier has said yes.
    pub(crate) fn waiting_message(&self, goods: &Goods) -> Option<pb::WaitingGoods> {
        let route = self.routes.get(&goods.route_id)?;
        let reason = goods.wait_reason(self)?;
        let (window, shipment_id) = match &goods.place {
            Where::Waiting(window) => (*window, ""),
            Where::On(shipment_id) => (None, shipment_id.as_str()),
        };
        Some(pb::WaitingGoods {
            order_id: goods.order_id.clone(),
            route_id: goods.route_id.clone(),
            checkpoint_id: route.plan.destination.place_id.clone(),
            weight_grams: goods.weight.0,
            since_time: Some(to_proto(goods.since)),
            reason: reason.into(),
            window_time: window.map(to_proto),
            shipment_id: shipment_id.to_owned(),
        })
    }
}

impl Route {
    /// As it is at `now`.
    pub(crate) fn to_message(&self, freight: &Freight, now: Timestamp) -> pb::Route {
        let goods = freight.goods.all.values().filter(|goods| {
            goods.route_id == self.route_id && matches!(goods.place, Where::Waiting(_))
        });
        let (orders, weight) = goods.fold((0, Grams::ZERO), |(orders, weight), goods| {
            (orders + 1, weight.plus(goods.weight))
        });
        let open = self.closed.is_none();
        pb::Route {
            route_id: self.route_id.clone(),
            plan: Some(self.plan.to_message()),
            closed_reason: self.closed.clone().unwrap_or_default(),
            waiting_orders: orders,
            waiting_grams: weight.0,
            window_time: self.plan.window(now).filter(|_| open).map(to_proto),
            revision: self.revision.0,
        }
    }

    fn describe(&self) -> String {
        let plan = &self.plan;
        let mut line = format!(
            "{} to {}, for what {} sends, every {} min from {} to {}, loads of at most {} and {} \
             orders",
            plan.origin.place_id,
            plan.destination.place_id,
            plan.holder_id,
            plan.every,
            to_proto(plan.from),
            to_proto(plan.to),
            plan.weight_max,
            plan.orders_max
        );
        if let Some(reason) = &self.closed {
            line += &format!("; closed: {reason}");
        }
        line
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
                labels: progress.labels.clone(),
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
            proof_count: i32::try_from(self.proofs.len()).unwrap_or(i32::MAX),
            // In clear nowhere in the state: who shows them opens them.
            contacts: vec![],
            contacts_masked: false,
            personal_data_erased_time: self.personal_erased.map(to_proto),
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
        if self.personal_erased.is_some() {
            line += ", personal data erased";
        }
        line
    }
}
