//! S03.

use decider::{
    Domain, EventSet,
    spec::{START, Spec},
};
use order_domain::{Command, Orders, Rejection, SETTLE_ORDERS_MAX};
use proto::{
    OrderEvent,
    order::v1::{
        CancelReason, Channel, CloseReason, GroupBuyOpened, GroupBuyState, OrderPlaced, OrderState,
    },
    time::to_proto,
};

use crate::given::*;

fn close() -> Command {
    Command::CloseGroupBuy {
        group_buy_id: "g1".into(),
    }
}

fn states(spec: &OrderSpec) -> Vec<OrderState> {
    spec.state
        .orders(&area(), order_domain::OrderFilter::default(), None)
        .map(|order| order.state)
        .collect()
}

#[test]
fn an_organizer_opens_one() {
    let spec = OrderSpec::given([]);
    let group_buy_id = spec.context.new_id(0);
    spec.when(Command::OpenGroupBuy(open()))
        .then([GroupBuyOpened {
            group_buy_id,
            ..group_buy()
        }
        .into()]);
}

#[test]
fn a_window_ends_after_it_begins_and_after_now() {
    let refusal = |opens, closes| Rejection::GroupBuyWindowInvalid {
        opens,
        closes,
        now: START,
    };
    let spec = OrderSpec::given([]);
    for (opens, closes) in [(START, START), (hours(3), hours(2)), (hours(-3), hours(-1))] {
        let mut asked = open();
        (asked.opens, asked.closes) = (Some(opens), closes);
        spec.when(Command::OpenGroupBuy(asked))
            .then_rejected(refusal(opens, closes));
    }
}

#[test]
fn a_cap_is_not_below_the_minimum() {
    let mut asked = open();
    asked.cap_households = Some(9);
    OrderSpec::given([])
        .when(Command::OpenGroupBuy(asked))
        .then_rejected(Rejection::CapBelowMinimum {
            cap_households: 9,
            minimum_households: 10,
        });
}

