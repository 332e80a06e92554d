//! The records of one log, one after another: positions, revisions, times,
//! events, requests.

use std::{collections::HashMap, marker::PhantomData};

use decider::{Cause, DecodeError, Domain, EventSet, Position, Revision, StreamId, Timestamp};
use proto::record::{self, Raw, RecordError};

use super::{Finding, FindingKind as Kind};
use crate::{
    event_json,
    history::{Entry, RUNTIME_PREFIX},
    units::Standing,
};

/// A request whose records are being counted.
struct Open {
    request_id: String,
    digest: [u8; 16],
    first: Position,
    wanted: u32,
    seen: u32,
}

pub(super) struct Records<'s, D> {
    standing: &'s Standing,
    last: Position,
    time: Timestamp,
    revisions: HashMap<StreamId, Revision>,
    open: Option<Open>,
    /// First position and digest of every request so far.
    answered: HashMap<String, (Position, [u8; 16])>,
    findings: Vec<Finding>,
    domain: PhantomData<D>,
}

impl<'s, D: Domain> Records<'s, D> {
    pub(super) fn new(standing: &'s Standing) -> Self {
        Self {
            standing,
            last: Position::ZERO,
            time: Timestamp(i64::MIN),
            revisions: HashMap::new(),
            open: None,
            answered: HashMap::new(),
            findings: Vec::new(),
            domain: PhantomData,
        }
    }

    pub(super) fn take(&mut self, entry: &Entry) {
        let position = entry.position;
        if position.0 != self.last.0.saturating_add(1) {
            let detail = format!(
                "it follows position {}: {}",
                self.last,
                gap(self.last, position)
            );
            self.find(Kind::PositionGap, position, detail);
        }
        self.last = position;
        let raw = match entry.record() {
            Ok(raw) => raw,
            Err(error) => {
                self.close();
                return self.find(Kind::Undecodable, position, error.to_string());
            }
        };
        if raw.position != position {
            let detail = format!("the record there says that it is at {}", raw.position);
            self.find(Kind::PositionGap, position, detail);
        }
        self.revision(position, &raw);
        if raw.recorded < self.time {
            let back = self.time.0.saturating_sub(raw.recorded.0);
            let detail = format!("it is recorded {back} ms before the record before it");
            self.find(Kind::TimeBackwards, position, detail);
        }
        self.time = self.time.max(raw.recorded);
        self.event(position, &raw);
        self.request(position, &raw);
    }

    /// Streams, requests, and what was found.
    pub(super) fn finish(mut self) -> (u64, u64, Vec<Finding>) {
        self.close();
        (
            self.revisions.len() as u64,
            self.answered.len() as u64,
            self.findings,
        )
    }

    fn find(&mut self, kind: Kind, position: Position, detail: impl Into<String>) {
        self.findings.push(kind.at(position, detail));
    }

    fn revision(&mut self, position: Position, raw: &Raw) {
        let before = self.revisions.get(&raw.stream).copied().unwrap_or_default();
        // The torso of a voided unit has used its revisions, as its positions.
        if raw.revision.0 != before.0.saturating_add(1) {
            let detail = format!(
                "{} is at revision {before}, and the record says {}",
                raw.stream, raw.revision
            );
            self.find(Kind::RevisionGap, position, detail);
        }
        self.revisions.insert(raw.stream.clone(), raw.revision);
    }

    fn event(&mut self, position: Position, raw: &Raw) {
        let type_name = &raw.event.type_name;
        if type_name.starts_with(RUNTIME_PREFIX) {
            if event_json::decode(&raw.event).is_none() {
                let detail = format!("no {type_name} of this version can be read there");
                self.find(Kind::UnknownType, position, detail);
            }
            return;
        }
        match record::decode_event::<D::Event>(raw.clone()) {
            Ok(record) => {
                let stream = record.event.stream();
                if stream != raw.stream {
                    let detail = format!("an event of {stream} stands in stream {}", raw.stream);
                    self.find(Kind::WrongStream, position, detail);
                }
            }
            Err(error) => {
                let kind = match &error {
                    RecordError::Event {
                        source: DecodeError::UnknownType(_),
                        ..
                    } => Kind::UnknownType,
                    _ => Kind::Undecodable,
                };
                let detail = match error {
                    RecordError::Event { source, .. } => source.to_string(),
                    other => other.to_string(),
                };
                self.find(kind, position, detail);
            }
        }
    }

    fn request(&mut self, position: Position, raw: &Raw) {
        // A voided request made nothing, and may be carried out later.
        if self.standing.idle.contains(&position) {
            return self.close();
        }
        let Cause::Request {
            request_id,
            digest,
            record_count,
        } = &raw.cause
        else {
            return self.close();
        };
        if let Some(open) = &mut self.open
            && open.request_id == *request_id
        {
            open.seen += 1;
            if open.digest != *digest {
                let detail = format!("request {request_id} has another digest than a record ago");
                self.find(Kind::RequestReused, position, detail);
            }
            return;
        }
        self.close();
        match self.answered.get(request_id).copied() {
            Some((first, known)) if known != *digest => {
                let detail = format!(
                    "request id {request_id} stands for another request than at position {first}"
                );
                self.find(Kind::RequestReused, position, detail);
            }
            Some((first, _)) => {
                let detail =
                    format!("request {request_id} was carried out at position {first} already");
                self.find(Kind::RequestIncomplete, position, detail);
            }
            None => {
                self.answered
                    .insert(request_id.clone(), (position, *digest));
            }
        }
        self.open = Some(Open {
            request_id: request_id.clone(),
            digest: *digest,
            first: position,
            wanted: *record_count,
            seen: 1,
        });
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.seen != open.wanted {
            let detail = format!(
                "request {} made {} records, {} stand here",
                open.request_id, open.wanted, open.seen
            );
            self.find(Kind::RequestIncomplete, open.first, detail);
        }
    }
}

fn gap(last: Position, position: Position) -> String {
    match position.0.checked_sub(last.0.saturating_add(1)) {
        Some(missing) => format!("{missing} records are missing"),
        None => "this position was there before".into(),
    }
}
