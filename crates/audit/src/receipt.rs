//! What a receipt says, once every record of it is proven. It needs nothing but
//! the receipt and a policy.

use std::{collections::BTreeMap, fmt::Write as _};

use decider::{Cause, Position, Source};
use proto::record::{self, Raw};
use serde::Serialize;
use transparency::{FailureKind, Met, Policy, ProofError, Proven, Receipt, ReceiptError};

use crate::{
    causal,
    history::{Entry, History, LogName},
    replay::{self, Line},
    table,
    verify::{Cosignature, proofs},
};

/// A receipt that was checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedReceipt {
    pub holds: bool,
    pub checkpoints: Vec<CheckedCheckpoint>,
    /// Causes first.
    pub records: Vec<Line>,
    /// What does not hold; the records are left out then.
    pub failures: Vec<FailedRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedCheckpoint {
    pub log: String,
    pub size: u64,
    pub root: String,
    pub signed_by: String,
    pub cosigned: Vec<Cosignature>,
}

/// A record that is not proven, or is not what a proven record has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedRecord {
    /// Its number in the receipt, from 1.
    pub record: usize,
    /// The log that it is said to be of.
    pub log: String,
    /// From 1.
    pub position: u64,
    pub why: String,
}

/// Checks a receipt.
///
/// # Errors
/// It has no records. Whatever does not hold is in the result.
pub fn check(receipt: &Receipt, policy: &Policy) -> Result<CheckedReceipt, ReceiptError> {
    match receipt.check(policy) {
        Ok(proven) => Ok(proven_ones(&proven)),
        Err(ReceiptError::Refused { failures, .. }) => {
            let failures = failures.into_iter().map(|failure| FailedRecord {
                record: failure.record,
                log: failure.origin.to_string(),
                position: failure.index.saturating_add(1),
                why: why(&failure.kind),
            });
            Ok(failed(failures.collect()))
        }
        Err(error) => Err(error),
    }
}

/// In positions, as everywhere here; proofs count from zero.
fn why(kind: &FailureKind) -> String {
    match kind {
        FailureKind::Proof(ProofError::NotIncluded { head, .. }) => format!(
            "its proof does not lead to the root of its checkpoint ({head}): the record, its place \
             or the proof was altered, or it is of another tree"
        ),
        other => other.to_string(),
    }
}

fn failed(failures: Vec<FailedRecord>) -> CheckedReceipt {
    CheckedReceipt {
        holds: false,
        checkpoints: Vec::new(),
        records: Vec::new(),
        failures,
    }
}

fn proven_ones(proven: &[Proven]) -> CheckedReceipt {
    let mut history = History::default();
    let mut failures = Vec::new();
    let mut heads = BTreeMap::new();
    for (number, one) in (1..).zip(proven) {
        let placed = of_its_log(one).and_then(|placed| {
            not_forked(number, one, &mut heads)?;
            Ok(placed)
        });
        match placed {
            Ok((name, raw)) => {
                let log = history.logs.entry(name).or_default();
                let bytes = one.record.clone().into();
                log.entries.push(Entry::new(raw.position, bytes));
            }
            Err(why) => failures.push(FailedRecord {
                record: number,
                log: one.checkpoint.origin.to_string(),
                position: one.index.saturating_add(1),
                why,
            }),
        }
    }
    if !failures.is_empty() {
        return failed(failures);
    }
    for log in history.logs.values_mut() {
        log.entries.sort_by_key(|entry| entry.position);
        log.entries.dedup_by_key(|entry| entry.position);
    }
    CheckedReceipt {
        holds: true,
        checkpoints: checkpoints(proven),
        records: lines(&history),
        failures,
    }
}

