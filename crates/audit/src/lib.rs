//! Reads the event logs of the four services and says what they prove: the
//! life of one delivery ([`replay`]), whether each log is whole ([`verify`]),
//! and whether the invariants hold across the services ([`reconcile`]).
//!
//! It reads, and changes nothing: not a log, not a stream, not a service. What
//! it knows of the rules are the domains' pure functions; everything that can
//! be checked from the events alone is checked from the events alone, so that
//! a fault in a domain's state does not vouch for itself.
//!
//! [`run`] is the whole of `baogong audit`; the functions behind it are for
//! callers that want the findings as values.

mod causal;
mod check;
mod cli;
mod error;
mod event_json;
mod facts;
mod fold;
mod history;
mod load;
mod print;
mod progress;
mod reconcile;
mod replay;
pub mod scan;
mod source;
mod streams;
mod table;
mod time;
mod verify;

pub use cli::{AuditCommand, ReconcileArgs, ReplayArgs, SourceArgs, Verdict, VerifyArgs, run};
pub use error::AuditError;
pub use event_json::Part;
pub use history::{Damage, Entry, History, Log, LogName};
pub use load::{load, load_with};
pub use progress::Progress;
pub use reconcile::{CHECKED, Check, ReconcileReport, Status, reconcile};
pub use replay::{Because, Line, Outcome, Replay, replay};
pub use source::Source;
pub use streams::{StreamCopy, Streams};
pub use verify::{Finding, FindingKind, LogReport, VerifyReport, verify};
