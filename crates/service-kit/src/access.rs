//! Who may call: one layer in front of every method of every service. It
//! checks the caller's token, his role against the method's rule and what his
//! request names against what is his (crate `access`), and puts the
//! [`access::Caller`] into the request's extensions.
//!
//! In the mode `open` nobody is asked for a token, and callers are believed
//! what they say of themselves; that is for loopback addresses only. A method
//! without a rule is refused in either mode.

mod body;
mod discovery;
mod guard;
mod keys;
mod layer;
mod options;
pub mod secret;
mod verified;
mod watched;

pub use guard::{AccessError, Guard};
pub use layer::{GuardLayer, Guarded};
pub use options::{AccessMode, AccessOptions};

use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock in seconds since 1970. A test clock of a service is the
/// households' time, never that of keys and tokens.
#[must_use]
pub fn now_secs() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
