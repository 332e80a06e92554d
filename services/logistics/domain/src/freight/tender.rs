//! Loads are offered to one carrier at a time (S15): to the one with capacity
//! and the best record, then, on a decline or no answer, to the next.

use decider::{Area, Context, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ShipmentState, WithdrawReason},
    time::{or_epoch, to_proto},
};

use super::{
    Freight, Rejection,
    capacity::{book, freed},
    carrier::{Carrier, score},
    command::{AcceptTender, DeclineTender, ExpireTender, TenderShipment, WithdrawTender},
    shipment::{Shipment, Tender},
};
use crate::{state::Moment, units::Grams};

/// Minutes in which a carrier is to answer.
pub const ANSWER_MINUTES: i64 = 15;

pub(crate) fn tender(
    freight: &Freight,
    command: &TenderShipment,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let free = shipment.state == ShipmentState::Draft;
    shipment.must(free, "withdraw its tender first")?;
    let event = if let Some(carrier_id) = &command.carrier_id {
        freight.active_carrier(&context.area, carrier_id)?;
        event(&shipment, carrier_id, "", context.now)
    } else {
        let next = next_event(freight, &shipment, context.now);
        next.ok_or_else(|| Rejection::NobodyHasCapacity {
            shipment_id: command.shipment_id.clone(),
            weight: shipment.load.weight(),
            zones: shipment
                .load
                .zones()
                .into_iter()
                .map(str::to_owned)
                .collect(),
        })?
    };
    Ok(vec![event.into()])
}

pub(crate) fn event(
    shipment: &Shipment,
    carrier_id: &str,
    offer_id: &str,
    now: Timestamp,
) -> pb::ShipmentTendered {
    pb::ShipmentTendered {
        shipment_id: shipment.shipment_id.clone(),
        round: shipment
            .tender
            .as_ref()
            .map_or(0, |t| t.round)
            .saturating_add(1),
        carrier_id: carrier_id.to_owned(),
        offer_id: offer_id.to_owned(),
        load_version: shipment.load_version,
        answer_by_time: Some(to_proto(now.plus_minutes(ANSWER_MINUTES))),
        weight_grams: shipment.load.weight().0,
    }
}

/// The tender to the best carrier that was not passed over.
pub(crate) fn next_event(
    freight: &Freight,
    shipment: &Shipment,
    now: Timestamp,
) -> Option<pb::ShipmentTendered> {
    let (carrier, offer_id) = best(freight, shipment, now, None)?;
    Some(event(shipment, &carrier.carrier_id, offer_id, now))
}

/// The tender of a changed load to the carrier that had it: on an offer of
/// its own that takes it, where it came by one, and else to the next.
pub(crate) fn again_event(
    freight: &Freight,
    changed: &Shipment,
    carrier_id: &str,
    now: Timestamp,
) -> Option<pb::ShipmentTendered> {
    let before = changed.tender.as_ref().filter(|t| !t.offer_id.is_empty());
    let Some(before) = before else {
        return Some(event(changed, carrier_id, "", now));
    };
    let carrier = freight.active_carrier(&changed.area, carrier_id).ok();
    let carrier = carrier.filter(|c| c.has_vehicle_for(&changed.load));
    let offers = carrier.into_iter().flat_map(|c| c.offers.values());
    let able = offers.filter(|offer| {
        let mut offer = (*offer).clone();
        if offer.offer_id == before.offer_id {
            offer.used = offer.used.minus(before.weight);
        }
        offer.takes(&changed.load, now)
    });
    // The same one before others.
    let best = able.min_by_key(|o| (o.offer_id != before.offer_id, o.to, &o.offer_id));
    match best {
        Some(offer) => Some(event(changed, carrier_id, &offer.offer_id, now)),
        None => next_event(freight, changed, now),
    }
}

