//! Passes (S14), and that nothing is dispatched without one (INV-05).

use decider::{Domain, Invariant, Rejected};
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, IncidentKind, Milestone, PassState, ReportFit, ShipmentState},
    time::to_proto,
};

use crate::{
    haulage::*,
    world::{Spec, area, hours},
};

fn state_of(spec: &Spec, pass_id: &str) -> PassState {
    spec.state.pass(&area(), pass_id).expect("a pass").state
}

fn refused(spec: &mut Spec, command: impl Into<Command>) -> Rejection {
    spec.run(command.into()).expect_err("refused")
}

fn revoke(pass_id: &str) -> RevokePass {
    RevokePass {
        pass_id: pass_id.into(),
        reason: "forged certificate".into(),
    }
}

#[test]
fn a_pass_is_applied_for_issued_and_runs_out() {
    let mut spec = haulage();
    let pass_id = pass(&mut spec, "acme");
    assert_eq!(state_of(&spec, &pass_id), PassState::Issued);
    assert_eq!(refused(&mut spec, issue(&pass_id)).reason(), "PASS_STATE");
    spec.elapse(hours(12));
    assert_eq!(state_of(&spec, &pass_id), PassState::Expired);
    assert_eq!(refused(&mut spec, revoke(&pass_id)).reason(), "PASS_STATE");
}

