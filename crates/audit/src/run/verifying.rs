//! `baogong audit verify`: gathers the evidence, and keeps what was seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use transparency::{ConsistencyProof, Policy};

use super::{policy, print, with_checkpoints};
use crate::{
    cli::{Verdict, VerifyArgs},
    digest::ThisVersion,
    error::AuditError,
    history::{History, LogName},
    notes::{self, Checkpoints},
    published::Current,
    verify::{self, Evidence},
};

pub(super) async fn verify(args: VerifyArgs) -> anyhow::Result<Verdict> {
    let source = args.source.source()?;
    let policy = args.policy.as_deref().map(policy).transpose()?;
    let since = args.since.as_deref().map(notes::read).transpose()?;
    let since = since.unwrap_or_default();
    let given = args.checkpoints.checkpoints.as_deref();
    let (current, history) = with_checkpoints(&source, given).await?;
    let mut report = verify::verify(&history);
    let mut evidence = BTreeMap::new();
    let policy = policy.map(Arc::new);
    for name in history.logs.keys() {
        let since = since.get(name).cloned();
        let consistency = match &since {
            Some(since) => consistency(&current, *name, since.claimed_head().size).await,
            None => None,
        };
        evidence.insert(
            *name,
            Evidence {
                published: current.get(*name),
                since,
                policy: policy.clone(),
                consistency,
            },
        );
    }
    report.missing = missing(&history, &since, policy.as_deref());
    verify::verify_proofs(&mut report, &history, &evidence, &ThisVersion);
    print(args.json, &report, || report.text())?;
    if let Some(path) = &args.save {
        save(path, report.holds, since, &current)?;
    }
    Ok(Verdict::of(report.holds))
}

/// The service's own proof, or why it gives none, where a service is asked and has something to
/// prove. The records are judged by themselves in any case.
async fn consistency(
    current: &Current,
    name: LogName,
    seen: u64,
) -> Option<Result<ConsistencyProof, String>> {
    let remote = current.remotes.get(&name)?;
    let size = current.checkpoint(name).ok()?.claimed_head().size;
    if seen > size {
        return None;
    }
    let proof = remote.consistency(seen, size).await;
    Some(proof.map_err(|error| error.to_string()))
}

/// Logs that were seen last time, or that the policy names, and that are not
/// among these. Of other services' logs nothing is known here.
fn missing(history: &History, since: &Checkpoints, policy: Option<&Policy>) -> Vec<LogName> {
    let named = policy.into_iter().flat_map(Policy::logs);
    let named = named.filter_map(|keys| LogName::from_origin(keys.origin()));
    let wanted: BTreeSet<LogName> = since.keys().copied().chain(named).collect();
    let gone = wanted.into_iter().filter(|n| !history.logs.contains_key(n));
    gone.collect()
}

/// What was seen of a log that has let out nothing today stays kept.
fn save(path: &Path, holds: bool, since: Checkpoints, current: &Current) -> anyhow::Result<()> {
    if !holds {
        eprintln!(
            "{}: nothing was saved, since not everything holds; what you saw last time stays what \
             you compare with",
            path.display()
        );
        return Ok(());
    }
    let mut checkpoints = since;
    checkpoints.extend(current.readable());
    if checkpoints.is_empty() {
        let why = "none of the logs has let out one";
        let path = path.to_owned();
        return Err(AuditError::NoNotes { path, why }.into());
    }
    notes::save(path, &checkpoints)?;
    eprintln!(
        "{} checkpoints saved in {}",
        checkpoints.len(),
        path.display()
    );
    Ok(())
}
