//! Webhooks: what `WatchTenders` tells, posted to an address of the firm's, as
//! the Standard Webhooks specification says (standardwebhooks.com). One
//! delivery at a time for each webhook, in the order of the log, each message
//! at least once; a webhook that fails waits and tries again, and holds up
//! nobody else.
//!
//! Which webhooks there are stands in the events; how far each has got, in a
//! file beside the log (`progress`). Secrets stand nowhere (`secret`).

pub mod address;
mod deliver;
mod payload;
pub mod progress;
pub mod secret;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use deliver::Deliverer;

/// `[app.webhooks]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookOptions {
    /// Lets webhooks lead into private networks, to link-local addresses and to
    /// this machine. Whoever may register one then reaches what this service
    /// reaches. Without it, addresses on this machine are taken only where the
    /// service itself listens on this machine alone.
    pub allow_private: bool,
    /// A PEM file of authorities whose certificates are taken beside those that
    /// the machine trusts: for firms with an authority of their own. Empty: none.
    pub ca_file: PathBuf,
    /// How long an address may take to answer.
    pub timeout_ms: u64,
    /// The pause after the first try that failed; each further one is twice as
    /// long, and a fifth longer or shorter by chance.
    pub retry_first_ms: u64,
    /// The longest pause.
    pub retry_longest_ms: u64,
    /// A webhook to which nothing could be delivered for so long is disabled.
    pub disable_after_secs: u64,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            allow_private: false,
            ca_file: PathBuf::new(),
            timeout_ms: 10_000,
            retry_first_ms: 5_000,
            retry_longest_ms: 30 * 60 * 1000,
            disable_after_secs: 5 * 24 * 3600,
        }
    }
}

impl WebhookOptions {
    /// The pause after so many tries that failed, before chance.
    fn pause(&self, tries: u32) -> Duration {
        let doubled = 1_u64
            .checked_shl(tries.saturating_sub(1))
            .unwrap_or(u64::MAX);
        let pause = self.retry_first_ms.saturating_mul(doubled);
        Duration::from_millis(pause.clamp(1, self.retry_longest_ms.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let options = WebhookOptions::default();
        let seconds = |tries| options.pause(tries).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [5, 10, 20, 40]);
        assert_eq!([20, 64, 1_000, u32::MAX].map(seconds), [1_800; 4]);
    }
}
