//! Snapshots of a partition's state: files from which a service starts, and a
//! question about the past is answered, without reading the log from its first
//! record. They are derived: whoever deletes them loses time, nothing else.
//!
//! `<data_dir>/<service>/<partition>.snapshots/<position, 20 digits>` holds one
//! line of JSON, [`Header`], and behind it the canonical form of the machine
//! (see [`super::machine`]). It is used where everything in the header fits:
//! the format, the code that reads it, the digest of what follows, and the
//! record that stands in the log at its position.

mod file;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use decider::{Domain, Position, Service, Timestamp};
use event_log::{EventLog, LogError};
use sha2::{Digest, Sha256};
use transparency::StateDigest;

use super::{
    AsOf,
    machine::{CanonicalError, Machine},
};
use file::{FORMAT, Header, Unusable, hex, read_header, write_durably};

/// Version and fingerprint of the sources that decide what a record means.
pub const CODE: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "-",
    env!("BAOGONG_CODE_FINGERPRINT")
);
/// Snapshots kept, so that a damaged one has a forerunner.
const KEPT: usize = 2;

/// A state written down, not yet in a file.
#[derive(Debug)]
pub struct Taken {
    position: Position,
    recorded: Timestamp,
    digest: [u8; 32],
    body: Vec<u8>,
}

impl Taken {
    /// Writes the machine down. The digest is left for later, so that a lock on
    /// the machine is held no longer than needed.
    ///
    /// # Errors
    /// The domain's state has a part that cannot be encoded.
    pub fn of<D: Domain>(machine: &Machine<D>, room: usize) -> Result<Undigested, CanonicalError> {
        Ok(Undigested {
            position: machine.position(),
            recorded: machine.last_recorded(),
            body: machine.canonical(Vec::with_capacity(room))?,
        })
    }

    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    #[must_use]
    pub fn state_digest(&self) -> StateDigest {
        StateDigest {
            position: self.position.0,
            code: CODE.to_owned(),
            digest: self.digest,
        }
    }
}

/// See [`Taken::of`].
#[derive(Debug)]
pub struct Undigested {
    position: Position,
    recorded: Timestamp,
    body: Vec<u8>,
}

impl Undigested {
    #[must_use]
    pub fn digest(self) -> Taken {
        Taken {
            position: self.position,
            recorded: self.recorded,
            digest: Sha256::digest(&self.body).into(),
            body: self.body,
        }
    }
}

/// Why a snapshot was not written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    #[error("the record at position {0} cannot be read")]
    Record(Position, #[source] LogError),
    #[error("the log has no record at position {0}")]
    NoRecord(Position),
    #[error("{doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        error: io::Error,
    },
}

/// The folder of one partition's snapshots.
#[derive(Debug, Clone)]
pub struct Snapshots {
    directory: PathBuf,
    service: Service,
    partition: u32,
}

impl Snapshots {
    /// Folder of a partition's snapshots. Nothing is made before the first is
    /// written.
    #[must_use]
    pub fn new(data_dir: &Path, service: Service, partition: u32) -> Self {
        Self {
            directory: data_dir
                .join(service.name())
                .join(format!("{partition}.snapshots")),
            service,
            partition,
        }
    }

    /// Writes a snapshot whose last record is durable, and removes all but the
    /// last two.
    ///
    /// # Errors
    /// The log cannot be read, or the folder not written.
    pub fn write(&self, taken: &Taken, log: &dyn EventLog) -> Result<(), SnapshotError> {
        let position = taken.position;
        let header = Header {
            format: FORMAT,
            code: CODE.to_owned(),
            service: self.service,
            partition: self.partition,
            position,
            recorded: taken.recorded,
            record: record_digest(log, position)
                .map_err(|error| SnapshotError::Record(position, error))?
                .map(|digest| hex(&digest))
                .ok_or(SnapshotError::NoRecord(position))?,
            digest: hex(&taken.digest),
            bytes: taken.body.len() as u64,
        };
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |error| SnapshotError::Io { doing, path, error }
        };
        let directory = &self.directory;
        fs::create_dir_all(directory).map_err(failed("making", directory))?;
        let path = directory.join(format!("{position:020}", position = position.0));
        let unfinished = path.with_extension("tmp");
        write_durably(&unfinished, &header, &taken.body).map_err(failed("writing", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(failed("naming", &path))?;
        fs::File::open(directory)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("syncing", directory))?;
        for (_, old) in self.files().into_iter().skip(KEPT) {
            fs::remove_file(&old).map_err(failed("removing", &old))?;
        }
        Ok(())
    }

