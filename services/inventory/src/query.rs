//! The state as response messages.

pub mod surplus;

use inventory_domain::{Demand, Lot, Need, Product};
use proto::{inventory::v1 as pb, time::to_proto};

pub fn product(product: &Product) -> pb::Product {
    pb::Product {
        product_id: product.product_id.clone(),
        name: product.name.clone(),
        unit_grams: product.unit_weight.0,
        category: product.category.into(),
        on_hand_units: product.stock.on_hand.0,
        reserved_units: product.stock.reserved.0,
        dispatched_units: product.stock.dispatched.0,
        spoiled_units: product.stock.spoiled.0,
        returned_units: product.stock.returned.0,
    }
}

pub fn lot(lot: &Lot) -> pb::Lot {
    pb::Lot {
        lot_id: lot.lot_id.clone(),
        product_id: lot.product_id.clone(),
        supplier_id: lot.supplier_id.clone(),
        expires_time: lot.expires.map(to_proto),
        location: lot.location.clone(),
        received_units: lot.stock.received.0,
        on_hand_units: lot.stock.on_hand.0,
        reserved_units: lot.stock.reserved.0,
        dispatched_units: lot.stock.dispatched.0,
        spoiled_units: lot.stock.spoiled.0,
        returned_units: lot.stock.returned.0,
        revision: lot.revision.0,
    }
}

pub fn procurement_line(need: Need) -> pb::ProcurementLine {
    pb::ProcurementLine {
        product_id: need.product_id,
        demanded_units: need.demanded.0,
        on_hand_units: need.on_hand.0,
        to_buy_units: need.to_buy.0,
        to_buy_grams: need.to_buy_weight.0,
    }
}

pub fn demand(demand: &Demand) -> pb::Demand {
    pb::Demand {
        order_id: demand.order_id.to_string(),
        household_id: demand.household_id.clone(),
        door: demand.door.clone(),
        lines: demand.lines.clone(),
        short: demand.short.clone(),
        allocations: demand.allocations.clone(),
        bags: demand.bags.clone(),
        state: demand.state.into(),
        revision: demand.revision.0,
        recalled: demand.recalled,
    }
}
