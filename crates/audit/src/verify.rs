//! Whether each log is whole: nothing missing, nothing doubled, nothing that
//! cannot be read or replayed, no cause that is not there.

use std::collections::{BTreeMap, HashSet};

use decider::{Domain, Invariant, Position, Service};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    causal,
    digest::StateDigests,
    fold::fold,
    history::{History, Log, LogName},
    print, time,
    units::Standing,
};

mod causes;
mod proof_report;
pub(crate) mod proofs;
mod records;

pub use proof_report::{CheckpointReport, Cosignature, ProofReport, Signatures, SinceReport};
pub use proofs::Evidence;

/// What was found in all logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    pub holds: bool,
    /// Logs that were seen last time, or that a policy names, and are not here.
    pub missing: Vec<LogName>,
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
    /// Commands whose end was lost and that were declared void.
    pub voided: u64,
    /// What opening the log had to do.
    pub note: Option<String>,
    /// None where only the records themselves were asked about.
    pub proof: Option<ProofReport>,
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
    /// The log ends within a command's records.
    UnitOpen,
    /// A command's records do not all follow, and nothing says that it is void.
    UnitBroken,
    /// A request id stands for two requests.
    RequestReused,
    /// Another service's record was reacted to twice, or out of order.
    ReactionRepeated,
    CauseMissing,
    CauseCircular,
    ReplayPanicked,
    /// The domain says that the replayed state is wrong.
    StateViolation,
    /// A policy is to accept a checkpoint and there is none.
    NoCheckpoint,
    /// It does not read, is of another log, or is not signed as the policy asks.
    CheckpointRefused,
    /// Fewer records than the checkpoint covers.
    RecordsMissing,
    /// The records do not make the root that was signed.
    RootDiffers,
    /// Fewer records, or a smaller checkpoint, than the auditor saw before.
    Shrunk,
    /// What the auditor saw before is not the beginning of the log.
    Rewritten,
    /// The service does not prove that it goes on from there.
    NotProven,
    /// The replayed state is not the one that was signed.
    StateDiffers,
}

const RESTORE: &str = "keep this directory for examination and restore the log from its JetStream \
                       stream into an empty one; `baogong audit reconcile` tells where both differ";
const NEWER: &str = "audit it with the version that wrote it";
const TAIL: &str = "start the service on this log: it completes the command from its JetStream \
                    stream, or declares it void; while it is running, audit again in a moment";
const SOURCE: &str = "look for the named log's missing end in its JetStream stream: the log may be \
                      an old copy, or not from the same suite";
const REPORT: &str = "compare with the stream first (INV-10); if both are equal it is a fault of \
                      the program: report it with this record";
const NOTARY: &str = "ask the operator for the newest checkpoint, or wait until the log's notary has \
                      signed one";
const KEYS: &str = "rely on nothing that this checkpoint covers; compare the policy's keys with \
                    those that were made known, and ask the named signer";
const EVIDENCE: &str = "keep both checkpoints and these records as evidence: the log's signer \
                        vouched for something else; the stream and the witnesses tell which";
const STATE: &str = "keep the checkpoint: the service had another state than its records make; \
                     restart it from its log, and report the fault";
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
            Self::UnitBroken => RESTORE,
            Self::UnitOpen => TAIL,
            Self::UnknownType => NEWER,
            Self::CauseMissing => SOURCE,
            Self::StateViolation => ENTITY,
            Self::NoCheckpoint => NOTARY,
            Self::CheckpointRefused => KEYS,
            Self::RecordsMissing
            | Self::RootDiffers
            | Self::Shrunk
            | Self::Rewritten
            | Self::NotProven => EVIDENCE,
            Self::StateDiffers => STATE,
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

impl VerifyReport {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        print::verify(self)
    }
}

/// Checks every log.
#[must_use]
pub fn verify(history: &History) -> VerifyReport {
    let circular: HashSet<_> = causal::circular(history).into_iter().collect();
    let logs: Vec<LogReport> = history
        .logs
        .iter()
        .map(|(name, log)| {
            let standing = Standing::of(log);
            let mut report = match name.service {
                Service::Order => one::<Orders>(*name, log, &standing),
                Service::Inventory => one::<Stock>(*name, log, &standing),
                Service::Logistics => one::<Logistics>(*name, log, &standing),
                Service::Notification => one::<Notifications>(*name, log, &standing),
            };
            let findings = &mut report.findings;
            report.causes = causes::check(history, *name, log, &standing, findings);
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
        missing: Vec::new(),
        holds: logs.iter().all(|log| log.findings.is_empty()),
        logs,
    }
}

/// Adds to a report what checkpoints and proofs say of the logs.
pub fn verify_proofs(
    report: &mut VerifyReport,
    history: &History,
    evidence: &BTreeMap<LogName, Evidence>,
    digests: &dyn StateDigests,
) {
    for log in &mut report.logs {
        let (Some(records), Some(evidence)) = (history.logs.get(&log.log), evidence.get(&log.log))
        else {
            continue;
        };
        let proof = proofs::judge(log.log, records, evidence, digests, &mut log.findings);
        log.proof = Some(proof);
    }
    report.holds = report.missing.is_empty() && report.logs.iter().all(|l| l.findings.is_empty());
}

/// What one log tells by itself, with the domain that wrote it.
pub(crate) fn one<D: Domain>(name: LogName, log: &Log, standing: &Standing) -> LogReport {
    let mut digest = Sha256::new();
    let mut bytes = 0;
    for entry in &log.entries {
        digest.update(&entry.bytes);
        bytes += entry.bytes.len() as u64;
    }
    let mut records = records::Records::<D>::new(standing);
    for entry in &log.entries {
        records.take(entry);
    }
    let (streams, requests, mut findings) = records.finish();
    if let Some(damage) = &log.damage {
        findings.push(FindingKind::Damaged.at(damage.position, damage.what.clone()));
    }
    units(standing, &mut findings);
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
    let mut times = log.entries.iter().filter_map(|e| e.record().ok());
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
        voided: standing.voided,
        note: log.note.clone(),
        proof: None,
        findings,
    }
}

fn units(standing: &Standing, findings: &mut Vec<Finding>) {
    for (position, why) in &standing.broken {
        findings.push(FindingKind::UnitBroken.at(*position, why.clone()));
    }
    if let Some((position, missing)) = standing.open {
        let detail = format!(
            "the log ends within the command that begins here: {missing} more of its records were \
             to follow"
        );
        findings.push(FindingKind::UnitOpen.at(position, detail));
    }
}
