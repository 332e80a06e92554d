//! Which records of a log count. A command's records count together or not at
//! all: the torso of one that was declared void, and one that has no end yet,
//! tell nothing of what happened (see `proto::unit`).

use std::collections::BTreeSet;

use decider::Position;
use prost::{Message, Name};
use proto::{
    log::v1::UnitVoided,
    record::Raw,
    unit::{Taken, Units},
};

use crate::history::{Entry, Log};

/// The units of one log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Records that count for nothing.
    pub idle: BTreeSet<Position>,
    /// Units that were declared void.
    pub voided: u64,
    /// First record of the unit that is open at the end, and how many records
    /// of it are missing.
    pub open: Option<(Position, u32)>,
    /// Where a record stands that is none of the unit before it.
    pub broken: Vec<(Position, String)>,
}

impl Standing {
    pub(crate) fn of(log: &Log) -> Self {
        Self::of_entries(&log.entries)
    }

    pub(crate) fn of_entries(entries: &[Entry]) -> Self {
        let mut standing = Self::default();
        // What the next note has to name.
        let mut torso_before: Option<(Position, Position)> = None;
        walk(entries, |step| match step {
            Step::Whole(records) => {
                let before = torso_before.take();
                if let Some(why) = records.first().and_then(|note| misplaced(note, before)) {
                    standing.broken.push((records[0].position, why));
                }
                if let Some(pair) = records
                    .windows(2)
                    .find(|pair| pair[0].cause != pair[1].cause)
                {
                    let why = "it is of another command than the record before it, of which more \
                               records were to follow";
                    standing.broken.push((pair[1].position, why.to_owned()));
                }
            }
            Step::Void(torso) => {
                standing.voided += 1;
                let ends = torso.first().zip(torso.last());
                torso_before = ends.map(|(first, last)| (first.position, last.position));
                standing.leave_out(&torso);
            }
            Step::Broken { torso, at, why } => {
                standing.leave_out(&torso);
                standing.broken.push((at, why));
            }
            Step::Open(torso) => {
                let missing = torso.last().map_or(0, |last| last.unit_remaining);
                standing.open = torso.first().map(|first| (first.position, missing));
                standing.leave_out(&torso);
            }
        });
        standing
    }

    fn leave_out(&mut self, torso: &[Raw]) {
        self.idle.extend(torso.iter().map(|raw| raw.position));
    }
}

/// What stands at one place of a log.
pub(crate) enum Step {
    /// Records that count, of one command; the note on a voided unit too.
    Whole(Vec<Raw>),
    Void(Vec<Raw>),
    Broken {
        torso: Vec<Raw>,
        at: Position,
        why: String,
    },
    /// At the end.
    Open(Vec<Raw>),
}

fn is_note(raw: &Raw) -> bool {
    raw.event.type_name == UnitVoided::full_name()
}

/// What is wrong with a note that declares something void.
fn misplaced(note: &Raw, torso: Option<(Position, Position)>) -> Option<String> {
    if !is_note(note) {
        return None;
    }
    let told = UnitVoided::decode(&*note.event.data).unwrap_or_default();
    let told = (Position(told.from_position), Position(told.to_position));
    (torso != Some(told)).then(|| {
        format!(
            "it declares positions {} to {} void, but those are not the records of an unfinished \
             command directly before it",
            told.0, told.1
        )
    })
}

/// Unit by unit. A record that cannot be read ends the unit before it.
pub(crate) fn walk(entries: &[Entry], mut step: impl FnMut(Step)) {
    let mut units = Units::default();
    for entry in entries {
        let Ok(raw) = entry.record() else {
            if let Some(broken) = given_up(&mut units, entry.position, "it cannot be read") {
                step(broken);
            }
            continue;
        };
        take(&mut units, raw, &mut step);
    }
    if !units.open().is_empty() {
        step(Step::Open(units.open().to_vec()));
    }
}

fn take(units: &mut Units, raw: Raw, step: &mut impl FnMut(Step)) {
    let missing = units.open().last().map_or(0, |last| last.unit_remaining);
    let follows = |last: &Raw| raw.unit_remaining == missing - 1 && raw.cause == last.cause;
    if missing > 0 && !is_note(&raw) && !units.open().last().is_some_and(follows) {
        let why = format!(
            "{missing} more records of the command before it were to follow, and nothing says that \
             it is void"
        );
        if let Some(broken) = given_up(units, raw.position, &why) {
            step(broken);
        }
    }
    match units.take(raw) {
        Ok(Taken::Open) => {}
        Ok(Taken::Whole(records)) => step(Step::Whole(records)),
        Ok(Taken::Void { note, torso }) => {
            step(Step::Void(torso));
            step(Step::Whole(vec![*note]));
        }
        // Only what goes on from an open unit can break it.
        Err(error) => step(Step::Broken {
            torso: Vec::new(),
            at: error.position,
            why: error.to_string(),
        }),
    }
}

fn given_up(units: &mut Units, at: Position, why: &str) -> Option<Step> {
    let torso = std::mem::take(units).open().to_vec();
    let why = why.to_owned();
    (!torso.is_empty()).then_some(Step::Broken { torso, at, why })
}
