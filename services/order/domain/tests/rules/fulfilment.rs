//! How other services carry an order forward.

use decider::{Domain, Invariant};
use order_domain::{Command, Orders, Rejection};
use proto::{
    OrderEvent,
    logistics::v1::ExceptionCode,
    order::v1::{
        OrderCollected, OrderConfirmed, OrderDelivered, OrderFailed, OrderOutForDelivery,
        OrderPartiallyConfirmed, OrderReady, OrderRejected, OrderReturned, OrderState,
    },
    time::to_proto,
};

use crate::given::*;

fn o1() -> String {
    "o1".into()
}

fn confirmed() -> OrderEvent {
    OrderConfirmed { order_id: o1() }.into()
}

fn ready() -> OrderEvent {
    OrderReady { order_id: o1() }.into()
}

fn out() -> OrderEvent {
    OrderOutForDelivery {
        order_id: o1(),
        run_id: "r1".into(),
        member_id: "m1".into(),
    }
    .into()
}

fn partially(short: Vec<proto::types::v1::Line>) -> OrderEvent {
    OrderPartiallyConfirmed {
        order_id: o1(),
        short,
        household_id: "H1".into(),
    }
    .into()
}

fn state(spec: &OrderSpec) -> OrderState {
    spec.state.order(&area(), "o1").expect("known").state
}

fn refused(state: OrderState, fact: &'static str) -> Rejection {
    Rejection::OutOfSequence {
        order_id: "o1".into(),
        state,
        fact,
    }
}

#[test]
fn the_way_of_an_order() {
    let mut spec = with_order().at(hours(5));
    let way = [
        (reserved("o1", vec![]), confirmed(), OrderState::Confirmed),
        (disinfected("o1"), ready(), OrderState::Ready),
        (run_started(&["o1"]), out(), OrderState::OutForDelivery),
        (
            door_left("o1"),
            OrderDelivered {
                order_id: o1(),
                delivered_time: Some(to_proto(hours(5))),
            }
            .into(),
            OrderState::Delivered,
        ),
        (
            collected("o1"),
            OrderCollected {
                order_id: o1(),
                evidence: "call".into(),
            }
            .into(),
            OrderState::Collected,
        ),
    ];
    for (fact, event, then) in way {
        assert_eq!(hear(&mut spec, [fact]), [event]);
        assert_eq!(state(&spec), then);
    }
    let order = spec.state.order(&area(), "o1").expect("known");
    assert_eq!(order.delivered, Some(hours(5)));
    assert_eq!(order.revision.0, 7);
    assert!(Orders::violations(&spec.state).is_empty());
}

#[test]
fn what_is_short_makes_the_confirmation_partial() {
    let mut spec = with_order();
    let short = vec![line("rice", 1)];
    assert_eq!(
        hear(&mut spec, [reserved("o1", short.clone())]),
        [partially(short.clone())]
    );
    assert_eq!(state(&spec), OrderState::PartiallyConfirmed);
    assert_eq!(spec.state.order(&area(), "o1").expect("known").short, short);
}

#[test]
fn what_cannot_be_had_is_rejected() {
    let mut spec = with_order();
    let expected: OrderEvent = OrderRejected {
        order_id: o1(),
        reason: "OUT_OF_STOCK".into(),
        household_id: "H1".into(),
    }
    .into();
    assert_eq!(hear(&mut spec, [demand_rejected("o1")]), [expected]);
    assert_eq!(hear(&mut spec, [demand_rejected("o1")]), []);
    let order = spec.state.order(&area(), "o1").expect("known");
    assert_eq!(order.reason, "OUT_OF_STOCK");
}

#[test]
fn a_run_takes_all_its_orders() {
    let mut spec = OrderSpec::given([
        household("H1"),
        placed("o1", "H1").into(),
        released("o1", "H1"),
        placed("o2", "H1").into(),
        released("o2", "H1"),
    ]);
    let facts = ["o1", "o2"].map(|id| [reserved(id, vec![]), disinfected(id)]);
    hear(&mut spec, facts.into_iter().flatten());
    assert_eq!(hear(&mut spec, [run_started(&["o1", "o2"])]).len(), 2);
}

