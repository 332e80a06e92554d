//! Dispatched goods become loads (S08, S13): what waits on the routes to one
//! checkpoint until the same moment is carried together, from up to ten
//! pickups, in loads that a vehicle on offer can take; each is drafted and
//! tendered in one breath.
//!
//! A load is made when its window ends, or before, when what waits fills one.
//! Each command makes one, since a load's manifest nearly fills a record of
//! the log; the window stays due until all of its goods are on a load.
//!
//! Nothing waits for ever unseen. A load that nobody took until it was due is
//! given up, and its goods wait for the next window; an offer of less than a
//! waiting load weighs has it made anew in smaller parts; goods that no load
//! may carry, and those of a route without a further window, are listed with
//! the reason.

use std::collections::BTreeMap;

use decider::{Context, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, LoadLine, ShipmentState, WaitReason},
    time::to_proto,
};

use super::{
    Freight, Goods, Rejection, Route, Shipment, Where,
    command::{GiveUpLoad, MakeLoad},
    load::{Load, Pickup},
    packing::{self, Item, Room},
    shipment,
};
use crate::{
    bags::Bags,
    parcel::Parcel,
    state::{Moment, State},
    units::Grams,
};

/// What an order's goods and its bags' labels take in a load, in bytes.
const FRAME_BYTES: usize = 4;
/// Why a load is given up whose goods go into others.
pub(crate) const WINDOW_MISSED: &str = "WINDOW_MISSED";
pub(crate) const MADE_SMALLER: &str = "MADE_SMALLER";

/// The parcel waits where its goods take a route.
pub(crate) fn queue(
    freight: &Freight,
    expected: &pb::ParcelExpected,
    context: &Context,
) -> Option<pb::ParcelQueued> {
    let holder = &expected.custodian.as_ref()?.id;
    let route = freight.route_for(&context.area, holder, &expected.checkpoint_id)?;
    // Nothing was packed for it: there is nothing to carry.
    let window = route.plan.window(context.now);
    (!expected.bags.is_empty()).then(|| pb::ParcelQueued {
        order_id: expected.order_id.clone(),
        route_id: route.route_id.clone(),
        window_time: window.map(to_proto),
    })
}

pub(crate) fn queued(state: &mut State, moment: &Moment<'_>, event: &pb::ParcelQueued) {
    let parcel = state.parcels.get(event.order_id.as_str());
    let known = state.freight.routes.contains_key(&event.route_id);
    let Some(parcel) = parcel.filter(|parcel| known && parcel.is_expected()) else {
        return;
    };
    let goods = goods(parcel, &event.route_id, moment.at);
    state.freight.wait(goods, moment.at);
    state.change_parcel(&event.order_id, moment.at, |parcel, _| {
        parcel.revision = moment.revision;
    });
}

fn goods(parcel: &Parcel, route_id: &str, now: Timestamp) -> Goods {
    let order_id = String::from(&parcel.order_id);
    let mut products: Vec<String> = parcel.bags.iter().map(|bag| bag.product_id).collect();
    products.sort_unstable();
    products.dedup();
    let labels = parcel.bags.iter().map(|bag| bag.label.len() + FRAME_BYTES);
    Goods {
        area: parcel.area.clone(),
        route_id: route_id.to_owned(),
        weight: parcel.weight(),
        products,
        bytes: labels.sum::<usize>() + order_id.len() + FRAME_BYTES,
        since: now,
        place: Where::Waiting(None),
        order_id,
    }
}

/// Timer: the next load of a window.
pub(crate) fn make(
    state: &State,
    command: &MakeLoad,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let freight = &state.freight;
    let key = (
        context.area.clone(),
        command.checkpoint_id.clone(),
        command.window,
    );
    if !freight.is_window_due(&key, context.now) {
        return Ok(vec![]);
    }
    let Some(first) = freight.items(&key).next() else {
        return Ok(vec![]);
    };
    let ended = command.window.min(context.now);
    let waits: Grams = freight.items(&key).map(|item| item.goods.weight).sum();
    let room = room(freight, first, waits, ended, context);
    let filled = packing::fill(freight.items(&key), room, false);
    let load = load(state, &filled.items, ended);
    Ok(shipment::draft_events(
        freight,
        &load,
        0,
        shipment::Links::parcels(""),
        context,
    ))
}

/// The largest vehicle on offer that can take the first of the goods, and no
/// small part of them; none where there is none, and the load then waits for
/// one.
fn room<'a>(
    freight: &'a Freight,
    first: Item<'_>,
    waits: Grams,
    ended: Timestamp,
    context: &Context,
) -> Option<Room<'a>> {
    let plan = first.plan;
    let due = plan.due(ended);
    let zones = [plan.origin.zone.as_str(), plan.destination.zone.as_str()];
    let carriers = freight.carriers.get(&context.area)?.values();
    let active = carriers.filter(|carrier| carrier.suspended.is_none());
    let rooms = active.flat_map(|carrier| {
        let largest = carrier.vehicles.values().max().copied();
        carrier.offers.values().filter_map(move |offer| {
            let serves = offer.serves(zones.into_iter(), due, context.now);
            let weight = offer.free().min(largest?);
            let worthwhile = weight.times(PARTS_MAX) >= waits.min(plan.weight_max);
            (serves && worthwhile && weight >= first.goods.weight).then_some(Room {
                weight,
                zones: &offer.zones,
            })
        })
    });
    // The first of the largest, by carrier and offer.
    rooms.reduce(|best, room| {
        if room.weight > best.weight {
            room
        } else {
            best
        }
    })
}

