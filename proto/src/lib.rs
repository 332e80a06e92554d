//! The suite's protobuf messages, its event sets, and the record envelope.
//!
//! One definition serves all: the messages below are what goes over gRPC, what
//! stands in the event logs and what goes over the bus. This crate contains no
//! rules and performs no I/O.

mod again;
pub mod codec;
pub mod events;
pub mod receipts;
pub mod record;
pub mod requests;
pub mod time;
pub mod unit;
pub mod upcast;
pub mod view;
mod wire;

macro_rules! packages {
    ($($package:ident = $name:literal),*) => {
        $(
            pub mod $package {
                pub mod v1 {
                    #![allow(clippy::all, missing_docs)]
                    tonic::include_proto!($name);
                }
            }
        )*
    };
}

packages!(
    access = "baogong.access.v1",
    types = "baogong.types.v1",
    log = "baogong.log.v1",
    admin = "baogong.admin.v1",
    order = "baogong.order.v1",
    inventory = "baogong.inventory.v1",
    logistics = "baogong.logistics.v1",
    notification = "baogong.notification.v1"
);

pub use events::{AnyEvent, InventoryEvent, LogisticsEvent, NotificationEvent, OrderEvent};

/// The compiled `FileDescriptorSet` of all protos, for reflection, audits and
/// the compatibility test.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
