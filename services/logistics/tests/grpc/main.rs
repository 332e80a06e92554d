//! The whole service on a real nats-server: parcels and recalls come over the
//! bus, the checkpoint, the dispatcher and the members come over gRPC.

mod ask;
mod day;
mod feed;
mod masking;
mod pages;
mod partner;
mod proofs;
mod recall;
mod receiver;
mod refusals;
mod repeats;
mod reports;
mod routes;
mod site;
mod uploads;
mod webhooks;
