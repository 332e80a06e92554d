//! From acceptance to the destination: resources are assigned and milestones
//! reported.
//!
//! Reports come late, twice and out of order; that is normal. Each is a fact
//! and is recorded once, with how it fitted into what was known; where the
//! shipment stands is computed from all facts together
//! ([`Shipment::standing`]). What is refused is what cannot be true: a time in
//! the future, two contents under one id, a stop both loaded and failed, and a
//! departure without a pass (INV-05).

use decider::{Context, Invariant, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ExceptionCode, Milestone, ReportFit, ShipmentState},
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject, arrival,
    carrier::score,
    command::{AssignResources, ReportMilestone, ReportPosition},
    manifest,
    shipment::{self, Links, Resources, Shipment},
    tender,
};
use crate::{custody::Faults, state::Moment, units::Grams};

/// How far a carrier's clock may be off.
const SKEW_MINUTES: i64 = 5;
/// Positions whose repetition is known.
const RECENT_POSITIONS: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub milestone: Milestone,
    pub stop_id: String,
    pub occurred: Timestamp,
}

pub(crate) fn assign(
    freight: &Freight,
    command: &AssignResources,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier = freight.active_carrier(&context.area, &command.carrier_id)?;
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    let accepted = matches!(
        shipment.state,
        ShipmentState::Accepted | ShipmentState::ResourceAssigned
    );
    shipment.must(
        accepted,
        "vehicle and driver are named between the acceptance and the departure",
    )?;
    let resources = Resources {
        vehicle_id: command.vehicle_id.clone(),
        driver_id: command.driver_id.clone(),
        pass_id: command.pass_id.clone(),
    };
    if shipment.resources.as_ref() == Some(&resources) {
        return Ok(vec![]);
    }
    let Some(capacity) = carrier.vehicles.get(&command.vehicle_id) else {
        return Err(Rejection::unknown(Subject::Vehicle, &command.vehicle_id));
    };
    if !carrier.drivers.contains(&command.driver_id) {
        return Err(Rejection::unknown(Subject::Driver, &command.driver_id));
    }
    let weight: Grams = shipment.load.weight();
    if weight > *capacity {
        return Err(Rejection::VehicleTooSmall {
            vehicle_id: command.vehicle_id.clone(),
            shipment_id: command.shipment_id.clone(),
            capacity: *capacity,
            weight,
        });
    }
    // It is to hold when the vehicle leaves, which may not be now.
    let first = shipment
        .load
        .pickups
        .first()
        .map_or(context.now, |p| p.from);
    check_pass(freight, &shipment, &resources, first.max(context.now))?;
    let mut events = Vec::new();
    if shipment.resources.is_some() {
        events.push(
            pb::ResourceReleased {
                shipment_id: command.shipment_id.clone(),
                carrier_id: command.carrier_id.clone(),
                reason: pb::ReleaseReason::Replaced.into(),
            }
            .into(),
        );
    }
    events.push(
        pb::ResourceAssigned {
            shipment_id: command.shipment_id.clone(),
            carrier_id: command.carrier_id.clone(),
            vehicle_id: command.vehicle_id.clone(),
            driver_id: command.driver_id.clone(),
            pass_id: command.pass_id.clone(),
        }
        .into(),
    );
    Ok(events)
}

fn check_pass(
    freight: &Freight,
    shipment: &Shipment,
    resources: &Resources,
    at: Timestamp,
) -> Result<(), Rejection> {
    let pass = freight.pass_in(&shipment.area, &resources.pass_id)?;
    if shipment.carrier() != Some(&pass.carrier_id) {
        return Err(Rejection::unknown(Subject::Pass, &resources.pass_id));
    }
    let zones = shipment.load.zones();
    match pass.gap(&resources.vehicle_id, &resources.driver_id, &zones, at) {
        None => Ok(()),
        Some(why) => Err(Rejection::PassInvalid {
            pass_id: pass.pass_id.clone(),
            why,
        }),
    }
}

pub(crate) fn assigned(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ResourceAssigned) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.state = ShipmentState::ResourceAssigned;
        shipment.resources = Some(Resources {
            vehicle_id: event.vehicle_id.clone(),
            driver_id: event.driver_id.clone(),
            pass_id: event.pass_id.clone(),
        });
    });
}

