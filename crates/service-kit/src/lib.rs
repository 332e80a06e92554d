//! What every service is made of: the partition's runtime, configuration,
//! telemetry, the gRPC server with its manners, and the supervisor.
//!
//! It knows no business rule; a service brings its domain (see `decider`) and
//! its gRPC handlers. The way of a command: a handler parses the request
//! ([`call`], [`fields`]), [`partition::Partition::submit`] queues it, the
//! partition's writer decides it, stores the records and answers; the relay
//! publishes them; other services' [`reactor`]s take them in.

pub mod access;
pub mod admin;
mod allocator;
pub mod call;
pub mod cli;
pub mod clock;
pub mod config;
pub mod durable_file;
pub mod edge;
pub mod fields;
pub mod follow;
pub mod gauges;
pub mod history;
pub mod host;
pub mod http;
pub mod log_paths;
pub mod notary;
pub mod outbox;
pub mod page;
pub mod partition;
pub mod peers;
pub mod proof_service;
pub mod reactor;
#[doc(hidden)]
pub mod readers;
pub mod reconcile;
pub mod sealing;
pub mod status;
pub mod stream_service;
pub mod supervisor;
pub mod telemetry;
pub mod tls;
pub mod witness;
