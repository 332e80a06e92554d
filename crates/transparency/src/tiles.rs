//! Where the tree's hashes are kept: 256 hashes of 32 bytes to a tile, named by
//! the paths of C2SP tlog-tiles, `tile/<level>/<index>[.p/<width>]`; and the
//! entry bundles, `tile/entries/<index>[.p/<width>]`, which are made from the
//! log when they are asked for and not kept.
//!
//! Storage itself is a [`TileStore`] of somebody else; the one in memory here
//! is for tests and for auditors that rebuild a tree.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tlog_tiles::{HASH_SIZE, Tile};

/// A tile is a subtree of this height: 256 hashes.
pub(crate) const TILE_HEIGHT: u8 = 8;
pub(crate) const TILE_WIDTH: u16 = 256;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of subtrees with 256^`level` leaves; 0 to 63.
    Hashes { level: u8 },
    /// Records, each after its length in two bytes.
    Entries,
}

/// Name of a tile: `width` is 1 to 256, below 256 for a partial tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no tile path; it reads tile/<level or entries>/<index>[.p/<width>]")]
pub struct BadTilePath(pub String);

impl TilePath {
    /// Tile of hashes; none for a level above 63 or a width outside 1 to 256.
    #[must_use]
    pub fn hashes(level: u8, index: u64, width: u16) -> Option<Self> {
        let kind = TileKind::Hashes { level };
        (level < 64 && (1..=TILE_WIDTH).contains(&width)).then_some(Self { kind, index, width })
    }

    /// Bundle of records; none for a width outside 1 to 256.
    #[must_use]
    pub fn entries(index: u64, width: u16) -> Option<Self> {
        let kind = TileKind::Entries;
        (1..=TILE_WIDTH)
            .contains(&width)
            .then_some(Self { kind, index, width })
    }

    #[must_use]
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.width < TILE_WIDTH
    }

    /// What to file a tile under: its path without the width. A tile only ever
    /// grows, so the widest one answers for the narrower ones.
    #[must_use]
    pub fn key(&self) -> (TileKind, u64) {
        (self.kind, self.index)
    }

    /// Bytes of this tile of hashes, given what is filed under its key.
    #[must_use]
    pub fn cut<'b>(&self, filed: &'b [u8]) -> Option<&'b [u8]> {
        filed.get(..usize::from(self.width) * HASH_SIZE)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The crate writes the older form, with the height: tile/8/<level>/….
        let (level, is_data) = match self.kind {
            TileKind::Hashes { level } => (level, false),
            TileKind::Entries => (0, true),
        };
        let tile = Tile::new(
            TILE_HEIGHT,
            level,
            self.index,
            u32::from(self.width),
            is_data,
        );
        let path = tile.path();
        let rest = path.splitn(4, '/').nth(3).unwrap_or_default();
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/{rest}"),
            TileKind::Entries => write!(f, "tile/entries/{rest}"),
        }
    }
}

impl FromStr for TilePath {
    type Err = BadTilePath;

    fn from_str(text: &str) -> Result<Self, BadTilePath> {
        let wrong = || BadTilePath(text.into());
        let rest = text.strip_prefix("tile/").ok_or_else(wrong)?;
        let (level, rest) = rest.split_once('/').ok_or_else(wrong)?;
        // The crate's parser asserts on a level or a width out of range.
        if let Some((_, width)) = rest.rsplit_once(".p/")
            && !matches!(width.parse::<u16>(), Ok(1..TILE_WIDTH))
        {
            return Err(wrong());
        }
        let (kind, old) = if level == "entries" {
            (TileKind::Entries, "data".into())
        } else {
            let level = level.parse().map_err(|_| wrong())?;
            if level > 63 {
                return Err(wrong());
            }
            (TileKind::Hashes { level }, level.to_string())
        };
        let tile = Tile::from_path(&format!("tile/{TILE_HEIGHT}/{old}/{rest}"));
        let tile = tile.map_err(|_| wrong())?;
        let width = u16::try_from(tile.width()).map_err(|_| wrong())?;
        let path = Self {
            kind,
            index: tile.level_index(),
            width,
        };
        if path.to_string() == text {
            Ok(path)
        } else {
            Err(wrong())
        }
    }
}

/// Storage refused to read or write a tile.
#[derive(Debug, Error)]
#[error("storage of {path} failed")]
pub struct StoreError {
    pub path: TilePath,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Keeps tiles of hashes.
///
/// A tile only grows. Filing by [`TilePath::key`] and answering a narrower path
/// by [`TilePath::cut`] keeps one tile where a checkpoint every second would
/// leave hundreds.
pub trait TileStore {
    /// The tile's bytes, 32 for each of its width; none where it is not stored.
    ///
    /// # Errors
    /// Storage failed.
    fn get(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError>;

    /// Stores the tile. A stored wider tile that begins with these bytes may
    /// stay; any other is replaced.
    ///
    /// # Errors
    /// Storage failed.
    fn put(&self, path: &TilePath, bytes: &[u8]) -> Result<(), StoreError>;
}

impl<S: TileStore + ?Sized> TileStore for &S {
    fn get(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(path)
    }

    fn put(&self, path: &TilePath, bytes: &[u8]) -> Result<(), StoreError> {
        (**self).put(path, bytes)
    }
}

impl<S: TileStore + ?Sized> TileStore for Arc<S> {
    fn get(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(path)
    }

    fn put(&self, path: &TilePath, bytes: &[u8]) -> Result<(), StoreError> {
        (**self).put(path, bytes)
    }
}

/// Tiles in memory.
#[derive(Debug, Default)]
pub struct MemoryTiles(Mutex<BTreeMap<(TileKind, u64), Vec<u8>>>);

impl TileStore for MemoryTiles {
    fn get(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        let tiles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let filed = tiles.get(&path.key());
        Ok(filed.and_then(|filed| path.cut(filed)).map(<[u8]>::to_vec))
    }

    fn put(&self, path: &TilePath, bytes: &[u8]) -> Result<(), StoreError> {
        let mut tiles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let filed = tiles.entry(path.key()).or_default();
        if !filed.starts_with(bytes) {
            *filed = bytes.to_vec();
        }
        Ok(())
    }
}

/// A record of more than 65,535 bytes fits no entry bundle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a record of {bytes} bytes does not fit an entry bundle, which takes 65535")]
pub struct RecordTooLong {
    pub bytes: usize,
}

/// An entry bundle: each record after its length, two bytes, big-endian.
///
/// # Errors
/// A record is too long.
pub fn encode_entries<'r>(
    records: impl IntoIterator<Item = &'r [u8]>,
) -> Result<Vec<u8>, RecordTooLong> {
    let mut bundle = Vec::new();
    for record in records {
        let length = u16::try_from(record.len());
        let length = length.map_err(|_| RecordTooLong {
            bytes: record.len(),
        })?;
        bundle.extend(length.to_be_bytes());
        bundle.extend(record);
    }
    Ok(bundle)
}

/// The records of an entry bundle; none where it ends within a record.
#[must_use]
pub fn decode_entries(mut bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut records = Vec::new();
    while !bundle.is_empty() {
        let (length, rest) = bundle.split_first_chunk()?;
        let (record, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        records.push(record);
        bundle = rest;
    }
    Some(records)
}
