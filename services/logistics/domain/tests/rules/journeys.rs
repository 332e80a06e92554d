//! From acceptance to the hand-over: reports in any order, incidents, failed
//! pickups, custody and returns (S13, S16).

use decider::Domain;
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{LineCount, Milestone, ReportFit, ShipmentState},
};

use crate::{
    haulage::*,
    world::{area, hours},
};

fn fit(events: &[LogisticsEvent]) -> ReportFit {
    match &events[0] {
        LogisticsEvent::MilestoneReported(event) => event.fit(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_load_is_driven_handed_over_and_closed() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    drive(&mut spec, &id);
    assert_eq!(
        shipment(&spec, &id).state,
        ShipmentState::ArrivedDestination
    );
    assert_eq!(
        refused(&mut spec, take_over(&id, (100, 0, 0))),
        "SHIPMENT_STATE"
    );
    spec.accept(declare(&id, None).into());
    spec.when(declare(&id, None).into()).then([]);
    spec.accept(take_over(&id, (97, 2, 1)).into());
    spec.when(take_over(&id, (97, 2, 1)).into()).then([]);
    assert_eq!(
        refused(&mut spec, take_over(&id, (98, 1, 1))),
        "SHIPMENT_STATE"
    );
    assert_eq!(
        shipment(&spec, &id).state,
        ShipmentState::CustodyTransferred
    );
    spec.elapse(hours(24));
    assert_eq!(shipment(&spec, &id).state, ShipmentState::Closed);
    assert!(Logistics::violations(&spec.state).is_empty());
    let record = spec.state.carrier(&area(), "acme").expect("known").record;
    assert_eq!((record.accepted, record.on_time, record.late), (1, 1, 0));
}

#[test]
fn both_sides_of_a_hand_over_must_sum_up() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    drive(&mut spec, &id);
    assert_eq!(refused(&mut spec, declare(&id, Some(101))), "COUNT_INVALID");
    spec.accept(declare(&id, Some(90)).into());
    for counts in [(91, 0, 0), (90, 1, 0), (80, 5, 4), (-10, 100, 0)] {
        assert_eq!(refused(&mut spec, take_over(&id, counts)), "COUNT_INVALID");
    }
    let silent = TransferCustody {
        lines: take_over(&id, (80, 10, 0))
            .lines
            .into_iter()
            .map(|line| proto::logistics::v1::LineReceipt {
                note: String::new(),
                ..line
            })
            .collect(),
        ..take_over(&id, (80, 10, 0))
    };
    assert_eq!(refused(&mut spec, silent), "COUNT_INVALID");
    spec.accept(take_over(&id, (80, 6, 4)).into());
}

/// Every order of the five reports ends in the same place, and each is
/// recorded once.
#[test]
fn reports_may_come_in_any_order() {
    let reports = [
        (Milestone::Departed, ""),
        (Milestone::ArrivedPickup, "a"),
        (Milestone::Loaded, "a"),
        (Milestone::InTransit, ""),
        (Milestone::ArrivedDestination, ""),
    ];
    for order in permutations(5) {
        let mut spec = haulage();
        let (id, _) = assigned(&mut spec, one_farm());
        spec.context.now = hours(4);
        for n in &order {
            let (milestone, stop) = reports[*n];
            let at = minutes(60 + 10 * i64::try_from(*n).expect("small"));
            let report = report(&id, "acme", &format!("r-{n}"), milestone, stop, at);
            let events = spec.accept(report.clone().into());
            assert_ne!(fit(&events), ReportFit::Repeated, "{order:?}");
            spec.when(report.into()).then([]);
        }
        let shipment = shipment(&spec, &id);
        assert_eq!(
            shipment.state,
            ShipmentState::ArrivedDestination,
            "{order:?}"
        );
        assert_eq!(shipment.departed, Some(minutes(60)));
        assert_eq!(shipment.on_board().len(), 1);
        assert!(Logistics::violations(&spec.state).is_empty());
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    permutations(n - 1)
        .into_iter()
        .flat_map(|shorter| {
            (0..n).map(move |place| {
                let mut longer = shorter.clone();
                longer.insert(place, n - 1);
                longer
            })
        })
        .collect()
}

#[test]
fn late_and_repeated_reports_are_kept_and_told_apart() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    spec.context.now = hours(3);
    let say = |report_id: &str, milestone, stop: &str, at| {
        Command::from(report(&id, "acme", report_id, milestone, stop, at))
    };
    let loaded = spec.accept(say("r-1", Milestone::Loaded, "a", hours(2)));
    assert_eq!(fit(&loaded), ReportFit::Forward);
    let departed = spec.accept(say("r-2", Milestone::Departed, "", hours(1)));
    assert_eq!(fit(&departed), ReportFit::Behind);
    let again = spec.accept(say("r-3", Milestone::Loaded, "a", minutes(121)));
    assert_eq!(fit(&again), ReportFit::Repeated);
    assert_eq!(shipment(&spec, &id).pickups["a"].loaded, Some(hours(2)));

    let other = say("r-1", Milestone::InTransit, "", hours(2));
    assert_eq!(refused(&mut spec, other), "REPORT_ALREADY_EXISTS");
    let future = say("r-4", Milestone::InTransit, "", minutes(186));
    assert_eq!(refused(&mut spec, future), "REPORT_TIME_INVALID");
    let early = say("r-4", Milestone::InTransit, "", minutes(-6));
    assert_eq!(refused(&mut spec, early), "REPORT_TIME_INVALID");
    let nowhere = say("r-4", Milestone::Loaded, "z", hours(2));
    assert_eq!(refused(&mut spec, nowhere), "SHIPMENT_STOP_UNKNOWN");
    let vague = say("r-4", Milestone::Loaded, "", hours(2));
    assert_eq!(refused(&mut spec, vague), "REPORT_INCOMPLETE");
    let both = say("r-4", Milestone::PickupFailed, "a", hours(2));
    assert_eq!(refused(&mut spec, both), "REPORT_CONTRADICTS");
}

#[test]
fn a_shipment_is_unknown_to_every_other_firm() {
    let mut spec = haulage();
    let (id, pass_id) = assigned(&mut spec, one_farm());
    let at = minutes(1);
    spec.context.now = at;
    let commands: Vec<Command> = vec![
        accept(&id, "bolt", 1).into(),
        decline(&id, "bolt", 1).into(),
        assign(&id, "bolt", &pass_id).into(),
        report(&id, "bolt", "r", Milestone::Departed, "", at).into(),
        incident(&id, Some("bolt")).into(),
        DeclareHandover {
            carrier_id: "bolt".into(),
            ..declare(&id, None)
        }
        .into(),
    ];
    for command in commands {
        assert_eq!(refused(&mut spec, command), "SHIPMENT_UNKNOWN");
    }
}

#[test]
fn a_single_pickup_that_fails_is_tendered_again() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    spec.context.now = hours(1);
    let failed = report(&id, "acme", "r-1", Milestone::PickupFailed, "a", hours(1));
    let events = spec.accept(failed.into());
    assert_eq!(tendered(&events), Some(("bolt", 2)));
    let shipment = shipment(&spec, &id);
    assert_eq!(shipment.state, ShipmentState::Tendered);
    assert!(shipment.pickups.is_empty() && shipment.reports.is_empty());
}

