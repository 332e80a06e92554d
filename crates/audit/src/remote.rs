//! One log of a running service: its records, its published checkpoint, and
//! proofs, over gRPC. Nothing that comes from there is believed here; whoever
//! asks checks it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use decider::{Cause, Position, Service, StreamId};
use proto::{
    admin::v1::{GetStatusRequest, admin_service_client::AdminServiceClient},
    log::v1::{
        GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest, ReadRequest,
        ReadStreamRequest, log_service_client::LogServiceClient,
    },
    record::{self, Raw},
};
use service_kit::peers::{PeerChannel, client::Calling};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};
use transparency::{ConsistencyProof, Hash, InclusionProof};

use crate::{
    entity,
    error::AuditError,
    history::{Log, LogName},
    progress::Progress,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A part of a log may be hundreds of records of up to 60 KiB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A notary signs about once a second, and its witnesses have to answer.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(30);
/// Between two questions, where the service does not wait by itself.
const POLL: Duration = Duration::from_millis(200);

/// A running service's log.
pub(crate) struct Remote {
    pub name: LogName,
    address: String,
    client: LogServiceClient<PeerChannel>,
}

/// What a log has let out.
#[derive(Debug, Clone, PartialEq)]
pub enum Published {
    /// A signed note, not read yet.
    Note(String),
    /// Nothing, and why.
    Nothing(String),
}

/// What a service's index knows of a stream.
pub(crate) enum OneStream {
    Found(StreamRecords),
    Unknown,
    /// It has no index, or cannot use it now.
    NoIndex,
}

/// All records of a stream.
pub(crate) struct StreamRecords {
    /// Up to here the log was looked at.
    pub end: Position,
    pub records: Vec<Raw>,
    /// Those whose command was declared void.
    pub voided: BTreeSet<Position>,
}

/// Every partition of every service.
pub(crate) async fn connect(
    services: &BTreeMap<Service, Vec<String>>,
    calling: &Calling,
) -> Result<BTreeMap<LogName, Remote>, AuditError> {
    let mut remotes = BTreeMap::new();
    for (service, addresses) in services {
        for address in addresses {
            for remote in partitions(*service, address, calling).await? {
                remotes.insert(remote.name, remote);
            }
        }
    }
    Ok(remotes)
}

async fn partitions(
    service: Service,
    address: &str,
    calling: &Calling,
) -> Result<Vec<Remote>, AuditError> {
    let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| AuditError::Unreachable {
        service,
        address: address.to_owned(),
        tls: Box::new(calling.tls.clone()),
        source,
    };
    let channel = calling
        .tls
        .endpoint(address)
        .map_err(|e| unreachable(e.into()))?
        .connect_timeout(CONNECT_TIMEOUT)
        .connect()
        .await
        .map_err(|e| unreachable(e.into()))?;
    let channel = PeerChannel::new(channel, calling.bearer.clone());
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
    pub async fn read(
        &mut self,
        log: &mut Log,
        wanted: Option<Position>,
        progress: &dyn Progress,
    ) -> Result<(), AuditError> {
        let name = self.name;
        let address = self.address.clone();
        let failed = |status: Status| AuditError::Read {
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

    /// All records of one stream.
    pub async fn stream(&self, stream: &StreamId) -> Result<OneStream, AuditError> {
        let request = ReadStreamRequest {
            partition: self.name.partition,
            stream: stream.to_string(),
            ..ReadStreamRequest::default()
        };
        let mut parts = match self.client.clone().read_stream(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => {
                return match status.code() {
                    Code::NotFound | Code::InvalidArgument => Ok(OneStream::Unknown),
                    Code::Unimplemented | Code::FailedPrecondition | Code::Unavailable => {
                        Ok(OneStream::NoIndex)
                    }
                    _ => Err(self.failed(status)),
                };
            }
        };
        let mut found = StreamRecords {
            end: Position::ZERO,
            records: Vec::new(),
            voided: BTreeSet::new(),
        };
        while let Some(part) = parts.message().await.map_err(|s| self.failed(s))? {
            found.end = Position(part.last_position);
            found
                .voided
                .extend(part.voided_positions.into_iter().map(Position));
            for bytes in part.records {
                found.records.push(self.decoded(&bytes)?);
            }
        }
        let whole = entity::continuous(stream, &found.records);
        whole.map_err(|why| self.failed(Status::data_loss(why)))?;
        Ok(OneStream::Found(found))
    }

    /// The record at a position.
    pub async fn record(&self, position: Position) -> Result<Raw, AuditError> {
        let request = ReadRequest {
            partition: self.name.partition,
            from_position: position.0,
            follow: false,
            limit: 1,
        };
        let answer = self.client.clone().read(request).await;
        let mut parts = answer.map_err(|s| self.failed(s))?.into_inner();
        let part = parts.message().await.map_err(|s| self.failed(s))?;
        let records = part.into_iter().flat_map(|part| part.records);
        let found = records.take(1).map(|bytes| self.decoded(&bytes)).next();
        let found = found.transpose()?.filter(|raw| raw.position == position);
        found.ok_or_else(|| {
            let why = format!("it did not send the record at position {position}");
            self.failed(Status::data_loss(why))
        })
    }

    fn decoded(&self, bytes: &[u8]) -> Result<Raw, AuditError> {
        record::decode(bytes).map_err(|error| self.failed(Status::data_loss(error.to_string())))
    }

    fn failed(&self, status: Status) -> AuditError {
        AuditError::Read {
            log: self.name,
            address: self.address.clone(),
            status: Box::new(status),
        }
    }

    /// The newest checkpoint; waits until it covers `min_size` records.
    pub async fn checkpoint(&self, min_size: u64) -> Result<Published, AuditError> {
        let give_up = Instant::now() + CHECKPOINT_PATIENCE;
        loop {
            let request = GetCheckpointRequest {
                partition: self.name.partition,
                min_size,
            };
            match self.client.clone().get_checkpoint(request).await {
                Ok(answer) => return Ok(Published::Note(answer.into_inner().checkpoint)),
                Err(status)
                    if status.code() == Code::FailedPrecondition
                        && min_size > 0
                        && Instant::now() < give_up =>
                {
                    sleep(POLL).await;
                }
                Err(status) => return self.nothing(status),
            }
        }
    }

    fn nothing(&self, status: Status) -> Result<Published, AuditError> {
        match status.code() {
            Code::Unimplemented | Code::NotFound | Code::FailedPrecondition => {
                let why = format!("the service at {} says: {}", self.address, status.message());
                Ok(Published::Nothing(why))
            }
            _ => Err(self.failed(status)),
        }
    }

    /// Proof that the record at `position` is in the tree of `tree_size`.
    pub async fn inclusion(
        &self,
        position: Position,
        tree_size: u64,
    ) -> Result<InclusionProof, AuditError> {
        let request = GetInclusionProofRequest {
            partition: self.name.partition,
            position: position.0,
            tree_size,
        };
        let answer = self.client.clone().get_inclusion_proof(request).await;
        let answer = answer.map_err(|status| self.failed(status))?.into_inner();
        self.hashes(answer.hashes).map(InclusionProof)
    }

    /// Proof that the tree of `to` records goes on from that of `from`.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<ConsistencyProof, AuditError> {
        let request = GetConsistencyProofRequest {
            partition: self.name.partition,
            from_size: from,
            to_size: to,
        };
        let answer = self.client.clone().get_consistency_proof(request).await;
        let answer = answer.map_err(|status| self.failed(status))?.into_inner();
        self.hashes(answer.hashes).map(ConsistencyProof)
    }

    fn hashes(&self, hashes: Vec<Vec<u8>>) -> Result<Vec<Hash>, AuditError> {
        let hashes = hashes.into_iter().map(|hash| hash.try_into().map(Hash));
        let hashes: Result<_, _> = hashes.collect();
        hashes.map_err(|hash: Vec<u8>| {
            let what = format!(
                "it sent a proof with a hash of {} bytes, not 32",
                hash.len()
            );
            self.failed(Status::internal(what))
        })
    }
}

/// Whether the record has another cause than the log's last.
fn begins_anew(log: &Log, bytes: &[u8]) -> bool {
    let cause = |bytes: &[u8]| -> Option<Cause> { record::decode(bytes).ok().map(|r| r.cause) };
    log.entries.last().and_then(|last| cause(&last.bytes)) != cause(bytes)
}
