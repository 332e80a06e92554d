//! Who gets which goods, and when: reservation, queue, procurement.

#[path = "support/goods.rs"]
mod goods;

use decider::{Domain, spec::START};
use goods::*;
use inventory_domain::{
    Command, Grams, Need, OUT_OF_STOCK, PRODUCT_UNKNOWN, QueueLength, Rejection, Stock, Units,
};
use proto::{
    InventoryEvent,
    inventory::v1::{
        DemandQueued, DemandRejected, DemandState, DispatchRecalled, ProcurementClosed,
        ProcurementOpened, ReservationReleased, StockReserved,
    },
};

fn queued(order_id: &str, wanted: &[(&str, i64)]) -> InventoryEvent {
    DemandQueued {
        order_id: order_id.into(),
        household_id: format!("H-{order_id}"),
        door: Some(door_of(order_id)),
        lines: lines(wanted),
        cadre_id: "cadre-1".into(),
    }
    .into()
}

fn reserved(order_id: &str, of: &[(&str, &str, i64)], short: &[(&str, i64)]) -> InventoryEvent {
    StockReserved {
        order_id: order_id.into(),
        allocations: allocations(of),
        short: lines(short),
    }
    .into()
}

fn rejected(order_id: &str, reason: &str) -> InventoryEvent {
    DemandRejected {
        order_id: order_id.into(),
        reason: reason.into(),
    }
    .into()
}

#[test]
fn an_order_whose_goods_are_there_is_served_at_once() {
    let mut spec = store(&[("l1", "rice", 10), ("l2", "oil", 1)]);
    let answers = by_order(&mut spec, released("O-1", &[("rice", 2), ("oil", 1)]));
    let expected = vec![
        queued("O-1", &[("rice", 2), ("oil", 1)]),
        reserved("O-1", &[("l1", "rice", 2), ("l2", "oil", 1)], &[]),
    ];
    assert_eq!(answers, [Ok(expected)]);
    assert_eq!(ledger(&spec, "l1"), [8, 2, 0, 0, 0]);
    // Heard again: it is already so.
    let answers = by_order(&mut spec, released("O-1", &[("rice", 2), ("oil", 1)]));
    assert_eq!(answers, [Ok(vec![])]);
    assert_eq!(Stock::next_due(&spec.state), None);
}

#[test]
fn an_unknown_product_is_refused_at_once() {
    store(&[("l1", "rice", 10)])
        .when(demand("O-1", &[("rice", 1), ("caviar", 1)]))
        .then([
            queued("O-1", &[("rice", 1), ("caviar", 1)]),
            rejected("O-1", PRODUCT_UNKNOWN),
        ]);
}

#[test]
fn orders_for_nothing_or_absurd_quantities_are_refused() {
    let spec = store(&[("l1", "rice", 10)]);
    spec.when(demand("O-1", &[]))
        .then_rejected(Rejection::DemandEmpty {
            order_id: "O-1".into(),
        });
    for units in [i64::MIN, -1, 0, i64::MAX] {
        spec.when(demand("O-1", &[("rice", units)]))
            .then_rejected(Rejection::QuantityInvalid {
                of: "units of rice for order O-1".into(),
                quantity: units,
                max: 1_000_000,
            });
    }
    // A product named twice is one line.
    spec.when(demand("O-1", &[("rice", 2), ("rice", 3)])).then([
        queued("O-1", &[("rice", 5)]),
        reserved("O-1", &[("l1", "rice", 5)], &[]),
    ]);
}

#[test]
fn the_lot_that_expires_first_is_used_first_then_by_id_then_what_never_expires() {
    let mut spec = store(&[("a-never", "rice", 5)]);
    let day = |n: i64| Some(START.plus_minutes(n * 24 * 60));
    spec.accept(expiring("z-soon", "rice", 2, day(1)));
    spec.accept(expiring("c-later", "rice", 2, day(2)));
    spec.accept(expiring("b-later", "rice", 2, day(2)));
    let events = spec.accept(demand("O-1", &[("rice", 7)]));
    let expected = reserved(
        "O-1",
        &[
            ("z-soon", "rice", 2),
            ("b-later", "rice", 2),
            ("c-later", "rice", 2),
            ("a-never", "rice", 1),
        ],
        &[],
    );
    assert_eq!(events[1], expected);
}

#[test]
fn expired_goods_are_reserved_for_nobody() {
    let mut spec = store(&[]);
    let noon = START.plus_minutes(240);
    spec.accept(expiring("l1", "rice", 5, Some(noon)));
    let mut spec = spec.at(noon);
    // Before the timer has taken the lot off the shelf.
    let events = spec.accept(demand("O-1", &[("rice", 1)]));
    assert_eq!(events.len(), 1, "only queued");
    assert!(work(&mut spec) > 0);
    assert_eq!(state_of(&spec, "O-1"), DemandState::Queued);
    assert_eq!(ledger(&spec, "l1"), [0, 0, 0, 5, 0]);
}

