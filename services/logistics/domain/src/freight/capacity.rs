//! What a firm offers to carry, where and when (S15).

use std::collections::BTreeSet;

use decider::{Area, Context, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1 as pb,
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject,
    carrier::{Carrier, change},
    command::{OfferCapacity, WithdrawCapacity},
    consolidation,
    load::Load,
    shipment::Shipment,
    tender,
};
use crate::{state::Moment, units::Grams};

/// Waiting shipments that a new offer is given at once.
const TENDERED_AT_ONCE: usize = 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub offer_id: String,
    pub zones: Vec<String>,
    pub capacity: Grams,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Tendered against it, accepted or not yet answered.
    pub used: Grams,
}

impl Offer {
    /// Whether the load can still be carried within the offer.
    pub(crate) fn takes(&self, load: &Load, now: Timestamp) -> bool {
        let serves = self.serves(load.zones().into_iter(), load.due, now);
        serves && load.weight() <= self.free()
    }

    /// Whether it is for that time and those zones.
    pub(crate) fn serves<'a>(
        &self,
        mut zones: impl Iterator<Item = &'a str>,
        due: (Timestamp, Timestamp),
        now: Timestamp,
    ) -> bool {
        let in_time = self.to > now && self.from <= due.1 && due.0 < self.to;
        in_time && zones.all(|zone| self.zones.iter().any(|z| z == zone))
    }

    /// What is not tendered against it.
    pub(crate) const fn free(&self) -> Grams {
        self.capacity.minus(self.used)
    }
}

pub(crate) fn offer(
    freight: &Freight,
    command: &OfferCapacity,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.active_carrier(&context.area, &command.carrier_id)?;
    if command.to <= command.from || command.to <= context.now {
        return Err(Rejection::Times { to: command.to });
    }
    if command.capacity <= Grams::ZERO {
        return Err(Rejection::NoCapacity {
            capacity: command.capacity,
        });
    }
    let mut offer = Offer {
        offer_id: context.new_id(0),
        zones: command.zones.clone(),
        capacity: command.capacity,
        from: command.from,
        to: command.to,
        used: Grams::ZERO,
    };
    let offered = pb::CapacityOffered {
        offer_id: offer.offer_id.clone(),
        carrier_id: command.carrier_id.clone(),
        zones: command.zones.clone(),
        capacity_grams: command.capacity.0,
        from_time: Some(to_proto(command.from)),
        to_time: Some(to_proto(command.to)),
    };
    let mut events = vec![offered.into()];
    // Shipments that nobody could take wait for this.
    let tendered = waiting(freight, carrier, &mut offer, None, context);
    let given: BTreeSet<&str> = tendered.iter().map(|t| &*t.shipment_id).collect();
    let room = carrier.vehicles.values().max();
    let room = room.map_or(Grams::ZERO, |largest| offer.free().min(*largest));
    let serves = |shipment: &Shipment| {
        let load = &shipment.load;
        let passed = shipment.passed_over.contains(&carrier.carrier_id);
        let open = !passed && !given.contains(&*shipment.shipment_id);
        open && offer.serves(load.zones().into_iter(), load.due, context.now)
    };
    let smaller = consolidation::too_large(freight, context, room, serves, TENDERED_AT_ONCE);
    let smaller: Vec<LogisticsEvent> = smaller.collect();
    events.extend(tendered.into_iter().map(LogisticsEvent::from));
    events.extend(smaller);
    Ok(events)
}

/// Tenders of what waits for somebody, as far as the offer goes.
fn waiting(
    freight: &Freight,
    carrier: &Carrier,
    offer: &mut Offer,
    besides: Option<&str>,
    context: &Context,
) -> Vec<pb::ShipmentTendered> {
    let mut events = Vec::new();
    let drafts = freight.drafts.iter();
    for shipment in drafts.filter_map(|id| freight.shipments.moving(id)) {
        let load = &shipment.load;
        let waits = shipment.area == context.area
            && besides != Some(&shipment.shipment_id)
            && !shipment.passed_over.contains(&carrier.carrier_id);
        if waits && carrier.has_vehicle_for(load) && offer.takes(load, context.now) {
            offer.used = offer.used.plus(load.weight());
            let event = tender::event(shipment, &carrier.carrier_id, &offer.offer_id, context.now);
            events.push(event);
        }
        if events.len() >= TENDERED_AT_ONCE {
            break;
        }
    }
    events
}

/// The carrier of a shipment does not have it any more, and what was booked on
/// its offer is free: others that wait for somebody may have it.
pub(crate) fn freed(
    freight: &Freight,
    shipment: &Shipment,
    context: &Context,
) -> Vec<LogisticsEvent> {
    let held = shipment.carrier().and(shipment.tender.as_ref());
    let Some(tender) = held else { return vec![] };
    let carrier = freight.active_carrier(&shipment.area, &tender.carrier_id);
    let Ok(carrier) = carrier else {
        return vec![];
    };
    let Some(mut offer) = carrier.offers.get(&tender.offer_id).cloned() else {
        return vec![];
    };
    offer.used = offer.used.minus(tender.weight);
    let ended = Some(shipment.shipment_id.as_str());
    let tendered = waiting(freight, carrier, &mut offer, ended, context);
    tendered.into_iter().map(LogisticsEvent::from).collect()
}

pub(crate) fn offered(freight: &mut Freight, moment: &Moment<'_>, event: &pb::CapacityOffered) {
    change(freight, moment, &event.carrier_id, |carrier| {
        carrier.offers.insert(
            event.offer_id.clone(),
            Offer {
                offer_id: event.offer_id.clone(),
                zones: event.zones.clone(),
                capacity: Grams(event.capacity_grams),
                from: or_epoch(event.from_time.as_ref()),
                to: or_epoch(event.to_time.as_ref()),
                used: Grams::ZERO,
            },
        );
    });
}

pub(crate) fn withdraw(
    freight: &Freight,
    command: &WithdrawCapacity,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.carrier_in(&context.area, &command.carrier_id)?;
    if !carrier.offers.contains_key(&command.offer_id) {
        return Err(Rejection::unknown(Subject::Offer, &command.offer_id));
    }
    Ok(vec![
        pb::CapacityWithdrawn {
            offer_id: command.offer_id.clone(),
            carrier_id: command.carrier_id.clone(),
        }
        .into(),
    ])
}

/// Tenders that were made against it stay open.
pub(crate) fn withdrawn(freight: &mut Freight, moment: &Moment<'_>, event: &pb::CapacityWithdrawn) {
    change(freight, moment, &event.carrier_id, |carrier| {
        carrier.offers.remove(&event.offer_id);
    });
}

/// Books a shipment's weight on the offer, or gives it back.
pub(crate) fn book(
    freight: &mut Freight,
    area: &Area,
    carrier_id: &str,
    offer_id: &str,
    book: impl FnOnce(Grams) -> Grams,
) {
    let carrier = freight.carrier_mut(area, carrier_id);
    if let Some(offer) = carrier.and_then(|carrier| carrier.offers.get_mut(offer_id)) {
        offer.used = book(offer.used);
    }
}