pub(crate) fn report(
    freight: &Freight,
    command: &ReportMilestone,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    let report = Report {
        milestone: command.milestone,
        stop_id: command.stop_id.clone(),
        occurred: command.occurred,
    };
    if let Some(known) = shipment.reports.get(&command.report_id) {
        if *known == report {
            return Ok(vec![]);
        }
        return Err(Rejection::ReportExists {
            shipment_id: command.shipment_id.clone(),
            report_id: command.report_id.clone(),
        });
    }
    check_time(&shipment, command.occurred, context)?;
    let lines = check_content(&shipment, command)?;
    check_scanned(&shipment, command)?;
    if shipment.departed.is_none() && command.milestone != Milestone::Lost {
        let Some(resources) = &shipment.resources else {
            return Err(shipment.is("name vehicle, driver and pass first"));
        };
        check_pass(freight, &shipment, resources, command.occurred)?;
    }
    let mut event = pb::MilestoneReported {
        shipment_id: command.shipment_id.clone(),
        carrier_id: command.carrier_id.clone(),
        report_id: command.report_id.clone(),
        milestone: command.milestone.into(),
        stop_id: command.stop_id.clone(),
        occurred_time: Some(to_proto(command.occurred)),
        fit: ReportFit::Repeated.into(),
        lines,
        reason: command.reason.into(),
        note: command.note.clone(),
        labels: command.labels.clone(),
    };
    let mut after = shipment.clone().into_owned();
    let news = after.learn(&event);
    if news {
        let forward = after.standing() != shipment.standing();
        event.set_fit(if forward {
            ReportFit::Forward
        } else {
            ReportFit::Behind
        });
    }
    let mut events = vec![event.into()];
    if news && command.milestone == Milestone::PickupFailed {
        events.extend(failed_pickup(freight, &after, command, context));
    }
    Ok(events)
}

fn check_time(
    shipment: &Shipment,
    occurred: Timestamp,
    context: &Context,
) -> Result<(), Rejection> {
    let going_on = shipment.accepted().is_some() && shipment.state != ShipmentState::Cancelled;
    shipment.must(going_on, "only an accepted shipment is reported about")?;
    check_occurred(shipment, occurred, context)
}

/// That it was not in the future, and not before the acceptance.
pub(crate) fn check_occurred(
    shipment: &Shipment,
    occurred: Timestamp,
    context: &Context,
) -> Result<(), Rejection> {
    let accepted = shipment.accepted();
    let wrong = |side| Err(Rejection::ReportTime { occurred, side });
    if occurred > context.now.plus_minutes(SKEW_MINUTES) {
        return wrong("in the future");
    }
    if accepted.is_some_and(|accepted| occurred < accepted.plus_minutes(-SKEW_MINUTES)) {
        return wrong("before the tender was accepted");
    }
    Ok(())
}

/// The lines that are loaded, where it is that.
fn check_content(
    shipment: &Shipment,
    command: &ReportMilestone,
) -> Result<Vec<pb::LineCount>, Rejection> {
    let milestone = command.milestone;
    let incomplete = |needed| {
        Err(Rejection::ReportIncomplete {
            milestone: word(milestone),
            needed,
        })
    };
    let reasoned = matches!(milestone, Milestone::PickupFailed | Milestone::Lost);
    if reasoned && command.reason == ExceptionCode::Unspecified {
        return incomplete("a reason");
    }
    let of_pickup = matches!(
        milestone,
        Milestone::ArrivedPickup | Milestone::Loaded | Milestone::PickupFailed
    );
    if !of_pickup {
        return match (milestone, command.stop_id.as_str()) {
            (Milestone::Unspecified, _) => incomplete("to be named"),
            (_, "") => Ok(vec![]),
            _ => incomplete("no stop: it is the whole shipment's"),
        };
    }
    if command.stop_id.is_empty() {
        return incomplete("the stop of which it is reported");
    }
    let Some(pickup) = shipment.load.pickup(&command.stop_id) else {
        return Err(Rejection::unknown(Subject::Stop, &command.stop_id));
    };
    let known = shipment.pickups.get(&command.stop_id);
    let was = match milestone {
        Milestone::Loaded => known.and_then(|p| p.failed).map(|_| "PICKUP_FAILED"),
        Milestone::PickupFailed => known.and_then(|p| p.loaded).map(|_| "LOADED"),
        _ => None,
    };
    if let Some(was) = was {
        return Err(Rejection::ReportContradicts {
            shipment_id: command.shipment_id.clone(),
            stop_id: command.stop_id.clone(),
            was,
        });
    }
    if milestone != Milestone::Loaded {
        return Ok(vec![]);
    }
    let planned: Vec<pb::LineCount> = pickup.lines.iter().map(arrival::whole).collect();
    counted(&command.lines, &planned)
}