/// What the goods' parcels say: a pickup for each route, a line for each
/// product of it, a label for each bag.
fn load(state: &State, items: &[Item<'_>], ended: Timestamp) -> Load {
    let mut stops: BTreeMap<&str, (Item<'_>, BTreeMap<String, LoadLine>)> = BTreeMap::new();
    let mut order_ids = Vec::with_capacity(items.len());
    let mut due = (ended, ended);
    for item in items {
        let (_, lines) = stops
            .entry(&item.goods.route_id)
            .or_insert_with(|| (*item, BTreeMap::new()));
        due.1 = due.1.max(item.plan.due(ended).1);
        order_ids.push(item.goods.order_id.clone());
        for bag in bags(state, &item.goods.order_id).iter() {
            let line = lines.entry(bag.product_id.clone()).or_default();
            line.product_id = bag.product_id;
            line.quantity_units = line.quantity_units.saturating_add(bag.quantity_units);
            line.weight_grams = line.weight_grams.saturating_add(bag.weight_grams);
            line.labels.push(bag.label);
        }
    }
    order_ids.sort_unstable();
    let destination = items.first().map(|item| item.plan.destination.clone());
    let mut line_ids = (1_u32..).map(|n| format!("L{n}"));
    let pickups = stops.into_iter().map(|(route_id, (item, lines))| Pickup {
        stop_id: route_id.to_owned(),
        place: item.plan.origin.clone(),
        from: ended,
        to: ended.plus_minutes(item.plan.lead.max(1)),
        lines: lines
            .into_values()
            .zip(&mut line_ids)
            .map(|(line, line_id)| LoadLine { line_id, ..line })
            .collect(),
    });
    Load {
        pickups: pickups.collect(),
        destination: destination.unwrap_or_default(),
        due,
        order_ids,
    }
}

pub(crate) fn bags(state: &State, order_id: &str) -> Bags {
    let parcel = state.parcels.get(order_id);
    parcel.map(|parcel| parcel.bags.clone()).unwrap_or_default()
}

/// Goods go from their window, or from a load that failed, to the new load.
pub(crate) fn drafted(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ShipmentDrafted) {
    if !event.carries_parcels || !freight.shipments.contains(&event.shipment_id) {
        return;
    }
    let order_ids = event.load.iter().flat_map(|load| &load.order_ids);
    for order_id in order_ids {
        if let Some(goods) = freight.goods.all.get(order_id).cloned() {
            freight.put(goods, Where::On(event.shipment_id.clone()), moment.at);
        }
    }
}

/// Timer: nobody took the load by the time when it was due.
pub(crate) fn give_up(
    freight: &Freight,
    command: &GiveUpLoad,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let late = shipment.gives_up().is_some_and(|at| at <= context.now);
    let event = late.then(|| given_up(&shipment, WINDOW_MISSED));
    Ok(event.into_iter().map(LogisticsEvent::from).collect())
}

fn given_up(shipment: &Shipment, reason: &str) -> pb::ShipmentCancelled {
    pb::ShipmentCancelled {
        shipment_id: shipment.shipment_id.clone(),
        reason: reason.to_owned(),
    }
}

/// Loads that wait for somebody and could be carried in parts by a firm that
/// offers this room now; at most `limit`.
pub(crate) fn too_large<'a>(
    freight: &'a Freight,
    context: &'a Context,
    room: Grams,
    serves: impl Fn(&Shipment) -> bool + 'a,
    limit: usize,
) -> impl Iterator<Item = LogisticsEvent> + 'a {
    let drafts = freight.goods.shipments();
    let drafts = drafts.filter_map(|id| freight.shipments.moving(id));
    drafts
        .filter(move |shipment| {
            let weight = shipment.load.weight();
            shipment.state == ShipmentState::Draft
                && shipment.area == context.area
                && weight > room
                && room.times(PARTS_MAX) >= weight
                && serves(shipment)
        })
        .take(limit)
        .map(|shipment| given_up(shipment, MADE_SMALLER).into())
}

/// A load is not made smaller for a vehicle of less than this part of it.
const PARTS_MAX: i64 = 10;

/// What was not loaded goes back to its route.
pub(crate) fn cancelled(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ShipmentCancelled) {
    if event.reason != MADE_SMALLER {
        freight.unload(&event.shipment_id, moment.at, |_| true);
        return;
    }
    let goods: Vec<Goods> = freight.goods.on(&event.shipment_id).cloned().collect();
    for goods in goods {
        // At once, whatever the windows.
        let open = freight.routes.get(&goods.route_id);
        if open.is_some_and(|route| route.closed.is_none()) {
            freight.put(goods, Where::Waiting(Some(moment.at)), moment.at);
        } else {
            freight.take_goods(&goods.order_id);
        }
    }
}

impl Shipment {
    /// When its load is made anew unless somebody has taken it.
    pub(crate) fn gives_up(&self) -> Option<Timestamp> {
        let waits = self.carries_parcels && self.state == ShipmentState::Draft;
        waits.then_some(self.load.due.1)
    }
}

impl Goods {
    /// Why no carrier has said yes to them; none where one has.
    pub(crate) fn wait_reason(&self, freight: &Freight) -> Option<WaitReason> {
        let shipment_id = match &self.place {
            Where::On(shipment_id) => shipment_id,
            Where::Waiting(window) => {
                let route: Option<&Route> = freight.routes.get(&self.route_id);
                let light = route.is_some_and(|route| self.weight <= route.plan.weight_max);
                return Some(match window {
                    _ if !light => WaitReason::TooHeavy,
                    Some(_) => WaitReason::WindowOpen,
                    None => WaitReason::NoWindow,
                });
            }
        };
        match freight.shipments.get(shipment_id)?.state {
            ShipmentState::Draft => Some(WaitReason::NoCarrier),
            ShipmentState::Tendered => Some(WaitReason::Tendered),
            _ => None,
        }
    }
}
