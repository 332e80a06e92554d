//! The surplus trade as response messages.

use inventory_domain::{BulkDemand, Buyer, Listing, Match, Price, Report};
use proto::{inventory::v1 as pb, time::to_proto};

pub fn price(price: &Price) -> pb::ReferencePrice {
    pb::ReferencePrice {
        product_id: price.product_id.clone(),
        reference_fen_per_kg: price.reference.0,
        cap_fen_per_kg: price.cap.0,
        policy: price.policy.into(),
        breaches: i64::try_from(price.breaches).unwrap_or(i64::MAX),
    }
}

pub fn listing(listing: &Listing) -> pb::Surplus {
    pb::Surplus {
        listing_id: listing.listing_id.clone(),
        grower_id: listing.grower_id.clone(),
        product_id: listing.product_id.clone(),
        grade: listing.grade.into(),
        state: listing.state.into(),
        harvested_time: Some(to_proto(listing.harvested)),
        field: Some(listing.field.clone()),
        from_time: Some(to_proto(listing.from)),
        to_time: Some(to_proto(listing.to)),
        unit_grams: listing.unit_weight.0,
        asking_fen_per_kg: listing.asking.0,
        reference_fen_per_kg: listing.reference.0,
        listed_units: listing.listed.0,
        open_units: listing.open.0,
        proposed_units: listing.proposed.0,
        confirmed_units: listing.confirmed.0,
        delivered_units: listing.delivered.0,
        lost_units: listing.lost.0,
        withdrawn_units: listing.withdrawn.0,
        expired_units: listing.expired.0,
        revision: listing.revision.0,
    }
}

pub fn buyer(buyer: &Buyer) -> pb::Buyer {
    pb::Buyer {
        buyer_id: buyer.buyer_id.clone(),
        name: buyer.name.clone(),
        place: Some(buyer.place.clone()),
    }
}

pub fn demand(demand: &BulkDemand) -> pb::BulkDemand {
    pb::BulkDemand {
        demand_id: demand.demand_id.clone(),
        buyer_id: demand.buyer_id.clone(),
        product_id: demand.product_id.clone(),
        lowest_grade: demand.lowest_grade.into(),
        state: demand.state.into(),
        from_time: Some(to_proto(demand.from)),
        to_time: Some(to_proto(demand.to)),
        round: demand.round,
        repeat_until_time: demand.repeat_until.map(to_proto),
        highest_fen_per_kg: demand.highest.0,
        asked_units: demand.asked.0,
        open_units: demand.open.0,
        proposed_units: demand.proposed.0,
        confirmed_units: demand.confirmed.0,
        revision: demand.revision.0,
    }
}

pub fn trade(trade: &Match) -> pb::Match {
    pb::Match {
        match_id: trade.match_id.clone(),
        listing_id: trade.listing_id.clone(),
        demand_id: trade.demand_id.clone(),
        grower_id: trade.grower_id.clone(),
        buyer_id: trade.buyer_id.clone(),
        product_id: trade.product_id.clone(),
        quantity_units: trade.quantity.0,
        weight_grams: trade.weight.0,
        price_fen_per_kg: trade.price.0,
        state: trade.state.into(),
        grower_agreed: trade.grower_agreed,
        buyer_agreed: trade.buyer_agreed,
        pickup: Some(trade.pickup.clone()),
        pickup_from_time: Some(to_proto(trade.pickup_window.0)),
        pickup_to_time: Some(to_proto(trade.pickup_window.1)),
        destination: Some(trade.destination.clone()),
        due_from_time: Some(to_proto(trade.due.0)),
        due_to_time: Some(to_proto(trade.due.1)),
        answer_by_time: Some(to_proto(trade.answer_by)),
        shipment_id: trade.shipment_id.clone(),
        accepted_units: trade.accepted.0,
        damaged_units: trade.damaged.0,
        short_units: trade.short.0,
        revision: trade.revision.0,
    }
}

pub fn report(grower_id: &str, report: &Report) -> pb::GrowerReport {
    pb::GrowerReport {
        grower_id: grower_id.to_owned(),
        listings: i64::try_from(report.listings).unwrap_or(i64::MAX),
        listed_grams: report.listed.0,
        withdrawn_grams: report.withdrawn.0,
        expired_grams: report.expired.0,
        confirmed_grams: report.confirmed.0,
        delivered_grams: report.delivered.0,
        lost_grams: report.lost.0,
        at_risk_fen: report.at_risk_fen(),
        income_fen: report.income_fen(),
        avoided_fen: report.avoided_fen(),
        avoided_basis_points: report.avoided_basis_points(),
    }
}
