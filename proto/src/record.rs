//! The record envelope: between `Recorded<E>` and the bytes in the log.

use decider::{
    Actor, Area, Cause, DecodeError, EventSet, Position, Recorded, Revision, Role, Service, Source,
    StreamId,
};
use prost::Message;

use crate::{
    log::v1 as pb,
    time::{or_epoch, to_proto},
    view::{CauseView, View},
};

/// What is not a record, or not one that this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the bytes are not a log record: {0}")]
    Malformed(String),
    #[error("the record at position {position} has no valid {field}")]
    Field { position: u64, field: &'static str },
    #[error("the event at position {position} cannot be read: {source}")]
    Event {
        position: u64,
        #[source]
        source: DecodeError,
    },
}

/// The envelope as the log has it, with the event still encoded.
pub type Raw = Recorded<Encoded>;

/// An event by type name and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    pub type_name: String,
    pub data: Vec<u8>,
}

impl Encoded {
    /// The part after the package: `OrderPlaced`.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.type_name.rsplit('.').next().unwrap_or_default()
    }
}

impl<E: EventSet> From<&E> for Encoded {
    fn from(event: &E) -> Self {
        Self {
            type_name: event.type_name().to_owned(),
            data: event.encode(),
        }
    }
}

/// Encodes a record as it stands in the log and goes over the bus.
#[must_use]
pub fn encode(record: &Raw) -> Vec<u8> {
    pb::Record {
        position: record.position.0,
        event_id: record.event_id.clone(),
        stream: record.stream.as_str().to_owned(),
        revision: record.revision.0,
        r#type: record.event.type_name.clone(),
        occurred_time: Some(to_proto(record.occurred)),
        recorded_time: Some(to_proto(record.recorded)),
        actor: Some(actor_to_proto(&record.actor)),
        cause: Some(cause_to_proto(&record.cause)),
        correlation_id: record.correlation_id.clone(),
        traceparent: record.traceparent.clone(),
        area: record.area.as_str().to_owned(),
        data: record.event.data.clone(),
        unit_remaining: record.unit_remaining,
    }
    .encode_to_vec()
}

/// # Errors
/// The bytes are not a record, or a field that every record has is missing.
pub fn decode(bytes: &[u8]) -> Result<Raw, RecordError> {
    View::of(bytes).map_or_else(|| decode_any(bytes), |view| raw_of(&view))
}

/// The record that a view shows.
///
/// # Errors
/// The stream or the area is none.
pub fn raw_of(view: &View<'_>) -> Result<Raw, RecordError> {
    let position = view.position;
    let invalid = |field| RecordError::Field { position, field };
    Ok(Recorded {
        position: Position(position),
        event_id: view.event_id.to_owned(),
        stream: StreamId::parse(view.stream).map_err(|_| invalid("stream"))?,
        revision: Revision(view.revision),
        area: Area::new(view.area).map_err(|_| invalid("area"))?,
        occurred: view.occurred,
        recorded: view.recorded,
        actor: Actor {
            role: view.actor.role,
            id: view.actor.id.to_owned(),
            on_behalf_of: view.actor.on_behalf_of.to_owned(),
        },
        cause: cause_of(&view.cause),
        correlation_id: view.correlation_id.to_owned(),
        traceparent: view.traceparent.to_owned(),
        unit_remaining: view.unit_remaining,
        event: Encoded {
            type_name: view.type_name.to_owned(),
            data: view.data.to_owned(),
        },
    })
}

fn cause_of(view: &CauseView<'_>) -> Cause {
    match *view {
        CauseView::Request {
            request_id,
            digest,
            record_count,
        } => Cause::Request {
            request_id: request_id.to_owned(),
            digest,
            record_count,
        },
        CauseView::Source {
            service,
            partition,
            position,
        } => Cause::Source(Source {
            service,
            partition,
            position: Position(position),
        }),
        CauseView::Timer { due } => Cause::Timer { due },
    }
}

/// Makes another record of one that is not needed any more, in the memory that
/// it has.
///
/// # Errors
/// The stream or the area is none, or the data is not such an event; the record
/// is of no use then.
pub fn refill<E: EventSet>(record: &mut Recorded<E>, view: &View<'_>) -> Result<(), RecordError> {
    let decoded = record.event.decode_again(view.type_name, view.data);
    decoded.map_err(|source| RecordError::Event {
        position: view.position,
        source,
    })?;
    refill_envelope(record, view)
}

