//! A source's event log over gRPC (`LogService.Read`): what its stream has lost
//! is read there. Only where the log and the stream hold the same records on
//! both sides of the hole is it believed.

use std::time::Duration;

use bus::{Bus, BusError, StreamName};
use bytes::Bytes;
use decider::Service;
use proto::log::v1::{ReadRequest, log_service_client::LogServiceClient};
use tonic::transport::Endpoint;

use super::ReactorError;
use crate::peers::{PeerChannel, Peers};

const CONNECT_MAX: Duration = Duration::from_secs(2);
const CALL_MAX: Duration = Duration::from_secs(30);
/// Records asked for at a time.
const CHUNK: u64 = 1024;

pub(super) struct SourceLog {
    partition: u32,
    address: String,
    client: LogServiceClient<PeerChannel>,
}

/// Messages `from` to `got - 1` are missing in a stream.
pub(super) struct Hole<'a> {
    pub(super) bus: &'a Bus,
    pub(super) stream: &'a StreamName,
    pub(super) from: u64,
    pub(super) got: u64,
}

pub(super) enum FillError {
    /// May be better in a moment.
    Away(String),
    Refused(ReactorError),
}

impl From<ReactorError> for FillError {
    fn from(error: ReactorError) -> Self {
        Self::Refused(error)
    }
}

impl From<BusError> for FillError {
    fn from(error: BusError) -> Self {
        Self::Away(error.to_string())
    }
}

impl SourceLog {
    /// Connects when it is first asked.
    pub(super) fn at(
        service: Service,
        partition: u32,
        address: String,
        peers: &Peers,
    ) -> Result<Self, ReactorError> {
        let Ok(endpoint) = Endpoint::from_shared(address.clone()) else {
            return Err(ReactorError::Address { service, address });
        };
        let endpoint = endpoint.connect_timeout(CONNECT_MAX).timeout(CALL_MAX);
        let channel = peers
            .channel(endpoint)
            .map_err(|source| ReactorError::Tls { service, source })?;
        Ok(Self {
            partition,
            address,
            client: LogServiceClient::new(channel),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Records from a position on, at least one and at most `count`.
    pub(super) async fn read(&self, from: u64, count: u64) -> Result<Vec<Bytes>, FillError> {
        let away = |status: tonic::Status| FillError::Away(status.to_string());
        let limit = count.min(CHUNK);
        let request = ReadRequest {
            partition: self.partition,
            from_position: from,
            follow: false,
            limit,
        };
        let mut parts = self
            .client
            .clone()
            .read(request)
            .await
            .map_err(away)?
            .into_inner();
        let mut records = Vec::new();
        while let Some(part) = parts.message().await.map_err(away)? {
            records.extend(part.records.into_iter().map(Bytes::from));
        }
        records.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        if records.is_empty() {
            return Err(FillError::Away(format!(
                "the log has no record {from} (yet)"
            )));
        }
        Ok(records)
    }

    /// Whether log and stream agree on the messages beside the hole. What lies
    /// before it may be missing as well, where the stream begins behind it.
    pub(super) async fn check_joins(&self, hole: &Hole<'_>) -> Result<(), FillError> {
        let beside = [
            (hole.from - 1, "the record before the hole is another one"),
            (hole.got, "the record behind the hole is another one"),
        ];
        for (position, why) in beside.into_iter().filter(|(position, _)| *position > 0) {
            let stored = hole.bus.read(hole.stream, position, 1).await?;
            let Some(stored) = stored.first() else {
                continue;
            };
            let logged = self.read(position, 1).await?;
            if logged.first() != Some(&stored.payload) {
                return Err(FillError::Refused(ReactorError::OtherLog {
                    stream: hole.stream.to_string(),
                    from: hole.from,
                    to: hole.got - 1,
                    address: self.address.clone(),
                    position,
                    why,
                }));
            }
        }
        Ok(())
    }
}
