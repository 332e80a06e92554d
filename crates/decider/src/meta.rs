//! What comes with a command and with a recorded event.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Area, Position, Revision, Seed, StreamId, Timestamp};

/// The services of the suite. The order is the order of start and of display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    Order,
    Inventory,
    Logistics,
    Notification,
}

impl Service {
    pub const ALL: [Self; 4] = [
        Self::Order,
        Self::Inventory,
        Self::Logistics,
        Self::Notification,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Inventory => "inventory",
            Self::Logistics => "logistics",
            Self::Notification => "notification",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Resident,
    Cadre,
    Member,
    Keeper,
    Dispatcher,
    Carrier,
    Auditor,
    Operator,
    /// A service that reacts, or a timer.
    System,
}

impl Role {
    pub const ALL: [Self; 9] = [
        Self::Resident,
        Self::Cadre,
        Self::Member,
        Self::Keeper,
        Self::Dispatcher,
        Self::Carrier,
        Self::Auditor,
        Self::Operator,
        Self::System,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resident => "resident",
            Self::Cadre => "cadre",
            Self::Member => "member",
            Self::Keeper => "keeper",
            Self::Dispatcher => "dispatcher",
            Self::Carrier => "carrier",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who does it. Ids are codes, never names of persons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub role: Role,
    pub id: String,
    /// For whom, where somebody acts for another; otherwise empty.
    pub on_behalf_of: String,
}

impl Actor {
    #[must_use]
    pub fn new(role: Role, id: impl Into<String>) -> Self {
        Self {
            role,
            id: id.into(),
            on_behalf_of: String::new(),
        }
    }

    #[must_use]
    pub fn system(id: impl Into<String>) -> Self {
        Self::new(Role::System, id)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.role, self.id)?;
        if !self.on_behalf_of.is_empty() {
            write!(f, " for {}", self.on_behalf_of)?;
        }
        Ok(())
    }
}

/// A record of another service's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    pub service: Service,
    pub partition: u32,
    pub position: Position,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}@{}", self.service, self.partition, self.position)
    }
}

/// Why an event was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    Request {
        request_id: String,
        /// First 16 bytes of the digest of the encoded request.
        digest: [u8; 16],
        /// How many consecutive records the request made.
        record_count: u32,
    },
    Source(Source),
    Timer {
        due: Timestamp,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { request_id, .. } => write!(f, "request {request_id}"),
            Self::Source(source) => source.fmt(f),
            Self::Timer { .. } => f.write_str("timer"),
        }
    }
}

/// What a decision may know besides the state and the command.
#[derive(Debug, Clone)]
pub struct Context {
    /// The service's clock.
    pub now: Timestamp,
    pub actor: Actor,
    pub area: Area,
    pub seed: Seed,
    /// The caller wants the command refused unless the entity's stream is at
    /// this revision; the runtime checks it for the stream of the first event.
    pub if_revision: Option<Revision>,
}

impl Context {
    /// Id number `n` (from 0) that this command creates.
    #[must_use]
    pub fn new_id(&self, n: u16) -> String {
        self.seed.ulid(self.now, n)
    }
}

/// An event as it stands in a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<E> {
    pub position: Position,
    pub event_id: String,
    pub stream: StreamId,
    pub revision: Revision,
    pub area: Area,
    pub occurred: Timestamp,
    pub recorded: Timestamp,
    pub actor: Actor,
    pub cause: Cause,
    pub correlation_id: String,
    /// W3C trace context; empty where there was none.
    pub traceparent: String,
    /// How many records of the same command follow this one.
    pub unit_remaining: u32,
    pub event: E,
}

impl<E> Recorded<E> {
    /// The same record around another view of the event.
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> Recorded<F> {
        Recorded {
            position: self.position,
            event_id: self.event_id,
            stream: self.stream,
            revision: self.revision,
            area: self.area,
            occurred: self.occurred,
            recorded: self.recorded,
            actor: self.actor,
            cause: self.cause,
            correlation_id: self.correlation_id,
            traceparent: self.traceparent,
            unit_remaining: self.unit_remaining,
            event: f(self.event),
        }
    }
}
