//! `LogService.ReadStream`: the records of one entity over gRPC.

use decider::{Domain, Position, Revision, Service, StreamId, is_code};
use proto::log::v1::{ReadStreamRequest, ReadStreamResponse};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::{
    fields::{Fields, shown},
    partition::{
        Partition, QueryError,
        indexer::IndexerError,
        stream_reader::{StreamError, StreamReader, StreamRecord},
    },
    status::{self, retry, status},
};

/// A stream that is there, and how much of it is wanted.
pub struct Opened {
    reader: StreamReader,
    left: u64,
}

/// Finds the stream that a request asks for.
///
/// # Errors
/// INVALID_ARGUMENT: `stream` is none. NOT_FOUND: it has no record.
/// OUT_OF_RANGE: it does not reach to `from_revision`, or the log not to
/// `up_to_position`. UNAVAILABLE: the index does not come up in time, or is
/// damaged, or (with replicated durability) the JetStream stream has not
/// acknowledged `up_to_position` in time.
pub async fn open<D: Domain>(
    partition: &Partition<D>,
    request: &ReadStreamRequest,
) -> Result<Opened, Status> {
    let stream = stream(D::SERVICE, &request.stream)?;
    let up_to = (request.up_to_position > 0).then_some(Position(request.up_to_position));
    let from = Revision(request.from_revision);
    let reader = partition.read_stream(stream, from, up_to).await;
    let left = match request.limit {
        0 => u64::MAX,
        limit => limit,
    };
    match reader {
        Ok(reader) => Ok(Opened { reader, left }),
        Err(error) => Err(refuse(D::SERVICE, &error)),
    }
}

/// Sends what is wanted of it in parts of at most `chunk` records, at least one
/// part.
///
/// # Errors
/// DATA_LOSS: the log cannot be read. UNAVAILABLE: the index is damaged, or the
/// service shuts down.
pub async fn send(
    service: Service,
    mut opened: Opened,
    chunk: usize,
    sender: mpsc::Sender<Result<ReadStreamResponse, Status>>,
    stop: CancellationToken,
) -> Result<(), Status> {
    let mut first = true;
    loop {
        let wanted = usize::try_from(opened.left).unwrap_or(chunk).min(chunk);
        let reading = tokio::task::spawn_blocking(move || {
            let records = opened.reader.read(wanted);
            (opened, records)
        });
        let records;
        (opened, records) = reading.await.map_err(|_| stopping(service))?;
        let records = records.map_err(|error| unreadable(service, &error))?;
        let is_last = records.len() < wanted;
        opened.left -= records.len() as u64;
        if !records.is_empty() || first {
            let part = part(records, opened.reader.end());
            tokio::select! {
                sent = sender.send(Ok(part)) => {
                    if sent.is_err() {
                        return Ok(());
                    }
                }
                () = stop.cancelled() => return Err(stopping(service)),
            }
        }
        if is_last || opened.left == 0 {
            return Ok(());
        }
        first = false;
    }
}

fn part(records: Vec<StreamRecord>, end: Position) -> ReadStreamResponse {
    let voided = records.iter().filter(|record| record.voided);
    ReadStreamResponse {
        voided_positions: voided.map(|record| record.entry.position.0).collect(),
        last_position: end.0,
        records: records
            .into_iter()
            .map(|record| record.entry.bytes.to_vec())
            .collect(),
    }
}

fn stream(service: Service, text: &str) -> Result<StreamId, Status> {
    let parsed = StreamId::parse(text).ok();
    let parsed = parsed.filter(|stream| is_code(stream.category()) && is_code(stream.id()));
    parsed.ok_or_else(|| {
        let mut fields = Fields::new();
        let why = match text {
            "" => "is needed, for example order/01J9Z2".to_owned(),
            text => format!(
                "`{}` is no stream; <category>/<id> is needed, for example order/01J9Z2, each of 1 \
                 to 64 characters of A-Z a-z 0-9 _ . -, the first a letter or digit",
                shown(text)
            ),
        };
        fields.wrong("stream", why);
        fields.finish(service).expect_err("a violation was added")
    })
}

fn refuse(service: Service, error: &StreamError) -> Status {
    let message = error.to_string();
    match error {
        StreamError::Unknown(_) => status(service, Code::NotFound, "STREAM_UNKNOWN", message),
        StreamError::Beyond { .. } => status(service, Code::OutOfRange, "BEYOND_STREAM", message),
        StreamError::Behind { .. } => retry(service, Code::Unavailable, "INDEX_BEHIND", message),
        StreamError::Query(error) => unreadable(service, error),
    }
}

fn unreadable(service: Service, error: &QueryError) -> Status {
    match error {
        QueryError::Indexer(IndexerError::Index(damaged)) => {
            tracing::error!(error = %damaged, "the stream index cannot be read");
            let message = format!(
                "the stream index cannot be read, and is made anew when the service starts next; \
                 until then, LogService.Read gives the whole log: {damaged}"
            );
            retry(service, Code::Unavailable, "INDEX_DAMAGED", message)
        }
        QueryError::Log(_) | QueryError::Indexer(_) => {
            tracing::error!(%error, "the event log cannot be read");
            let message = error.to_string();
            status(service, Code::DataLoss, "LOG_UNREADABLE", message)
        }
        other => status::query(service, other),
    }
}

/// The service ends while it answers.
pub fn stopping(service: Service) -> Status {
    retry(
        service,
        Code::Unavailable,
        "SHUTTING_DOWN",
        "the service is shutting down; read on from where you are when it is back",
    )
}
