//! Whether a log still is the one that was signed, and the rebuilding of the
//! tree's hashes from it. Records are hashed first and compared; hashes are
//! stored only once the records gave the signed root.

use std::sync::Arc;

use event_log::EventLog;
use transparency::{Origin, Tree, TreeHead};

use super::{
    NotaryError, SAVE_EVERY, extend,
    tile_files::{Comparing, TileFiles},
};

/// The comparison of a long log with its last checkpoint.
pub struct Check {
    origin: Origin,
    log: Arc<dyn EventLog>,
    tiles: Arc<TileFiles>,
    head: TreeHead,
}

pub(super) fn open_tree(
    origin: &Origin,
    log: &Arc<dyn EventLog>,
    tiles: &Arc<TileFiles>,
    head: TreeHead,
    check_at_start_records_max: u64,
) -> Result<(Tree, Option<Check>), NotaryError> {
    let opened = Tree::open(tiles, head);
    if head.size > check_at_start_records_max
        && let Ok(tree) = opened
    {
        let check = Check {
            origin: origin.clone(),
            log: Arc::clone(log),
            tiles: Arc::clone(tiles),
            head,
        };
        return Ok((tree, Some(check)));
    }
    let repaired = rebuild(origin, &**log, tiles, head)?;
    if repaired > 0 {
        tracing::warn!(
            log = %origin,
            "the tree was missing or damaged in {repaired} tiles and is rebuilt from the log, \
             with the root of the last checkpoint ({head})"
        );
    }
    match Tree::open(tiles, head) {
        Ok(tree) => Ok((tree, None)),
        Err(error) => Err(transparency::ProofError::from(error).into()),
    }
}

/// Hashes the log's records up to the signed head; then stores the tiles that
/// are missing or damaged, and gives how many these were.
///
/// # Errors
/// The records give another root: nothing was stored, so that what was signed
/// can still be looked at.
pub(super) fn rebuild(
    origin: &Origin,
    log: &dyn EventLog,
    tiles: &TileFiles,
    head: TreeHead,
) -> Result<u64, NotaryError> {
    let comparing = Comparing::new(tiles);
    let tree = hash_all(origin, log, head.size, &comparing)?;
    let differences = comparing.differences();
    if tree.head() != head {
        return Err(NotaryError::Rewritten {
            origin: origin.clone(),
            signed: head,
            found: tree.head().root,
            // Only where the stored hashes are those that were signed.
            first_position: differences
                .first_position
                .filter(|_| Tree::open(&tiles, head).is_ok()),
        });
    }
    if differences.tiles > 0 {
        hash_all(origin, log, head.size, tiles)?;
        tiles.sync().map_err(|source| NotaryError::Disk {
            path: tiles.directory().to_owned(),
            source,
        })?;
    }
    Ok(differences.tiles)
}

fn hash_all<S: transparency::TileStore>(
    origin: &Origin,
    log: &dyn EventLog,
    size: u64,
    store: &S,
) -> Result<Tree, NotaryError> {
    let mut tree = Tree::new();
    loop {
        let to = size.min(tree.size() + SAVE_EVERY);
        extend(&mut tree, log, to).map_err(|error| NotaryError::Log(origin.clone(), error))?;
        tree.save(store)?;
        if tree.size() == size || tree.size() < to {
            return Ok(tree);
        }
    }
}

impl Check {
    /// Compares, and then waits for ever: the task of a service.
    ///
    /// # Errors
    /// The log is not the one that was signed.
    pub async fn run(self) -> anyhow::Result<()> {
        let compared = tokio::task::spawn_blocking(move || {
            let repaired = rebuild(&self.origin, &*self.log, &self.tiles, self.head)?;
            tracing::info!(
                log = %self.origin, repaired,
                "the log holds the {} records that its last checkpoint vouches for",
                self.head.size
            );
            Ok::<(), NotaryError>(())
        });
        compared.await??;
        std::future::pending().await
    }
}