fn refill_envelope<E>(record: &mut Recorded<E>, view: &View<'_>) -> Result<(), RecordError> {
    let position = view.position;
    let invalid = |field| RecordError::Field { position, field };
    record.position = Position(position);
    view.event_id.clone_into(&mut record.event_id);
    let stream = record.stream.become_parsed(view.stream);
    stream.map_err(|_| invalid("stream"))?;
    record.revision = Revision(view.revision);
    if record.area != *view.area {
        record.area = Area::new(view.area).map_err(|_| invalid("area"))?;
    }
    record.occurred = view.occurred;
    record.recorded = view.recorded;
    record.actor.role = view.actor.role;
    view.actor.id.clone_into(&mut record.actor.id);
    let on_behalf_of = view.actor.on_behalf_of;
    on_behalf_of.clone_into(&mut record.actor.on_behalf_of);
    match (&mut record.cause, view.cause) {
        (
            Cause::Request {
                request_id,
                digest,
                record_count,
            },
            CauseView::Request {
                request_id: new_id,
                digest: new_digest,
                record_count: new_count,
            },
        ) => {
            new_id.clone_into(request_id);
            (*digest, *record_count) = (new_digest, new_count);
        }
        (cause, new) => *cause = cause_of(&new),
    }
    view.correlation_id.clone_into(&mut record.correlation_id);
    view.traceparent.clone_into(&mut record.traceparent);
    record.unit_remaining = view.unit_remaining;
    Ok(())
}

/// The general decoder; see [`View`] for the quick one.
fn decode_any(bytes: &[u8]) -> Result<Raw, RecordError> {
    let record = pb::Record::decode(bytes).map_err(|e| RecordError::Malformed(e.to_string()))?;
    let position = record.position;
    let invalid = |field| RecordError::Field { position, field };
    if position == 0 {
        return Err(invalid("position"));
    }
    Ok(Recorded {
        position: Position(position),
        event_id: record.event_id,
        stream: StreamId::parse(&record.stream).map_err(|_| invalid("stream"))?,
        revision: Revision(record.revision),
        area: Area::new(record.area).map_err(|_| invalid("area"))?,
        occurred: or_epoch(record.occurred_time.as_ref()),
        recorded: or_epoch(record.recorded_time.as_ref()),
        actor: record
            .actor
            .and_then(actor_from_proto)
            .ok_or_else(|| invalid("actor"))?,
        cause: record
            .cause
            .and_then(cause_from_proto)
            .ok_or_else(|| invalid("cause"))?,
        correlation_id: record.correlation_id,
        traceparent: record.traceparent,
        unit_remaining: record.unit_remaining,
        event: Encoded {
            type_name: record.r#type,
            data: record.data,
        },
    })
}

/// Decodes the event inside.
///
/// # Errors
/// The type is not of the set, or the data is not such a message.
pub fn decode_event<E: EventSet>(raw: Raw) -> Result<Recorded<E>, RecordError> {
    let event =
        E::decode(&raw.event.type_name, &raw.event.data).map_err(|source| RecordError::Event {
            position: raw.position.0,
            source,
        })?;
    Ok(raw.map(|_| event))
}

/// Decodes the event that a view shows.
///
/// # Errors
/// The type is not of the set, or the data is not such a message.
pub fn event_of<E: EventSet>(view: &View<'_>) -> Result<E, RecordError> {
    E::decode(view.type_name, view.data).map_err(|source| RecordError::Event {
        position: view.position,
        source,
    })
}

#[must_use]
pub const fn role_to_proto(role: Role) -> pb::Role {
    match role {
        Role::Resident => pb::Role::Resident,
        Role::Cadre => pb::Role::Cadre,
        Role::Member => pb::Role::Member,
        Role::Keeper => pb::Role::Keeper,
        Role::Dispatcher => pb::Role::Dispatcher,
        Role::Carrier => pb::Role::Carrier,
        Role::Auditor => pb::Role::Auditor,
        Role::Operator => pb::Role::Operator,
        Role::System => pb::Role::System,
    }
}

