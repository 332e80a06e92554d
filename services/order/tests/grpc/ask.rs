//! Requests as they should be; each test spoils what it is about.

use decider::spec::START;
use proto::{
    order::v1::{
        ActivateContingencyRequest, CancelOrderRequest, Channel, Contact, GetOrderRequest,
        HandOverHouseholdsRequest, NeedList, Offer, OpenGroupBuyRequest, PlaceOrderRequest,
        RegisterHouseholdRequest, UpdateHouseholdRequest,
    },
    time::to_proto,
    types::v1::{Door, Line, Need},
};

pub const AREA: &str = "632725100";
pub const OTHER_AREA: &str = "110101001";
pub const CADRE: &str = "cadre-1";

pub fn activate() -> ActivateContingencyRequest {
    ActivateContingencyRequest {
        request_id: "activate".into(),
        area: AREA.into(),
        reason: "static management".into(),
    }
}

pub fn register(household_id: &str) -> RegisterHouseholdRequest {
    RegisterHouseholdRequest {
        request_id: format!("register-{household_id}"),
        area: AREA.into(),
        household_id: household_id.into(),
        door: Some(door("G01", household_id)),
        contact: Some(contact()),
        needs: vec![Need::Elderly.into()],
        cadre_id: CADRE.into(),
        language: "zh".into(),
        people: 3,
    }
}

pub fn door(grid: &str, door: &str) -> Door {
    Door {
        community: "zhichaka".into(),
        grid: grid.into(),
        building: "B1".into(),
        entrance: "E1".into(),
        door: door.into(),
    }
}

pub fn contact() -> Contact {
    Contact {
        name: "某某某".into(),
        phone: "+8613900000000".into(),
        address: "幸福路 1".into(),
        email: String::new(),
    }
}

pub fn update(request_id: &str, household_id: &str, needs: &[Need]) -> UpdateHouseholdRequest {
    let needs = needs.iter().map(|need| (*need).into()).collect();
    UpdateHouseholdRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        household_id: household_id.into(),
        contact: None,
        needs: Some(NeedList { needs }),
        if_revision: None,
    }
}

/// All households of the cadre.
pub fn hand_over(request_id: &str, to_cadre_id: &str) -> HandOverHouseholdsRequest {
    HandOverHouseholdsRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        from_cadre_id: CADRE.into(),
        to_cadre_id: to_cadre_id.into(),
        household_ids: vec![],
        reason: "ill".into(),
    }
}

/// Open from now for two hours, in grid G01, at most 10 units of pork.
pub fn open_group_buy(request_id: &str) -> OpenGroupBuyRequest {
    OpenGroupBuyRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        title: "pork".into(),
        organizer_id: "organizer-1".into(),
        offers: vec![Offer {
            product_id: "pork".into(),
            price_fen: 3_000,
            limit_per_household_units: 10,
        }],
        minimum_households: 1,
        cap_households: 0,
        opens_time: None,
        closes_time: Some(to_proto(START.plus_minutes(120))),
        community: "zhichaka".into(),
        grid: "G01".into(),
        tolerance_percent: 0,
    }
}

pub fn line(product_id: &str, quantity_units: i64) -> Line {
    Line {
        product_id: product_id.into(),
        quantity_units,
    }
}

/// By telephone, written down by the cadre.
pub fn place(request_id: &str, household_id: &str) -> PlaceOrderRequest {
    PlaceOrderRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        household_id: household_id.into(),
        lines: vec![line("flour", 2)],
        channel: Channel::Phone.into(),
        group_buy_id: String::new(),
        placed_by: CADRE.into(),
    }
}

pub fn join(request_id: &str, household_id: &str, group_buy_id: &str) -> PlaceOrderRequest {
    PlaceOrderRequest {
        lines: vec![line("pork", 2)],
        channel: Channel::GroupBuy.into(),
        group_buy_id: group_buy_id.into(),
        placed_by: String::new(),
        ..place(request_id, household_id)
    }
}

pub fn cancel(request_id: &str, order_id: &str) -> CancelOrderRequest {
    CancelOrderRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        order_id: order_id.into(),
        note: "no longer needed".into(),
        if_revision: None,
    }
}

pub fn get_order(order_id: &str) -> GetOrderRequest {
    GetOrderRequest {
        area: AREA.into(),
        min_position: 0,
        order_id: order_id.into(),
    }
}