/// Bags are scanned when they are loaded, and are the stop's.
fn check_scanned(shipment: &Shipment, command: &ReportMilestone) -> Result<(), Rejection> {
    if !command.labels.is_empty() && command.milestone != Milestone::Loaded {
        return Err(Rejection::ReportIncomplete {
            milestone: word(command.milestone),
            needed: "no labels: bags are scanned with LOADED",
        });
    }
    let pickup = shipment.load.pickup(&command.stop_id);
    let lines = pickup.into_iter().flat_map(|pickup| &pickup.lines);
    manifest::check_labels(lines, command.labels.iter().map(String::as_str))
}

fn word(milestone: Milestone) -> &'static str {
    milestone.as_str_name().trim_start_matches("MILESTONE_")
}

/// What is counted of lines of which there are at most `bound`: nothing said
/// is all of it, and a line that is not named is not there.
pub(crate) fn counted(
    lines: &[pb::LineCount],
    bound: &[pb::LineCount],
) -> Result<Vec<pb::LineCount>, Rejection> {
    if lines.is_empty() {
        return Ok(bound.to_vec());
    }
    for (n, line) in lines.iter().enumerate() {
        let wrong = |why: String| {
            Err(Rejection::Count {
                line_id: line.line_id.clone(),
                why,
            })
        };
        let Some(most) = bound.iter().find(|b| b.line_id == line.line_id) else {
            return Err(Rejection::unknown(Subject::Line, &line.line_id));
        };
        if lines[..n].iter().any(|other| other.line_id == line.line_id) {
            return wrong("it is counted twice".into());
        }
        if line.units < 0 || line.units > most.units {
            return wrong(format!(
                "{} units were counted where there are 0 to {}",
                line.units, most.units
            ));
        }
    }
    Ok(lines.to_vec())
}

/// A single pickup is tendered again as it is; one of several becomes a
/// shipment of its own, and what was left of nothing is cancelled.
fn failed_pickup(
    freight: &Freight,
    after: &Shipment,
    command: &ReportMilestone,
    context: &Context,
) -> Vec<LogisticsEvent> {
    if after.load.pickups.len() == 1 {
        let withdrawn = tender::withdrawn_event(after, pb::WithdrawReason::PickupFailed);
        return withdrawn.map_or_else(Vec::new, |withdrawn| {
            tender::with_next(freight, after, withdrawn.into(), context)
        });
    }
    let Some(mut load) = after.load.only(&command.stop_id) else {
        return vec![];
    };
    if after.carries_parcels {
        load.order_ids = arrival::orders_of_stop(freight, &after.shipment_id, &command.stop_id);
        if load.order_ids.is_empty() {
            // Told late: the goods wait for another load already.
            return vec![];
        }
    }
    let links = Links::continuing(after);
    let mut events = shipment::draft_events(freight, &load, 0, links, context);
    events.extend(after.contacts_for(context.new_id(0), &command.stop_id));
    let pickups = after.load.pickups.iter();
    let all_failed = pickups
        .map(|pickup| after.pickups.get(&pickup.stop_id))
        .all(|pickup| pickup.is_some_and(|p| p.failed.is_some()));
    if all_failed {
        let withdrawn = tender::withdrawn_event(after, pb::WithdrawReason::PickupFailed);
        events.extend(withdrawn.map(LogisticsEvent::from));
        events.push(
            pb::ShipmentCancelled {
                shipment_id: command.shipment_id.clone(),
                reason: "NOTHING_LOADED".into(),
            }
            .into(),
        );
    }
    events
}

