//! What a partition promises: to its callers, of commands that count whole or
//! not at all, and of the states that it writes down.

mod following;
mod history;
mod index;
mod promises;
mod snapshots;
mod streams;
mod toy;
mod units;
