//! What a witness keeps: `<service>-<partition>.checkpoint` is the last
//! checkpoint seen of a log, as the log signed it; `evidence/` holds requests
//! that contradict one. **Persisted, keep stable.**

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use transparency::{Checkpoint, CheckpointError, Origin, TreeHead};

use crate::durable_file;

/// More evidence of the same log tells nothing new, and nobody is to fill the
/// disk with it.
const EVIDENCE_MAX: usize = 100;

#[derive(Debug, thiserror::Error)]
pub enum WitnessFileError {
    #[error("the folder {path} of the witness cannot be used")]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "another witness works in {path}: one alone may, else both could cosign different \
         histories. Stop it, or name another folder"
    )]
    InUse { path: PathBuf },
    #[error(
        "{path} is no checkpoint. It is written as a whole, so somebody changed it, or the disk \
         did. Restore it from a copy; without it the witness would trust the log anew"
    )]
    Unusable {
        path: PathBuf,
        #[source]
        source: CheckpointError,
    },
}

pub(super) struct WitnessFiles {
    directory: PathBuf,
    /// Locked for as long as this lives.
    _lock: File,
}

impl WitnessFiles {
    /// The folder, and the heads that were seen before.
    pub fn open(directory: &Path) -> Result<(Self, Vec<(Origin, TreeHead)>), WitnessFileError> {
        let files = |lock| Self {
            directory: directory.to_owned(),
            _lock: lock,
        };
        let disk = |source| WitnessFileError::Disk {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory.join("evidence")).map_err(disk)?;
        let lock = File::create(directory.join("witness.lock")).map_err(disk)?;
        lock.try_lock().map_err(|_| WitnessFileError::InUse {
            path: directory.to_owned(),
        })?;
        let mut seen = Vec::new();
        for entry in fs::read_dir(directory).map_err(disk)? {
            let path = entry.map_err(disk)?.path();
            if path.extension().is_none_or(|kind| kind != "checkpoint") {
                continue;
            }
            let note = fs::read(&path).map_err(disk)?;
            let checkpoint: Checkpoint = String::from_utf8_lossy(&note)
                .parse()
                .map_err(|source| WitnessFileError::Unusable { path, source })?;
            seen.push((checkpoint.origin().clone(), checkpoint.claimed_head()));
        }
        Ok((files(lock), seen))
    }

    /// Remembers a checkpoint, for good once this returns.
    pub fn store(&self, checkpoint: &Checkpoint) -> Result<(), WitnessFileError> {
        let path = self.seen(checkpoint.origin());
        durable_file::replace(&path, checkpoint.to_string().as_bytes())
            .map_err(|source| self.disk(source))
    }

    /// Keeps a request, and what it contradicts; gives where.
    pub fn keep(&self, checkpoint: &Checkpoint, body: &str) -> Result<PathBuf, WitnessFileError> {
        let evidence = self.directory.join("evidence");
        let head = checkpoint.claimed_head();
        let root: String = head.root.0[..8]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let name = format!("{}-{}-{root}", file_name(checkpoint.origin()), head.size);
        let request = evidence.join(format!("{name}.request"));
        let disk = |source| self.disk(source);
        let kept = fs::read_dir(&evidence).map_err(disk)?.count();
        if request.exists() || kept >= 2 * EVIDENCE_MAX {
            return Ok(request);
        }
        if let Ok(seen) = fs::read(self.seen(checkpoint.origin())) {
            let path = evidence.join(format!("{name}.seen"));
            durable_file::replace(&path, &seen).map_err(disk)?;
        }
        durable_file::replace(&request, body.as_bytes()).map_err(disk)?;
        Ok(request)
    }

    fn seen(&self, origin: &Origin) -> PathBuf {
        let name = format!("{}.checkpoint", file_name(origin));
        self.directory.join(name)
    }

    fn disk(&self, source: io::Error) -> WitnessFileError {
        WitnessFileError::Disk {
            path: self.directory.clone(),
            source,
        }
    }
}

fn file_name(origin: &Origin) -> String {
    format!("{}-{}", origin.service(), origin.partition())
}
