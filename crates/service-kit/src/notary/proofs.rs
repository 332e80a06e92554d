//! What others may ask a notary for: the checkpoint that is let out, and proofs
//! out of its tree. Nothing behind that checkpoint is proven or shown.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use event_log::{EventLog, LogError};
use parking_lot::Mutex;
use tokio::sync::watch;
use transparency::{
    Checkpoint, ConsistencyProof, InclusionProof, Origin, ProofError, Prover, TileKind, TilePath,
    TileStore, TreeHead, encode_entries,
};

use super::tile_files::TileFiles;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    #[error("no checkpoint of {0} is let out yet")]
    NoCheckpoint(Origin),
    #[error("{asked} is beyond the newest checkpoint of {origin}, which has {size} records")]
    Beyond {
        origin: Origin,
        asked: u64,
        size: u64,
    },
    #[error("the tree of {origin} is damaged and being rebuilt: {source}")]
    Damaged {
        origin: Origin,
        source: Box<ProofError>,
    },
    #[error("the records of {0} cannot be read: {1}")]
    Log(Origin, LogError),
}

/// A proof, and the checkpoint where it leads to it.
pub struct Proven<P> {
    pub proof: P,
    pub size: u64,
    /// None for a tree other than the newest.
    pub checkpoint: Option<Arc<Checkpoint>>,
}

type TileProver = Prover<Arc<TileFiles>>;

/// The public side of a notary.
#[derive(Clone)]
pub struct Proofs(Arc<Inner>);

struct Inner {
    origin: Origin,
    log: Arc<dyn EventLog>,
    tiles: Arc<TileFiles>,
    published: watch::Receiver<Option<Arc<Checkpoint>>>,
    /// Of the newest checkpoint that was asked for.
    newest: Mutex<Option<TileProver>>,
    /// Of the earlier tree that was asked for last.
    earlier: Mutex<Option<TileProver>>,
    damaged: AtomicBool,
}

