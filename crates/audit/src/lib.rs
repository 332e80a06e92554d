//! Reads the event logs of the four services and says what they prove: the
//! life of one delivery ([`replay`]), whether each log is whole ([`verify`]),
//! and whether the invariants hold across the services ([`reconcile`]).
//!
//! It reads, and changes nothing: not a log, not a stream, not a service. What
//! it knows of the rules are the domains' pure functions; everything that can
//! be checked from the events alone is checked from the events alone, so that
//! a fault in a domain's state does not vouch for itself.
//!
//! With checkpoints it proves: that a log is the one that was signed and goes on
//! from what was seen last time, and, in a receipt, that a delivery's records are
//! in it ([`prove`]).
//!
//! [`run`] is the whole of `baogong audit`; the functions behind it are for
//! callers that want the findings as values.

mod bundle;
mod causal;
mod check;
mod cli;
mod digest;
mod entity;
pub mod epcis;
mod error;
mod event_json;
mod facts;
mod fold;
mod history;
mod load;
mod notes;
mod print;
mod progress;
mod prove;
mod published;
mod receipt;
mod reconcile;
mod remote;
mod replay;
mod run;
pub mod scan;
mod source;
mod state;
mod streams;
mod table;
mod time;
mod timeline;
mod units;
mod verify;

pub use bundle::{Exported, export};
pub use cli::{
    AuditCommand, CheckArgs, CheckpointArgs, ExportArgs, ProveArgs, ReconcileArgs, ReplayArgs,
    ScanArgs, SourceArgs, StateArgs, TimelineArgs, Verdict, VerifyArgs,
};
pub use digest::{StateComparison, StateDigests, ThisVersion};
pub use entity::{folds_alone, state_of};
pub use epcis::command::EpcisArgs;
pub use error::AuditError;
pub use event_json::Part;
pub use history::{Damage, Entry, History, Log, LogName};
pub use load::{load, load_with};
pub use progress::Progress;
pub use prove::prove;
pub use receipt::{CheckedCheckpoint, CheckedReceipt, FailedRecord, check as check_receipt};
pub use reconcile::{CHECKED, Check, ReconcileReport, Status, reconcile};
pub use remote::Published;
pub use replay::{Because, Line, Outcome, Replay, replay};
pub use run::run;
pub use source::Source;
pub use state::{EntityState, Moment, state};
pub use streams::{StreamCopy, Streams};
pub use timeline::{Timeline, Wanted, timeline};
pub use verify::{
    CheckpointReport, Cosignature, Evidence, Finding, FindingKind, LogReport, ProofReport,
    Signatures, SinceReport, VerifyReport, verify, verify_proofs,
};
