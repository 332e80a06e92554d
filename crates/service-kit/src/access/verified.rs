//! Tokens whose signature was checked, so that it is checked once and not at
//! each call: it costs more than all the rest of the guard. Kept by the token's
//! digest, never the token itself, and bound to the key set that checked it:
//! with a new set every token is checked again. What changes with time (expiry,
//! revocation) is not kept but looked at at each call.

use std::sync::Arc;

use access::{Caller, KeySet};
use sha2::{Digest, Sha256};

/// Tokens kept; the ones not seen for longest make room.
const TOKENS_MAX: usize = 10_000;

pub(super) type TokenDigest = [u8; 32];

pub(super) struct Verified(quick_cache::sync::Cache<TokenDigest, (Arc<KeySet>, Arc<Caller>)>);

impl Verified {
    pub(super) fn new() -> Self {
        Self(quick_cache::sync::Cache::new(TOKENS_MAX))
    }

    pub(super) fn digest(token: &[u8]) -> TokenDigest {
        Sha256::digest(token).into()
    }

    /// The caller of a token that this very key set has checked.
    pub(super) fn get(&self, digest: &TokenDigest, keys: &Arc<KeySet>) -> Option<Arc<Caller>> {
        let (checked_with, caller) = self.0.get(digest)?;
        Arc::ptr_eq(&checked_with, keys).then_some(caller)
    }

    pub(super) fn put(&self, digest: TokenDigest, keys: Arc<KeySet>, caller: Caller) {
        self.0.insert(digest, (keys, Arc::new(caller)));
    }
}
