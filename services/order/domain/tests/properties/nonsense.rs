//! Events that no decision of this service would bring about in this order:
//! unknown ids, values out of range, the end before the beginning.

use decider::Timestamp;
use proptest::prelude::*;
use proto::{OrderEvent, order::v1::*, time::to_proto, types::v1::Line};

use crate::{
    steps::{door, line},
    world::areas,
};

/// Which event, about whom and with whom, and a number for what it has.
#[derive(Debug, Clone, Copy)]
struct Seed {
    kind: usize,
    id: usize,
    other: usize,
    number: i32,
}

pub fn nonsense() -> impl Strategy<Value = OrderEvent> {
    let number = prop_oneof![Just(i32::MIN), Just(i32::MAX), Just(-1), 0..6_i32];
    (0..22_usize, 0..4_usize, 0..4_usize, number).prop_map(|(kind, id, other, number)| {
        let seed = Seed {
            kind,
            id,
            other,
            number,
        };
        match kind {
            0..=4 => of_household(seed),
            5..=8 => of_group_buy(seed),
            20..=21 => of_erasure(seed),
            _ => of_order(seed),
        }
    })
}

fn of_erasure(seed: Seed) -> OrderEvent {
    let household_id = format!("H{}", seed.id);
    let key_id = format!("household/H{}", seed.other);
    if seed.kind == 20 {
        PersonalDataErased {
            household_id,
            key_id,
            reason: String::new(),
            open_orders: seed.number,
        }
        .into()
    } else {
        PersonalDataKeyDestroyed {
            household_id,
            key_id,
        }
        .into()
    }
}

fn of_household(seed: Seed) -> OrderEvent {
    let area = areas()[seed.id % 2].as_str().to_owned();
    let contingency_id = format!("K{}", seed.other);
    let household_id = format!("H{}", seed.id);
    match seed.kind {
        0 => ContingencyActivated {
            area: if seed.other == 0 { "?".into() } else { area },
            contingency_id,
            reason: String::new(),
        }
        .into(),
        1 => ContingencyEnded {
            area,
            contingency_id,
        }
        .into(),
        2 => HouseholdRegistered {
            household_id,
            door: (seed.number > 0).then(|| door(seed.number.unsigned_abs() % 9)),
            contact: None,
            needs: vec![seed.number, 1, 1],
            cadre_id: format!("C{}", seed.other),
            language: String::new(),
            people: seed.number,
        }
        .into(),
        3 => HouseholdUpdated {
            household_id,
            contact: None,
            needs: vec![seed.number],
            needs_changed: true,
        }
        .into(),
        _ => HouseholdHandedOver {
            household_id,
            from_cadre_id: "nobody".into(),
            to_cadre_id: format!("C{}", seed.other),
            reason: String::new(),
        }
        .into(),
    }
}

fn of_group_buy(seed: Seed) -> OrderEvent {
    let group_buy_id = format!("g{}", seed.id);
    let time = |minutes| Timestamp(i64::from(minutes)).plus_minutes(i64::from(minutes));
    match seed.kind {
        5 | 6 => GroupBuyOpened {
            group_buy_id,
            title: String::new(),
            organizer_id: String::new(),
            offers: vec![],
            minimum_households: seed.number,
            cap_households: seed.number,
            opens_time: (seed.number != 0).then(|| to_proto(time(seed.number))),
            closes_time: (seed.number != 1).then(|| to_proto(time(seed.number))),
            community: String::new(),
            grid: String::new(),
            tolerance_percent: seed.number,
        }
        .into(),
        7 => GroupBuySucceeded {
            group_buy_id,
            households: seed.number,
            reason: seed.number,
        }
        .into(),
        _ => GroupBuyFailed {
            group_buy_id,
            households: seed.number,
            missing_households: seed.number,
            reason: seed.number,
        }
        .into(),
    }
}

fn of_order(seed: Seed) -> OrderEvent {
    let lines = || -> Vec<Line> { vec![line("rice", i64::from(seed.number))] };
    let (order_id, household_id) = (format!("o{}", seed.id), format!("H{}", seed.other));
    let reason = String::new();
    match seed.kind {
        9 => OrderPlaced {
            order_id,
            household_id,
            door: None,
            lines: lines(),
            channel: seed.number,
            group_buy_id: format!("g{}", seed.other),
            placed_by: String::new(),
        }
        .into(),
        10 => OrderReleased {
            order_id,
            household_id,
            ..Default::default()
        }
        .into(),
        11 => OrderConfirmed { order_id }.into(),
        12 => OrderPartiallyConfirmed {
            order_id,
            short: lines(),
            household_id,
        }
        .into(),
        13 => OrderRejected {
            order_id,
            reason,
            household_id,
        }
        .into(),
        14 => OrderCancelled {
            order_id,
            reason: seed.number,
            note: String::new(),
            household_id,
        }
        .into(),
        15 => OrderReady { order_id }.into(),
        16 => OrderOutForDelivery {
            order_id,
            ..Default::default()
        }
        .into(),
        17 => OrderDelivered {
            order_id,
            delivered_time: (seed.number != 0).then(|| to_proto(Timestamp(i64::MIN))),
        }
        .into(),
        18 => OrderCollected {
            order_id,
            evidence: String::new(),
        }
        .into(),
        _ if seed.number % 2 == 0 => OrderFailed {
            order_id,
            reason,
            household_id,
        }
        .into(),
        _ => OrderReturned { order_id, reason }.into(),
    }
}
