//! A town with partner firms to test in: three carriers with a vehicle, a
//! driver, a pass and capacity each; loads from two farms to the checkpoint.
#![allow(dead_code)]

use std::borrow::Cow;

use decider::{Rejected, Timestamp, spec::START};
use logistics_domain::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{
        DeclineReason, ExceptionCode, IncidentKind, LineCount, LineReceipt, LoadLine, Milestone,
        Place, PlaceKind,
    },
};

use crate::world::{CP, Spec, area, hours};

pub const ZONES: [&str; 2] = ["valley", "town"];

pub fn minutes(n: i64) -> Timestamp {
    START.plus_minutes(n)
}

pub fn vehicle(carrier_id: &str) -> String {
    format!("v-{carrier_id}")
}

pub fn driver(carrier_id: &str) -> String {
    format!("d-{carrier_id}")
}

pub fn offer(carrier_id: &str, kilograms: i64) -> OfferCapacity {
    OfferCapacity {
        carrier_id: carrier_id.into(),
        zones: ZONES.map(String::from).to_vec(),
        capacity: Grams(kilograms * 1000),
        from: START,
        to: hours(24),
    }
}

/// A firm with a vehicle and a driver, known and without capacity.
pub fn join(spec: &mut Spec, carrier_id: &str) {
    spec.accept(
        RegisterCarrier {
            carrier_id: carrier_id.into(),
            name: carrier_id.to_uppercase(),
        }
        .into(),
    );
    spec.accept(
        RegisterVehicle {
            carrier_id: carrier_id.into(),
            vehicle_id: vehicle(carrier_id),
            capacity: Grams(2_000_000),
        }
        .into(),
    );
    spec.accept(
        RegisterDriver {
            carrier_id: carrier_id.into(),
            driver_id: driver(carrier_id),
        }
        .into(),
    );
}

pub fn application(carrier_id: &str) -> ApplyForPass {
    ApplyForPass {
        carrier_id: carrier_id.into(),
        vehicle_id: vehicle(carrier_id),
        driver_id: driver(carrier_id),
        zones: ZONES.map(String::from).to_vec(),
        from: START,
        to: hours(12),
        certificate_sha256: [7; 32],
    }
}

pub fn issue(pass_id: &str) -> IssuePass {
    IssuePass {
        pass_id: pass_id.into(),
        zones: vec![],
        from: None,
        to: None,
    }
}

/// An issued pass for the firm's vehicle and driver; its id.
pub fn pass(spec: &mut Spec, carrier_id: &str) -> String {
    let pass_id = match &spec.accept(application(carrier_id).into())[..] {
        [LogisticsEvent::PassApplied(event)] => event.pass_id.clone(),
        other => panic!("{other:?}"),
    };
    spec.accept(issue(&pass_id).into());
    pass_id
}

/// `acme`, `bolt` and `cart`, each with capacity for 3 t.
pub fn haulage() -> Spec {
    let mut spec = Spec::given([]);
    spec.accept(crate::world::checkpoint().into());
    for carrier_id in ["acme", "bolt", "cart"] {
        join(&mut spec, carrier_id);
        spec.accept(offer(carrier_id, 3_000).into());
    }
    spec
}

pub fn pickup(stop_id: &str, kilograms: i64) -> Pickup {
    Pickup {
        stop_id: stop_id.into(),
        place: Place {
            kind: PlaceKind::Field.into(),
            place_id: format!("farm-{stop_id}"),
            zone: "valley".into(),
        },
        from: hours(1),
        to: hours(3),
        lines: vec![LoadLine {
            line_id: format!("{stop_id}-radish"),
            product_id: "radish".into(),
            quantity_units: 100,
            weight_grams: kilograms * 1000,
            labels: vec![],
        }],
    }
}

pub fn load(pickups: Vec<Pickup>) -> Load {
    Load {
        pickups,
        destination: Place {
            kind: PlaceKind::Checkpoint.into(),
            place_id: CP.into(),
            zone: "town".into(),
        },
        due: (hours(3), hours(6)),
        order_ids: vec!["o-1".into()],
    }
}

/// 1 t from one farm.
pub fn one_farm() -> Load {
    load(vec![pickup("a", 1_000)])
}

pub fn draft(load: Load) -> Command {
    let returns = None;
    DraftShipment { load, returns }.into()
}

pub fn drafted(events: &[LogisticsEvent]) -> String {
    let ids: Vec<&String> = events
        .iter()
        .filter_map(|event| match event {
            LogisticsEvent::ShipmentDrafted(event) => Some(&event.shipment_id),
            _ => None,
        })
        .collect();
    match ids[..] {
        [id] => id.clone(),
        _ => panic!("{events:?}"),
    }
}

