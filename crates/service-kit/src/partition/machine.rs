//! One partition's deterministic state machine: the domain's state together
//! with what the runtime derives from the same log (revisions, answered
//! requests, cursors). It makes records and folds them; it stores nothing,
//! waits for nothing and reads no clock.
//!
//! Here is what it decides; [`fold`] has what a record in the log does to it,
//! `canonical` the one form in which it can be written down and compared.

mod canonical;
mod fold;
pub(super) mod recent;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use decider::{
    Actor, Area, Cause, Context, Domain, EventSet, Position, Recorded, Rejected, Revision, Seed,
    Service, Source, StreamId, Timestamp,
};
use event_log::{RECORD_BYTES_MAX, UNIT_BYTES_MAX};
use prost::{Message, Name};
use proto::{
    log::v1 as pb,
    record::{self, Encoded, Raw},
    unit::Units,
};
use sha2::{Digest, Sha256};
use stream_index::{IndexError, StreamIndex};

use super::step::RECORD_OVERHEAD_BYTES;
pub use super::step::Step;
pub use canonical::CanonicalError;
pub use fold::{RUNTIME_PREFIX, ReplayError};
pub use recent::GENERATION_RECORDS;
use recent::{Recent, request_key};

/// A request as the machine needs it.
#[derive(Debug, Clone)]
pub struct RequestMeta {
    pub request_id: String,
    pub digest: [u8; 16],
    pub area: Area,
    pub actor: Actor,
    pub if_revision: Option<Revision>,
    pub correlation_id: String,
    pub traceparent: String,
}

/// Kept free in a reaction's unit for the notes on what was refused.
const NOTES_BYTES: usize = 8 * 1024;
/// Characters of a refusal that a note repeats.
const NOTE_CHARACTERS: usize = 300;

/// How a request was met.
#[derive(Debug)]
pub enum Decision<E, R: Rejected> {
    Accepted(Step<E>),
    /// The request was answered before; these records were the answer.
    Repeated {
        first: Position,
        count: u32,
    },
    Refused(Refusal<R>),
}

/// Why a command made no record.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal<R: Rejected> {
    #[error(transparent)]
    Rejected(R),
    #[error(
        "request id {request_id} was used before with another body, at position {position}; \
         use a new id for a new request"
    )]
    RequestIdReused {
        request_id: String,
        position: Position,
    },
    #[error("{stream} is at revision {actual}, not {expected}; read it again and decide anew")]
    RevisionMismatch {
        stream: StreamId,
        expected: Revision,
        actual: Revision,
    },
    #[error("{command} would record {bytes} bytes at once, more than {max}")]
    TooLarge {
        command: &'static str,
        bytes: usize,
        max: usize,
    },
}

#[derive(Debug)]
pub struct Machine<D: Domain> {
    partition: u32,
    state: D::State,
    position: Position,
    last_recorded: Timestamp,
    recent: Recent,
    cursors: BTreeMap<Service, Position>,
    /// Last positions of sources that a record of this log vouches for.
    recorded_cursors: BTreeMap<Service, Position>,
    test_clock: Option<Timestamp>,
    /// Records of a command whose end has not been read yet.
    units: Units,
    /// The last record folded of each type, for its memory; the very last at
    /// the end.
    used: Vec<Used<D::Event>>,
}

/// A record, and the type that it was written with, which may be none of today's.
type Used<E> = (Box<str>, Box<Recorded<E>>);

/// Who and why, for the records of one command.
struct Origin {
    actor: Actor,
    area: Area,
    cause: Cause,
    now: Timestamp,
    correlation_id: String,
    traceparent: String,
    seeds: Seeds,
}

/// Seeds for the ids of entities and of events, derived from the cause.
#[derive(Clone, Copy)]
struct Seeds {
    entities: Seed,
    events: Seed,
}

impl Seeds {
    fn derive(service: Service, partition: u32, cause: &str, n: usize) -> Self {
        let hash = Sha256::digest(format!("{service}/{partition}/{cause}/{n}"));
        let mut entities = [0; 10];
        let mut events = [0; 10];
        entities.copy_from_slice(&hash[..10]);
        events.copy_from_slice(&hash[10..20]);
        Self {
            entities: Seed(entities),
            events: Seed(events),
        }
    }
}

impl<D: Domain> Machine<D> {
    #[must_use]
    pub fn new(partition: u32) -> Self {
        Self {
            recent: Recent::all(),
            ..Self::reader(partition)
        }
    }

