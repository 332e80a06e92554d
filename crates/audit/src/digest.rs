//! Whether a replayed state is the one that the service signed.
//!
//! The digest of a state, and the fingerprint of the program that folds it, are
//! the service's affair: an auditor's program computes them by the same code or
//! not at all. [`ThisVersion`] is the one place that knows how.

use decider::{Domain, Position, Service};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use serde::Serialize;
use service_kit::partition::{
    machine::Machine,
    snapshot::{CODE, Taken},
};
use transparency::{Checkpoint, StateDigest};

use crate::{
    fold::guarded,
    history::{Log, LogName},
};

/// Computes digests of replayed states.
pub trait StateDigests {
    /// Fingerprint of the program that folds the log's state; none where it
    /// computes no digests.
    fn code(&self, log: LogName) -> Option<String>;

    /// Digest of the state after the record at `position`; none where the
    /// replay does not come so far.
    fn digest(&self, name: LogName, log: &Log, position: Position) -> Option<[u8; 32]>;
}

/// The digests of this program.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThisVersion;

impl StateDigests for ThisVersion {
    fn code(&self, _: LogName) -> Option<String> {
        Some(CODE.to_owned())
    }

    fn digest(&self, name: LogName, log: &Log, position: Position) -> Option<[u8; 32]> {
        // What a replay panics at is a finding of the replay.
        let replayed = guarded(|| match name.service {
            Service::Order => replayed::<Orders>(name, log, position),
            Service::Inventory => replayed::<Stock>(name, log, position),
            Service::Logistics => replayed::<Logistics>(name, log, position),
            Service::Notification => replayed::<Notifications>(name, log, position),
        });
        replayed.ok().flatten()
    }
}

/// By the machine that the service itself runs, from the first record on.
fn replayed<D: Domain>(name: LogName, log: &Log, position: Position) -> Option<[u8; 32]> {
    let mut machine = Machine::<D>::reader(name.partition);
    let wanted = usize::try_from(position.0).ok()?;
    for entry in log.entries.get(..wanted)? {
        machine.replay(&entry.bytes).ok()?;
    }
    let taken = Taken::of(&machine, 0).ok()?.digest();
    Some(taken.state_digest().digest)
}

/// How the signed state compares with the replayed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum StateComparison {
    /// The checkpoint says nothing of a state.
    NotSigned,
    Equal {
        position: u64,
        code: String,
    },
    Differs {
        position: u64,
        code: String,
        signed: String,
        replayed: String,
    },
    /// Another program may hold the same facts in another form.
    NotComparable {
        position: u64,
        signed_by: String,
        /// None where this program computes no digests.
        this: Option<String>,
    },
    /// The state line does not read, or the records do not reach so far.
    Unusable {
        why: String,
    },
}

pub(crate) fn compare(
    name: LogName,
    log: &Log,
    checkpoint: &Checkpoint,
    digests: &dyn StateDigests,
) -> StateComparison {
    let mut lines = checkpoint.extensions().filter(|l| l.starts_with("state "));
    let Some(line) = lines.next() else {
        return StateComparison::NotSigned;
    };
    let unusable = |why: String| StateComparison::Unusable { why };
    let signed: StateDigest = match line.parse() {
        Ok(signed) => signed,
        Err(error) => return unusable(format!("{error}")),
    };
    if lines.next().is_some() {
        return unusable("it has two state lines".into());
    }
    let size = checkpoint.claimed_head().size;
    let position = signed.position;
    if position > size {
        return unusable(format!(
            "its state is of position {position}, beyond its {size} records"
        ));
    }
    let this = digests.code(name);
    if this.as_ref() != Some(&signed.code) {
        return StateComparison::NotComparable {
            position,
            signed_by: signed.code,
            this,
        };
    }
    match digests.digest(name, log, Position(position)) {
        None => unusable(format!("the replay does not come to position {position}")),
        Some(replayed) if replayed == signed.digest => StateComparison::Equal {
            position,
            code: signed.code,
        },
        Some(replayed) => StateComparison::Differs {
            position,
            code: signed.code,
            signed: hex(&signed.digest),
            replayed: hex(&replayed),
        },
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
