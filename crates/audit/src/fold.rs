//! Replays a log through its domain's pure functions, unit by unit: what was
//! declared void, or has no end yet, is left out. A panic of theirs is a
//! finding, not the end of the audit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use decider::{Domain, Position, Violation};
use proto::record::{self, Raw};

use crate::{
    history::{Entry, Log, RUNTIME_PREFIX},
    units::{self, Step},
};

/// What a replay came to.
pub(crate) struct Folded<D: Domain> {
    /// As after the last record; wherever a panic left it, where there was one.
    pub state: D::State,
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

/// `after` sees the state after each record that counts, those of the runtime
/// included.
pub(crate) fn fold_with<D: Domain>(log: &Log, after: impl FnMut(Position, &D::State)) -> Folded<D> {
    fold_entries(&log.entries, after)
}

/// A replay under way.
pub(crate) struct Folding<D: Domain> {
    pub state: D::State,
    pub panic: Option<Panicked>,
}

impl<D: Domain> Default for Folding<D> {
    fn default() -> Self {
        Self {
            state: D::State::default(),
            panic: None,
        }
    }
}

impl<D: Domain> Folding<D> {
    /// Takes a record that counts; says whether the state is the one after it.
    pub(crate) fn take(&mut self, raw: Raw) -> bool {
        if self.panic.is_some() {
            return false;
        }
        let position = raw.position;
        if raw.event.type_name.starts_with(RUNTIME_PREFIX) {
            return true;
        }
        let Ok(record) = record::decode_event::<D::Event>(raw) else {
            return false;
        };
        match guarded(|| D::evolve(&mut self.state, &record)) {
            Ok(()) => true,
            Err(message) => {
                self.panic = Some(Panicked { position, message });
                false
            }
        }
    }

    fn finish(self, end: Position) -> Folded<D> {
        let mut folded = Folded {
            state: self.state,
            violations: Vec::new(),
            panic: self.panic,
        };
        if folded.panic.is_some() {
            return folded;
        }
        match guarded(|| D::violations(&folded.state)) {
            Ok(violations) => folded.violations = violations,
            Err(message) => {
                folded.panic = Some(Panicked {
                    position: end,
                    message,
                });
            }
        }
        folded
    }
}

/// As [`fold_with`], of the beginning of a log.
pub(crate) fn fold_entries<D: Domain>(
    entries: &[Entry],
    mut after: impl FnMut(Position, &D::State),
) -> Folded<D> {
    let mut folding = Folding::<D>::default();
    units::walk(entries, |step| {
        let Step::Whole(records) = step else { return };
        for raw in records {
            let position = raw.position;
            if folding.take(raw) {
                after(position, &folding.state);
            }
        }
    });
    folding.finish(entries.last().map_or(Position::ZERO, |e| e.position))
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use decider::{
        Actor, Area, Cause, Context, Due, EventSet, Invariant, Recorded, Rejected, Revision,
        Service, StreamId, Timestamp,
    };
    use proto::{
        OrderEvent,
        order::v1::{OrderConfirmed, OrderReady},
        record::Encoded,
    };

    use super::*;

    /// Counts, and cannot stand an `OrderReady`.
    struct Toy;

    #[derive(Debug, Clone, PartialEq, thiserror::Error)]
    #[error("no")]
    struct Never;

    impl Rejected for Never {
        fn reason(&self) -> &'static str {
            "NO"
        }
    }

    impl Domain for Toy {
        type State = u32;
        type Command = ();
        type Event = OrderEvent;
        type Foreign = ();
        type Rejection = Never;
        const SERVICE: Service = Service::Order;
        const SOURCES: &'static [Service] = &[];

        fn command_name((): &()) -> &'static str {
            "Nothing"
        }
        fn decide(_: &u32, (): &(), _: &Context) -> Result<Vec<OrderEvent>, Never> {
            Err(Never)
        }
        fn evolve(state: &mut u32, record: &Recorded<OrderEvent>) {
            assert!(
                !matches!(record.event, OrderEvent::OrderReady(_)),
                "not ready for this"
            );
            *state += 1;
        }
        fn react(_: &u32, _: &Recorded<()>) -> Vec<()> {
            Vec::new()
        }
        fn due(_: &u32, _: Timestamp) -> Vec<Due<()>> {
            Vec::new()
        }
        fn next_due(_: &u32) -> Option<Timestamp> {
            None
        }
        fn violations(state: &u32) -> Vec<Violation> {
            let violation = Violation {
                invariant: Invariant::LotConservation,
                entity: "toy/1".into(),
                detail: format!("counted {state}"),
            };
            vec![violation]
        }
        fn describe(state: &u32, _: &StreamId) -> Option<String> {
            Some(state.to_string())
        }
    }

    fn log(events: &[OrderEvent]) -> Log {
        let mut log = Log::default();
        for event in events {
            let position = log.next_position();
            let raw = Recorded {
                position,
                event_id: "e".into(),
                stream: event.stream(),
                revision: Revision(position.0),
                area: Area::default(),
                occurred: Timestamp(0),
                recorded: Timestamp(0),
                actor: Actor::system("toy"),
                cause: Cause::Timer { due: Timestamp(0) },
                correlation_id: String::new(),
                traceparent: String::new(),
                unit_remaining: 0,
                event: Encoded::from(event),
            };
            log.push(Bytes::from(record::encode(&raw)));
        }
        log
    }

    fn confirmed() -> OrderEvent {
        let order_id = "1".into();
        OrderConfirmed { order_id }.into()
    }

    #[test]
    fn the_state_after_each_record_is_seen_and_the_last_one_judged() {
        let mut seen = Vec::new();
        let folded = fold_with::<Toy>(&log(&[confirmed(), confirmed()]), |at, state| {
            seen.push((at.0, *state));
        });
        assert_eq!(seen, [(1, 1), (2, 2)]);
        assert_eq!(folded.violations[0].detail, "counted 2");
        assert_eq!(folded.panic, None);
    }

    #[test]
    fn a_panic_is_a_finding_at_its_record() {
        let order_id = "1".into();
        let ready = OrderReady { order_id }.into();
        let log = log(&[confirmed(), ready, confirmed()]);
        let standing = crate::units::Standing::of(&log);
        let name = crate::LogName::new(Service::Order, 0);
        let report = crate::verify::one::<Toy>(name, &log, &standing);
        let finding = &report.findings[0];
        assert_eq!(finding.kind, crate::FindingKind::ReplayPanicked);
        assert_eq!(finding.position, Some(Position(2)));
        assert!(finding.detail.contains("not ready for this"));
    }
}
