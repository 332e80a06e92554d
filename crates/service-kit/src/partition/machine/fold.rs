//! What a record that stands in the log does to the machine.
//!
//! The records of one command count together. A command whose end was lost
//! with a disk leaves a *torso*, and a `UnitVoided` record behind it says so.
//! Of a torso this is left, and nothing else:
//!
//! - its positions and the revisions of its streams are used, since the log
//!   goes on behind them, and time does not run back behind it;
//! - its events are not folded, of the domain or of the runtime;
//! - its request id is not answered: the same request is decided anew when it
//!   comes again;
//! - its cause vouches for nothing: the foreign record is taken in again.

use decider::{Cause, Domain, Position, Recorded, Revision, Source, StreamId, Timestamp};
use event_log::Entry;
use prost::{Message, Name};
use proto::{
    log::v1 as pb,
    record::{self, Raw, RecordError},
    unit::{Taken, UnitBroken},
    view::View,
};
use stream_index::Answered;

use super::Machine;

/// Types of the runtime's own events begin so.
pub const RUNTIME_PREFIX: &str = "baogong.log.v1.";

/// What makes a log unreadable for this version.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("position {expected} was to follow, but the record says {found}")]
    PositionGap { expected: Position, found: Position },
    #[error(
        "position {position}: {stream} was to have revision {expected}, but the record says {found}"
    )]
    RevisionGap {
        position: Position,
        stream: StreamId,
        expected: Revision,
        found: Revision,
    },
    #[error(transparent)]
    UnitBroken(#[from] UnitBroken),
    #[error(
        "position {position} declares positions {from} to {to} void, but those are not the \
         records of an unfinished command directly before it"
    )]
    NothingToVoid {
        position: Position,
        from: Position,
        to: Position,
    },
}

impl<D: Domain> Machine<D> {
    /// Takes in records that follow each other in the log: as [`Self::replay`]
    /// on each of them, and quicker, as commands that are whole among them are
    /// folded where they lie.
    ///
    /// # Errors
    /// As [`Self::replay`].
    pub fn replay_all(&mut self, entries: &[Entry]) -> Result<(), ReplayError> {
        let mut views = Vec::new();
        let mut rest = entries;
        while let Some((first, behind)) = rest.split_first() {
            let view = match self.units.open() {
                [] => View::of(&first.bytes),
                _ => None,
            };
            match view {
                // Most commands make one record.
                Some(view) if view.unit_remaining == 0 => {
                    self.fold_view(&view)?;
                    rest = behind;
                }
                Some(view) if view_unit(view, behind, &mut views) => {
                    for view in &views {
                        self.fold_view(view)?;
                    }
                    rest = &rest[views.len()..];
                }
                _ => {
                    self.replay(&first.bytes)?;
                    rest = behind;
                }
            }
        }
        Ok(())
    }

    /// Takes in a record that stands in the log. It is folded with the others
    /// of its command, once all of them are there.
    ///
    /// # Errors
    /// The bytes are no record, or it is not the next one. The machine cannot
    /// be used any further.
    pub fn replay(&mut self, bytes: &[u8]) -> Result<Timestamp, ReplayError> {
        if self.units.open().is_empty()
            && let Some(view) = View::of(bytes)
            && view.unit_remaining == 0
        {
            self.fold_view(&view)?;
            return Ok(view.recorded);
        }
        let raw = record::decode(bytes)?;
        self.check_next(raw.position)?;
        let recorded = raw.recorded;
        match self.units.take(raw)? {
            Taken::Open => {}
            Taken::Whole(records) => {
                for raw in records {
                    self.fold(raw)?;
                }
            }
            Taken::Void { note, torso } => self.void(&note, &torso)?,
        }
        Ok(recorded)
    }

    fn check_next(&self, found: Position) -> Result<(), ReplayError> {
        let expected = self.next_read();
        if found == expected {
            Ok(())
        } else {
            Err(ReplayError::PositionGap { expected, found })
        }
    }

    /// Folds a record of a whole command. The record is made in the memory of
    /// the last one of its type.
    fn fold_view(&mut self, view: &View<'_>) -> Result<(), ReplayError> {
        self.check_next(Position(view.position))?;
        if view.type_name.starts_with(RUNTIME_PREFIX) {
            return self.fold(record::raw_of(view)?);
        }
        let mut used = self.used.iter();
        let (type_name, record) = match used.rposition(|(name, _)| **name == *view.type_name) {
            None => {
                let event = record::event_of::<D::Event>(view)?;
                let record = record::raw_of(view)?.map(|_| event);
                (view.type_name.into(), Box::new(record))
            }
            Some(at) => {
                let (type_name, mut record) = self.used.swap_remove(at);
                record::refill(&mut record, view)?;
                (type_name, record)
            }
        };
        self.check_revision(&record)?;
        self.note(&record);
        D::evolve(&mut self.state, &record);
        self.used.push((type_name, record));
        Ok(())
    }

