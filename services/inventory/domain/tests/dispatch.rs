//! Picking, dispatch, replacement and return.

#[path = "support/goods.rs"]
mod goods;

use decider::{Domain, spec::Spec};
use goods::*;
use inventory_domain::{Command, OUT_OF_STOCK, QueueLength, Rejection, Stock};
use proto::{
    InventoryEvent,
    inventory::v1::{
        Bag, DemandState, OrderDispatched, OrderPicked, ReplacementDispatched, ReplacementQueued,
        ReplacementRefused, StockReturned,
    },
};

fn bag(label: &str, product_id: &str, units: i64, grams: i64) -> Bag {
    Bag {
        label: label.into(),
        product_id: product_id.into(),
        quantity_units: units,
        weight_grams: grams,
    }
}

fn queued(for_label: &str, product_id: &str, units: i64) -> InventoryEvent {
    ReplacementQueued {
        order_id: "O-1".into(),
        for_label: for_label.into(),
        line: lines(&[(product_id, units)]).pop(),
        checkpoint_id: "gate".into(),
    }
    .into()
}

fn replaced(for_label: &str, bag: Bag, of: &[(&str, &str, i64)]) -> InventoryEvent {
    ReplacementDispatched {
        order_id: "O-1".into(),
        for_label: for_label.into(),
        bag: Some(bag),
        checkpoint_id: "gate".into(),
        custodian_id: "carrier-1".into(),
        allocations: allocations(of),
    }
    .into()
}

fn refused(for_label: &str) -> InventoryEvent {
    ReplacementRefused {
        order_id: "O-1".into(),
        for_label: for_label.into(),
        checkpoint_id: "gate".into(),
        reason: OUT_OF_STOCK.into(),
    }
    .into()
}

fn returned(reason: &str, of: &[(&str, &str, i64)]) -> InventoryEvent {
    StockReturned {
        order_id: "O-1".into(),
        allocations: allocations(of),
        reason: reason.into(),
    }
    .into()
}

/// `O-1` left with 1 rice (bag 1) and 2 oil (bag 2); nothing is left over.
fn on_the_way() -> Spec<Stock> {
    let mut spec = store(&[("r1", "rice", 1), ("o1", "oil", 2)]);
    spec.accept(demand("O-1", &[("rice", 1), ("oil", 2)]));
    send(&mut spec, &["O-1"]);
    spec
}

#[test]
fn reserved_orders_are_packed_in_labelled_bags_that_one_person_can_carry() {
    let mut spec = store(&[("r1", "rice", 20), ("o1", "oil", 2)]);
    spec.accept(demand("O-1", &[("rice", 6), ("oil", 2)]));
    spec.when(pick(&["O-1", "O-1"])).then([OrderPicked {
        order_id: "O-1".into(),
        bags: vec![
            bag("O-1-1", "rice", 3, 15_000),
            bag("O-1-2", "rice", 3, 15_000),
            bag("O-1-3", "oil", 2, 20_000),
        ],
    }
    .into()]);
    spec.accept(pick(&["O-1"]));
    spec.when(pick(&["O-1"])).then([]);
    assert_eq!(demand_of(&spec, "O-1").weight().0, 50_000);
}

#[test]
fn only_what_was_found_is_packed() {
    let mut spec = store(&[("r1", "rice", 2)]);
    spec.accept(Command::CloseProcurement);
    spec.accept(demand("O-1", &[("oil", 2), ("rice", 3)]));
    spec.accept(pick(&["O-1"]));
    assert_eq!(
        demand_of(&spec, "O-1").bags,
        [bag("O-1-1", "rice", 2, 10_000)]
    );
}

#[test]
fn only_reserved_orders_are_picked_all_or_none() {
    let mut spec = store(&[("r1", "rice", 2)]);
    spec.accept(demand("O-1", &[("rice", 2)]));
    spec.accept(demand("O-2", &[("rice", 2)]));
    spec.when(pick(&["O-1", "O-2"]))
        .then_rejected(Rejection::NotReserved {
            order_id: "O-2".into(),
            state: DemandState::Queued,
        });
    spec.when(pick(&["O-1", "O-3"]))
        .then_rejected(Rejection::DemandUnknown {
            order_id: "O-3".into(),
            area: "632725100".into(),
        });
    assert_eq!(state_of(&spec, "O-1"), DemandState::Reserved);
}

