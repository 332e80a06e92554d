//! Whether a log is the one that its checkpoints are of: the root recomputed
//! from the records, the signatures by a policy, that it goes on from what the
//! auditor saw last time, and that its state is the one that was signed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use transparency::{
    Checkpoint, CheckpointError, ConsistencyProof, Hash, NotMet, Policy, StoreError, TilePath,
    TileStore, Tree, TreeHead, UnixSeconds,
};

use super::{
    Finding, FindingKind as Kind,
    proof_report::{CheckpointReport, Cosignature, ProofReport, Signatures, SinceReport},
};
use crate::{
    digest::{self, StateComparison, StateDigests},
    history::{Log, LogName},
    remote::Published,
    time,
};

/// What a log is judged by.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The newest checkpoint that the log has let out.
    pub published: Published,
    /// What the auditor saw last time.
    pub since: Option<Checkpoint>,
    pub policy: Option<Arc<Policy>>,
    /// As the service gave it, from `since` to what is published; or why it
    /// gave none. None where no service was asked.
    pub consistency: Option<Result<ConsistencyProof, String>>,
}

/// The tiles of a tree of which only the roots are wanted.
struct NoTiles;

impl TileStore for NoTiles {
    fn get(&self, _: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn put(&self, _: &TilePath, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Roots of the log's tree at these sizes, as far as it has as many records.
fn roots(log: &Log, sizes: &BTreeSet<u64>) -> BTreeMap<u64, Hash> {
    let mut roots = BTreeMap::new();
    let mut tree = Tree::new();
    let mut sizes = sizes.iter().copied().peekable();
    let mut records = log.entries.iter();
    while let Some(size) = sizes.peek() {
        if tree.size() == *size {
            roots.insert(*size, tree.head().root);
            sizes.next();
            continue;
        }
        let Some(entry) = records.next() else { break };
        tree.append(&entry.bytes);
        if tree.size().is_multiple_of(256) {
            tree.save(&NoTiles).expect("nothing is stored");
        }
    }
    roots
}

pub(super) fn judge(
    name: LogName,
    log: &Log,
    evidence: &Evidence,
    digests: &dyn StateDigests,
    findings: &mut Vec<Finding>,
) -> ProofReport {
    let mut judged = Judged {
        log,
        policy: evidence.policy.as_deref(),
        findings,
        roots: BTreeMap::new(),
    };
    let current = judged.read(name, &evidence.published);
    let heads = [current.as_ref(), evidence.since.as_ref()];
    let sizes = heads.into_iter().flatten().map(|c| c.claimed_head().size);
    judged.roots = roots(log, &sizes.collect());
    let since = evidence.since.as_ref().map(|since| {
        let proof = evidence.consistency.as_ref();
        judged.since(since, current.as_ref(), proof)
    });
    let checkpoint = current.as_ref().map(|current| judged.current(current));
    let state = current.as_ref().map_or(StateComparison::NotSigned, |c| {
        judged.state(name, c, digests)
    });
    let without = match &evidence.published {
        Published::Nothing(why) => Some(why.clone()),
        Published::Note(_) => None,
    };
    ProofReport {
        checkpoint,
        without,
        since,
        state,
    }
}

struct Judged<'j> {
    log: &'j Log,
    policy: Option<&'j Policy>,
    findings: &'j mut Vec<Finding>,
    roots: BTreeMap<u64, Hash>,
}

impl Judged<'_> {
    fn find(&mut self, kind: Kind, detail: String) {
        self.findings.push(Finding {
            kind,
            invariant: kind.invariant(),
            position: None,
            detail,
            advice: kind.advice(),
        });
    }

    fn read(&mut self, name: LogName, published: &Published) -> Option<Checkpoint> {
        let note = match published {
            Published::Note(note) => note,
            Published::Nothing(why) => {
                if self.policy.is_some() {
                    let detail = format!("there is no checkpoint for the policy to accept: {why}");
                    self.find(Kind::NoCheckpoint, detail);
                }
                return None;
            }
        };
        let checkpoint: Checkpoint = match note.parse() {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.find(Kind::CheckpointRefused, chain(&error));
                return None;
            }
        };
        if *checkpoint.origin() != name.origin() {
            let detail = CheckpointError::OtherLog {
                expected: name.origin(),
                found: checkpoint.origin().clone(),
            };
            self.find(Kind::CheckpointRefused, detail.to_string());
            return None;
        }
        Some(checkpoint)
    }

    fn records(&self) -> u64 {
        self.log.entries.len() as u64
    }

    fn is_root(&self, head: TreeHead) -> bool {
        self.roots.get(&head.size) == Some(&head.root)
    }

