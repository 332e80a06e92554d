//! Cosignatures: that a cosigner saw a checkpoint, at a time, and that it goes
//! on from all that it saw of the log before (C2SP tlog-cosignature, Ed25519).
//!
//! This makes and reads the signature only; [`crate::Witness`] decides.

use std::fmt;

use signed_note::Signature;

use crate::checkpoint::Checkpoint;
use crate::keys::{KeyError, KeyUse, SecretKey};

/// Seconds since 1970, UTC, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u64);

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

fn message(text: &[u8], time: UnixSeconds) -> Vec<u8> {
    let mut message = format!("cosignature/v1\ntime {}\n", time.0).into_bytes();
    message.extend(text);
    message
}

/// What was signed, and the Ed25519 signature, out of a cosignature's bytes:
/// the time in 8 bytes, then the signature. None for a time past 2^63.
pub(crate) fn cosigned_message<'s>(text: &[u8], bytes: &'s [u8]) -> Option<(Vec<u8>, &'s [u8])> {
    let (time, signature) = bytes.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    i64::try_from(time).ok()?;
    Some((message(text, UnixSeconds(time)), signature))
}

/// The time of a cosignature; to be believed once the signature is.
#[must_use]
pub fn cosigned_time(signature: &Signature) -> Option<UnixSeconds> {
    let (time, _) = signature.signature().split_first_chunk()?;
    Some(UnixSeconds(u64::from_be_bytes(*time)))
}

/// Cosigns a checkpoint without asking whether that is right.
///
/// # Errors
/// The key is no cosigner's.
pub fn cosign(
    key: &SecretKey,
    checkpoint: &Checkpoint,
    time: UnixSeconds,
) -> Result<Signature, KeyError> {
    key.public().clone().for_use(KeyUse::Cosigner)?;
    let mut bytes = time.0.to_be_bytes().to_vec();
    bytes.extend(key.sign(&message(checkpoint.text().as_bytes(), time)));
    Ok(key.signature(bytes))
}
