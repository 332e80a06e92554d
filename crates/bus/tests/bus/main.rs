//! The bus against a real nats-server. Each test has a server and a directory
//! of its own.

mod cluster;
mod key_bucket;
mod reading;
mod rebuild;
mod relay;
mod server;
mod stream;
mod subscription;
mod support;