#[test]
fn a_pickup_of_several_that_fails_becomes_a_shipment_of_its_own() {
    let mut spec = haulage();
    let farms = load(vec![pickup("a", 500), pickup("b", 600)]);
    let (id, _) = assigned(&mut spec, farms);
    spec.context.now = hours(2);
    let say = |report_id: &str, milestone, stop: &str| {
        Command::from(report(&id, "acme", report_id, milestone, stop, hours(2)))
    };
    let events = spec.accept(say("r-1", Milestone::PickupFailed, "a"));
    let rest = drafted(&events);
    assert_eq!(shipment(&spec, &rest).continues, id);
    assert_eq!(shipment(&spec, &rest).load.weight(), Grams(500_000));
    assert_eq!(shipment(&spec, &id).state, ShipmentState::EnRoutePickup);
    spec.accept(say("r-2", Milestone::Loaded, "b"));
    assert_eq!(shipment(&spec, &id).state, ShipmentState::Loaded);
    let on_board = LineCount {
        line_id: "b-radish".into(),
        units: 100,
        ..LineCount::default()
    };
    assert_eq!(shipment(&spec, &id).on_board(), [on_board]);

    // Where all of them fail, nothing is left of it.
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, load(vec![pickup("a", 500), pickup("b", 600)]));
    spec.context.now = hours(2);
    for (report_id, stop) in [("r-1", "a"), ("r-2", "b")] {
        let failed = report(
            &id,
            "acme",
            report_id,
            Milestone::PickupFailed,
            stop,
            hours(2),
        );
        drafted(&spec.accept(failed.into()));
    }
    assert_eq!(shipment(&spec, &id).state, ShipmentState::Cancelled);
}

