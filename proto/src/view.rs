//! A record read where it lies, without allocation: the quick way for whoever
//! reads a whole log.
//!
//! Only bytes as [`record::encode`](crate::record::encode) writes them are
//! read: known fields, each once, in the order of their numbers, with values
//! that a record may have. Whatever else is valid protobuf, or is not, is left
//! to the general decoder, so there are not two opinions on what a record is; a
//! property test compares them.
//!
//! Wire format: <https://protobuf.dev/programming-guides/encoding/>.

use decider::{Role, Service, Timestamp};

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
        let view = Self {
            position: fields.number(1)?,
            event_id: fields.text(2)?,
            stream: fields.text(3)?,
            revision: fields.number(4)?,
            type_name: fields.text(5)?,
            occurred: timestamp(fields.bytes(6)?)?,
            recorded: timestamp(fields.bytes(7)?)?,
            actor: actor(fields.present(8)?)?,
            cause: cause(fields.present(9)?)?,
            correlation_id: fields.text(10)?,
            traceparent: fields.text(11)?,
            area: fields.text(12)?,
            data: fields.bytes(13)?,
            unit_remaining: fields.small(14)?,
        };
        let stream = view.stream.split_once('/');
        let valid = fields.end()
            && view.position > 0
            && stream.is_some_and(|(category, id)| !category.is_empty() && !id.is_empty())
            && view.area.len() == 9
            && view.area.bytes().all(|digit| digit.is_ascii_digit());
        valid.then_some(view)
    }
}

fn actor(bytes: &[u8]) -> Option<ActorView<'_>> {
    let mut fields = Fields::of(bytes);
    let role = usize::try_from(fields.number(1)?).ok()?;
    let view = ActorView {
        // The numbers of `baogong.log.v1.Role` from 1, in this order.
        role: *Role::ALL.get(role.checked_sub(1)?)?,
        id: fields.text(2)?,
        on_behalf_of: fields.text(3)?,
    };
    fields.end().then_some(view)
}

fn cause(bytes: &[u8]) -> Option<CauseView<'_>> {
    let mut which = Fields::of(bytes);
    let kind = which.0.first()? >> 3;
    let inside = which.present(kind)?;
    let mut fields = Fields::of(inside);
    let view = match kind {
        1 => CauseView::Request {
            request_id: fields.text(1)?,
            digest: fields.bytes(2)?.try_into().ok()?,
            record_count: fields.small(3)?,
        },
        2 => CauseView::Source {
            service: Service::parse(fields.text(1)?)?,
            partition: fields.small(2)?,
            position: fields.number(3)?,
        },
        3 => CauseView::Timer {
            due: timestamp(fields.bytes(1)?)?,
        },
        _ => return None,
    };
    (which.end() && fields.end()).then_some(view)
}

/// An absent one is 1970, as protobuf has it.
fn timestamp(bytes: &[u8]) -> Option<Timestamp> {
    let mut fields = Fields::of(bytes);
    let time = prost_types::Timestamp {
        seconds: fields.number(1)?.cast_signed(),
        nanos: i32::try_from(fields.number(2)?).ok()?,
    };
    fields.end().then(|| crate::time::from_proto(&time))
}

/// What is left of a message whose fields come in the order of their numbers,
/// all below 16, so that a key is one byte.
struct Fields<'a>(&'a [u8]);

const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn end(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the key of a field, if it comes next.
    fn key(&mut self, field: u8, wire_type: u8) -> bool {
        match self.0.split_first() {
            Some((key, rest)) if *key == field << 3 | wire_type => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// 0 where it is absent.
    fn number(&mut self, field: u8) -> Option<u64> {
        if self.key(field, VARINT) {
            self.varint()
        } else {
            Some(0)
        }
    }

    fn small(&mut self, field: u8) -> Option<u32> {
        self.number(field)?.try_into().ok()
    }

    /// Empty where it is absent.
    fn bytes(&mut self, field: u8) -> Option<&'a [u8]> {
        if !self.key(field, LENGTH_DELIMITED) {
            return Some(&[]);
        }
        let length = usize::try_from(self.varint()?).ok()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// None where it is absent.
    fn present(&mut self, field: u8) -> Option<&'a [u8]> {
        let key = field << 3 | LENGTH_DELIMITED;
        (self.0.first() == Some(&key)).then(|| self.bytes(field))?
    }

    fn text(&mut self, field: u8) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(field)?).ok()
    }

    fn varint(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        if *first < 0x80 {
            self.0 = rest;
            return Some(u64::from(*first));
        }
        let mut value = 0;
        for (n, byte) in self.0.iter().take(10).enumerate() {
            // The tenth byte has room for one bit.
            if n == 9 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * n);
            if *byte < 0x80 {
                self.0 = &self.0[n + 1..];
                return Some(value);
            }
        }
        None
    }
}
