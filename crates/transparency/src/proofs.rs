//! Proofs over a stored tree: that a record is in it (inclusion) and that it
//! goes on from an earlier one (consistency), RFC 6962 sections 2.1.1 and 2.1.2.
//!
//! The prover trusts no tile: each is checked up to the root of the checkpoint
//! before a hash of it is used; what was checked is kept, see `kept_tiles.rs`.

use std::cell::RefCell;

use thiserror::Error;
use tlog_tiles::{
    Error as HashingError, Hash, HashReader, check_record, check_tree, prove_record, prove_tree,
    record_hash, split_stored_hash_index, tree_hash,
};

use crate::kept_tiles::{KeptTiles, Lookup, Nodes};
use crate::tiles::{TILE_HEIGHT, TILE_WIDTH, TilePath, TileStore};
use crate::tree::{TreeError, TreeHead, hashes_at, read_tile, tile_path};

/// Longest proof that a tree of 2^64 records can need.
pub(crate) const PROOF_HASHES_MAX: usize = 64;

/// Why a proof cannot be made or does not hold.
#[derive(Debug, Error)]
pub enum ProofError {
    #[error("record {index} is not in a tree of {size} records")]
    BeyondTree { index: u64, size: u64 },
    #[error("a tree of {new} records does not extend one of {old}")]
    Shrunk { old: u64, new: u64 },
    #[error(
        "the proof does not lead from record {index} to the root of the {}: \
         the record, its place or the proof was altered, or it is of another tree",
        head
    )]
    NotIncluded { index: u64, head: TreeHead },
    #[error(
        "the proof does not lead from the earlier tree ({old}) to the later one ({new}): \
         the log was rewritten, or the proof is of another tree"
    )]
    NotConsistent { old: TreeHead, new: TreeHead },
    #[error("{path} does not hash to what the tree has for it; rebuild it from the records")]
    DamagedTile { path: TilePath },
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// That a record is in a tree: the hashes from the leaf's sibling up.
#[derive(Debug, Clone, PartialEq)]
pub struct InclusionProof(pub Vec<Hash>);

impl InclusionProof {
    /// # Errors
    /// The record with these bytes is not at `index` (from zero) of the tree.
    pub fn check(&self, head: &TreeHead, index: u64, record: &[u8]) -> Result<(), ProofError> {
        if index >= head.size {
            let size = head.size;
            return Err(ProofError::BeyondTree { index, size });
        }
        let not_included = ProofError::NotIncluded { index, head: *head };
        if self.0.len() > PROOF_HASHES_MAX {
            return Err(not_included);
        }
        check_record(&self.0, head.size, head.root, index, record_hash(record))
            .map_err(|_| not_included)
    }
}

/// That a tree goes on from an earlier one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConsistencyProof(pub Vec<Hash>);

impl ConsistencyProof {
    /// # Errors
    /// The new tree does not begin with the records of the old one.
    pub fn check(&self, old: &TreeHead, new: &TreeHead) -> Result<(), ProofError> {
        let (old, new) = (*old, *new);
        if new.size < old.size {
            return Err(ProofError::Shrunk {
                old: old.size,
                new: new.size,
            });
        }
        let holds = match old.size {
            // Every tree begins with the empty one; there is nothing to prove.
            0 => self.0.is_empty() && old == TreeHead::EMPTY && (new.size > 0 || new == old),
            _ if self.0.len() > PROOF_HASHES_MAX => false,
            _ => check_tree(&self.0, new.size, new.root, old.size, old.root).is_ok(),
        };
        if holds {
            Ok(())
        } else {
            Err(ProofError::NotConsistent { old, new })
        }
    }
}

/// Makes proofs for one tree out of stored tiles.
pub struct Prover<S> {
    store: S,
    head: TreeHead,
    /// The partial tile of each level, checked against the root.
    edges: Vec<Nodes>,
    /// Full tiles, checked against the tile above.
    full: RefCell<KeptTiles>,
    /// What went wrong while `tlog_tiles` read hashes: its errors say less.
    failed: RefCell<Option<ProofError>>,
}

impl<S: TileStore> Prover<S> {
    /// # Errors
    /// A tile of the right edge is missing, or they give another root.
    pub fn new(store: S, head: TreeHead) -> Result<Self, ProofError> {
        let mut prover = Self {
            store,
            head: TreeHead::EMPTY,
            edges: Vec::new(),
            full: RefCell::default(),
            failed: RefCell::default(),
        };
        prover.turn_to(head)?;
        Ok(prover)
    }

