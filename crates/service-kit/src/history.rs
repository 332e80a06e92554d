//! Which history a log tells, as others have seen it.
//!
//! Where a service loses its log *and* its stream it would begin a second
//! history while others have acted upon the first. It cannot know that by
//! itself, so everybody notes what was seen: a position, and the digest of the
//! record there. The notes are in NATS (the owner's, and one by each reader)
//! and each reader's also in a file beside its log.
//!
//! - An owner whose log does not contain what a note proves refuses to start;
//!   one that finds such a note while it runs is not ready any more.
//! - A reader whose source's stream is shorter than what it has seen waits while
//!   the owner's log is long enough (the stream is being filled again), and
//!   otherwise takes nothing in, says so and is not ready.
//!
//! Notes are written every [`EVERY`], so of a reader that is killed the last
//! moments are missing. They are no proof against forgery; that is what signed
//! checkpoints are for.

mod owner;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

pub use owner::Owner;

use bus::{Bus, BusError, Register, StreamName};
use decider::{Position, Service};
use event_log::{EventLog, LogError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How often notes are written, and looked at.
pub const EVERY: Duration = Duration::from_secs(2);
const BUCKET: &str = "BAOGONG_HISTORIES";

/// A record that somebody has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub position: u64,
    /// SHA-256 of the record's bytes, in hexadecimal.
    pub digest: String,
}

impl Seen {
    #[must_use]
    pub fn of(position: u64, bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self {
            position,
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        *self == Self::of(self.position, bytes)
    }
}

/// What the owner of a history says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersNote {
    /// The last record that the stream has acknowledged.
    pub acknowledged: Seen,
    /// Where the log ends.
    pub log: u64,
}

/// Somebody has seen what a log does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log of {service}, partition {partition}, ends at {log}, and {who} has seen another record \
     at position {position}: this is a second history, and what others did because of the first \
     would not fit to it. Restore the directory or the JetStream stream from a copy. If there is \
     none, the suite must begin anew: without the data of all services, their streams and the \
     bucket {BUCKET}"
)]
pub struct SecondHistory {
    pub service: String,
    pub partition: u32,
    pub log: Position,
    pub who: String,
    pub position: u64,
}

/// The notes in NATS.
#[derive(Debug, Clone)]
pub struct Notes {
    register: Register,
}

impl Notes {
    #[must_use]
    pub fn new(bus: &Bus) -> Self {
        Self {
            register: bus.register(BUCKET),
        }
    }

    /// # Errors
    /// NATS is away.
    pub async fn owners(&self, stream: &StreamName) -> Result<Option<OwnersNote>, BusError> {
        self.get(&key(stream, "owner")).await
    }

    /// # Errors
    /// NATS is away.
    pub async fn write_owners(
        &self,
        stream: &StreamName,
        note: &OwnersNote,
    ) -> Result<(), BusError> {
        self.put(&key(stream, "owner"), note).await
    }

    /// # Errors
    /// NATS is away.
    pub async fn write_readers(
        &self,
        stream: &StreamName,
        reader: Service,
        seen: &Seen,
    ) -> Result<(), BusError> {
        self.put(&key(stream, reader.name()), seen).await
    }

    /// Looks for a note that proves more than the log holds, or something else.
    ///
    /// # Errors
    /// NATS is away, or the log cannot be read.
    pub async fn against(
        &self,
        stream: &StreamName,
        log: &dyn EventLog,
    ) -> Result<Option<SecondHistory>, HistoryError> {
        let own = self.owners(stream).await?.map(|note| note.acknowledged);
        let mut notes: Vec<(String, Seen)> = Vec::new();
        notes.extend(own.map(|seen| (format!("{} itself", stream.service), seen)));
        for reader in Service::ALL {
            let seen = self.get(&key(stream, reader.name())).await?;
            notes.extend(seen.map(|seen| (reader.name().to_owned(), seen)));
        }
        for (who, seen) in notes.into_iter().filter(|(_, seen)| seen.position > 0) {
            let entries = log.read(Position(seen.position), 1)?;
            if !entries.first().is_some_and(|entry| seen.is(&entry.bytes)) {
                return Ok(Some(SecondHistory {
                    service: stream.service.clone(),
                    partition: stream.partition,
                    log: log.last_position(),
                    who,
                    position: seen.position,
                }));
            }
        }
        Ok(None)
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, BusError> {
        let note = self.register.get(key).await?;
        // What is no note proves nothing, and is written over.
        Ok(note.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Only where it differs, so that an idle suite writes nothing.
    async fn put<T>(&self, key: &str, note: &T) -> Result<(), BusError>
    where
        T: Serialize + for<'de> Deserialize<'de> + PartialEq,
    {
        if self.get(key).await?.as_ref() == Some(note) {
            return Ok(());
        }
        let text = serde_json::to_vec(note).unwrap_or_default();
        self.register.put(key, text.into()).await
    }
}

#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Log(#[from] LogError),
}

fn key(stream: &StreamName, who: &str) -> String {
    format!("{}.{}.{who}", stream.service, stream.partition)
}

/// What a reader has seen of its sources, in a file beside its log: it outlives
/// the loss of NATS.
#[derive(Debug)]
pub struct SeenFile {
    path: PathBuf,
    seen: Mutex<BTreeMap<String, Seen>>,
}

impl SeenFile {
    /// Reads the file; one that is missing or damaged proves nothing.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let seen = std::fs::read(path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        Self {
            path: path.to_owned(),
            seen: Mutex::new(seen),
        }
    }

    #[must_use]
    pub fn get(&self, source: Service) -> Option<Seen> {
        self.seen.lock().get(source.name()).cloned()
    }

    /// # Errors
    /// The file cannot be written.
    pub fn put(&self, source: Service, seen: Seen) -> std::io::Result<()> {
        let mut all = self.seen.lock();
        if all.get(source.name()) == Some(&seen) {
            return Ok(());
        }
        all.insert(source.name().to_owned(), seen);
        let text = serde_json::to_vec_pretty(&*all)?;
        let new = self.path.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_outlives_the_process_and_damage_proves_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("sources-0.json");
        let seen = Seen::of(7, b"record");
        assert!(seen.is(b"record") && !seen.is(b"other"));
        let file = SeenFile::open(&path);
        assert_eq!(file.get(Service::Order), None);
        file.put(Service::Order, seen.clone()).expect("written");
        assert_eq!(SeenFile::open(&path).get(Service::Order), Some(seen));
        std::fs::write(&path, "{").expect("written");
        assert_eq!(SeenFile::open(&path).get(Service::Order), None);
    }
}
