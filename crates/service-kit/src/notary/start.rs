//! The start of a notary: what was signed must still be in the log, and keys,
//! policy and checkpoint must fit each other, else the service does not start.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use decider::Service;
use tokio::sync::watch;
use transparency::{
    Checkpoint, CheckpointError, CheckpointSigner, LogKeys, Origin, Policy, Prover, PublicKey,
    StateDigest, TreeHead, Validity,
};

use super::{
    Notary, NotaryError, Options, PolicyUnusable,
    proofs::Proofs,
    rebuild::{Check, open_tree},
    tile_files::TileFiles,
    witnesses::Witnesses,
};

/// Folder of what a notary keeps, beside the log's own.
#[must_use]
pub fn tree_directory(data_dir: &Path, service: Service, partition: u32) -> PathBuf {
    data_dir
        .join(service.name())
        .join(format!("{partition}.tree"))
}

/// Reads a policy; none where no file is named.
///
/// # Errors
/// The file cannot be read, or holds no policy.
pub fn policy(path: &Path) -> Result<Option<Arc<Policy>>, NotaryError> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(PolicyUnusable::from);
    let policy = text.and_then(|text| Ok(text.parse::<Policy>()?));
    match policy {
        Ok(policy) => Ok(Some(Arc::new(policy))),
        Err(source) => Err(NotaryError::Policy {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Position of the state that a checkpoint tells the digest of.
fn last_state(checkpoint: Option<&Checkpoint>) -> u64 {
    let mut lines = checkpoint.into_iter().flat_map(Checkpoint::extensions);
    lines
        .find_map(|line| line.parse::<StateDigest>().ok())
        .map_or(0, |state| state.position)
}

/// A notary that is ready to run, and what it serves.
pub struct Started {
    pub notary: Notary,
    pub proofs: Proofs,
    /// Compares the log with the checkpoint while the service runs, where it
    /// is too long for the start.
    pub check: Option<Check>,
}

/// Opens the tree of a log. Blocks on the disk.
///
/// # Errors
/// The log is not the one that the last checkpoint was signed for, or keys,
/// policy or files cannot be used.
pub fn start(options: Options) -> Result<Started, NotaryError> {
    let Options {
        service,
        directory,
        log,
        key,
        policy,
        ..
    } = options;
    let origin = Origin::new(service.name(), options.partition).expect("a service's name is plain");
    let disk = |source| NotaryError::Disk {
        path: directory.clone(),
        source,
    };
    fs::create_dir_all(&directory).map_err(disk)?;
    let ever = keys_ever(&origin, key.public(), policy.as_deref())?;
    let published = read(&directory, "checkpoint", &ever)?;
    let signed = read(&directory, "signed", &ever)?;
    let last = newest(published.as_ref(), signed.as_ref()).cloned();

    let head = last
        .as_ref()
        .map_or(TreeHead::EMPTY, Checkpoint::claimed_head);
    if log.last_position().0 < head.size {
        return Err(NotaryError::Shorter {
            origin,
            log: log.last_position().0,
            signed: head.size,
        });
    }
    let tiles = Arc::new(TileFiles::new(&directory));
    let (tree, check) = open_tree(
        &origin,
        &log,
        &tiles,
        head,
        options.check_at_start_records_max,
    )?;
    let signer =
        CheckpointSigner::new(origin.clone(), key, last.as_ref().map(|last| (last, &ever)))?;
    let prover = Prover::new(Arc::clone(&tiles), head)?;

    let Standing {
        published,
        waiting,
        sign_anew,
    } = Standing::of(published, last, policy.as_deref());
    let labels = [
        ("service", service.name().to_owned()),
        ("partition", options.partition.to_string()),
    ];
    let witnesses = Witnesses::new(
        &labels,
        policy.as_deref(),
        service,
        published.as_ref(),
        options.witness_timeout,
    );
    let (sender, receiver) = watch::channel(published.map(Arc::new));
    let proofs = Proofs::new(
        origin.clone(),
        Arc::clone(&log),
        Arc::clone(&tiles),
        receiver,
    );
    let signed_state = last_state(waiting.as_ref().or(sender.borrow().as_deref()));
    let notary = Notary {
        origin,
        labels,
        directory,
        log,
        tree,
        tiles,
        signer,
        prover,
        waiting,
        policy,
        witnesses,
        published: sender,
        proofs: proofs.clone(),
        relayed: options.relayed,
        state_digest: options.state_digest,
        signed_state,
        interval: options.interval,
        sign_anew,
        behind_since: None,
    };
    Ok(Started {
        notary,
        proofs,
        check,
    })
}

/// Where the last life left the checkpoints, by the policy of today.
struct Standing {
    published: Option<Checkpoint>,
    /// Still to be let out.
    waiting: Option<Checkpoint>,
    /// The last one is signed by a key that counts no more.
    sign_anew: bool,
}

impl Standing {
    fn of(
        published: Option<Checkpoint>,
        last: Option<Checkpoint>,
        policy: Option<&Policy>,
    ) -> Self {
        let unmet = |checkpoint: &Checkpoint| policy?.evaluate(checkpoint).err();
        let published = published.filter(|checkpoint| {
            let unmet = unmet(checkpoint);
            if let Some(unmet) = &unmet {
                tracing::warn!(
                    log = %checkpoint.origin(),
                    "the last published checkpoint does not meet the policy any more and is held \
                     back: {unmet}"
                );
            }
            unmet.is_none()
        });
        let out = published.as_ref().map(Checkpoint::claimed_head);
        let waiting = last.filter(|last| out != Some(last.claimed_head()));
        let counts = |checkpoint: &Checkpoint| {
            let keys = policy.and_then(|policy| policy.log(checkpoint.origin()));
            keys.is_none_or(|keys| checkpoint.verify(keys).is_ok())
        };
        let sign_anew = waiting.as_ref().is_some_and(|last| !counts(last));
        Self {
            published,
            waiting: waiting.filter(|_| !sign_anew),
            sign_anew,
        }
    }
}

/// All keys that ever signed for the log, as far as they are known: what lies
/// on our own disk may be signed by one that no longer counts for others.
fn keys_ever(
    origin: &Origin,
    own: &PublicKey,
    policy: Option<&Policy>,
) -> Result<LogKeys, NotaryError> {
    let mut ever = LogKeys::new(origin.clone());
    if let Some(policy) = policy {
        let known = policy.log(origin);
        let known = known.ok_or_else(|| NotaryError::LogNotInPolicy(origin.clone()))?;
        let counts = known
            .keys()
            .any(|(key, validity)| key == own && validity != Validity::Revoked);
        if !counts {
            return Err(NotaryError::KeyNotInPolicy {
                origin: origin.clone(),
                key: own.label().clone(),
            });
        }
        for (key, _) in known.keys() {
            ever.set(key.clone(), Validity::ALWAYS)
                .map_err(transparency::SignError::from)?;
        }
    }
    ever.set(own.clone(), Validity::ALWAYS)
        .map_err(transparency::SignError::from)?;
    Ok(ever)
}

fn read(directory: &Path, name: &str, keys: &LogKeys) -> Result<Option<Checkpoint>, NotaryError> {
    let path = directory.join(name);
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(NotaryError::Disk { path, source }),
    };
    let checkpoint: Checkpoint =
        text.parse()
            .map_err(|source| NotaryError::CheckpointUnusable {
                path: path.clone(),
                source,
            })?;
    match checkpoint.verify(keys) {
        Ok(_) => Ok(Some(checkpoint)),
        Err(source @ CheckpointError::UnknownSigner { .. }) => Err(NotaryError::SignedByOther {
            origin: keys.origin().clone(),
            source,
        }),
        Err(source) => Err(NotaryError::CheckpointUnusable { path, source }),
    }
}

fn newest<'c>(
    published: Option<&'c Checkpoint>,
    signed: Option<&'c Checkpoint>,
) -> Option<&'c Checkpoint> {
    // Of two of one size the one that is let out: it has the cosignatures.
    let newer = |best: &'c Checkpoint, next: &'c Checkpoint| {
        if next.claimed_head().size > best.claimed_head().size {
            next
        } else {
            best
        }
    };
    [published, signed].into_iter().flatten().reduce(newer)
}
