//! What partner firms ask.

use decider::Position;
use logistics_domain::Pass;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, partner_service_server::PartnerService},
};
use service_kit::{
    follow::{self, Parts},
    status::not_found,
    stream_service::stopping,
};
use tonic::{Request, Response, Streaming};

use super::{Answer, SERVICE, Service, report, watch::TenderWatch};
use crate::parse::freight as parse;

#[tonic::async_trait]
impl PartnerService for Service {
    async fn register_vehicle(
        &self,
        request: Request<pb::RegisterVehicleRequest>,
    ) -> Answer<pb::RegisterVehicleResponse> {
        let done = self.submit(request, parse::register_vehicle).await?;
        let position = done.position();
        Ok(Response::new(pb::RegisterVehicleResponse { position }))
    }

    async fn withdraw_vehicle(
        &self,
        request: Request<pb::WithdrawVehicleRequest>,
    ) -> Answer<pb::WithdrawVehicleResponse> {
        let done = self.submit(request, parse::withdraw_vehicle).await?;
        let position = done.position();
        Ok(Response::new(pb::WithdrawVehicleResponse { position }))
    }

    async fn register_driver(
        &self,
        request: Request<pb::RegisterDriverRequest>,
    ) -> Answer<pb::RegisterDriverResponse> {
        let done = self.submit(request, parse::register_driver).await?;
        let position = done.position();
        Ok(Response::new(pb::RegisterDriverResponse { position }))
    }

    async fn withdraw_driver(
        &self,
        request: Request<pb::WithdrawDriverRequest>,
    ) -> Answer<pb::WithdrawDriverResponse> {
        let done = self.submit(request, parse::withdraw_driver).await?;
        let position = done.position();
        Ok(Response::new(pb::WithdrawDriverResponse { position }))
    }

    async fn withdraw_capacity(
        &self,
        request: Request<pb::WithdrawCapacityRequest>,
    ) -> Answer<pb::WithdrawCapacityResponse> {
        let done = self.submit(request, parse::withdraw_capacity).await?;
        let position = done.position();
        Ok(Response::new(pb::WithdrawCapacityResponse { position }))
    }

    async fn accept_tender(
        &self,
        request: Request<pb::AcceptTenderRequest>,
    ) -> Answer<pb::AcceptTenderResponse> {
        let done = self.submit(request, parse::accept_tender).await?;
        let position = done.position();
        Ok(Response::new(pb::AcceptTenderResponse { position }))
    }

    async fn decline_tender(
        &self,
        request: Request<pb::DeclineTenderRequest>,
    ) -> Answer<pb::DeclineTenderResponse> {
        let done = self.submit(request, parse::decline_tender).await?;
        let position = done.position();
        Ok(Response::new(pb::DeclineTenderResponse { position }))
    }

    async fn assign_resources(
        &self,
        request: Request<pb::AssignResourcesRequest>,
    ) -> Answer<pb::AssignResourcesResponse> {
        let done = self.submit(request, parse::assign_resources).await?;
        let position = done.position();
        Ok(Response::new(pb::AssignResourcesResponse { position }))
    }

    async fn declare_handover(
        &self,
        request: Request<pb::DeclareHandoverRequest>,
    ) -> Answer<pb::DeclareHandoverResponse> {
        let done = self.submit(request, parse::declare_handover).await?;
        let position = done.position();
        Ok(Response::new(pb::DeclareHandoverResponse { position }))
    }

    async fn close_incident(
        &self,
        request: Request<pb::CloseIncidentRequest>,
    ) -> Answer<pb::CloseIncidentResponse> {
        let done = self.submit(request, parse::close_incident).await?;
        let position = done.position();
        Ok(Response::new(pb::CloseIncidentResponse { position }))
    }

    async fn offer_capacity(
        &self,
        request: Request<pb::OfferCapacityRequest>,
    ) -> Answer<pb::OfferCapacityResponse> {
        let done = self.submit(request, parse::offer_capacity).await?;
        let offer_id = done.events().find_map(|event| match event {
            LogisticsEvent::CapacityOffered(event) => Some(event.offer_id.clone()),
            _ => None,
        });
        Ok(Response::new(pb::OfferCapacityResponse {
            position: done.position(),
            offer_id: offer_id.unwrap_or_default(),
        }))
    }

    async fn apply_for_pass(
        &self,
        request: Request<pb::ApplyForPassRequest>,
    ) -> Answer<pb::ApplyForPassResponse> {
        let done = self.submit(request, parse::apply_for_pass).await?;
        let pass_id = done.events().find_map(|event| match event {
            LogisticsEvent::PassApplied(event) => Some(event.pass_id.clone()),
            _ => None,
        });
        Ok(Response::new(pb::ApplyForPassResponse {
            position: done.position(),
            pass_id: pass_id.unwrap_or_default(),
        }))
    }

    async fn open_incident(
        &self,
        request: Request<pb::OpenIncidentRequest>,
    ) -> Answer<pb::OpenIncidentResponse> {
        let done = self.submit(request, parse::open_incident).await?;
        let incident_id = done.events().find_map(|event| match event {
            LogisticsEvent::IncidentOpened(event) => Some(event.incident_id.clone()),
            _ => None,
        });
        Ok(Response::new(pb::OpenIncidentResponse {
            position: done.position(),
            incident_id: incident_id.unwrap_or_default(),
        }))
    }

