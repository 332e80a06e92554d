//! INV-10: message *k* of the stream is record *k* of the log, byte for byte.

use decider::{Invariant, Position};

use super::Found;
use crate::{
    history::{History, Log, LogName},
    streams::{StreamCopy, Streams},
};

pub(crate) fn check(history: &History, streams: &Streams) -> Found {
    let mut found = Found::new(Invariant::StreamEqualsLog);
    for (name, log) in &history.logs {
        match streams.copies.get(name) {
            Some(copy) => compare(*name, log, copy, history.live, &mut found),
            None if log.entries.is_empty() => {}
            None => {
                let records = log.entries.len();
                let detail = format!("there is no stream for a log of {records} records");
                found.violated(name.to_string(), detail);
            }
        }
    }
    found
}

fn compare(name: LogName, log: &Log, copy: &StreamCopy, live: bool, found: &mut Found) {
    let mut different = Vec::new();
    for entry in &log.entries {
        let message = usize::try_from(entry.position.0)
            .ok()
            .and_then(|n| copy.messages.get(n.checked_sub(1)?));
        if let Some(message) = message {
            found.facts += 1;
            if *message != entry.bytes {
                different.push(entry.position);
            }
        }
    }
    let entity = name.to_string();
    if let Some(Position(first)) = different.first() {
        let detail = format!(
            "log and stream differ at position {first}, and at {} positions in all",
            different.len()
        );
        found.violated(entity.clone(), detail);
    }
    let (end, last) = (log.last_position().0, copy.last_sequence);
    // A damaged log ends where the damage is.
    let ahead = last > end && !live;
    if last < end {
        let detail = format!("the stream ends at {last}, the log at {end}");
        found.violated(entity, detail);
    } else if ahead {
        let detail = format!("the log ends at {end}, the stream goes on to {last}");
        found.violated(entity, detail);
    }
}
