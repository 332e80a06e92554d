//! What was read: every log's records, as bytes. Nothing here is judged; what is
//! no record is kept as it is.

use std::{collections::BTreeMap, fmt, str::FromStr};

use bytes::Bytes;
use decider::{Cause, Position, Service, Source};
use prost::{Message, Name};
use proto::{
    log::v1::CursorAdvanced,
    record::{self, Raw, RecordError},
};
use transparency::Origin;

/// Types of the runtime's own events begin so.
pub(crate) const RUNTIME_PREFIX: &str = "baogong.log.v1.";

/// The log of one service partition; `order-0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName {
    pub service: Service,
    pub partition: u32,
}

impl LogName {
    #[must_use]
    pub const fn new(service: Service, partition: u32) -> Self {
        Self { service, partition }
    }

    /// The log that a record is of.
    #[must_use]
    pub const fn of(source: &Source) -> Self {
        Self::new(source.service, source.partition)
    }

    /// The log's name in checkpoints, keys and proofs.
    #[must_use]
    pub fn origin(self) -> Origin {
        Origin::new(self.service.name(), self.partition)
            .expect("the services' names are lower-case words")
    }

    /// The log that an origin names; none where it is of no service of ours.
    #[must_use]
    pub fn from_origin(origin: &Origin) -> Option<Self> {
        Service::parse(origin.service()).map(|service| Self::new(service, origin.partition()))
    }

    /// A record of this log.
    #[must_use]
    pub const fn at(self, position: Position) -> Source {
        Source {
            service: self.service,
            partition: self.partition,
            position,
        }
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.service, self.partition)
    }
}

impl serde::Serialize for LogName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for LogName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (service, partition) = text.rsplit_once('-').ok_or(())?;
        let service = Service::parse(service).ok_or(())?;
        let name = Self::new(service, partition.parse().map_err(|_| ())?);
        (name.to_string() == text).then_some(name).ok_or(())
    }
}

/// One record as it was read.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it stands: as the log says, or the record where only that is known.
    pub position: Position,
    /// What is held of it; see [`Entry::record`].
    pub bytes: Bytes,
}

impl Entry {
    #[must_use]
    pub const fn new(position: Position, bytes: Bytes) -> Self {
        Self { position, bytes }
    }

    /// Decoded anew each time: a log of millions of records fits into memory
    /// once, not twice and a half.
    ///
    /// # Errors
    /// The bytes are no record.
    pub fn record(&self) -> Result<Raw, RecordError> {
        record::decode(&self.bytes)
    }

    /// The record of another log that this one says it has taken in.
    pub(crate) fn source(&self) -> Option<Source> {
        let raw = self.record().ok()?;
        match &raw.cause {
            Cause::Source(source) => Some(*source),
            _ => cursor(&raw),
        }
    }
}

/// The source that a `CursorAdvanced` vouches for.
pub(crate) fn cursor(raw: &Raw) -> Option<Source> {
    if raw.event.type_name != CursorAdvanced::full_name() {
        return None;
    }
    let note = CursorAdvanced::decode(&*raw.event.data).ok()?;
    record::source_from_proto(&note.source?)
}

/// Where a log stopped being readable, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub position: Position,
    pub what: String,
}

/// The records of one log, in order.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub entries: Vec<Entry>,
    /// Nothing could be read from here on.
    pub damage: Option<Damage>,
    /// What opening it had to do, for example to cut off a torn tail.
    pub note: Option<String>,
}

impl Log {
    /// Takes a record in at the end. A record tells its position itself; where
    /// it cannot, it stands behind the one before.
    pub fn push(&mut self, bytes: Bytes) {
        let mut entry = Entry::new(self.next_position(), bytes);
        if let Ok(raw) = entry.record() {
            entry.position = raw.position;
        }
        self.entries.push(entry);
    }

    /// Where the next record stands.
    #[must_use]
    pub fn next_position(&self) -> Position {
        Position(self.last_position().0.saturating_add(1))
    }

    #[must_use]
    pub fn last_position(&self) -> Position {
        self.entries
            .last()
            .map_or(Position::ZERO, |entry| entry.position)
    }

    /// The record that says that it has this position.
    #[must_use]
    pub fn get(&self, position: Position) -> Option<&Entry> {
        let guess = usize::try_from(position.0.checked_sub(1)?).ok()?;
        self.entries
            .get(guess)
            .filter(|entry| entry.position == position)
            // Only in a log with a gap.
            .or_else(|| self.entries.iter().find(|e| e.position == position))
    }
}

/// Everything that was read for an audit.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub logs: BTreeMap<LogName, Log>,
    /// Whether it was read from running services, which record on meanwhile.
    pub live: bool,
}

impl History {
    /// A history of given record bytes, for example those of a test.
    pub fn from_bytes(logs: impl IntoIterator<Item = (LogName, Vec<Bytes>)>) -> Self {
        let mut history = Self::default();
        for (name, records) in logs {
            let log = history.logs.entry(name).or_default();
            for bytes in records {
                log.push(bytes);
            }
        }
        history
    }

    #[must_use]
    pub fn get(&self, at: Source) -> Option<&Entry> {
        self.logs.get(&LogName::of(&at))?.get(at.position)
    }

    pub(crate) fn of(&self, service: Service) -> impl Iterator<Item = (LogName, &Log)> {
        self.logs
            .iter()
            .filter(move |(name, _)| name.service == service)
            .map(|(name, log)| (*name, log))
    }

    /// The furthest record that others say they took in, for each log that
    /// does not reach so far.
    pub(crate) fn lacking(&self) -> BTreeMap<LogName, Position> {
        let mut lacking = BTreeMap::<LogName, Position>::new();
        let entries = self.logs.values().flat_map(|log| &log.entries);
        for source in entries.filter_map(Entry::source) {
            let name = LogName::of(&source);
            let end = self.logs.get(&name).map(Log::last_position);
            if end.is_some_and(|end| end < source.position) {
                let wanted = lacking.entry(name).or_default();
                *wanted = (*wanted).max(source.position);
            }
        }
        lacking
    }
}
