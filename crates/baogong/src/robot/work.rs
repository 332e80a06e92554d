//! A robot that is left to itself, for harnesses with hundreds of them.

use decider::Timestamp;
use proto::logistics::v1::ShipmentState;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    Journey, Robot,
    carrier::{BACKOFF_FIRST, BACKOFF_LAST},
};
use crate::client::heals;

/// Minutes that it says it is on the way.
const WAY_MINUTES: i64 = 30;

impl Robot {
    /// Works by itself until it is stopped: listens, answers, and carries what
    /// it accepted out at once, as if the way took no time. For harnesses; the
    /// firm is to have joined.
    ///
    /// # Errors
    /// The suite refused something that trying again does not heal.
    pub async fn work(
        &mut self,
        now: impl Fn() -> Timestamp,
        stop: &CancellationToken,
    ) -> Result<(), Status> {
        let mut pause = BACKOFF_FIRST;
        while !stop.is_cancelled() {
            let worked = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                worked = self.work_on_stream(&now) => worked,
            };
            match worked {
                Err(status) if !heals(&status) => return Err(status),
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF_LAST);
                }
                Ok(()) => pause = BACKOFF_FIRST,
            }
        }
        Ok(())
    }

    /// Until the stream breaks.
    async fn work_on_stream(&mut self, now: &impl Fn() -> Timestamp) -> Result<(), Status> {
        let mut stream = self.watch().await?;
        // What was accepted before a break is carried out now.
        self.carry(now()).await?;
        while let Some(message) = stream.message().await? {
            self.brain.note(&message);
            self.answer().await?;
            self.carry(now()).await?;
        }
        Ok(())
    }

    async fn carry(&self, now: Timestamp) -> Result<(), Status> {
        let ready = self.shipments(ShipmentState::ResourceAssigned).await?;
        for shipment in ready {
            let id = &shipment.shipment_id;
            let load = shipment.load.clone().unwrap_or_default();
            // A clock that runs on: all of it is told as of now.
            let mut journey = Journey::at_once(id, &load, now, WAY_MINUTES);
            self.drive(&mut journey, now).await?;
        }
        for shipment in self.shipments(ShipmentState::ArrivedDestination).await? {
            if shipment.declared.is_empty() {
                self.declare(&shipment.shipment_id).await?;
            }
        }
        Ok(())
    }
}