#[test]
fn a_failed_attempt_is_followed_by_another_or_by_the_return() {
    let mut spec = with_order();
    hear(
        &mut spec,
        [
            reserved("o1", vec![]),
            disinfected("o1"),
            run_started(&["o1"]),
        ],
    );
    let expected: OrderEvent = OrderFailed {
        order_id: o1(),
        reason: "unreachable".into(),
        household_id: "H1".into(),
    }
    .into();
    let failing = attempt_failed("o1", ExceptionCode::Unreachable);
    assert_eq!(hear(&mut spec, [failing.clone()]), [expected]);
    assert_eq!(
        spec.state.order(&area(), "o1").expect("known").reason,
        "unreachable"
    );
    assert_eq!(hear(&mut spec, [rescheduled("o1")]), [ready()]);
    assert_eq!(spec.state.order(&area(), "o1").expect("known").reason, "");

    hear(&mut spec, [run_started(&["o1"]), failing]);
    let expected: OrderEvent = OrderReturned {
        order_id: o1(),
        reason: "refused".into(),
    }
    .into();
    let returned = parcel_returned("o1", ExceptionCode::Refused);
    assert_eq!(hear(&mut spec, [returned.clone()]), [expected]);
    assert_eq!(hear(&mut spec, [returned]), []);
}

#[test]
fn a_parcel_of_which_nothing_is_left_is_returned_before_it_is_ready() {
    let mut spec = with_order();
    let facts = [
        reserved("o1", vec![]),
        parcel_returned("o1", ExceptionCode::Damaged),
    ];
    hear(&mut spec, facts);
    assert_eq!(state(&spec), OrderState::Returned);
}

#[test]
fn logistics_heard_first_confirms_the_order() {
    let mut spec = with_order();
    assert_eq!(hear(&mut spec, [disinfected("o1")]), [confirmed(), ready()]);
    hear(&mut spec, [run_started(&["o1"]), door_left("o1")]);
    // Inventory's word comes late and changes nothing.
    assert_eq!(hear(&mut spec, [reserved("o1", vec![])]), []);
    assert_eq!(state(&spec), OrderState::Delivered);
    assert!(Orders::violations(&spec.state).is_empty());
}

#[test]
fn what_is_short_is_told_also_late() {
    let mut spec = with_order();
    hear(&mut spec, [disinfected("o1"), run_started(&["o1"])]);
    let short = vec![line("rice", 1)];
    let late = reserved("o1", short.clone());
    assert_eq!(hear(&mut spec, [late.clone()]), [partially(short.clone())]);
    assert_eq!(state(&spec), OrderState::OutForDelivery);
    assert_eq!(spec.state.order(&area(), "o1").expect("known").short, short);
    assert_eq!(hear(&mut spec, [late]), []);
}

#[test]
fn a_cancellation_that_comes_too_late_is_overtaken_by_the_run() {
    let mut spec = with_order();
    hear(&mut spec, [reserved("o1", vec![]), disinfected("o1")]);
    spec.accept(Command::CancelOrder {
        order_id: "o1".into(),
        note: String::new(),
    });
    assert_eq!(hear(&mut spec, [run_started(&["o1"])]), [out()]);
    hear(&mut spec, [door_left("o1"), collected("o1")]);
    assert_eq!(state(&spec), OrderState::Collected);
    assert!(Orders::violations(&spec.state).is_empty());
}

#[test]
fn so_is_one_whose_confirmation_was_never_heard() {
    let mut spec = with_order();
    spec.accept(Command::CancelOrder {
        order_id: "o1".into(),
        note: String::new(),
    });
    let no = hear_refused(&mut spec, reserved("o1", vec![]));
    assert_eq!(
        no,
        refused(OrderState::Cancelled, "its goods were reserved")
    );
    assert_eq!(
        hear(&mut spec, [run_started(&["o1"]), door_left("o1")])[..2],
        [confirmed(), out()]
    );
    assert!(Orders::violations(&spec.state).is_empty());
}

