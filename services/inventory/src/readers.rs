//! Every request of the service with its parser, for tests that feed them
//! nonsense.

use decider::Service::Inventory as SERVICE;
use proto::inventory::v1::{BulkDemandState, ListingState, MatchState};
use service_kit::{
    readers,
    readers::{Reader, id, page},
};

use crate::parse::{self, surplus};

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
    inventory::SetReferencePriceRequest => surplus::set_reference_price;
    inventory::ListReferencePricesRequest => |r| page(SERVICE, r.page_size, &r.page_token);
    inventory::OfferSurplusRequest => surplus::offer_surplus;
    inventory::ChangeSurplusRequest => surplus::change_surplus;
    inventory::WithdrawSurplusRequest => surplus::withdraw_surplus;
    inventory::GetSurplusRequest => |r| parse::id("listing_id", &r.listing_id);
    inventory::ListSurplusesRequest => |r| {
        let ids = [("grower_id", &*r.grower_id), ("product_id", &*r.product_id)];
        surplus::filter::<ListingState, 2>(ids, r.state)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    inventory::RegisterBuyerRequest => surplus::register_buyer;
    inventory::ListBuyersRequest => |r| page(SERVICE, r.page_size, &r.page_token);
    inventory::PlaceBulkDemandRequest => surplus::place_bulk_demand;
    inventory::WithdrawBulkDemandRequest => surplus::withdraw_bulk_demand;
    inventory::ListBulkDemandsRequest => |r| {
        let ids = [("buyer_id", &*r.buyer_id), ("product_id", &*r.product_id)];
        surplus::filter::<BulkDemandState, 2>(ids, r.state)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    inventory::OpenMatchingRequest => surplus::open_matching;
    inventory::CloseMatchingRequest => |r| id(SERVICE, "area", &r.area);
    inventory::GetMatchingRequest => |r| id(SERVICE, "area", &r.area);
    inventory::ConfirmSaleRequest => surplus::confirm_sale;
    inventory::ConfirmPurchaseRequest => surplus::confirm_purchase;
    inventory::RefuseSaleRequest => surplus::refuse_sale;
    inventory::RefusePurchaseRequest => surplus::refuse_purchase;
    inventory::GetMatchRequest => |r| parse::id("match_id", &r.match_id);
    inventory::ListMatchesRequest => |r| {
        let ids = [("grower_id", &*r.grower_id), ("buyer_id", &*r.buyer_id)];
        surplus::filter::<MatchState, 2>(ids, r.state)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    inventory::ListSalesRequest => |r| {
        parse::id("grower_id", &r.grower_id)?;
        surplus::filter::<MatchState, 0>([], r.state)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    inventory::ListPurchasesRequest => |r| {
        parse::id("buyer_id", &r.buyer_id)?;
        surplus::filter::<MatchState, 0>([], r.state)?;
        page(SERVICE, r.page_size, &r.page_token)
    };
    inventory::GetGrowerReportRequest => |r| parse::id("grower_id", &r.grower_id);
    inventory::ListGrowerReportsRequest => |r| page(SERVICE, r.page_size, &r.page_token);
};