    /// The position that [`Self::replay`] takes next.
    #[must_use]
    pub fn next_read(&self) -> Position {
        let open = self.units.open().last();
        open.map_or(self.position, |raw| raw.position).next()
    }

    /// Records of a command whose end has not been read: they do not count
    /// before it comes, or is declared void.
    #[must_use]
    pub fn unfinished(&self) -> &[Raw] {
        self.units.open()
    }

    fn fold(&mut self, raw: Raw) -> Result<(), ReplayError> {
        self.check_revision(&raw)?;
        self.note(&raw);
        if raw.event.type_name.starts_with(RUNTIME_PREFIX) {
            if raw.event.type_name == pb::UnitVoided::full_name() {
                let (from, to) = voided(&raw)?;
                return Err(ReplayError::NothingToVoid {
                    position: raw.position,
                    from,
                    to,
                });
            }
            self.fold_runtime(&raw)?;
        } else {
            let record = record::decode_event::<D::Event>(raw)?;
            D::evolve(&mut self.state, &record);
        }
        Ok(())
    }

    fn void(&mut self, note: &Raw, torso: &[Raw]) -> Result<(), ReplayError> {
        let (from, to) = voided(note)?;
        let ends = |raw: Option<&Raw>| raw.map(|raw| raw.position);
        if ends(torso.first()) != Some(from) || ends(torso.last()) != Some(to) {
            return Err(ReplayError::NothingToVoid {
                position: note.position,
                from,
                to,
            });
        }
        for raw in torso {
            self.check_revision(raw)?;
            self.count(raw);
        }
        self.check_revision(note)?;
        self.note(note);
        Ok(())
    }

    fn check_revision<E>(&self, raw: &Recorded<E>) -> Result<(), ReplayError> {
        if self.recent.is_noted(raw.position) {
            return Ok(());
        }
        let expected = self.revision(&raw.stream).next();
        if raw.revision == expected {
            return Ok(());
        }
        Err(ReplayError::RevisionGap {
            position: raw.position,
            stream: raw.stream.clone(),
            expected,
            found: raw.revision,
        })
    }

    /// What every record that counts tells the runtime, whatever its event.
    pub(super) fn note<E>(&mut self, record: &Recorded<E>) {
        self.count(record);
        match &record.cause {
            Cause::Request {
                request_id,
                digest,
                record_count,
            } => {
                if !self.recent.is_noted(record.position) {
                    let answer = Answered {
                        digest: *digest,
                        first: record.position,
                        count: *record_count,
                    };
                    self.recent.answer(request_id, answer);
                }
            }
            Cause::Source(source) => self.vouch(*source),
            Cause::Timer { .. } => {}
        }
    }

    /// What even a record that is void has used up.
    fn count<E>(&mut self, record: &Recorded<E>) {
        self.position = record.position;
        self.last_recorded = self.last_recorded.max(record.recorded);
        if !self.recent.is_noted(record.position) {
            self.recent
                .use_revision(&record.stream, record.revision, record.position);
        }
    }

    fn vouch(&mut self, source: Source) {
        for cursors in [&mut self.cursors, &mut self.recorded_cursors] {
            let cursor = cursors.entry(source.service).or_default();
            *cursor = (*cursor).max(source.position);
        }
    }

    pub(super) fn fold_runtime(&mut self, raw: &Raw) -> Result<(), RecordError> {
        if raw.event.type_name == pb::CursorAdvanced::full_name() {
            let note: pb::CursorAdvanced = runtime_event(raw)?;
            if let Some(source) = note.source.as_ref().and_then(record::source_from_proto) {
                self.vouch(source);
            }
        } else if raw.event.type_name == pb::ClockAdvanced::full_name() {
            let note: pb::ClockAdvanced = runtime_event(raw)?;
            self.test_clock = Some(proto::time::or_epoch(note.now.as_ref()));
        }
        Ok(())
    }
}

/// Views the records of the command that begins with `first`; false where not
/// all of them follow, or anything about them is unusual.
fn view_unit<'a>(first: View<'a>, behind: &'a [Entry], views: &mut Vec<View<'a>>) -> bool {
    views.clear();
    let mut last = first;
    for entry in behind {
        views.push(last);
        let Some(view) = View::of(&entry.bytes) else {
            return false;
        };
        let follows = last.unit_remaining == view.unit_remaining.saturating_add(1)
            && last.cause == view.cause;
        // A runtime's record may say that those before it are void.
        if !follows || view.type_name.starts_with(RUNTIME_PREFIX) {
            return false;
        }
        if view.unit_remaining == 0 {
            views.push(view);
            return true;
        }
        last = view;
    }
    false
}

fn runtime_event<M: Message + Default>(raw: &Raw) -> Result<M, RecordError> {
    M::decode(&*raw.event.data).map_err(|error| RecordError::Malformed(error.to_string()))
}

fn voided(note: &Raw) -> Result<(Position, Position), RecordError> {
    let note: pb::UnitVoided = runtime_event(note)?;
    Ok((Position(note.from_position), Position(note.to_position)))
}
