//! The records of inventory and logistics with their events, and which of them
//! count: those of a void unit did not take place.

use std::collections::BTreeMap;

use decider::{Service, Source};
use proto::{
    AnyEvent,
    record::Raw,
    unit::{Taken, Units},
};
use sha2::{Digest, Sha256};
use transparency::{Hash, record_hash};

use super::EpcisError;
use crate::{
    digest::hex,
    history::{History, Log, LogName},
};

/// Names of our events are derived from this, a leaf and a part.
const ID_DOMAIN: &str = "baogong epcis event 1";

#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub at: Source,
    /// Without the event's bytes.
    pub record: Raw,
    pub event: AnyEvent,
    leaf: Hash,
    /// Position of the note that says that it did not take place.
    pub void: Option<Source>,
}

impl Fact {
    /// An UUID of version 8 (RFC 9562, made by SHA-256) as a URN, of what the
    /// record is and which of its events: for ever the same.
    pub fn event_id(&self, part: &str) -> String {
        let name = format!("{ID_DOMAIN}\n{}\n{part}", self.leaf_hex());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(name)[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = hex(&bytes);
        let groups = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        format!("urn:uuid:{}", groups.join("-"))
    }

    pub fn leaf_hex(&self) -> String {
        hex(&self.leaf.0)
    }

    /// Of the log's tree.
    pub fn origin(&self) -> String {
        format!("baogong/{}/{}", self.at.service, self.at.partition)
    }
}

/// By place; each log in its order.
pub(super) type Facts = BTreeMap<Source, Fact>;

pub(super) fn read(history: &History) -> Result<Facts, EpcisError> {
    let mut facts = Facts::new();
    for (name, log) in &history.logs {
        if matches!(name.service, Service::Inventory | Service::Logistics) {
            take(*name, log, &mut facts)?;
        }
    }
    Ok(facts)
}

fn take(name: LogName, log: &Log, facts: &mut Facts) -> Result<(), EpcisError> {
    if let Some(damage) = &log.damage {
        return Err(EpcisError::Unreadable {
            at: name.at(damage.position),
            why: damage.what.clone(),
        });
    }
    let mut units = Units::default();
    let mut open = Vec::new();
    for entry in &log.entries {
        let at = name.at(entry.position);
        let unreadable = |why: String| EpcisError::Unreadable { at, why };
        let record = entry.record();
        let mut record = record.map_err(|error| unreadable(error.to_string()))?;
        let (kind, data) = (&record.event.type_name, &record.event.data);
        let event = AnyEvent::decode(name.service, kind, data);
        let event = event.map_err(|error| unreadable(error.to_string()))?;
        let taken = units.take(record.clone());
        record.event.data = Vec::new();
        open.push(Fact {
            at,
            record,
            event,
            leaf: record_hash(&entry.bytes),
            void: None,
        });
        match taken {
            Ok(Taken::Open) => continue,
            Ok(Taken::Whole(_)) => {}
            Ok(Taken::Void { .. }) => {
                for fact in &mut open {
                    fact.void = Some(at);
                }
            }
            Err(error) => return Err(unreadable(error.to_string())),
        }
        facts.extend(open.drain(..).map(|fact| (fact.at, fact)));
    }
    // What is still open is being recorded at this moment.
    Ok(())
}