/// That the leaf says of itself what its place in the tree says.
fn of_its_log(proven: &Proven) -> Result<(LogName, Raw), String> {
    let origin = &proven.checkpoint.origin;
    let name = LogName::from_origin(origin)
        .ok_or_else(|| format!("{origin} is a log of none of the four services"))?;
    let raw = record::decode(&proven.record)
        .map_err(|error| format!("it is in the log, but is no record: {error}"))?;
    let place = Position(proven.index.saturating_add(1));
    if raw.position != place {
        return Err(format!(
            "it is in the log at position {place}, but says that it is at {}",
            raw.position
        ));
    }
    Ok((name, raw))
}

/// Two roots of one size: the log's signer and its witnesses show different
/// people different logs.
fn not_forked<'p>(
    number: usize,
    proven: &'p Proven,
    heads: &mut BTreeMap<(String, u64), (usize, &'p Met)>,
) -> Result<(), String> {
    let met = &proven.checkpoint;
    let key = (met.origin.to_string(), met.head.size);
    let (first, before) = *heads.entry(key).or_insert((number, met));
    if before.head == met.head {
        return Ok(());
    }
    Err(format!(
        "its checkpoint contradicts that of record {first}: both are of {} records, with roots {} \
         and {}; keep this receipt as evidence that the log was forked",
        met.head.size, met.head.root, before.head.root
    ))
}

fn checkpoints(proven: &[Proven]) -> Vec<CheckedCheckpoint> {
    let mut of = BTreeMap::<(String, u64), &Met>::new();
    for one in proven {
        let met = &one.checkpoint;
        of.entry((met.origin.to_string(), met.head.size))
            .or_insert(met);
    }
    of.into_iter()
        .map(|((log, size), met)| CheckedCheckpoint {
            log,
            size,
            root: met.head.root.to_string(),
            signed_by: met.signed_by.to_string(),
            cosigned: met
                .cosigned
                .iter()
                .map(|by| Cosignature {
                    witness: by.witness.clone(),
                    time: proofs::at(by.time),
                })
                .collect(),
        })
        .collect()
}

fn lines(history: &History) -> Vec<Line> {
    let mut records: Vec<(Source, Raw)> = history
        .logs
        .iter()
        .flat_map(|(name, log)| log.entries.iter().map(|entry| (*name, entry)))
        .filter_map(|(name, entry)| Some((name.at(entry.position), entry.record().ok()?)))
        .collect();
    let rank = causal::rank(history, records.iter().map(|(at, _)| *at));
    records.sort_by_key(|(at, _)| rank.get(at).copied());
    let mut depths = BTreeMap::<Source, usize>::new();
    records
        .into_iter()
        .map(|(at, raw)| {
            let depth = match &raw.cause {
                Cause::Source(cause) => depths.get(cause).map_or(0, |depth| depth + 1),
                _ => 0,
            };
            depths.insert(at, depth);
            replay::line(at, &raw, "", depth, false)
        })
        .collect()
}

impl CheckedReceipt {
    /// For people.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let mut out = String::new();
        if !self.holds {
            let _ = writeln!(out, "This receipt proves nothing as it is:");
            for failure in &self.failures {
                let _ = writeln!(
                    out,
                    "  record {} ({} at position {}): {}",
                    failure.record, failure.log, failure.position, failure.why
                );
            }
            return out;
        }
        let records = self.records.len();
        let _ = writeln!(
            out,
            "{records} records, all proven against {} checkpoints, times in UTC\n",
            self.checkpoints.len()
        );
        table::with_fields(&mut out, &self.records, width);
        out.push_str(
            "\nA line below └ follows from the record that it names.\n\nProven against:\n",
        );
        for checkpoint in &self.checkpoints {
            let _ = writeln!(
                out,
                "  {}: {} records, root {}",
                checkpoint.log, checkpoint.size, checkpoint.root
            );
            let _ = writeln!(out, "    signed by    {}", checkpoint.signed_by);
            for by in &checkpoint.cosigned {
                let _ = writeln!(out, "    cosigned by  {} at {}", by.witness, by.time);
            }
            if checkpoint.cosigned.is_empty() {
                let _ = writeln!(out, "    cosigned by nobody that the policy knows");
            }
        }
        out
    }
}
