//! A receipt of one delivery: its records with the proofs that they are in
//! their logs. What is written was checked first, against the checkpoint that
//! goes with it; whether that checkpoint is to be believed, the policy of
//! whoever receives it says.
//!
//! A delivery's records are found by looking through all logs, of running
//! services too. Going from stream to stream with the index would miss some: a
//! run that was planned with the order and cancelled before it left, a refused
//! reaction in the runtime's stream, and what reacted to the order under an id
//! of its own name the order, but no record of the order names them.

use std::{collections::BTreeMap, path::Path};

use decider::{Position, Source as At};
use transparency::{Checkpoint, Entry, InclusionProof, MemoryTiles, Prover, Receipt, Tree};

use crate::{
    error::AuditError,
    history::{History, Log, LogName},
    published::Current,
    replay,
    source::Source,
};

/// Proves everything that `audit replay` shows of an order.
///
/// # Errors
/// No log knows the order, or a record of it cannot be proven: its log has no
/// checkpoint, none that covers it yet, or one of another tree.
pub async fn prove(
    source: &Source,
    history: &History,
    order_id: &str,
    checkpoints: Option<&Path>,
) -> Result<Receipt, AuditError> {
    let records = replay::records_of(history, order_id)?;
    let mut wanted = BTreeMap::<LogName, u64>::new();
    for at in &records {
        let size = wanted.entry(LogName::of(at)).or_default();
        *size = (*size).max(at.position.0);
    }
    let current = Current::of(source, checkpoints, &wanted).await?;
    let mut provers = BTreeMap::new();
    for (name, log) in &history.logs {
        if wanted.contains_key(name) {
            let checkpoint = current.checkpoint(*name)?;
            provers.insert(*name, LogProver::new(&current, *name, log, checkpoint)?);
        }
    }
    let mut receipt = Receipt::default();
    for at in records {
        let name = LogName::of(&at);
        let (Some(prover), Some(record)) = (provers.get(&name), history.get(at)) else {
            continue;
        };
        receipt.entries.push(prover.entry(at, &record.bytes).await?);
    }
    Ok(receipt)
}

enum Proofs<'c> {
    /// The service makes them.
    Asked(&'c crate::remote::Remote),
    /// Made here, out of the records.
    Own(Box<Prover<MemoryTiles>>),
}

struct LogProver<'c> {
    checkpoint: Checkpoint,
    proofs: Proofs<'c>,
}

impl<'c> LogProver<'c> {
    fn new(
        current: &'c Current,
        name: LogName,
        log: &Log,
        checkpoint: Checkpoint,
    ) -> Result<Self, AuditError> {
        let proofs = match current.remotes.get(&name) {
            Some(remote) => Proofs::Asked(remote),
            None => Proofs::Own(Box::new(prover(name, log, &checkpoint)?)),
        };
        Ok(Self { checkpoint, proofs })
    }

    async fn entry(&self, at: At, record: &[u8]) -> Result<Entry, AuditError> {
        let head = self.checkpoint.claimed_head();
        let size = head.size;
        let Position(position) = at.position;
        if position > size {
            return Err(AuditError::NotCovered { record: at, size });
        }
        let index = position - 1;
        let bad = |source| AuditError::BadProof { record: at, source };
        let proof: InclusionProof = match &self.proofs {
            Proofs::Asked(remote) => remote.inclusion(at.position, size).await?,
            Proofs::Own(prover) => prover.inclusion(index).map_err(bad)?,
        };
        proof.check(&head, index, record).map_err(bad)?;
        Ok(Entry {
            record: record.to_vec(),
            index,
            proof,
            checkpoint: self.checkpoint.clone(),
        })
    }
}

/// Proofs for the checkpoint's tree, built anew from the records.
fn prover(
    log: LogName,
    records: &Log,
    checkpoint: &Checkpoint,
) -> Result<Prover<MemoryTiles>, AuditError> {
    let head = checkpoint.claimed_head();
    let tiles = MemoryTiles::default();
    let mut tree = Tree::new();
    let covered = usize::try_from(head.size).unwrap_or(usize::MAX);
    for entry in records.entries.iter().take(covered) {
        tree.append(&entry.bytes);
    }
    tree.save(&tiles).map_err(|error| AuditError::OtherTree {
        log,
        source: transparency::ProofError::Tree(error.into()),
    })?;
    Prover::new(tiles, head).map_err(|source| AuditError::OtherTree { log, source })
}
