//! Signs a log's checkpoints, and refuses to contradict itself: a smaller tree,
//! another tree of the same size, or one that does not go on from the last.
//!
//! The caller stores each checkpoint before letting it out, and starts again
//! with the last one that it stored.

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::keys::{KeyError, SecretKey};
use crate::log_keys::{LogKeys, Validity};
use crate::origin::Origin;
use crate::proofs::{ConsistencyProof, ProofError};
use crate::tree::TreeHead;

/// Why nothing was signed.
#[derive(Debug, Error)]
pub enum SignError {
    #[error("this key cannot sign for the log")]
    Key(#[from] KeyError),
    #[error("the last checkpoint cannot be gone on from")]
    Last(#[from] CheckpointError),
    #[error(
        "the tree has {asked} records, a checkpoint of {signed} is signed: \
         records were lost; restore them before signing again"
    )]
    Smaller { signed: u64, asked: u64 },
    #[error(
        "the tree of {} records has root {}, a checkpoint with {} is signed: \
         the log was rewritten",
        asked.size, asked.root, signed.root
    )]
    OtherRoot { signed: TreeHead, asked: TreeHead },
    #[error("the tree does not go on from the signed checkpoint")]
    Inconsistent(#[source] ProofError),
}

/// The signer of one log.
#[derive(Debug)]
pub struct CheckpointSigner {
    origin: Origin,
    key: SecretKey,
    last: Option<TreeHead>,
}

impl CheckpointSigner {
    /// `last` is the last checkpoint that was signed for the log, with the keys
    /// of then; none for a log that never had one.
    ///
    /// # Errors
    /// The key is of another name or use, or `last` is of another log or forged.
    pub fn new(
        origin: Origin,
        key: SecretKey,
        last: Option<(&Checkpoint, &LogKeys)>,
    ) -> Result<Self, SignError> {
        // The same check as for a key that others give us.
        LogKeys::new(origin.clone()).set(key.public().clone(), Validity::ALWAYS)?;
        let last = match last {
            Some((_, keys)) if *keys.origin() != origin => {
                let found = keys.origin().clone();
                let expected = origin;
                return Err(CheckpointError::OtherLog { expected, found }.into());
            }
            Some((checkpoint, keys)) => Some(checkpoint.verify(keys)?),
            None => None,
        };
        Ok(Self { origin, key, last })
    }

    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The last head signed; proofs for [`CheckpointSigner::sign`] start there.
    #[must_use]
    pub fn last(&self) -> Option<TreeHead> {
        self.last
    }

    /// Signs the head, given the proof that it goes on from the last one (empty
    /// for the first, and for the same again).
    ///
    /// # Errors
    /// The head contradicts the last one, or the proof does not hold.
    pub fn sign(
        &mut self,
        head: TreeHead,
        extensions: &[String],
        proof: &ConsistencyProof,
    ) -> Result<Checkpoint, SignError> {
        if let Some(signed) = self.last {
            let asked = head;
            if asked.size < signed.size {
                return Err(SignError::Smaller {
                    signed: signed.size,
                    asked: asked.size,
                });
            }
            if asked.size == signed.size && asked != signed {
                return Err(SignError::OtherRoot { signed, asked });
            }
            proof
                .check(&signed, &asked)
                .map_err(SignError::Inconsistent)?;
        }
        let mut checkpoint = Checkpoint::unsigned(self.origin.clone(), head, extensions)?;
        let bytes = self.key.sign(checkpoint.text().as_bytes());
        checkpoint.add(self.key.signature(bytes.to_vec()));
        self.last = Some(head);
        Ok(checkpoint)
    }

    /// Goes on with another key. Verifiers learn of it by their policy.
    ///
    /// # Errors
    /// The key is of another name or use.
    pub fn rotate(&mut self, key: SecretKey) -> Result<(), SignError> {
        LogKeys::new(self.origin.clone()).set(key.public().clone(), Validity::ALWAYS)?;
        self.key = key;
        Ok(())
    }
}
