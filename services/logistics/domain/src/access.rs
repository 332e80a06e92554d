//! Who was shown what is personal of a shipment. It is recorded before it is
//! shown; a reader who looks again within ten minutes is not recorded again, so
//! that reading does not fill the log.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Actor, Context, Timestamp};
use proto::{LogisticsEvent, logistics::v1 as pb};
use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    state::{Moment, State},
};

/// Within so many minutes the same look is one.
pub const ACCESS_MINUTES: i64 = 10;

/// A look, whenever it is. The reader is the command's actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordAccess {
    pub shipment_id: String,
    pub carrier_id: String,
    /// Which one, as the API names it.
    pub method: String,
    /// A code.
    pub purpose: String,
    /// Of a photo.
    pub content_sha256: Option<[u8; 32]>,
}

/// What makes two looks the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Access {
    role: String,
    reader_id: String,
    shipment_id: String,
    method: String,
    content: Vec<u8>,
}

impl Access {
    fn of(event: &pb::PersonalDataAccessed) -> Self {
        Self {
            role: event.reader_role.clone(),
            reader_id: event.reader_id.clone(),
            shipment_id: event.shipment_id.clone(),
            method: event.method.clone(),
            content: event.content_sha256.clone(),
        }
    }
}

/// Those of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Accesses {
    last: BTreeMap<Access, Timestamp>,
    by_time: BTreeSet<(Timestamp, Access)>,
}

impl Accesses {
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Access, Timestamp)> {
        self.last.iter().map(|(access, at)| (access, *at))
    }

    pub(crate) fn note(&mut self, access: Access, at: Timestamp) {
        if let Some(before) = self.last.insert(access.clone(), at) {
            self.by_time.remove(&(before, access.clone()));
        }
        self.by_time.insert((at, access));
    }

    fn forget_before(&mut self, begin: Timestamp) {
        while let Some((at, _)) = self.by_time.first()
            && *at <= begin
            && let Some((_, access)) = self.by_time.pop_first()
        {
            self.last.remove(&access);
        }
    }
}

fn event(command: &RecordAccess, reader: &Actor) -> pb::PersonalDataAccessed {
    let content = command.content_sha256.map(|hash| hash.to_vec());
    pb::PersonalDataAccessed {
        shipment_id: command.shipment_id.clone(),
        reader_role: reader.role.name().to_owned(),
        reader_id: reader.id.clone(),
        carrier_id: command.carrier_id.clone(),
        method: command.method.clone(),
        purpose: command.purpose.clone(),
        content_sha256: content.unwrap_or_default(),
    }
}

pub(crate) fn record(
    state: &State,
    command: &RecordAccess,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    state
        .freight
        .shipment_in(&context.area, &command.shipment_id)?;
    if state.has_access(command, &context.actor, context.now) {
        return Ok(vec![]);
    }
    Ok(vec![event(command, &context.actor).into()])
}

impl State {
    /// Whether the same look of this reader was recorded in the last minutes:
    /// then it need not be asked for, which would be recorded in any case.
    #[must_use]
    pub fn has_access(&self, command: &RecordAccess, reader: &Actor, now: Timestamp) -> bool {
        let access = Access::of(&event(command, reader));
        let last = self.accesses.last.get(&access);
        last.is_some_and(|last| *last > now.plus_minutes(-ACCESS_MINUTES))
    }
}

pub(crate) fn recorded(state: &mut State, moment: &Moment<'_>, event: &pb::PersonalDataAccessed) {
    let accesses = &mut state.accesses;
    accesses.forget_before(moment.at.plus_minutes(-ACCESS_MINUTES));
    accesses.note(Access::of(event), moment.at);
}
