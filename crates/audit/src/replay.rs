//! The life of one delivery: every record of every log that names the order,
//! each cause before what it caused, with the state that it led to.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Actor, Cause, Domain, Position, Service, Source, StreamId, Timestamp};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use proto::{
    OrderEvent,
    record::{self, Raw},
};
use serde::{Serialize, Serializer};

use crate::{
    causal,
    error::AuditError,
    event_json::{self, Part},
    fold::fold_with,
    history::{Entry, History, Log, LogName},
    time,
};

/// Categories of the streams that an order has by its own id.
const OWN: [&str; 3] = ["order", "demand", "parcel"];
const NOTIFICATION: &str = "notification";
const RUN: &str = "run";
const PARCEL: &str = "parcel";
const SHIPMENT: &str = "shipment";
/// Of a shipment, where its vehicle was: nothing that the order rests on.
const POSITION: &str = "baogong.logistics.v1.PositionReported";

/// One delivery, as the logs tell it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replay {
    pub order_id: String,
    /// Causes first.
    pub lines: Vec<Line>,
    /// What came of it: the entities of the order at the end of the logs.
    pub outcome: Vec<Outcome>,
}

/// An entity and one line on it, by its domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub log: LogName,
    pub stream: StreamId,
    pub state: String,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    pub log: LogName,
    pub service: Service,
    pub partition: u32,
    pub position: Position,
    #[serde(serialize_with = "rfc3339")]
    pub recorded_time: Timestamp,
    #[serde(serialize_with = "rfc3339")]
    pub occurred_time: Timestamp,
    pub event_id: String,
    pub stream: StreamId,
    pub revision: u64,
    /// Full message name.
    pub r#type: String,
    pub actor: Actor,
    pub cause: Because,
    pub correlation_id: String,
    pub traceparent: String,
    /// How many causes among these lines stand above it.
    pub depth: usize,
    /// Not of this order alone: what it rests on.
    pub context: bool,
    /// The event's fields, of long lists only the order's own part; what is
    /// sealed is `(sealed)`.
    pub event: serde_json::Value,
    /// Set where a list was cut.
    pub part: Option<Part>,
    /// The entity that `state` is of: the event's own, or the parcel where the
    /// event is a whole run's.
    pub state_of: StreamId,
    /// What the state was after the record; none where the domain has nothing
    /// to say of it.
    pub state: Option<String>,
}

/// Why a record was made, in a form for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Because {
    Request {
        request_id: String,
        digest: String,
        record_count: u32,
    },
    Record {
        record: String,
        service: Service,
        partition: u32,
        position: Position,
    },
    Timer {
        #[serde(serialize_with = "rfc3339")]
        due_time: Timestamp,
    },
}

fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time::rfc3339(*time))
}

impl From<&Cause> for Because {
    fn from(cause: &Cause) -> Self {
        match cause {
            Cause::Request {
                request_id,
                digest,
                record_count,
            } => Self::Request {
                request_id: request_id.clone(),
                digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
                record_count: *record_count,
            },
            Cause::Source(source) => Self::Record {
                record: source.to_string(),
                service: source.service,
                partition: source.partition,
                position: source.position,
            },
            Cause::Timer { due } => Self::Timer { due_time: *due },
        }
    }
}

/// Finds and orders everything about an order.
///
/// # Errors
/// No log knows the order.
pub fn replay(history: &History, order_id: &str) -> Result<Replay, AuditError> {
    let selection = Selection::of(history, order_id);
    if !selection.known {
        return Err(AuditError::UnknownOrder(order_id.to_owned()));
    }
    let mut states = BTreeMap::new();
    let mut outcome = Vec::new();
    for (name, log) in &history.logs {
        let mut tell = Telling {
            name: *name,
            order_id,
            selection: &selection,
            states: &mut states,
            outcome: &mut outcome,
        };
        match name.service {
            Service::Order => tell.run::<Orders>(log),
            Service::Inventory => tell.run::<Stock>(log),
            Service::Logistics => tell.run::<Logistics>(log),
            Service::Notification => tell.run::<Notifications>(log),
        }
    }
    let rank = causal::rank(history, selection.records.keys().copied());
    let mut chosen: Vec<(&Source, &bool)> = selection.records.iter().collect();
    chosen.sort_by_key(|(at, _)| rank.get(at).copied());
    let mut depths = BTreeMap::<Source, usize>::new();
    let mut lines = Vec::with_capacity(chosen.len());
    for (at, context) in chosen {
        let Some(Ok(raw)) = history.get(*at).map(Entry::record) else {
            continue;
        };
        let depth = match &raw.cause {
            Cause::Source(cause) => depths.get(cause).map_or(0, |depth| depth + 1),
            _ => 0,
        };
        depths.insert(*at, depth);
        let mut line = line(*at, &raw, order_id, depth, *context);
        line.state = states.remove(at);
        lines.push(line);
    }
    Ok(Replay {
        order_id: order_id.to_owned(),
        lines,
        outcome,
    })
}