#[test]
fn an_order_whose_goods_are_not_all_there_waits_and_nobody_overtakes_it() {
    let mut spec = store(&[("r1", "rice", 5)]);
    spec.accept(demand("O-1", &[("rice", 2), ("oil", 1)]));
    // There is rice, but the older order waits for rice too.
    spec.accept(demand("O-2", &[("rice", 1)]));
    assert_eq!(state_of(&spec, "O-1"), DemandState::Queued);
    assert_eq!(state_of(&spec, "O-2"), DemandState::Queued);
    assert_eq!(Stock::next_due(&spec.state), None);

    spec.accept(lot("o1", "oil", 1));
    assert_eq!(Stock::next_due(&spec.state), Some(spec.context.now));
    work(&mut spec);
    assert_eq!(state_of(&spec, "O-1"), DemandState::Reserved);
    assert_eq!(state_of(&spec, "O-2"), DemandState::Reserved);
    assert_eq!(ledger(&spec, "r1"), [2, 3, 0, 0, 0]);
}

#[test]
fn orders_for_other_goods_pass_freely() {
    let mut spec = store(&[("r1", "rice", 5)]);
    spec.accept(demand("O-1", &[("oil", 1)]));
    spec.accept(demand("O-2", &[("rice", 1)]));
    assert_eq!(state_of(&spec, "O-2"), DemandState::Reserved);
}

#[test]
fn a_large_old_order_is_not_starved_by_small_young_ones() {
    let mut spec = store(&[]);
    spec.accept(demand("O-1", &[("rice", 10)]));
    for n in 2..8 {
        spec.accept(demand(&format!("O-{n}"), &[("rice", 1)]));
    }
    for n in 0..3 {
        spec.accept(lot(&format!("r{n}"), "rice", 4));
        work(&mut spec);
        let expected = if n < 2 {
            DemandState::Queued
        } else {
            DemandState::Reserved
        };
        assert_eq!(state_of(&spec, "O-1"), expected);
    }
    // 12 came, 10 went to the old one, 2 to the next two.
    assert_eq!(state_of(&spec, "O-3"), DemandState::Reserved);
    assert_eq!(state_of(&spec, "O-4"), DemandState::Queued);
}

#[test]
fn the_queue_is_worked_in_parts() {
    let mut spec = store(&[]);
    for n in 0..100 {
        spec.accept(demand(&format!("O-{n}"), &[("rice", 1)]));
    }
    spec.accept(lot("r1", "rice", 100));
    let part = spec.accept(Command::AllocateDemand);
    assert_eq!(part.len(), 32);
    assert_eq!(work(&mut spec), 3);
    assert_eq!(spec.state.queue_length(&spec.context.area).orders, 0);
    assert_sound(&spec);
}

#[test]
fn a_cancelled_order_gives_back_what_it_holds_and_the_next_moves_up() {
    let mut spec = store(&[("r1", "rice", 5)]);
    spec.accept(demand("O-1", &[("rice", 5)]));
    spec.accept(demand("O-2", &[("rice", 2)]));
    let answers = by_order(&mut spec, cancelled("O-1"));
    let expected = ReservationReleased {
        order_id: "O-1".into(),
        allocations: allocations(&[("r1", "rice", 5)]),
    };
    assert_eq!(answers, [Ok(vec![expected.into()])]);
    work(&mut spec);
    assert_eq!(state_of(&spec, "O-1"), DemandState::Released);
    assert_eq!(state_of(&spec, "O-2"), DemandState::Reserved);
    assert_eq!(ledger(&spec, "r1"), [3, 2, 0, 0, 0]);
    assert_eq!(by_order(&mut spec, cancelled("O-1")), [Ok(vec![])]);
}

#[test]
fn a_queued_order_that_is_cancelled_no_longer_holds_up_others() {
    let mut spec = store(&[("r1", "rice", 5)]);
    spec.accept(demand("O-1", &[("rice", 1), ("oil", 1)]));
    spec.accept(demand("O-2", &[("rice", 1)]));
    by_order(&mut spec, cancelled("O-1"));
    work(&mut spec);
    assert_eq!(state_of(&spec, "O-2"), DemandState::Reserved);
}

#[test]
fn an_order_that_never_came_to_the_store_can_be_cancelled() {
    assert_eq!(by_order(&mut store(&[]), cancelled("O-1")), [Ok(vec![])]);
}

#[test]
fn what_left_the_store_is_not_released_but_recalled_once() {
    let mut spec = store(&[("r1", "rice", 5)]);
    spec.accept(demand("O-1", &[("rice", 1)]));
    send(&mut spec, &["O-1"]);
    let recalled = DispatchRecalled {
        order_id: "O-1".into(),
    };
    assert_eq!(
        by_order(&mut spec, cancelled("O-1")),
        [Ok(vec![recalled.into()])]
    );
    assert_eq!(state_of(&spec, "O-1"), DemandState::Dispatched);
    assert!(demand_of(&spec, "O-1").recalled);
    assert_eq!(ledger(&spec, "r1"), [4, 0, 1, 0, 0], "the goods are out");
    assert_eq!(by_order(&mut spec, cancelled("O-1")), [Ok(vec![])]);
    assert_sound(&spec);
}

