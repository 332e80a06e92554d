//! What pages are made from: filters, id order, and going on behind a key.

use decider::Area;
use order_domain::{HouseholdFilter, OrderFilter};
use proto::order::v1::{CloseReason, GroupBuyOpened, GroupBuyState, OrderState};

use crate::given::*;

fn households(spec: &OrderSpec, filter: HouseholdFilter, after: Option<&str>) -> Vec<String> {
    let list = spec.state.households(&area(), filter, after);
    list.map(|household| household.household_id.to_string())
        .collect()
}

fn orders(spec: &OrderSpec, filter: OrderFilter, after: Option<&str>) -> Vec<String> {
    let list = spec.state.orders(&area(), filter, after);
    list.map(|order| order.order_id.to_string()).collect()
}

#[test]
fn households_by_community_grid_and_cadre() {
    let spec = OrderSpec::given([
        household_in("G02", "H2"),
        household_in("G01", "H1"),
        household_in("G02", "H3"),
        handed_over("H3", "C1", "C2"),
    ]);
    let filter = |community: &str, grid: &str, cadre: &str| HouseholdFilter {
        community: community.into(),
        grid: grid.into(),
        cadre_id: cadre.into(),
    };
    for (wanted, ids) in [
        (filter("", "", ""), vec!["H1", "H2", "H3"]),
        (filter("zhichaka", "", ""), vec!["H1", "H2", "H3"]),
        (filter("zhichaka", "G02", ""), vec!["H2", "H3"]),
        (filter("", "G02", ""), vec!["H2", "H3"]),
        (filter("", "", "C1"), vec!["H1", "H2"]),
        (filter("zhichaka", "G02", "C1"), vec!["H2"]),
        (filter("elsewhere", "", ""), vec![]),
    ] {
        assert_eq!(households(&spec, wanted.clone(), None), ids, "{wanted:?}");
    }
    let all = HouseholdFilter::default();
    assert_eq!(households(&spec, all.clone(), Some("H1")), ["H2", "H3"]);
    assert_eq!(households(&spec, all, Some("H3")), [""; 0]);
    assert_eq!(spec.state.household_count(&area()), 3);
}

#[test]
fn orders_by_household_group_buy_and_state() {
    let mut spec = OrderSpec::given([
        household("H1"),
        household("H2"),
        group_buy().into(),
        joined("o1", "H1"),
        placed("o2", "H1").into(),
        released("o2", "H1"),
        placed("o3", "H2").into(),
        released("o3", "H2"),
    ]);
    hear(&mut spec, [reserved("o3", vec![])]);
    let of_h1 = OrderFilter {
        household_id: Some("H1".into()),
        ..OrderFilter::default()
    };
    let of_g1 = OrderFilter {
        group_buy_id: Some("g1".into()),
        ..OrderFilter::default()
    };
    let in_state = |state| OrderFilter {
        state: Some(state),
        ..OrderFilter::default()
    };
    let both = OrderFilter {
        state: Some(OrderState::Released),
        ..of_h1.clone()
    };
    assert_eq!(
        orders(&spec, OrderFilter::default(), None),
        ["o1", "o2", "o3"]
    );
    assert_eq!(
        orders(&spec, OrderFilter::default(), Some("o1")),
        ["o2", "o3"]
    );
    assert_eq!(orders(&spec, of_h1, None), ["o1", "o2"]);
    assert_eq!(orders(&spec, of_g1, None), ["o1"]);
    assert_eq!(orders(&spec, in_state(OrderState::Confirmed), None), ["o3"]);
    assert_eq!(orders(&spec, in_state(OrderState::Released), None), ["o2"]);
    assert_eq!(orders(&spec, both, None), ["o2"]);
}

#[test]
fn group_buys_by_state() {
    let second = GroupBuyOpened {
        group_buy_id: "g2".into(),
        ..group_buy()
    };
    let spec = OrderSpec::given([
        group_buy().into(),
        second.into(),
        failed(0, 8, CloseReason::Organizer),
    ]);
    let ids = |state, after| -> Vec<String> {
        let list = spec.state.group_buys(&area(), state, after);
        list.map(|g| g.group_buy_id.to_string()).collect()
    };
    assert_eq!(ids(None, None), ["g1", "g2"]);
    assert_eq!(ids(None, Some("g1")), ["g2"]);
    assert_eq!(ids(Some(GroupBuyState::Open), None), ["g2"]);
    assert_eq!(ids(Some(GroupBuyState::Failed), None), ["g1"]);
}

#[test]
fn another_area_has_its_own_lists() {
    let spec = OrderSpec::given([household("H1"), placed("o1", "H1").into()]);
    let other = Area::new("632725101").expect("nine digits");
    assert_eq!(
        spec.state
            .households(&other, HouseholdFilter::default(), None)
            .count(),
        0
    );
    let of_h1 = OrderFilter {
        household_id: Some("H1".into()),
        ..OrderFilter::default()
    };
    assert_eq!(spec.state.orders(&other, of_h1, None).count(), 0);
}