    /// A machine that looks at a history and decides nothing: it keeps neither
    /// revisions nor answered requests.
    #[must_use]
    pub fn reader(partition: u32) -> Self {
        Self {
            partition,
            state: D::State::default(),
            position: Position::ZERO,
            last_recorded: Timestamp::default(),
            recent: Recent::Nothing,
            cursors: BTreeMap::new(),
            recorded_cursors: BTreeMap::new(),
            test_clock: None,
            units: Units::default(),
            used: Vec::new(),
        }
    }

    /// A machine that asks the index for revisions and answered requests, and
    /// keeps only what the index does not have yet, and of what it has no more
    /// than twice `generation_records` records tell.
    ///
    /// # Panics
    /// The index ends before the machine's position: what lies between would
    /// be known to nobody.
    #[must_use]
    pub fn with_index(self, index: Arc<StreamIndex>, generation_records: usize) -> Self {
        assert!(
            index.position() >= self.position,
            "the index is brought up to the state first"
        );
        Self {
            recent: Recent::indexed(index, generation_records),
            ..self
        }
    }

    /// What the stream index could not answer. Nothing that was decided since
    /// may reach the log: the process ends, and the index is made anew.
    #[must_use]
    pub fn failure(&self) -> Option<&IndexError> {
        self.recent.failure()
    }

    #[must_use]
    pub fn state(&self) -> &D::State {
        &self.state
    }

    /// Last position that counts: the end of the last whole command.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    #[must_use]
    pub fn revision(&self, stream: &StreamId) -> Revision {
        self.recent.revision(stream)
    }

    /// How far a source has been taken in.
    #[must_use]
    pub fn cursor(&self, source: Service) -> Position {
        self.cursors.get(&source).copied().unwrap_or_default()
    }

    /// Records of the source taken in since the log last vouched for it.
    #[must_use]
    pub fn unrecorded(&self, source: Service) -> u64 {
        let recorded = self
            .recorded_cursors
            .get(&source)
            .copied()
            .unwrap_or_default();
        self.cursor(source).0.saturating_sub(recorded.0)
    }

    /// Where the test clock stood last.
    #[must_use]
    pub fn test_clock(&self) -> Option<Timestamp> {
        self.test_clock
    }

    /// Time of the last record that counts; 1970 while there is none.
    #[must_use]
    pub fn last_recorded(&self) -> Timestamp {
        self.last_recorded
    }

    /// Time never runs backwards in a log.
    #[must_use]
    pub fn not_before_last(&self, now: Timestamp) -> Timestamp {
        now.max(self.last_recorded)
    }

    /// Decides a request.
    pub fn request(
        &mut self,
        command: &D::Command,
        meta: &RequestMeta,
        now: Timestamp,
    ) -> Decision<D::Event, D::Rejection> {
        let key = request_key(&meta.request_id);
        if let Some(answered) = self.recent.answered(&key) {
            return if answered.digest == meta.digest {
                Decision::Repeated {
                    first: answered.first,
                    count: answered.count,
                }
            } else {
                Decision::Refused(Refusal::RequestIdReused {
                    request_id: meta.request_id.clone(),
                    position: answered.first,
                })
            };
        }
        let now = self.not_before_last(now);
        let seeds = Seeds::derive(D::SERVICE, self.partition, &meta.request_id, 0);
        let context = Context {
            now,
            actor: meta.actor.clone(),
            area: meta.area.clone(),
            seed: seeds.entities,
            if_revision: meta.if_revision,
        };
        let events = match D::decide(&self.state, command, &context) {
            Ok(events) => events,
            Err(rejection) => return Decision::Refused(Refusal::Rejected(rejection)),
        };
        if let (Some(expected), Some(first)) = (meta.if_revision, events.first()) {
            let stream = first.stream();
            let actual = self.revision(&stream);
            if actual != expected {
                return Decision::Refused(Refusal::RevisionMismatch {
                    stream,
                    expected,
                    actual,
                });
            }
        }
        let origin = Origin {
            actor: context.actor,
            area: context.area,
            cause: Cause::Request {
                request_id: meta.request_id.clone(),
                digest: meta.digest,
                record_count: u32::try_from(events.len().max(1)).unwrap_or(u32::MAX),
            },
            now,
            correlation_id: meta.correlation_id.clone(),
            traceparent: meta.traceparent.clone(),
            seeds,
        };
        let mut step = Step::default();
        if events.is_empty() {
            let note = pb::RequestAnswered {
                command: D::command_name(command).to_owned(),
            };
            self.record_runtime("requests", &note, &origin, 0, &mut step);
            return Decision::Accepted(step);
        }
        match self.record(
            D::command_name(command),
            events,
            &origin,
            UNIT_BYTES_MAX,
            &mut step,
        ) {
            Ok(()) => Decision::Accepted(step),
            Err(refusal) => Decision::Refused(refusal),
        }
    }

