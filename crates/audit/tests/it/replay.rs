//! The replay of one delivery: which records, in which order, and as people
//! read it.

use audit::{AuditError, Part, Replay, replay};
use decider::Service;
use proto::{inventory::v1 as inv, logistics::v1 as log, notification::v1 as note};

use crate::suite::{ORDER, day, notification};

fn names(replay: &Replay) -> Vec<&str> {
    replay
        .lines
        .iter()
        .map(|line| line.r#type.rsplit('.').next().unwrap_or_default())
        .collect()
}

#[test]
fn the_whole_life_is_there_and_every_cause_stands_above() {
    let replay = replay(&day().history(), ORDER).expect("known");
    assert_eq!(
        names(&replay),
        [
            "HouseholdRegistered",
            "OrderPlaced",
            "OrderReleased",
            "DemandQueued",
            "StockReserved",
            "OrderConfirmed",
            "OrderPicked",
            "OrderDispatched",
            "ParcelExpected",
            "ParcelReceived",
            "ParcelDisinfected",
            "OrderReady",
            "RunPlanned",
            "RunStarted",
            "OrderOutForDelivery",
            "GoodsPlaced",
            "DoorLeft",
            "OrderDelivered",
            "NotificationRequested",
            "MessageSent",
            "HouseholdCalled",
            "NotificationAcknowledged",
            "DeliveryCollected",
            "OrderCollected",
        ]
    );
    assert!(replay.lines[0].context);
    assert!(replay.lines[1..].iter().all(|line| !line.context));
    assert_eq!(replay.lines[23].depth, 2);
    assert_eq!(replay.lines[23].service, Service::Order);
    let state = replay.lines[23].state.as_deref().unwrap_or_default();
    assert!(!state.is_empty(), "the domain describes its order");
    // A run's line tells of the parcel, not of the run.
    assert_eq!(
        replay.lines[13].state_of.as_str(),
        format!("parcel/{ORDER}")
    );
    let streams: Vec<&str> = replay.outcome.iter().map(|o| o.stream.as_str()).collect();
    assert_eq!(
        streams,
        [
            &format!("order/{ORDER}"),
            &format!("demand/{ORDER}"),
            &format!("parcel/{ORDER}"),
            "notification/N-1"
        ]
    );
}

#[test]
fn times_do_not_come_before_causes() {
    let mut suite = day();
    // Inventory's clock is behind: its reaction seems earlier than its cause.
    for name in [
        "DemandQueued",
        "StockReserved",
        "OrderPicked",
        "OrderDispatched",
    ] {
        suite.alter(name, |raw| raw.recorded.0 -= 3_600_000);
    }
    let replay = replay(&suite.history(), ORDER).expect("known");
    let at = |name| names(&replay).iter().position(|n| *n == name);
    assert!(at("OrderReleased") < at("DemandQueued"));
    assert!(at("StockReserved") < at("OrderConfirmed"));
}

#[test]
fn of_a_run_only_the_own_stop_is_shown() {
    let mut suite = day();
    suite.alter_event("RunPlanned", |e: &mut log::RunPlanned| {
        let other = log::Stop {
            order_id: "01J9ZOTHER".into(),
            ..Default::default()
        };
        e.stops.extend([other.clone(), other]);
    });
    let replay = replay(&suite.history(), ORDER).expect("known");
    let planned = &replay.lines[12];
    assert_eq!(planned.part, Some(Part { shown: 1, of: 3 }));
    assert_eq!(planned.event["stops"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_notification_is_followed_where_it_does_not_name_the_order() {
    let mut suite = day();
    let failed = note::MessageFailed {
        notification_id: "N-1".into(),
        error: "no route".into(),
        attempt: 2,
        ..Default::default()
    };
    suite.timer(vec![notification(failed)]);
    let replay = replay(&suite.history(), ORDER).expect("known");
    assert_eq!(names(&replay).last(), Some(&"MessageFailed"));
}

#[test]
fn an_unknown_order_is_refused_with_advice() {
    let history = day().history();
    // A household and a product are named by the logs, but are no orders.
    for id in ["01J9ZNOBODY", "H-1", "rice-5kg", ""] {
        let error = replay(&history, id).expect_err("unknown");
        assert!(matches!(error, AuditError::UnknownOrder(_)));
        assert!(
            error.to_string().contains("GetOrder or ListOrders"),
            "{error}"
        );
    }
}

#[test]
fn the_machine_form_has_all_fields_and_nothing_sealed_in_clear() {
    let mut suite = day();
    suite.alter_event("ProductDefined", |e: &mut inv::ProductDefined| {
        e.name = "rice".into();
    });
    let replay = replay(&suite.history(), ORDER).expect("known");
    let json = serde_json::to_value(&replay).expect("JSON");
    let line = &json["lines"][0];
    assert_eq!(line["event"]["contact"], "(sealed)");
    let line = &json["lines"][3];
    assert_eq!(line["log"], "inventory-0");
    assert_eq!(line["position"], 3);
    assert_eq!(line["type"], "baogong.inventory.v1.DemandQueued");
    assert_eq!(line["cause"]["kind"], "record");
    assert_eq!(line["cause"]["record"], "order-0@5");
    assert_eq!(line["actor"]["role"], "system");
    assert_eq!(line["recorded_time"], "2022-09-02T00:12:00.000Z");
    assert_eq!(line["event"]["lines"][0]["quantity_units"], 2);
    let line = &json["lines"][1];
    assert_eq!(line["cause"]["record_count"], 2);
    assert_eq!(line["actor"]["on_behalf_of"], "H-1");
}

/// The golden file is what a person sees. States are the domains' words and are
/// left out of it.
#[test]
fn the_table_is_as_people_read_it() {
    let mut suite = day();
    suite.alter_event("RunPlanned", |e: &mut log::RunPlanned| {
        e.stops.push(log::Stop {
            order_id: "01J9ZOTHER".into(),
            ..Default::default()
        });
    });
    let mut replay = replay(&suite.history(), ORDER).expect("known");
    for line in &mut replay.lines {
        line.state = Some(format!(
            "({}, so long that it is cut at the end)",
            line.state_of
        ));
    }
    for outcome in &mut replay.outcome {
        outcome.state = "(its state)".into();
    }
    let table = replay.table(120);
    assert!(table.lines().all(|line| line.chars().count() <= 120));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/replay.golden.txt");
        std::fs::write(path, &table).expect("written");
    }
    let golden = include_str!("replay.golden.txt");
    assert_eq!(
        table, golden,
        "set UPDATE_GOLDEN=1 if this is as it should be"
    );
}
