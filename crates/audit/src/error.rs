//! Why an audit could not be carried out. What an audit finds is not an error:
//! it stands in the reports.

use std::path::PathBuf;

use decider::Service;
use event_log::LogError;

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
        "{service} does not answer at {address}: is the suite running? Copied logs are read \
         with --logs"
    )]
    Unreachable {
        service: Service,
        address: String,
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
    #[error("the address of NATS cannot be used")]
    Nats(#[source] bus::BusError),
    #[error(
        "no order {0} in these logs: copy its id from the answer of PlaceOrder, or look it up with \
         GetOrder or ListOrders of baogong.order.v1.OrderService"
    )]
    UnknownOrder(String),
    #[error("reading the log {0} was interrupted")]
    Interrupted(LogName),
}
