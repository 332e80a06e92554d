//! From request messages to commands that cannot be malformed.

pub mod surplus;

use decider::Service;
use inventory_domain::{
    Command, DefineProduct, DispatchOrders, Grams, LOT_UNITS_MAX, ORDERS_MAX, PickOrders,
    ReceiveLot, SpoilStock, UNIT_WEIGHT_MAX, Units,
};
use proto::{
    inventory::v1::{
        DefineProductRequest, DemandState, DispatchOrdersRequest, PickOrdersRequest,
        ReceiveLotRequest, SpoilCause, SpoilStockRequest,
    },
    upcast::stock_spoiled,
};
use service_kit::fields::Fields;
use tonic::Status;

const SERVICE: Service = Service::Inventory;

pub fn define_product(request: &DefineProductRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let grams = fields.number("unit_grams", request.unit_grams, 1..=UNIT_WEIGHT_MAX.0);
    let command = DefineProduct {
        product_id: fields.code("product_id", &request.product_id),
        name: fields.text("name", &request.name, 1..=100),
        unit_weight: Grams(grams),
        category: fields.choice("category", request.category),
    };
    fields.finish(SERVICE)?;
    Ok(Command::DefineProduct(command))
}

pub fn receive_lot(request: &ReceiveLotRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let command = ReceiveLot {
        lot_id: fields.code("lot_id", &request.lot_id),
        product_id: fields.code("product_id", &request.product_id),
        quantity: quantity(&mut fields, request.quantity_units),
        supplier_id: fields.code("supplier_id", &request.supplier_id),
        expires: fields.optional_time("expires_time", request.expires_time.as_ref()),
        location: fields.text("location", &request.location, 0..=100),
    };
    fields.finish(SERVICE)?;
    Ok(Command::ReceiveLot(command))
}

pub fn spoil_stock(request: &SpoilStockRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let given: Option<SpoilCause> = fields.optional_choice("cause", request.cause);
    let says_enough = given.is_some_and(|cause| cause != SpoilCause::Other);
    let reason = fields.text("reason", &request.reason, usize::from(!says_enough)..=200);
    // A caller that knows no causes may name one in its text.
    let (cause, note) = match given {
        Some(cause) => (cause, reason),
        None => stock_spoiled::cause_of(&reason),
    };
    let command = SpoilStock {
        lot_id: fields.code("lot_id", &request.lot_id),
        quantity: quantity(&mut fields, request.quantity_units),
        cause,
        note,
    };
    fields.finish(SERVICE)?;
    Ok(Command::SpoilStock(command))
}

pub fn pick_orders(request: &PickOrdersRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let command = PickOrders {
        order_ids: order_ids(&mut fields, &request.order_ids),
    };
    fields.finish(SERVICE)?;
    Ok(Command::PickOrders(command))
}

pub fn dispatch_orders(request: &DispatchOrdersRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let command = DispatchOrders {
        order_ids: order_ids(&mut fields, &request.order_ids),
        load_id: fields.code("load_id", &request.load_id),
        checkpoint_id: fields.code("checkpoint_id", &request.checkpoint_id),
        custodian_id: fields.code("custodian_id", &request.custodian_id),
    };
    fields.finish(SERVICE)?;
    Ok(Command::DispatchOrders(command))
}

/// The state by which demands are chosen; `Unspecified` means any.
pub fn demand_state(value: i32) -> Result<DemandState, Status> {
    let mut fields = Fields::new();
    let state = fields.optional_choice("state", value);
    fields.finish(SERVICE)?;
    Ok(state.unwrap_or_default())
}

/// The product by which lots are chosen; none means any.
pub fn product_id(value: &str) -> Result<Option<String>, Status> {
    let mut fields = Fields::new();
    let product_id = fields.optional_code("product_id", value);
    fields.finish(SERVICE)?;
    Ok(product_id)
}

/// The one id by which something is asked for.
pub fn id(field: &str, value: &str) -> Result<String, Status> {
    let mut fields = Fields::new();
    let id = fields.code(field, value);
    fields.finish(SERVICE)?;
    Ok(id)
}

fn quantity(fields: &mut Fields, units: i64) -> Units {
    Units(fields.number("quantity_units", units, 1..=LOT_UNITS_MAX.0))
}

fn order_ids(fields: &mut Fields, order_ids: &[String]) -> Vec<String> {
    fields.list("order_ids", order_ids, 1..=ORDERS_MAX);
    let named = order_ids.iter().enumerate().take(ORDERS_MAX);
    named
        .map(|(n, id)| fields.code(&format!("order_ids[{n}]"), id))
        .collect()
}
