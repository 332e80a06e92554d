//! A bundle: everything that another machine needs to verify the logs, as plain
//! files.
//!
//! ```text
//! README.md                        how to verify it, with this program or others
//! SHA256SUMS                       of every other file; `sha256sum -c` reads it
//! manifest.json                    format, logs, number of records
//! descriptors.binpb                the protobuf descriptors of all events
//! policy                           the operator's keys and witnesses, where known
//! checkpoints/<log>.checkpoint     signed notes (C2SP tlog-checkpoint)
//! records/<log>.entries            each record after its length, 2 bytes,
//!                                  big-endian (C2SP tlog-tiles entry bundles)
//! ```
//!
//! Hash tiles are not in it: whoever has the records makes them. SHA256SUMS
//! tells a harmed copy from a whole one; what the records are worth, the
//! checkpoints and a policy of one's own tell.

mod read;
mod write;

use std::path::Path;

use decider::Position;
use serde::{Deserialize, Serialize};

pub(crate) use read::{checkpoints, history};
pub(crate) use write::policy_text;
pub use write::{Exported, export};

use crate::{
    error::AuditError,
    history::{Damage, LogName},
};

const FORMAT: &str = "baogong-bundle/v1";
const SUMS: &str = "SHA256SUMS";
const MANIFEST: &str = "manifest.json";
const README: &str = "README.md";
const DESCRIPTORS: &str = "descriptors.binpb";
const POLICY: &str = "policy";
const CHECKPOINTS: &str = "checkpoints";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: String,
    /// Version of the program that wrote it.
    program: String,
    logs: Vec<ManifestLog>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ManifestLog {
    /// For example `order-0`.
    log: String,
    /// Its name in checkpoints and keys.
    origin: String,
    records: u64,
    /// Where the log stopped being readable when the bundle was written.
    damage: Option<ManifestDamage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ManifestDamage {
    position: u64,
    what: String,
}

impl From<&Damage> for ManifestDamage {
    fn from(damage: &Damage) -> Self {
        Self {
            position: damage.position.0,
            what: damage.what.clone(),
        }
    }
}

impl From<ManifestDamage> for Damage {
    fn from(damage: ManifestDamage) -> Self {
        Self {
            position: Position(damage.position),
            what: damage.what,
        }
    }
}

fn records_file(log: LogName) -> String {
    format!("records/{log}.entries")
}

fn refused(directory: &Path, file: &str, why: impl Into<String>) -> AuditError {
    AuditError::Bundle {
        path: directory.join(file),
        why: why.into(),
    }
}
