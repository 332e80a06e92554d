//! The checkpoints that the logs have let out, wherever the logs are. They are
//! not verified here.

use std::{collections::BTreeMap, path::Path};

use transparency::Checkpoint;

use crate::{
    bundle,
    error::AuditError,
    history::LogName,
    load, notes,
    remote::{self, Published, Remote},
    source::Source,
};

/// What was let out, and the services to ask for proofs, where there are any.
#[derive(Default)]
pub(crate) struct Current {
    published: BTreeMap<LogName, Published>,
    pub remotes: BTreeMap<LogName, Remote>,
    /// Why a log that is not among these has nothing.
    otherwise: &'static str,
}

impl Current {
    /// `given` takes the place of what the source has. `wanted` is the size
    /// that a running log's checkpoint is waited for, 0 for any.
    pub(crate) async fn of(
        source: &Source,
        given: Option<&Path>,
        wanted: &BTreeMap<LogName, u64>,
    ) -> Result<Self, AuditError> {
        let mut current = Self::default();
        match source {
            Source::Suite {
                services, calling, ..
            } => {
                current.remotes = remote::connect(services, calling).await?;
                if given.is_none() {
                    for (name, remote) in &current.remotes {
                        let min_size = wanted.get(name).copied().unwrap_or(0);
                        let published = remote.checkpoint(min_size).await?;
                        current.published.insert(*name, published);
                    }
                }
            }
            Source::Logs { directory, .. } if given.is_none() => {
                for (name, _) in load::directories(directory)? {
                    let note = notes::published(directory, name)?;
                    let published = note.map_or_else(
                        || {
                            let path = notes::published_path(directory, name);
                            Published::Nothing(format!("there is no file {}", path.display()))
                        },
                        Published::Note,
                    );
                    current.published.insert(name, published);
                }
            }
            Source::Bundle { directory } if given.is_none() => {
                current.take(bundle::checkpoints(directory)?);
                current.otherwise = "the bundle has none of it";
            }
            Source::Streams { .. } if given.is_none() => {
                current.otherwise = "streams hold records alone; name a file or folder with \
                                     checkpoints with --checkpoints";
            }
            _ => {}
        }
        if let Some(path) = given {
            current.take(notes::read(path)?);
            current.otherwise = "what --checkpoints names has none of it";
        }
        Ok(current)
    }

    fn take(&mut self, checkpoints: notes::Checkpoints) {
        let notes = checkpoints.into_iter();
        let notes = notes.map(|(name, note)| (name, Published::Note(note.to_string())));
        self.published.extend(notes);
    }

    pub(crate) fn get(&self, name: LogName) -> Published {
        let published = self.published.get(&name).cloned();
        published.unwrap_or_else(|| Published::Nothing(self.otherwise.to_owned()))
    }

    /// The log's checkpoint, for one who cannot do without.
    pub(crate) fn checkpoint(&self, log: LogName) -> Result<Checkpoint, AuditError> {
        let note = match self.get(log) {
            Published::Note(note) => note,
            Published::Nothing(why) => return Err(AuditError::NoCheckpoint { log, why }),
        };
        let checkpoint: Result<Checkpoint, _> = note.parse();
        let checkpoint = checkpoint.map_err(|source| AuditError::BadCheckpoint { log, source })?;
        if *checkpoint.origin() != log.origin() {
            let found = checkpoint.origin().clone();
            return Err(AuditError::OtherCheckpoint { log, found });
        }
        Ok(checkpoint)
    }

    /// All that read as checkpoints, to be kept.
    pub(crate) fn readable(&self) -> notes::Checkpoints {
        let names = self.published.keys();
        names
            .filter_map(|name| Some((*name, self.checkpoint(*name).ok()?)))
            .collect()
    }
}