    /// The tree that proofs are made for.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// Turns to a later tree of the same log, and returns the proof that it
    /// goes on from the one before. What is known of full tiles is kept.
    ///
    /// # Errors
    /// The tree does not extend the present one, or its tiles are damaged; the
    /// prover stays with the present tree.
    pub fn advance(&mut self, head: TreeHead) -> Result<ConsistencyProof, ProofError> {
        let old = self.head;
        if head.size < old.size {
            return Err(ProofError::Shrunk {
                old: old.size,
                new: head.size,
            });
        }
        let edges = std::mem::take(&mut self.edges);
        let proof = self.turn_to(head).and_then(|()| {
            let proof = self.consistency(old.size)?;
            proof.check(&old, &head)?;
            Ok(proof)
        });
        if proof.is_err() {
            self.head = old;
            self.edges = edges;
            // Tiles read since may belong to the refused tree.
            self.full.borrow_mut().clear();
        }
        proof
    }

    fn turn_to(&mut self, head: TreeHead) -> Result<(), ProofError> {
        let mut edges = Vec::new();
        for level in 0.. {
            let count = hashes_at(head.size, level);
            if count == 0 {
                break;
            }
            let width = (count % u64::from(TILE_WIDTH)) as u16;
            edges.push(match width {
                0 => Nodes::default(),
                _ => {
                    let path = tile_path(level, count >> TILE_HEIGHT, width);
                    Nodes::of(&read_tile(&self.store, path)?)
                }
            });
        }
        self.head = head;
        self.edges = edges;
        let found = self.root_at(head.size)?;
        if found == head.root {
            return Ok(());
        }
        let expected = head;
        Err(TreeError::RootDiffers { expected, found }.into())
    }

    /// Root of the tree when it had `size` records.
    ///
    /// # Errors
    /// It never had as many yet, or tiles are missing or damaged.
    pub fn root_at(&self, size: u64) -> Result<Hash, ProofError> {
        self.check_size(size)?;
        self.run(|| tree_hash(size, self))
    }

    /// Proof that the record at `index`, from zero, is in the tree.
    ///
    /// # Errors
    /// It has no such record, or tiles are missing or damaged.
    pub fn inclusion(&self, index: u64) -> Result<InclusionProof, ProofError> {
        let size = self.head.size;
        if index >= size {
            return Err(ProofError::BeyondTree { index, size });
        }
        self.run(|| prove_record(size, index, self))
            .map(InclusionProof)
    }

    /// Proof that the tree goes on from what it was at `size` records.
    ///
    /// # Errors
    /// It never had as many yet, or tiles are missing or damaged.
    pub fn consistency(&self, size: u64) -> Result<ConsistencyProof, ProofError> {
        self.check_size(size)?;
        if size == 0 {
            return Ok(ConsistencyProof::default());
        }
        self.run(|| prove_tree(self.head.size, size, self))
            .map(ConsistencyProof)
    }

    fn check_size(&self, size: u64) -> Result<(), ProofError> {
        if size <= self.head.size {
            return Ok(());
        }
        Err(ProofError::Shrunk {
            old: size,
            new: self.head.size,
        })
    }

    fn run<T>(&self, make: impl FnOnce() -> Result<T, HashingError>) -> Result<T, ProofError> {
        make().map_err(|_| {
            let failed = self.failed.borrow_mut().take();
            failed.expect("hashes are only asked for within the tree, and reading says why not")
        })
    }

    fn node(&self, level: u8, n: u64) -> Result<Hash, ProofError> {
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let index = n >> (TILE_HEIGHT - height);
        let within = n - (index << (TILE_HEIGHT - height));
        let beyond = || ProofError::BeyondTree {
            index: n,
            size: self.head.size,
        };
        let full_tiles = hashes_at(self.head.size, tile_level) >> TILE_HEIGHT;
        if index >= full_tiles {
            let edge = self.edges.get(usize::from(tile_level));
            return edge
                .and_then(|edge| edge.at(height, within))
                .ok_or_else(beyond);
        }
        let place = (tile_level, index);
        let path = tile_path(tile_level, index, TILE_WIDTH);
        let found = self.full.borrow().find(place, height, within);
        match found {
            Lookup::Node(node) => return node.ok_or_else(beyond),
            Lookup::BelowCrown => {
                let tile = read_tile(&self.store, path)?;
                let mut full = self.full.borrow_mut();
                let node = full.below_crown(place, height, within, &tile);
                return node.ok_or(ProofError::DamagedTile { path });
            }
            Lookup::Unknown => {}
        }
        let nodes = Nodes::of(&read_tile(&self.store, path)?);
        let above = self.node((tile_level + 1) * TILE_HEIGHT, index)?;
        if nodes.at(TILE_HEIGHT, 0) != Some(above) {
            return Err(ProofError::DamagedTile { path });
        }
        let hash = nodes.at(height, within).ok_or_else(beyond);
        self.full.borrow_mut().keep(place, nodes);
        hash
    }
}

impl<S: TileStore> HashReader for Prover<S> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, HashingError> {
        let read = |at: &u64| {
            let (level, n) = split_stored_hash_index(*at);
            self.node(level, n)
        };
        let hashes: Result<_, _> = indexes.iter().map(read).collect();
        hashes.map_err(|error| {
            *self.failed.borrow_mut() = Some(error);
            HashingError::InconsistentTile
        })
    }
}
