//! S01.

use decider::{Domain, StreamId};
use order_domain::{Command, Orders, Rejection};
use proto::{
    OrderEvent,
    order::v1::{ContingencyActivated, ContingencyEnded},
};

use crate::given::*;

fn activate() -> Command {
    Command::ActivateContingency {
        reason: "static management".into(),
    }
}

#[test]
fn an_area_activates_a_contingency() {
    let spec = OrderSpec::given([]);
    let contingency_id = spec.context.new_id(0);
    spec.when(activate()).then([ContingencyActivated {
        area: "632725100".into(),
        contingency_id,
        reason: "static management".into(),
    }
    .into()]);
}

#[test]
fn an_active_one_is_not_activated_again() {
    OrderSpec::given([contingency()])
        .when(activate())
        .then_rejected(Rejection::ContingencyAlreadyActive {
            area: area(),
            contingency_id: "K1".into(),
        });
}

#[test]
fn it_is_ended_and_can_be_followed_by_another() {
    let mut spec = OrderSpec::given([contingency()]);
    let ended: OrderEvent = ContingencyEnded {
        area: "632725100".into(),
        contingency_id: "K1".into(),
    }
    .into();
    assert_eq!(spec.accept(Command::EndContingency), [ended]);
    let shown = spec.state.contingency(&area()).expect("known");
    assert!(!shown.is_active());
    assert_eq!(shown.revision.0, 2);

    spec.accept(activate());
    let shown = spec.state.contingency(&area()).expect("known");
    assert!(shown.is_active());
    assert_ne!(shown.contingency_id, "K1");
}

#[test]
fn ending_what_is_not_active_is_already_so() {
    OrderSpec::given([]).when(Command::EndContingency).then([]);
}

#[test]
fn an_area_has_its_own() {
    let mut spec = OrderSpec::given([contingency()]);
    spec.context.area = decider::Area::new("632725101").expect("nine digits");
    assert!(spec.when(activate()).result.is_ok());
}

#[test]
fn audits_read_one_line() {
    let spec = OrderSpec::given([contingency()]);
    assert_eq!(
        Orders::describe(&spec.state, &StreamId::new("area", "632725100")).as_deref(),
        Some("contingency K1 active since 2022-09-02T00:00:00Z")
    );
}
