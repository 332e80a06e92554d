//! What the area's dispatchers and keepers ask about the trunk leg.

use logistics_domain::Carrier;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, freight_service_server::FreightService},
};
use service_kit::status::not_found;
use tonic::{Request, Response};

use super::{Answer, SERVICE, Service};
use crate::parse::{freight as parse, route as parse_route};

#[tonic::async_trait]
impl FreightService for Service {
    async fn register_carrier(
        &self,
        request: Request<pb::RegisterCarrierRequest>,
    ) -> Answer<pb::RegisterCarrierResponse> {
        let done = self.submit(request, parse::register_carrier).await?;
        let position = done.position();
        Ok(Response::new(pb::RegisterCarrierResponse { position }))
    }

    async fn suspend_carrier(
        &self,
        request: Request<pb::SuspendCarrierRequest>,
    ) -> Answer<pb::SuspendCarrierResponse> {
        let done = self.submit(request, parse::suspend_carrier).await?;
        let position = done.position();
        Ok(Response::new(pb::SuspendCarrierResponse { position }))
    }

    async fn resume_carrier(
        &self,
        request: Request<pb::ResumeCarrierRequest>,
    ) -> Answer<pb::ResumeCarrierResponse> {
        let done = self.submit(request, parse::resume_carrier).await?;
        let position = done.position();
        Ok(Response::new(pb::ResumeCarrierResponse { position }))
    }

    async fn issue_pass(
        &self,
        request: Request<pb::IssuePassRequest>,
    ) -> Answer<pb::IssuePassResponse> {
        let done = self.submit(request, parse::issue_pass).await?;
        let position = done.position();
        Ok(Response::new(pb::IssuePassResponse { position }))
    }

    async fn refuse_pass(
        &self,
        request: Request<pb::RefusePassRequest>,
    ) -> Answer<pb::RefusePassResponse> {
        let done = self.submit(request, parse::refuse_pass).await?;
        let position = done.position();
        Ok(Response::new(pb::RefusePassResponse { position }))
    }

    async fn revoke_pass(
        &self,
        request: Request<pb::RevokePassRequest>,
    ) -> Answer<pb::RevokePassResponse> {
        let done = self.submit(request, parse::revoke_pass).await?;
        let position = done.position();
        Ok(Response::new(pb::RevokePassResponse { position }))
    }

    async fn change_load(
        &self,
        request: Request<pb::ChangeLoadRequest>,
    ) -> Answer<pb::ChangeLoadResponse> {
        let done = self.submit(request, parse::change_load).await?;
        let position = done.position();
        Ok(Response::new(pb::ChangeLoadResponse { position }))
    }

    async fn withdraw_tender(
        &self,
        request: Request<pb::WithdrawTenderRequest>,
    ) -> Answer<pb::WithdrawTenderResponse> {
        let done = self.submit(request, parse::withdraw_tender).await?;
        let position = done.position();
        Ok(Response::new(pb::WithdrawTenderResponse { position }))
    }

    async fn transfer_custody(
        &self,
        request: Request<pb::TransferCustodyRequest>,
    ) -> Answer<pb::TransferCustodyResponse> {
        let done = self.submit(request, parse::transfer_custody).await?;
        let position = done.position();
        Ok(Response::new(pb::TransferCustodyResponse { position }))
    }

    async fn set_contacts(
        &self,
        request: Request<pb::SetContactsRequest>,
    ) -> Answer<pb::SetContactsResponse> {
        self.contacts(request).await
    }

    async fn issue_pin(
        &self,
        request: Request<pb::IssuePinRequest>,
    ) -> Answer<pb::IssuePinResponse> {
        self.pin(request).await
    }

    async fn cancel_shipment(
        &self,
        request: Request<pb::CancelShipmentRequest>,
    ) -> Answer<pb::CancelShipmentResponse> {
        let done = self.submit(request, parse::cancel_shipment).await?;
        let position = done.position();
        Ok(Response::new(pb::CancelShipmentResponse { position }))
    }

