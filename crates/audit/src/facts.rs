//! The events of all logs, decoded, with their causes at hand: what the checks
//! across services look at.

use std::collections::{BTreeMap, HashMap};

use decider::{Cause, Position, Service, Source};
use prost::{Message, Name};
use proto::{
    AnyEvent, InventoryEvent, LogisticsEvent, NotificationEvent, OrderEvent,
    log::v1::ReactionRejected,
    record::{self, Raw},
};

use crate::{
    history::{History, LogName},
    units::Standing,
};

/// An event where it stands.
#[derive(Debug)]
pub(crate) struct Fact {
    pub at: Source,
    /// Without the event's bytes.
    pub record: Raw,
    pub event: AnyEvent,
}

#[derive(Debug)]
pub(crate) struct Facts {
    all: Vec<Fact>,
    by_source: HashMap<Source, usize>,
    /// How far a log has taken in another service's.
    cursors: BTreeMap<(LogName, Service), Position>,
    /// Why a reaction to a record was refused, and where.
    refusals: HashMap<(Service, Source), (Source, String)>,
}

/// The facts of one service, with the event itself.
macro_rules! of_service {
    ($name:ident, $variant:ident, $event:ty) => {
        pub(crate) fn $name(&self) -> impl Iterator<Item = (&Fact, &$event)> {
            self.all.iter().filter_map(|fact| match &fact.event {
                AnyEvent::$variant(event) => Some((fact, event)),
                _ => None,
            })
        }
    };
}

impl Facts {
    /// Log after log, each in order. What cannot be decoded is left out:
    /// `verify` reports it; so is what is void, which tells of nothing.
    pub(crate) fn new(history: &History) -> Self {
        let mut facts = Self {
            all: Vec::new(),
            by_source: HashMap::new(),
            cursors: BTreeMap::new(),
            refusals: HashMap::new(),
        };
        for (name, log) in &history.logs {
            let idle = Standing::of(log).idle;
            for entry in &log.entries {
                if idle.contains(&entry.position) {
                    continue;
                }
                if let Some(source) = entry.source() {
                    let cursor = facts.cursors.entry((*name, source.service)).or_default();
                    *cursor = (*cursor).max(source.position);
                }
                if let Ok(record) = entry.record() {
                    facts.take(name.at(entry.position), record);
                }
            }
        }
        facts
    }

    fn take(&mut self, at: Source, mut record: Raw) {
        let (name, data) = (&record.event.type_name, &record.event.data);
        let Ok(event) = AnyEvent::decode(at.service, name, data) else {
            return;
        };
        if *name == ReactionRejected::full_name()
            && let Ok(note) = ReactionRejected::decode(&**data)
            && let Some(source) = note.source.as_ref().and_then(record::source_from_proto)
        {
            let reason = format!("{}: {}", note.reason, note.message);
            self.refusals.insert((at.service, source), (at, reason));
        }
        record.event.data = Vec::new();
        self.by_source.entry(at).or_insert(self.all.len());
        self.all.push(Fact { at, record, event });
    }

    of_service!(order, Order, OrderEvent);
    of_service!(inventory, Inventory, InventoryEvent);
    of_service!(logistics, Logistics, LogisticsEvent);
    of_service!(notification, Notification, NotificationEvent);

    /// The other service's event that this one is a reaction to.
    pub(crate) fn cause(&self, fact: &Fact) -> Option<&Fact> {
        match &fact.record.cause {
            Cause::Source(source) => self.by_source.get(source).map(|n| &self.all[*n]),
            _ => None,
        }
    }

    /// Whether the service has taken the record in, going by its own log.
    pub(crate) fn is_taken_in(&self, by: Service, record: &Source) -> bool {
        let log = LogName::new(by, record.partition);
        self.cursors
            .get(&(log, record.service))
            .is_some_and(|cursor| *cursor >= record.position)
    }

    /// ` (refused at order-0@7: …)`, or nothing.
    pub(crate) fn refusal(&self, by: Service, record: &Source) -> String {
        self.refusals
            .get(&(by, *record))
            .map(|(at, reason)| format!(" (refused at {at}: {reason})"))
            .unwrap_or_default()
    }
}