impl Shipment {
    /// Adds what a report says; false if that was known.
    pub(crate) fn learn(&mut self, event: &pb::MilestoneReported) -> bool {
        let at = or_epoch(event.occurred_time.as_ref());
        let pickup = || event.stop_id.clone();
        let fact = match event.milestone() {
            Milestone::Unspecified => return false,
            Milestone::Departed => &mut self.departed,
            Milestone::ArrivedPickup => &mut self.pickups.entry(pickup()).or_default().arrived,
            Milestone::Loaded => {
                let pickup = self.pickups.entry(pickup()).or_default();
                if pickup.loaded.is_none() {
                    pickup.lines.clone_from(&event.lines);
                    pickup.labels.clone_from(&event.labels);
                }
                &mut pickup.loaded
            }
            Milestone::PickupFailed => &mut self.pickups.entry(pickup()).or_default().failed,
            Milestone::InTransit => &mut self.in_transit,
            Milestone::ArrivedDestination => &mut self.arrived,
            Milestone::Lost => &mut self.lost,
        };
        if fact.is_some() {
            return false;
        }
        *fact = Some(at);
        true
    }
}

pub(crate) fn reported(
    freight: &mut Freight,
    faults: &mut Faults,
    moment: &Moment<'_>,
    event: &pb::MilestoneReported,
) {
    let occurred = or_epoch(event.occurred_time.as_ref());
    if let Some(detail) = no_pass(freight, event, occurred) {
        let entity = format!("shipment/{}", event.shipment_id);
        faults.add(Invariant::PassBeforeDispatch, entity, detail);
    }
    let mut punctual = None;
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.reports.insert(
            event.report_id.clone(),
            Report {
                milestone: event.milestone(),
                stop_id: event.stop_id.clone(),
                occurred,
            },
        );
        let news = shipment.learn(event);
        if shipment.state != ShipmentState::Closed {
            shipment.state = shipment.standing();
        }
        if news && event.milestone() == Milestone::ArrivedDestination {
            punctual = Some(occurred <= shipment.load.due.1);
        }
        if shipment.state == ShipmentState::Lost {
            shipment.ended = shipment.lost;
        }
    });
    score(
        freight,
        moment.area,
        &event.carrier_id,
        |record| match punctual {
            Some(true) => record.on_time += 1,
            Some(false) => record.late += 1,
            None => {}
        },
    );
    if event.milestone() == Milestone::Lost && event.fit() != ReportFit::Repeated {
        score(freight, moment.area, &event.carrier_id, |record| {
            record.lost += 1
        });
    }
}

/// The vehicle moves although no pass lets it.
fn no_pass(
    freight: &Freight,
    event: &pb::MilestoneReported,
    occurred: Timestamp,
) -> Option<String> {
    let shipment = freight.shipments.get(&event.shipment_id)?;
    if shipment.departed.is_some() || event.milestone() == Milestone::Lost {
        return None;
    }
    let Some(resources) = &shipment.resources else {
        return Some("it left without vehicle, driver and pass".into());
    };
    let refused = check_pass(freight, &shipment, resources, occurred).err()?;
    Some(format!("it left: {refused}"))
}

pub(crate) fn report_position(
    freight: &Freight,
    command: &ReportPosition,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    if shipment.recent_positions.contains(&command.report_id) {
        return Ok(vec![]);
    }
    check_time(&shipment, command.occurred, context)?;
    Ok(vec![
        pb::PositionReported {
            shipment_id: command.shipment_id.clone(),
            carrier_id: command.carrier_id.clone(),
            report_id: command.report_id.clone(),
            occurred_time: Some(to_proto(command.occurred)),
            latitude_e7: command.latitude_e7,
            longitude_e7: command.longitude_e7,
            eta_time: command.eta.map(to_proto),
        }
        .into(),
    ])
}

/// The latest by its own time counts.
pub(crate) fn position_reported(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::PositionReported,
) {
    let occurred = or_epoch(event.occurred_time.as_ref());
    freight.change(&event.shipment_id, moment, |shipment| {
        let recent = &mut shipment.recent_positions;
        recent.push_back(event.report_id.clone());
        if recent.len() > RECENT_POSITIONS {
            recent.pop_front();
        }
        if shipment.position.is_none_or(|(_, _, at)| at <= occurred) {
            shipment.position = Some((event.latitude_e7, event.longitude_e7, occurred));
            if let Some(eta) = &event.eta_time {
                shipment.eta = Some(or_epoch(Some(eta)));
            }
        }
    });
}
