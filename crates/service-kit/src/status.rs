//! Errors as callers see them: `google.rpc.Status` with details (AIP-193).
//!
//! Every status carries an `ErrorInfo` whose `reason` is stable and whose
//! domain is `<service>.baogong`; a bad field is named in `BadRequest`, a full
//! queue says in `RetryInfo` when to come back.

use std::{collections::HashMap, time::Duration};

use decider::{Rejected, Service};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::fields::Fields;
use crate::partition::{ClockError, QueryError, SubmitError, machine::Refusal};

/// When a caller may come back after a full queue.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// The gRPC code of each rejection: one exhaustive match in each service.
pub type RejectionCode<R> = fn(&R) -> Code;

/// A status with its `ErrorInfo`.
#[must_use]
pub fn status(service: Service, code: Code, reason: &str, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(
        reason,
        format!("{service}.baogong"),
        HashMap::<String, String>::new(),
    );
    Status::with_error_details(code, message, details)
}

/// A status of a queue or connection that will recover.
#[must_use]
pub fn retry(service: Service, code: Code, reason: &str, message: impl Into<String>) -> Status {
    retry_in(service, code, reason, message, RETRY_AFTER)
}

/// A status of what is possible again after this time.
#[must_use]
pub fn retry_in(
    service: Service,
    code: Code,
    reason: &str,
    message: impl Into<String>,
    after: Duration,
) -> Status {
    let mut details = ErrorDetails::with_error_info(
        reason,
        format!("{service}.baogong"),
        HashMap::<String, String>::new(),
    );
    details.set_retry_info(Some(after));
    Status::with_error_details(code, message, details)
}

/// What was asked for is not there; or `id` could be of nothing at all, which
/// is the request's fault and names its `field`.
#[must_use]
pub fn not_found(service: Service, what: &str, field: &str, id: &str) -> Status {
    let mut fields = Fields::new();
    fields.code(field, id);
    if let Err(malformed) = fields.finish(service) {
        return malformed;
    }
    status(
        service,
        Code::NotFound,
        &format!("{}_UNKNOWN", what.to_uppercase().replace(' ', "_")),
        format!("there is no {what} `{id}` in this area"),
    )
}

pub fn submit<R: Rejected>(
    service: Service,
    error: &SubmitError<R>,
    code: RejectionCode<R>,
) -> Status {
    let message = error.to_string();
    match error {
        SubmitError::Refused(Refusal::Rejected(rejection)) => {
            status(service, code(rejection), rejection.reason(), message)
        }
        SubmitError::Refused(Refusal::RequestIdReused { .. }) => {
            status(service, Code::AlreadyExists, "REQUEST_ID_REUSED", message)
        }
        SubmitError::Refused(Refusal::RevisionMismatch { .. }) => {
            status(service, Code::Aborted, "REVISION_MISMATCH", message)
        }
        SubmitError::Refused(Refusal::TooLarge { .. }) => {
            status(service, Code::OutOfRange, "TOO_LARGE", message)
        }
        SubmitError::QueueFull { .. } => {
            retry(service, Code::ResourceExhausted, "QUEUE_FULL", message)
        }
        SubmitError::ReplicaBehind { .. } => {
            retry(service, Code::ResourceExhausted, "REPLICA_BEHIND", message)
        }
        SubmitError::NotReplicated { .. } => {
            retry(service, Code::Unavailable, "NOT_REPLICATED", message)
        }
        SubmitError::Stopped => retry(service, Code::Unavailable, "SHUTTING_DOWN", message),
        SubmitError::DeadlinePassed => {
            status(service, Code::DeadlineExceeded, "DEADLINE_PASSED", message)
        }
        SubmitError::Unreadable(_) => {
            tracing::error!(%error, "a repeated request cannot be answered");
            status(service, Code::Internal, "LOG_UNREADABLE", message)
        }
        SubmitError::Log(_) => retry(service, Code::Unavailable, "LOG_FAILED", message),
    }
}

#[must_use]
pub fn query(service: Service, error: &QueryError) -> Status {
    let message = error.to_string();
    match error {
        QueryError::NotYet { .. } => retry(service, Code::Unavailable, "NOT_YET", message),
        QueryError::NotReplicated { .. } => {
            retry(service, Code::Unavailable, "NOT_REPLICATED", message)
        }
        QueryError::NotRecorded { .. } => {
            status(service, Code::OutOfRange, "POSITION_NOT_RECORDED", message)
        }
        QueryError::Busy => retry(service, Code::ResourceExhausted, "PAST_BUSY", message),
        QueryError::Stopped => retry(service, Code::Unavailable, "SHUTTING_DOWN", message),
        QueryError::NoIndex => status(service, Code::FailedPrecondition, "NO_INDEX", message),
        QueryError::Log(_) | QueryError::Replay(_) | QueryError::Indexer(_) => {
            tracing::error!(%error, "a query failed on the event log");
            status(service, Code::Internal, "LOG_UNREADABLE", message)
        }
    }
}

#[must_use]
pub fn clock(service: Service, error: &ClockError) -> Status {
    let message = error.to_string();
    match error {
        ClockError::SystemClock => {
            status(service, Code::FailedPrecondition, "SYSTEM_CLOCK", message)
        }
        ClockError::Stopped => retry(service, Code::Unavailable, "SHUTTING_DOWN", message),
    }
}
