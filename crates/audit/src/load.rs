//! Reads the logs: over gRPC from running services, from copied directories,
//! from their JetStream streams, or from a bundle.
//!
//! Running services record while they are read, so the four ends do not belong
//! to one moment: a reaction may be in although its cause came after its log
//! was read. Each log is therefore read on until it holds every cause that the
//! others name. That ends, because a cause is durable before anybody hears of
//! it, and what it needs was recorded earlier still; a cause that is not there
//! even then does not exist.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use decider::Service;
use event_log::{EventLog, LogError, SledLog, SledOptions};
use service_kit::peers::client::Calling;

use crate::{
    bundle,
    error::AuditError,
    history::{Damage, Entry, History, Log, LogName},
    progress::{Progress, Silent},
    remote,
    source::Source,
    streams,
};

const CHUNK_RECORDS: usize = 1024;

/// Reads everything.
///
/// # Errors
/// A service does not answer, or a log is missing or cannot be opened. A log
/// that is damaged is no error: the damage is part of the history.
pub async fn load(source: &Source) -> Result<History, AuditError> {
    load_with(source, &Silent).await
}

/// Reads everything and tells how far it is.
///
/// # Errors
/// As [`load`].
pub async fn load_with(source: &Source, progress: &dyn Progress) -> Result<History, AuditError> {
    match source {
        Source::Suite {
            services, calling, ..
        } => from_suite(services, calling, progress).await,
        Source::Logs { directory, .. } => from_directory(directory, progress).await,
        Source::Streams { url } => streams::history(url, progress).await,
        Source::Bundle { directory } => bundle::history(directory, progress),
    }
}

async fn from_suite(
    services: &BTreeMap<Service, Vec<String>>,
    calling: &Calling,
    progress: &dyn Progress,
) -> Result<History, AuditError> {
    let mut remotes = remote::connect(services, calling).await?;
    let mut history = History {
        live: true,
        ..History::default()
    };
    for (name, remote) in &mut remotes {
        let log = history.logs.entry(*name).or_default();
        remote.read(log, None, progress).await?;
    }
    loop {
        let mut found = false;
        for (name, wanted) in history.lacking() {
            let (Some(remote), Some(log)) = (remotes.get_mut(&name), history.logs.get_mut(&name))
            else {
                continue;
            };
            let before = log.entries.len();
            remote.read(log, Some(wanted), progress).await?;
            found |= log.entries.len() > before;
        }
        if !found {
            return Ok(history);
        }
    }
}

/// The directories of all logs below a folder, by service and partition.
pub(crate) fn directories(directory: &Path) -> Result<Vec<(LogName, PathBuf)>, AuditError> {
    let mut found = Vec::new();
    for service in Service::ALL {
        let folder = directory.join(service.name());
        let mut numbers = match fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            entries => entries
                .and_then(|entries| {
                    entries
                        .map(|e| Ok(e?.file_name().to_str().and_then(|n| n.parse().ok())))
                        .filter_map(Result::transpose)
                        .collect::<std::io::Result<Vec<u32>>>()
                })
                .map_err(|source| AuditError::Directory {
                    path: folder.clone(),
                    source,
                })?,
        };
        if numbers.is_empty() {
            return Err(AuditError::NoLog {
                directory: directory.to_owned(),
                service,
            });
        }
        numbers.sort_unstable();
        found.extend(numbers.into_iter().map(|number| {
            let path = folder.join(number.to_string());
            (LogName::new(service, number), path)
        }));
    }
    Ok(found)
}

async fn from_directory(directory: &Path, progress: &dyn Progress) -> Result<History, AuditError> {
    let mut history = History::default();
    for (name, path) in directories(directory)? {
        progress.reading(&name.to_string(), 0);
        let log = tokio::task::spawn_blocking(move || read_directory(&path))
            .await
            .map_err(|_| AuditError::Interrupted(name))?
            .map_err(|source| AuditError::Log { log: name, source })?;
        progress.reading(&name.to_string(), log.entries.len() as u64);
        history.logs.insert(name, log);
    }
    Ok(history)
}

fn read_directory(path: &Path) -> Result<Log, LogError> {
    let mut log = Log::default();
    let opened = match SledLog::open(SledOptions::existing(path)) {
        Ok((opened, report)) => {
            log.note = report.cut.map(|cut| cut.to_string());
            opened
        }
        Err(error) => match prefix(path, &mut log, error)? {
            Some(opened) => opened,
            None => return Ok(log),
        },
    };
    loop {
        match opened.read(log.next_position(), CHUNK_RECORDS) {
            Ok(entries) if entries.is_empty() => return Ok(log),
            Ok(entries) => {
                for entry in entries {
                    // The chunk's memory is shared: what is kept is copied.
                    let bytes = Bytes::copy_from_slice(&entry.bytes);
                    log.entries.push(Entry::new(entry.position, bytes));
                }
            }
            Err(error) => return damaged(log, error),
        }
    }
}

/// A log that lacks its end is intact up to there. The damage is noted in any
/// case.
fn prefix(path: &Path, log: &mut Log, error: LogError) -> Result<Option<SledLog>, LogError> {
    *log = damaged(std::mem::take(log), error)?;
    let options = SledOptions {
        accept_lost_tail: true,
        ..SledOptions::existing(path)
    };
    Ok(match SledLog::open(options) {
        Ok((opened, report)) => {
            log.note = report.cut.map(|cut| cut.to_string());
            Some(opened)
        }
        // Harmed elsewhere too: then nothing of it is relied on.
        Err(_) => None,
    })
}

fn damaged(mut log: Log, error: LogError) -> Result<Log, LogError> {
    match error {
        LogError::Damaged { position, what, .. } => {
            log.damage = Some(Damage { position, what });
            Ok(log)
        }
        other => Err(other),
    }
}
