//! What an answer to a change says of the state and the records do not: it is
//! read at the position that the change reached.

use decider::Area;
use logistics_domain::State;
use proto::{LogisticsEvent, logistics::v1 as pb, requests::CommandRequest, time::from_proto};
use tonic::Status;

use super::{Done, Service, count};
use crate::query;

impl Service {
    async fn after<M: CommandRequest, R>(
        &self,
        done: &Done<M>,
        look: impl FnOnce(&State, &Area) -> R,
    ) -> Result<R, Status> {
        let message = pb::GetRosterRequest {
            area: done.message.area().to_owned(),
            min_position: done.position(),
        };
        let (found, _) = self
            .partitions
            .query(&message, |machine, area, _| look(machine.state(), area))
            .await?;
        Ok(found)
    }

    pub(super) async fn shift_id(
        &self,
        done: &Done<pb::AssignShiftRequest>,
    ) -> Result<String, Status> {
        let member_id = &done.message.member_id;
        let starts = done.message.starts_time.as_ref().map(from_proto);
        let found = self
            .after(done, |state, area| {
                query::shift_id(state, area, member_id, starts?)
            })
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// How many of the parcels received wait for a bag: those of this
    /// hand-over's exceptions, and those that wait for a bag still.
    pub(super) async fn awaiting(
        &self,
        done: &Done<pb::ReceiveParcelsRequest>,
    ) -> Result<usize, Status> {
        let receipts = &done.message.parcels;
        let excepted = |order_id: &str| {
            done.events().any(|event| {
                matches!(event, LogisticsEvent::ParcelReceived(e)
                    if e.order_id == order_id && !e.exceptions.is_empty())
            })
        };
        self.after(done, |state, area| {
            let awaiting = receipts.iter().filter(|receipt| {
                excepted(&receipt.order_id)
                    || query::awaits_replacement(state, area, &receipt.order_id)
            });
            awaiting.count()
        })
        .await
    }

    pub(super) async fn unplanned(
        &self,
        done: &Done<pb::PlanRunsRequest>,
    ) -> Result<usize, Status> {
        let checkpoint_id = &done.message.checkpoint_id;
        self.after(done, |state, area| {
            query::unplanned(state, area, checkpoint_id)
        })
        .await
    }

    pub(super) async fn outcome(
        &self,
        done: &Done<pb::CompleteRunRequest>,
    ) -> Result<(i32, i32), Status> {
        let run_id = &done.message.run_id;
        let (delivered, failed) = self
            .after(done, |state, area| {
                state
                    .run(area, run_id)
                    .map(query::outcome)
                    .unwrap_or_default()
            })
            .await?;
        Ok((count(delivered), count(failed)))
    }
}
