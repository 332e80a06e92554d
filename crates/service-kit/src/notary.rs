//! The notary of a partition: follows the log, keeps its Merkle tree, and from
//! time to time signs a checkpoint of what is durable, has it cosigned by the
//! policy's witnesses, and lets it out.
//!
//! It never signs what is not durable or does not go on from the last
//! checkpoint; it stores a checkpoint before anybody else sees it. It hashes on
//! a thread of its own and takes no lock of the writer. Records are not decoded
//! here: a leaf is a record's bytes.
//!
//! All it keeps lies in `<data_dir>/<service>/<partition>.tree/`:
//!
//! | file | what |
//! |---|---|
//! | `checkpoint` | the newest checkpoint that was let out: it meets the policy |
//! | `signed` | the newest that was signed; it may still lack cosignatures; only with a policy |
//! | `level-<n>` | the tree's hashes, see [`tile_files`] |

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use decider::{Position, Service};
use event_log::{EventLog, LogError};
use proofs::Proofs;
use tile_files::TileFiles;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use transparency::{
    Checkpoint, CheckpointSigner, Origin, Policy, ProofError, Prover, SecretKey, SignError,
    StateDigest, StoreError, Tree, TreeHead,
};
use witnesses::Witnesses;

use crate::durable_file;

pub mod keys;
pub mod proofs;
mod rebuild;
mod start;
pub mod tile_files;
pub mod witnesses;

pub use rebuild::Check;
pub use start::{Started, policy, start, tree_directory};

/// Records read from the log at once: some 300 KiB, 60 MiB with the largest.
const CHUNK: usize = 1024;
/// Records whose hashes are kept in memory before they are stored.
const SAVE_EVERY: u64 = 1 << 18;

/// What a notary is made of.
pub struct Options {
    pub service: Service,
    pub partition: u32,
    /// See [`tree_directory`].
    pub directory: PathBuf,
    pub log: Arc<dyn EventLog>,
    pub key: SecretKey,
    /// Without one a checkpoint is let out as soon as it is signed.
    pub policy: Option<Arc<Policy>>,
    pub interval: Duration,
    pub witness_timeout: Duration,
    /// See `TransparencyOptions::check_at_start_records_max`.
    pub check_at_start_records_max: u64,
    /// Last position that the stream holds. Nothing beyond it is signed: a disk
    /// that is lost may take the rest with it, and a log that is then restored
    /// from the stream must go on from what was signed.
    pub relayed: watch::Receiver<u64>,
    /// What the records add up to, as far as somebody says so; it goes into
    /// the checkpoints.
    pub state_digest: watch::Receiver<Option<StateDigest>>,
}

