//! What is said of one log's checkpoints and proofs, for people and machines.

use serde::Serialize;

use crate::digest::StateComparison;

/// What was found of one log's proofs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProofReport {
    /// None where there is no checkpoint.
    pub checkpoint: Option<CheckpointReport>,
    /// Why there is none.
    pub without: Option<String>,
    /// None where nothing was kept of the log.
    pub since: Option<SinceReport>,
    pub state: StateComparison,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointReport {
    pub size: u64,
    /// As signed, in base64.
    pub root: String,
    /// Whether the records make this root.
    pub recomputed: bool,
    pub signatures: Signatures,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Signatures {
    /// No policy was given.
    NotChecked,
    Accepted {
        signed_by: String,
        cosigned: Vec<Cosignature>,
    },
    Refused {
        why: String,
    },
}

/// A witness that counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cosignature {
    pub witness: String,
    /// RFC 3339.
    pub time: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinceReport {
    pub size: u64,
    pub root: String,
    pub extended: bool,
    /// What to know of the earlier checkpoint, for example that its key was
    /// revoked since.
    pub note: Option<String>,
}
