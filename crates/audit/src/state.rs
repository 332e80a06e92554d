//! What one entity was at a moment, by its domain's own words, and the records
//! that led there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use decider::{Domain, Position, Revision, Service, StreamId, Timestamp};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use proto::record::Raw;
use serde::Serialize;

use crate::{
    error::AuditError,
    fold::fold_entries,
    history::{Entry, History, Log, LogName},
    replay::{self, Line},
    table, time,
    units::Standing,
};

/// Streams that are named where one is not known.
const ALIKE_MAX: usize = 5;
/// Characters that they have in common with what was asked for.
const ALIKE_CHARACTERS: usize = 6;

/// A moment of a log, included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(Position),
    Time(Timestamp),
}

impl Moment {
    /// # Errors
    /// It is neither a number nor RFC 3339.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        match text.parse() {
            Ok(position) if position > 0 => Ok(Self::At(Position(position))),
            _ => time::parse(text)
                .map(Self::Time)
                .ok_or_else(|| AuditError::Moment(text.to_owned())),
        }
    }
}

/// An entity at a moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityState {
    pub log: LogName,
    pub stream: StreamId,
    /// Last record of the log that was looked at; 0 where there was none yet.
    pub at: Position,
    /// When that was recorded, RFC 3339.
    pub at_time: Option<String>,
    pub revision: Revision,
    /// None where the entity did not exist yet, or its domain has nothing to say
    /// of it.
    pub state: Option<String>,
    /// The entity's records up to then, each with the state after it.
    pub history: Vec<Line>,
    /// Records of the entity that came later.
    pub later: u64,
}

/// Looks an entity up.
///
/// # Errors
/// No log has such a stream, or the moment is beyond the log's end.
pub fn state(
    history: &History,
    stream: &str,
    moment: Option<Moment>,
) -> Result<EntityState, AuditError> {
    let found = StreamId::parse(stream).ok().and_then(|stream| {
        let mut logs = history.logs.iter();
        let (name, log) = logs.find(|(_, log)| records(log).any(|raw| raw.stream == stream))?;
        Some((*name, log, stream))
    });
    let Some((name, log, stream)) = found else {
        return Err(unknown(history, stream));
    };
    of_log(name, log, stream, moment)
}

/// With the whole log at hand.
pub(crate) fn of_log(
    name: LogName,
    log: &Log,
    stream: StreamId,
    moment: Option<Moment>,
) -> Result<EntityState, AuditError> {
    let at = reached(name, log, moment)?;
    Ok(match name.service {
        Service::Order => told::<Orders>(name, log, stream, at),
        Service::Inventory => told::<Stock>(name, log, stream, at),
        Service::Logistics => told::<Logistics>(name, log, stream, at),
        Service::Notification => told::<Notifications>(name, log, stream, at),
    })
}

fn records(log: &Log) -> impl Iterator<Item = Raw> {
    read(&log.entries)
}

fn read(entries: &[Entry]) -> impl Iterator<Item = Raw> {
    entries.iter().filter_map(|entry| entry.record().ok())
}

fn unknown(history: &History, stream: &str) -> AuditError {
    let (category, id) = stream.split_once('/').unwrap_or((stream, ""));
    let start: String = id.chars().take(ALIKE_CHARACTERS).collect();
    let mut known = BTreeSet::new();
    for raw in history.logs.values().flat_map(records) {
        if raw.stream.category() == category && raw.stream.id().starts_with(&start) {
            known.insert(raw.stream.to_string());
        }
        if known.len() == ALIKE_MAX {
            break;
        }
    }
    AuditError::UnknownStream {
        stream: stream.to_owned(),
        category: category.to_owned(),
        known: known.into_iter().collect(),
    }
}

/// The last position that counts at the moment.
fn reached(log: LogName, entries: &Log, moment: Option<Moment>) -> Result<Position, AuditError> {
    let end = entries.last_position();
    match moment {
        None => Ok(end),
        Some(Moment::At(asked)) if asked > end => Err(AuditError::Beyond { log, end, asked }),
        Some(Moment::At(asked)) => Ok(asked),
        Some(Moment::Time(time)) => Ok(records(entries)
            .take_while(|raw| raw.recorded <= time)
            .last()
            .map_or(Position::ZERO, |raw| raw.position)),
    }
}

/// With the whole log at hand.
fn told<D: Domain>(name: LogName, log: &Log, stream: StreamId, at: Position) -> EntityState {
    let end = log.entries.partition_point(|entry| entry.position <= at);
    let (before, after) = log.entries.split_at(end);
    let idle = Standing::of_entries(before).idle;
    let own: Vec<Raw> = read(before)
        .filter(|raw| raw.stream == stream && !idle.contains(&raw.position))
        .collect();
    let mine: BTreeSet<Position> = own.iter().map(|raw| raw.position).collect();
    let mut states = BTreeMap::new();
    let folded = fold_entries::<D>(before, |position, state| {
        if mine.contains(&position) {
            states.insert(position, D::describe(state, &stream));
        }
    });
    let later = read(after).filter(|raw| raw.stream == stream).count();
    let told = Told {
        name,
        at,
        at_time: read(before).last().map(|raw| raw.recorded),
        state: D::describe(&folded.state, &stream),
        states,
        later: later as u64,
    };
    told.entity(stream, own)
}

/// What a replay told.
pub(crate) struct Told {
    pub name: LogName,
    pub at: Position,
    pub at_time: Option<Timestamp>,
    /// At the end.
    pub state: Option<String>,
    /// After each of the entity's records.
    pub states: BTreeMap<Position, Option<String>>,
    pub later: u64,
}

impl Told {
    /// `own`: the entity's records that count.
    pub(crate) fn entity(mut self, stream: StreamId, own: Vec<Raw>) -> EntityState {
        let history: Vec<Line> = own
            .into_iter()
            .map(|raw| {
                let mut line = replay::line(self.name.at(raw.position), &raw, "", 0, false);
                line.state = self.states.remove(&raw.position).flatten();
                line
            })
            .collect();
        EntityState {
            log: self.name,
            at: self.at,
            at_time: self.at_time.map(time::rfc3339),
            revision: history
                .last()
                .map_or(Revision::ZERO, |line| Revision(line.revision)),
            state: self.state.filter(|_| !history.is_empty()),
            history,
            later: self.later,
            stream,
        }
    }
}

impl EntityState {
    /// For people.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let mut out = String::new();
        let time = self.at_time.as_deref().unwrap_or("before the first record");
        let _ = writeln!(
            out,
            "{} at {}@{} ({time})\n",
            self.stream, self.log, self.at
        );
        let state = match (&self.state, self.history.is_empty()) {
            (Some(state), _) => state.as_str(),
            (None, true) => "it did not exist yet",
            (None, false) => "its service has nothing to say of it",
        };
        let _ = writeln!(out, "  {state}\n");
        if !self.history.is_empty() {
            table::rows(&mut out, &self.history, width);
            out.push('\n');
        }
        let _ = match self.later {
            0 => writeln!(out, "Nothing was recorded of it later."),
            1 => writeln!(out, "1 record of it came later."),
            later => writeln!(out, "{later} records of it came later."),
        };
        out
    }
}
