//! A robot that is left to itself, for harnesses with hundreds of them.

use decider::Timestamp;
use proto::{
    logistics::v1::{Load, Shipment, ShipmentState},
    time::or_epoch,
};
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

    /// What was begun before the stream broke, or the robot was started anew,
    /// is carried out now: what was told of it is told again as it was.
    async fn go_on(&self, now: Timestamp) -> Result<(), Status> {
        let own = self.shipments(ShipmentState::Unspecified).await?;
        for shipment in own.iter().filter(|shipment| is_under_way(shipment)) {
            let load = shipment.load.clone().unwrap_or_default();
            let left = shipment.departed_time.as_ref();
            let left = left.map_or(now, |time| or_epoch(Some(time)));
            self.carry(&shipment.shipment_id, &load, left).await?;
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

/// With a vehicle, and not handed over.
fn is_under_way(shipment: &Shipment) -> bool {
    let state = shipment.state();
    let there = state == ShipmentState::ArrivedDestination && shipment.declared.is_empty();
    there
        || matches!(
            state,
            ShipmentState::ResourceAssigned
                | ShipmentState::EnRoutePickup
                | ShipmentState::ArrivedPickup
                | ShipmentState::Loaded
                | ShipmentState::InTransit
        )
}