    /// Takes in another service's record: every command that it calls for is
    /// decided in turn, and a rejection is recorded.
    pub fn react(
        &mut self,
        source: Source,
        foreign: &Recorded<D::Foreign>,
        foreign_type: &str,
        traceparent: String,
        now: Timestamp,
    ) -> Step<D::Event> {
        let mut step = Step::default();
        let mut unnoted = 0_u32;
        if source.position <= self.cursor(source.service) {
            return step;
        }
        let now = self.not_before_last(now);
        let cause = Cause::Source(source);
        let cause_text = cause.to_string();
        for (n, command) in D::react(&self.state, foreign).into_iter().enumerate() {
            let seeds = Seeds::derive(D::SERVICE, self.partition, &cause_text, n);
            let origin = Origin {
                actor: Actor::system(D::SERVICE.name()),
                area: foreign.area.clone(),
                cause: cause.clone(),
                now,
                correlation_id: foreign.correlation_id.clone(),
                traceparent: traceparent.clone(),
                seeds,
            };
            let name = D::command_name(&command);
            let refused = match self.decide_as(&command, &origin) {
                Ok(events) => self
                    .record(
                        name,
                        events,
                        &origin,
                        UNIT_BYTES_MAX - NOTES_BYTES,
                        &mut step,
                    )
                    .err(),
                Err(rejection) => Some(Refusal::Rejected(rejection)),
            };
            let Some(refusal) = refused else { continue };
            if step.bytes > UNIT_BYTES_MAX - NOTES_BYTES / 4 {
                // No room for a note on each: the last one says how many.
                unnoted += 1;
                continue;
            }
            let reason = match &refusal {
                Refusal::Rejected(rejection) => rejection.reason(),
                _ => "TOO_LARGE",
            };
            let note = pb::ReactionRejected {
                source: Some(record::source_to_proto(&source)),
                source_type: foreign_type.to_owned(),
                command: name.to_owned(),
                reason: reason.to_owned(),
                message: refusal.to_string().chars().take(NOTE_CHARACTERS).collect(),
            };
            self.record_runtime("reactions", &note, &origin, n, &mut step);
        }
        if unnoted > 0 {
            tracing::error!(%source, unnoted, "more refusals than a unit has room for");
            let origin = Origin {
                actor: Actor::system(D::SERVICE.name()),
                area: foreign.area.clone(),
                cause,
                now,
                correlation_id: foreign.correlation_id.clone(),
                traceparent,
                seeds: Seeds::derive(D::SERVICE, self.partition, &cause_text, usize::MAX),
            };
            let note = pb::ReactionRejected {
                source: Some(record::source_to_proto(&source)),
                source_type: foreign_type.to_owned(),
                command: String::new(),
                reason: "MORE_REFUSALS".to_owned(),
                message: format!("{unnoted} more commands were refused"),
            };
            self.record_runtime("reactions", &note, &origin, 0x7fff, &mut step);
        }
        self.cursors.insert(source.service, source.position);
        step
    }

    /// Decides a command whose time has come. An empty step means that it
    /// made no record; the refusal says why, if there was one.
    pub fn timer(
        &mut self,
        due: &decider::Due<D::Command>,
        now: Timestamp,
    ) -> Result<Step<D::Event>, Refusal<D::Rejection>> {
        let now = self.not_before_last(now);
        // The position makes the cause unique: two timers may share a moment.
        let cause_text = format!("timer/{}/{}", due.at.0, self.position);
        let seeds = Seeds::derive(D::SERVICE, self.partition, &cause_text, 0);
        let origin = Origin {
            actor: Actor::system(D::SERVICE.name()),
            area: due.area.clone(),
            cause: Cause::Timer { due: due.at },
            now,
            // A timer begins something new.
            correlation_id: seeds.events.ulid(now, u16::MAX),
            traceparent: String::new(),
            seeds,
        };
        let events = self
            .decide_as(&due.command, &origin)
            .map_err(Refusal::Rejected)?;
        let mut step = Step::default();
        self.record(
            D::command_name(&due.command),
            events,
            &origin,
            UNIT_BYTES_MAX,
            &mut step,
        )?;
        Ok(step)
    }

    /// Records how far a source has been taken in, so that a restart need not
    /// take in again what had no effect.
    pub fn advance_cursor(&mut self, service: Service, now: Timestamp) -> Step<D::Event> {
        let source = Source {
            service,
            partition: self.partition,
            position: self.cursor(service),
        };
        let note = pb::CursorAdvanced {
            source: Some(record::source_to_proto(&source)),
        };
        self.runtime_step("cursor", &note, now)
    }

