//! S05: placing and cancelling.

use decider::{Actor, Area, Role};
use order_domain::{Command, Intake, PlaceOrder, Rejection};
use proto::order::v1::{CancelReason, Channel, OrderCancelled, OrderPlaced, OrderState};

use crate::given::*;

fn cancel() -> Command {
    Command::CancelOrder {
        order_id: "o1".into(),
        note: String::new(),
    }
}

#[test]
fn an_order_by_phone_door_or_chat_is_released_at_once() {
    for (intake, channel) in [
        (Intake::Phone, Channel::Phone),
        (Intake::Door, Channel::Door),
        (Intake::Chat, Channel::Chat),
    ] {
        let spec = OrderSpec::given([household("H1")]);
        let id = spec.context.new_id(0);
        let asked = PlaceOrder {
            intake,
            ..place("H1", rice())
        };
        let expected = OrderPlaced {
            channel: channel.into(),
            ..placed(&id, "H1")
        };
        spec.when(Command::PlaceOrder(asked))
            .then([expected.into(), released(&id, "H1")]);
    }
}

#[test]
fn an_unknown_household_orders_nothing() {
    OrderSpec::given([])
        .when(Command::PlaceOrder(place("H1", rice())))
        .then_rejected(Rejection::HouseholdUnknown {
            household_id: "H1".into(),
            area: area(),
        });
}

#[test]
fn what_belongs_to_another_area_is_not_known() {
    let other = Area::new("632725101").expect("nine digits");
    let mut spec = with_order();
    spec.context.area = other.clone();
    spec.when(Command::PlaceOrder(place("H1", rice())))
        .then_rejected(Rejection::HouseholdUnknown {
            household_id: "H1".into(),
            area: other.clone(),
        });
    spec.when(cancel()).then_rejected(Rejection::OrderUnknown {
        order_id: "o1".into(),
        area: other.clone(),
    });
    assert!(spec.state.order(&other, "o1").is_none());
    assert!(spec.state.household(&other, "H1").is_none());
}

#[test]
fn an_order_has_its_times_and_revision() {
    let mut spec = with_order().at(hours(1));
    hear(&mut spec, [reserved("o1", vec![])]);
    let order = spec.state.order(&area(), "o1").expect("known");
    assert_eq!(order.placed, hours(0));
    assert_eq!(order.updated, hours(1));
    assert_eq!(order.revision.0, 3);
    assert_eq!(order.placed_by, "C1");
}

#[test]
fn who_cancels_says_why() {
    let proxy = Actor {
        on_behalf_of: "H1".into(),
        ..Actor::new(Role::Cadre, "C1")
    };
    for (actor, reason) in [
        (Actor::new(Role::Resident, "H1"), CancelReason::Customer),
        (proxy, CancelReason::Customer),
        (Actor::new(Role::Operator, "op"), CancelReason::Operator),
    ] {
        with_order()
            .by(actor)
            .when(cancel())
            .then([cancelled("o1", "H1", reason)]);
    }
}

#[test]
fn the_note_is_kept() {
    with_order()
        .when(Command::CancelOrder {
            order_id: "o1".into(),
            note: "moved to hospital".into(),
        })
        .then([OrderCancelled {
            order_id: "o1".into(),
            reason: CancelReason::Operator.into(),
            note: "moved to hospital".into(),
            household_id: "H1".into(),
        }
        .into()]);
}

#[test]
fn an_order_can_be_cancelled_until_it_is_out_for_delivery() {
    let way = [
        reserved("o1", vec![]),
        disinfected("o1"),
        run_started(&["o1"]),
        door_left("o1"),
        collected("o1"),
    ];
    for heard in 0..=way.len() {
        let mut spec = with_order();
        hear(&mut spec, way[..heard].iter().cloned());
        let result = spec.when(cancel());
        if heard < 3 {
            result.then([cancelled("o1", "H1", CancelReason::Operator)]);
        } else {
            let state = spec.state.order(&area(), "o1").expect("known").state;
            result.then_rejected(Rejection::TooLateToCancel {
                order_id: "o1".into(),
                state,
            });
        }
    }
}

#[test]
fn a_group_buy_order_can_be_cancelled_while_it_is_placed() {
    with_joined(1)
        .when(Command::CancelOrder {
            order_id: "o00".into(),
            note: String::new(),
        })
        .then([cancelled("o00", "H0", CancelReason::Operator)]);
}

#[test]
fn cancelling_again_is_already_so() {
    let mut spec = with_order();
    spec.accept(cancel());
    spec.when(cancel()).then([]);
}

#[test]
fn what_came_to_nothing_is_not_cancelled() {
    let mut spec = with_order();
    hear(&mut spec, [demand_rejected("o1")]);
    spec.when(cancel())
        .then_rejected(Rejection::TooLateToCancel {
            order_id: "o1".into(),
            state: OrderState::Rejected,
        });
}
