//! A log and its stream, against a real nats-server: restoring, durability,
//! and what readers do with a stream that has lost something.

mod durability;
mod raw;
mod reading;
mod restore;
mod site;
mod support;
