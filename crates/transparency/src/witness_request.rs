//! The body of `add-checkpoint`, which a log sends to a witness: the size that
//! the witness saw last, the proof from there, and the checkpoint.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tlog_tiles::Hash;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::proofs::ConsistencyProof;

/// More would be a proof for more records than there can be.
const PROOF_LINES_MAX: usize = 63;

/// A request to cosign.
#[derive(Debug, Clone, PartialEq)]
pub struct AddCheckpoint {
    /// Records in the tree that the witness saw last; 0 for none.
    pub old_size: u64,
    pub proof: ConsistencyProof,
    pub checkpoint: Checkpoint,
}

/// Why a request does not read. Answered with status 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    #[error("the first line is not `old <size>`")]
    OldSize,
    #[error("line {line} is no hash in base64")]
    Hash { line: usize },
    #[error("the proof has more than {PROOF_LINES_MAX} hashes")]
    ProofTooLong,
    #[error("no empty line between the proof and the checkpoint")]
    NoCheckpoint,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof.0 {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for AddCheckpoint {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(RequestError::NoCheckpoint)?;
        let mut lines = proof.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.ok_or(RequestError::OldSize)?;
        let old_size: u64 = old.parse().map_err(|_| RequestError::OldSize)?;
        if old_size.to_string() != old {
            return Err(RequestError::OldSize);
        }
        let mut hashes = Vec::new();
        for (line, hash) in (2..).zip(lines) {
            if hashes.len() == PROOF_LINES_MAX {
                return Err(RequestError::ProofTooLong);
            }
            let hash = Hash::parse_hash(hash);
            hashes.push(hash.map_err(|_| RequestError::Hash { line })?);
        }
        Ok(Self {
            old_size,
            proof: ConsistencyProof(hashes),
            checkpoint: checkpoint.parse()?,
        })
    }
}