    async fn record_proof(
        &self,
        request: Request<pb::RecordProofRequest>,
    ) -> Answer<pb::RecordProofResponse> {
        self.prove(request).await
    }

    async fn list_proofs(
        &self,
        request: Request<pb::ListProofsRequest>,
    ) -> Answer<pb::ListProofsResponse> {
        self.proofs(request).await
    }

    async fn upload_photo(
        &self,
        request: Request<Streaming<pb::UploadPhotoRequest>>,
    ) -> Answer<pb::UploadPhotoResponse> {
        self.upload(request).await
    }

    async fn get_upload(
        &self,
        request: Request<pb::GetUploadRequest>,
    ) -> Answer<pb::GetUploadResponse> {
        self.uploaded(request).await
    }

    type DownloadPhotoStream = Parts<pb::DownloadPhotoResponse>;

    async fn download_photo(
        &self,
        request: Request<pb::DownloadPhotoRequest>,
    ) -> Answer<Self::DownloadPhotoStream> {
        self.download(request).await
    }

    async fn get_manifest(
        &self,
        request: Request<pb::GetManifestRequest>,
    ) -> Answer<pb::GetManifestResponse> {
        self.manifest(request).await
    }

    type WatchTendersStream = Parts<pb::WatchTendersResponse>;

    async fn watch_tenders(
        &self,
        request: Request<pb::WatchTendersRequest>,
    ) -> Answer<Self::WatchTendersStream> {
        let message = request.get_ref();
        let carrier_id = parse::carrier_id(&message.carrier_id)?;
        let after = Position(message.after_cursor);
        // Also waits for `min_position`.
        let (area, _) = self
            .partitions
            .query(message, |_, area, _| area.clone())
            .await?;
        let partition = self.partitions.hosting(&area)?;
        follow::check_cursor(partition, after)?;
        let watch = TenderWatch { carrier_id, area };
        let stop = self.stop.clone();
        let tail = self.tails.get(&partition.number());
        let tail = tail.ok_or_else(|| stopping(SERVICE))?;
        Ok(Response::new(follow::follow(
            partition, tail, after, watch, stop,
        )))
    }

    async fn report_events(
        &self,
        request: Request<pb::ReportEventsRequest>,
    ) -> Answer<pb::ReportEventsResponse> {
        Ok(Response::new(
            report::take(&self.partitions, request).await?,
        ))
    }

    type StreamReportsStream = Parts<pb::StreamReportsResponse>;

    async fn stream_reports(
        &self,
        request: Request<Streaming<pb::StreamReportsRequest>>,
    ) -> Answer<Self::StreamReportsStream> {
        Ok(Response::new(report::answers(
            self.partitions.clone(),
            self.stop.clone(),
            request,
        )))
    }

    async fn get_shipment(
        &self,
        request: Request<pb::GetShipmentRequest>,
    ) -> Answer<pb::GetShipmentResponse> {
        self.shipment(request).await
    }

    async fn list_shipments(
        &self,
        request: Request<pb::ListShipmentsRequest>,
    ) -> Answer<pb::ListShipmentsResponse> {
        let message = request.get_ref();
        let carrier_id = parse::carrier_id(&message.carrier_id)?;
        let wanted = parse::shipment_state(message)?;
        let list = format!(
            "PartnerListShipments/{}/{carrier_id}/{}",
            message.area, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((shipments, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let own = machine
                    .state()
                    .shipments_of(area, &carrier_id, wanted, after);
                let found = own.take(page.size + 1).map(|own| own.to_message());
                page.cut(found, |shipment| shipment.shipment_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListShipmentsResponse {
            as_of_position: position.0,
            shipments,
            next_page_token,
        }))
    }

    async fn get_pass(&self, request: Request<pb::GetPassRequest>) -> Answer<pb::GetPassResponse> {
        let message = request.get_ref();
        let id = &message.pass_id;
        let carrier_id = parse::carrier_id(&message.carrier_id)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let pass = machine.state().pass(area, id)?;
                (pass.carrier_id == carrier_id).then(|| pass.to_message())
            })
            .await?;
        let pass = found.ok_or_else(|| not_found(SERVICE, "pass", "pass_id", id))?;
        Ok(Response::new(pb::GetPassResponse {
            as_of_position: position.0,
            pass: Some(pass),
        }))
    }

    async fn list_passes(
        &self,
        request: Request<pb::ListPassesRequest>,
    ) -> Answer<pb::ListPassesResponse> {
        let message = request.get_ref();
        let carrier_id = parse::carrier_id(&message.carrier_id)?;
        let wanted = parse::pass_state(message)?;
        let list = format!(
            "PartnerListPasses/{}/{carrier_id}/{}",
            message.area, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((passes, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let own = machine
                    .state()
                    .passes_after(area, after)
                    .filter(|pass| pass.carrier_id == carrier_id)
                    .filter(|pass| wanted.is_none_or(|state| pass.state == state));
                let found = own.take(page.size + 1).map(Pass::to_message);
                page.cut(found, |pass| pass.pass_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListPassesResponse {
            as_of_position: position.0,
            passes,
            next_page_token,
        }))
    }
}
