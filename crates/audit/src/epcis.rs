//! Deliveries as an EPCIS 2.0 document (GS1, ISO/IEC 19987:2024) in JSON-LD,
//! with the words of the Core Business Vocabulary 2.0 (CBV): what was where,
//! when and why, for partners who know nothing of our logs.
//!
//! Each row is a function of records alone and names the one that it stands
//! for, so the same logs give the same bytes and each row can be proven. Facts
//! that a later one took back are repeated with an `errorDeclaration`. No
//! personal data comes in: neither free texts nor households nor their doors.
//! `docs/EPCIS.md` says what becomes of which event, and why.

pub(crate) mod command;
mod delivery;
mod event;
mod facts;
mod inventory;
mod logistics;
mod rows;
mod uri;

use std::collections::BTreeSet;

use decider::{Source, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{causal, history::History, time};
use event::Event;
use rows::Row;
pub use uri::{BadBase, DEFAULT_BASE, IdBase};

const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

/// Which rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    All,
    /// One order's, with those of the lots that it was served from.
    Order(String),
    /// Of the records made from a moment on and before another.
    Recorded {
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    },
}

#[derive(Debug, Clone)]
pub struct EpcisOptions {
    pub selection: Selection,
    pub base: IdBase,
    /// Of the places where it happened, `+08:00`.
    pub offset: UtcOffset,
}

/// `[+-]hh:mm`, up to 14 hours, as EPCIS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UtcOffset(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no offset from UTC: +08:00 or -03:30, at most 14:00")]
pub struct BadOffset(String);

impl std::str::FromStr for UtcOffset {
    type Err = BadOffset;

    fn from_str(text: &str) -> Result<Self, BadOffset> {
        let bad = || BadOffset(text.to_owned());
        let (hours, minutes) = text
            .strip_prefix(['+', '-'])
            .and_then(|rest| rest.split_once(':'))
            .ok_or_else(bad)?;
        let two_digits = |part: &str| {
            let fine = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            fine.then(|| part.parse::<u32>().ok()).flatten()
        };
        match (two_digits(hours), two_digits(minutes)) {
            (Some(0..=13), Some(0..=59)) | (Some(14), Some(0)) => Ok(Self(text.to_owned())),
            _ => Err(bad()),
        }
    }
}

/// Why there is no document. Half a history would tell wrong stories.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EpcisError {
    #[error("{at} cannot be read: {why}; `baogong audit verify` says more")]
    Unreadable { at: Source, why: String },
    #[error(
        "no order {0} was dispatched, reserved or asked for in these logs; PlaceOrder answered \
         with its id, and GetOrder and ListOrders show it"
    )]
    UnknownOrder(String),
}

/// An `EPCISDocument`.
#[derive(Debug, Clone, Serialize)]
pub struct EpcisDocument {
    #[serde(rename = "@context")]
    context: Value,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "schemaVersion")]
    schema_version: &'static str,
    /// When the last of its records was made: it tells nothing later, and a
    /// second export of the same logs is the same.
    #[serde(rename = "creationDate")]
    creation_date: String,
    #[serde(rename = "epcisBody")]
    body: Body,
}

#[derive(Debug, Clone, Serialize)]
struct Body {
    #[serde(rename = "eventList")]
    events: Vec<Event>,
}

impl EpcisDocument {
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.events.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.events.is_empty()
    }

    /// How many of its events say that another did not stand.
    #[must_use]
    pub fn corrections(&self) -> usize {
        let events = self.body.events.iter();
        events.filter(|event| event.declares_an_error()).count()
    }

    /// Two-space indented JSON with a line end.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings, numbers and maps with text keys can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// # Errors
/// A log cannot be read throughout, or the order is not known.
pub fn export(history: &History, options: &EpcisOptions) -> Result<EpcisDocument, EpcisError> {
    let facts = facts::read(history)?;
    let deliveries = delivery::Deliveries::of(&facts);
    let rank = causal::rank(history, facts.keys().copied());
    let mut rows = rows::of(&facts, &deliveries, &rank, options);
    match &options.selection {
        Selection::All => {}
        Selection::Order(order_id) => {
            let Some(delivery) = deliveries.get(order_id) else {
                return Err(EpcisError::UnknownOrder(order_id.clone()));
            };
            let lots: BTreeSet<&str> = delivery.lots().collect();
            rows.retain(|row| row.concerns(order_id, &lots));
        }
        Selection::Recorded { from, to } => rows.retain(|row| {
            from.is_none_or(|from| row.recorded >= from) && to.is_none_or(|to| row.recorded < to)
        }),
    }
    rows.sort_by_key(Row::key);
    let last = rows.iter().map(|row| row.recorded).max();
    Ok(EpcisDocument {
        context: json!([CONTEXT, { "baogong": options.base.vocabulary() }]),
        kind: "EPCISDocument",
        schema_version: "2.0",
        creation_date: time::rfc3339(last.unwrap_or_default()),
        body: Body {
            events: rows.into_iter().map(|row: Row| row.event).collect(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_standard() {
        for fine in ["+08:00", "-03:30", "+14:00", "+00:00"] {
            assert_eq!(fine.parse(), Ok(UtcOffset(fine.into())));
        }
        for bad in [
            "", "08:00", "+8:00", "+14:30", "+15:00", "+08:60", "+0a:00", "Z",
        ] {
            assert_eq!(bad.parse::<UtcOffset>(), Err(BadOffset(bad.into())));
        }
    }
}
