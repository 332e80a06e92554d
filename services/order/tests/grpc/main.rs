//! The whole service on a real nats-server: what it refuses, and how it says
//! so; what it answers again; what it tells of the past and proves; what nobody may read.

mod access;
mod ask;
mod desk;
mod erasing;
mod fields;
mod follow;
mod group_buys;
mod hand_over;
mod http;
mod lists;
mod logistics;
mod one_stream;
mod past;
mod proofs;
mod repeats;
mod secrets;
mod unknown;
