//! The notary of a log in memory, with its files in a temporary folder.

mod bench;
mod signing;
mod start;
