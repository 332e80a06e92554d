//! The bus between services, and the replica of each service's event log.
//!
//! One JetStream stream per service partition holds the partition's event log
//! message for record: message *k* is the record at position *k*. This crate
//! creates and checks those streams ([`Bus`]), feeds them ([`Relay`]), reads
//! them ([`Bus::read`], [`Reading`], [`Subscription`]), keeps data keys that must be
//! forgettable ([`KeyBucket`]) and notes that are written over ([`Register`]).
//!
//! It is not a message queue in the usual sense: there are no acknowledgements
//! by consumers, no redelivery and no deduplication window. Whoever subscribes
//! keeps its own position. Payloads and CloudEvents headers are the caller's.
//!
//! Architecture invariants: this is the only crate that knows async-nats, and
//! no type of async-nats is in its public interface. Positions are plain `u64`
//! here, 1-based and gapless. The bus is never trusted for durability: what it
//! has lost is published to it again from the log.

mod connection;
mod error;
mod key_bucket;
mod message;
mod names;
mod reading;
mod register;
mod relay;
pub mod server;
mod settings;
mod stream;
mod subscription;

pub use connection::{Bus, BusOptions};
pub use error::{BoxError, BusError};
pub use key_bucket::{Kept, KeyBucket};
pub use message::{Bare, Message, OutMessage};
pub use names::{StreamName, subject};
pub use reading::Reading;
pub use register::Register;
pub use relay::{Outbox, Relay};
pub use stream::StreamState;
pub use subscription::Subscription;
