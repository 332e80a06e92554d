//! Destroys the keys of shipments that are over for long, and records that they
//! are gone. It decides nothing: what is owed the durable state says, so a crash
//! or NATS being away only delays it.

use std::{sync::Arc, time::Duration};

use decider::{Actor, Area, Position, Service};
use logistics_domain::{Logistics, RecordShipmentKeyDestroyed};
use service_kit::{
    admin::PendingWork,
    partition::{Partition, SubmitError, machine::RequestMeta},
    sealing::{KeyRing, shipment_key},
};
use sha2::{Digest, Sha256};

/// How often it looks at least; records wake it.
const TICK: Duration = Duration::from_secs(5);
/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(100);
/// Keys taken up at once.
const AT_ONCE: usize = 64;

pub struct Forgetter {
    partition: Partition<Logistics>,
    keys: KeyRing,
}

impl Forgetter {
    pub fn new(partition: Partition<Logistics>, keys: KeyRing) -> Self {
        Self { partition, keys }
    }

    /// Counts the keys that are to be destroyed.
    #[must_use]
    pub fn owed(&self) -> PendingWork {
        let partition = self.partition.clone();
        Arc::new(move |number| {
            if number != partition.number() {
                return 0;
            }
            let owed = partition.peek(|machine| machine.state().shipment_keys_owed_count());
            u64::try_from(owed).unwrap_or(u64::MAX)
        })
    }

    /// Never ends.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut recorded = self.partition.log().watch();
        loop {
            if self
                .partition
                .peek(|machine| machine.state().shipment_keys_owed_count())
                > 0
            {
                self.forget().await;
            }
            // Of many records at once only the last wakes it.
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                changed = recorded.changed() => {
                    if changed.is_err() {
                        // The service is about to end, and says why itself.
                        std::future::pending::<()>().await;
                    }
                }
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// What durable records say is owed, since nothing else may cost a key.
    async fn forget(&self) {
        let looked = self.partition.query(Position::ZERO, |machine| {
            let owed = machine.state().shipment_keys_owed().take(AT_ONCE);
            owed.map(|(area, id)| (area, id.to_owned()))
                .collect::<Vec<_>>()
        });
        let Ok((owed, _)) = looked.await else {
            // Not durable yet, or about to end: the next look comes.
            return;
        };
        for (area, shipment_id) in owed {
            let key_id = shipment_key(&area, &shipment_id);
            if let Err(error) = self.keys.destroy(&key_id).await {
                tracing::warn!(shipment = shipment_id, %error, "a key is not yet destroyed");
                return;
            }
            let meta = meta(&area, &shipment_id);
            let command = RecordShipmentKeyDestroyed {
                shipment_id: shipment_id.clone(),
            };
            match self.partition.submit(command.into(), meta).await {
                // Recorded; nobody waits for the answer.
                Ok(_) | Err(SubmitError::NotReplicated { .. }) => {}
                Err(error) => {
                    tracing::warn!(shipment = shipment_id, %error, "the end of a key waits");
                    return;
                }
            }
        }
    }
}

/// The slashes keep these ids apart from those of callers, which have none.
fn meta(area: &Area, shipment_id: &str) -> RequestMeta {
    let request_id = format!("forget/{shipment_id}/key-destroyed");
    let hash = Sha256::digest(request_id.as_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash[..16]);
    RequestMeta {
        correlation_id: request_id.clone(),
        request_id,
        digest,
        area: area.clone(),
        actor: Actor::system(Service::Logistics.name()),
        if_revision: None,
        traceparent: String::new(),
    }
}
