//! System tests: real processes, a real NATS server, real logs.

mod day;
mod kills;
mod services;
mod trace;
mod witnesses;