/// Why no checkpoint can be signed. The service does not go on without its
/// notary.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    #[error("the policy {path} cannot be used")]
    Policy {
        path: PathBuf,
        #[source]
        source: PolicyUnusable,
    },
    #[error(
        "transparency.policy_file does not name the log {0}: without its key nobody could \
         check it. Take the policy that `baogong keys create` made for all services"
    )]
    LogNotInPolicy(Origin),
    #[error(
        "the policy does not count {key}, the key that is to sign for {origin}: give the log the \
         key that the policy names, or have the policy name this one (`baogong keys rotate`)"
    )]
    KeyNotInPolicy {
        origin: Origin,
        key: transparency::KeyLabel,
    },
    #[error(
        "{path} holds no checkpoint of this log. It is written as a whole, so somebody changed \
         it, or the disk did. Restore it from a copy; an auditor or a witness has one too"
    )]
    CheckpointUnusable {
        path: PathBuf,
        #[source]
        source: transparency::CheckpointError,
    },
    #[error(
        "the last checkpoint of {origin} is signed by none of the keys known here: put the key \
         back with which it was signed, or name its public key in the policy"
    )]
    SignedByOther {
        origin: Origin,
        #[source]
        source: transparency::CheckpointError,
    },
    #[error(
        "the log {origin} has {log} records, and a checkpoint of {signed} was signed: records \
         were lost, and the stream does not have them either. Restore the log's directory from a \
         copy; nothing new is recorded before that"
    )]
    Shorter {
        origin: Origin,
        log: u64,
        signed: u64,
    },
    #[error(
        "the log {origin} was rewritten: its first {} records have root {found}, and a checkpoint \
         with root {} was signed{}. Nothing was changed. Restore the log's directory from a copy, \
         or move it away and start with the stream alone; `baogong audit` compares them",
        signed.size, signed.root,
        first_position.map_or(String::new(), |at| format!("; the first record that differs is at \
         position {at}"))
    )]
    Rewritten {
        origin: Origin,
        signed: TreeHead,
        found: transparency::Hash,
        first_position: Option<u64>,
    },
    #[error("the records of {0} cannot be read")]
    Log(Origin, #[source] LogError),
    #[error("the tree's folder {path} cannot be used")]
    Disk {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the tree's hashes cannot be stored")]
    Store(#[from] StoreError),
    #[error("the tree's hashes do not hold together")]
    Proof(#[from] ProofError),
    #[error("no checkpoint can be signed")]
    Sign(#[from] SignError),
}

/// Why a policy file is of no use to a service.
#[derive(Debug, thiserror::Error)]
pub enum PolicyUnusable {
    #[error("it cannot be read")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Text(#[from] transparency::PolicyError),
}

/// Signs for one log; see [`start`].
pub struct Notary {
    origin: Origin,
    labels: [(&'static str, String); 2],
    directory: PathBuf,
    log: Arc<dyn EventLog>,
    tree: Tree,
    tiles: Arc<TileFiles>,
    signer: CheckpointSigner,
    /// Stands at the last signed head.
    prover: Prover<Arc<TileFiles>>,
    /// Signed and stored, but not let out yet.
    waiting: Option<Checkpoint>,
    policy: Option<Arc<Policy>>,
    witnesses: Witnesses,
    published: watch::Sender<Option<Arc<Checkpoint>>>,
    proofs: Proofs,
    relayed: watch::Receiver<u64>,
    state_digest: watch::Receiver<Option<StateDigest>>,
    /// Position of the state that was signed last.
    signed_state: u64,
    interval: Duration,
    /// The last checkpoint is signed by a key that counts no more.
    sign_anew: bool,
    /// Since when there are records that no checkpoint let out covers.
    behind_since: Option<Instant>,
}

impl Notary {
    /// Signs for ever, and once more when it is to stop.
    ///
    /// # Errors
    /// The log or the tree cannot be read or written, or they contradict what
    /// was signed.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), NotaryError> {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let last = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                _ = ticks.tick() => false,
            };
            self = self.blocking(Self::sign).await?;
            if self.waiting.is_some() {
                // Where witnesses are asked, the next start asks them.
                if !last {
                    tokio::select! {
                        () = self.cosign() => {}
                        () = stop.cancelled() => continue,
                    }
                }
                self = self.blocking(Self::let_out).await?;
            }
            self.measure();
            if last {
                return Ok(());
            }
        }
    }

    /// Hashing and syncing are not for the runtime's threads.
    async fn blocking(
        mut self,
        work: fn(&mut Self) -> Result<(), NotaryError>,
    ) -> Result<Self, NotaryError> {
        let done = tokio::task::spawn_blocking(move || work(&mut self).map(|()| self));
        match done.await {
            Ok(done) => done,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Takes in what log and stream hold, and signs it where there is anything new.
    fn sign(&mut self) -> Result<(), NotaryError> {
        if self.proofs.damage_was_seen() {
            self.repair()?;
        }
        self.catch_up()?;
        let head = self.tree.head();
        let signed = self.signer.last().unwrap_or(TreeHead::EMPTY);
        let digest = self.state_digest.borrow().clone();
        let digest = digest.filter(|digest| digest.position <= head.size);
        // Where nothing more is recorded, the last state is signed all the same.
        let told = digest.as_ref().map_or(0, |digest| digest.position);
        if head.size == signed.size && told <= self.signed_state && !self.sign_anew {
            return Ok(());
        }
        let proof = match self.prover.advance(head) {
            Err(ProofError::DamagedTile { .. } | ProofError::Tree(_)) => {
                self.repair()?;
                self.prover.advance(head)?
            }
            proof => proof?,
        };
        let extensions: Vec<String> = digest.iter().map(StateDigest::to_string).collect();
        let checkpoint = self.signer.sign(head, &extensions, &proof)?;
        if self.policy.is_some() {
            // Before a witness sees it: what they remember must not be
            // forgotten here.
            self.store("signed", &checkpoint)?;
        }
        self.waiting = Some(checkpoint);
        self.sign_anew = false;
        self.signed_state = told;
        Ok(())
    }

    fn catch_up(&mut self) -> Result<(), NotaryError> {
        let last = self.log.last_position().0.min(*self.relayed.borrow());
        if self.tree.size() >= last {
            return Ok(());
        }
        while self.tree.size() < last {
            let to = last.min(self.tree.size() + SAVE_EVERY);
            extend(&mut self.tree, &*self.log, to)
                .map_err(|error| NotaryError::Log(self.origin.clone(), error))?;
            self.tree.save(&*self.tiles)?;
        }
        self.tiles.sync().map_err(|source| self.disk(source))
    }

    /// Stores the tiles of the signed tree anew, given that the records still
    /// give its root.
    fn repair(&mut self) -> Result<(), NotaryError> {
        let Some(head) = self.signer.last() else {
            return Ok(());
        };
        let repaired = rebuild::rebuild(&self.origin, &*self.log, &self.tiles, head)?;
        tracing::warn!(
            log = %self.origin,
            "{repaired} tiles of the tree were missing or damaged and are rebuilt from the log"
        );
        Ok(())
    }

    /// Asks the witnesses for what the waiting checkpoint lacks; a second time
    /// those that want a proof from another size.
    async fn cosign(&mut self) {
        let Some(checkpoint) = &mut self.waiting else {
            return;
        };
        loop {
            let calls = self.witnesses.calls(checkpoint, &self.prover);
            let answers = witnesses::send(calls).await;
            if !self.witnesses.take(answers, checkpoint) {
                return;
            }
        }
    }

    /// Publishes the waiting checkpoint where it meets the policy.
    fn let_out(&mut self) -> Result<(), NotaryError> {
        let Some(checkpoint) = &self.waiting else {
            return Ok(());
        };
        if let Some(policy) = &self.policy
            && let Err(unmet) = policy.evaluate(checkpoint)
        {
            tracing::debug!(log = %self.origin, "the checkpoint is not let out: {unmet}");
            return Ok(());
        }
        self.store("checkpoint", checkpoint)?;
        if let Some(checkpoint) = self.waiting.take() {
            self.published.send_replace(Some(Arc::new(checkpoint)));
        }
        Ok(())
    }

    fn store(&self, name: &str, checkpoint: &Checkpoint) -> Result<(), NotaryError> {
        let path = self.directory.join(name);
        durable_file::replace(&path, checkpoint.to_string().as_bytes())
            .map_err(|source| self.disk(source))
    }

    fn disk(&self, source: std::io::Error) -> NotaryError {
        NotaryError::Disk {
            path: self.directory.clone(),
            source,
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn measure(&mut self) {
        let covered = self
            .published
            .borrow()
            .as_ref()
            .map_or(0, |checkpoint| checkpoint.claimed_head().size);
        if covered >= self.tree.size() {
            self.behind_since = None;
        } else {
            self.behind_since.get_or_insert_with(Instant::now);
        }
        let behind = self
            .behind_since
            .map_or(0.0, |at| at.elapsed().as_secs_f64());
        metrics::gauge!("baogong_tree_records", &self.labels).set(self.tree.size() as f64);
        metrics::gauge!("baogong_checkpoint_records", &self.labels).set(covered as f64);
        metrics::gauge!("baogong_checkpoint_behind_seconds", &self.labels).set(behind);
    }
}

/// Appends the log's records to the tree, up to `to` of them in all.
fn extend(tree: &mut Tree, log: &dyn EventLog, to: u64) -> Result<(), LogError> {
    while tree.size() < to {
        let limit = usize::try_from(to - tree.size()).unwrap_or(CHUNK);
        let entries = log.read(Position(tree.size() + 1), limit.min(CHUNK))?;
        for entry in &entries {
            tree.append(&entry.bytes);
        }
        if entries.is_empty() {
            // Only a log that ends earlier than it said gives nothing.
            break;
        }
    }
    Ok(())
}
