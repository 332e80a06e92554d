//! What the crate promises, module by module, seen from outside.

mod checkpoint;
mod keys;
mod policy;
mod proofs;
mod receipt;
mod support;
mod tiles;
mod tree;
mod witness;
