//! gRPC handlers: parse, submit or query, answer. No rule lives here.

mod access;
mod contact;
mod followup;
mod freight;
mod partner;
mod proof;
mod report;
mod route;
mod sealed;
mod upload;
pub(crate) mod watch;
mod webhook;

use std::collections::BTreeMap;

use decider::Service as ServiceName;
use logistics_domain::{Command, Logistics};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, logistics_service_server::LogisticsService},
    requests::CommandRequest,
};
use service_kit::{
    call::Partitions,
    follow::Tail,
    partition::Committed,
    sealing::KeyRing,
    status::{not_found, status},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use crate::{
    parse,
    photos::Photos,
    query,
    webhook::{address::Policy, progress::Progress, secret::SecretKey},
};

pub(crate) use watch::may_mean_something;

const SERVICE: ServiceName = ServiceName::Logistics;

pub struct Service {
    pub partitions: Partitions<Logistics>,
    /// Of receivers' names and PINs.
    pub keys: KeyRing,
    pub photos: Photos,
    /// Of each partition's log, for those who watch it.
    pub tails: BTreeMap<u32, Tail>,
    /// Ends the streams that clients watch.
    pub stop: CancellationToken,
    pub webhooks: Webhooks,
}

/// What answers about webhooks need.
pub struct Webhooks {
    /// None: there are no webhooks here.
    pub key: Option<SecretKey>,
    pub policy: Policy,
    /// By partition.
    pub progress: BTreeMap<u32, Progress>,
}

type Answer<T> = Result<Response<T>, Status>;

/// What a request changed, and the request.
struct Done<M> {
    committed: Committed<LogisticsEvent>,
    message: M,
}

impl<M> Done<M> {
    fn position(&self) -> u64 {
        self.committed.position.0
    }

    fn events(&self) -> impl Iterator<Item = &LogisticsEvent> {
        self.committed.records.iter().map(|record| &record.event)
    }
}

impl Service {
    async fn submit<M: CommandRequest>(
        &self,
        request: Request<M>,
        parse: fn(&M) -> Result<Command, Status>,
    ) -> Result<Done<M>, Status> {
        let (call, message) = self.partitions.command(request)?;
        let committed = call.run(parse(&message)?).await?;
        Ok(Done { committed, message })
    }
}

#[tonic::async_trait]
impl LogisticsService for Service {
    async fn register_checkpoint(
        &self,
        request: Request<pb::RegisterCheckpointRequest>,
    ) -> Answer<pb::RegisterCheckpointResponse> {
        let done = self.submit(request, parse::register_checkpoint).await?;
        Ok(Response::new(pb::RegisterCheckpointResponse {
            position: done.position(),
        }))
    }

    async fn get_checkpoint(
        &self,
        request: Request<pb::GetCheckpointRequest>,
    ) -> Answer<pb::GetCheckpointResponse> {
        let message = request.get_ref();
        let id = &message.checkpoint_id;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                query::checkpoint(machine.state(), area, id)
            })
            .await?;
        let mut answer =
            found.ok_or_else(|| not_found(SERVICE, "checkpoint", "checkpoint_id", id))?;
        answer.as_of_position = position.0;
        Ok(Response::new(answer))
    }

    async fn register_member(
        &self,
        request: Request<pb::RegisterMemberRequest>,
    ) -> Answer<pb::RegisterMemberResponse> {
        let done = self.submit(request, parse::register_member).await?;
        Ok(Response::new(pb::RegisterMemberResponse {
            position: done.position(),
        }))
    }

    async fn assign_shift(
        &self,
        request: Request<pb::AssignShiftRequest>,
    ) -> Answer<pb::AssignShiftResponse> {
        let done = self.submit(request, parse::assign_shift).await?;
        let assigned = done.events().find_map(|event| match event {
            LogisticsEvent::ShiftAssigned(event) => event.shift.as_ref(),
            _ => None,
        });
        let shift_id = match assigned {
            Some(shift) => shift.shift_id.clone(),
            // The member had this very shift already.
            None => self.shift_id(&done).await?,
        };
        Ok(Response::new(pb::AssignShiftResponse {
            position: done.position(),
            shift_id,
        }))
    }

    async fn record_absence(
        &self,
        request: Request<pb::RecordAbsenceRequest>,
    ) -> Answer<pb::RecordAbsenceResponse> {
        let done = self.submit(request, parse::record_absence).await?;
        let cancelled = done
            .events()
            .filter(|event| matches!(event, LogisticsEvent::RunCancelled(_)));
        Ok(Response::new(pb::RecordAbsenceResponse {
            position: done.position(),
            cancelled_runs: count(cancelled.count()),
        }))
    }

    async fn get_roster(
        &self,
        request: Request<pb::GetRosterRequest>,
    ) -> Answer<pb::GetRosterResponse> {
        let (members, position) = self
            .partitions
            .query(request.get_ref(), |machine, area, now| {
                query::roster(machine.state(), area, now)
            })
            .await?;
        Ok(Response::new(pb::GetRosterResponse {
            as_of_position: position.0,
            members,
        }))
    }

    async fn receive_parcels(
        &self,
        request: Request<pb::ReceiveParcelsRequest>,
    ) -> Answer<pb::ReceiveParcelsResponse> {
        let done = self.submit(request, parse::receive_parcels).await?;
        let awaiting = self.awaiting(&done).await?;
        let complete = done.message.parcels.len().saturating_sub(awaiting);
        Ok(Response::new(pb::ReceiveParcelsResponse {
            position: done.position(),
            complete_parcels: count(complete),
            awaiting_replacement_parcels: count(awaiting),
        }))
    }

    async fn disinfect_parcels(
        &self,
        request: Request<pb::DisinfectParcelsRequest>,
    ) -> Answer<pb::DisinfectParcelsResponse> {
        let done = self.submit(request, parse::disinfect_parcels).await?;
        Ok(Response::new(pb::DisinfectParcelsResponse {
            position: done.position(),
        }))
    }

    async fn get_parcel(
        &self,
        request: Request<pb::GetParcelRequest>,
    ) -> Answer<pb::GetParcelResponse> {
        let message = request.get_ref();
        let id = &message.order_id;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let parcel = machine.state().parcel(area, id)?;
                Some(parcel.to_message())
            })
            .await?;
        let parcel = found.ok_or_else(|| not_found(SERVICE, "parcel", "order_id", id))?;
        Ok(Response::new(pb::GetParcelResponse {
            as_of_position: position.0,
            parcel: Some(parcel),
        }))
    }

    async fn list_parcels(
        &self,
        request: Request<pb::ListParcelsRequest>,
    ) -> Answer<pb::ListParcelsResponse> {
        let message = request.get_ref();
        let filter = parse::parcel_filter(message)?;
        let list = format!(
            "ListParcels/{}/{}/{}",
            message.area, message.checkpoint_id, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                // One more than asked for tells whether there is a next page.
                let found = machine
                    .state()
                    .parcels(area, &filter, after, page.size + 1)?;
                Some(page.cut(query::parcels(found), |parcel| parcel.order_id.clone()))
            })
            .await?;
        let (parcels, next_page_token) = found.ok_or_else(|| {
            status(
                SERVICE,
                Code::InvalidArgument,
                "PAGE_TOKEN_INVALID",
                "page_token does not lead into this list; begin again without one",
            )
        })?;
        Ok(Response::new(pb::ListParcelsResponse {
            as_of_position: position.0,
            parcels,
            next_page_token,
        }))
    }

    async fn plan_runs(
        &self,
        request: Request<pb::PlanRunsRequest>,
    ) -> Answer<pb::PlanRunsResponse> {
        let done = self.submit(request, parse::plan_runs).await?;
        let mut run_ids = vec![];
        let mut planned = 0_usize;
        for event in done.events() {
            if let LogisticsEvent::RunPlanned(event) = event {
                run_ids.push(event.run_id.clone());
                planned += event.stops.len();
            }
        }
        let unplanned = self.unplanned(&done).await?;
        Ok(Response::new(pb::PlanRunsResponse {
            position: done.position(),
            run_ids,
            planned_parcels: count(planned),
            unplanned_parcels: count(unplanned),
        }))
    }

    async fn start_run(
        &self,
        request: Request<pb::StartRunRequest>,
    ) -> Answer<pb::StartRunResponse> {
        let done = self.submit(request, parse::start_run).await?;
        Ok(Response::new(pb::StartRunResponse {
            position: done.position(),
        }))
    }

    async fn place_goods(
        &self,
        request: Request<pb::PlaceGoodsRequest>,
    ) -> Answer<pb::PlaceGoodsResponse> {
        let done = self.submit(request, parse::place_goods).await?;
        Ok(Response::new(pb::PlaceGoodsResponse {
            position: done.position(),
        }))
    }

    async fn leave_door(
        &self,
        request: Request<pb::LeaveDoorRequest>,
    ) -> Answer<pb::LeaveDoorResponse> {
        let done = self.submit(request, parse::leave_door).await?;
        Ok(Response::new(pb::LeaveDoorResponse {
            position: done.position(),
        }))
    }

    async fn fail_attempt(
        &self,
        request: Request<pb::FailAttemptRequest>,
    ) -> Answer<pb::FailAttemptResponse> {
        let done = self.submit(request, parse::fail_attempt).await?;
        Ok(Response::new(pb::FailAttemptResponse {
            position: done.position(),
        }))
    }

    async fn disinfect_entrance(
        &self,
        request: Request<pb::DisinfectEntranceRequest>,
    ) -> Answer<pb::DisinfectEntranceResponse> {
        let done = self.submit(request, parse::disinfect_entrance).await?;
        Ok(Response::new(pb::DisinfectEntranceResponse {
            position: done.position(),
        }))
    }

    async fn complete_run(
        &self,
        request: Request<pb::CompleteRunRequest>,
    ) -> Answer<pb::CompleteRunResponse> {
        let done = self.submit(request, parse::complete_run).await?;
        let completed = done.events().find_map(|event| match event {
            LogisticsEvent::RunCompleted(event) => {
                Some((event.delivered_stops, event.failed_stops))
            }
            _ => None,
        });
        let (delivered_stops, failed_stops) = match completed {
            Some(stops) => stops,
            // It was complete already.
            None => self.outcome(&done).await?,
        };
        Ok(Response::new(pb::CompleteRunResponse {
            position: done.position(),
            delivered_stops,
            failed_stops,
        }))
    }

    async fn reschedule_delivery(
        &self,
        request: Request<pb::RescheduleDeliveryRequest>,
    ) -> Answer<pb::RescheduleDeliveryResponse> {
        let done = self.submit(request, parse::reschedule_delivery).await?;
        Ok(Response::new(pb::RescheduleDeliveryResponse {
            position: done.position(),
        }))
    }

    async fn return_parcel(
        &self,
        request: Request<pb::ReturnParcelRequest>,
    ) -> Answer<pb::ReturnParcelResponse> {
        let done = self.submit(request, parse::return_parcel).await?;
        Ok(Response::new(pb::ReturnParcelResponse {
            position: done.position(),
        }))
    }

    async fn get_run(&self, request: Request<pb::GetRunRequest>) -> Answer<pb::GetRunResponse> {
        let message = request.get_ref();
        let id = &message.run_id;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let run = machine.state().run(area, id)?;
                Some(run.to_message())
            })
            .await?;
        let run = found.ok_or_else(|| not_found(SERVICE, "run", "run_id", id))?;
        Ok(Response::new(pb::GetRunResponse {
            as_of_position: position.0,
            run: Some(run),
        }))
    }

    async fn list_runs(
        &self,
        request: Request<pb::ListRunsRequest>,
    ) -> Answer<pb::ListRunsResponse> {
        let message = request.get_ref();
        let filter = parse::run_filter(message)?;
        let list = format!(
            "ListRuns/{}/{}/{}/{}",
            message.area, message.checkpoint_id, message.member_id, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((runs, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let found = machine.state().runs(area, &filter, after, page.size + 1);
                page.cut(query::runs(found), |run| run.run_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListRunsResponse {
            as_of_position: position.0,
            runs,
            next_page_token,
        }))
    }
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
