//! Handlers about trunk routes, for the methods of `FreightService`.

use proto::logistics::v1 as pb;
use service_kit::status::not_found;
use tonic::{Request, Response};

use super::{Answer, SERVICE, Service};
use crate::parse::route as parse;

impl Service {
    pub(super) async fn get_one_route(
        &self,
        request: Request<pb::GetRouteRequest>,
    ) -> Answer<pb::GetRouteResponse> {
        let message = request.get_ref();
        let id = &message.route_id;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, now| {
                machine.state().route(area, id, now)
            })
            .await?;
        let route = found.ok_or_else(|| not_found(SERVICE, "route", "route_id", id))?;
        Ok(Response::new(pb::GetRouteResponse {
            as_of_position: position.0,
            route: Some(route),
        }))
    }

    pub(super) async fn list_all_routes(
        &self,
        request: Request<pb::ListRoutesRequest>,
    ) -> Answer<pb::ListRoutesResponse> {
        let message = request.get_ref();
        let list = format!("ListRoutes/{}", message.area);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((routes, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, now| {
                let routes = machine
                    .state()
                    .routes_after(area, page.after.as_deref(), now);
                page.cut(routes.take(page.size + 1), |route| route.route_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListRoutesResponse {
            as_of_position: position.0,
            routes,
            next_page_token,
        }))
    }

    pub(super) async fn list_goods_waiting(
        &self,
        request: Request<pb::ListWaitingGoodsRequest>,
    ) -> Answer<pb::ListWaitingGoodsResponse> {
        let message = request.get_ref();
        let wanted = parse::waiting(message)?;
        let list = format!(
            "ListWaitingGoods/{}/{}/{}",
            message.area, message.route_id, message.reason
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((goods, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let goods = machine.state().waiting_goods_after(area, after);
                let goods = goods.filter(|goods| {
                    wanted.reason.is_none_or(|reason| goods.reason() == reason)
                        && wanted
                            .route_id
                            .as_ref()
                            .is_none_or(|id| goods.route_id == *id)
                });
                page.cut(goods.take(page.size + 1), |goods| goods.order_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListWaitingGoodsResponse {
            as_of_position: position.0,
            goods,
            next_page_token,
        }))
    }
}
