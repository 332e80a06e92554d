//! What an auditor requires of a checkpoint: signed by a known log, cosigned by
//! enough of the known witnesses. Read from a text by [`Policy`]'s `FromStr`.
//!
//! A signature by a known key that does not verify refuses the whole
//! checkpoint, as signed notes advise; one by an unknown key counts for nothing.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosign::{UnixSeconds, cosigned_time};
use crate::keys::{KeyLabel, PublicKey};
use crate::log_keys::LogKeys;
use crate::origin::Origin;
use crate::tree::TreeHead;

/// Logs, witnesses and the quorum of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(crate) logs: BTreeMap<Origin, LogKeys>,
    pub(crate) log_urls: BTreeMap<Origin, String>,
    /// Witnesses and groups as they are defined, members before groups.
    pub(crate) parties: Vec<Party>,
    /// Index of the party that must agree; none for `quorum none`.
    pub(crate) quorum: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Party {
    pub name: String,
    pub kind: PartyKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartyKind {
    Witness {
        key: Box<PublicKey>,
        url: Option<String>,
        revoked: bool,
    },
    Group {
        needed: usize,
        members: Vec<usize>,
    },
}

/// A checkpoint that a policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    pub origin: Origin,
    pub head: TreeHead,
    /// The log's key.
    pub signed_by: KeyLabel,
    pub cosigned: Vec<Cosigned>,
}

/// A witness that counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Its name in the policy.
    pub witness: String,
    pub time: UnixSeconds,
}

/// Why a policy does not accept a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotMet {
    #[error("the policy knows no log {0}")]
    UnknownLog(Origin),
    #[error(transparent)]
    Log(#[from] CheckpointError),
    #[error("the cosignature of {witness} ({key}) is forged, or the checkpoint was altered")]
    ForgedCosignature { witness: String, key: KeyLabel },
    #[error(
        "the quorum {quorum} is not met: cosigned by [{}], not by [{}]{}",
        have.join(", "), lacking.join(", "),
        if revoked.is_empty() { String::new() } else { format!("; revoked: {}", revoked.join(", ")) }
    )]
    Quorum {
        quorum: String,
        have: Vec<String>,
        lacking: Vec<String>,
        /// Cosigned too, but does not count.
        revoked: Vec<String>,
    },
}

impl Policy {
    /// Keys of a log that the policy knows.
    #[must_use]
    pub fn log(&self, origin: &Origin) -> Option<&LogKeys> {
        self.logs.get(origin)
    }

    pub fn logs(&self) -> impl Iterator<Item = &LogKeys> {
        self.logs.values()
    }

    /// Names and keys of the witnesses that are not revoked.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.parties.iter().filter_map(|party| match &party.kind {
            PartyKind::Witness { key, revoked, .. } if !revoked => Some((&party.name[..], &**key)),
            _ => None,
        })
    }

    /// Names, keys and URLs of the witnesses that can be asked: not revoked,
    /// and with a URL, below which `add-checkpoint` is (C2SP tlog-witness).
    pub fn witness_urls(&self) -> impl Iterator<Item = (&str, &PublicKey, &str)> {
        self.parties.iter().filter_map(|party| match &party.kind {
            PartyKind::Witness {
                key,
                url: Some(url),
                revoked: false,
            } => Some((&party.name[..], &**key, &url[..])),
            _ => None,
        })
    }

    /// Below which a log's checkpoint and tiles are (C2SP tlog-tiles), where
    /// the policy says so; of several keys of a log the last one's.
    #[must_use]
    pub fn log_url(&self, origin: &Origin) -> Option<&str> {
        self.log_urls.get(origin).map(String::as_str)
    }

    /// # Errors
    /// The policy does not accept the checkpoint.
    pub fn evaluate(&self, checkpoint: &Checkpoint) -> Result<Met, NotMet> {
        let origin = checkpoint.origin().clone();
        let Some(keys) = self.logs.get(&origin) else {
            return Err(NotMet::UnknownLog(origin));
        };
        let signed_by = checkpoint.signer(keys)?;

        let (mut cosigned, mut lacking, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let mut agree = vec![false; self.parties.len()];
        for (party, agrees) in self.parties.iter().zip(&mut agree) {
            let PartyKind::Witness { key, revoked, .. } = &party.kind else {
                continue;
            };
            let witness = party.name.clone();
            let mut by_it = checkpoint.signatures().iter();
            let Some(signature) = by_it.find(|signature| key.is_named_by(signature)) else {
                lacking.push(witness);
                continue;
            };
            if *revoked {
                refused.push(witness);
                continue;
            }
            let time = cosigned_time(signature)
                .filter(|_| key.signed(checkpoint.text().as_bytes(), signature));
            let Some(time) = time else {
                let key = key.label().clone();
                return Err(NotMet::ForgedCosignature { witness, key });
            };
            *agrees = true;
            cosigned.push(Cosigned { witness, time });
        }
        if !self.quorum_met(agree) {
            return Err(NotMet::Quorum {
                quorum: self.quorum_name().into(),
                have: cosigned.into_iter().map(|by| by.witness).collect(),
                lacking,
                revoked: refused,
            });
        }
        Ok(Met {
            origin,
            head: checkpoint.claimed_head(),
            signed_by,
            cosigned,
        })
    }

    pub(crate) fn quorum_name(&self) -> &str {
        self.quorum
            .map_or("none", |party| &self.parties[party].name)
    }

    /// Whether the quorum agrees, given the witnesses that do.
    pub(crate) fn quorum_met(&self, mut agree: Vec<bool>) -> bool {
        // Members come before their groups, so one pass decides all.
        for (at, party) in self.parties.iter().enumerate() {
            if let PartyKind::Group { needed, members } = &party.kind {
                let agreeing = members.iter().filter(|member| agree[**member]).count();
                agree[at] = agreeing >= *needed;
            }
        }
        self.quorum.is_none_or(|party| agree[party])
    }
}
