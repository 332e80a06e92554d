//! Tiles that were checked up to the root, and what of each is kept.
//!
//! To check a tile takes 255 hashings, so what is checked is kept with its
//! inner nodes, 16 KiB: proofs of neighbours share a tile. Proofs of records
//! that lie scattered over a large log need another tile each time, of which
//! memory holds too few. Of those the *crown* is kept, the upper half of the
//! nodes, 1 KiB: the tile is read anew then, and of its 256 hashes only the 16
//! are checked, up to the crown, of which one is asked for.

use quick_cache::unsync::Cache;
use tlog_tiles::{HASH_SIZE, Hash, node_hash};

use crate::tiles::{TILE_HEIGHT, TILE_WIDTH};

/// Tiles kept whole: 8 MiB.
const WHOLE: usize = 512;
/// Crowns kept: 16 MiB, for some four million records.
const CROWNS: usize = 16 * 1024;
/// Nodes of this height are the lowest of a crown.
const CROWN_FROM: u8 = 4;
/// Hashes of a tile below one of those.
const GROUP: usize = 1 << CROWN_FROM;

/// All complete nodes over the hashes of a tile, or over part of them: those of
/// each height after those of the height below.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    hashes: usize,
    nodes: Vec<Hash>,
}

impl Nodes {
    pub fn of(tile: &[u8]) -> Self {
        let hashes = tile.as_chunks::<HASH_SIZE>().0;
        Self::over(hashes.iter().map(|hash| Hash(*hash)))
    }

    fn over(hashes: impl ExactSizeIterator<Item = Hash>) -> Self {
        let mut nodes = Vec::with_capacity(2 * hashes.len());
        nodes.extend(hashes);
        let hashes = nodes.len();
        let (mut start, mut width) = (0, hashes);
        while width > 1 {
            for left in (start..start + width - 1).step_by(2) {
                nodes.push(node_hash(nodes[left], nodes[left + 1]));
            }
            start += width;
            width /= 2;
        }
        Self { hashes, nodes }
    }

    /// The node of this height (0 to 8) above the hashes.
    pub fn at(&self, height: u8, n: u64) -> Option<Hash> {
        let below = (0..height).map(|height| self.hashes >> height);
        let n = usize::try_from(n).ok()?;
        let is_there = n < self.hashes >> height;
        is_there.then(|| self.nodes[below.sum::<usize>() + n])
    }

    /// Of a whole tile.
    fn crown(&self) -> Self {
        let lowest = 0..usize::from(TILE_WIDTH) / GROUP;
        let lowest = lowest.filter_map(|n| self.at(CROWN_FROM, n as u64));
        Self::over(lowest.collect::<Vec<_>>().into_iter())
    }
}

/// Level and index of a whole tile.
pub(crate) type Place = (u8, u64);

/// What is known of a node.
pub(crate) enum Lookup {
    /// None: the tile has no such node.
    Node(Option<Hash>),
    /// It lies below a crown: see [`KeptTiles::below_crown`].
    BelowCrown,
    Unknown,
}

pub(crate) struct KeptTiles {
    whole: Cache<Place, Nodes>,
    crowns: Cache<Place, Nodes>,
    /// The part of a tile that was checked last: a proof asks for several nodes
    /// of it.
    group: Option<(Place, u64, Nodes)>,
}

impl Default for KeptTiles {
    fn default() -> Self {
        Self {
            whole: Cache::new(WHOLE),
            crowns: Cache::new(CROWNS),
            group: None,
        }
    }
}

impl KeptTiles {
    pub fn find(&self, place: Place, height: u8, n: u64) -> Lookup {
        if let Some(nodes) = self.whole.get(&place) {
            return Lookup::Node(nodes.at(height, n));
        }
        let Some(crown) = self.crowns.get(&place) else {
            return Lookup::Unknown;
        };
        if let Some(height) = height.checked_sub(CROWN_FROM) {
            return Lookup::Node(crown.at(height, n));
        }
        match &self.group {
            Some((at, group, nodes)) if (*at, *group) == (place, group_of(height, n)) => {
                Lookup::Node(nodes.at(height, within_group(height, n)))
            }
            _ => Lookup::BelowCrown,
        }
    }

    /// A node below the crown, from the tile as it is stored now; none where
    /// that is not what was checked before.
    pub fn below_crown(&mut self, place: Place, height: u8, n: u64, tile: &[u8]) -> Option<Hash> {
        let group = group_of(height, n);
        let start = usize::try_from(group).ok()? * GROUP * HASH_SIZE;
        let nodes = Nodes::of(tile.get(start..start + GROUP * HASH_SIZE)?);
        let checked = self.crowns.get(&place)?.at(0, group);
        if nodes.at(CROWN_FROM, 0) != checked {
            return None;
        }
        let node = nodes.at(height, within_group(height, n));
        self.group = Some((place, group, nodes));
        node
    }

    /// Keeps a tile that was checked; its level above has been so before.
    pub fn keep(&mut self, place: Place, nodes: Nodes) {
        debug_assert!(nodes.at(TILE_HEIGHT, 0).is_some(), "whole tiles only");
        self.crowns.insert(place, nodes.crown());
        self.whole.insert(place, nodes);
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Which part of its tile a node belongs to.
fn group_of(height: u8, n: u64) -> u64 {
    n >> (CROWN_FROM - height)
}

fn within_group(height: u8, n: u64) -> u64 {
    n - (group_of(height, n) << (CROWN_FROM - height))
}
