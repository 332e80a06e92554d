//! The records of one command on their way from the machine to the log.

use decider::Recorded;
use event_log::Unit;

/// The records of one accepted command, not yet in the log.
#[derive(Debug)]
pub struct Step<E> {
    pub records: Vec<Recorded<E>>,
    /// The same records as bytes, with those of the runtime itself among them,
    /// still without `unit_remaining`.
    encoded: Vec<Vec<u8>>,
    /// What the unit takes of a batch, at the most.
    pub(super) bytes: usize,
}

/// Field 14, varint: `unit_remaining` of `baogong.log.v1.Record`. It is the
/// last field, so it can be put behind an encoded record.
const UNIT_REMAINING_TAG: u32 = 14 << 3;
/// What a record takes of a unit beyond its own bytes: its length prefix in
/// the log, and tag and value of `unit_remaining`.
pub(super) const RECORD_OVERHEAD_BYTES: usize = 4 + 1 + 3;

impl<E> Step<E> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    pub(super) fn push(&mut self, encoded: Vec<u8>) {
        self.bytes += encoded.len() + RECORD_OVERHEAD_BYTES;
        self.encoded.push(encoded);
    }

    /// Records so far.
    pub(super) fn len(&self) -> usize {
        self.encoded.len()
    }

    /// The unit for the log, and the records as they stand in it.
    #[must_use]
    pub fn finish(self) -> (Unit, Vec<Recorded<E>>) {
        let count = self.encoded.len();
        let remaining = |n: usize| u32::try_from(count - 1 - n).unwrap_or(u32::MAX);
        let unit = self
            .encoded
            .into_iter()
            .enumerate()
            .map(|(n, mut bytes)| {
                if remaining(n) > 0 {
                    prost::encoding::encode_varint(u64::from(UNIT_REMAINING_TAG), &mut bytes);
                    prost::encoding::encode_varint(u64::from(remaining(n)), &mut bytes);
                }
                bytes::Bytes::from(bytes)
            })
            .collect();
        let mut records = self.records;
        for record in &mut records {
            record.unit_remaining = remaining(record.unit_remaining as usize);
        }
        (unit, records)
    }
}

impl<E> Default for Step<E> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            encoded: Vec::new(),
            bytes: 0,
        }
    }
}
