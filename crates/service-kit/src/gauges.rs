//! Figures that are looked at from time to time rather than counted: where a
//! partition stands, and whether its invariants hold.

use std::{collections::BTreeSet, time::Duration};

use decider::{Domain, Invariant};
use tokio::sync::watch;

use crate::partition::Partition;

const EVERY: Duration = Duration::from_secs(5);
/// Invariants are looked at once in so many rounds: it visits everything.
const INVARIANTS_EVERY: u32 = 12;

/// Keeps the gauges of a partition up to date, for ever.
///
/// # Errors
/// Never; it has the form of a supervised task.
pub async fn keep<D: Domain>(
    partition: Partition<D>,
    relayed: Option<watch::Receiver<u64>>,
) -> anyhow::Result<()> {
    let labels = [
        ("service", D::SERVICE.name().to_owned()),
        ("partition", partition.number().to_string()),
    ];
    let mut round = 0;
    let mut seen = BTreeSet::new();
    loop {
        let last = partition.log().last_position().0;
        gauge("baogong_log_position", &labels, last);
        if let Some(relayed) = &relayed {
            let lag = last.saturating_sub(*relayed.borrow());
            gauge("baogong_relay_lag_records", &labels, lag);
        }
        gauge("baogong_queue_commands", &labels, partition.queued() as u64);
        if round % INVARIANTS_EVERY == 0 {
            report_violations(&partition, &labels, &mut seen);
        }
        // Without it samples pile up where nobody scrapes.
        crate::telemetry::metrics().run_upkeep();
        round = round.wrapping_add(1);
        tokio::time::sleep(EVERY).await;
    }
}

fn report_violations<D: Domain>(
    partition: &Partition<D>,
    labels: &[(&'static str, String)],
    seen: &mut BTreeSet<Invariant>,
) {
    let violations = partition.peek(|machine| D::violations(machine.state()));
    for violation in &violations {
        tracing::error!(%violation, "an invariant does not hold");
    }
    gauge(
        "baogong_invariant_violations",
        labels,
        violations.len() as u64,
    );
    seen.extend(violations.iter().map(|violation| violation.invariant));
    // One that holds again goes back to zero.
    for invariant in seen.iter() {
        let count = violations
            .iter()
            .filter(|violation| violation.invariant == *invariant)
            .count();
        let mut labels = labels.to_vec();
        labels.push(("invariant", invariant.id().to_owned()));
        gauge("baogong_invariant_broken", &labels, count as u64);
    }
}

#[allow(clippy::cast_precision_loss)]
fn gauge(name: &'static str, labels: &[(&'static str, String)], value: u64) {
    metrics::gauge!(name, labels).set(value as f64);
}
