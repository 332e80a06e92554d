//! Goods that a carrier brings to the gate on a trunk route; one order of them
//! is cancelled while they are on the way.

use decider::{Actor, Role, Timestamp};
use logistics_domain::{self as logistics, Command, Grams, Logistics, RoutePlan};
use proto::{
    LogisticsEvent,
    logistics::v1::{Milestone, Place, PlaceKind},
};

use crate::{
    story::{GATE, cancel, dispatch_by, phone},
    town::{Town, operator},
};

const HOUR_MS: i64 = 3_600_000;
const HOLDER: &str = "group-9";
const FIRM: &str = "dray";
const ROUTE: &str = "store-gate";

pub fn by_carrier(town: &mut Town) {
    let pass_id = firm(town);
    let plan = plan(town);
    let route_id = || ROUTE.to_owned();
    let open = logistics::OpenRoute {
        route_id: route_id(),
        plan: plan.clone(),
    };
    ask(town, open);
    let sent = [1, 2].map(|household| phone(town, household, &[("rice", 1)]));
    dispatch_by(town, &sent, HOLDER);
    let change = logistics::ChangeRoute {
        route_id: route_id(),
        plan: RoutePlan {
            orders_max: 20,
            ..plan
        },
    };
    ask(town, change);
    town.wait_minutes(30);
    let shipment_id = tendered(town);
    drive(town, &shipment_id, &pass_id);
    let close = logistics::CloseRoute {
        route_id: route_id(),
        reason: "all is at the gate".into(),
    };
    ask(town, close);
    cancel(town, 2, &sent[1]);
    hand_over(town, &shipment_id);
    // What was cancelled comes back, and nobody else wants to carry it.
    town.wait_minutes(logistics::ANSWER_MINUTES);
}

fn ask(town: &mut Town, command: impl Into<Command>) -> Vec<LogisticsEvent> {
    town.ask::<Logistics>(operator(), command.into())
}

fn by(town: &mut Town, command: impl Into<Command>) -> Vec<LogisticsEvent> {
    town.ask::<Logistics>(Actor::new(Role::Carrier, FIRM), command.into())
}

fn hours(town: &Town, n: i64) -> Timestamp {
    Timestamp(town.now().0 + n * HOUR_MS)
}

fn zones() -> Vec<String> {
    ["store-road", "gate-road"].map(String::from).to_vec()
}

fn plan(town: &Town) -> RoutePlan {
    let place = |kind: PlaceKind, place_id: &str, zone: &str| Place {
        kind: kind.into(),
        place_id: place_id.into(),
        zone: zone.into(),
    };
    RoutePlan {
        origin: place(PlaceKind::Store, "store", "store-road"),
        holder_id: HOLDER.into(),
        destination: place(PlaceKind::Checkpoint, GATE, "gate-road"),
        from: town.now(),
        to: hours(town, 2),
        every: 30,
        weight_max: Grams(1_000_000),
        orders_max: 10,
        lead: 30,
        transit: 30,
    }
}

/// With a vehicle, a driver, a pass and capacity; the pass's id.
fn firm(town: &mut Town) -> String {
    let carrier_id = || FIRM.to_owned();
    let register = logistics::RegisterCarrier {
        carrier_id: carrier_id(),
        name: "dray haulage".into(),
    };
    ask(town, register);
    let vehicle = logistics::RegisterVehicle {
        carrier_id: carrier_id(),
        vehicle_id: "dray-v1".into(),
        capacity: Grams(2_000_000),
    };
    by(town, vehicle);
    let driver = logistics::RegisterDriver {
        carrier_id: carrier_id(),
        driver_id: "dray-d1".into(),
    };
    by(town, driver);
    let apply = logistics::ApplyForPass {
        carrier_id: carrier_id(),
        vehicle_id: "dray-v1".into(),
        driver_id: "dray-d1".into(),
        zones: zones(),
        from: town.now(),
        to: hours(town, 6),
        certificate_sha256: [3; 32],
    };
    let pass_id = match &by(town, apply)[0] {
        LogisticsEvent::PassApplied(event) => event.pass_id.clone(),
        other => panic!("{other:?}"),
    };
    let issue = logistics::IssuePass {
        pass_id: pass_id.clone(),
        zones: vec![],
        from: None,
        to: None,
    };
    ask(town, issue);
    let offer = logistics::OfferCapacity {
        carrier_id: carrier_id(),
        zones: zones(),
        capacity: Grams(2_000_000),
        from: town.now(),
        to: hours(town, 5),
    };
    by(town, offer);
    pass_id
}

/// The load that was made when the window ended.
fn tendered(town: &Town) -> String {
    let state = town.logistics.state();
    let area = decider::Area::new(crate::town::AREA).expect("nine digits");
    let mut shipments = state.shipments_after(&area, None);
    let made = shipments.find(|shipment| shipment.carries_parcels);
    let made = made.expect("a load");
    assert_eq!((made.carrier(), made.load.order_ids.len()), (Some(FIRM), 2));
    made.shipment_id.clone()
}

fn drive(town: &mut Town, shipment_id: &str, pass_id: &str) {
    let (id, carrier_id) = (|| shipment_id.to_owned(), || FIRM.to_owned());
    let accept = logistics::AcceptTender {
        shipment_id: id(),
        carrier_id: carrier_id(),
        round: 1,
    };
    by(town, accept);
    let assign = logistics::AssignResources {
        shipment_id: id(),
        carrier_id: carrier_id(),
        vehicle_id: "dray-v1".into(),
        driver_id: "dray-d1".into(),
        pass_id: pass_id.into(),
    };
    by(town, assign);
    report(town, shipment_id, Milestone::Departed, "");
    report(town, shipment_id, Milestone::Loaded, ROUTE);
}

fn report(town: &mut Town, shipment_id: &str, milestone: Milestone, stop_id: &str) {
    let report = logistics::ReportMilestone {
        shipment_id: shipment_id.into(),
        carrier_id: FIRM.into(),
        report_id: format!("r-{}", milestone.as_str_name()),
        milestone,
        stop_id: stop_id.into(),
        occurred: town.now(),
        lines: vec![],
        reason: Default::default(),
        note: String::new(),
        labels: vec![],
    };
    by(town, report);
}

fn hand_over(town: &mut Town, shipment_id: &str) {
    report(town, shipment_id, Milestone::ArrivedDestination, "");
    let declare = logistics::DeclareHandover {
        shipment_id: shipment_id.into(),
        carrier_id: FIRM.into(),
        lines: vec![],
    };
    by(town, declare);
    let transfer = logistics::TransferCustody {
        shipment_id: shipment_id.into(),
        receiver_id: "k-1".into(),
        lines: vec![],
    };
    ask(town, transfer);
}
