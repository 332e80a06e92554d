//! A receipt: some records with the proofs that they are in logs of which the
//! checkpoints are signed and cosigned; one text that its holder checks offline
//! with a policy.
//!
//! It proves that what it shows is in the logs, not that it shows all there is:
//! a record left out on purpose is found by reading the log, not the receipt.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::origin::Origin;
use crate::policy::{Met, NotMet, Policy};
use crate::proofs::{InclusionProof, ProofError};
use crate::receipt_text;

/// One record with its proof: a C2SP tlog-proof, the record's bytes as its
/// extra data.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub record: Vec<u8>,
    /// Place in the log, from zero.
    pub index: u64,
    pub proof: InclusionProof,
    pub checkpoint: Checkpoint,
}

/// Records with their proofs, of one log or several.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Receipt {
    pub entries: Vec<Entry>,
}

/// A record of a receipt that was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub record: Vec<u8>,
    pub index: u64,
    /// The checkpoint that it is proven against.
    pub checkpoint: Met,
}

/// Why a receipt is not accepted. Records are counted from 1.
#[derive(Debug, Error)]
pub enum ReceiptError {
    #[error("this is no receipt; one begins with {:?}", receipt_text::MAGIC)]
    NotAReceipt,
    #[error("the receipt is cut off after line {line}, {}", whose(*record))]
    Truncated { line: usize, record: Option<usize> },
    #[error("line {line} of the receipt, {}: {what}", whose(*record))]
    Malformed {
        line: usize,
        record: Option<usize>,
        what: &'static str,
    },
    #[error("the checkpoint at line {line} of the receipt, of record {record}")]
    Checkpoint {
        line: usize,
        record: usize,
        #[source]
        source: CheckpointError,
    },
    #[error("the receipt has no records")]
    Empty,
    #[error("{} of {of} records fail; the first: {}", failures.len(), failures[0])]
    Refused { failures: Vec<Failure>, of: usize },
}

fn whose(record: Option<usize>) -> String {
    record.map_or("in its head".into(), |record| format!("in record {record}"))
}

/// A record that failed.
#[derive(Debug, Error)]
#[error("record {record} (index {index} of {origin}): {kind}")]
pub struct Failure {
    /// From 1.
    pub record: usize,
    pub origin: Origin,
    pub index: u64,
    pub kind: FailureKind,
}

/// What about the record failed.
#[derive(Debug, Error)]
pub enum FailureKind {
    #[error("{0}")]
    Proof(ProofError),
    #[error("its checkpoint is not accepted: {0}")]
    Policy(NotMet),
}

impl Receipt {
    /// Checks every record against the policy: all are proven, or it says which
    /// are not and why.
    ///
    /// # Errors
    /// There are no records, or some fail.
    pub fn check(&self, policy: &Policy) -> Result<Vec<Proven>, ReceiptError> {
        if self.entries.is_empty() {
            return Err(ReceiptError::Empty);
        }
        // Records of one log mostly share a checkpoint; its signatures are the
        // dear part.
        let mut verdicts: HashMap<String, Result<Met, NotMet>> = HashMap::new();
        let (mut proven, mut failures) = (Vec::new(), Vec::new());
        for (number, entry) in (1..).zip(&self.entries) {
            let verdict = verdicts
                .entry(entry.checkpoint.to_string())
                .or_insert_with(|| policy.evaluate(&entry.checkpoint));
            let checked = match verdict {
                Ok(met) => entry
                    .proof
                    .check(&met.head, entry.index, &entry.record)
                    .map(|()| met)
                    .map_err(FailureKind::Proof),
                Err(why) => Err(FailureKind::Policy(why.clone())),
            };
            match checked {
                Ok(met) => proven.push(Proven {
                    record: entry.record.clone(),
                    index: entry.index,
                    checkpoint: met.clone(),
                }),
                Err(kind) => failures.push(Failure {
                    record: number,
                    origin: entry.checkpoint.origin().clone(),
                    index: entry.index,
                    kind,
                }),
            }
        }
        if failures.is_empty() {
            return Ok(proven);
        }
        let of = self.entries.len();
        Err(ReceiptError::Refused { failures, of })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        receipt_text::write(self, f)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        receipt_text::read(text)
    }
}
