//! The notary of a log in memory, and witnesses over HTTP, with their files in
//! temporary folders.

mod bench;
mod cosigning;
mod signing;
mod start;
mod witness;
