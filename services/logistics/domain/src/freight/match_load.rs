//! Confirmed matches of surplus become loads (S13, S15): those that go to the
//! same buyer in the same window are fetched together, from up to ten places.
//! They wait for each other for the time that the area set, or until it says
//! that no more is proposed; then the load is drafted and tendered as any other.
//!
//! A load's line has the id of its match, so that inventory knows what became
//! of it.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Area, Context, Due, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, LoadLine, Place},
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, LOAD_PICKUPS_MAX, Rejection,
    command::{DraftMatchLoad, QueueMatch},
    load::{Load, Pickup},
    shipment,
};
use crate::{Command, state::Moment, units::Grams};

/// One lorry. A match that is heavier is a load of its own.
const LOAD_GRAMS_MAX: Grams = Grams(10_000_000);
/// Lines of one load: what inventory records of all of them at once fits into
/// its log.
const LOAD_MATCHES_MAX: usize = 60;
/// Loads that are released at once; the others wait for their time.
const RELEASED_AT_ONCE: usize = 64;
/// Between the draft and the last moment to fetch something.
const LEAD_MINUTES: i64 = 60;
/// Two times to fetch something at one place are one stop when they have that
/// much in common.
const STOP_MINUTES_MIN: i64 = 30;

/// Matches to one buyer in one window, before they are a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchLoad {
    pub load_id: String,
    pub area: Area,
    pub destination: Place,
    pub due: (Timestamp, Timestamp),
    /// Each with one line.
    pub pickups: Vec<Pickup>,
    pub draft_by: Timestamp,
}

/// All that wait. The indexes follow from the loads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MatchLoads {
    pub loads: BTreeMap<String, MatchLoad>,
    /// Match → load.
    waiting: BTreeMap<String, String>,
    deadlines: BTreeSet<(Timestamp, String)>,
}

impl MatchLoad {
    /// As it would be drafted: stops in the order in which they end.
    fn to_load(&self) -> Load {
        let mut stops: Vec<Pickup> = Vec::new();
        let mut pickups: Vec<&Pickup> = self.pickups.iter().collect();
        pickups.sort_by_key(|pickup| (pickup.to, pickup.from, &pickup.place.place_id));
        for pickup in pickups {
            let at_once = stops.iter_mut().find(|stop| {
                let (from, to) = (stop.from.max(pickup.from), stop.to.min(pickup.to));
                stop.place == pickup.place && from.plus_minutes(STOP_MINUTES_MIN) <= to
            });
            if let Some(stop) = at_once {
                stop.from = stop.from.max(pickup.from);
                stop.to = stop.to.min(pickup.to);
                stop.lines.extend(pickup.lines.iter().cloned());
            } else {
                stops.push(Pickup {
                    stop_id: format!("p{}", stops.len() + 1),
                    ..pickup.clone()
                });
            }
        }
        Load {
            pickups: stops,
            destination: self.destination.clone(),
            due: self.due,
            order_ids: Vec::new(),
        }
    }

    fn with(&self, pickup: Pickup) -> Self {
        let mut with = self.clone();
        with.pickups.push(pickup);
        with
    }

    fn fits(&self) -> bool {
        let load = self.to_load();
        load.pickups.len() <= LOAD_PICKUPS_MAX
            && self.pickups.len() <= LOAD_MATCHES_MAX
            && load.weight() <= LOAD_GRAMS_MAX
    }

    fn is_full(&self) -> bool {
        self.to_load().pickups.len() >= LOAD_PICKUPS_MAX || self.pickups.len() >= LOAD_MATCHES_MAX
    }
}

/// A match waits for others, or fills up a load, which is drafted then.
pub(crate) fn queue(
    freight: &Freight,
    command: &QueueMatch,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    if freight.match_loads.waiting.contains_key(&command.match_id) {
        return Ok(vec![]);
    }
    let pickup = pickup(command);
    let alone = MatchLoad {
        load_id: command.match_id.clone(),
        area: context.area.clone(),
        destination: command.destination.clone(),
        due: command.due,
        // A vehicle must still get there.
        draft_by: command.load_by.min(pickup.to.plus_minutes(-LEAD_MINUTES)),
        pickups: vec![pickup.clone()],
    };
    alone.to_load().check()?;
    let mut loads = freight.match_loads.loads.values();
    let open = loads.find(|load| {
        load.area == context.area
            && load.destination == command.destination
            && load.due == command.due
    });
    let Some(open) = open else {
        return Ok(vec![queued_event(&alone, pickup).into()]);
    };
    let mut together = open.with(pickup.clone());
    together.draft_by = open.draft_by.min(alone.draft_by);
    // At most one load is drafted, since a tender is made of the capacity that
    // is free before the command.
    let (draft, queued) = if !together.fits() {
        (Some(open), queued_event(&alone, pickup))
    } else {
        let full = together.is_full().then_some(&together);
        (full, queued_event(&together, pickup))
    };
    let drafted = draft.map(|load| drafted_events(freight, load, context));
    Ok(std::iter::once(queued.into())
        .chain(drafted.into_iter().flatten())
        .collect())
}

fn pickup(command: &QueueMatch) -> Pickup {
    Pickup {
        stop_id: command.match_id.clone(),
        place: command.pickup.clone(),
        from: command.pickup_window.0,
        to: command.pickup_window.1,
        lines: vec![LoadLine {
            line_id: command.match_id.clone(),
            product_id: command.product_id.clone(),
            quantity_units: command.quantity_units,
            weight_grams: command.weight.0,
            labels: Vec::new(),
        }],
    }
}

