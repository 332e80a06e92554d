//! The audit, on small histories made record by record, and on what breaks
//! them.

mod breaks;
mod commands;
mod directories;
mod replay;
mod replica;
mod running;
mod scale;
mod suite;
