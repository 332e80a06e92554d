//! How much one command may record, where it touches many entities.

use decider::EventSet;
use proto::OrderEvent;

/// A command's records stand together under one key of the log, which holds
/// at most 64 KiB; this leaves room for the estimate below to be wrong.
const BATCH_BYTES_MAX: usize = 44 * 1024;

/// What a record's envelope adds to its event: ids, times, actor, cause and
/// trace context, rounded up.
const ENVELOPE_BYTES: usize = 400;

/// Events of one command, up to a number and a size.
#[derive(Debug)]
pub(crate) struct Batch {
    events: Vec<OrderEvent>,
    events_max: usize,
    bytes: usize,
}

impl Batch {
    pub(crate) const fn new(events_max: usize) -> Self {
        Self {
            events: Vec::new(),
            events_max,
            bytes: 0,
        }
    }

    /// Takes the event and says so, or says that it belongs to the next
    /// command. The first is always taken: every command makes progress.
    pub(crate) fn take(&mut self, event: OrderEvent) -> bool {
        let bytes = event.encode().len() + ENVELOPE_BYTES;
        let full = self.events.len() >= self.events_max || self.bytes + bytes > BATCH_BYTES_MAX;
        if full && !self.events.is_empty() {
            return false;
        }
        self.bytes += bytes;
        self.events.push(event);
        true
    }

    pub(crate) fn into_events(self) -> Vec<OrderEvent> {
        self.events
    }
}