fn queued_event(load: &MatchLoad, pickup: Pickup) -> pb::MatchQueued {
    pb::MatchQueued {
        load_id: load.load_id.clone(),
        match_id: pickup.stop_id.clone(),
        pickup: Some(pb::Pickup {
            stop_id: pickup.stop_id,
            place: Some(pickup.place),
            from_time: Some(to_proto(pickup.from)),
            to_time: Some(to_proto(pickup.to)),
            lines: pickup.lines,
        }),
        destination: Some(load.destination.clone()),
        due_from_time: Some(to_proto(load.due.0)),
        due_to_time: Some(to_proto(load.due.1)),
        draft_by_time: Some(to_proto(load.draft_by)),
    }
}

fn drafted_events(freight: &Freight, load: &MatchLoad, context: &Context) -> Vec<LogisticsEvent> {
    let links = shipment::Links::returning("");
    shipment::draft_events(freight, &load.to_load(), 0, links, context)
}

/// Timer: whoever is in it by now goes.
pub(crate) fn draft(
    freight: &Freight,
    command: &DraftMatchLoad,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let load = freight.match_loads.loads.get(&command.load_id);
    Ok(load.map_or_else(Vec::new, |load| drafted_events(freight, load, context)))
}

/// The area proposes nothing more: nobody waits any longer.
pub(crate) fn release(
    freight: &Freight,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let loads = freight.match_loads.loads.values();
    let waiting = loads.filter(|load| load.area == context.area && load.draft_by > context.now);
    let released = waiting.take(RELEASED_AT_ONCE).map(|load| {
        pb::MatchLoadReleased {
            load_id: load.load_id.clone(),
        }
        .into()
    });
    Ok(released.collect())
}

pub(crate) fn queued(freight: &mut Freight, moment: &Moment<'_>, event: &pb::MatchQueued) {
    let waiting = &mut freight.match_loads;
    let message = event.pickup.clone().unwrap_or_default();
    // By its one line it is known again when it is drafted; what has none
    // would wait for ever.
    let named = message.stop_id == event.match_id
        && matches!(&message.lines[..], [line] if line.line_id == event.match_id);
    if !named || waiting.waiting.contains_key(&event.match_id) {
        return;
    }
    let pickup = Pickup {
        stop_id: message.stop_id,
        place: message.place.unwrap_or_default(),
        from: or_epoch(message.from_time.as_ref()),
        to: or_epoch(message.to_time.as_ref()),
        lines: message.lines,
    };
    waiting.change(&event.load_id, |load| {
        let mut load = load.unwrap_or_else(|| MatchLoad {
            load_id: event.load_id.clone(),
            area: moment.area.clone(),
            destination: event.destination.clone().unwrap_or_default(),
            due: (
                or_epoch(event.due_from_time.as_ref()),
                or_epoch(event.due_to_time.as_ref()),
            ),
            pickups: Vec::new(),
            draft_by: Timestamp::default(),
        });
        load.draft_by = or_epoch(event.draft_by_time.as_ref());
        load.pickups.push(pickup);
        Some(load)
    });
}

pub(crate) fn released(freight: &mut Freight, moment: &Moment<'_>, event: &pb::MatchLoadReleased) {
    freight.match_loads.change(&event.load_id, |load| {
        load.map(|load| MatchLoad {
            draft_by: moment.at,
            ..load
        })
    });
}

/// A shipment has these lines: they do not wait any longer.
pub(crate) fn drafted(freight: &mut Freight, event: &pb::ShipmentDrafted) {
    let pickups = event.load.iter().flat_map(|load| &load.pickups);
    for line in pickups.flat_map(|pickup| &pickup.lines) {
        let Some(load_id) = freight.match_loads.waiting.get(&line.line_id).cloned() else {
            continue;
        };
        freight.match_loads.change(&load_id, |load| {
            let mut load = load?;
            load.pickups.retain(|pickup| pickup.stop_id != line.line_id);
            (!load.pickups.is_empty()).then_some(load)
        });
    }
}

impl MatchLoads {
    /// Puts a load in the place of what it was before, with its indexes.
    fn change(
        &mut self,
        load_id: &str,
        change: impl FnOnce(Option<MatchLoad>) -> Option<MatchLoad>,
    ) {
        let before = self.loads.remove(load_id);
        if let Some(load) = &before {
            self.deadlines.remove(&(load.draft_by, load_id.to_owned()));
            for pickup in &load.pickups {
                self.waiting.remove(&pickup.stop_id);
            }
        }
        if let Some(load) = change(before) {
            self.insert(load);
        }
    }

    pub fn insert(&mut self, load: MatchLoad) {
        self.deadlines.insert((load.draft_by, load.load_id.clone()));
        let ids = load.pickups.iter().map(|pickup| pickup.stop_id.clone());
        self.waiting
            .extend(ids.map(|match_id| (match_id, load.load_id.clone())));
        self.loads.insert(load.load_id.clone(), load);
    }

    pub fn due(&self, now: Timestamp, limit: usize) -> impl Iterator<Item = Due<Command>> {
        let over = self.deadlines.iter().take_while(move |(at, _)| *at <= now);
        over.take(limit).filter_map(|(at, load_id)| {
            Some(Due {
                area: self.loads.get(load_id)?.area.clone(),
                at: *at,
                command: DraftMatchLoad {
                    load_id: load_id.clone(),
                }
                .into(),
            })
        })
    }

    pub fn next_due(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub fn describe(&self, load_id: &str) -> String {
        match self.loads.get(load_id) {
            None => "nothing waits for this load any more".into(),
            Some(load) => format!(
                "{} matches of {} wait for a load to {}, drafted by {}",
                load.pickups.len(),
                load.to_load().weight(),
                load.destination.place_id,
                to_proto(load.draft_by)
            ),
        }
    }
}