#[test]
fn when_buying_is_over_the_queue_gets_what_there_is_the_oldest_first() {
    let mut spec = store(&[("r1", "rice", 5)]);
    spec.accept(demand("O-1", &[("rice", 3), ("oil", 1)]));
    spec.accept(demand("O-2", &[("rice", 3)]));
    spec.accept(demand("O-3", &[("rice", 3)]));
    let events = spec.accept(Command::CloseProcurement);
    let closed = ProcurementClosed {
        area: "632725100".into(),
        queued_orders: 3,
    };
    assert_eq!(events, [closed.into()]);
    spec.when(Command::AllocateDemand).then([
        reserved("O-1", &[("r1", "rice", 3)], &[("oil", 1)]),
        reserved("O-2", &[("r1", "rice", 2)], &[("rice", 1)]),
        rejected("O-3", OUT_OF_STOCK),
    ]);
    work(&mut spec);
    assert_eq!(state_of(&spec, "O-3"), DemandState::Rejected);
    assert_eq!(demand_of(&spec, "O-2").short, lines(&[("rice", 1)]));
    spec.when(Command::CloseProcurement).then([]);
    assert_sound(&spec);
}

#[test]
fn a_new_order_when_buying_is_over_is_answered_at_once() {
    let mut spec = store(&[("r1", "rice", 1)]);
    spec.accept(Command::CloseProcurement);
    let events = spec.accept(demand("O-1", &[("rice", 2)]));
    assert_eq!(
        events[1],
        reserved("O-1", &[("r1", "rice", 1)], &[("rice", 1)])
    );
    let events = spec.accept(demand("O-2", &[("rice", 2)]));
    assert_eq!(events[1], rejected("O-2", OUT_OF_STOCK));
}

#[test]
fn a_new_order_waits_behind_those_that_are_still_to_be_answered() {
    let mut spec = store(&[("r1", "rice", 1)]);
    spec.accept(demand("O-1", &[("rice", 2)]));
    spec.accept(Command::CloseProcurement);
    let events = spec.accept(demand("O-2", &[("rice", 1)]));
    assert_eq!(events.len(), 1, "only queued");
    work(&mut spec);
    assert_eq!(state_of(&spec, "O-1"), DemandState::Reserved);
    assert_eq!(state_of(&spec, "O-2"), DemandState::Rejected);
}

#[test]
fn when_buying_goes_on_orders_wait_again() {
    let mut spec = store(&[]);
    spec.when(Command::OpenProcurement).then([]);
    spec.accept(Command::CloseProcurement);
    let events = spec.accept(Command::OpenProcurement);
    let opened = ProcurementOpened {
        area: "632725100".into(),
    };
    assert_eq!(events, [opened.into()]);
    spec.accept(demand("O-1", &[("rice", 2)]));
    assert_eq!(state_of(&spec, "O-1"), DemandState::Queued);
}

#[test]
fn what_must_be_bought_is_what_is_waited_for_and_not_there() {
    let mut spec = store(&[("r1", "rice", 5), ("o1", "oil", 1)]);
    spec.accept(demand("O-1", &[("rice", 8), ("oil", 1)]));
    spec.accept(demand("O-2", &[("rice", 2)]));
    let area = spec.context.area.clone();
    let need = |product: &str, demanded, on_hand, to_buy, grams| Need {
        product_id: product.into(),
        demanded: Units(demanded),
        on_hand: Units(on_hand),
        to_buy: Units(to_buy),
        to_buy_weight: Grams(grams),
    };
    assert_eq!(
        spec.state.procurement_need(&area),
        [need("oil", 1, 1, 0, 0), need("rice", 10, 5, 5, 25_000)]
    );
    let length = QueueLength {
        orders: 2,
        replacements: 0,
    };
    assert_eq!(spec.state.queue_length(&area), length);
    assert_eq!(spec.state.waiting_since(&area), Some(START));
    // When that much is bought, everybody is served.
    spec.accept(lot("r2", "rice", 5));
    work(&mut spec);
    assert_eq!(spec.state.procurement_need(&area), []);
    assert_eq!(spec.state.queue_length(&area), QueueLength::default());
}

#[test]
fn stock_scattered_over_very_many_lots_is_given_in_part_and_never_holds_up_the_queue() {
    let mut spec = store(&[]);
    spec.accept(demand("O-1", &[("rice", 200)]));
    for n in 0..200 {
        spec.accept(lot(&format!("r{n}"), "rice", 1));
    }
    work(&mut spec);
    let demand = demand_of(&spec, "O-1");
    assert_eq!(demand.state, DemandState::Reserved);
    assert_eq!(demand.allocations.len(), 150);
    assert_eq!(demand.short, lines(&[("rice", 50)]));
    assert_sound(&spec);
}