#[test]
fn a_household_joins_by_placing_an_order() {
    let mut spec = Spec::<Orders>::given([household("H1"), group_buy().into()]);
    let events = spec.accept(join("H1", rice()));
    let [OrderEvent::OrderPlaced(placed)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(placed.channel(), Channel::GroupBuy);
    assert_eq!(placed.group_buy_id, "g1");
    let shown = spec.state.group_buy(&area(), "g1").expect("known");
    assert_eq!((shown.households(), shown.missing_households()), (1, 7));
}

#[test]
fn an_unknown_group_buy_is_not_joined() {
    OrderSpec::given([household("H1")])
        .when(join("H1", rice()))
        .then_rejected(Rejection::GroupBuyUnknown {
            group_buy_id: "g1".into(),
            area: area(),
        });
}

#[test]
fn nobody_joins_before_the_window() {
    let opened = GroupBuyOpened {
        opens_time: Some(to_proto(hours(1))),
        ..group_buy()
    };
    OrderSpec::given([household("H1"), opened.into()])
        .when(join("H1", rice()))
        .then_rejected(Rejection::GroupBuyNotYetOpen {
            group_buy_id: "g1".into(),
            opens: hours(1),
        });
}

#[test]
fn nobody_joins_after_the_window_even_before_its_timer() {
    OrderSpec::given([household("H1"), group_buy().into()])
        .at(hours(2))
        .when(join("H1", rice()))
        .then_rejected(Rejection::GroupBuyClosed {
            group_buy_id: "g1".into(),
            state: GroupBuyState::Open,
            closed: hours(2),
        });
}

#[test]
fn nobody_joins_what_is_closed() {
    OrderSpec::given([
        household("H1"),
        group_buy().into(),
        failed(0, 8, CloseReason::Organizer),
    ])
    .when(join("H1", rice()))
    .then_rejected(Rejection::GroupBuyClosed {
        group_buy_id: "g1".into(),
        state: GroupBuyState::Failed,
        closed: START,
    });
}

#[test]
fn only_households_of_the_zone_join() {
    let zoned = GroupBuyOpened {
        grid: "G02".into(),
        ..group_buy()
    };
    let spec = OrderSpec::given([
        household_in("G01", "H1"),
        household_in("G02", "H2"),
        zoned.into(),
    ]);
    assert!(spec.when(join("H2", rice())).result.is_ok());
    spec.when(join("H1", rice()))
        .then_rejected(Rejection::OutsideZone {
            household_id: "H1".into(),
            group_buy_id: "g1".into(),
            community: "zhichaka".into(),
            grid: "G02".into(),
        });
}

#[test]
fn a_household_takes_part_once() {
    with_joined(1)
        .when(join("H0", rice()))
        .then_rejected(Rejection::AlreadyJoined {
            household_id: "H0".into(),
            group_buy_id: "g1".into(),
            order_id: "o00".into(),
        });
}

#[test]
fn whoever_cancels_while_it_is_open_may_join_again() {
    let mut spec = with_joined(1);
    spec.accept(Command::CancelOrder {
        order_id: "o00".into(),
        note: String::new(),
    });
    let households = |spec: &OrderSpec| {
        let shown = spec.state.group_buy(&area(), "g1").expect("known");
        shown.households()
    };
    assert_eq!(households(&spec), 0);
    spec.accept(join("H0", rice()));
    assert_eq!(households(&spec), 1);
}

#[test]
fn only_what_is_offered_can_be_ordered() {
    OrderSpec::given([household("H1"), group_buy().into()])
        .when(join("H1", vec![line("rice", 1), line("wine", 1)]))
        .then_rejected(Rejection::ProductNotOffered {
            product_id: "wine".into(),
            group_buy_id: "g1".into(),
        });
}

#[test]
fn the_limit_for_one_household_holds() {
    let spec = OrderSpec::given([household("H1"), group_buy().into()]);
    assert!(spec.when(join("H1", vec![line("rice", 2)])).result.is_ok());
    assert!(spec.when(join("H1", vec![line("oil", 900)])).result.is_ok());
    let refusal = |quantity_units| Rejection::LimitExceeded {
        product_id: "rice".into(),
        group_buy_id: "g1".into(),
        quantity_units,
        limit_units: 2,
    };
    spec.when(join("H1", vec![line("rice", 3)]))
        .then_rejected(refusal(3));
    // Also where it is split over lines, or beyond counting.
    spec.when(join("H1", vec![line("rice", 1), line("rice", 2)]))
        .then_rejected(refusal(3));
    spec.when(join("H1", vec![line("rice", i64::MAX), line("rice", 9)]))
        .then_rejected(refusal(i64::MAX));
}

#[test]
fn the_order_that_reaches_the_cap_closes_it() {
    let opened = GroupBuyOpened {
        minimum_households: 2,
        cap_households: 2,
        ..group_buy()
    };
    let mut spec = Spec::<Orders>::given([
        household("H1"),
        household("H2"),
        household("H3"),
        opened.into(),
        joined("o1", "H1"),
    ]);
    let events = spec.accept(join("H2", rice()));
    assert_eq!(events.len(), 2);
    assert!(matches!(
        &events[0],
        OrderEvent::OrderPlaced(OrderPlaced { .. })
    ));
    assert_eq!(events[1], succeeded(2, CloseReason::Cap));
    assert!(spec.when(join("H3", rice())).result.is_err());
    // Its orders follow at once, without waiting for the end of the window.
    assert_eq!(spec.elapse(START), 1);
    assert_eq!(states(&spec), [OrderState::Released; 2]);
}

#[test]
fn the_end_of_the_window_closes_it() {
    let mut spec = with_joined(10);
    assert_eq!(Orders::next_due(&spec.state), Some(hours(2)));
    assert_eq!(spec.elapse(hours(1)), 0);
    spec.elapse(hours(2));
    let shown = spec.state.group_buy(&area(), "g1").expect("known");
    assert_eq!(shown.state, GroupBuyState::Succeeded);
    assert_eq!(shown.closed, Some(hours(2)));
    assert_eq!(shown.households(), 10);
    assert_eq!(states(&spec), [OrderState::Released; 10]);
    assert_eq!(Orders::next_due(&spec.state), None);
}

#[test]
fn the_tolerance_counts() {
    for (households, outcome) in [
        (8, succeeded(8, CloseReason::Time)),
        (7, failed(7, 1, CloseReason::Time)),
    ] {
        with_joined(households)
            .at(hours(2))
            .when(Command::CloseGroupBuyByTime {
                group_buy_id: "g1".into(),
            })
            .then([outcome]);
    }
}

#[test]
fn the_tolerance_is_rounded_down() {
    // 15 % of 10 is 1.5: one may be missing, not two.
    let opened = GroupBuyOpened {
        tolerance_percent: 15,
        ..group_buy()
    };
    let spec = OrderSpec::given([opened.into()]);
    let shown = spec.state.group_buy(&area(), "g1").expect("known");
    assert_eq!(shown.missing_households(), 9);
}

#[test]
fn a_timer_that_comes_too_early_does_nothing() {
    with_joined(8)
        .when(Command::CloseGroupBuyByTime {
            group_buy_id: "g1".into(),
        })
        .then([]);
}

#[test]
fn its_organizer_closes_it_early() {
    with_joined(8)
        .when(close())
        .then([succeeded(8, CloseReason::Organizer)]);
    with_joined(3)
        .when(close())
        .then([failed(3, 5, CloseReason::Organizer)]);
}

#[test]
fn closing_it_again_is_already_so() {
    let mut spec = with_joined(8);
    spec.accept(close());
    spec.when(close()).then([]);
    OrderSpec::given([])
        .when(close())
        .then_rejected(Rejection::GroupBuyUnknown {
            group_buy_id: "g1".into(),
            area: area(),
        });
}

#[test]
fn a_failed_one_cancels_its_orders() {
    let mut spec = with_joined(3);
    spec.accept(close());
    spec.when(Command::SettleGroupBuy {
        group_buy_id: "g1".into(),
    })
    .then((0..3).map(|n| {
        let (order, household) = (format!("o{n:02}"), format!("H{n}"));
        cancelled(&order, &household, CancelReason::GroupBuyFailed)
    }));
    spec.elapse(START);
    assert_eq!(states(&spec), [OrderState::Cancelled; 3]);
    // Who took part is still told after its orders are cancelled.
    let shown = spec.state.group_buy(&area(), "g1").expect("known");
    assert_eq!((shown.households(), shown.missing_households()), (3, 5));
}

#[test]
fn orders_are_settled_in_portions() {
    let mut spec = with_joined(70);
    spec.accept(close());
    let settle = Command::SettleGroupBuy {
        group_buy_id: "g1".into(),
    };
    let portions: Vec<usize> = (0..4).map(|_| spec.accept(settle.clone()).len()).collect();
    assert_eq!(portions, [SETTLE_ORDERS_MAX, SETTLE_ORDERS_MAX, 6, 0]);
    assert_eq!(Orders::next_due(&spec.state), None);
}

#[test]
fn a_portion_of_long_orders_stays_small() {
    let lines: Vec<_> = (0..50).map(|n| line(&format!("{n:064}"), 1000)).collect();
    let orders = (0..40).map(|n| {
        let OrderEvent::OrderPlaced(order) = joined(&format!("o{n:02}"), &format!("H{n}")) else {
            unreachable!("a joined order was placed");
        };
        OrderEvent::from(OrderPlaced {
            lines: lines.clone(),
            ..order
        })
    });
    let mut spec = OrderSpec::given([OrderEvent::from(group_buy())].into_iter().chain(orders));
    spec.accept(close());
    let events = spec.accept(Command::SettleGroupBuy {
        group_buy_id: "g1".into(),
    });
    let bytes: usize = events.iter().map(|event| event.encode().len()).sum();
    assert!(!events.is_empty() && bytes < 48 * 1024, "{bytes}");
    spec.elapse(START);
    assert_eq!(states(&spec), [OrderState::Released; 40]);
}

#[test]
fn a_release_names_the_cadre_of_that_moment() {
    let mut spec = with_joined(8);
    spec.accept(Command::HandOverHouseholds {
        from_cadre_id: "C1".into(),
        to_cadre_id: "C2".into(),
        household_ids: vec!["H0".into()],
        reason: "absent".into(),
    });
    spec.accept(close());
    let events = spec.accept(Command::SettleGroupBuy {
        group_buy_id: "g1".into(),
    });
    let OrderEvent::OrderReleased(first) = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!((&*first.household_id, &*first.cadre_id), ("H0", "C2"));
}

#[test]
fn an_order_cancelled_before_it_is_settled_is_left_out() {
    let mut spec = with_joined(8);
    spec.accept(close());
    spec.accept(Command::CancelOrder {
        order_id: "o00".into(),
        note: String::new(),
    });
    spec.elapse(START);
    let states = states(&spec);
    assert_eq!(states[0], OrderState::Cancelled);
    assert_eq!(states[1..], [OrderState::Released; 7]);
}
