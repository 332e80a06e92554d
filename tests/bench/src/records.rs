//! The records that are appended: real ones of the order service, so that the
//! relay and a restored log can decode them.

use bytes::Bytes;
use decider::{Actor, Area, Cause, Position, Recorded, Revision, StreamId, Timestamp};
use proto::record::Encoded;

/// Makes records of one size whose position counts up. Ids, digests and the
/// event's own bytes are random, so that a log that compresses gains less from
/// them than from real events.
pub struct Records {
    /// They take turns.
    templates: Vec<Vec<u8>>,
    next: u64,
}

/// Enough that nothing that is compressed at once has a template twice.
const TEMPLATES: usize = 1024;

/// The record's first field is its position: a varint with tag 1. In the
/// template it takes five bytes, and a smaller number may be padded to them.
const POSITION: std::ops::Range<usize> = 1..6;
const POSITION_MAX: u64 = (1 << 35) - 1;

impl Records {
    pub fn new(bytes: usize) -> Self {
        let bare = encode(0).len();
        let mut fill = bytes.saturating_sub(bare);
        while fill > 0 && encode(fill).len() > bytes {
            fill -= 1;
        }
        Self {
            templates: (0..TEMPLATES).map(|_| encode(fill)).collect(),
            next: 1,
        }
    }

    pub fn bytes(&self) -> usize {
        self.templates[0].len()
    }

    /// The next `count` records.
    pub fn take(&mut self, count: usize) -> Vec<Bytes> {
        let first = self.next;
        self.next += count as u64;
        (first..self.next).map(|n| self.at(n)).collect()
    }

    fn at(&self, position: u64) -> Bytes {
        let turn = usize::try_from(position).unwrap_or(0) % self.templates.len();
        let mut record = self.templates[turn].clone();
        let mut rest = position;
        for byte in &mut record[POSITION] {
            *byte = (rest & 0x7f) as u8 | 0x80;
            rest >>= 7;
        }
        record[POSITION.end - 1] &= 0x7f;
        record.into()
    }
}

fn encode(fill: usize) -> Vec<u8> {
    let order_id = id();
    let request_id = format!("{:032x}", rand::random::<u128>());
    proto::record::encode(&Recorded {
        position: Position(POSITION_MAX),
        event_id: id(),
        stream: StreamId::parse(&format!("order/{order_id}")).expect("a stream"),
        revision: Revision(1),
        area: Area::new("632725100".to_owned()).expect("an area"),
        occurred: Timestamp(1_662_076_800_000),
        recorded: Timestamp(1_662_076_800_000),
        actor: Actor::system("bench"),
        cause: Cause::Request {
            request_id: request_id.clone(),
            digest: rand::random(),
            record_count: 1,
        },
        correlation_id: request_id,
        traceparent: String::new(),
        unit_remaining: 0,
        event: Encoded {
            type_name: "baogong.order.v1.OrderPlaced".into(),
            data: (0..fill).map(|_| rand::random()).collect(),
        },
    })
}

/// A ULID of one minute.
fn id() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let random = |_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]);
    "01GBY5F0".chars().chain((0..18).map(random)).collect()
}