#[test]
fn it_is_issued_for_no_more_than_was_applied_for() {
    let mut spec = haulage();
    spec.accept(application("acme").into());
    let events = spec.accept(application("acme").into());
    let [LogisticsEvent::PassApplied(applied)] = &events[..] else {
        panic!("{events:?}")
    };
    let wider = IssuePass {
        zones: vec!["pass-road".into()],
        ..issue(&applied.pass_id)
    };
    assert_eq!(refused(&mut spec, wider).reason(), "ZONE_NOT_APPLIED");
    let narrower = IssuePass {
        zones: vec!["town".into()],
        from: Some(hours(-5)),
        to: Some(hours(2)),
        ..issue(&applied.pass_id)
    };
    let events = spec.accept(narrower.into());
    let [LogisticsEvent::PassIssued(issued)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(issued.zones, ["town"]);
    assert_eq!(issued.from_time, Some(to_proto(hours(0))));
    assert_eq!(issued.to_time, Some(to_proto(hours(2))));
}

#[test]
fn only_a_known_vehicle_and_driver_get_one() {
    let mut spec = haulage();
    let vehicle = ApplyForPass {
        vehicle_id: vehicle("bolt"),
        ..application("acme")
    };
    assert_eq!(refused(&mut spec, vehicle).reason(), "VEHICLE_UNKNOWN");
    let driver = ApplyForPass {
        driver_id: driver("bolt"),
        ..application("acme")
    };
    assert_eq!(refused(&mut spec, driver).reason(), "DRIVER_UNKNOWN");
}

/// One case for each of time, zone, vehicle and driver, and for a pass that is
/// not issued, refused or another firm's.
#[test]
fn resources_need_a_pass_valid_for_time_zone_vehicle_and_driver() {
    let mut spec = haulage();
    let mine = pass(&mut spec, "acme");
    let others = pass(&mut spec, "bolt");
    let id = drafted(&spec.accept(draft(one_farm())));
    spec.accept(accept(&id, "acme", 1).into());
    let assign = |pass_id: &str| assign(&id, "acme", pass_id);
    assert_eq!(refused(&mut spec, assign(&others)).reason(), "PASS_UNKNOWN");

    for (change, why) in [
        (
            ApplyForPass {
                zones: vec!["town".into()],
                ..application("acme")
            },
            "not for zone valley",
        ),
        (
            ApplyForPass {
                to: hours(1),
                ..application("acme")
            },
            "it is valid from",
        ),
    ] {
        let events = spec.accept(change.into());
        let [LogisticsEvent::PassApplied(applied)] = &events[..] else {
            panic!("{events:?}")
        };
        let unissued = refused(&mut spec, assign(&applied.pass_id));
        assert!(unissued.to_string().contains("APPLIED"), "{unissued}");
        spec.accept(issue(&applied.pass_id).into());
        let refusal = refused(&mut spec, assign(&applied.pass_id));
        assert_eq!(refusal.reason(), "PASS_INVALID");
        assert!(refusal.to_string().contains(why), "{refusal}");
    }
    let second = RegisterVehicle {
        carrier_id: "acme".into(),
        vehicle_id: "v-2".into(),
        capacity: Grams(2_000_000),
    };
    spec.accept(second.into());
    let other_vehicle = AssignResources {
        vehicle_id: "v-2".into(),
        ..assign(&mine)
    };
    let refusal = refused(&mut spec, other_vehicle);
    assert!(
        refusal.to_string().contains("for vehicle v-acme"),
        "{refusal}"
    );
    let second = RegisterDriver {
        carrier_id: "acme".into(),
        driver_id: "d-2".into(),
    };
    spec.accept(second.into());
    let other_driver = AssignResources {
        driver_id: "d-2".into(),
        ..assign(&mine)
    };
    let refusal = refused(&mut spec, other_driver);
    assert!(
        refusal.to_string().contains("for driver d-acme"),
        "{refusal}"
    );
    spec.accept(assign(&mine).into());
    spec.when(assign(&mine).into()).then([]);
}

#[test]
fn a_vehicle_that_is_too_small_is_refused() {
    let mut spec = haulage();
    let pass_id = pass(&mut spec, "acme");
    let events = spec.accept(draft(load(vec![pickup("a", 2_500)])));
    // Nobody is asked by itself who has no vehicle for it.
    assert_eq!(tendered(&events), None);
    let id = drafted(&events);
    let tender = TenderShipment {
        shipment_id: id.clone(),
        carrier_id: Some("acme".into()),
    };
    spec.accept(tender.into());
    spec.accept(accept(&id, "acme", 1).into());
    let refusal = refused(&mut spec, assign(&id, "acme", &pass_id));
    assert_eq!(refusal.reason(), "VEHICLE_TOO_SMALL");
}

#[test]
fn a_revoked_pass_stops_who_has_not_left_and_is_an_incident_for_who_has() {
    let mut spec = haulage();
    let (waiting, pass_id) = assigned(&mut spec, one_farm());
    let leaving = drafted(&spec.accept(draft(one_farm())));
    spec.accept(accept(&leaving, "acme", 1).into());
    spec.accept(assign(&leaving, "acme", &pass_id).into());
    let departed = |id: &str, report_id: &str| {
        report(id, "acme", report_id, Milestone::Departed, "", minutes(0))
    };
    spec.accept(departed(&leaving, "r-1").into());
    spec.context.now = minutes(5);
    spec.accept(revoke(&pass_id).into());

    let at = |spec: &Spec, id: &str| spec.state.shipment(&area(), id).expect("known").state;
    assert_eq!(at(&spec, &waiting), ShipmentState::Accepted);
    assert_eq!(at(&spec, &leaving), ShipmentState::EnRoutePickup);
    let gone = spec.state.shipment(&area(), &leaving).expect("known");
    let incidents: Vec<_> = gone.incidents.values().map(|i| i.kind).collect();
    assert_eq!(incidents, [IncidentKind::PassInvalid]);
    assert_eq!(
        refused(&mut spec, departed(&waiting, "r-2")).reason(),
        "SHIPMENT_STATE"
    );
    assert_eq!(
        refused(&mut spec, assign(&waiting, "acme", &pass_id)).reason(),
        "PASS_INVALID"
    );
}

#[test]
fn a_departure_is_refused_once_the_pass_has_run_out() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    spec.context.now = hours(13);
    let late = report(&id, "acme", "r-1", Milestone::Departed, "", hours(13));
    assert_eq!(refused(&mut spec, late).reason(), "PASS_INVALID");
    // It left in time, and the report of it came late.
    let in_time = report(&id, "acme", "r-1", Milestone::Departed, "", hours(2));
    spec.accept(in_time.into());
    assert!(Logistics::violations(&spec.state).is_empty());
}

#[test]
fn a_history_in_which_a_vehicle_left_without_a_pass_violates_inv_05() {
    let mut spec = haulage();
    let id = drafted(&spec.accept(draft(one_farm())));
    spec.accept(accept(&id, "acme", 1).into());
    let departed = pb::MilestoneReported {
        shipment_id: id,
        carrier_id: "acme".into(),
        report_id: "r-1".into(),
        milestone: Milestone::Departed.into(),
        occurred_time: Some(to_proto(hours(0))),
        fit: ReportFit::Forward.into(),
        ..Default::default()
    };
    spec.happened(departed.into());
    let violations = Logistics::violations(&spec.state);
    let invariants: Vec<_> = violations.iter().map(|v| v.invariant).collect();
    assert_eq!(invariants, [Invariant::PassBeforeDispatch]);
}
