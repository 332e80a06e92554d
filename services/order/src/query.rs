//! The state as response messages.

use order_domain::{
    Coverage, CoverageRow, GroupBuy, Household, Missed, Order, SealedContact, State,
};
use proto::{order::v1 as pb, time::to_proto};

pub fn household(state: &State, household: &Household) -> pb::Household {
    pb::Household {
        household_id: (&household.household_id).into(),
        door: Some(household.door.to_door()),
        contact: household.contact.as_ref().map(SealedContact::to_sealed),
        needs: household.needs.iter().map(i32::from).collect(),
        cadre_id: (&household.cadre_id).into(),
        language: (&household.language).into(),
        people: household.people,
        revision: household.revision.0,
        order_ids: state
            .orders_of_household(&household.household_id)
            .map(|order| (&order.order_id).into())
            .collect(),
        personal_data_erased_time: household.erased.as_ref().map(|e| to_proto(e.at)),
        personal_data_key_destroyed_time: household
            .erased
            .as_ref()
            .and_then(|erased| erased.key_destroyed)
            .map(to_proto),
    }
}

pub fn group_buy(group_buy: &GroupBuy) -> pb::GroupBuy {
    pb::GroupBuy {
        group_buy_id: (&group_buy.group_buy_id).into(),
        title: group_buy.title.clone(),
        organizer_id: group_buy.organizer_id.clone(),
        offers: group_buy.offers.clone(),
        minimum_households: count(group_buy.minimum_households),
        cap_households: group_buy.cap_households.map_or(0, count),
        opens_time: Some(to_proto(group_buy.opens)),
        closes_time: Some(to_proto(group_buy.closes)),
        community: group_buy.community.clone(),
        grid: group_buy.grid.clone(),
        tolerance_percent: group_buy.tolerance_percent.into(),
        state: group_buy.state.into(),
        households: count(group_buy.households()),
        missing_households: count(group_buy.missing_households()),
    }
}

pub fn order(state: &State, order: &Order) -> pb::Order {
    pb::Order {
        order_id: (&order.order_id).into(),
        household_id: (&order.household_id).into(),
        door: Some(order.door.to_door()),
        lines: order.lines.to_vec(),
        short: order.short.to_vec(),
        channel: order.channel.into(),
        group_buy_id: order
            .group_buy_id
            .as_ref()
            .map(String::from)
            .unwrap_or_default(),
        placed_by: (&order.placed_by).into(),
        state: order.state.into(),
        placed_time: Some(to_proto(order.placed)),
        updated_time: Some(to_proto(order.updated)),
        revision: order.revision.0,
        reason: (&order.reason).into(),
        personal_data_erased_time: state
            .household(&order.area, order.household_id.as_str())
            .and_then(|household| household.erased.as_ref())
            .map(|erased| to_proto(erased.at)),
    }
}

pub fn coverage(coverage: &Coverage) -> (pb::CoverageRow, Vec<pb::CoverageRow>) {
    (
        row(&coverage.total),
        coverage.rows.iter().map(row).collect(),
    )
}

fn row(row: &CoverageRow) -> pb::CoverageRow {
    pb::CoverageRow {
        community: row.community.clone(),
        grid: row.grid.clone(),
        in_need_households: wide(row.in_need_households),
        served_households: wide(row.served_households),
        collected_households: wide(row.collected_households),
        rate_basis_points: count(row.rate_basis_points()),
    }
}

pub fn missed(missed: &Missed) -> pb::MissedHousehold {
    pb::MissedHousehold {
        household_id: (&missed.household_id).into(),
        door: Some(missed.door.to_door()),
        cadre_id: (&missed.cadre_id).into(),
        reason: missed.reason.name().to_owned(),
        detail: missed.detail.clone(),
        order_id: missed
            .order_id
            .as_ref()
            .map(String::from)
            .unwrap_or_default(),
    }
}

fn count(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn wide(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
