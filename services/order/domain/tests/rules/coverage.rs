//! S30: who is served, and which doors were missed and why.

use decider::{Domain, Invariant};
use order_domain::{Command, CoverageRow, Orders};
use proto::{AnyEvent, OrderEvent, logistics::v1::ExceptionCode};

use crate::given::*;

fn row(community: &str, grid: &str, counts: [u64; 3]) -> CoverageRow {
    let [in_need_households, served_households, collected_households] = counts;
    CoverageRow {
        community: community.into(),
        grid: grid.into(),
        in_need_households,
        served_households,
        collected_households,
    }
}

fn delivered(order: &str) -> [AnyEvent; 4] {
    [
        reserved(order, vec![]),
        disinfected(order),
        run_started(&[order]),
        door_left(order),
    ]
}

fn missed(spec: &OrderSpec) -> Vec<(String, &'static str, String, String)> {
    spec.state
        .missed(&area(), None)
        .map(|missed| {
            let order = missed.order_id.map(|id| id.to_string());
            (
                missed.household_id.to_string(),
                missed.reason.name(),
                missed.detail,
                order.unwrap_or_default(),
            )
        })
        .collect()
}

/// Why H1 was missed, in the course of one order.
fn reason(spec: &OrderSpec) -> (&'static str, String) {
    let missed = missed(spec);
    assert_eq!(missed.len(), 1, "{missed:?}");
    (missed[0].1, missed[0].2.clone())
}

fn in_need_with_order() -> OrderSpec {
    OrderSpec::given([
        contingency(),
        household("H1"),
        placed("o1", "H1").into(),
        released("o1", "H1"),
    ])
}

#[test]
fn nobody_is_in_need_without_an_active_contingency() {
    let spec = with_order();
    let coverage = spec.state.coverage(&area());
    assert_eq!(coverage.total, row("", "", [0, 0, 0]));
    assert_eq!(coverage.total.rate_basis_points(), 10_000);
    assert_eq!(missed(&spec), []);
}

#[test]
fn households_are_counted_by_community_and_grid() {
    let mut spec = OrderSpec::given([
        contingency(),
        household_in("G02", "H1"),
        household_in("G01", "H2"),
        household_in("G02", "H3"),
        placed("o1", "H1").into(),
        released("o1", "H1"),
        placed("o2", "H2").into(),
        released("o2", "H2"),
    ]);
    hear(&mut spec, delivered("o1"));
    hear(&mut spec, delivered("o2"));
    hear(&mut spec, [collected("o2")]);
    let coverage = spec.state.coverage(&area());
    assert_eq!(coverage.total, row("", "", [3, 2, 1]));
    assert_eq!(coverage.total.rate_basis_points(), 6_666);
    assert_eq!(
        coverage.rows,
        [
            row("zhichaka", "", [3, 2, 1]),
            row("zhichaka", "G01", [1, 1, 1]),
            row("zhichaka", "G02", [2, 1, 0]),
        ]
    );
    assert_eq!(
        missed(&spec),
        [("H3".into(), "NO_ORDER", String::new(), String::new())]
    );
}

#[test]
fn a_household_is_missed_for_the_reason_of_its_order() {
    let mut spec = in_need_with_order();
    assert_eq!(reason(&spec), ("WAITING_FOR_STOCK", String::new()));
    hear(&mut spec, [reserved("o1", vec![])]);
    assert_eq!(reason(&spec), ("WAITING_FOR_GOODS", String::new()));
    hear(&mut spec, [disinfected("o1")]);
    assert_eq!(reason(&spec), ("WAITING_FOR_DELIVERY", String::new()));
    hear(&mut spec, [run_started(&["o1"])]);
    assert_eq!(reason(&spec), ("OUT_FOR_DELIVERY", String::new()));
    hear(
        &mut spec,
        [attempt_failed("o1", ExceptionCode::Unreachable)],
    );
    assert_eq!(reason(&spec), ("ATTEMPT_FAILED", "unreachable".into()));
    hear(&mut spec, [parcel_returned("o1", ExceptionCode::Refused)]);
    assert_eq!(reason(&spec), ("RETURNED", "refused".into()));
}