/// By acceptance, then punctuality, then the smaller id; of a carrier's
/// offers the one that ends first. Whose vehicles are all too small for the
/// load is not asked.
fn best<'a>(
    freight: &'a Freight,
    shipment: &Shipment,
    now: Timestamp,
    besides: Option<&str>,
) -> Option<(&'a Carrier, &'a str)> {
    let carriers = freight.carriers.get(&shipment.area)?;
    let active = carriers.values().filter(|carrier| {
        carrier.suspended.is_none()
            && !shipment.passed_over.contains(&carrier.carrier_id)
            && besides != Some(&carrier.carrier_id)
            && carrier.has_vehicle_for(&shipment.load)
    });
    let able = active.filter_map(|carrier| {
        let offers = carrier.offers.values();
        let offer = offers
            .filter(|offer| offer.takes(&shipment.load, now))
            .min_by_key(|offer| (offer.to, &offer.offer_id))?;
        Some((carrier, &*offer.offer_id))
    });
    able.min_by_key(|(carrier, _)| {
        let record = carrier.record;
        let best_first = (record.acceptance(), record.punctuality());
        (std::cmp::Reverse(best_first), &carrier.carrier_id)
    })
}

pub(crate) fn tendered(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ShipmentTendered) {
    let answer_by = or_epoch(event.answer_by_time.as_ref());
    let weight = Grams(event.weight_grams);
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.state = ShipmentState::Tendered;
        shipment.tender = Some(Tender {
            round: event.round,
            carrier_id: event.carrier_id.clone(),
            offer_id: event.offer_id.clone(),
            answer_by,
            weight,
            accepted: None,
        });
    });
    book(
        freight,
        moment.area,
        &event.carrier_id,
        &event.offer_id,
        |used| used.plus(weight),
    );
    score(freight, moment.area, &event.carrier_id, |record| {
        record.offered += 1
    });
}

pub(crate) fn accept(
    freight: &Freight,
    command: &AcceptTender,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    freight.active_carrier(&context.area, &command.carrier_id)?;
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    let tender = open_tender(&shipment, command.round)?;
    if tender.accepted.is_some() {
        return Ok(vec![]);
    }
    Ok(vec![
        pb::TenderAccepted {
            shipment_id: command.shipment_id.clone(),
            round: command.round,
            carrier_id: command.carrier_id.clone(),
        }
        .into(),
    ])
}

/// The shipment's tender if it is this one and it is still the carrier's:
/// open, or accepted already.
fn open_tender(shipment: &Shipment, round: i32) -> Result<&Tender, Rejection> {
    let open = shipment.state == ShipmentState::Tendered || shipment.is_under_way();
    let latest = shipment.tender.as_ref();
    let over = || Rejection::TenderOver {
        shipment_id: shipment.shipment_id.clone(),
        round,
        latest: latest.map_or(0, |tender| tender.round),
    };
    latest
        .filter(|tender| open && tender.round == round)
        .ok_or_else(over)
}

pub(crate) fn accepted(freight: &mut Freight, moment: &Moment<'_>, event: &pb::TenderAccepted) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.state = ShipmentState::Accepted;
        if let Some(tender) = &mut shipment.tender {
            tender.accepted = Some(moment.at);
        }
    });
    score(freight, moment.area, &event.carrier_id, |record| {
        record.accepted += 1
    });
}

/// Offered to the next in the same breath.
pub(crate) fn decline(
    freight: &Freight,
    command: &DeclineTender,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    let tender = open_tender(&shipment, command.round)?;
    let open = tender.accepted.is_none();
    shipment.must(
        open,
        "what was accepted is not declined; ask the dispatcher",
    )?;
    let declined = pb::TenderDeclined {
        shipment_id: command.shipment_id.clone(),
        round: command.round,
        carrier_id: command.carrier_id.clone(),
        reason: command.reason.into(),
        note: command.note.clone(),
    };
    Ok(with_next(freight, &shipment, declined.into(), context))
}

/// The end of a tender, the tender to the best of the other carriers, and
/// what the capacity is used for that is free now.
pub(crate) fn with_next(
    freight: &Freight,
    shipment: &Shipment,
    end: LogisticsEvent,
    context: &Context,
) -> Vec<LogisticsEvent> {
    let now = context.now;
    let next = best(freight, shipment, now, shipment.carrier());
    let next = next.map(|(carrier, offer)| event(shipment, &carrier.carrier_id, offer, now));
    std::iter::once(end)
        .chain(next.map(LogisticsEvent::from))
        .chain(freed(freight, shipment, context))
        .collect()
}

