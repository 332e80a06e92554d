//! The records that are appended: real ones of the order service, so that the
//! relay and a restored log can decode them.

use bytes::Bytes;
use decider::{Actor, Area, Cause, Position, Recorded, Revision, StreamId, Timestamp};
use proto::record::Encoded;

/// Makes records of one size whose position counts up.
pub struct Records {
    template: Vec<u8>,
    next: u64,
}

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
            template: encode(fill),
            next: 1,
        }
    }

    pub fn bytes(&self) -> usize {
        self.template.len()
    }

    /// The next `count` records.
    pub fn take(&mut self, count: usize) -> Vec<Bytes> {
        let first = self.next;
        self.next += count as u64;
        (first..self.next).map(|n| self.at(n)).collect()
    }

    fn at(&self, position: u64) -> Bytes {
        let mut record = self.template.clone();
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
    proto::record::encode(&Recorded {
        position: Position(POSITION_MAX),
        event_id: "01GBY5F0G00000000000000001".into(),
        stream: StreamId::parse("order/01GBY5F0G00000000000000001").expect("a stream"),
        revision: Revision(1),
        area: Area::new("632725100".to_owned()).expect("an area"),
        occurred: Timestamp(1_662_076_800_000),
        recorded: Timestamp(1_662_076_800_000),
        actor: Actor::system("bench"),
        cause: Cause::Request {
            request_id: "5f0a1e7c-0000-4000-8000-000000000001".into(),
            digest: [7; 16],
            record_count: 1,
        },
        correlation_id: "5f0a1e7c-0000-4000-8000-000000000001".into(),
        traceparent: String::new(),
        unit_remaining: 0,
        event: Encoded {
            type_name: "baogong.order.v1.OrderPlaced".into(),
            data: (0..fill).map(|_| rand::random()).collect(),
        },
    })
}
