//! The whole service on a real nats-server: the facts of other services come
//! over the bus, messages go out to a robot, callers come over gRPC.

mod erasing;
mod feed;
mod ladder;
mod requests;
mod robot;
mod sending;
mod site;