    /// The newest state that this code and this log may start from. What
    /// cannot be used is removed, and said in the log.
    pub fn newest<D: Domain>(&self, log: &dyn EventLog) -> Option<(Machine<D>, StateDigest)> {
        self.remove_unfinished();
        for (_, path) in self.files() {
            match self.load(&path, log) {
                Ok(found) => return Some(found),
                Err(Unusable::Log(error)) => {
                    tracing::warn!(%error, snapshot = %path.display(), "a snapshot is not used");
                }
                Err(why) => {
                    tracing::warn!(%why, snapshot = %path.display(), "a snapshot is dropped");
                    if let Err(error) = fs::remove_file(&path) {
                        tracing::warn!(%error, snapshot = %path.display(), "it stays there");
                    }
                }
            }
        }
        None
    }

    /// The newest state at or before a past moment; nothing is removed.
    #[must_use]
    pub fn before<D: Domain>(&self, moment: AsOf, log: &dyn EventLog) -> Option<Machine<D>> {
        self.files().into_iter().find_map(|(position, path)| {
            let early = match moment {
                AsOf::Position(last) => position <= last,
                AsOf::Time(last) => read_header(&path).is_ok_and(|(h, _)| h.recorded <= last),
            };
            let found = early.then(|| self.load(&path, log))?;
            found.ok().map(|(machine, _)| machine)
        })
    }

    /// What it is, is checked before what it holds.
    fn load<D: Domain>(
        &self,
        path: &Path,
        log: &dyn EventLog,
    ) -> Result<(Machine<D>, StateDigest), Unusable> {
        let (header, body) = read_header(path)?;
        if header.code != CODE {
            return Err(Unusable::Code(header.code));
        }
        if (header.service, header.partition) != (self.service, self.partition) {
            return Err(Unusable::Other(header.service, header.partition));
        }
        let digest = <[u8; 32]>::from(Sha256::digest(&body));
        if body.len() as u64 != header.bytes || hex(&digest) != header.digest {
            return Err(Unusable::Damaged {
                expected: header.bytes,
                digest: header.digest,
            });
        }
        match record_digest(log, header.position)? {
            None => return Err(Unusable::Ahead(header.position)),
            Some(record) if hex(&record) != header.record => {
                return Err(Unusable::OtherLog(header.position));
            }
            Some(_) => {}
        }
        let machine = Machine::from_canonical(&body, self.partition)?;
        let digest = StateDigest {
            position: header.position.0,
            code: header.code,
            digest,
        };
        Ok((machine, digest))
    }

    /// Snapshots by the position in their names, the newest first.
    fn files(&self) -> Vec<(Position, PathBuf)> {
        let mut files: Vec<_> = self
            .entries()
            .filter_map(|path| {
                let position = path.file_name()?.to_str()?.parse().ok()?;
                Some((Position(position), path))
            })
            .collect();
        files.sort_unstable_by(|a, b| b.cmp(a));
        files
    }

    fn entries(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten();
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path()))
    }

    /// What a crash left half written.
    fn remove_unfinished(&self) {
        let unfinished = |path: &PathBuf| path.extension().is_some_and(|e| e == "tmp");
        for path in self.entries().filter(unfinished) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "an unfinished snapshot stays");
            }
        }
    }
}

/// SHA-256 of the record at a position; none where the log has no such record.
pub(super) fn record_digest(
    log: &dyn EventLog,
    position: Position,
) -> Result<Option<[u8; 32]>, LogError> {
    if position > log.last_position() {
        return Ok(None);
    }
    let entries = log.read(position, 1)?;
    let found = entries.first().filter(|entry| entry.position == position);
    Ok(found.map(|entry| Sha256::digest(&entry.bytes).into()))
}