    fn current(&mut self, checkpoint: &Checkpoint) -> CheckpointReport {
        let head = checkpoint.claimed_head();
        let recomputed = self.is_root(head);
        match self.roots.get(&head.size) {
            None => {
                let detail = format!(
                    "its checkpoint covers {} records, {} are here",
                    head.size,
                    self.records()
                );
                self.find(Kind::RecordsMissing, detail);
            }
            Some(root) if !recomputed => {
                let detail = format!(
                    "its first {} records make root {root}, its checkpoint says {}",
                    head.size, head.root
                );
                self.find(Kind::RootDiffers, detail);
            }
            Some(_) => {}
        }
        let signatures = match self.policy.map(|policy| policy.evaluate(checkpoint)) {
            None => Signatures::NotChecked,
            Some(Ok(met)) => Signatures::Accepted {
                signed_by: met.signed_by.to_string(),
                cosigned: met.cosigned.into_iter().map(cosignature).collect(),
            },
            Some(Err(error)) => {
                let why = chain(&error);
                self.find(Kind::CheckpointRefused, why.clone());
                Signatures::Refused { why }
            }
        };
        CheckpointReport {
            size: head.size,
            root: head.root.to_string(),
            recomputed,
            signatures,
        }
    }

    fn since(
        &mut self,
        since: &Checkpoint,
        current: Option<&Checkpoint>,
        proof: Option<&Result<ConsistencyProof, String>>,
    ) -> SinceReport {
        let seen = since.claimed_head();
        let note = self.still_signed(since);
        let found = self.findings.len();
        match self.roots.get(&seen.size) {
            None => {
                let detail = format!(
                    "{} records were seen last time, {} are here",
                    seen.size,
                    self.records()
                );
                self.find(Kind::Shrunk, detail);
            }
            Some(root) if *root != seen.root => {
                let detail = format!(
                    "its first {} records make root {root}, last time it was {}",
                    seen.size, seen.root
                );
                self.find(Kind::Rewritten, detail);
            }
            Some(_) => {}
        }
        if let Some(current) = current.map(Checkpoint::claimed_head) {
            if current.size < seen.size {
                let detail = format!(
                    "its newest checkpoint covers {} records, last time it was {}",
                    current.size, seen.size
                );
                self.find(Kind::Shrunk, detail);
            } else if let Some(proof) = proof {
                self.consistent(proof, seen, current);
            }
        }
        SinceReport {
            size: seen.size,
            root: seen.root.to_string(),
            extended: self.findings.len() == found,
            note,
        }
    }

    fn consistent(
        &mut self,
        proof: &Result<ConsistencyProof, String>,
        seen: TreeHead,
        current: TreeHead,
    ) {
        match proof {
            Ok(proof) => {
                if let Err(error) = proof.check(&seen, &current) {
                    self.find(Kind::Rewritten, error.to_string());
                }
            }
            Err(why) => {
                let detail = format!(
                    "its service gives no proof that it goes on from {} records: {why}",
                    seen.size
                );
                self.find(Kind::NotProven, detail);
            }
        }
    }

    /// A key that was revoked since, or a policy that asks for more now, does
    /// not change what the auditor saw. A forged signature means that it is not
    /// what the auditor saw.
    fn still_signed(&mut self, since: &Checkpoint) -> Option<String> {
        let error = self.policy?.evaluate(since).err()?;
        let why = format!("the checkpoint of last time: {}", chain(&error));
        match error {
            NotMet::ForgedCosignature { .. } | NotMet::Log(CheckpointError::Forged { .. }) => {
                self.find(Kind::CheckpointRefused, why);
                None
            }
            _ => Some(why),
        }
    }

    fn state(
        &mut self,
        name: LogName,
        checkpoint: &Checkpoint,
        digests: &dyn StateDigests,
    ) -> StateComparison {
        let compared = digest::compare(name, self.log, checkpoint, digests);
        match &compared {
            StateComparison::Differs {
                position,
                signed,
                replayed,
                ..
            } => {
                let detail = format!(
                    "replayed to position {position} its state has digest {replayed}, its \
                     checkpoint says {signed}"
                );
                self.find(Kind::StateDiffers, detail);
            }
            StateComparison::Unusable { why } => {
                self.find(Kind::CheckpointRefused, why.clone());
            }
            _ => {}
        }
        compared
    }
}

fn cosignature(by: transparency::Cosigned) -> Cosignature {
    Cosignature {
        witness: by.witness,
        time: at(by.time),
    }
}

/// RFC 3339.
pub(crate) fn at(time: UnixSeconds) -> String {
    time::seconds(time.0)
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
