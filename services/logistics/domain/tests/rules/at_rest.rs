//! Shipments at their end are packed; nobody notices.

use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{Milestone, ReportFit, ShipmentState},
};

use crate::{
    haulage::*,
    world::{Spec, area, hours},
};

fn over(spec: &mut Spec) -> String {
    let (id, _) = assigned(spec, one_farm());
    drive(spec, &id);
    spec.accept(declare(&id, None).into());
    spec.accept(take_over(&id, (100, 0, 0)).into());
    let close = CloseShipment {
        shipment_id: id.clone(),
    };
    spec.accept(close.into());
    id
}

fn cancelled(spec: &mut Spec) -> String {
    let id = drafted(&spec.accept(draft(one_farm())));
    let cancel = CancelShipment {
        shipment_id: id.clone(),
        reason: "the hotel is closed".into(),
    };
    spec.accept(cancel.into());
    id
}

#[test]
fn a_firm_finds_them_in_its_list_beside_those_under_way() {
    let mut spec = haulage();
    let mut all = vec![
        (over(&mut spec), ShipmentState::Closed),
        (cancelled(&mut spec), ShipmentState::Cancelled),
        (
            drafted(&spec.accept(draft(one_farm()))),
            ShipmentState::Tendered,
        ),
    ];
    all.sort();
    let here = area();
    let list =
        |state: Option<ShipmentState>, after: Option<&str>| -> Vec<(String, ShipmentState)> {
            let found = spec.state.shipments_of(&here, "acme", state, after);
            found.map(|s| (s.shipment_id.clone(), s.state)).collect()
        };
    assert_eq!(list(None, None), all);
    for (n, (id, state)) in all.iter().enumerate() {
        assert_eq!(list(None, Some(id)), all[n + 1..]);
        assert_eq!(list(Some(*state), None), all[n..=n]);
    }
    assert_eq!(list(Some(ShipmentState::Lost), None), []);
    let of_all = spec.state.shipments_after(&here, None);
    assert_eq!(of_all.count(), all.len());
}

#[test]
fn what_comes_late_is_taken_in_and_known_the_second_time() {
    let mut spec = haulage();
    let id = over(&mut spec);
    let before = shipment(&spec, &id).into_owned();
    let at = minutes(40);
    let known = report(&id, "acme", "r-1", Milestone::Departed, "", minutes(30));
    spec.when(known.into()).then([]);

    let late = report(&id, "acme", "r-late", Milestone::ArrivedPickup, "a", at);
    let events = spec.accept(late.clone().into());
    let [LogisticsEvent::MilestoneReported(event)] = &*events else {
        panic!("{events:?}");
    };
    assert_eq!(event.fit(), ReportFit::Repeated);
    spec.when(late.into()).then([]);
    let mut after = shipment(&spec, &id).into_owned();
    assert!(after.reports.remove("r-late").is_some());
    after.revision = before.revision;
    assert_eq!(after, before);
}

#[test]
fn what_they_used_is_free() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let withdraw = WithdrawDriver {
        carrier_id: "acme".into(),
        driver_id: driver("acme"),
    };
    assert_eq!(refused(&mut spec, withdraw.clone()), "IN_USE");
    drive(&mut spec, &id);
    spec.accept(declare(&id, None).into());
    spec.accept(take_over(&id, (100, 0, 0)).into());
    spec.elapse(hours(24));
    assert_eq!(shipment(&spec, &id).state, ShipmentState::Closed);
    spec.accept(withdraw.into());
}