#[test]
fn a_request_has_at_most_fifty_orders() {
    let ids: Vec<String> = (0..51).map(|n| format!("O-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let too_many = Rejection::TooManyOrders { asked: 51, max: 50 };
    store(&[]).when(pick(&ids)).then_rejected(too_many.clone());
    store(&[]).when(dispatch(&ids)).then_rejected(too_many);
}

#[test]
fn an_order_of_too_many_bags_is_to_be_divided() {
    let mut spec = store(&[("r1", "rice", 1_000)]);
    spec.accept(demand("O-1", &[("rice", 800)]));
    spec.when(pick(&["O-1"]))
        .then_rejected(Rejection::TooManyBags {
            order_id: "O-1".into(),
            bags: 160,
            max: 150,
        });
}

#[test]
fn more_bags_than_a_request_can_hold_are_to_be_sent_in_parts() {
    let mut spec = store(&[("r1", "rice", 100_000)]);
    let ids: Vec<String> = (0..50).map(|n| format!("O-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for id in &ids {
        spec.accept(demand(id, &[("rice", 700)]));
    }
    let Err(Rejection::TooMuchAtOnce { asked: 50, fits }) = spec.when(pick(&ids)).result else {
        panic!("50 orders of 140 bags must be too much");
    };
    assert!((1..50).contains(&fits));
    spec.accept(pick(&ids[..fits]));
}

#[test]
fn picked_orders_leave_with_a_load() {
    let mut spec = store(&[("r1", "rice", 2)]);
    spec.accept(demand("O-1", &[("rice", 2)]));
    spec.when(dispatch(&["O-1"]))
        .then_rejected(Rejection::NotPicked {
            order_id: "O-1".into(),
            state: DemandState::Reserved,
        });
    spec.accept(pick(&["O-1"]));
    spec.when(dispatch(&["O-1"])).then([OrderDispatched {
        order_id: "O-1".into(),
        household_id: "H-O-1".into(),
        door: Some(door_of("O-1")),
        cadre_id: "cadre-1".into(),
        bags: vec![bag("O-1-1", "rice", 2, 10_000)],
        load_id: "load-1".into(),
        checkpoint_id: "gate".into(),
        custodian_id: "carrier-1".into(),
        allocations: allocations(&[("r1", "rice", 2)]),
    }
    .into()]);
    spec.accept(dispatch(&["O-1"]));
    assert_eq!(ledger(&spec, "r1"), [0, 0, 2, 0, 0]);
    // With the same load: already so. With another: no.
    spec.when(dispatch(&["O-1"])).then([]);
    let Command::DispatchOrders(mut other) = dispatch(&["O-1"]) else {
        unreachable!()
    };
    other.load_id = "load-2".into();
    spec.when(Command::DispatchOrders(other))
        .then_rejected(Rejection::AlreadyDispatched {
            order_id: "O-1".into(),
            load_id: "load-1".into(),
        });
}

#[test]
fn a_damaged_bag_is_replaced_at_once_when_there_is_stock() {
    let mut spec = on_the_way();
    spec.accept(lot("o2", "oil", 5));
    let answers = by_logistics(&mut spec, excepted("O-1", &["O-1-2"]));
    let events = vec![
        queued("O-1-2", "oil", 2),
        replaced(
            "O-1-2",
            bag("O-1-2r1", "oil", 2, 20_000),
            &[("o2", "oil", 2)],
        ),
    ];
    assert_eq!(answers, [Ok(events)]);
    assert_eq!(ledger(&spec, "o2"), [3, 0, 2, 0, 0]);
    // Heard again: it is already so.
    assert_eq!(
        by_logistics(&mut spec, excepted("O-1", &["O-1-2"])),
        [Ok(vec![])]
    );
    assert_sound(&spec);
}

#[test]
fn a_replacement_can_be_damaged_too() {
    let mut spec = on_the_way();
    spec.accept(lot("o2", "oil", 5));
    by_logistics(&mut spec, excepted("O-1", &["O-1-2"]));
    let answers = by_logistics(&mut spec, excepted("O-1", &["O-1-2r1"]));
    let events = vec![
        queued("O-1-2r1", "oil", 2),
        replaced(
            "O-1-2r1",
            bag("O-1-2r2", "oil", 2, 20_000),
            &[("o2", "oil", 2)],
        ),
    ];
    assert_eq!(answers, [Ok(events)]);
    assert_sound(&spec);
}

#[test]
fn a_replacement_waits_ahead_of_orders() {
    let mut spec = on_the_way();
    spec.accept(demand("O-2", &[("oil", 1)]));
    let answers = by_logistics(&mut spec, excepted("O-1", &["O-1-2"]));
    assert_eq!(answers, [Ok(vec![queued("O-1-2", "oil", 2)])]);
    let length = QueueLength {
        orders: 1,
        replacements: 1,
    };
    assert_eq!(spec.state.queue_length(&spec.context.area), length);
    let need = spec.state.procurement_need(&spec.context.area);
    assert_eq!(need[0].demanded.0, 3);

    // One unit would do for the order, but the replacement is first.
    spec.accept(lot("o2", "oil", 1));
    assert_eq!(Stock::next_due(&spec.state), None);
    spec.accept(lot("o3", "oil", 1));
    spec.when(Command::AllocateDemand).then([replaced(
        "O-1-2",
        bag("O-1-2r1", "oil", 2, 20_000),
        &[("o2", "oil", 1), ("o3", "oil", 1)],
    )]);
    work(&mut spec);
    assert_eq!(state_of(&spec, "O-2"), DemandState::Queued);
    assert_sound(&spec);
}

#[test]
fn replacements_of_one_product_are_served_in_their_order() {
    let mut spec = store(&[("o1", "oil", 4)]);
    spec.accept(demand("O-1", &[("oil", 2)]));
    spec.accept(demand("O-2", &[("oil", 1)]));
    send(&mut spec, &["O-1", "O-2"]);
    spec.accept(spoil("o1", 1));
    by_logistics(&mut spec, excepted("O-1", &["O-1-1"]));
    spec.accept(lot("o2", "oil", 1));
    let answers = by_logistics(&mut spec, excepted("O-2", &["O-2-1"]));
    assert_eq!(answers[0].as_ref().map(Vec::len), Ok(1), "only queued");
    spec.accept(lot("o3", "oil", 2));
    work(&mut spec);
    assert_eq!(
        spec.state.queue_length(&spec.context.area),
        QueueLength::default()
    );
    assert_sound(&spec);
}

#[test]
fn when_buying_is_over_and_none_is_there_the_order_goes_on_without_the_bag() {
    let mut spec = on_the_way();
    spec.accept(Command::CloseProcurement);
    let answers = by_logistics(&mut spec, excepted("O-1", &["O-1-1"]));
    assert_eq!(
        answers,
        [Ok(vec![queued("O-1-1", "rice", 1), refused("O-1-1")])]
    );
}

#[test]
fn waiting_replacements_are_refused_when_buying_ends() {
    let mut spec = on_the_way();
    by_logistics(&mut spec, excepted("O-1", &["O-1-1"]));
    spec.accept(Command::CloseProcurement);
    spec.when(Command::AllocateDemand).then([refused("O-1-1")]);
    assert_eq!(work(&mut spec), 1);
}

#[test]
fn nothing_is_replaced_that_was_never_sent() {
    let mut spec = on_the_way();
    let answers = by_logistics(&mut spec, excepted("O-1", &["O-1-9", "O-1-1"]));
    let unknown = Rejection::BagUnknown {
        order_id: "O-1".into(),
        label: "O-1-9".into(),
    };
    assert_eq!(answers[0], Err(unknown));
    assert!(answers[1].is_ok(), "the other bag is still replaced");
    let answers = by_logistics(&mut spec, excepted("O-7", &["O-7-1"]));
    let unknown = Rejection::DemandUnknown {
        order_id: "O-7".into(),
        area: "632725100".into(),
    };
    assert_eq!(answers, [Err(unknown)]);
    spec.accept(demand("O-2", &[("rice", 1)]));
    let answers = by_logistics(&mut spec, excepted("O-2", &["O-2-1"]));
    let not_out = Rejection::NotDispatched {
        order_id: "O-2".into(),
        state: DemandState::Queued,
    };
    assert_eq!(answers, [Err(not_out)]);
}

#[test]
fn a_returned_parcel_is_on_hand_again() {
    let mut spec = on_the_way();
    let answers = by_logistics(&mut spec, came_back("O-1"));
    let of = [("r1", "rice", 1), ("o1", "oil", 2)];
    assert_eq!(answers, [Ok(vec![returned("refused", &of)])]);
    assert_eq!(ledger(&spec, "o1"), [2, 0, 2, 0, 2]);
    assert_eq!(state_of(&spec, "O-1"), DemandState::Returned);
    assert_eq!(by_logistics(&mut spec, came_back("O-1")), [Ok(vec![])]);
    assert_sound(&spec);
}

#[test]
fn a_withdrawn_parcel_serves_the_next_in_the_queue() {
    let mut spec = on_the_way();
    spec.accept(demand("O-2", &[("oil", 1)]));
    let answers = by_logistics(&mut spec, withdrawn("O-1"));
    let of = [("r1", "rice", 1), ("o1", "oil", 2)];
    assert_eq!(answers, [Ok(vec![returned("customer_cancelled", &of)])]);
    work(&mut spec);
    assert_eq!(state_of(&spec, "O-2"), DemandState::Reserved);
}

#[test]
fn what_was_damaged_on_the_way_does_not_come_back_but_its_replacement_does() {
    let mut spec = on_the_way();
    spec.accept(lot("o2", "oil", 2));
    by_logistics(&mut spec, excepted("O-1", &["O-1-2"]));
    let answers = by_logistics(&mut spec, came_back("O-1"));
    let of = [("r1", "rice", 1), ("o2", "oil", 2)];
    assert_eq!(answers, [Ok(vec![returned("refused", &of)])]);
    assert_eq!(ledger(&spec, "o1"), [0, 0, 2, 0, 0]);
    assert_eq!(ledger(&spec, "o2"), [2, 0, 2, 0, 2]);
    assert_sound(&spec);
}

#[test]
fn a_return_ends_the_wait_for_a_replacement() {
    let mut spec = on_the_way();
    by_logistics(&mut spec, excepted("O-1", &["O-1-1", "O-1-2"]));
    let answers = by_logistics(&mut spec, came_back("O-1"));
    assert_eq!(answers, [Ok(vec![returned("refused", &[])])]);
    assert_eq!(
        spec.state.queue_length(&spec.context.area),
        QueueLength::default()
    );
    spec.accept(lot("r2", "rice", 9));
    assert_eq!(work(&mut spec), 0);
    assert_sound(&spec);
}

#[test]
fn nothing_comes_back_that_never_left() {
    let mut spec = store(&[]);
    let unknown = Rejection::DemandUnknown {
        order_id: "O-1".into(),
        area: "632725100".into(),
    };
    assert_eq!(by_logistics(&mut spec, withdrawn("O-1")), [Err(unknown)]);
    spec.accept(demand("O-1", &[("rice", 1)]));
    let not_out = Rejection::NotDispatched {
        order_id: "O-1".into(),
        state: DemandState::Queued,
    };
    assert_eq!(by_logistics(&mut spec, came_back("O-1")), [Err(not_out)]);
}

#[test]
fn an_altered_log_shows() {
    let mut events = Vec::new();
    let mut spec = store(&[]);
    for command in [
        define("salt", 500),
        lot("s1", "salt", 5),
        demand("O-1", &[("salt", 2)]),
        pick(&["O-1"]),
    ] {
        events.extend(spec.accept(command));
    }
    let untouched = Spec::<Stock>::given(events.clone());
    assert_sound(&untouched);
    for missing in 0..events.len() - 1 {
        let mut altered = events.clone();
        altered.remove(missing);
        let altered = Spec::<Stock>::given(altered);
        assert_ne!(
            Stock::violations(&altered.state),
            [],
            "without event {missing}"
        );
    }
    for event in &mut events {
        if let InventoryEvent::StockReserved(event) = event {
            event.allocations[0].quantity_units = 1;
        }
    }
    assert_ne!(Stock::violations(&Spec::<Stock>::given(events).state), []);
}