#[test]
fn an_incident_is_no_failure() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let events = spec.accept(incident(&id, Some("acme")).into());
    let [LogisticsEvent::IncidentOpened(opened)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(shipment(&spec, &id).state, ShipmentState::ResourceAssigned);
    let close = CloseIncident {
        shipment_id: id.clone(),
        carrier_id: None,
        incident_id: opened.incident_id.clone(),
        resolution: "opened again".into(),
    };
    spec.accept(close.clone().into());
    spec.when(close.into()).then([]);
}

#[test]
fn lost_goods_end_the_chain() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    drive(&mut spec, &id);
    let at = spec.context.now;
    spec.accept(report(&id, "acme", "r-9", Milestone::Lost, "", at).into());
    assert_eq!(shipment(&spec, &id).state, ShipmentState::Lost);
    assert_eq!(refused(&mut spec, declare(&id, None)), "SHIPMENT_STATE");
    let record = spec.state.carrier(&area(), "acme").expect("known").record;
    assert_eq!(record.lost, 1);
}

#[test]
fn goods_come_back_as_a_linked_shipment() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let back = |line: &str| {
        let mut load = one_farm();
        load.pickups[0].lines[0].line_id = line.into();
        DraftShipment {
            load,
            returns: Some(id.clone()),
        }
    };
    assert_eq!(refused(&mut spec, back("a-radish")), "SHIPMENT_STATE");
    drive(&mut spec, &id);
    assert_eq!(refused(&mut spec, back("other")), "LINE_UNKNOWN");
    let events = spec.accept(back("a-radish").into());
    assert_eq!(shipment(&spec, &drafted(&events)).returns, id);
}

#[test]
fn the_latest_position_counts_by_its_own_time() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    spec.context.now = hours(2);
    let at = |report_id: &str, occurred, latitude_e7| ReportPosition {
        shipment_id: id.clone(),
        carrier_id: "acme".into(),
        report_id: report_id.into(),
        occurred,
        latitude_e7,
        longitude_e7: 963_000_000,
        eta: Some(occurred.plus_minutes(60)),
    };
    spec.accept(at("p-2", minutes(90), 322).into());
    spec.accept(at("p-1", minutes(80), 321).into());
    spec.when(at("p-1", minutes(80), 321).into()).then([]);
    let shipment = shipment(&spec, &id);
    assert_eq!(shipment.position, Some((322, 963_000_000, minutes(90))));
    assert_eq!(shipment.eta, Some(minutes(150)));
}

#[test]
fn a_vehicle_on_the_way_is_not_withdrawn() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, one_farm());
    let withdraw = WithdrawVehicle {
        carrier_id: "acme".into(),
        vehicle_id: vehicle("acme"),
    };
    assert_eq!(refused(&mut spec, withdraw.clone()), "IN_USE");
    drive(&mut spec, &id);
    spec.accept(declare(&id, None).into());
    spec.accept(take_over(&id, (100, 0, 0)).into());
    spec.accept(withdraw.into());
}
