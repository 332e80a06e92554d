//! System tests: real processes, a real NATS server, real logs.

mod day;
mod kills;
mod privacy;
mod services;
mod trace;
