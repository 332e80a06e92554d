//! The growing tree: takes records, knows its root, hands complete and partial
//! tiles to a store, and goes on after a restart from the stored tiles of its
//! right edge alone.
//!
//! It does not read the log and does not know what is durable: whoever feeds it
//! appends only records that can no longer be lost.

use std::fmt;

use thiserror::Error;
use tlog_tiles::{
    Error as HashingError, HASH_SIZE, Hash, HashReader, Tile, record_hash, stored_hash_index,
    stored_hashes_for_record_hash, sub_tree_index, tree_hash,
};

use crate::tiles::{StoreError, TILE_HEIGHT, TILE_WIDTH, TilePath, TileStore};

/// Tile levels that a tree of up to 2^64 records can have.
const LEVELS: u8 = 64 / TILE_HEIGHT;

/// A tree of `size` records with this root.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TreeHead {
    /// Records, not bytes.
    pub size: u64,
    pub root: Hash,
}

impl Eq for TreeHead {}

impl TreeHead {
    pub const EMPTY: Self = Self {
        size: 0,
        root: tlog_tiles::EMPTY_HASH,
    };
}

impl fmt::Display for TreeHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records, root {}", self.size, self.root)
    }
}

/// Why a tree cannot go on from stored tiles.
#[derive(Debug, Error)]
pub enum TreeError {
    #[error("a tile of the tree cannot be read")]
    Store(#[from] StoreError),
    #[error("{path} is not stored; rebuild the tree from the records")]
    MissingTile { path: TilePath },
    #[error("{path} has {found} bytes instead of {expected}; rebuild the tree from the records")]
    WrongLength {
        path: TilePath,
        expected: usize,
        found: usize,
    },
    #[error(
        "the stored tiles give root {found} for {} records, the checkpoint says {}; \
         rebuild the tree from the records and compare",
        expected.size, expected.root
    )]
    RootDiffers { expected: TreeHead, found: Hash },
}

/// The rightmost tile of a level while it grows.
#[derive(Debug, Clone, Default)]
struct Edge {
    index: u64,
    bytes: Vec<u8>,
    stored_width: u16,
}

impl Edge {
    fn width(&self) -> u16 {
        u16::try_from(self.bytes.len() / HASH_SIZE).unwrap_or(TILE_WIDTH)
    }
}

/// The Merkle tree of one log.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    size: u64,
    /// Roots of the largest complete subtrees, left to right, with their index
    /// in the stored order of `tlog_tiles`: all that appending reads.
    frontier: Vec<(u64, Hash)>,
    edges: Vec<Edge>,
    /// Complete since the last [`Tree::save`].
    complete: Vec<(TilePath, Vec<u8>)>,
}

struct Frontier<'t>(&'t [(u64, Hash)]);

impl HashReader for Frontier<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, HashingError> {
        let find = |index: &u64| {
            let mut newest_first = self.0.iter().rev();
            newest_first
                .find(|(at, _)| at == index)
                .map(|(_, hash)| *hash)
                .ok_or(HashingError::IndexesNotInTree)
        };
        indexes.iter().map(find).collect()
    }
}

pub(crate) fn tile_path(level: u8, index: u64, width: u16) -> TilePath {
    TilePath::hashes(level, index, width).expect("levels below 8 and widths of 1 to 256")
}

/// Stored bytes of the tile, of the right length.
pub(crate) fn read_tile<S: TileStore>(store: &S, path: TilePath) -> Result<Vec<u8>, TreeError> {
    let bytes = store.get(&path)?.ok_or(TreeError::MissingTile { path })?;
    let expected = usize::from(path.width()) * HASH_SIZE;
    if bytes.len() == expected {
        return Ok(bytes);
    }
    Err(TreeError::WrongLength {
        path,
        expected,
        found: bytes.len(),
    })
}

/// Hashes that a tree of `size` records has at a tile level.
pub(crate) fn hashes_at(size: u64, level: u8) -> u64 {
    if level < LEVELS {
        size >> (TILE_HEIGHT * level)
    } else {
        0
    }
}

