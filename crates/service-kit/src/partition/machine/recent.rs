//! What the machine knows of streams and requests: which revision a stream is
//! at, and which request ids were answered.

use std::collections::HashMap;

use decider::{Position, Revision, StreamId};
use sha2::{Digest, Sha256};

/// The first sixteen bytes of the SHA-256 of a request id.
pub(super) type RequestKey = [u8; 16];

pub(super) fn request_key(request_id: &str) -> RequestKey {
    let hash = Sha256::digest(request_id.as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

/// How a request was answered the first time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub digest: [u8; 16],
    pub first: Position,
    pub count: u32,
}

/// All streams and requests, or none of them.
#[derive(Debug, Default)]
pub(super) enum Recent {
    /// Nothing is known and nothing is kept: for reading, not for deciding.
    #[default]
    Nothing,
    All {
        revisions: HashMap<StreamId, Revision>,
        answered: HashMap<RequestKey, Answered>,
    },
}

impl Recent {
    pub fn all() -> Self {
        Self::All {
            revisions: HashMap::new(),
            answered: HashMap::new(),
        }
    }

    pub fn revision(&self, stream: &StreamId) -> Option<Revision> {
        match self {
            Self::Nothing => None,
            Self::All { revisions, .. } => Some(revisions.get(stream).copied().unwrap_or_default()),
        }
    }

    pub fn answered(&self, key: &RequestKey) -> Option<Answered> {
        match self {
            Self::Nothing => None,
            Self::All { answered, .. } => answered.get(key).copied(),
        }
    }

    pub fn use_revision(&mut self, stream: &StreamId, revision: Revision) {
        if let Self::All { revisions, .. } = self {
            revisions.insert(stream.clone(), revision);
        }
    }

    /// Only the first answer counts.
    pub fn answer(&mut self, request_id: &str, first: impl FnOnce() -> Answered) {
        if let Self::All { answered, .. } = self {
            answered
                .entry(request_key(request_id))
                .or_insert_with(first);
        }
    }
}
