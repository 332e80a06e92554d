//! Whether the invariants hold across the services: each with what was
//! checked, what is wrong, and what is still under way.

use std::collections::BTreeMap;

use decider::{Domain, Invariant, Violation};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use serde::Serialize;

use crate::{
    check::{self, Found},
    facts::Facts,
    fold::{fold, guarded},
    history::History,
    streams::Streams,
    verify::{VerifyReport, verify},
};

/// The invariants that the retail way lives by.
pub const CHECKED: [Invariant; 13] = [
    Invariant::LotConservation,
    Invariant::DeliveredOnceAndConfirmed,
    Invariant::OneCustodian,
    Invariant::DisinfectedBeforeLeaving,
    Invariant::PassBeforeDispatch,
    Invariant::CalledAfterLeaving,
    Invariant::ReceiptOrVisit,
    Invariant::LogContinuous,
    Invariant::StreamEqualsLog,
    Invariant::CausesExist,
    Invariant::ServedOrListed,
    Invariant::PriceCapSpeaks,
    Invariant::SurplusConserved,
];

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReconcileReport {
    /// No invariant is broken. What was not checked does not count.
    pub holds: bool,
    pub records: u64,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Holds,
    Broken,
    NotChecked,
}

/// One invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    #[serde(rename = "id")]
    pub invariant: Invariant,
    pub statement: &'static str,
    pub status: Status,
    /// Facts that were looked at.
    pub facts: u64,
    /// Why it was not checked, or what to know of the result; may be empty.
    pub note: String,
    pub violations: Vec<Violation>,
    /// What nothing can be said of yet, because it is under way.
    pub pending: Vec<String>,
}

impl ReconcileReport {
    #[must_use]
    pub fn check(&self, invariant: Invariant) -> Option<&Check> {
        self.checks.iter().find(|c| c.invariant == invariant)
    }

    /// The invariants that are broken.
    #[must_use]
    pub fn broken(&self) -> Vec<Invariant> {
        let broken = self.checks.iter().filter(|c| c.status == Status::Broken);
        broken.map(|c| c.invariant).collect()
    }
}

/// The replayed states, and what each domain says of its own.
#[derive(Default)]
struct States {
    order: Vec<order_domain::State>,
    inventory: Vec<inventory_domain::State>,
    violations: Vec<Violation>,
}

fn replayed<D: Domain>(history: &History, violations: &mut Vec<Violation>) -> Vec<D::State> {
    let mut states = Vec::new();
    for (name, log) in history.of(D::SERVICE) {
        let folded = fold::<D>(log);
        violations.extend(folded.violations.into_iter().map(|v| Violation {
            detail: format!("{} (the state of {name})", v.detail),
            ..v
        }));
        states.push(folded.state);
    }
    states
}

/// Checks every invariant of [`CHECKED`]; INV-10 where streams are given.
#[must_use]
pub fn reconcile(history: &History, streams: Option<&Streams>) -> ReconcileReport {
    let facts = Facts::new(history);
    let mut states = States::default();
    states.order = replayed::<Orders>(history, &mut states.violations);
    states.inventory = replayed::<Stock>(history, &mut states.violations);
    replayed::<Logistics>(history, &mut states.violations);
    replayed::<Notifications>(history, &mut states.violations);
    let verified = verify(history);

    let mut results = BTreeMap::new();
    for invariant in CHECKED {
        results.insert(
            invariant,
            checked(invariant, history, &facts, &states, &verified, streams),
        );
    }
    for violation in states.violations {
        let check = results
            .entry(violation.invariant)
            .or_insert_with(|| check(Found::new(violation.invariant), violation.invariant, ""));
        check.status = Status::Broken;
        check.violations.push(violation);
    }
    let checks: Vec<Check> = results.into_values().collect();
    ReconcileReport {
        holds: checks.iter().all(|check| check.status != Status::Broken),
        records: history.logs.values().map(|l| l.entries.len() as u64).sum(),
        checks,
    }
}

fn checked(
    invariant: Invariant,
    history: &History,
    facts: &Facts,
    states: &States,
    verified: &VerifyReport,
    streams: Option<&Streams>,
) -> Check {
    let mut note = "";
    // The states may be what a panic left behind.
    let found = guarded(|| match invariant {
        Invariant::LotConservation => check::lots::check(facts, states.inventory.iter()),
        Invariant::DeliveredOnceAndConfirmed => check::deliveries::check(facts),
        Invariant::OneCustodian => check::custody::check(facts),
        Invariant::DisinfectedBeforeLeaving => check::gate::check(facts),
        Invariant::PassBeforeDispatch => check::passes::check(facts),
        Invariant::CalledAfterLeaving => check::doorstep::check(facts),
        Invariant::ReceiptOrVisit => check::receipts::check(facts),
        Invariant::PriceCapSpeaks => check::prices::check(facts),
        Invariant::SurplusConserved => check::surplus::check(facts),
        Invariant::ServedOrListed => check::coverage::check(facts, states.order.iter()),
        Invariant::StreamEqualsLog => match streams {
            Some(streams) => check::replica::check(history, streams),
            None => Found::new(invariant),
        },
        Invariant::LogContinuous | Invariant::CausesExist => from_verify(invariant, verified),
        _ => Found::new(invariant),
    });
    let found = found.unwrap_or_else(|message| {
        let mut found = Found::new(invariant);
        found.violated("audit", format!("the check ended with a panic: {message}"));
        found
    });
    if invariant == Invariant::PassBeforeDispatch && found.facts == 0 {
        note = "no vehicle left for a shipment";
    }
    if invariant == Invariant::StreamEqualsLog && streams.is_none() {
        note = "no NATS given";
        let mut check = check(found, invariant, note);
        check.status = Status::NotChecked;
        return check;
    }
    if invariant == Invariant::ServedOrListed && found.facts == 0 {
        note = "no contingency is active, so nobody is in need";
    }
    check(found, invariant, note)
}

fn check(found: Found, invariant: Invariant, note: &str) -> Check {
    Check {
        invariant,
        statement: invariant.statement(),
        status: if found.violations.is_empty() {
            Status::Holds
        } else {
            Status::Broken
        },
        facts: found.facts,
        note: note.to_owned(),
        violations: found.violations,
        pending: found.pending,
    }
}

fn from_verify(invariant: Invariant, verified: &VerifyReport) -> Found {
    let mut found = Found::new(invariant);
    for log in &verified.logs {
        found.facts += match invariant {
            Invariant::CausesExist => log.causes,
            _ => log.records,
        };
        for finding in &log.findings {
            // A state's violation has no position; it is taken from the state.
            if let (true, Some(position)) = (finding.invariant == invariant, finding.position) {
                found.violated(log.log.at(position).to_string(), finding.detail.clone());
            }
        }
    }
    found
}
