//! Replays a log through its domain's pure functions. A panic of theirs is a
//! finding, not the end of the audit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use decider::{Domain, Position, Violation};
use proto::record;

use crate::history::{Log, RUNTIME_PREFIX};

/// What a replay came to.
pub(crate) struct Folded<D: Domain> {
    /// As after the last record; wherever a panic left it, where there was one.
    pub state: D::State,
    pub events: u64,
    pub violations: Vec<Violation>,
    pub panic: Option<Panicked>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked {
    /// Of the record at which it happened.
    pub position: Position,
    pub message: String,
}

pub(crate) fn fold<D: Domain>(log: &Log) -> Folded<D> {
    fold_with::<D>(log, |_, _| ())
}

/// `after` sees the state after each record, those of the runtime included.
pub(crate) fn fold_with<D: Domain>(
    log: &Log,
    mut after: impl FnMut(Position, &D::State),
) -> Folded<D> {
    let mut folded = Folded {
        state: D::State::default(),
        events: 0,
        violations: Vec::new(),
        panic: None,
    };
    for entry in &log.entries {
        let Ok(raw) = &entry.record else { continue };
        if !raw.event.type_name.starts_with(RUNTIME_PREFIX) {
            let Ok(record) = record::decode_event::<D::Event>(raw.clone()) else {
                continue;
            };
            let state = &mut folded.state;
            if let Err(message) = guarded(|| D::evolve(state, &record)) {
                folded.panic = Some(Panicked {
                    position: entry.position,
                    message,
                });
                return folded;
            }
            folded.events += 1;
        }
        after(entry.position, &folded.state);
    }
    match guarded(|| D::violations(&folded.state)) {
        Ok(violations) => folded.violations = violations,
        Err(message) => {
            folded.panic = Some(Panicked {
                position: log.last_position(),
                message,
            });
        }
    }
    folded
}

/// The panic's message where there was one.
pub(crate) fn guarded<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".into())
    })
}