/// The records of an order, causes first: those of [`replay`], without their
/// states.
pub(crate) fn records_of(history: &History, order_id: &str) -> Result<Vec<Source>, AuditError> {
    let selection = Selection::of(history, order_id);
    if !selection.known {
        return Err(AuditError::UnknownOrder(order_id.to_owned()));
    }
    let rank = causal::rank(history, selection.records.keys().copied());
    let mut records: Vec<Source> = selection.records.into_keys().collect();
    records.sort_by_key(|at| rank.get(at).copied());
    Ok(records)
}

pub(crate) fn line(at: Source, raw: &Raw, order_id: &str, depth: usize, context: bool) -> Line {
    let (event, part) = event_json::to_json(&raw.event, order_id);
    Line {
        log: LogName::of(&at),
        service: at.service,
        partition: at.partition,
        position: at.position,
        recorded_time: raw.recorded,
        occurred_time: raw.occurred,
        event_id: raw.event_id.clone(),
        stream: raw.stream.clone(),
        revision: raw.revision.0,
        r#type: raw.event.type_name.clone(),
        actor: raw.actor.clone(),
        cause: Because::from(&raw.cause),
        correlation_id: raw.correlation_id.clone(),
        traceparent: raw.traceparent.clone(),
        depth,
        context,
        event,
        part,
        state_of: state_of(raw, order_id),
        state: None,
    }
}

/// A run's state says nothing of the order; its parcel's does.
fn state_of(raw: &Raw, order_id: &str) -> StreamId {
    if raw.stream.category() == RUN {
        StreamId::new(PARCEL, order_id)
    } else {
        raw.stream.clone()
    }
}

/// Which records are shown; the value says whether one is only context.
struct Selection {
    known: bool,
    records: BTreeMap<Source, bool>,
    /// Streams of the order itself, whose last state is of interest.
    streams: BTreeSet<(LogName, StreamId)>,
}

impl Selection {
    fn of(history: &History, order_id: &str) -> Self {
        let mut selection = Self {
            known: false,
            records: BTreeMap::new(),
            streams: BTreeSet::new(),
        };
        let mut rests_on = BTreeSet::<StreamId>::new();
        for (name, position, raw) in records(history) {
            let own = OWN.contains(&raw.stream.category()) && raw.stream.id() == order_id;
            if !own && !event_json::mentions(&raw.event, order_id) {
                continue;
            }
            selection.known |= own;
            selection.records.insert(name.at(position), false);
            if own || raw.stream.category() == NOTIFICATION {
                selection.streams.insert((name, raw.stream.clone()));
            }
            // The trunk leg: what became of the loads that it was on.
            if raw.stream.category() == SHIPMENT {
                rests_on.insert(raw.stream.clone());
            }
            if let Ok(event) = record::decode_event::<OrderEvent>(raw)
                && let OrderEvent::OrderPlaced(placed) = event.event
            {
                rests_on.insert(StreamId::new("household", &placed.household_id));
                if !placed.group_buy_id.is_empty() {
                    rests_on.insert(StreamId::new("group-buy", &placed.group_buy_id));
                }
            }
        }
        // A notification's later records need not name the order.
        for (name, position, raw) in records(history) {
            let at = name.at(position);
            if selection.streams.contains(&(name, raw.stream.clone())) {
                selection.records.entry(at).or_insert(false);
            } else if rests_on.contains(&raw.stream) && raw.event.type_name != POSITION {
                selection.records.entry(at).or_insert(true);
            }
        }
        selection
    }
}

fn records(history: &History) -> impl Iterator<Item = (LogName, Position, Raw)> {
    history.logs.iter().flat_map(|(name, log)| {
        log.entries
            .iter()
            .filter_map(|entry| Some((*name, entry.position, entry.record().ok()?)))
    })
}

/// Replays one log and notes the states that are asked for.
struct Telling<'a> {
    name: LogName,
    order_id: &'a str,
    selection: &'a Selection,
    states: &'a mut BTreeMap<Source, String>,
    outcome: &'a mut Vec<Outcome>,
}

impl Telling<'_> {
    fn run<D: Domain>(&mut self, log: &Log) {
        let name = self.name;
        let folded = fold_with::<D>(log, |position, state| {
            let at = name.at(position);
            if !self.selection.records.contains_key(&at) {
                return;
            }
            let Some(Ok(raw)) = log.get(position).map(Entry::record) else {
                return;
            };
            if let Some(text) = D::describe(state, &state_of(&raw, self.order_id)) {
                self.states.insert(at, text);
            }
        });
        for (log, stream) in &self.selection.streams {
            if *log == name
                && let Some(state) = D::describe(&folded.state, stream)
            {
                self.outcome.push(Outcome {
                    log: name,
                    stream: stream.clone(),
                    state,
                });
            }
        }
    }
}
