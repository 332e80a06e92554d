//! A robot that is left to itself, for harnesses with hundreds of them.

use decider::Timestamp;
use proto::logistics::v1::{Load, ShipmentState};
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
        self.go_on(now()).await?;
        while let Some(message) = stream.message().await? {
            self.brain.note(&message);
            for shipment_id in self.answer().await? {
                if let Some(load) = self.brain.load(&shipment_id).cloned() {
                    self.carry(&shipment_id, &load, now()).await?;
                    self.brain.forget(&shipment_id);
                }
            }
        }
        Ok(())
    }

    /// What was accepted before the stream broke, or the robot was started
    /// anew, is carried out now.
    async fn go_on(&self, now: Timestamp) -> Result<(), Status> {
        for shipment in self.shipments(ShipmentState::ResourceAssigned).await? {
            let load = shipment.load.clone().unwrap_or_default();
            self.carry(&shipment.shipment_id, &load, now).await?;
        }
        for shipment in self.shipments(ShipmentState::ArrivedDestination).await? {
            if shipment.declared.is_empty() {
                self.declare(&shipment.shipment_id).await?;
            }
        }
        Ok(())
    }

    /// A clock that runs on: all of it is told as of now.
    async fn carry(&self, shipment_id: &str, load: &Load, now: Timestamp) -> Result<(), Status> {
        let mut journey = Journey::at_once(shipment_id, load, now, WAY_MINUTES);
        self.drive(&mut journey, now).await?;
        self.declare(shipment_id).await
    }
}
