//! A checkpoint: a log's name, size and root, signed (C2SP tlog-checkpoint).
//!
//! Reading one says nothing about who signed it; only [`Checkpoint::verify`]
//! gives a head to rely on.

use std::fmt;
use std::str::FromStr;

use signed_note::{Note, Signature};
use thiserror::Error;

use crate::keys::KeyLabel;
use crate::log_keys::{LogKeys, Validity};
use crate::origin::{Origin, OriginError};
use crate::tree::TreeHead;

/// Why a checkpoint is not relied on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    #[error("a checkpoint of no log of ours")]
    Origin(#[from] OriginError),
    #[error("a checkpoint of another log: {found}, not {expected}")]
    OtherLog { expected: Origin, found: Origin },
    #[error("no key of {origin} that is known here signed the checkpoint")]
    UnknownSigner { origin: Origin },
    #[error("the checkpoint's signature by {key} is forged, or its text was altered")]
    Forged { key: KeyLabel },
    #[error("the checkpoint is signed by {key}, which is revoked")]
    Revoked { key: KeyLabel },
    #[error("the checkpoint of {size} records is signed by {key}, valid for {from} to {until:?}")]
    OutOfValidity {
        key: KeyLabel,
        size: u64,
        from: u64,
        until: Option<u64>,
    },
}

/// A checkpoint as read: nothing of it is verified yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    origin: Origin,
    head: TreeHead,
    /// What is signed, with its last newline.
    text: String,
    signatures: Vec<Signature>,
}

impl Checkpoint {
    /// A checkpoint without signatures. Extension lines are part of what is
    /// signed; a cosigner says nothing about them.
    ///
    /// # Errors
    /// An extension line is empty or has control characters.
    pub fn unsigned(
        origin: Origin,
        head: TreeHead,
        extensions: &[String],
    ) -> Result<Self, CheckpointError> {
        let wrong = |line: &String| line.is_empty() || line.contains(char::is_control);
        if extensions.iter().any(wrong) {
            return Err(CheckpointError::Malformed("an extension line is not plain"));
        }
        let mut text = format!("{origin}\n{}\n{}\n", head.size, head.root);
        for line in extensions {
            text.push_str(line);
            text.push('\n');
        }
        Ok(Self {
            origin,
            head,
            text,
            signatures: Vec::new(),
        })
    }

    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Size and root as the text claims them; see [`Checkpoint::verify`].
    #[must_use]
    pub fn claimed_head(&self) -> TreeHead {
        self.head
    }

    /// Lines after the root.
    pub fn extensions(&self) -> impl Iterator<Item = &str> {
        self.text.lines().skip(3)
    }

    /// What is signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature, in place of an earlier one by the same key.
    pub fn add(&mut self, signature: Signature) {
        let label = KeyLabel::of(&signature);
        self.signatures.retain(|old| KeyLabel::of(old) != label);
        self.signatures.push(signature);
    }

    /// Checks the signatures by the log's keys; those of others are left aside.
    ///
    /// # Errors
    /// It is of another log, or not signed by a key that counts for its size.
    pub fn verify(&self, keys: &LogKeys) -> Result<TreeHead, CheckpointError> {
        self.signer(keys).map(|_| self.head)
    }

    /// As [`Checkpoint::verify`], and says which key signed.
    pub(crate) fn signer(&self, keys: &LogKeys) -> Result<KeyLabel, CheckpointError> {
        let origin = self.origin.clone();
        if origin != *keys.origin() {
            return Err(CheckpointError::OtherLog {
                expected: keys.origin().clone(),
                found: origin,
            });
        }
        let size = self.head.size;
        let mut signer = Err(CheckpointError::UnknownSigner { origin });
        for signature in &self.signatures {
            let known = keys.keys().find(|(key, _)| key.is_named_by(signature));
            let Some((key, validity)) = known else {
                continue;
            };
            let label = key.label().clone();
            if !key.signed(self.text.as_bytes(), signature) {
                return Err(CheckpointError::Forged { key: label });
            }
            match validity {
                _ if signer.is_ok() => {}
                _ if validity.covers(size) => signer = Ok(label),
                Validity::Revoked => signer = Err(CheckpointError::Revoked { key: label }),
                Validity::Sizes { from, until } => {
                    let key = label;
                    signer = Err(CheckpointError::OutOfValidity {
                        key,
                        size,
                        from,
                        until,
                    });
                }
            }
        }
        signer
    }
}

impl fmt::Display for Checkpoint {
    /// The signed note.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            f.write_str(&String::from_utf8_lossy(&signature.to_bytes()))?;
        }
        Ok(())
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(note: &str) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        // The crate checks the note as a whole, but does not list signatures.
        Note::from_bytes(note.as_bytes())
            .map_err(|_| malformed("it is no text with signature lines after an empty line"))?;
        let (text, lines) = note
            .rsplit_once("\n\n")
            .ok_or(malformed("no empty line before the signatures"))?;
        let text = format!("{text}\n");
        let signatures: Result<_, _> = lines
            .lines()
            .map(|line| Signature::from_bytes(line.as_bytes()))
            .collect();
        let signatures = signatures.map_err(|_| malformed("a signature line does not read"))?;
        let head = tlog_tiles::Checkpoint::from_bytes(text.as_bytes())
            .map_err(|_| malformed("its first lines are not name, size and root"))?;
        let checkpoint = Self {
            origin: head.origin().parse()?,
            head: TreeHead {
                size: head.size(),
                root: *head.hash(),
            },
            text,
            signatures,
        };
        if head.to_bytes() != checkpoint.text.as_bytes() || checkpoint.to_string() != note {
            return Err(malformed("it is not written in the one right way"));
        }
        Ok(checkpoint)
    }
}