    async fn close_shipment(
        &self,
        request: Request<pb::CloseShipmentRequest>,
    ) -> Answer<pb::CloseShipmentResponse> {
        let done = self.submit(request, parse::close_shipment).await?;
        let position = done.position();
        Ok(Response::new(pb::CloseShipmentResponse { position }))
    }

    async fn draft_shipment(
        &self,
        request: Request<pb::DraftShipmentRequest>,
    ) -> Answer<pb::DraftShipmentResponse> {
        let (done, position) = self.draft(request).await?;
        let mut answer = pb::DraftShipmentResponse {
            position,
            ..Default::default()
        };
        for event in done.events() {
            match event {
                LogisticsEvent::ShipmentDrafted(event) => {
                    answer.shipment_id.clone_from(&event.shipment_id);
                }
                LogisticsEvent::ShipmentTendered(event) => {
                    answer.carrier_id.clone_from(&event.carrier_id);
                }
                _ => {}
            }
        }
        Ok(Response::new(answer))
    }

    async fn tender_shipment(
        &self,
        request: Request<pb::TenderShipmentRequest>,
    ) -> Answer<pb::TenderShipmentResponse> {
        let done = self.submit(request, parse::tender_shipment).await?;
        let tendered = done.events().find_map(|event| match event {
            LogisticsEvent::ShipmentTendered(event) => Some(event),
            _ => None,
        });
        Ok(Response::new(pb::TenderShipmentResponse {
            position: done.position(),
            carrier_id: tendered.map_or_else(String::new, |event| event.carrier_id.clone()),
            round: tendered.map_or(0, |event| event.round),
        }))
    }

    async fn get_carrier(
        &self,
        request: Request<pb::GetCarrierRequest>,
    ) -> Answer<pb::GetCarrierResponse> {
        let message = request.get_ref();
        let id = &message.carrier_id;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                machine.state().carrier(area, id).map(Carrier::to_message)
            })
            .await?;
        let carrier = found.ok_or_else(|| not_found(SERVICE, "carrier", "carrier_id", id))?;
        Ok(Response::new(pb::GetCarrierResponse {
            as_of_position: position.0,
            carrier: Some(carrier),
        }))
    }

    async fn list_carriers(
        &self,
        request: Request<pb::ListCarriersRequest>,
    ) -> Answer<pb::ListCarriersResponse> {
        let message = request.get_ref();
        let list = format!("ListCarriers/{}", message.area);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((carriers, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let carriers = machine.state().carriers_after(area, after);
                let found = carriers.take(page.size + 1).map(Carrier::to_message);
                page.cut(found, |carrier| carrier.carrier_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListCarriersResponse {
            as_of_position: position.0,
            carriers,
            next_page_token,
        }))
    }

    async fn open_route(
        &self,
        request: Request<pb::OpenRouteRequest>,
    ) -> Answer<pb::OpenRouteResponse> {
        let done = self.submit(request, parse_route::open).await?;
        let position = done.position();
        Ok(Response::new(pb::OpenRouteResponse { position }))
    }

    async fn change_route(
        &self,
        request: Request<pb::ChangeRouteRequest>,
    ) -> Answer<pb::ChangeRouteResponse> {
        let done = self.submit(request, parse_route::change).await?;
        let position = done.position();
        Ok(Response::new(pb::ChangeRouteResponse { position }))
    }

    async fn close_route(
        &self,
        request: Request<pb::CloseRouteRequest>,
    ) -> Answer<pb::CloseRouteResponse> {
        let done = self.submit(request, parse_route::close).await?;
        let position = done.position();
        Ok(Response::new(pb::CloseRouteResponse { position }))
    }

    async fn get_route(
        &self,
        request: Request<pb::GetRouteRequest>,
    ) -> Answer<pb::GetRouteResponse> {
        self.get_one_route(request).await
    }

    async fn list_routes(
        &self,
        request: Request<pb::ListRoutesRequest>,
    ) -> Answer<pb::ListRoutesResponse> {
        self.list_all_routes(request).await
    }

    async fn list_waiting_goods(
        &self,
        request: Request<pb::ListWaitingGoodsRequest>,
    ) -> Answer<pb::ListWaitingGoodsResponse> {
        self.list_goods_waiting(request).await
    }
}