#[test]
fn an_order_that_was_never_released_does_not_leave() {
    let mut spec = with_joined(1);
    spec.accept(Command::CancelOrder {
        order_id: "o00".into(),
        note: String::new(),
    });
    let no = hear_refused(&mut spec, run_started(&["o00"]));
    assert!(matches!(no, Rejection::OutOfSequence { .. }));
}

#[test]
fn nothing_is_delivered_twice() {
    let mut spec = with_order();
    hear(
        &mut spec,
        [
            reserved("o1", vec![]),
            disinfected("o1"),
            run_started(&["o1"]),
            door_left("o1"),
        ],
    );
    let no = hear_refused(&mut spec, door_left("o1"));
    assert_eq!(
        no.to_string(),
        "order o1 is DELIVERED, to which it does not fit that it was left at the door: \
         compare the order's history with the sender's"
    );
    hear(&mut spec, [collected("o1")]);
    assert_eq!(hear(&mut spec, [collected("o1")]), []);
}

#[test]
fn facts_that_do_not_fit_are_refused() {
    use OrderState as S;
    let reason = ExceptionCode::Unreachable;
    let refusals = [
        (door_left("o1"), "it was left at the door"),
        (collected("o1"), "it was collected"),
        (attempt_failed("o1", reason), "its delivery failed"),
        (rescheduled("o1"), "its delivery was rescheduled"),
    ];
    for (fact, said) in refusals {
        let mut spec = with_order();
        assert_eq!(hear_refused(&mut spec, fact), refused(S::Released, said));
    }
}

#[test]
fn an_order_that_is_not_known_is_refused() {
    let mut spec = OrderSpec::given([]);
    let no = hear_refused(&mut spec, reserved("o1", vec![]));
    assert_eq!(
        no,
        Rejection::OrderUnknown {
            order_id: "o1".into(),
            area: area(),
        }
    );
}

#[test]
fn a_log_that_was_tampered_with_is_caught() {
    let delivered = || {
        OrderEvent::from(OrderDelivered {
            order_id: o1(),
            delivered_time: None,
        })
    };
    let found = |events: Vec<OrderEvent>| {
        let mut all = vec![household("H1")];
        all.extend(events);
        let spec = OrderSpec::given(all);
        Orders::violations(&spec.state)
            .into_iter()
            .map(|v| (v.invariant, v.entity, v.detail))
            .collect::<Vec<_>>()
    };
    let breach = |detail: &str| {
        vec![(
            Invariant::DeliveredOnceAndConfirmed,
            "order/o1".to_owned(),
            detail.to_owned(),
        )]
    };
    assert_eq!(
        found(vec![delivered()]),
        breach("delivered, but never placed")
    );
    let order = || vec![placed("o1", "H1").into(), released("o1", "H1")];
    assert_eq!(
        found([order(), vec![delivered()]].concat()),
        breach("delivered, but never confirmed")
    );
    assert_eq!(
        found([order(), vec![confirmed(), delivered(), delivered()]].concat()),
        breach("delivered 2 times")
    );
}

#[test]
fn an_order_for_nobody_is_caught() {
    let spec = OrderSpec::given([placed("o1", "H9").into()]);
    let found = Orders::violations(&spec.state);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].invariant, Invariant::ServedOrListed);
}

#[test]
fn a_failed_group_buy_says_so() {
    let mut spec = with_joined(1);
    spec.accept(Command::CloseGroupBuy {
        group_buy_id: "g1".into(),
    });
    spec.elapse(hours(0));
    let order = spec.state.order(&area(), "o00").expect("known");
    assert_eq!(order.reason, "GROUP_BUY_FAILED");
}
