//! `AdminService` and `LogService`, the same for every service.

use std::sync::Arc;

use decider::{Domain, Position};
use proto::{
    AnyEvent,
    admin::v1::{
        AdvanceClockRequest, AdvanceClockResponse, GetStatusRequest, GetStatusResponse,
        PartitionStatus, SourceCursor, admin_service_server::AdminService,
    },
    log::v1::{
        GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
        GetConsistencyProofResponse, GetInclusionProofRequest, GetInclusionProofResponse,
        ReadRequest, ReadResponse, ReadStreamRequest, ReadStreamResponse,
        log_service_server::LogService,
    },
    time::to_proto,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use crate::{
    call::Partitions,
    fields::Fields,
    follow::{self, Parts, parts},
    partition::Partition,
    proof_service::{ProofDesk, elsewhere},
    status::{clock, status},
    stream_service::{self, stopping},
};

/// Counts pieces of work that a service owes besides its timers, for a
/// partition.
pub type PendingWork = Arc<dyn Fn(u32) -> u64 + Send + Sync>;

pub struct Admin<D: Domain> {
    pub partitions: Partitions<D>,
    pub relayed: Vec<(u32, watch::Receiver<u64>)>,
    pub pending: Vec<PendingWork>,
}

impl<D: Domain> Admin<D> {
    fn partition_status(&self, partition: &Partition<D>) -> PartitionStatus {
        let now = partition.clock().now();
        let (applied, cursors, next_due) = partition.peek(|machine| {
            let cursors = D::SOURCES
                .iter()
                .map(|source| SourceCursor {
                    service: source.name().to_owned(),
                    partition: partition.number(),
                    position: machine.cursor(*source).0,
                })
                .collect();
            (machine.position(), cursors, D::next_due(machine.state()))
        });
        let owed: u64 = self
            .pending
            .iter()
            .map(|count| count(partition.number()))
            .sum();
        PartitionStatus {
            partition: partition.number(),
            applied_position: applied.0,
            durable_position: partition.log().last_position().0,
            relayed_position: self
                .relayed
                .iter()
                .find(|(number, _)| *number == partition.number())
                .map_or(0, |(_, relayed)| *relayed.borrow()),
            queued: u32::try_from(partition.queued()).unwrap_or(u32::MAX),
            cursors,
            now: Some(to_proto(now)),
            pending_work: owed + u64::from(next_due.is_some_and(|at| at <= now)),
            next_due_time: next_due.map(to_proto),
        }
    }
}

#[tonic::async_trait]
impl<D: Domain<Foreign = AnyEvent>> AdminService for Admin<D> {
    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let partitions: Vec<_> = self
            .partitions
            .iter()
            .map(|partition| self.partition_status(partition))
            .collect();
        let test = self.partitions.iter().any(|p| p.clock().is_test());
        Ok(Response::new(GetStatusResponse {
            service: D::SERVICE.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            partitions,
            ready: true,
            clock: if test { "test" } else { "system" }.to_owned(),
        }))
    }

    async fn advance_clock(
        &self,
        request: Request<AdvanceClockRequest>,
    ) -> Result<Response<AdvanceClockResponse>, Status> {
        let mut fields = Fields::new();
        let to = fields.time("to", request.get_ref().to.as_ref());
        fields.finish(D::SERVICE)?;
        let mut answer = AdvanceClockResponse::default();
        for partition in self.partitions.iter() {
            let (now, fired) = partition
                .advance_clock(to)
                .await
                .map_err(|error| clock(D::SERVICE, &error))?;
            answer.now = Some(to_proto(now));
            answer.timers_fired += fired;
        }
        Ok(Response::new(answer))
    }
}

/// Records sent in one message. With the largest records that is 3.75 MiB,
/// below the 4 MiB that gRPC clients accept by default.
const CHUNK: usize = 64;
const _: () = assert!(CHUNK * event_log::RECORD_BYTES_MAX < 4 * 1024 * 1024);

pub struct Logs<D: Domain> {
    pub partitions: Partitions<D>,
    pub desk: ProofDesk,
    pub stop: CancellationToken,
}

#[tonic::async_trait]
impl<D: Domain> LogService for Logs<D> {
    type ReadStream = Parts<ReadResponse>;
    type ReadStreamStream = Parts<ReadStreamResponse>;

    async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let request = request.into_inner();
        let partition = self.partitions.get(request.partition);
        let partition = partition.ok_or_else(|| elsewhere(D::SERVICE, request.partition))?;
        let last = partition.log().last_position();
        if request.from_position > last.next().0 {
            return Err(status(
                D::SERVICE,
                Code::OutOfRange,
                "BEYOND_LOG",
                format!(
                    "the log ends at position {last}, and {} was asked for: read from {} on to \
                     wait for the next record; if you have seen more, records were lost here",
                    request.from_position,
                    last.next()
                ),
            ));
        }
        let (partition, stop) = (partition.clone(), self.stop.clone());
        Ok(Response::new(parts(D::SERVICE, |sender| {
            read(partition, request, sender, stop)
        })))
    }

    async fn read_stream(
        &self,
        request: Request<ReadStreamRequest>,
    ) -> Result<Response<Self::ReadStreamStream>, Status> {
        let request = request.into_inner();
        let partition = self.partitions.get(request.partition);
        let partition = partition.ok_or_else(|| elsewhere(D::SERVICE, request.partition))?;
        let opened = stream_service::open(partition, &request).await?;
        let stop = self.stop.clone();
        Ok(Response::new(parts(D::SERVICE, |sender| {
            stream_service::send(D::SERVICE, opened, CHUNK, sender, stop)
        })))
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let answer = self.desk.checkpoint(request.get_ref()).await?;
        Ok(Response::new(answer))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        let answer = self.desk.inclusion(request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let answer = self.desk.consistency(request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}

async fn read<D: Domain>(
    partition: Partition<D>,
    request: ReadRequest,
    sender: mpsc::Sender<Result<ReadResponse, Status>>,
    stop: CancellationToken,
) -> Result<(), Status> {
    let mut next = Position(request.from_position.max(1));
    let mut left = if request.limit == 0 {
        u64::MAX
    } else {
        request.limit
    };
    let mut released = partition.released();
    while left > 0 {
        // Nothing is read before there is room for it, so that a slow reader
        // holds one part; a dead one is found by the connection's keepalive.
        let room = tokio::select! {
            room = sender.reserve() => room,
            () = stop.cancelled() => return Err(stopping(D::SERVICE)),
        };
        let Ok(room) = room else {
            return Ok(());
        };
        // What may not be told yet is not there.
        let may_show = (released.borrow().0 + 1).saturating_sub(next.0);
        let chunk = usize::try_from(left.min(may_show))
            .unwrap_or(CHUNK)
            .min(CHUNK);
        let entries = follow::entries(&partition, next, chunk).await?;
        let Some(end) = entries.last().map(|entry| entry.position) else {
            if !request.follow {
                return Ok(());
            }
            tokio::select! {
                () = stop.cancelled() => return Err(stopping(D::SERVICE)),
                () = sender.closed() => return Ok(()),
                more = released.wait_for(|last| *last >= next) => {
                    more.map_err(|_| stopping(D::SERVICE))?;
                }
            }
            continue;
        };
        next = end.next();
        left -= entries.len() as u64;
        let part = ReadResponse {
            records: entries.into_iter().map(|e| e.bytes.to_vec()).collect(),
            last_position: released.borrow().0,
        };
        room.send(Ok(part));
    }
    Ok(())
}
