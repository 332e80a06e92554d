//! Every request of the service with its parser, for tests that feed them
//! nonsense.

use decider::Service::Inventory as SERVICE;
use service_kit::{
    readers,
    readers::{Reader, id, page},
};

use crate::parse;

pub const ALL: &[Reader] = readers! {
    inventory::DefineProductRequest => parse::define_product;
    inventory::ListProductsRequest => |r| page(SERVICE, r.page_size, &r.page_token);
    inventory::ReceiveLotRequest => parse::receive_lot;
    inventory::SpoilStockRequest => parse::spoil_stock;
    inventory::GetLotRequest => |r| parse::id("lot_id", &r.lot_id);
    inventory::ListLotsRequest => |r| {
        parse::product_id(&r.product_id)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    inventory::OpenProcurementRequest => |r| id(SERVICE, "area", &r.area);
    inventory::CloseProcurementRequest => |r| id(SERVICE, "area", &r.area);
    inventory::GetProcurementNeedRequest => |r| id(SERVICE, "area", &r.area);
    inventory::PickOrdersRequest => parse::pick_orders;
    inventory::DispatchOrdersRequest => parse::dispatch_orders;
    inventory::GetDemandRequest => |r| parse::id("order_id", &r.order_id);
    inventory::ListDemandsRequest => |r| {
        parse::demand_state(r.state)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
};
