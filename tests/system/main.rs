//! System tests: real processes, a real NATS server, real logs.

mod conformance;
mod day;
mod disk_loss;
mod fencing;
mod kills;
mod partners;
mod privacy;
mod restore;
mod services;
mod tls;
mod trace;
mod witnesses;