const fn role_from_proto(role: pb::Role) -> Option<Role> {
    Some(match role {
        pb::Role::Unspecified => return None,
        pb::Role::Resident => Role::Resident,
        pb::Role::Cadre => Role::Cadre,
        pb::Role::Member => Role::Member,
        pb::Role::Keeper => Role::Keeper,
        pb::Role::Dispatcher => Role::Dispatcher,
        pb::Role::Carrier => Role::Carrier,
        pb::Role::Auditor => Role::Auditor,
        pb::Role::Operator => Role::Operator,
        pb::Role::System => Role::System,
    })
}

fn actor_to_proto(actor: &Actor) -> pb::Actor {
    pb::Actor {
        role: role_to_proto(actor.role).into(),
        id: actor.id.clone(),
        on_behalf_of: actor.on_behalf_of.clone(),
    }
}

fn actor_from_proto(actor: pb::Actor) -> Option<Actor> {
    Some(Actor {
        role: role_from_proto(actor.role())?,
        id: actor.id,
        on_behalf_of: actor.on_behalf_of,
    })
}

#[must_use]
pub fn source_to_proto(source: &Source) -> pb::SourceCause {
    pb::SourceCause {
        service: source.service.name().to_owned(),
        partition: source.partition,
        position: source.position.0,
    }
}

#[must_use]
pub fn source_from_proto(source: &pb::SourceCause) -> Option<Source> {
    Some(Source {
        service: Service::parse(&source.service)?,
        partition: source.partition,
        position: Position(source.position),
    })
}

fn cause_to_proto(cause: &Cause) -> pb::Cause {
    let cause = match cause {
        Cause::Request {
            request_id,
            digest,
            record_count,
        } => pb::cause::Cause::Request(pb::RequestCause {
            request_id: request_id.clone(),
            digest: digest.to_vec(),
            record_count: *record_count,
        }),
        Cause::Source(source) => pb::cause::Cause::Source(source_to_proto(source)),
        Cause::Timer { due } => pb::cause::Cause::Timer(pb::TimerCause {
            due_time: Some(to_proto(*due)),
        }),
    };
    pb::Cause { cause: Some(cause) }
}

