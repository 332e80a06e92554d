//! The events of EPCIS 2.0, as far as we use them, in its JSON form. Keys of
//! the `json!` objects are in alphabetical order, so that the bytes do not
//! depend on how serde_json was built.

use decider::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{IdBase, UtcOffset, facts::Fact};
use crate::time;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Kind {
    #[serde(rename = "ObjectEvent")]
    Object,
    #[serde(rename = "AggregationEvent")]
    Aggregation,
    #[serde(rename = "TransformationEvent")]
    Transformation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Action {
    Add,
    Observe,
    Delete,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Place {
    id: String,
}

/// Units of a lot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Quantity {
    #[serde(rename = "epcClass")]
    pub class: String,
    /// Sale units, a count: EPCIS has no unit of measure for those.
    pub quantity: i64,
}

/// Field names and order are the standard's.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(rename = "eventID")]
    id: String,
    event_time: String,
    event_time_zone_offset: String,
    record_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_declaration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    #[serde(rename = "parentID", skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(rename = "childEPCs", skip_serializing_if = "Option::is_none")]
    children: Option<Vec<String>>,
    #[serde(rename = "epcList", skip_serializing_if = "Option::is_none")]
    epcs: Option<Vec<String>>,
    #[serde(rename = "quantityList", skip_serializing_if = "Option::is_none")]
    quantities: Option<Vec<Quantity>>,
    #[serde(rename = "inputEPCList", skip_serializing_if = "Option::is_none")]
    input_epcs: Option<Vec<String>>,
    #[serde(rename = "inputQuantityList", skip_serializing_if = "Option::is_none")]
    input_quantities: Option<Vec<Quantity>>,
    #[serde(rename = "outputEPCList", skip_serializing_if = "Option::is_none")]
    output_epcs: Option<Vec<String>>,
    #[serde(rename = "outputQuantityList", skip_serializing_if = "Option::is_none")]
    output_quantities: Option<Vec<Quantity>>,
    biz_step: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    disposition: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    persistent_disposition: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_point: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_location: Option<Place>,
    #[serde(rename = "bizTransactionList", skip_serializing_if = "Vec::is_empty")]
    transactions: Vec<Value>,
    #[serde(rename = "sourceList", skip_serializing_if = "Vec::is_empty")]
    sources: Vec<Value>,
    #[serde(rename = "destinationList", skip_serializing_if = "Vec::is_empty")]
    destinations: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ilmd: Option<Value>,
    #[serde(rename = "baogong:exception", skip_serializing_if = "Option::is_none")]
    exception: Option<String>,
    #[serde(rename = "baogong:agent", skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(rename = "baogong:evidence", skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    #[serde(rename = "baogong:proof")]
    proof: Value,
}

impl Event {
    /// `part` tells apart the events of one record.
    fn new(kind: Kind, fact: &Fact, part: &str, step: String, offset: &UtcOffset) -> Self {
        Self {
            kind,
            id: fact.event_id(part),
            event_time: time::rfc3339(fact.record.occurred),
            event_time_zone_offset: offset.0.clone(),
            record_time: time::rfc3339(fact.record.recorded),
            error_declaration: None,
            action: None,
            parent: None,
            children: None,
            epcs: None,
            quantities: None,
            input_epcs: None,
            input_quantities: None,
            output_epcs: None,
            output_quantities: None,
            biz_step: step,
            disposition: None,
            persistent_disposition: None,
            read_point: None,
            biz_location: None,
            transactions: Vec::new(),
            sources: Vec::new(),
            destinations: Vec::new(),
            ilmd: None,
            exception: None,
            agent: None,
            evidence: None,
            proof: proof(fact),
        }
    }

    pub fn declares_an_error(&self) -> bool {
        self.error_declaration.is_some()
    }

    /// The same event, said not to stand (EPCIS 2.0, 7.4.1.3).
    pub fn taken_back(mut self, correction: &Correction, base: &IdBase) -> Self {
        self.error_declaration = Some(json!({
            "baogong:proof": proof(&correction.fact),
            "correctiveEventIDs": correction.by,
            "declarationTime": time::rfc3339(correction.declared()),
            "reason": correction.reason.uri(base),
        }));
        self.record_time = time::rfc3339(correction.declared());
        self
    }
}

/// Why an event does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A torso of records that were lost with a disk: CBV's word.
    DidNotOccur,
    /// It took place, and another event undid it before anybody relied on it.
    TakenBack,
}

impl Reason {
    fn uri(self, base: &IdBase) -> String {
        match self {
            Self::DidNotOccur => "did_not_occur".into(),
            Self::TakenBack => base.word("er-taken_back"),
        }
    }
}

