//! The audit, on small histories made record by record, and on what breaks
//! them.

mod breaks;
mod directories;
mod replay;
mod replica;
mod running;
mod suite;
