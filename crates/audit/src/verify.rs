//! Whether each log is whole: nothing missing, nothing doubled, nothing that
//! cannot be read or replayed, no cause that is not there.

use std::collections::HashSet;

use decider::{Domain, Invariant, Position, Service};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    causal,
    fold::fold,
    history::{History, Log, LogName},
    time,
};

mod causes;
mod records;

/// What was found in all logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    pub holds: bool,
    pub logs: Vec<LogReport>,
}

/// One log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    pub log: LogName,
    pub records: u64,
    pub streams: u64,
    /// Requests answered with records.
    pub requests: u64,
    /// Records with a cause in another log.
    pub causes: u64,
    pub bytes: u64,
    /// RFC 3339; none in an empty log.
    pub first_time: Option<String>,
    pub last_time: Option<String>,
    /// SHA-256 over the bytes of all records in order, in hexadecimal.
    pub digest: String,
    /// What opening the log had to do.
    pub note: Option<String>,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: FindingKind,
    pub invariant: Invariant,
    /// None where it concerns an entity and not a record.
    pub position: Option<Position>,
    pub detail: String,
    /// What to do.
    pub advice: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    Damaged,
    PositionGap,
    RevisionGap,
    Undecodable,
    UnknownType,
    WrongStream,
    TimeBackwards,
    /// The records of a request are not as many as it made, or not together.
    RequestIncomplete,
    /// A request id stands for two requests.
    RequestReused,
    /// Another service's record was reacted to twice, or out of order.
    ReactionRepeated,
    CauseMissing,
    CauseCircular,
    ReplayPanicked,
    /// The domain says that the replayed state is wrong.
    StateViolation,
}

const RESTORE: &str = "keep this directory for examination and restore the log from its JetStream \
                       stream into an empty one; `baogong audit reconcile` tells where both differ";
const NEWER: &str = "audit it with the version that wrote it";
const SOURCE: &str = "look for the named log's missing end in its JetStream stream: the log may be \
                      an old copy, or not from the same suite";
const REPORT: &str = "compare with the stream first (INV-10); if both are equal it is a fault of \
                      the program: report it with this record";
const ENTITY: &str = "replay the entity's order with `baogong audit replay` to see where it went \
                      wrong";

impl FindingKind {
    const fn invariant(self) -> Invariant {
        match self {
            Self::CauseMissing | Self::CauseCircular => Invariant::CausesExist,
            _ => Invariant::LogContinuous,
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Damaged | Self::PositionGap | Self::RevisionGap | Self::Undecodable => RESTORE,
            Self::UnknownType => NEWER,
            Self::CauseMissing => SOURCE,
            Self::StateViolation => ENTITY,
            Self::WrongStream
            | Self::TimeBackwards
            | Self::RequestIncomplete
            | Self::RequestReused
            | Self::ReactionRepeated
            | Self::CauseCircular
            | Self::ReplayPanicked => REPORT,
        }
    }

    fn at(self, position: Position, detail: impl Into<String>) -> Finding {
        Finding {
            kind: self,
            invariant: self.invariant(),
            position: Some(position),
            detail: detail.into(),
            advice: self.advice(),
        }
    }
}

/// Checks every log.
#[must_use]
pub fn verify(history: &History) -> VerifyReport {
    let circular: HashSet<_> = causal::order(history).circular.into_iter().collect();
    let logs: Vec<LogReport> = history
        .logs
        .iter()
        .map(|(name, log)| {
            let mut report = match name.service {
                Service::Order => one::<Orders>(*name, log),
                Service::Inventory => one::<Stock>(*name, log),
                Service::Logistics => one::<Logistics>(*name, log),
                Service::Notification => one::<Notifications>(*name, log),
            };
            let findings = &mut report.findings;
            report.causes = causes::check(history, *name, log, findings);
            let mut round: Vec<_> = circular
                .iter()
                .filter(|s| LogName::of(s) == *name)
                .collect();
            round.sort_unstable();
            findings.extend(round.into_iter().map(|source| {
                let detail = "it was caused by a record that comes after it";
                FindingKind::CauseCircular.at(source.position, detail)
            }));
            report
        })
        .collect();
    VerifyReport {
        holds: logs.iter().all(|log| log.findings.is_empty()),
        logs,
    }
}

/// What one log tells by itself, with the domain that wrote it.
pub(crate) fn one<D: Domain>(name: LogName, log: &Log) -> LogReport {
    let mut digest = Sha256::new();
    let mut bytes = 0;
    for entry in &log.entries {
        digest.update(&entry.bytes);
        bytes += entry.bytes.len() as u64;
    }
    let mut records = records::Records::<D>::default();
    for entry in &log.entries {
        records.take(entry);
    }
    let (streams, requests, mut findings) = records.finish();
    if let Some(damage) = &log.damage {
        findings.push(FindingKind::Damaged.at(damage.position, damage.what.clone()));
    }
    let folded = fold::<D>(log);
    if let Some(panic) = folded.panic {
        let detail = format!("the replay ends here with a panic: {}", panic.message);
        findings.push(FindingKind::ReplayPanicked.at(panic.position, detail));
    }
    findings.extend(folded.violations.into_iter().map(|violation| Finding {
        kind: FindingKind::StateViolation,
        invariant: violation.invariant,
        position: None,
        detail: format!("{}: {}", violation.entity, violation.detail),
        advice: FindingKind::StateViolation.advice(),
    }));
    let mut times = log.entries.iter().filter_map(|e| e.record.as_ref().ok());
    let first = times.next().map(|raw| raw.recorded);
    let last = times.next_back().map(|raw| raw.recorded).or(first);
    LogReport {
        log: name,
        records: log.entries.len() as u64,
        streams,
        requests,
        causes: 0,
        bytes,
        first_time: first.map(time::rfc3339),
        last_time: last.map(time::rfc3339),
        digest: format!("{:x}", digest.finalize()),
        note: log.note.clone(),
        findings,
    }
}
