//! gRPC handlers: parse, submit or query, answer. No rule lives here.

mod surplus;

use decider::Service as ServiceName;
use inventory_domain::{Command, Stock, UnknownPage};
use proto::{
    InventoryEvent,
    inventory::v1::{self as pb, inventory_service_server::InventoryService},
};
use service_kit::{
    call::Partitions,
    status::{not_found, status},
};
use tonic::{Code, Request, Response, Status};

use crate::{parse, query};

const SERVICE: ServiceName = ServiceName::Inventory;

pub struct Service {
    pub partitions: Partitions<Stock>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl InventoryService for Service {
    async fn define_product(
        &self,
        request: Request<pb::DefineProductRequest>,
    ) -> Answer<pb::DefineProductResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::define_product(&message)?).await?;
        Ok(Response::new(pb::DefineProductResponse {
            position: done.position.0,
        }))
    }

    async fn list_products(
        &self,
        request: Request<pb::ListProductsRequest>,
    ) -> Answer<pb::ListProductsResponse> {
        let message = request.get_ref();
        let list = format!("ListProducts/{}", message.area);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((products, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let items = machine
                    .state()
                    .products(area, page.after.as_deref())
                    .map(query::product);
                page.cut(items, |product| product.product_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListProductsResponse {
            as_of_position: position.0,
            products,
            next_page_token,
        }))
    }

    async fn receive_lot(
        &self,
        request: Request<pb::ReceiveLotRequest>,
    ) -> Answer<pb::ReceiveLotResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::receive_lot(&message)?).await?;
        Ok(Response::new(pb::ReceiveLotResponse {
            position: done.position.0,
        }))
    }

    async fn spoil_stock(
        &self,
        request: Request<pb::SpoilStockRequest>,
    ) -> Answer<pb::SpoilStockResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::spoil_stock(&message)?).await?;
        Ok(Response::new(pb::SpoilStockResponse {
            position: done.position.0,
        }))
    }

    async fn get_lot(&self, request: Request<pb::GetLotRequest>) -> Answer<pb::GetLotResponse> {
        let message = request.get_ref();
        let lot_id = parse::id("lot_id", &message.lot_id)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                machine.state().lot(area, &lot_id).map(query::lot)
            })
            .await?;
        let lot = found.ok_or_else(|| not_found(SERVICE, "lot", "lot_id", &lot_id))?;
        Ok(Response::new(pb::GetLotResponse {
            as_of_position: position.0,
            lot: Some(lot),
        }))
    }

    async fn list_lots(
        &self,
        request: Request<pb::ListLotsRequest>,
    ) -> Answer<pb::ListLotsResponse> {
        let message = request.get_ref();
        let list = format!("ListLots/{}/{}", message.area, message.product_id);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let product_id = parse::product_id(&message.product_id)?;
        let ((lots, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let items = machine
                    .state()
                    .lots(area, product_id.as_deref(), page.after.as_deref())
                    .map(query::lot);
                page.cut(items, |lot| lot.lot_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListLotsResponse {
            as_of_position: position.0,
            lots,
            next_page_token,
        }))
    }

    async fn get_procurement_need(
        &self,
        request: Request<pb::GetProcurementNeedRequest>,
    ) -> Answer<pb::GetProcurementNeedResponse> {
        let message = request.get_ref();
        let ((needs, queued), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                (
                    state.procurement_need(area),
                    state.queue_length(area).orders,
                )
            })
            .await?;
        Ok(Response::new(pb::GetProcurementNeedResponse {
            as_of_position: position.0,
            lines: needs.into_iter().map(query::procurement_line).collect(),
            queued_orders: i64::try_from(queued).unwrap_or(i64::MAX),
        }))
    }

    async fn close_procurement(
        &self,
        request: Request<pb::CloseProcurementRequest>,
    ) -> Answer<pb::CloseProcurementResponse> {
        let (call, _) = self.partitions.command(request)?;
        let done = call.run(Command::CloseProcurement).await?;
        let queued_orders = done
            .records
            .iter()
            .find_map(|record| match &record.event {
                InventoryEvent::ProcurementClosed(event) => Some(event.queued_orders),
                _ => None,
            })
            .unwrap_or_default();
        Ok(Response::new(pb::CloseProcurementResponse {
            position: done.position.0,
            queued_orders,
        }))
    }

    async fn open_procurement(
        &self,
        request: Request<pb::OpenProcurementRequest>,
    ) -> Answer<pb::OpenProcurementResponse> {
        let (call, _) = self.partitions.command(request)?;
        let done = call.run(Command::OpenProcurement).await?;
        Ok(Response::new(pb::OpenProcurementResponse {
            position: done.position.0,
        }))
    }

    async fn pick_orders(
        &self,
        request: Request<pb::PickOrdersRequest>,
    ) -> Answer<pb::PickOrdersResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::pick_orders(&message)?).await?;
        let bags: usize = done
            .records
            .iter()
            .map(|record| match &record.event {
                InventoryEvent::OrderPicked(event) => event.bags.len(),
                _ => 0,
            })
            .sum();
        Ok(Response::new(pb::PickOrdersResponse {
            position: done.position.0,
            bags: i32::try_from(bags).unwrap_or(i32::MAX),
        }))
    }

    async fn dispatch_orders(
        &self,
        request: Request<pb::DispatchOrdersRequest>,
    ) -> Answer<pb::DispatchOrdersResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::dispatch_orders(&message)?).await?;
        let bags = done.records.iter().flat_map(|record| match &record.event {
            InventoryEvent::OrderDispatched(event) => event.bags.as_slice(),
            _ => &[],
        });
        let weight_grams = bags.fold(0_i64, |sum, bag| sum.saturating_add(bag.weight_grams));
        Ok(Response::new(pb::DispatchOrdersResponse {
            position: done.position.0,
            weight_grams,
        }))
    }

    async fn get_demand(
        &self,
        request: Request<pb::GetDemandRequest>,
    ) -> Answer<pb::GetDemandResponse> {
        let message = request.get_ref();
        let order_id = parse::id("order_id", &message.order_id)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                machine.state().demand(area, &order_id).map(query::demand)
            })
            .await?;
        let demand = found.ok_or_else(|| not_found(SERVICE, "demand", "order_id", &order_id))?;
        Ok(Response::new(pb::GetDemandResponse {
            as_of_position: position.0,
            demand: Some(demand),
        }))
    }

    async fn list_demands(
        &self,
        request: Request<pb::ListDemandsRequest>,
    ) -> Answer<pb::ListDemandsResponse> {
        let message = request.get_ref();
        let list = format!("ListDemands/{}/{}", message.area, message.state);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let state = parse::demand_state(message.state)?;
        let (cut, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let items = machine.state().demands(area, state, after)?;
                Ok(page.cut(items.map(query::demand), |demand| demand.order_id.clone()))
            })
            .await?;
        let (demands, next_page_token) = cut.map_err(|unknown: UnknownPage| {
            status(
                SERVICE,
                Code::InvalidArgument,
                "PAGE_TOKEN_INVALID",
                unknown.to_string(),
            )
        })?;
        Ok(Response::new(pb::ListDemandsResponse {
            as_of_position: position.0,
            demands,
            next_page_token,
        }))
    }
}
