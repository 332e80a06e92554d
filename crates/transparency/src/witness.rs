//! A witness: remembers the largest tree of each log that it knows and cosigns
//! only what goes on from there (C2SP tlog-witness). A log that was rewritten
//! gets no cosignature from it ever again.
//!
//! A state machine without storage. The caller asks [`Witness::consider`],
//! stores what is pending, and only then [`Witness::commit`]s it and lets the
//! cosignature out.

use std::collections::BTreeMap;

use signed_note::Signature;
use thiserror::Error;

use crate::checkpoint::CheckpointError;
use crate::cosign::{UnixSeconds, cosign};
use crate::keys::{KeyError, KeyUse, PublicKey, SecretKey};
use crate::log_keys::LogKeys;
use crate::origin::Origin;
use crate::proofs::ProofError;
use crate::tree::TreeHead;
use crate::witness_request::AddCheckpoint;

/// Why a checkpoint gets no cosignature.
#[derive(Debug, Error)]
pub enum Refusal {
    #[error("{origin} is not a log that this witness watches")]
    UnknownLog { origin: Origin },
    #[error("the checkpoint is not the log's")]
    BadSignature(#[source] CheckpointError),
    #[error("the old size {old} is beyond the checkpoint's {new}")]
    OldBeyondNew { old: u64, new: u64 },
    #[error("the proof starts at {old}, this witness saw {origin} at {seen}; prove from there")]
    Stale { origin: Origin, old: u64, seen: u64 },
    #[error(
        "{origin} was forked: this witness saw {} records with root {}, now with root {}",
        seen.size, seen.root, offered.root
    )]
    Forked {
        origin: Origin,
        seen: TreeHead,
        offered: TreeHead,
    },
    #[error("{origin} does not go on from what this witness saw")]
    Inconsistent {
        origin: Origin,
        #[source]
        source: ProofError,
    },
}

impl Refusal {
    /// Status of the HTTP answer.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self {
            Self::UnknownLog { .. } => 404,
            Self::BadSignature(_) => 403,
            Self::OldBeyondNew { .. } => 400,
            Self::Stale { .. } | Self::Forked { .. } => 409,
            Self::Inconsistent { .. } => 422,
        }
    }

    /// Whether a holder of the log's key may have rewritten it: raise an alert
    /// and keep the request as evidence.
    #[must_use]
    pub fn is_suspicious(&self) -> bool {
        matches!(self, Self::Forked { .. } | Self::Inconsistent { .. })
    }
}

/// A cosignature that is not out yet: store `head` for `origin` first.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "store the head, then commit"]
pub struct Pending {
    origin: Origin,
    before: TreeHead,
    head: TreeHead,
    cosignature: Signature,
}

impl Pending {
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What to store as seen of the log.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.head
    }
}

/// One witness.
#[derive(Debug)]
pub struct Witness {
    key: SecretKey,
    logs: BTreeMap<Origin, LogKeys>,
    seen: BTreeMap<Origin, TreeHead>,
}

impl Witness {
    /// `seen` is what was stored before; heads of logs no longer watched stay
    /// remembered, so that a log taken up again is not trusted anew.
    ///
    /// # Errors
    /// The key is no cosigner's.
    pub fn new(
        key: SecretKey,
        logs: impl IntoIterator<Item = LogKeys>,
        seen: impl IntoIterator<Item = (Origin, TreeHead)>,
    ) -> Result<Self, KeyError> {
        key.public().clone().for_use(KeyUse::Cosigner)?;
        let logs = logs.into_iter().map(|keys| (keys.origin().clone(), keys));
        Ok(Self {
            key,
            logs: logs.collect(),
            seen: seen.into_iter().collect(),
        })
    }

    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.key.public()
    }

    /// The largest tree seen of the log, the empty one of a new log.
    #[must_use]
    pub fn seen(&self, origin: &Origin) -> TreeHead {
        self.seen.get(origin).copied().unwrap_or(TreeHead::EMPTY)
    }

    /// Checks a checkpoint and prepares its cosignature.
    ///
    /// # Errors
    /// Any reason not to cosign.
    pub fn consider(&self, request: &AddCheckpoint, now: UnixSeconds) -> Result<Pending, Refusal> {
        let checkpoint = &request.checkpoint;
        let origin = checkpoint.origin().clone();
        let Some(keys) = self.logs.get(&origin) else {
            return Err(Refusal::UnknownLog { origin });
        };
        let head = checkpoint.verify(keys).map_err(Refusal::BadSignature)?;
        let (old, new) = (request.old_size, head.size);
        if old > new {
            return Err(Refusal::OldBeyondNew { old, new });
        }
        let seen = self.seen(&origin);
        if old != seen.size {
            let seen = seen.size;
            return Err(Refusal::Stale { origin, old, seen });
        }
        if new == seen.size && head != seen {
            let offered = head;
            return Err(Refusal::Forked {
                origin,
                seen,
                offered,
            });
        }
        if let Err(source) = request.proof.check(&seen, &head) {
            return Err(Refusal::Inconsistent { origin, source });
        }
        let cosignature = cosign(&self.key, checkpoint, now);
        Ok(Pending {
            origin,
            before: seen,
            head,
            cosignature: cosignature.expect("the key's use was checked at the start"),
        })
    }

    /// Releases a cosignature of which the head is stored.
    ///
    /// # Errors
    /// Another checkpoint of the log was committed in between.
    pub fn commit(&mut self, pending: Pending) -> Result<Signature, Refusal> {
        let seen = self.seen(&pending.origin);
        if seen != pending.before {
            return Err(Refusal::Stale {
                origin: pending.origin,
                old: pending.before.size,
                seen: seen.size,
            });
        }
        self.seen.insert(pending.origin, pending.head);
        Ok(pending.cosignature)
    }
}
