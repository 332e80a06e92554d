//! Reads the logs: over gRPC from running services, or from copied
//! directories.
//!
//! Running services record while they are read, so the four ends do not belong
//! to one moment: a reaction may be in although its cause came after its log
//! was read. Each log is therefore read on until it holds every cause that the
//! others name. That ends, because a cause is durable before anybody hears of
//! it, and what it needs was recorded earlier still; a cause that is not there
//! even then does not exist.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bytes::Bytes;
use decider::{Cause, Position, Service};
use event_log::{EventLog, LogError, SledLog, SledOptions};
use proto::{
    admin::v1::{GetStatusRequest, admin_service_client::AdminServiceClient},
    log::v1::{ReadRequest, log_service_client::LogServiceClient},
    record,
};
use tonic::transport::{Channel, Endpoint};

use crate::{
    error::AuditError,
    history::{Damage, Entry, History, Log, LogName},
    progress::{Progress, Silent},
    source::Source,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A part of a log may be hundreds of records of up to 60 KiB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
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
        Source::Suite { services, .. } => from_suite(services, progress).await,
        Source::Logs { directory, .. } => from_directory(directory, progress).await,
    }
}

/// A running service's log.
struct Remote {
    name: LogName,
    address: String,
    client: LogServiceClient<Channel>,
}

async fn from_suite(
    services: &BTreeMap<Service, Vec<String>>,
    progress: &dyn Progress,
) -> Result<History, AuditError> {
    let mut remotes = BTreeMap::new();
    for (service, addresses) in services {
        for address in addresses {
            for remote in partitions(*service, address).await? {
                remotes.insert(remote.name, remote);
            }
        }
    }
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

async fn partitions(service: Service, address: &str) -> Result<Vec<Remote>, AuditError> {
    let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| AuditError::Unreachable {
        service,
        address: address.to_owned(),
        source,
    };
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let channel = Endpoint::from_shared(url)
        .map_err(|e| unreachable(e.into()))?
        .connect_timeout(CONNECT_TIMEOUT)
        .connect()
        .await
        .map_err(|e| unreachable(e.into()))?;
    let status = AdminServiceClient::new(channel.clone())
        .get_status(GetStatusRequest {})
        .await
        .map_err(|e| unreachable(e.into()))?
        .into_inner();
    if status.service != service.name() {
        let why = format!("the service there is {}", status.service);
        return Err(unreachable(why.into()));
    }
    let client = LogServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let partitions = status.partitions.into_iter();
    Ok(partitions
        .map(|partition| Remote {
            name: LogName::new(service, partition.partition),
            address: address.to_owned(),
            client: client.clone(),
        })
        .collect())
}

impl Remote {
    /// Reads on from the log's end: to the end, or until `wanted` and what was
    /// recorded together with it are in.
    async fn read(
        &mut self,
        log: &mut Log,
        wanted: Option<Position>,
        progress: &dyn Progress,
    ) -> Result<(), AuditError> {
        let name = self.name;
        let address = self.address.clone();
        let failed = |status: tonic::Status| AuditError::Read {
            log: name,
            address: address.clone(),
            status: Box::new(status),
        };
        let request = ReadRequest {
            partition: name.partition,
            from_position: log.next_position().0,
            follow: false,
            limit: 0,
        };
        let answer = self.client.read(request).await;
        let mut parts = answer.map_err(&failed)?.into_inner();
        let what = name.to_string();
        while let Some(part) = parts.message().await.map_err(&failed)? {
            for bytes in part.records {
                let end = log.last_position();
                if wanted.is_some_and(|wanted| end >= wanted) && begins_anew(log, &bytes) {
                    return Ok(());
                }
                log.push(Bytes::from(bytes));
            }
            progress.reading(&what, log.entries.len() as u64);
        }
        Ok(())
    }
}

/// Whether the record has another cause than the log's last.
fn begins_anew(log: &Log, bytes: &[u8]) -> bool {
    let cause = |bytes: &[u8]| -> Option<Cause> { record::decode(bytes).ok().map(|r| r.cause) };
    log.entries.last().and_then(|last| cause(&last.bytes)) != cause(bytes)
}

async fn from_directory(directory: &Path, progress: &dyn Progress) -> Result<History, AuditError> {
    let mut history = History::default();
    for service in Service::ALL {
        let folder = directory.join(service.name());
        let numbers = match fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            found => found
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
        for number in numbers {
            let name = LogName::new(service, number);
            progress.reading(&name.to_string(), 0);
            let path = folder.join(number.to_string());
            let log = tokio::task::spawn_blocking(move || read_directory(&path))
                .await
                .map_err(|_| AuditError::Interrupted(name))?
                .map_err(|source| AuditError::Log { log: name, source })?;
            progress.reading(&name.to_string(), log.entries.len() as u64);
            history.logs.insert(name, log);
        }
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
        Err(error) => return damaged(log, error),
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

fn damaged(mut log: Log, error: LogError) -> Result<Log, LogError> {
    match error {
        LogError::Damaged { position, what, .. } => {
            log.damage = Some(Damage { position, what });
            Ok(log)
        }
        other => Err(other),
    }
}