impl Tree {
    /// A tree without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on from a saved tree: reads at most one tile of each level.
    ///
    /// # Errors
    /// A tile is missing or damaged, or the tiles give another root.
    pub fn open<S: TileStore>(store: &S, head: TreeHead) -> Result<Self, TreeError> {
        let size = head.size;
        let mut edges = Vec::new();
        for level in (0..LEVELS).take_while(|level| hashes_at(size, *level) > 0) {
            let count = hashes_at(size, level);
            let index = count >> TILE_HEIGHT;
            let width = (count % u64::from(TILE_WIDTH)) as u16;
            let bytes = match width {
                0 => Vec::new(),
                _ => read_tile(store, tile_path(level, index, width))?,
            };
            edges.push(Edge {
                index,
                bytes,
                stored_width: width,
            });
        }
        let mut frontier = Vec::new();
        for at in sub_tree_index(0, size, Vec::new()) {
            let tile = Tile::from_index(TILE_HEIGHT, at);
            let edge = &edges[usize::from(tile.level())];
            let hash = tile
                .hash_at_index(&edge.bytes, at)
                .expect("the rightmost tiles hold the complete subtrees");
            frontier.push((at, hash));
        }
        let tree = Self {
            size,
            frontier,
            edges,
            complete: Vec::new(),
        };
        let found = tree.head().root;
        if found == head.root {
            Ok(tree)
        } else {
            Err(TreeError::RootDiffers {
                expected: head,
                found,
            })
        }
    }

    /// Appends a record and returns its leaf hash.
    pub fn append(&mut self, record: &[u8]) -> Hash {
        let leaf = record_hash(record);
        self.append_leaf(leaf);
        leaf
    }

    /// Appends a record of which the leaf hash is known.
    pub fn append_leaf(&mut self, leaf: Hash) {
        let n = self.size;
        let hashes = stored_hashes_for_record_hash(n, leaf, &Frontier(&self.frontier))
            .expect("the frontier holds every subtree that a new leaf completes");
        // The leaf and, for each subtree that it completes, one hash more.
        let height = hashes.len() - 1;
        self.frontier.truncate(self.frontier.len() - height);
        let level = u8::try_from(height).expect("a tree is at most 64 high");
        self.frontier
            .push((stored_hash_index(level, n >> level), hashes[height]));
        for (level, hash) in hashes.iter().step_by(TILE_HEIGHT.into()).enumerate() {
            self.extend_edge(level, hash);
        }
        self.size += 1;
    }

    fn extend_edge(&mut self, level: usize, hash: &Hash) {
        if self.edges.len() == level {
            self.edges.push(Edge::default());
        }
        let edge = &mut self.edges[level];
        edge.bytes.extend(hash.0);
        if edge.width() == TILE_WIDTH {
            let level = u8::try_from(level).expect("a tree has at most 8 tile levels");
            let path = tile_path(level, edge.index, TILE_WIDTH);
            let next = Edge {
                index: edge.index + 1,
                ..Edge::default()
            };
            let full = std::mem::replace(edge, next);
            self.complete.push((path, full.bytes));
        }
    }

    /// Records so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Size and root.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        let root = tree_hash(self.size, &Frontier(&self.frontier))
            .expect("the frontier holds every complete subtree");
        TreeHead {
            size: self.size,
            root,
        }
    }

    /// Tiles that [`Tree::save`] would store: complete ones first, then the
    /// partial ones that grew.
    pub fn unsaved(&self) -> impl Iterator<Item = (TilePath, &[u8])> {
        let complete = self
            .complete
            .iter()
            .map(|(path, bytes)| (*path, &bytes[..]));
        let partial = self.edges.iter().zip(0u8..).filter_map(|(edge, level)| {
            let width = edge.width();
            (width != edge.stored_width && width > 0)
                .then(|| (tile_path(level, edge.index, width), &edge.bytes[..]))
        });
        complete.chain(partial)
    }

    /// Stores what changed since the last time and returns how many tiles that
    /// were. After it [`Tree::open`] with today's head goes on from here.
    ///
    /// # Errors
    /// Storage failed. Nothing is forgotten: the next call stores all of it.
    pub fn save<S: TileStore>(&mut self, store: &S) -> Result<usize, StoreError> {
        let mut tiles = 0;
        for (path, bytes) in self.unsaved() {
            store.put(&path, bytes)?;
            tiles += 1;
        }
        self.complete.clear();
        for edge in &mut self.edges {
            edge.stored_width = edge.width();
        }
        Ok(tiles)
    }
}
