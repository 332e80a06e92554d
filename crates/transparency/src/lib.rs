//! Provable history: a log's records as the leaves of an RFC 6962 Merkle tree,
//! its signed checkpoints, other parties' cosignatures of them, and receipts
//! that a recipient checks offline with public keys only.
//!
//! The formats are those of C2SP (tlog-tiles, tlog-checkpoint, signed-note,
//! tlog-cosignature, tlog-witness, tlog-policy, tlog-proof), so that existing
//! transparency-log tools can read what we serve.
//!
//! What this is not: it reads no file, clock, socket or random source. Tiles go
//! through [`TileStore`], time and entropy are arguments, and whoever owns a
//! state machine here ([`CheckpointSigner`], [`Witness`]) persists its state
//! before letting its answer out. Hashing is done by `tlog_tiles` alone.

mod checkpoint;
mod cosign;
mod kept_tiles;
mod keys;
mod log_keys;
mod origin;
mod policy;
mod policy_file;
mod proofs;
mod receipt;
mod receipt_text;
mod signer;
mod state_digest;
mod tiles;
mod tree;
mod witness;
mod witness_request;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosign::{UnixSeconds, cosign, cosigned_time};
pub use keys::{KeyError, KeyId, KeyLabel, KeyUse, PublicKey, SecretKey};
pub use log_keys::{LogKeys, Validity};
pub use origin::{Origin, OriginError};
pub use policy::{Cosigned, Met, NotMet, Policy};
pub use policy_file::{PolicyError, PolicyFault};
pub use proofs::{ConsistencyProof, InclusionProof, ProofError, Prover};
pub use receipt::{Entry, Failure, FailureKind, Proven, Receipt, ReceiptError};
pub use signed_note::Signature;
pub use signer::{CheckpointSigner, SignError};
pub use state_digest::{BadStateDigest, StateDigest};
pub use tiles::{
    BadTilePath, MemoryTiles, RecordTooLong, StoreError, TileKind, TilePath, TileStore,
    decode_entries, encode_entries,
};
pub use tlog_tiles::{Hash, record_hash};
pub use tree::{Tree, TreeError, TreeHead};
pub use witness::{Pending, Refusal, Witness};
pub use witness_request::{AddCheckpoint, RequestError};