/// To whom it went, and in which round.
pub fn tendered(events: &[LogisticsEvent]) -> Option<(&str, i32)> {
    events.iter().find_map(|event| match event {
        LogisticsEvent::ShipmentTendered(event) => Some((&*event.carrier_id, event.round)),
        _ => None,
    })
}

pub fn accept(shipment_id: &str, carrier_id: &str, round: i32) -> AcceptTender {
    AcceptTender {
        shipment_id: shipment_id.into(),
        carrier_id: carrier_id.into(),
        round,
    }
}

pub fn decline(shipment_id: &str, carrier_id: &str, round: i32) -> DeclineTender {
    DeclineTender {
        shipment_id: shipment_id.into(),
        carrier_id: carrier_id.into(),
        round,
        reason: DeclineReason::NoCapacity,
        note: String::new(),
    }
}

pub fn assign(shipment_id: &str, carrier_id: &str, pass_id: &str) -> AssignResources {
    AssignResources {
        shipment_id: shipment_id.into(),
        carrier_id: carrier_id.into(),
        vehicle_id: vehicle(carrier_id),
        driver_id: driver(carrier_id),
        pass_id: pass_id.into(),
    }
}

pub fn report(
    shipment_id: &str,
    carrier_id: &str,
    report_id: &str,
    milestone: Milestone,
    stop_id: &str,
    occurred: Timestamp,
) -> ReportMilestone {
    let reasoned = matches!(milestone, Milestone::PickupFailed | Milestone::Lost);
    ReportMilestone {
        shipment_id: shipment_id.into(),
        carrier_id: carrier_id.into(),
        report_id: report_id.into(),
        milestone,
        stop_id: stop_id.into(),
        occurred,
        lines: vec![],
        reason: if reasoned {
            ExceptionCode::PickupNotReady
        } else {
            ExceptionCode::Unspecified
        },
        note: String::new(),
        labels: vec![],
    }
}

/// `acme` has accepted the load and named its resources; shipment and pass.
pub fn assigned(spec: &mut Spec, load: Load) -> (String, String) {
    let pass_id = pass(spec, "acme");
    let events = spec.accept(draft(load));
    assert_eq!(tendered(&events), Some(("acme", 1)));
    let id = drafted(&events);
    spec.accept(accept(&id, "acme", 1).into());
    spec.accept(assign(&id, "acme", &pass_id).into());
    (id, pass_id)
}

/// Reports the milestones of a load from farm `a`, each 30 minutes after the
/// other, up to the destination.
pub fn drive(spec: &mut Spec, id: &str) {
    let milestones = [
        (Milestone::Departed, ""),
        (Milestone::ArrivedPickup, "a"),
        (Milestone::Loaded, "a"),
        (Milestone::InTransit, ""),
        (Milestone::ArrivedDestination, ""),
    ];
    for (n, (milestone, stop)) in (1..).zip(milestones) {
        spec.context.now = minutes(30 * n);
        let report_id = format!("r-{n}");
        let at = spec.context.now;
        spec.accept(report(id, "acme", &report_id, milestone, stop, at).into());
    }
}

pub fn declare(id: &str, units: Option<i64>) -> DeclareHandover {
    let line = |units| LineCount {
        line_id: "a-radish".into(),
        units,
        ..LineCount::default()
    };
    DeclareHandover {
        shipment_id: id.into(),
        carrier_id: "acme".into(),
        lines: units.map(line).into_iter().collect(),
    }
}

pub fn take_over(id: &str, (accepted, damaged, short): (i64, i64, i64)) -> TransferCustody {
    TransferCustody {
        shipment_id: id.into(),
        receiver_id: "keeper-1".into(),
        lines: vec![LineReceipt {
            line_id: "a-radish".into(),
            accepted_units: accepted,
            damaged_units: damaged,
            short_units: short,
            note: "crushed".into(),
            bags: vec![],
        }],
    }
}

pub fn incident(id: &str, carrier_id: Option<&str>) -> OpenIncident {
    OpenIncident {
        shipment_id: id.into(),
        carrier_id: carrier_id.map(String::from),
        kind: IncidentKind::CheckpointClosed,
        note: "north gate".into(),
    }
}

/// As it is now.
pub fn shipment<'a>(spec: &'a Spec, id: &str) -> Cow<'a, Shipment> {
    spec.state.shipment(&area(), id).expect("a shipment")
}

/// The reason of it.
pub fn refused(spec: &mut Spec, command: impl Into<Command>) -> &'static str {
    spec.run(command.into()).expect_err("refused").reason()
}
