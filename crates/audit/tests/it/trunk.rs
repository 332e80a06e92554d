//! The trunk leg of a delivery, in a day of the corpus: what a replay tells of
//! it, and that custody on it is checked across the logs.

use std::{collections::BTreeMap, fs, path::Path};

use audit::{History, LogName, reconcile, replay};
use bytes::Bytes;
use decider::{EventSet, Invariant, Service};
use proto::{
    LogisticsEvent,
    logistics::v1::{Milestone, ReportFit},
    record::{self, Encoded},
};

type Logs = BTreeMap<LogName, Vec<Bytes>>;

/// Days are added and never changed.
fn logs() -> Logs {
    let day = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/tests/corpus/histories/6");
    let log = |service: &Service| {
        let text = fs::read_to_string(day.join(format!("{service}.hex")));
        let text = text.expect("the corpus has it");
        let records = text.lines().map(|line| Bytes::from(from_hex(line)));
        (LogName::new(*service, 0), records.collect())
    };
    Service::ALL.iter().map(log).collect()
}

fn from_hex(line: &str) -> Vec<u8> {
    let bytes = (0..line.len()).step_by(2);
    bytes
        .map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("hex digits"))
        .collect()
}

/// The first order that waited on a route.
fn queued(logs: &Logs) -> String {
    let mut raws = logs
        .values()
        .flatten()
        .map(|b| record::decode(b).expect("a record"));
    let found = raws.find(|raw| raw.event.short_name() == "ParcelQueued");
    found.expect("it happens in the day").stream.id().to_owned()
}

/// What breaks INV-03 of the logs.
fn custody(logs: Logs) -> Vec<String> {
    broken(logs, Invariant::OneCustodian)
}

fn broken(logs: Logs, invariant: Invariant) -> Vec<String> {
    let found = reconcile(&History::from_bytes(logs), None);
    let checks = found.checks.into_iter();
    let checks = checks.filter(|check| check.invariant == invariant);
    let violations = checks.flat_map(|check| check.violations);
    violations.map(|violation| violation.to_string()).collect()
}

/// The logs with some of logistics' events told differently.
fn retold(mut logs: Logs, tell: impl Fn(&mut LogisticsEvent)) -> Logs {
    let log = logs
        .get_mut(&LogName::new(Service::Logistics, 0))
        .expect("a log");
    for bytes in log {
        let mut raw = record::decode(bytes).expect("a record");
        let (name, data) = (&raw.event.type_name, &raw.event.data);
        let Ok(mut event) = LogisticsEvent::decode(name, data) else {
            continue;
        };
        tell(&mut event);
        raw.event = Encoded::from(&event);
        *bytes = record::encode(&raw).into();
    }
    logs
}

#[test]
fn a_replay_tells_the_trunk_leg_of_a_delivery() {
    let logs = logs();
    let order_id = queued(&logs);
    let replayed = replay(&History::from_bytes(logs), &order_id).expect("known");
    let mut types = replayed.lines.iter().map(|line| {
        let (_, short) = line.r#type.rsplit_once('.').expect("a package");
        short
    });
    for wanted in [
        "OrderDispatched",
        "ParcelQueued",
        "ShipmentDrafted",
        "ShipmentTendered",
        "TenderAccepted",
        "ResourceAssigned",
        "MilestoneReported",
        "HandoverDeclared",
        "CustodyTransferred",
        "ParcelReceived",
    ] {
        assert!(
            types.any(|short| short == wanted),
            "{wanted} is missing or too early"
        );
    }
    // Of the load it shows the order's own bags.
    let drafted = replayed
        .lines
        .iter()
        .find(|line| line.r#type.ends_with(".ShipmentDrafted"));
    let load = &drafted.expect("found above").event["load"];
    assert_eq!(load["order_ids"], serde_json::json!([order_id]));
}

#[test]
fn the_custody_of_a_carrier_is_checked_across_the_logs() {
    let logs = logs();
    assert_eq!(custody(logs.clone()), Vec::<String>::new());
    let loaded = |event: &LogisticsEvent| {
        matches!(event, LogisticsEvent::MilestoneReported(e)
            if e.milestone() == Milestone::Loaded && e.stop_id == "store-gate")
    };
    // Nobody loaded it, and the carrier hands it over.
    let never = retold(logs.clone(), |event| {
        let is_it = loaded(event);
        if let LogisticsEvent::MilestoneReported(e) = event
            && is_it
        {
            e.set_fit(ReportFit::Repeated);
        }
    });
    let found = custody(never);
    assert!(
        found.iter().any(|text| text.contains("carrier/dray")),
        "{found:?}"
    );
    // Another firm loaded it than the one that handed it over.
    let other = retold(logs, |event| {
        let is_it = loaded(event);
        if let LogisticsEvent::MilestoneReported(e) = event
            && is_it
        {
            e.carrier_id = "acme".into();
        }
    });
    let found = custody(other);
    assert!(
        found.iter().any(|text| text.contains("carrier/acme")),
        "{found:?}"
    );
}

#[test]
fn no_vehicle_moves_without_a_pass_whatever_the_state_says() {
    let logs = logs();
    let passes = |logs: Logs| broken(logs, Invariant::PassBeforeDispatch);
    assert_eq!(passes(logs.clone()), Vec::<String>::new());
    let found = reconcile(&History::from_bytes(logs.clone()), None);
    let mut checks = found.checks.iter();
    let check = checks.find(|check| check.invariant == Invariant::PassBeforeDispatch);
    assert!(check.expect("it is checked").facts > 0);
    type Forgery = fn(&mut LogisticsEvent);
    let forgeries: [(Forgery, &str); 4] = [
        (
            |event| {
                if let LogisticsEvent::PassIssued(e) = event {
                    e.zones.retain(|zone| zone != "gate-road");
                }
            },
            "is not for zone gate-road",
        ),
        (
            |event| {
                if let LogisticsEvent::PassIssued(e) = event {
                    e.to_time = e.from_time;
                }
            },
            "was not valid at that time",
        ),
        (
            |event| {
                if let LogisticsEvent::ResourceAssigned(e) = event {
                    e.driver_id = "somebody".into();
                }
            },
            "not somebody",
        ),
        (
            |event| {
                if let LogisticsEvent::ResourceAssigned(e) = event {
                    e.pass_id = "none".into();
                }
            },
            "nobody applied for pass none",
        ),
    ];
    for (forge, why) in forgeries {
        let found = passes(retold(logs.clone(), forge));
        assert!(
            found.iter().any(|text| text.contains(why)),
            "{why}: {found:?}"
        );
    }
}
