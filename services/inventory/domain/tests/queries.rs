//! Lists in fixed orders that go on behind a key.

#[path = "support/goods.rs"]
mod goods;

use decider::{Area, spec::Spec};
use goods::*;
use inventory_domain::{Stock, UnknownPage};
use proto::inventory::v1::DemandState;

fn orders(spec: &Spec<Stock>, state: DemandState, after: Option<&str>) -> Vec<String> {
    let demands = spec.state.demands(&spec.context.area, state, after);
    let demands = demands.expect("a page");
    demands.map(|demand| demand.order_id.to_string()).collect()
}

#[test]
fn demands_are_listed_in_the_order_of_the_doors() {
    let mut spec = store(&[("r1", "rice", 3)]);
    for order in ["O-10", "O-9", "O-100", "O-1"] {
        spec.accept(demand(order, &[("rice", 1)]));
    }
    assert_eq!(
        orders(&spec, DemandState::Reserved, None),
        ["O-9", "O-10", "O-100"]
    );
    assert_eq!(orders(&spec, DemandState::Queued, None), ["O-1"]);
    let all = orders(&spec, DemandState::Unspecified, None);
    assert_eq!(all, ["O-1", "O-9", "O-10", "O-100"]);
    let area = &spec.context.area;
    assert_eq!(spec.state.demand_count(area, DemandState::Reserved), 3);
    assert_eq!(spec.state.demand_count(area, DemandState::Unspecified), 4);
}

#[test]
fn the_next_page_is_found_although_the_last_order_has_moved_on() {
    let mut spec = store(&[("r1", "rice", 9)]);
    for order in ["O-1", "O-2", "O-3"] {
        spec.accept(demand(order, &[("rice", 1)]));
    }
    spec.accept(pick(&["O-1", "O-2"]));
    assert_eq!(orders(&spec, DemandState::Reserved, Some("O-2")), ["O-3"]);
    assert_eq!(orders(&spec, DemandState::Picked, Some("O-1")), ["O-2"]);
    assert_eq!(orders(&spec, DemandState::Picked, Some("O-3")), [""; 0]);
}

#[test]
fn a_page_behind_an_order_of_nowhere_is_refused() {
    let spec = store(&[]);
    let page = spec
        .state
        .demands(&spec.context.area, DemandState::Queued, Some("O-1"));
    let refused = page.map(Iterator::count);
    assert_eq!(
        refused,
        Err(UnknownPage {
            after: "O-1".into()
        })
    );
}

#[test]
fn products_and_lots_are_listed_by_id() {
    let spec = store(&[("r2", "rice", 1), ("o1", "oil", 1), ("r1", "rice", 1)]);
    let area = &spec.context.area;
    let products = |after| -> Vec<_> {
        let products = spec.state.products(area, after);
        products
            .map(|product| product.product_id.as_str())
            .collect()
    };
    assert_eq!(products(None), ["oil", "rice"]);
    assert_eq!(products(Some("oil")), ["rice"]);
    let lots = |product, after| -> Vec<_> {
        let lots = spec.state.lots(area, product, after);
        lots.map(|lot| lot.lot_id.as_str()).collect()
    };
    assert_eq!(lots(None, None), ["o1", "r1", "r2"]);
    assert_eq!(lots(None, Some("r1")), ["r2"]);
    assert_eq!(lots(Some("rice"), None), ["r1", "r2"]);
    assert_eq!(lots(Some("salt"), None), [""; 0]);
    let elsewhere = Area::default();
    assert_eq!(spec.state.products(&elsewhere, None).count(), 0);
    assert_eq!(spec.state.lots(&elsewhere, None, None).count(), 0);
    assert_eq!(spec.state.procurement_need(&elsewhere), []);
    assert!(!spec.state.procurement(&elsewhere).closed);
}

#[test]
fn a_product_sums_its_lots() {
    let mut spec = store(&[("r1", "rice", 2), ("r2", "rice", 3)]);
    spec.accept(demand("O-1", &[("rice", 3)]));
    send(&mut spec, &["O-1"]);
    spec.accept(spoil("r2", 1));
    let product = spec
        .state
        .product(&spec.context.area, "rice")
        .expect("rice");
    let stock = product.stock;
    assert_eq!(stock.received.0, 5);
    assert_eq!(
        (stock.on_hand.0, stock.dispatched.0, stock.spoiled.0),
        (1, 3, 1)
    );
}
