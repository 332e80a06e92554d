//! Custody of the parcels on a load (INV-03): the carrier has them from the
//! loading on, and the checkpoint from the hand-over on, parcel by parcel with
//! what is missing of each; a bag that is damaged or short goes the way of
//! every such bag. Of a lost load everything is missing.
//!
//! A load has more parcels than one command may write records for, so the
//! hand-over is carried through by timers, in the moment in which it happened.

use std::borrow::Cow;

use decider::{Context, EventSet, Invariant, Timestamp, Violation};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, LineCount, Milestone, ReportFit},
};

use super::{
    Freight, Goods, Rejection, Shipment,
    command::ReceiveLoad,
    load::{Load, Pickup},
    shipment::{self, Links},
    tally::{self, Fates},
};
use crate::{
    custody,
    parcel::Parcel,
    state::{Moment, State},
};

/// Encoded events of one command, so that with their envelopes they fit into
/// one batch of the log.
const BYTES_MAX: usize = 24 * 1024;
const PARCELS_MAX: usize = 50;
/// Hours in which what comes back is to be fetched.
const RETURN_HOURS: i64 = 24;

/// Timer: the next parcels of a load that was handed over or lost.
pub(crate) fn receive(
    state: &State,
    command: &ReceiveLoad,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let freight = &state.freight;
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let fates = tally::fates(&shipment);
    let mut events = Vec::new();
    let mut bytes = 0;
    let mut goods = freight.goods.on(&command.shipment_id).peekable();
    let mut parcels = 0;
    while let Some(next) = goods.peek() {
        let made = received(state, &shipment, next, &fates);
        let more: usize = made.iter().map(|event| event.encode().len()).sum();
        if parcels > 0 && (parcels >= PARCELS_MAX || bytes + more > BYTES_MAX) {
            return Ok(events);
        }
        bytes += more;
        parcels += 1;
        events.extend(made);
        goods.next();
    }
    events.extend(returns(state, &shipment, &fates, context));
    Ok(events)
}

/// One parcel; it goes straight back where its order was cancelled meanwhile.
fn received(
    state: &State,
    shipment: &Shipment,
    goods: &Goods,
    fates: &Fates,
) -> Vec<LogisticsEvent> {
    let Some(parcel) = state.parcels.get(goods.order_id.as_str()) else {
        return vec![];
    };
    let keeper = shipment.handover.as_ref().map(|h| h.receiver_id.clone());
    let (mut accepted_labels, mut exceptions) = (Vec::new(), Vec::new());
    for bag in parcel.bags.iter() {
        let Some((code, note)) = fates.get(&bag.label) else {
            accepted_labels.push(bag.label);
            continue;
        };
        exceptions.push(pb::BagException {
            label: bag.label,
            product_id: bag.product_id,
            quantity_units: bag.quantity_units,
            code: (*code).into(),
            note: note.clone(),
        });
    }
    let received = pb::ParcelReceived {
        order_id: goods.order_id.clone(),
        checkpoint_id: (&parcel.checkpoint_id).into(),
        from: Some(custody::carrier(shipment.carrier().unwrap_or_default())),
        to: Some(custody::checkpoint(&parcel.checkpoint_id)),
        accepted_labels,
        exceptions,
        household_id: (&parcel.household_id).into(),
        keeper_id: keeper.unwrap_or_default(),
    };
    let mut events = vec![received.into()];
    if shipment.recalled.contains(&goods.order_id) {
        let order_id = goods.order_id.clone();
        events.push(pb::ParcelWithdrawn { order_id }.into());
    }
    events
}

/// What was recalled and is there goes back to where it came from: a linked
/// shipment for each origin.
fn returns(
    state: &State,
    shipment: &Shipment,
    fates: &Fates,
    context: &Context,
) -> Vec<LogisticsEvent> {
    let freight = &state.freight;
    let pickups = shipment.load.pickups.iter();
    let loads = pickups.filter_map(|pickup| going_back(state, shipment, pickup, fates, context));
    (0..)
        .zip(loads)
        .flat_map(|(n, load)| {
            let links = Links::returning(&shipment.shipment_id);
            shipment::draft_events(freight, &load, n, links, context)
        })
        .collect()
}

fn going_back(
    state: &State,
    shipment: &Shipment,
    pickup: &Pickup,
    fates: &Fates,
    context: &Context,
) -> Option<Load> {
    let mut order_ids = Vec::new();
    let mut bags = Vec::new();
    for order_id in &shipment.recalled {
        let parcel = state.parcels.get(order_id.as_str())?;
        let there = parcel.bags.iter().filter(|bag| {
            let mut lines = pickup.lines.iter();
            !fates.contains_key(&bag.label) && lines.any(|l| l.labels.contains(&bag.label))
        });
        let before = bags.len();
        bags.extend(there);
        if bags.len() > before {
            order_ids.push(order_id.clone());
        }
    }
    let lines = pickup.lines.iter().filter_map(|line| {
        let mut back = pb::LoadLine {
            line_id: line.line_id.clone(),
            product_id: line.product_id.clone(),
            ..pb::LoadLine::default()
        };
        for bag in bags.iter().filter(|bag| line.labels.contains(&bag.label)) {
            back.quantity_units = back.quantity_units.saturating_add(bag.quantity_units);
            back.weight_grams = back.weight_grams.saturating_add(bag.weight_grams);
            back.labels.push(bag.label.clone());
        }
        (!back.labels.is_empty()).then_some(back)
    });
    let lines: Vec<_> = lines.collect();
    let due = (context.now, context.now.plus_minutes(RETURN_HOURS * 60));
    (!lines.is_empty()).then(|| Load {
        pickups: vec![Pickup {
            stop_id: shipment.load.destination.place_id.clone(),
            place: shipment.load.destination.clone(),
            from: due.0,
            to: due.1,
            lines,
        }],
        destination: pickup.place.clone(),
        due,
        order_ids,
    })
}

