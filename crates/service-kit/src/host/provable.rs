//! What makes a service's logs provable, put together from its configuration:
//! the notary of each log, and the witness for the others'.

use std::{sync::Arc, time::Duration};

use event_log::EventLog;
use tokio::sync::watch;
use transparency::{Origin, Policy, StateDigest};

use crate::{
    config::Config,
    notary::{self, Started},
    witness::WitnessService,
};

/// What a notary signs.
pub(super) struct Sources {
    pub log: Arc<dyn EventLog>,
    /// Last position that the stream is known to hold.
    pub relayed: watch::Receiver<u64>,
    pub state_digest: watch::Receiver<Option<StateDigest>>,
}

/// Opens the tree of a log, and refuses a log that is not the one that was
/// signed.
pub(super) async fn notarise<A>(
    config: &Config<A>,
    service: decider::Service,
    partition: u32,
    policy: Option<Arc<Policy>>,
    sources: Sources,
) -> anyhow::Result<Started> {
    let options = &config.transparency;
    let directory = notary::tree_directory(&config.service.data_dir, service, partition);
    let origin = Origin::new(service.name(), partition)?;
    // A new key beside an old checkpoint would only hide that the key is gone.
    let is_new = !directory.join("checkpoint").exists() && !directory.join("signed").exists();
    let key = notary::keys::log_key(&config.key_dir(), &origin, options.create_keys && is_new)?;
    let notary = notary::Options {
        service,
        partition,
        directory,
        log: sources.log,
        relayed: sources.relayed,
        key,
        policy,
        interval: Duration::from_millis(options.checkpoint_interval_ms),
        witness_timeout: Duration::from_millis(options.witness_timeout_ms),
        check_at_start_records_max: options.check_at_start_records_max,
        state_digest: sources.state_digest,
    };
    let started = tokio::task::spawn_blocking(move || notary::start(notary)).await?;
    Ok(started?)
}

/// The witness for other services' logs, where the policy names it. Of a
/// service's processes the one with partition 0 is the witness: two with one
/// key could cosign different histories.
pub(super) fn witness<A>(
    config: &Config<A>,
    service: decider::Service,
    policy: Option<&Policy>,
) -> anyhow::Result<Option<WitnessService>> {
    let name = notary::keys::witness_name(service.name());
    let Some(policy) = policy.filter(|_| config.service.partitions.contains(&0)) else {
        return Ok(None);
    };
    let mut named = policy.witnesses().map(|(_, key)| key);
    let Some(expected) = named.find(|key| key.label().name == name) else {
        return Ok(None);
    };
    // The policy names its key, so one that is missing is not made anew.
    let key = notary::keys::witness_key(&config.key_dir(), service.name(), false)?;
    anyhow::ensure!(
        key.public() == expected,
        "the policy names {} as the witness of {service}, and the key in {} is {}: put the right \
         key there, or name this one in the policy",
        expected.label(),
        config.key_dir().display(),
        key.public().label(),
    );
    let others = policy
        .logs()
        .filter(|log| log.origin().service() != service.name());
    let directory = config.service.data_dir.join(service.name()).join("witness");
    let witness = WitnessService::open(service.name(), key, others.cloned(), &directory)?;
    Ok(Some(witness))
}
