//! The whole service on a real nats-server: orders come over the bus, people
//! who buy, pick and load come over gRPC.

mod feed;
mod goods;
mod lists;
mod procurement;
mod refusals;
mod store;
mod surplus;