fn cause_from_proto(cause: pb::Cause) -> Option<Cause> {
    Some(match cause.cause? {
        pb::cause::Cause::Request(request) => Cause::Request {
            request_id: request.request_id,
            digest: request.digest.try_into().ok()?,
            record_count: request.record_count,
        },
        pb::cause::Cause::Source(source) => Cause::Source(source_from_proto(&source)?),
        pb::cause::Cause::Timer(timer) => Cause::Timer {
            due: or_epoch(timer.due_time.as_ref()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use decider::Timestamp;
    use proptest::prelude::*;

    fn raw(cause: Cause) -> Raw {
        Recorded {
            position: Position(7),
            event_id: "01J".into(),
            stream: StreamId::new("order", "1"),
            revision: Revision(2),
            area: Area::new("632725100").expect("nine digits"),
            occurred: Timestamp(1_662_076_800_123),
            recorded: Timestamp(1_662_076_800_456),
            actor: Actor {
                role: Role::Cadre,
                id: "c-1".into(),
                on_behalf_of: "H1".into(),
            },
            cause,
            correlation_id: "c".into(),
            traceparent: String::new(),
            unit_remaining: 0,
            event: Encoded {
                type_name: "baogong.order.v1.OrderConfirmed".into(),
                data: vec![1, 2],
            },
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        for cause in [
            Cause::Request {
                request_id: "r".into(),
                digest: [9; 16],
                record_count: 3,
            },
            Cause::Source(Source {
                service: Service::Logistics,
                partition: 4,
                position: Position(5),
            }),
            Cause::Timer { due: Timestamp(-5) },
        ] {
            let record = raw(cause);
            assert_eq!(decode(&encode(&record)), Ok(record));
        }
    }

    fn cause() -> impl Strategy<Value = Cause> {
        prop_oneof![
            ("[ -~]{0,40}", any::<[u8; 16]>(), any::<u32>()).prop_map(
                |(request_id, digest, record_count)| Cause::Request {
                    request_id,
                    digest,
                    record_count
                }
            ),
            (0..4usize, any::<u32>(), any::<u64>()).prop_map(|(service, partition, position)| {
                Cause::Source(Source {
                    service: Service::ALL[service],
                    partition,
                    position: Position(position),
                })
            }),
            time().prop_map(|due| Cause::Timer { due }),
        ]
    }

    fn time() -> impl Strategy<Value = Timestamp> {
        prop_oneof![Just(0), -9_000_000_000_000..9_000_000_000_000i64].prop_map(Timestamp)
    }

    prop_compose! {
        fn any_raw()(
            (position, revision, unit_remaining) in (1..u64::MAX, any::<u64>(), any::<u32>()),
            (event_id, id, correlation_id, traceparent) in
                ("\\PC{0,30}", "\\PC{1,40}", "\\PC{0,40}", "[0-9a-f-]{0,55}"),
            (type_name, data) in ("[a-zA-Z.]{0,60}", proptest::collection::vec(any::<u8>(), 0..300)),
            (occurred, recorded, cause) in (time(), time(), cause()),
            (role, actor_id, on_behalf_of) in (0..9usize, "\\PC{0,20}", "\\PC{0,20}"),
            area in "[0-9]{9}",
        ) -> Raw {
            Recorded {
                position: Position(position),
                event_id,
                stream: StreamId::new("order", &id),
                revision: Revision(revision),
                area: Area::new(area).expect("nine digits"),
                occurred,
                recorded,
                actor: Actor { role: Role::ALL[role], id: actor_id, on_behalf_of },
                cause,
                correlation_id,
                traceparent,
                unit_remaining,
                event: Encoded { type_name, data },
            }
        }
    }

    /// What the quick way says is what the general decoder says; where it says
    /// nothing, nothing is lost.
    fn assert_agrees(bytes: &[u8]) {
        let general = decode_any(bytes);
        assert_eq!(decode(bytes), general);
        if let Some(view) = View::of(bytes) {
            let mut used = raw(Cause::Timer { due: Timestamp(3) });
            used.event = Encoded {
                type_name: view.type_name.to_owned(),
                data: view.data.to_owned(),
            };
            refill_envelope(&mut used, &view).expect("a record");
            assert_eq!(Ok(used), general);
        }
    }

    proptest! {
        #[test]
        fn what_we_write_is_read_the_quick_way(record in any_raw()) {
            let bytes = encode(&record);
            prop_assert!(View::of(&bytes).is_some());
            prop_assert_eq!(decode(&bytes), Ok(record));
            assert_agrees(&bytes);
        }

        /// Bytes changed, added, removed, and parts of records in wrong places:
        /// doubled fields, fields out of order, fields of another type.
        #[test]
        fn whatever_the_bytes_are_both_ways_agree(
            record in any_raw(),
            other in any_raw(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..4),
            (from, to, at) in any::<(prop::sample::Index, prop::sample::Index, prop::sample::Index)>(),
            splice in any::<bool>(),
        ) {
            let mut bytes = encode(&record);
            if splice {
                let other = encode(&other);
                let (from, to) = (from.index(other.len()), to.index(other.len() + 1));
                let part = &other[from.min(to)..from.max(to)];
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, part.iter().copied());
            }
            for (at, byte, kind) in changes {
                let at = at.index(bytes.len().max(1));
                match kind {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 if at < bytes.len() => { bytes.remove(at); }
                    _ => bytes.insert(at.min(bytes.len()), byte),
                }
            }
            assert_agrees(&bytes);
        }

        #[test]
        fn a_record_written_twice_over_is_merged_as_protobuf_says(
            record in any_raw(),
            other in any_raw(),
        ) {
            assert_agrees(&[encode(&record), encode(&other)].concat());
        }
    }

    #[test]
    fn the_roles_have_the_numbers_of_the_protocol() {
        for (role, number) in Role::ALL.into_iter().zip(1..) {
            assert_eq!(i32::from(role_to_proto(role)), number);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut message = pb::Record::decode(&*encode(&raw(Cause::Timer { due: Timestamp(0) })))
            .expect("a record");
        message.area = "here".into();
        assert_eq!(
            decode(&message.encode_to_vec()),
            Err(RecordError::Field {
                position: 7,
                field: "area"
            })
        );
        assert!(matches!(decode(&[0xff]), Err(RecordError::Malformed(_))));
    }
}
