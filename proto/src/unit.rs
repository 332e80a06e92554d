//! Units: the records that one command made together. They count together or
//! not at all.
//!
//! A log keeps whole units. A JetStream stream is message by message: where its
//! end was lost in the middle of a unit and the log is restored from it, the
//! torso is kept, since positions are never used twice, and a `UnitVoided`
//! record behind it says that it did not take place. Whoever folds records or
//! reacts to them takes them through [`Units`], which holds a unit back until
//! it is whole.

use decider::Position;
use prost::Name;

use crate::{log::v1::UnitVoided, record::Raw};

/// Collects records into units.
#[derive(Debug, Clone, Default)]
pub struct Units {
    open: Vec<Raw>,
}

/// What a record completed.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// Nothing yet: more records of its unit follow.
    Open,
    /// The records of a whole unit.
    Whole(Vec<Raw>),
    /// The note that the unit before it is void, with what was in that.
    Void { note: Box<Raw>, torso: Vec<Raw> },
}

/// A unit that neither went on nor was declared void.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "position {position}: {missing} more records of the command before it were to follow, and \
     nothing says that it is void"
)]
pub struct UnitBroken {
    pub position: Position,
    pub missing: u32,
}

impl Units {
    /// # Errors
    /// The record does not belong to the unit that is open.
    pub fn take(&mut self, record: Raw) -> Result<Taken, UnitBroken> {
        let missing = self.open.last().map_or(0, |last| last.unit_remaining);
        if missing > 0 && record.event.type_name == UnitVoided::full_name() {
            return Ok(Taken::Void {
                note: Box::new(record),
                torso: std::mem::take(&mut self.open),
            });
        }
        if missing > 0 && !self.goes_on_with(&record) {
            return Err(UnitBroken {
                position: record.position,
                missing,
            });
        }
        let whole = record.unit_remaining == 0;
        self.open.push(record);
        if whole {
            Ok(Taken::Whole(std::mem::take(&mut self.open)))
        } else {
            Ok(Taken::Open)
        }
    }

    /// Whether the record is the next of the unit that is open. All records of
    /// a command have its cause.
    fn goes_on_with(&self, record: &Raw) -> bool {
        let last = self.open.last();
        last.is_some_and(|last| {
            last.unit_remaining == record.unit_remaining + 1 && last.cause == record.cause
        })
    }

    /// Gives up the unit that is open, if any: its records are no command.
    pub fn give_up(&mut self) -> Vec<Raw> {
        std::mem::take(&mut self.open)
    }

    /// Records of a unit that is not whole yet.
    #[must_use]
    pub fn open(&self) -> &[Raw] {
        &self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Encoded;
    use decider::{Actor, Area, Cause, Recorded, Revision, StreamId, Timestamp};

    fn record(position: u64, unit_remaining: u32, type_name: &str) -> Raw {
        Recorded {
            position: Position(position),
            event_id: String::new(),
            stream: StreamId::new("order", "1"),
            revision: Revision(position),
            area: Area::default(),
            occurred: Timestamp(0),
            recorded: Timestamp(0),
            actor: Actor::system("order"),
            cause: Cause::Timer { due: Timestamp(0) },
            correlation_id: String::new(),
            traceparent: String::new(),
            unit_remaining,
            event: Encoded {
                type_name: type_name.into(),
                data: Vec::new(),
            },
        }
    }

    #[test]
    fn a_unit_comes_out_whole() {
        let mut units = Units::default();
        assert_eq!(units.take(record(1, 1, "a")), Ok(Taken::Open));
        assert_eq!(units.open().len(), 1);
        let whole = vec![record(1, 1, "a"), record(2, 0, "b")];
        assert_eq!(units.take(record(2, 0, "b")), Ok(Taken::Whole(whole)));
        let single = vec![record(3, 0, "c")];
        assert_eq!(units.take(record(3, 0, "c")), Ok(Taken::Whole(single)));
    }

    #[test]
    fn a_torso_is_void_only_where_that_is_said() {
        let mut units = Units::default();
        let note = record(2, 0, &UnitVoided::full_name());
        assert_eq!(units.take(record(1, 2, "a")), Ok(Taken::Open));
        assert_eq!(
            units.clone().take(record(2, 0, "b")),
            Err(UnitBroken {
                position: Position(2),
                missing: 2
            })
        );
        let mut other = record(3, 1, "b");
        other.cause = Cause::Timer { due: Timestamp(9) };
        assert!(units.clone().take(other).is_err(), "it has another cause");
        assert_eq!(
            units.take(note.clone()),
            Ok(Taken::Void {
                note: Box::new(note),
                torso: vec![record(1, 2, "a")]
            })
        );
        assert_eq!(units.open(), []);
    }
}