#[test]
fn a_household_is_missed_because_its_order_came_to_nothing() {
    let mut spec = in_need_with_order();
    hear(&mut spec, [demand_rejected("o1")]);
    assert_eq!(reason(&spec), ("REJECTED", "OUT_OF_STOCK".into()));

    let mut spec = in_need_with_order();
    spec.accept(Command::CancelOrder {
        order_id: "o1".into(),
        note: String::new(),
    });
    assert_eq!(reason(&spec), ("CANCELLED", "OPERATOR".into()));
}

#[test]
fn a_household_waits_for_its_group_buy() {
    let spec = OrderSpec::given([
        contingency(),
        household("H1"),
        group_buy().into(),
        joined("o1", "H1"),
    ]);
    let expected = ("WAITING_FOR_GROUP_BUY", "Rice and oil".into());
    assert_eq!(reason(&spec), expected);
}

#[test]
fn of_several_orders_the_nearest_to_the_door_explains() {
    let mut spec = OrderSpec::given([contingency(), household("H1")].into_iter().chain(
        ["o1", "o2", "o3"].into_iter().flat_map(|id| {
            let events: [OrderEvent; 2] = [placed(id, "H1").into(), released(id, "H1")];
            events
        }),
    ));
    hear(&mut spec, [demand_rejected("o1"), reserved("o2", vec![])]);
    let of = |order: &str, reason| vec![("H1".into(), reason, String::new(), order.to_owned())];
    assert_eq!(missed(&spec), of("o2", "WAITING_FOR_GOODS"));
    // One is served whatever becomes of the other orders.
    hear(&mut spec, delivered("o3"));
    assert_eq!(missed(&spec), []);
}

#[test]
fn only_deliveries_since_the_activation_count() {
    let mut spec = with_order();
    hear(&mut spec, delivered("o1"));
    let mut spec = spec.at(hours(1));
    spec.accept(Command::ActivateContingency {
        reason: "static management".into(),
    });
    assert_eq!(spec.state.coverage(&area()).total, row("", "", [1, 0, 0]));
    assert_eq!(reason(&spec), ("NO_ORDER", String::new()));
    // A second contingency starts anew as well.
    spec.accept(Command::PlaceOrder(place("H1", rice())));
    let order = spec
        .state
        .orders_of_household(&"H1".into())
        .find(|order| order.order_id != "o1".into())
        .map(|order| order.order_id.to_string())
        .expect("placed");
    hear(&mut spec, delivered(&order));
    assert_eq!(spec.state.coverage(&area()).total, row("", "", [1, 1, 0]));
    spec.accept(Command::EndContingency);
    let mut spec = spec.at(hours(2));
    spec.accept(Command::ActivateContingency {
        reason: "again".into(),
    });
    assert_eq!(spec.state.coverage(&area()).total, row("", "", [1, 0, 0]));
}

#[test]
fn what_came_to_nothing_before_the_contingency_is_no_reason() {
    let mut spec = with_order();
    hear(&mut spec, [demand_rejected("o1")]);
    let mut spec = spec.at(hours(1));
    spec.accept(Command::ActivateContingency {
        reason: "static management".into(),
    });
    assert_eq!(reason(&spec), ("NO_ORDER", String::new()));
}

#[test]
fn the_list_goes_on_behind_a_household() {
    let mut events = vec![contingency()];
    events.extend(["H3", "H1", "H2"].map(household));
    let spec = OrderSpec::given(events);
    let ids = |after| -> Vec<String> {
        let missed = spec.state.missed(&area(), after);
        missed.map(|m| m.household_id.to_string()).collect()
    };
    assert_eq!(ids(None), ["H1", "H2", "H3"]);
    assert_eq!(ids(Some("H1")), ["H2", "H3"]);
    assert_eq!(ids(Some("H25")), ["H3"]);
}

#[test]
fn every_household_in_need_is_served_or_listed() {
    let spec = in_need_with_order();
    let of_this = |v: &decider::Violation| v.invariant == Invariant::ServedOrListed;
    assert!(!Orders::violations(&spec.state).iter().any(of_this));
}
