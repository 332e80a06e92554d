//! The tree's hashes on disk: one file for each tile level, `level-<n>`, 32
//! bytes a hash. Tile `i` of a level begins at byte `i * 8192`.
//! **Persisted, keep stable.**
//!
//! They are derived from the records and can be rebuilt at any time. Nothing
//! here is trusted: readers check tiles up to a signed root. What lies behind
//! the size of the last checkpoint means nothing.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::RwLock;
use std::{os::unix::fs::FileExt, sync::Arc};
use transparency::{Hash, StoreError, TileKind, TilePath, TileStore};

const HASH_BYTES: usize = 32;
const TILE_BYTES: u64 = 8192;
/// A tree of 2^64 records has no more.
const LEVELS: usize = 8;

/// The tiles of one log.
#[derive(Debug)]
pub struct TileFiles {
    directory: PathBuf,
    levels: RwLock<[Option<Arc<File>>; LEVELS]>,
    /// Written since the last [`TileFiles::sync`].
    unsynced: [AtomicBool; LEVELS],
}

impl TileFiles {
    /// The files are made when they are first written.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            levels: RwLock::default(),
            unsynced: Default::default(),
        }
    }

    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// The disk fails; the next call tries again.
    pub fn sync(&self) -> io::Result<()> {
        for (level, unsynced) in self.unsynced.iter().enumerate() {
            if unsynced.swap(false, Ordering::AcqRel)
                && let Some(file) = self.file(level, false)?
            {
                file.sync_data()
                    .inspect_err(|_| unsynced.store(true, Ordering::Release))?;
            }
        }
        Ok(())
    }

    fn file(&self, level: usize, create: bool) -> io::Result<Option<Arc<File>>> {
        if let Some(file) = &self.levels.read()[level] {
            return Ok(Some(Arc::clone(file)));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create);
        let path = self.directory.join(format!("level-{level}"));
        match options.truncate(false).open(path) {
            Ok(file) => {
                let file = Arc::new(file);
                self.levels.write()[level] = Some(Arc::clone(&file));
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !create => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, path: &TilePath) -> io::Result<Option<Vec<u8>>> {
        let TileKind::Hashes { level } = path.kind() else {
            return Ok(None);
        };
        if usize::from(level) >= LEVELS {
            return Ok(None);
        }
        let Some(file) = self.file(level.into(), false)? else {
            return Ok(None);
        };
        let mut bytes = vec![0; usize::from(path.width()) * HASH_BYTES];
        match file.read_exact_at(&mut bytes, offset(path)?) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, path: &TilePath, bytes: &[u8]) -> io::Result<()> {
        let level = match path.kind() {
            TileKind::Hashes { level } if usize::from(level) < LEVELS => usize::from(level),
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let file = self.file(level, true)?.ok_or(io::ErrorKind::NotFound)?;
        file.write_all_at(bytes, offset(path)?)?;
        self.unsynced[level].store(true, Ordering::Release);
        Ok(())
    }
}

fn offset(path: &TilePath) -> io::Result<u64> {
    let offset = path.index().checked_mul(TILE_BYTES);
    offset.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn failed(path: &TilePath) -> impl FnOnce(io::Error) -> StoreError {
    let path = *path;
    move |error| StoreError {
        path,
        source: error.into(),
    }
}

impl TileStore for TileFiles {
    fn get(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(path).map_err(failed(path))
    }

    fn put(&self, path: &TilePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(path, bytes).map_err(failed(path))
    }
}

/// Looks whether the stored tiles are those of a tree that is being rebuilt,
/// and changes nothing.
pub struct Comparing<'t> {
    tiles: &'t TileFiles,
    found: parking_lot::Mutex<Differences>,
}

/// Where stored tiles differ from a rebuilt tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Differences {
    /// Tiles that are missing or other ones.
    pub tiles: u64,
    /// The first position with another leaf hash than the stored one.
    pub first_position: Option<u64>,
}

impl<'t> Comparing<'t> {
    #[must_use]
    pub fn new(tiles: &'t TileFiles) -> Self {
        Self {
            tiles,
            found: parking_lot::Mutex::default(),
        }
    }

    #[must_use]
    pub fn differences(&self) -> Differences {
        *self.found.lock()
    }
}

impl TileStore for Comparing<'_> {
    fn get(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        self.tiles.get(path)
    }

    fn put(&self, path: &TilePath, bytes: &[u8]) -> Result<(), StoreError> {
        let stored = self.tiles.get(path)?;
        if stored.as_deref() == Some(bytes) {
            return Ok(());
        }
        let mut found = self.found.lock();
        found.tiles += 1;
        let stored = stored.unwrap_or_default();
        let (stored, rebuilt) = (hashes(&stored), hashes(bytes));
        if path.kind() == (TileKind::Hashes { level: 0 })
            && let Some(at) = stored.zip(rebuilt).position(|(a, b)| a != b)
        {
            let position = path.index() * 256 + at as u64 + 1;
            let first = found.first_position.get_or_insert(position);
            *first = position.min(*first);
        }
        Ok(())
    }
}