/// What a report means for the parcels of a shipment, once it is folded.
pub(crate) fn reported(state: &mut State, moment: &Moment<'_>, event: &pb::MilestoneReported) {
    if !matches!(event.milestone(), Milestone::Loaded | Milestone::Lost) {
        return;
    }
    let shipment = state.freight.shipments.get(&event.shipment_id);
    let Some(shipment) = shipment
        .filter(|shipment| shipment.carries_parcels)
        .map(Cow::into_owned)
    else {
        return;
    };
    if event.milestone() == Milestone::Loaded && event.fit() != ReportFit::Repeated {
        loaded(state, moment, &shipment, &event.stop_id, &event.carrier_id);
    }
    if event.milestone() == Milestone::Lost {
        let not_loaded = not_loaded(&shipment);
        state
            .freight
            .unload(&event.shipment_id, moment.at, |g| not_loaded(g));
        state.freight.time_owing(&event.shipment_id);
    }
}

fn not_loaded(shipment: &Shipment) -> impl Fn(&Goods) -> bool {
    |goods| {
        let pickup = shipment.pickups.get(&goods.route_id);
        pickup.is_none_or(|pickup| pickup.loaded.is_none())
    }
}

/// The carrier has the parcels. An order of which no bag was loaded waits
/// again; of one of which some were, the others are short at the hand-over.
fn loaded(
    state: &mut State,
    moment: &Moment<'_>,
    shipment: &Shipment,
    stop_id: &str,
    carrier_id: &str,
) {
    let behind: std::collections::BTreeSet<String> =
        tally::left_behind(shipment, stop_id).into_iter().collect();
    let goods = state.freight.goods.on(&shipment.shipment_id);
    let goods = goods.filter(|goods| goods.route_id == stop_id);
    let goods: Vec<Goods> = goods.cloned().collect();
    for goods in goods {
        let parcel = state.parcels.get(goods.order_id.as_str());
        let stays = |parcel: &Parcel| parcel.bags.iter().all(|bag| behind.contains(&bag.label));
        if parcel.is_none_or(stays) {
            state.freight.wait(goods, moment.at);
            continue;
        }
        state.change_parcel(&goods.order_id, moment.at, |parcel, faults| {
            let from = parcel.custodian.to_message();
            parcel.hand_over(&from, custody::carrier(carrier_id), faults);
        });
    }
}

/// What was not on the vehicle waits for another one.
pub(crate) fn transferred(freight: &mut Freight, at: Timestamp, shipment_id: &str) {
    let Some(shipment) = freight.shipments.get(shipment_id) else {
        return;
    };
    if shipment.carries_parcels {
        let shipment = shipment.into_owned();
        freight.unload(shipment_id, at, not_loaded(&shipment));
        freight.time_owing(shipment_id);
    }
}

/// Of a pickup that failed: the orders that it was for.
pub(crate) fn orders_of_stop(freight: &Freight, shipment_id: &str, stop_id: &str) -> Vec<String> {
    let goods = freight.goods.on(shipment_id);
    let goods = goods.filter(|goods| goods.route_id == stop_id);
    goods.map(|goods| goods.order_id.clone()).collect()
}

/// Every unit of a line.
pub(crate) fn whole(line: &pb::LoadLine) -> LineCount {
    LineCount {
        line_id: line.line_id.clone(),
        units: line.quantity_units,
        missing_labels: vec![],
    }
}

/// INV-03 on the trunk leg: the carrier has every parcel that it has loaded,
/// and nobody but its load speaks for it.
pub(crate) fn violations(state: &State) -> impl Iterator<Item = Violation> {
    let freight = &state.freight;
    freight.goods.shipments().flat_map(move |shipment_id| {
        let shipment = freight.shipments.get(shipment_id);
        freight.goods.on(shipment_id).filter_map(move |goods| {
            let detail = match &shipment {
                None => Some(format!("{shipment_id} is no shipment")),
                Some(shipment) => astray(state, shipment, goods),
            };
            Some(Violation {
                invariant: Invariant::OneCustodian,
                entity: format!("parcel/{}", goods.order_id),
                detail: detail?,
            })
        })
    })
}

fn astray(state: &State, shipment: &Shipment, goods: &Goods) -> Option<String> {
    let id = &shipment.shipment_id;
    if !shipment.load.order_ids.contains(&goods.order_id) {
        return Some(format!(
            "it is on shipment {id}, whose load does not name it"
        ));
    }
    let parcel = state.parcels.get(goods.order_id.as_str())?;
    let has = custody::name(&parcel.custodian.to_message());
    let loaded = !not_loaded(shipment)(goods);
    let carrier = shipment.carrier().unwrap_or_default();
    (loaded && parcel.custodian != custody::carrier(carrier))
        .then(|| format!("{has} has it, and shipment {id} of {carrier} has loaded it"))
}