    /// Records that the test clock was set.
    pub fn advance_clock(&mut self, to: Timestamp) -> Step<D::Event> {
        let note = pb::ClockAdvanced {
            now: Some(proto::time::to_proto(to)),
        };
        self.runtime_step("clock", &note, to)
    }

    fn decide_as(
        &self,
        command: &D::Command,
        origin: &Origin,
    ) -> Result<Vec<D::Event>, D::Rejection> {
        let context = Context {
            now: origin.now,
            actor: origin.actor.clone(),
            area: origin.area.clone(),
            seed: origin.seeds.entities,
            if_revision: None,
        };
        D::decide(&self.state, command, &context)
    }

    /// Makes the records of one command and folds them; all or none.
    fn record(
        &mut self,
        command: &'static str,
        events: Vec<D::Event>,
        origin: &Origin,
        unit_bytes_max: usize,
        step: &mut Step<D::Event>,
    ) -> Result<(), Refusal<D::Rejection>> {
        let mut made: Vec<(Raw, Vec<u8>, D::Event)> = Vec::with_capacity(events.len());
        let mut added: HashMap<StreamId, u64> = HashMap::new();
        let mut total = step.bytes;
        let mut largest = 0;
        for event in events {
            let stream = event.stream();
            let ahead = added.entry(stream.clone()).or_default();
            *ahead += 1;
            let revision = Revision(self.revision(&stream).0 + *ahead);
            let n = made.len() + step.len();
            let position = Position(self.position.0 + made.len() as u64 + 1);
            let raw = Self::envelope(position, stream, revision, n, origin, Encoded::from(&event));
            let bytes = record::encode(&raw);
            total += bytes.len() + RECORD_OVERHEAD_BYTES;
            largest = largest.max(bytes.len() + RECORD_OVERHEAD_BYTES);
            made.push((raw, bytes, event));
        }
        for (bytes, max) in [(largest, RECORD_BYTES_MAX), (total, unit_bytes_max)] {
            if bytes > max {
                return Err(Refusal::TooLarge {
                    command,
                    bytes,
                    max,
                });
            }
        }
        for (raw, bytes, event) in made {
            self.note(&raw);
            let mut record = raw.map(|_| event);
            D::evolve(&mut self.state, &record);
            // Its place in the unit, until the unit's length is known.
            record.unit_remaining = u32::try_from(step.len()).unwrap_or(u32::MAX);
            step.records.push(record);
            step.push(bytes);
        }
        Ok(())
    }

    fn runtime_step<M: Message + Name>(
        &mut self,
        stream: &str,
        message: &M,
        now: Timestamp,
    ) -> Step<D::Event> {
        let now = self.not_before_last(now);
        let cause_text = format!("runtime/{stream}/{}", self.position);
        let origin = Origin {
            actor: Actor::system(D::SERVICE.name()),
            area: Area::default(),
            cause: Cause::Timer { due: now },
            now,
            correlation_id: String::new(),
            traceparent: String::new(),
            seeds: Seeds::derive(D::SERVICE, self.partition, &cause_text, 0),
        };
        let mut step = Step::default();
        self.record_runtime(stream, message, &origin, 0, &mut step);
        step
    }

    fn record_runtime<M: Message + Name>(
        &mut self,
        stream: &str,
        message: &M,
        origin: &Origin,
        n: usize,
        step: &mut Step<D::Event>,
    ) {
        let stream = StreamId::new("runtime", stream);
        let revision = self.revision(&stream).next();
        let event = Encoded {
            type_name: M::full_name(),
            data: message.encode_to_vec(),
        };
        // Events of the domain count from 0; 0x8000 keeps the ids apart.
        let raw = Self::envelope(
            self.position.next(),
            stream,
            revision,
            0x8000 + n,
            origin,
            event,
        );
        step.push(record::encode(&raw));
        self.note(&raw);
        // The bytes were made a line above and are a message of the runtime.
        let _ = self.fold_runtime(&raw);
    }

    fn envelope(
        position: Position,
        stream: StreamId,
        revision: Revision,
        n: usize,
        origin: &Origin,
        event: Encoded,
    ) -> Raw {
        let n = u16::try_from(n).unwrap_or(u16::MAX);
        Recorded {
            position,
            event_id: origin.seeds.events.ulid(origin.now, n),
            stream,
            revision,
            area: origin.area.clone(),
            occurred: origin.now,
            recorded: origin.now,
            actor: origin.actor.clone(),
            cause: origin.cause.clone(),
            correlation_id: origin.correlation_id.clone(),
            traceparent: origin.traceparent.clone(),
            unit_remaining: 0,
            event,
        }
    }
}
