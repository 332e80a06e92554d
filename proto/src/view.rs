//! A record read where it lies, without allocation: the quick way for whoever
//! reads a whole log.
//!
//! Only bytes as [`record::encode`](crate::record::encode) writes them are
//! read: known fields, each once, in the order of their numbers, with values
//! that a record may have. Whatever else is valid protobuf, or is not, is left
//! to the general decoder, so there are not two opinions on what a record is; a
//! property test compares them.

use decider::{Role, Service, Timestamp};

use crate::wire::{Fields, Span, texts};

/// A record's fields, borrowed from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    pub position: u64,
    pub event_id: &'a str,
    /// `<category>/<id>`, both not empty.
    pub stream: &'a str,
    pub revision: u64,
    pub type_name: &'a str,
    pub occurred: Timestamp,
    pub recorded: Timestamp,
    pub actor: ActorView<'a>,
    pub cause: CauseView<'a>,
    pub correlation_id: &'a str,
    pub traceparent: &'a str,
    /// Nine digits.
    pub area: &'a str,
    pub data: &'a [u8],
    pub unit_remaining: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActorView<'a> {
    pub role: Role,
    pub id: &'a str,
    pub on_behalf_of: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CauseView<'a> {
    Request {
        request_id: &'a str,
        digest: [u8; 16],
        record_count: u32,
    },
    Source {
        service: Service,
        partition: u32,
        position: u64,
    },
    Timer {
        due: Timestamp,
    },
}

impl<'a> View<'a> {
    /// None where the bytes are not written as ours are, or are no record.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::of(bytes);
        let position = fields.number(1)?;
        let (event_id, stream) = (fields.span(2)?, fields.span(3)?);
        let revision = fields.number(4)?;
        let type_name = fields.span(5)?;
        let occurred_bytes = fields.message_or_empty(6)?;
        let recorded_bytes = fields.message_or_empty(7)?;
        // Both are the same moment, unless somebody told of something later.
        let is_one = occurred_bytes.rest() == recorded_bytes.rest();
        let occurred = timestamp(occurred_bytes)?;
        let recorded = if is_one {
            occurred
        } else {
            timestamp(recorded_bytes)?
        };
        let (role, actor_id, on_behalf_of) = actor(fields.message(8)?)?;
        let (mut cause, cause_id) = cause(bytes, fields.message(9)?)?;
        let (correlation_id, traceparent) = (fields.span(10)?, fields.span(11)?);
        let area = fields.span(12)?;
        let data = fields.bytes(13)?;
        let unit_remaining = fields.small(14)?;

        // Between these groups lie bytes that are no text.
        let [event_id, stream, type_name] = texts(bytes, [event_id, stream, type_name])?;
        let [id, on_behalf_of, cause_id] = texts(bytes, [actor_id, on_behalf_of, cause_id])?;
        let [correlation_id, traceparent, area] =
            texts(bytes, [correlation_id, traceparent, area])?;
        if let CauseView::Request { request_id, .. } = &mut cause {
            *request_id = cause_id;
        }
        let valid = fields.end()
            && position > 0
            && decider::StreamId::is_valid(stream)
            && area.len() == 9
            && area.bytes().all(|digit| digit.is_ascii_digit());
        valid.then_some(Self {
            position,
            event_id,
            stream,
            revision,
            type_name,
            occurred,
            recorded,
            actor: ActorView {
                role,
                id,
                on_behalf_of,
            },
            cause,
            correlation_id,
            traceparent,
            area,
            data,
            unit_remaining,
        })
    }
}

/// The role, the id and for whom.
fn actor(mut fields: Fields<'_>) -> Option<(Role, Span, Span)> {
    let number = usize::try_from(fields.number(1)?).ok()?;
    // The numbers of `baogong.log.v1.Role` from 1, in this order.
    let role = *Role::ALL.get(number.checked_sub(1)?)?;
    let (id, on_behalf_of) = (fields.span(2)?, fields.span(3)?);
    fields.end().then_some((role, id, on_behalf_of))
}

/// With the id of a request apart, since it is looked at with other texts.
fn cause<'a>(bytes: &'a [u8], mut which: Fields<'a>) -> Option<(CauseView<'a>, Span)> {
    let kind = which.next()?;
    let mut fields = which.message(kind)?;
    let mut id = fields.nothing();
    let view = match kind {
        1 => {
            id = fields.span(1)?;
            CauseView::Request {
                request_id: "",
                digest: fields.bytes(2)?.try_into().ok()?,
                record_count: fields.small(3)?,
            }
        }
        2 => CauseView::Source {
            service: service(&bytes[fields.span(1)?])?,
            partition: fields.small(2)?,
            position: fields.number(3)?,
        },
        3 => CauseView::Timer {
            due: timestamp(fields.message_or_empty(1)?)?,
        },
        _ => return None,
    };
    (which.end() && fields.end()).then_some((view, id))
}

/// As [`Service::parse`], without a comparison with each.
fn service(name: &[u8]) -> Option<Service> {
    let service = match name.first()? {
        b'o' => Service::Order,
        b'i' => Service::Inventory,
        b'l' => Service::Logistics,
        _ => Service::Notification,
    };
    (service.name().as_bytes() == name).then_some(service)
}

/// An absent one is 1970, as protobuf has it.
fn timestamp(mut fields: Fields<'_>) -> Option<Timestamp> {
    let time = prost_types::Timestamp {
        seconds: fields.number(1)?.cast_signed(),
        nanos: i32::try_from(fields.number(2)?).ok()?,
    };
    fields.end().then(|| crate::time::from_proto(&time))
}
