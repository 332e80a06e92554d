//! Why an audit could not be carried out. What an audit finds is not an error:
//! it stands in the reports.

use std::path::PathBuf;

use decider::{Position, Service, Source};
use event_log::LogError;
use service_kit::peers::client::TlsArgs;
use transparency::{CheckpointError, Origin, PolicyError, ProofError, ReceiptError};

use crate::history::LogName;

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(
        "{} cannot be read: start the suite with `baogong up`, name its file with --suite, its \
         services with --endpoint, or a folder with copied logs with --logs", path.display()
    )]
    SuiteFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} does not describe a running suite: {why}", path.display())]
    SuiteFormat { path: PathBuf, why: String },
    #[error("`{0}` is not <service>=<address>, for example order=http://127.0.0.1:7401")]
    Endpoint(String),
    #[error(
        "nothing says where {0} is; the audit needs all four services, since each one's causes \
         are in the others' logs"
    )]
    NoService(Service),
    #[error(
        "{service} does not answer at {address}: is the suite running?{} Copied logs are read \
         with --logs", tls.hint()
    )]
    Unreachable {
        service: Service,
        address: String,
        /// As it was called.
        tls: Box<TlsArgs>,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{log} cannot be read from {address}: {}", status.message())]
    Read {
        log: LogName,
        address: String,
        status: Box<tonic::Status>,
    },
    #[error(
        "{} holds no log of {service}: a folder <service>/<partition> is wanted there for each of \
         order, inventory, logistics and notification", directory.display()
    )]
    NoLog {
        directory: PathBuf,
        service: Service,
    },
    #[error("the log {log} cannot be opened")]
    Log {
        log: LogName,
        #[source]
        source: LogError,
    },
    #[error("{} cannot be listed", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("NATS does not answer within seconds; leave INV-10 out with --without-nats")]
    NatsUnreachable,
    #[error("the stream of {log} cannot be read; leave INV-10 out with --without-nats")]
    Stream {
        log: LogName,
        #[source]
        source: bus::BusError,
    },
    #[error(
        "there is no stream of {0} on this NATS server; the audit needs those of all four services"
    )]
    NoStream(Service),
    #[error("the address of NATS cannot be used")]
    Nats(#[source] bus::BusError),
    #[error(
        "no order {0} in these logs: copy its id from the answer of PlaceOrder, or look it up with \
         GetOrder or ListOrders of baogong.order.v1.OrderService"
    )]
    UnknownOrder(String),
    #[error("reading the log {0} was interrupted")]
    Interrupted(LogName),
    #[error("{} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is no policy to judge by", path.display())]
    Policy {
        path: PathBuf,
        #[source]
        source: PolicyError,
    },
    #[error("note {number} in {} is no checkpoint", path.display())]
    Note {
        path: PathBuf,
        /// From 1.
        number: usize,
        #[source]
        source: CheckpointError,
    },
    #[error(
        "{} holds two checkpoints of {log}; give what you saw last time, once", path.display()
    )]
    NoteTwice { path: PathBuf, log: LogName },
    #[error("{} holds no checkpoint: {why}", path.display())]
    NoNotes { path: PathBuf, why: &'static str },
    #[error("{log} has no checkpoint to prove against: {why}")]
    NoCheckpoint { log: LogName, why: String },
    #[error("the checkpoint that {log} has let out does not read")]
    BadCheckpoint {
        log: LogName,
        #[source]
        source: CheckpointError,
    },
    #[error("what {log} has let out is a checkpoint of another log, {found}")]
    OtherCheckpoint { log: LogName, found: Origin },
    #[error(
        "{record} is not covered by a checkpoint yet: the newest that is here covers {size} \
         records; wait for the next one, or take a later copy"
    )]
    NotCovered { record: Source, size: u64 },
    #[error(
        "nothing can be proven of {log}: its records do not make the tree of its checkpoint; \
         `baogong audit verify` says more"
    )]
    OtherTree {
        log: LogName,
        #[source]
        source: ProofError,
    },
    #[error("the proof that the service gave for {record} does not hold")]
    BadProof {
        record: Source,
        #[source]
        source: ProofError,
    },
    #[error("{} is not accepted as a receipt", path.display())]
    Receipt {
        path: PathBuf,
        #[source]
        source: ReceiptError,
    },
    #[error("{} is refused: {why}", path.display())]
    Bundle { path: PathBuf, why: String },
    #[error("{} is not empty; a bundle is written into a directory of its own", .0.display())]
    NotEmpty(PathBuf),
    #[error(
        "no log has a stream {stream}{}; a stream is <category>/<id>, for example order/01J9Z…",
        if known.is_empty() { String::new() }
        else { format!(": the {category} streams that begin alike are {}", known.join(", ")) }
    )]
    UnknownStream {
        stream: String,
        category: String,
        /// A few that may be meant.
        known: Vec<String>,
    },
    #[error(
        "`{0}` is neither a position in the log, for example 1127, nor a time in RFC 3339 with its \
         zone, for example 2022-09-02T08:00:00+08:00"
    )]
    Moment(String),
    #[error("`{0}` is no time in RFC 3339 with its zone, for example 2022-09-02T08:00:00+08:00")]
    Time(String),
    #[error("`{0}` is no area; an area is a code of 9 digits, for example 632725100")]
    Area(String),
    #[error("the span ends ({to}) before it begins ({from})")]
    Span { from: String, to: String },
    #[error("{log} ends at position {end}; {asked} is not recorded yet")]
    Beyond {
        log: LogName,
        end: Position,
        asked: Position,
    },
    #[error("there is no log {0} here")]
    NoSuchLog(String),
}