/// What takes an event back.
#[derive(Debug, Clone)]
pub(super) struct Correction {
    pub reason: Reason,
    /// The record that says so.
    pub fact: Fact,
    /// Events that tell what took place instead.
    pub by: Vec<String>,
}

impl Correction {
    pub fn declared(&self) -> Timestamp {
        self.fact.record.recorded
    }
}

/// Which record it stands for: its log, where it is there, and the hash under
/// which it is a leaf of that log's tree (RFC 6962), in hex.
fn proof(fact: &Fact) -> Value {
    json!({
        "baogong:leafHash": fact.leaf_hex(),
        "baogong:origin": fact.origin(),
        "baogong:position": fact.at.position.0,
        "baogong:recordID": fact.record.event_id,
        "baogong:recordType": fact.record.event.type_name,
    })
}

/// Builds the events of one fact.
#[derive(Clone, Copy)]
pub(super) struct Maker<'a> {
    pub fact: &'a Fact,
    pub base: &'a IdBase,
    pub offset: &'a UtcOffset,
}

impl Maker<'_> {
    /// A word of CBV 2.0.
    pub fn object(&self, part: &str, action: Action, step: &str) -> Event {
        let mut event = Event::new(Kind::Object, self.fact, part, step.into(), self.offset);
        event.action = Some(action);
        event
    }

    pub fn aggregation(
        &self,
        part: &str,
        action: Action,
        step: &str,
        parent: String,
        children: Vec<String>,
    ) -> Event {
        let kind = Kind::Aggregation;
        let mut event = Event::new(kind, self.fact, part, step.into(), self.offset);
        event.action = Some(action);
        event.parent = Some(parent);
        event.children = Some(children);
        event
    }

    pub fn transformation(&self, part: &str, step: &str) -> Event {
        let kind = Kind::Transformation;
        Event::new(kind, self.fact, part, step.into(), self.offset)
    }

    pub fn area(&self) -> &str {
        self.fact.record.area.as_str()
    }
}

/// One after another, so that a mapping reads as a sentence.
impl Event {
    pub fn epcs(mut self, epcs: Vec<String>) -> Self {
        self.epcs = Some(epcs);
        self
    }

    pub fn quantities(mut self, quantities: Vec<Quantity>) -> Self {
        self.quantities = Some(quantities);
        self
    }

    pub fn bags_from_lots(mut self, lots: Vec<Quantity>, bags: Vec<String>) -> Self {
        self.input_quantities = Some(lots);
        self.output_epcs = Some(bags);
        self
    }

    pub fn bags_into_lots(mut self, bags: Vec<String>, lots: Vec<Quantity>) -> Self {
        self.input_epcs = Some(bags);
        self.output_quantities = Some(lots);
        self
    }

    pub fn disposition(mut self, disposition: &'static str) -> Self {
        self.disposition = Some(disposition);
        self
    }

    /// Holds until another event unsets it.
    pub fn for_good(mut self, disposition: &str) -> Self {
        self.persistent_disposition = Some(json!({ "set": [disposition] }));
        self
    }

    /// Where it was seen.
    pub fn seen_at(mut self, place: String) -> Self {
        self.read_point = Some(Place { id: place });
        self
    }

    /// Where it was seen and is from now on.
    pub fn stays_at(mut self, place: String) -> Self {
        self.biz_location = Some(Place { id: place.clone() });
        self.seen_at(place)
    }

    pub fn transaction(mut self, kind: &str, id: String) -> Self {
        let transaction = json!({ "bizTransaction": id, "type": kind });
        self.transactions.push(transaction);
        self
    }

    /// Possession passes; ownership is nothing that we know of.
    pub fn passes(mut self, from: String, to: String) -> Self {
        let kind = "possessing_party";
        self.sources.push(json!({ "source": from, "type": kind }));
        let destination = json!({ "destination": to, "type": kind });
        self.destinations.push(destination);
        self
    }

    pub fn bound_for(mut self, place: String) -> Self {
        let destination = json!({ "destination": place, "type": "location" });
        self.destinations.push(destination);
        self
    }

    pub fn expires(mut self, at: Option<Timestamp>) -> Self {
        self.ilmd = at.map(|at| json!({ "cbvmda:itemExpirationDate": time::date(at) }));
        self
    }

    /// A code of logistics.
    pub fn exception(mut self, code: String) -> Self {
        self.exception = Some(code);
        self
    }

    pub fn agent(mut self, agent: &str) -> Self {
        self.agent = Some(agent.to_owned());
        self
    }

    pub fn evidence(mut self, evidence: &str) -> Self {
        self.evidence = Some(evidence.to_owned());
        self
    }
}
