//! INV-15: a household's personal data is forgotten, and nothing else of it.

use decider::{Area, Domain, StreamId, spec::START};
use order_domain::{Command, Orders, Rejection};
use proto::{
    OrderEvent,
    order::v1::{
        HouseholdUpdated, OrderCollected, OrderState, PersonalDataErased, PersonalDataKeyDestroyed,
    },
    types::v1::Need,
};

use crate::given::*;

fn erase(force: bool) -> Command {
    Command::EraseHousehold {
        household_id: "H1".into(),
        reason: "MOVED_AWAY".into(),
        force,
    }
}

fn erased(open_orders: i32) -> OrderEvent {
    PersonalDataErased {
        household_id: "H1".into(),
        key_id: "household/H1".into(),
        reason: "MOVED_AWAY".into(),
        open_orders,
    }
    .into()
}

fn destroyed() -> OrderEvent {
    PersonalDataKeyDestroyed {
        household_id: "H1".into(),
        key_id: "household/H1".into(),
    }
    .into()
}

fn record_destroyed() -> Command {
    Command::RecordKeyDestroyed {
        household_id: "H1".into(),
    }
}

fn refusal() -> Rejection {
    Rejection::PersonalDataErased {
        household_id: "H1".into(),
    }
}

#[test]
fn the_key_that_the_contact_was_sealed_with_is_named() {
    OrderSpec::given([household("H1")])
        .when(erase(false))
        .then([erased(0)]);
}

#[test]
fn it_is_pending_until_the_key_is_destroyed() {
    let mut spec = OrderSpec::given([household("H1")]);
    assert_eq!(spec.state.pending_erasures_count(), 0);
    spec.accept(erase(false));
    let pending: Vec<_> = spec.state.pending_erasures().cloned().collect();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].household_id.as_str(), "H1");
    assert_eq!(pending[0].key_id, "household/H1");
    let describe = |spec: &OrderSpec| {
        Orders::describe(&spec.state, &StreamId::new("household", "H1")).expect("known")
    };
    assert!(describe(&spec).contains("key not yet destroyed"));

    spec.when(record_destroyed()).then([destroyed()]);
    spec.accept(record_destroyed());
    assert_eq!(spec.state.pending_erasures_count(), 0);
    assert!(describe(&spec).contains("personal data erased"));
    assert_eq!(spec.state.erased_keys(), ["household/H1"]);
    spec.when(record_destroyed()).then([]);
}

#[test]
fn again_it_changes_nothing() {
    for events in [vec![erased(0)], vec![erased(0), destroyed()]] {
        let events = [household("H1")].into_iter().chain(events);
        OrderSpec::given(events).when(erase(true)).then([]);
    }
}

#[test]
fn an_unknown_household_or_one_of_another_area_is_not_erased() {
    let unknown = |area: &Area| Rejection::HouseholdUnknown {
        household_id: "H1".into(),
        area: area.clone(),
    };
    OrderSpec::given([household("H2")])
        .when(erase(true))
        .then_rejected(unknown(&area()));
    let mut spec = OrderSpec::given([household("H1")]);
    spec.context.area = Area::new("632725101").expect("nine digits");
    let elsewhere = spec.context.area.clone();
    spec.when(erase(true)).then_rejected(unknown(&elsewhere));
    spec.when(record_destroyed())
        .then_rejected(unknown(&elsewhere));
}

#[test]
fn a_key_is_not_reported_gone_that_was_not_to_go() {
    OrderSpec::given([household("H1")])
        .when(record_destroyed())
        .then_rejected(Rejection::NotErased {
            household_id: "H1".into(),
        });
}

#[test]
fn goods_under_way_are_delivered_first_unless_forced() {
    let spec = with_order();
    spec.when(erase(false))
        .then_rejected(Rejection::GoodsUnderWay {
            household_id: "H1".into(),
            order_id: "o1".into(),
            state: OrderState::Released,
            orders: 1,
        });
    spec.when(erase(true)).then([erased(1)]);
}

#[test]
fn goods_at_the_door_are_under_way_until_they_are_taken_in() {
    let mut spec = with_order();
    hear(
        &mut spec,
        [
            reserved("o1", vec![]),
            run_started(&["o1"]),
            door_left("o1"),
        ],
    );
    let refused = spec.run(erase(false)).expect_err("at the door");
    assert!(
        matches!(refused, Rejection::GoodsUnderWay { state, .. } if state == OrderState::Delivered),
        "{refused}"
    );
    hear(&mut spec, [collected("o1")]);
    spec.when(erase(false)).then([erased(0)]);
}

#[test]
fn what_has_ended_does_not_hinder() {
    let collected = OrderCollected {
        order_id: "o1".into(),
        evidence: "receipt".into(),
    };
    let events = [household("H1"), placed("o1", "H1").into(), collected.into()];
    OrderSpec::given(events)
        .when(erase(false))
        .then([erased(0)]);
}

#[test]
fn no_contact_is_taken_after_it_and_the_id_is_used_up() {
    let spec = OrderSpec::given([household("H1"), erased(0)]);
    spec.when(Command::RegisterHousehold(register("H1")))
        .then_rejected(refusal());
    spec.when(Command::UpdateHousehold {
        household_id: "H1".into(),
        contact: Some(sealed("again")),
        needs: None,
    })
    .then_rejected(refusal());
}

#[test]
fn the_people_behind_the_door_go_on_being_supplied() {
    let spec = OrderSpec::given([household("H1"), erased(0), destroyed()]);
    let id = spec.context.new_id(0);
    let expected = proto::order::v1::OrderPlaced {
        channel: proto::order::v1::Channel::Phone.into(),
        ..placed(&id, "H1")
    };
    spec.when(Command::PlaceOrder(place("H1", rice())))
        .then([expected.into(), released(&id, "H1")]);
    let needs = HouseholdUpdated {
        household_id: "H1".into(),
        contact: None,
        needs: vec![Need::NoSmartphone.into()],
        needs_changed: true,
    };
    spec.when(Command::UpdateHousehold {
        household_id: "H1".into(),
        contact: None,
        needs: Some(vec![Need::NoSmartphone]),
    })
    .then([needs.into()]);
}

#[test]
fn the_state_holds_no_contact_after_it_whatever_the_log_says() {
    let late = HouseholdUpdated {
        household_id: "H1".into(),
        contact: Some(sealed("late")),
        needs: vec![],
        needs_changed: false,
    };
    let spec = OrderSpec::given([
        household("H1"),
        erased(0),
        late.into(),
        erased(0),
        destroyed(),
        destroyed(),
    ]);
    let household = spec.state.household(&area(), "H1").expect("known");
    assert_eq!(household.contact, None);
    let erased = household.erased.as_ref().expect("erased");
    assert_eq!((erased.at, erased.reason.as_str()), (START, "MOVED_AWAY"));
    assert_eq!(spec.state.pending_erasures_count(), 0);
    assert_eq!(spec.state.living_keys(), [""; 0]);
}

#[test]
fn an_erasure_of_nobody_changes_nothing() {
    let spec = OrderSpec::given([erased(0), destroyed()]);
    assert_eq!(spec.state.pending_erasures_count(), 0);
    assert!(spec.state.household(&area(), "H1").is_none());
}
