//! What the machine knows of streams and requests: which revision a stream is
//! at, and which request ids were answered. With a stream index only what is
//! newer than the index is kept in memory, and a little of what is older.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use decider::{Position, Revision, StreamId};
use sha2::{Digest, Sha256};
use stream_index::{Answered, IndexError, RequestKey, StreamIndex};

/// After so many records the older half of what is kept is dropped, if the
/// index has it.
pub const GENERATION_RECORDS: usize = 16 * 1024;

/// The first sixteen bytes of the SHA-256 of a request id.
pub(in crate::partition) fn request_key(request_id: &str) -> RequestKey {
    let hash = Sha256::digest(request_id.as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

#[derive(Debug, Default)]
pub(super) enum Recent {
    /// Nothing is known and nothing is kept: for reading, not for deciding.
    #[default]
    Nothing,
    /// Everything since the first record.
    All(Generation),
    Indexed(Box<Indexed>),
}

/// Revisions and answers of a stretch of the log.
#[derive(Debug, Default)]
pub(super) struct Generation {
    revisions: HashMap<StreamId, Revision>,
    answered: HashMap<RequestKey, Answered>,
    records: usize,
    last: Position,
}

/// What the index does not have yet, in front of the index.
#[derive(Debug)]
pub(super) struct Indexed {
    index: Arc<StreamIndex>,
    /// The index had this when it was taken: such records need not be kept.
    had: Position,
    generation_records: usize,
    young: Generation,
    old: Generation,
    /// The first thing that went wrong. From then on nothing here is right.
    failure: OnceLock<IndexError>,
}

impl Generation {
    fn use_revision(&mut self, stream: &StreamId, revision: Revision, position: Position) {
        match self.revisions.get_mut(stream) {
            Some(known) => *known = revision,
            None => {
                self.revisions.insert(stream.clone(), revision);
            }
        }
        self.records += 1;
        self.last = position;
    }
}

impl Indexed {
    fn ask<T: Default>(&self, answer: Result<T, IndexError>) -> T {
        answer.unwrap_or_else(|error| {
            // Only the first is told.
            let _ = self.failure.set(error);
            T::default()
        })
    }

    fn grow_old(&mut self) {
        if self.young.records >= self.generation_records && self.old.last <= self.index.position() {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

impl Recent {
    pub fn all() -> Self {
        Self::All(Generation::default())
    }

    pub fn indexed(index: Arc<StreamIndex>, generation_records: usize) -> Self {
        Self::Indexed(Box::new(Indexed {
            had: index.position(),
            index,
            generation_records,
            young: Generation::default(),
            old: Generation::default(),
            failure: OnceLock::new(),
        }))
    }

    /// What the index could not answer. What was decided since is not to be
    /// trusted.
    pub fn failure(&self) -> Option<&IndexError> {
        match self {
            Self::Indexed(indexed) => indexed.failure.get(),
            _ => None,
        }
    }

    /// Whether somebody else has taken note of the record, and checked it.
    pub fn is_noted(&self, position: Position) -> bool {
        match self {
            Self::Nothing => true,
            Self::All(_) => false,
            Self::Indexed(indexed) => position <= indexed.had,
        }
    }

    pub fn revision(&self, stream: &StreamId) -> Revision {
        match self {
            Self::Nothing => Revision::ZERO,
            Self::All(all) => all.revisions.get(stream).copied().unwrap_or_default(),
            Self::Indexed(indexed) => [&indexed.young, &indexed.old]
                .into_iter()
                .find_map(|generation| generation.revisions.get(stream).copied())
                .unwrap_or_else(|| indexed.ask(indexed.index.revision(stream))),
        }
    }

    pub fn answered(&self, key: &RequestKey) -> Option<Answered> {
        match self {
            Self::Nothing => None,
            Self::All(all) => all.answered.get(key).copied(),
            Self::Indexed(indexed) => [&indexed.young, &indexed.old]
                .into_iter()
                .find_map(|generation| generation.answered.get(key).copied())
                .or_else(|| indexed.ask(indexed.index.answered(key))),
        }
    }

    /// Takes note of a record that [`Self::is_noted`] does not know.
    pub fn use_revision(&mut self, stream: &StreamId, revision: Revision, position: Position) {
        match self {
            Self::Nothing => {}
            Self::All(all) => all.use_revision(stream, revision, position),
            Self::Indexed(indexed) => {
                indexed.grow_old();
                indexed.young.use_revision(stream, revision, position);
            }
        }
    }

    /// Takes note of an answer; only the first counts.
    pub fn answer(&mut self, request_id: &str, answer: Answered) {
        let key = request_key(request_id);
        let generation = match self {
            Self::Nothing => return,
            Self::All(all) => all,
            // A command's records may be of both generations.
            Self::Indexed(indexed) if indexed.old.answered.contains_key(&key) => return,
            Self::Indexed(indexed) => &mut indexed.young,
        };
        generation.answered.entry(key).or_insert(answer);
    }
}