fn hashes(tile: &[u8]) -> impl Iterator<Item = Hash> {
    tile.as_chunks().0.iter().map(|hash| Hash(*hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use transparency::{Prover, Tree, TreeHead};

    fn grown(tiles: &TileFiles, records: u64) -> Tree {
        let mut tree = Tree::new();
        for n in 0..records {
            tree.append(&n.to_be_bytes());
            // Some partial tiles are written several times.
            if n % 97 == 0 {
                tree.save(tiles).expect("saved");
            }
        }
        tree.save(tiles).expect("saved");
        tiles.sync().expect("synced");
        tree
    }

    #[test]
    fn a_tree_goes_on_from_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = grown(&TileFiles::new(folder.path()), 70_000);
        let level_0 = folder.path().join("level-0").metadata().expect("there");
        assert_eq!(level_0.len(), 70_000 * 32);

        let again = TileFiles::new(folder.path());
        let opened = Tree::open(&again, tree.head()).expect("opened");
        assert_eq!(opened.head(), tree.head());
        let prover = Prover::new(&again, tree.head()).expect("the tiles are right");
        let proof = prover.inclusion(65_535).expect("proven");
        let record = 65_535u64.to_be_bytes();
        proof.check(&tree.head(), 65_535, &record).expect("holds");
    }

    #[test]
    fn smaller_trees_are_read_from_the_same_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let tiles = TileFiles::new(folder.path());
        let tree = grown(&tiles, 1000);
        let now = Prover::new(&tiles, tree.head()).expect("right");
        let root = now.root_at(300).expect("a root");
        let then = Prover::new(&tiles, TreeHead { size: 300, root }).expect("right");
        assert_eq!(then.head().size, 300);
    }

    #[test]
    fn missing_files_and_tiles_are_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let tiles = TileFiles::new(folder.path());
        let path = |index, width| TilePath::hashes(0, index, width).expect("a path");
        assert_eq!(tiles.get(&path(0, 1)).expect("read"), None);
        tiles.put(&path(0, 2), &[7; 64]).expect("written");
        assert_eq!(tiles.get(&path(0, 1)).expect("read"), Some(vec![7; 32]));
        assert_eq!(tiles.get(&path(0, 3)).expect("read"), None);
        assert_eq!(tiles.get(&path(1, 1)).expect("read"), None);
        let entries = TilePath::entries(0, 1).expect("a path");
        assert_eq!(tiles.get(&entries).expect("read"), None);
        let level = TilePath::hashes(9, 0, 1).expect("a path");
        assert_eq!(tiles.get(&level).expect("read"), None);
        assert!(tiles.put(&level, &[0; 32]).is_err());
    }

    #[test]
    fn comparing_names_the_first_position_and_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let tiles = TileFiles::new(folder.path());
        let tree = grown(&tiles, 600);
        let mut other = Tree::new();
        for n in 0..600u64 {
            let record = if n == 299 { 1_000_000 } else { n };
            other.append(&record.to_be_bytes());
        }
        let comparing = Comparing::new(&tiles);
        other.save(&comparing).expect("compared");
        let found = comparing.differences();
        assert_eq!(found.first_position, Some(300));
        assert_eq!(found.tiles, 2, "its leaf tile, and the tile above");
        Prover::new(&tiles, tree.head()).expect("unchanged");
    }
}
