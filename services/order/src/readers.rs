//! Every request of the service with its parser, for tests that feed them
//! nonsense.

use decider::Service::Order as SERVICE;
use service_kit::{
    readers,
    readers::{Reader, id, page},
};
use tonic::Status;

use crate::parse;

pub const ALL: &[Reader] = readers! {
    order::ActivateContingencyRequest => |r| parse::text("reason", &r.reason, 200);
    order::EndContingencyRequest => |_| Ok::<_, Status>(());
    order::GetContingencyRequest => |_| Ok::<_, Status>(());
    order::RegisterHouseholdRequest => parse::register_household;
    order::UpdateHouseholdRequest => parse::update_household;
    order::HandOverHouseholdsRequest => parse::hand_over;
    order::EraseHouseholdRequest => parse::erase_household;
    order::GetHouseholdRequest => |r| id(SERVICE, "household_id", &r.household_id);
    order::ListHouseholdsRequest => |r| page(SERVICE, r.page_size, &r.page_token);
    order::OpenGroupBuyRequest => parse::open_group_buy;
    order::CloseGroupBuyRequest => parse::close_group_buy;
    order::GetGroupBuyRequest => |r| id(SERVICE, "group_buy_id", &r.group_buy_id);
    order::ListGroupBuysRequest => |r| page(SERVICE, r.page_size, &r.page_token);
    order::PlaceOrderRequest => parse::place_order;
    order::CancelOrderRequest => parse::cancel_order;
    order::GetOrderRequest => |r| id(SERVICE, "order_id", &r.order_id);
    order::ListOrdersRequest => |r| page(SERVICE, r.page_size, &r.page_token);
    order::GetCoverageRequest => |_| Ok::<_, Status>(());
    order::ListMissedHouseholdsRequest => |r| page(SERVICE, r.page_size, &r.page_token);
};