pub(crate) fn declined(freight: &mut Freight, moment: &Moment<'_>, event: &pb::TenderDeclined) {
    pass_over(freight, moment, &event.shipment_id, &event.carrier_id);
    score(freight, moment.area, &event.carrier_id, |record| {
        record.declined += 1
    });
}

/// Timer. A tender that was answered meanwhile does not expire.
pub(crate) fn expire(
    freight: &Freight,
    command: &ExpireTender,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let due = |t: &&Tender| t.round == command.round && t.answer_by <= context.now;
    let tender = shipment.tender.as_ref().filter(due);
    let Some(tender) = tender.filter(|_| shipment.state == ShipmentState::Tendered) else {
        return Ok(vec![]);
    };
    let expired = pb::TenderExpired {
        shipment_id: command.shipment_id.clone(),
        round: command.round,
        carrier_id: tender.carrier_id.clone(),
    };
    Ok(with_next(freight, &shipment, expired.into(), context))
}

pub(crate) fn expired(freight: &mut Freight, moment: &Moment<'_>, event: &pb::TenderExpired) {
    pass_over(freight, moment, &event.shipment_id, &event.carrier_id);
    score(freight, moment.area, &event.carrier_id, |record| {
        record.expired += 1
    });
}

pub(crate) fn withdraw(
    freight: &Freight,
    command: &WithdrawTender,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let early = matches!(
        shipment.state,
        ShipmentState::Tendered | ShipmentState::Accepted | ShipmentState::ResourceAssigned
    );
    shipment.must(
        early,
        "a tender can be withdrawn until the vehicle has left",
    )?;
    let event = withdrawn_event(&shipment, WithdrawReason::Dispatcher);
    let freed = freed(freight, &shipment, context);
    let event = event.map(LogisticsEvent::from).into_iter();
    Ok(event.chain(freed).collect())
}

/// None where nobody has the shipment.
pub(crate) fn withdrawn_event(
    shipment: &Shipment,
    reason: WithdrawReason,
) -> Option<pb::TenderWithdrawn> {
    let held = shipment.state == ShipmentState::Tendered || shipment.is_under_way();
    let tender = shipment.tender.as_ref().filter(|_| held)?;
    Some(pb::TenderWithdrawn {
        shipment_id: shipment.shipment_id.clone(),
        round: tender.round,
        carrier_id: tender.carrier_id.clone(),
        reason: reason.into(),
    })
}

/// Withdrawn because of the carrier: it is not offered to it again by itself.
pub(crate) fn withdrawn(freight: &mut Freight, moment: &Moment<'_>, event: &pb::TenderWithdrawn) {
    if event.reason() == WithdrawReason::CarrierSuspended {
        pass_over(freight, moment, &event.shipment_id, &event.carrier_id);
    } else {
        end(freight, moment, &event.shipment_id);
    }
}

fn pass_over(freight: &mut Freight, moment: &Moment<'_>, shipment_id: &str, carrier_id: &str) {
    end(freight, moment, shipment_id);
    freight.change(shipment_id, moment, |shipment| {
        shipment.passed_over.insert(carrier_id.to_owned());
    });
}

/// The carrier does not have the shipment any more.
fn end(freight: &mut Freight, moment: &Moment<'_>, shipment_id: &str) {
    let shipment = freight.shipments.get(shipment_id);
    if let Some(tender) = shipment.and_then(|shipment| shipment.tender.clone()) {
        give_back(freight, moment.area, &tender);
    }
    freight.change(shipment_id, moment, Shipment::let_go);
}

/// The offer's capacity is free for other loads.
fn give_back(freight: &mut Freight, area: &Area, tender: &Tender) {
    book(
        freight,
        area,
        &tender.carrier_id,
        &tender.offer_id,
        |used| used.minus(tender.weight),
    );
}
