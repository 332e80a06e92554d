//! The vocabulary of the pure core: what a domain crate implements, and the
//! values that come with every command and event.
//!
//! This crate performs no I/O, reads no clock, draws no random number and
//! knows nothing of logs or buses; a domain crate depends on it, on `proto`,
//! `thiserror` and `serde`, and on nothing else.
//!
//! The names follow the decider pattern (Chassaing): `decide` turns a command
//! into events or refuses it, `evolve` folds an event into the state, `react`
//! turns another service's event into commands, `due` gives the commands whose
//! time has come.

mod entity_id;
mod ids;
mod invariant;
mod meta;
mod names;
pub mod packed;
pub mod rewritten;
mod roll;
pub mod shelf;
pub mod spec;
pub mod store;
pub mod table;

pub use entity_id::EntityId;
pub use ids::{Area, InvalidId, Position, Revision, Seed, StreamId, Timestamp, is_code};
pub use invariant::{Invariant, Violation};
pub use meta::{Actor, Cause, Context, Recorded, Role, Service, Source};
pub use names::{Name, Names};

/// The closed set of events of one service.
///
/// An implementation is a plain enum over protobuf messages; see the table in
/// the `proto` crate.
pub trait EventSet: Clone + std::fmt::Debug + PartialEq + Send + Sync + Sized + 'static {
    /// Full protobuf message name, for example `baogong.order.v1.OrderPlaced`.
    fn type_name(&self) -> &'static str;
    /// Protobuf encoding of the message.
    fn encode(&self) -> Vec<u8>;
    /// Decodes the message that `type_name` names.
    ///
    /// # Errors
    /// The type is not of this set, or the bytes are not such a message.
    fn decode(type_name: &str, data: &[u8]) -> Result<Self, DecodeError>;
    /// Becomes what [`Self::decode`] would give, in the memory that it has
    /// where it is of that type already.
    ///
    /// # Errors
    /// As [`Self::decode`]; it is any event of its type then.
    fn decode_again(&mut self, type_name: &str, data: &[u8]) -> Result<(), DecodeError> {
        *self = Self::decode(type_name, data)?;
        Ok(())
    }
    /// The stream (the entity's history) to which the event belongs.
    fn stream(&self) -> StreamId;
}

/// Bytes that are not the event they are said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("event type {0} is not known to this version")]
    UnknownType(String),
    #[error("the data of an event of type {type_name} cannot be decoded: {message}")]
    Malformed { type_name: String, message: String },
}

/// A business "no": which rule refused, for machines and for people.
pub trait Rejected: std::error::Error + Clone + PartialEq + Send + Sync + 'static {
    /// UPPER_SNAKE_CASE, stable; callers branch on it.
    fn reason(&self) -> &'static str;
}

/// A command whose time has come, with the area that it concerns.
#[derive(Debug, Clone, PartialEq)]
pub struct Due<C> {
    pub area: Area,
    /// The moment for which it was set; never later than the `now` asked for.
    pub at: Timestamp,
    pub command: C,
}

/// One service's rules. All functions are pure and total.
pub trait Domain: Send + Sync + 'static {
    /// Everything that is decided upon; built by `evolve` alone.
    ///
    /// It can be written and read again, for snapshots and digests. What is
    /// written depends on what the state says and on nothing else: equal
    /// states give equal bytes, on every machine and in whatever order they
    /// were built. What can be derived from the rest need not be written.
    type State: Default + Send + Sync + serde::Serialize + serde::de::DeserializeOwned + 'static;
    type Command: Clone + std::fmt::Debug + Send + Sync + 'static;
    type Event: EventSet;
    /// Events of other services that `react` may look at.
    type Foreign: Clone + std::fmt::Debug + Send + Sync + 'static;
    type Rejection: Rejected;

    const SERVICE: Service;
    /// Services whose events are reacted to.
    const SOURCES: &'static [Service];

    /// Name of a command for people and records, UpperCamelCase.
    fn command_name(command: &Self::Command) -> &'static str;

    /// The only place where a business rule says no. An empty list means that
    /// what was asked for is already so.
    ///
    /// # Errors
    /// A [`Rejected`] that names the rule.
    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &Context,
    ) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// The state as it is, in a form that is only good to be written: it writes
    /// what the state itself would. Made in so little time that commands can
    /// wait for it; none where that cannot be done, and they wait for the
    /// writing.
    fn frozen(_state: &mut Self::State) -> Option<Self::State> {
        None
    }

    /// Folds one event. Never fails and never panics on an event that was ever
    /// written: what does not fit is left aside.
    fn evolve(state: &mut Self::State, record: &Recorded<Self::Event>);

    /// What another service's fact calls for here. Each command is decided in
    /// turn; a rejection is recorded and does not stop the next.
    fn react(state: &Self::State, record: &Recorded<Self::Foreign>) -> Vec<Self::Command>;

    /// Commands whose time has come, the earliest first, at most 64 at once:
    /// the caller decides them and asks again until nothing is due. Carrying
    /// out a due command must make it no longer due.
    fn due(state: &Self::State, now: Timestamp) -> Vec<Due<Self::Command>>;

    /// The earliest moment at which [`Self::due`] has something; none where no
    /// timer is set.
    fn next_due(state: &Self::State) -> Option<Timestamp>;

    /// Invariants of this service's own state that do not hold.
    fn violations(state: &Self::State) -> Vec<Violation>;

    /// One line on an entity's state, for audits; none where it is not known.
    /// Never contains personal data.
    fn describe(state: &Self::State, stream: &StreamId) -> Option<String>;
}