impl Proofs {
    pub(super) fn new(
        origin: Origin,
        log: Arc<dyn EventLog>,
        tiles: Arc<TileFiles>,
        published: watch::Receiver<Option<Arc<Checkpoint>>>,
    ) -> Self {
        Self(Arc::new(Inner {
            origin,
            log,
            tiles,
            published,
            newest: Mutex::default(),
            earlier: Mutex::default(),
            damaged: AtomicBool::new(false),
        }))
    }

    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// The newest checkpoint that is let out.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Arc<Checkpoint>> {
        self.0.published.borrow().clone()
    }

    /// Waits until a checkpoint covers so many records; none when the notary
    /// ended.
    pub async fn covering(&self, min_size: u64) -> Option<Arc<Checkpoint>> {
        self.first(|checkpoint| checkpoint.claimed_head().size >= min_size)
            .await
    }

    /// The first checkpoint from now on that fits; none where the notary has
    /// ended.
    pub async fn first(&self, fits: impl Fn(&Checkpoint) -> bool) -> Option<Arc<Checkpoint>> {
        let mut published = self.0.published.clone();
        let fits = |checkpoint: &Option<Arc<Checkpoint>>| {
            checkpoint
                .as_ref()
                .is_some_and(|checkpoint| fits(checkpoint))
        };
        published.wait_for(fits).await.ok()?.clone()
    }

    /// Proof that the record at a position (from 1) is in the tree of
    /// `tree_size` records; 0 means the newest checkpoint's. Blocks on the disk.
    ///
    /// # Errors
    /// See [`Unproven`].
    pub fn inclusion(
        &self,
        position: u64,
        tree_size: u64,
    ) -> Result<Proven<InclusionProof>, Unproven> {
        let newest = self.newest()?;
        let size = self.within(tree_size, &newest)?;
        if position > size {
            return Err(self.beyond(position, size));
        }
        self.prove(newest, size, |prover| prover.inclusion(position - 1))
    }

    /// Proof that the tree of `to_size` records (0: the newest checkpoint's)
    /// goes on from that of `from_size`. Blocks on the disk.
    ///
    /// # Errors
    /// See [`Unproven`].
    pub fn consistency(
        &self,
        from_size: u64,
        to_size: u64,
    ) -> Result<Proven<ConsistencyProof>, Unproven> {
        let newest = self.newest()?;
        let size = self.within(to_size, &newest)?;
        if from_size > size {
            return Err(self.beyond(from_size, size));
        }
        self.prove(newest, size, |prover| {
            // Nothing is to be proven between a tree and itself.
            if from_size == size {
                return Ok(ConsistencyProof::default());
            }
            prover.consistency(from_size)
        })
    }

    /// A tile of hashes or a bundle of records, as far as the newest checkpoint
    /// covers it; none where it does not. Blocks on the disk.
    ///
    /// # Errors
    /// See [`Unproven`].
    pub fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, Unproven> {
        let Some(newest) = self.checkpoint() else {
            return Ok(None);
        };
        let level = match path.kind() {
            TileKind::Hashes { level } => level,
            TileKind::Entries => 0,
        };
        let hashes = match level {
            0..8 => newest.claimed_head().size >> (8 * level),
            _ => 0,
        };
        let end = path
            .index()
            .checked_mul(256)
            .map(|first| first + u64::from(path.width()));
        if end.is_none_or(|end| end > hashes) {
            return Ok(None);
        }
        if path.kind() == TileKind::Entries {
            return self.entries(path).map(Some);
        }
        let tile = self
            .0
            .tiles
            .get(path)
            .map_err(transparency::TreeError::from);
        let tile = tile.map_err(|error| self.damage(error.into()))?;
        let missing = || transparency::TreeError::MissingTile { path: *path };
        tile.map_or_else(|| Err(self.damage(missing().into())), |tile| Ok(Some(tile)))
    }

    fn entries(&self, path: &TilePath) -> Result<Vec<u8>, Unproven> {
        let first = decider::Position(path.index() * 256 + 1);
        let records = self.0.log.read(first, path.width().into());
        let records = records.map_err(|error| Unproven::Log(self.0.origin.clone(), error))?;
        let bundle = encode_entries(records.iter().map(|entry| &entry.bytes[..]));
        Ok(bundle.expect("no record is longer than event_log::RECORD_BYTES_MAX, below 64 KiB"))
    }

    fn newest(&self) -> Result<Arc<Checkpoint>, Unproven> {
        let newest = self.checkpoint();
        newest.ok_or_else(|| Unproven::NoCheckpoint(self.0.origin.clone()))
    }

    fn within(&self, asked: u64, newest: &Checkpoint) -> Result<u64, Unproven> {
        let size = newest.claimed_head().size;
        match asked {
            0 => Ok(size),
            asked if asked > size => Err(self.beyond(asked, size)),
            asked => Ok(asked),
        }
    }

    fn beyond(&self, asked: u64, size: u64) -> Unproven {
        let origin = self.0.origin.clone();
        Unproven::Beyond {
            origin,
            asked,
            size,
        }
    }

    fn prove<P>(
        &self,
        newest: Arc<Checkpoint>,
        size: u64,
        make: impl FnOnce(&TileProver) -> Result<P, ProofError>,
    ) -> Result<Proven<P>, Unproven> {
        let head = newest.claimed_head();
        let proof = self.at(head, size, make);
        let proof = proof.map_err(|error| self.damage(error))?;
        Ok(Proven {
            proof,
            size,
            checkpoint: (size == head.size).then_some(newest),
        })
    }

    fn at<P>(
        &self,
        head: TreeHead,
        size: u64,
        make: impl FnOnce(&TileProver) -> Result<P, ProofError>,
    ) -> Result<P, ProofError> {
        let mut newest = self.0.newest.lock();
        let prover = turned_to(&mut newest, &self.0.tiles, head)?;
        if size == prover.head().size {
            return make(prover);
        }
        let root = prover.root_at(size)?;
        drop(newest);
        let mut earlier = self.0.earlier.lock();
        make(turned_to(
            &mut earlier,
            &self.0.tiles,
            TreeHead { size, root },
        )?)
    }

    fn damage(&self, source: ProofError) -> Unproven {
        tracing::error!(log = %self.0.origin, "the tree is damaged: {source}");
        self.0.damaged.store(true, Ordering::Release);
        Unproven::Damaged {
            origin: self.0.origin.clone(),
            source: Box::new(source),
        }
    }

    /// Whether a tile was found damaged since the last time this was asked.
    pub(super) fn damage_was_seen(&self) -> bool {
        self.0.damaged.swap(false, Ordering::AcqRel)
    }
}

/// The prover of a tree; an older one knows its full tiles already.
fn turned_to<'p>(
    slot: &'p mut Option<TileProver>,
    tiles: &Arc<TileFiles>,
    head: TreeHead,
) -> Result<&'p TileProver, ProofError> {
    let fits = match slot {
        Some(prover) if prover.head().size < head.size => prover.advance(head).is_ok(),
        Some(prover) => prover.head() == head,
        None => false,
    };
    if !fits {
        *slot = Some(Prover::new(Arc::clone(tiles), head)?);
    }
    Ok(slot.as_ref().expect("it was put there"))
}
