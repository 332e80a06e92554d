//! The operator's command: start a suite, rehearse a day, audit the logs, keep
//! keys, witness.

pub mod access;
pub mod client;
pub mod keys;
pub mod memory;
pub mod partner;
pub mod robot;
pub mod sandbox;
pub mod scenario;
pub mod suite;
pub mod token;
pub mod up;
pub mod witness;

use std::path::Path;

use audit::{Source, Streams};

/// Verifies and reconciles a running suite, its streams included; says on the
/// standard error what does not hold.
///
/// # Errors
/// The logs or the streams cannot be read.
pub async fn audit_all(suite: &Path) -> anyhow::Result<bool> {
    let source = Source::suite_file(suite)?;
    let history = audit::load(&source).await?;
    let streams = match source.nats() {
        Some(url) => Some(Streams::read(url, &history).await?),
        None => None,
    };
    let verified = audit::verify(&history);
    let reconciled = audit::reconcile(&history, streams.as_ref());
    for log in &verified.logs {
        for finding in &log.findings {
            eprintln!("{}: {finding:?}", log.log);
        }
    }
    for check in &reconciled.checks {
        for violation in &check.violations {
            eprintln!("{violation}");
        }
    }
    // When a day is over nothing may be under way any more.
    let mut under_way = 0;
    for check in &reconciled.checks {
        for pending in &check.pending {
            eprintln!("{}: {pending}", check.invariant);
            under_way += 1;
        }
    }
    Ok(verified.holds && reconciled.holds && under_way == 0)
}
