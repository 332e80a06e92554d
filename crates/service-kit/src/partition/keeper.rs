//! Keeps snapshots: a task that writes the state down from time to time, and
//! tells its digest to whoever signs it.
//!
//! The writer waits for it only where the state cannot be frozen: then as long
//! as it takes to be serialized. What is written and told is durable in the log.

use std::{sync::Arc, time::Duration};

use decider::{Domain, Position};
use tokio_util::sync::CancellationToken;
use transparency::StateDigest;

use super::{
    Partition,
    snapshot::{SnapshotError, Snapshots, Taken},
};

/// Shortest time between two snapshots.
pub const REST_MIN: Duration = Duration::from_secs(5);
/// Rests so many times as long as a snapshot took, so that snapshots cost at
/// most about one twentieth of the time.
const REST_TIMES: u32 = 19;

/// Takes snapshots until `stop`, and a last one then. A snapshot that cannot
/// be written is said in the log and costs nothing but a slower start.
///
/// # Errors
/// None so far: the partition goes on without snapshots.
pub async fn keep<D: Domain>(
    partition: Partition<D>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Some(snapshots) = partition.inner.snapshots.clone() else {
        stop.cancelled().await;
        return Ok(());
    };
    let mut last = partition
        .digest()
        .borrow()
        .as_ref()
        .map_or(0, |d| d.position);
    let mut room = 0;
    let mut durable = partition.log().watch();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            changed = durable.wait_for(|position| position.0 > last) => {
                if changed.is_err() { break; }
            }
        }
        let started = tokio::time::Instant::now();
        match take(&partition, &snapshots, room).await {
            Ok(taken) => (last, room) = (taken.0.0, taken.1),
            Err(error) => complain(&error),
        }
        let rest = (started.elapsed() * REST_TIMES).max(REST_MIN);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(rest) => {}
        }
    }
    if partition.log().last_position().0 > last
        && let Err(error) = take(&partition, &snapshots, room).await
    {
        complain(&error);
    }
    Ok(())
}

fn complain(error: &anyhow::Error) {
    tracing::warn!(
        error = format!("{error:#}"),
        "no snapshot was taken; the next start reads more of the log"
    );
}

/// Takes a snapshot now; gives its position and its size.
async fn take<D: Domain>(
    partition: &Partition<D>,
    snapshots: &Arc<Snapshots>,
    room: usize,
) -> anyhow::Result<(Position, usize)> {
    let inner = Arc::clone(&partition.inner);
    let taken = tokio::task::spawn_blocking(move || {
        let frozen = inner.machine.write().frozen();
        let undigested = match frozen {
            Some(frozen) => Taken::of(&frozen, room)?,
            None => Taken::of(&inner.machine.read(), room)?,
        };
        Ok::<_, SnapshotError>(undigested.digest())
    })
    .await??;
    // A crash must not take back what the snapshot holds.
    partition.wait_released(taken.position()).await?;
    let (position, bytes) = (taken.position(), taken.bytes());
    let digest = taken.state_digest();
    let (inner, snapshots) = (Arc::clone(&partition.inner), Arc::clone(snapshots));
    let written = tokio::task::spawn_blocking(move || snapshots.write(&taken, &*inner.log)).await?;
    // The digest is right also where the disk is full.
    partition.publish(digest);
    written?;
    tracing::debug!(%position, bytes, "snapshot taken");
    Ok((position, bytes))
}

impl<D: Domain> Partition<D> {
    fn publish(&self, digest: StateDigest) {
        self.inner.digest.send_replace(Some(digest));
    }
}
