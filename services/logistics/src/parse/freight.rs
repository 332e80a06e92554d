//! The same for what partner firms and dispatchers ask about the trunk leg.

use logistics_domain::{self as domain, Grams, LOAD_LINES_MAX, LOAD_PICKUPS_MAX, Load};
use proto::logistics::v1::{self as pb, carrier_report::What};
use service_kit::fields::Fields;
use tonic::Status;

use super::{CAPACITY_GRAMS_MIN, LABEL_MAX, NOTE_MAX, Parsed, SERVICE, codes, finish};

const ZONES_MAX: usize = 50;
/// The largest lorry with its trailer.
const VEHICLE_GRAMS_MAX: i64 = 40_000_000;
const OFFER_GRAMS_MAX: i64 = 1_000_000_000;
const QUANTITY_MAX: i64 = 1_000_000_000;
const ORDERS_MAX: usize = 500;
const LABELS_MAX: usize = 100;
const MANIFEST_LABELS_MAX: usize = 2_000;
const REPORTS_MAX: usize = 100;
/// Bags scanned in one report: it must fit into one record of the log.
const SCANNED_MAX: usize = 500;

pub fn register_carrier(request: &pb::RegisterCarrierRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::RegisterCarrier {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        name: fields.text("name", &request.name, 1..=100),
    };
    finish(fields, command)
}

pub fn suspend_carrier(request: &pb::SuspendCarrierRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::SuspendCarrier {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        reason: fields.text("reason", &request.reason, 1..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn resume_carrier(request: &pb::ResumeCarrierRequest) -> Parsed {
    let mut fields = Fields::new();
    let carrier_id = fields.code("carrier_id", &request.carrier_id);
    finish(fields, domain::ResumeCarrier { carrier_id })
}

pub fn register_vehicle(request: &pb::RegisterVehicleRequest) -> Parsed {
    let mut fields = Fields::new();
    let grams = request.capacity_grams;
    let range = CAPACITY_GRAMS_MIN..=VEHICLE_GRAMS_MAX;
    let command = domain::RegisterVehicle {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        vehicle_id: fields.code("vehicle_id", &request.vehicle_id),
        capacity: Grams(fields.number("capacity_grams", grams, range)),
    };
    finish(fields, command)
}

pub fn withdraw_vehicle(request: &pb::WithdrawVehicleRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::WithdrawVehicle {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        vehicle_id: fields.code("vehicle_id", &request.vehicle_id),
    };
    finish(fields, command)
}

pub fn register_driver(request: &pb::RegisterDriverRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::RegisterDriver {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        driver_id: fields.code("driver_id", &request.driver_id),
    };
    finish(fields, command)
}

pub fn withdraw_driver(request: &pb::WithdrawDriverRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::WithdrawDriver {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        driver_id: fields.code("driver_id", &request.driver_id),
    };
    finish(fields, command)
}

pub fn offer_capacity(request: &pb::OfferCapacityRequest) -> Parsed {
    let mut fields = Fields::new();
    let grams = request.capacity_grams;
    let command = domain::OfferCapacity {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        zones: zones(&mut fields, &request.zones, 1),
        capacity: Grams(fields.number("capacity_grams", grams, 1..=OFFER_GRAMS_MAX)),
        from: fields.time("from_time", request.from_time.as_ref()),
        to: fields.time("to_time", request.to_time.as_ref()),
    };
    finish(fields, command)
}

pub fn withdraw_capacity(request: &pb::WithdrawCapacityRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::WithdrawCapacity {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        offer_id: fields.code("offer_id", &request.offer_id),
    };
    finish(fields, command)
}

pub fn apply_for_pass(request: &pb::ApplyForPassRequest) -> Parsed {
    let mut fields = Fields::new();
    let hash = <[u8; 32]>::try_from(&request.certificate_sha256[..]);
    let field = "certificate_sha256";
    fields.check(hash.is_ok(), field, "must be the 32 bytes of a SHA-256");
    let command = domain::ApplyForPass {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        vehicle_id: fields.code("vehicle_id", &request.vehicle_id),
        driver_id: fields.code("driver_id", &request.driver_id),
        zones: zones(&mut fields, &request.zones, 1),
        from: fields.time("from_time", request.from_time.as_ref()),
        to: fields.time("to_time", request.to_time.as_ref()),
        certificate_sha256: hash.unwrap_or_default(),
    };
    finish(fields, command)
}

pub fn issue_pass(request: &pb::IssuePassRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::IssuePass {
        pass_id: fields.code("pass_id", &request.pass_id),
        zones: zones(&mut fields, &request.zones, 0),
        from: fields.optional_time("from_time", request.from_time.as_ref()),
        to: fields.optional_time("to_time", request.to_time.as_ref()),
    };
    finish(fields, command)
}

pub fn refuse_pass(request: &pb::RefusePassRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::RefusePass {
        pass_id: fields.code("pass_id", &request.pass_id),
        reason: fields.text("reason", &request.reason, 1..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn revoke_pass(request: &pb::RevokePassRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::RevokePass {
        pass_id: fields.code("pass_id", &request.pass_id),
        reason: fields.text("reason", &request.reason, 1..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn draft_shipment(request: &pb::DraftShipmentRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::DraftShipment {
        load: load(&mut fields, request.load.as_ref()),
        returns: fields.optional_code("returns_shipment_id", &request.returns_shipment_id),
    };
    finish(fields, command)
}

pub fn change_load(request: &pb::ChangeLoadRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::ChangeLoad {
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        load: load(&mut fields, request.load.as_ref()),
    };
    finish(fields, command)
}

pub fn tender_shipment(request: &pb::TenderShipmentRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::TenderShipment {
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        carrier_id: fields.optional_code("carrier_id", &request.carrier_id),
    };
    finish(fields, command)
}

pub fn withdraw_tender(request: &pb::WithdrawTenderRequest) -> Parsed {
    let mut fields = Fields::new();
    let shipment_id = fields.code("shipment_id", &request.shipment_id);
    finish(fields, domain::WithdrawTender { shipment_id })
}

pub fn accept_tender(request: &pb::AcceptTenderRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::AcceptTender {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        round: fields.number("round", request.round, 1..=i32::MAX),
    };
    finish(fields, command)
}

pub fn decline_tender(request: &pb::DeclineTenderRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::DeclineTender {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        round: fields.number("round", request.round, 1..=i32::MAX),
        reason: fields.choice("reason", request.reason),
        note: fields.text("note", &request.note, 0..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn assign_resources(request: &pb::AssignResourcesRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::AssignResources {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        vehicle_id: fields.code("vehicle_id", &request.vehicle_id),
        driver_id: fields.code("driver_id", &request.driver_id),
        pass_id: fields.code("pass_id", &request.pass_id),
    };
    finish(fields, command)
}

pub fn declare_handover(request: &pb::DeclareHandoverRequest) -> Parsed {
    let mut fields = Fields::new();
    fields.list("lines", &request.lines, 0..=LOAD_LINES_MAX);
    let command = domain::DeclareHandover {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        lines: counts(&mut fields, "lines", &request.lines),
    };
    finish(fields, command)
}

pub fn transfer_custody(request: &pb::TransferCustodyRequest) -> Parsed {
    let mut fields = Fields::new();
    fields.list("lines", &request.lines, 0..=LOAD_LINES_MAX);
    let lines = request.lines.iter().enumerate().map(|(n, line)| {
        let place = format!("lines[{n}]");
        let mut count =
            |part: &str, units| fields.number(&format!("{place}.{part}"), units, 0..=QUANTITY_MAX);
        let (accepted_units, damaged_units, short_units) = (
            count("accepted_units", line.accepted_units),
            count("damaged_units", line.damaged_units),
            count("short_units", line.short_units),
        );
        pb::LineReceipt {
            line_id: fields.code(&format!("{place}.line_id"), &line.line_id),
            accepted_units,
            damaged_units,
            short_units,
            note: fields.text(&format!("{place}.note"), &line.note, 0..=NOTE_MAX),
            bags: bags(&mut fields, &place, &line.bags),
        }
    });
    let lines = lines.collect();
    let command = domain::TransferCustody {
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        receiver_id: fields.code("receiver_id", &request.receiver_id),
        lines,
    };
    finish(fields, command)
}

pub fn open_incident(request: &pb::OpenIncidentRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::OpenIncident {
        carrier_id: Some(fields.code("carrier_id", &request.carrier_id)),
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        kind: fields.choice("kind", request.kind),
        note: fields.text("note", &request.note, 1..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn close_incident(request: &pb::CloseIncidentRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::CloseIncident {
        carrier_id: Some(fields.code("carrier_id", &request.carrier_id)),
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        incident_id: fields.code("incident_id", &request.incident_id),
        resolution: fields.text("resolution", &request.resolution, 1..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn cancel_shipment(request: &pb::CancelShipmentRequest) -> Parsed {
    let mut fields = Fields::new();
    let command = domain::CancelShipment {
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        reason: fields.text("reason", &request.reason, 1..=NOTE_MAX),
    };
    finish(fields, command)
}

pub fn close_shipment(request: &pb::CloseShipmentRequest) -> Parsed {
    let mut fields = Fields::new();
    let shipment_id = fields.code("shipment_id", &request.shipment_id);
    finish(fields, domain::CloseShipment { shipment_id })
}

/// One report of the firm; its faults are those of the report alone.
pub fn report(carrier_id: &str, report: &pb::CarrierReport) -> Parsed {
    let mut fields = Fields::new();
    let report_id = fields.callers_id("report_id", &report.report_id);
    let shipment_id = fields.code("shipment_id", &report.shipment_id);
    let occurred = fields.time("occurred_time", report.occurred_time.as_ref());
    let carrier_id = carrier_id.to_owned();
    match &report.what {
        Some(What::Milestone(milestone)) => {
            fields.list("milestone.lines", &milestone.lines, 0..=LOAD_LINES_MAX);
            let stop_id = fields.optional_code("milestone.stop_id", &milestone.stop_id);
            let reason = fields.optional_choice("milestone.reason", milestone.reason);
            let command = domain::ReportMilestone {
                shipment_id,
                carrier_id,
                report_id,
                milestone: fields.choice("milestone.milestone", milestone.milestone),
                stop_id: stop_id.unwrap_or_default(),
                occurred,
                lines: counts(&mut fields, "milestone.lines", &milestone.lines),
                reason: reason.unwrap_or_default(),
                note: fields.text("milestone.note", &milestone.note, 0..=NOTE_MAX),
                labels: scanned(&mut fields, "milestone.labels", &milestone.labels),
            };
            finish(fields, command)
        }
        Some(What::Position(position)) => {
            let (latitude, longitude) = (position.latitude_e7, position.longitude_e7);
            let command = domain::ReportPosition {
                shipment_id,
                carrier_id,
                report_id,
                occurred,
                latitude_e7: fields.number(
                    "position.latitude_e7",
                    latitude,
                    -900_000_000..=900_000_000,
                ),
                longitude_e7: fields.number(
                    "position.longitude_e7",
                    longitude,
                    -1_800_000_000..=1_800_000_000,
                ),
                eta: fields.optional_time("position.eta_time", position.eta_time.as_ref()),
            };
            finish(fields, command)
        }
        None => {
            fields.wrong("what", "must be a milestone or a position");
            Err(fields.finish(SERVICE).expect_err("a violation was added"))
        }
    }
}

pub fn carrier_id(id: &str) -> Result<String, Status> {
    let mut fields = Fields::new();
    let id = fields.code("carrier_id", id);
    fields.finish(SERVICE)?;
    Ok(id)
}

/// Who reports, and that the list is not too long.
pub fn reporter(request: &pb::ReportEventsRequest) -> Result<String, Status> {
    let mut fields = Fields::new();
    fields.list("reports", &request.reports, 1..=REPORTS_MAX);
    let id = fields.code("carrier_id", &request.carrier_id);
    fields.finish(SERVICE)?;
    Ok(id)
}

pub fn shipment_state(
    request: &pb::ListShipmentsRequest,
) -> Result<Option<pb::ShipmentState>, Status> {
    let mut fields = Fields::new();
    let state = fields.optional_choice("state", request.state);
    fields.finish(SERVICE)?;
    Ok(state)
}

pub fn pass_state(request: &pb::ListPassesRequest) -> Result<Option<pb::PassState>, Status> {
    let mut fields = Fields::new();
    let state = fields.optional_choice("state", request.state);
    fields.finish(SERVICE)?;
    Ok(state)
}

fn zones(fields: &mut Fields, zones: &[String], least: usize) -> Vec<String> {
    fields.list("zones", zones, least..=ZONES_MAX);
    codes(fields, "zones", zones)
}

fn counts(fields: &mut Fields, list: &str, lines: &[pb::LineCount]) -> Vec<pb::LineCount> {
    let lines = lines.iter().enumerate().map(|(n, line)| pb::LineCount {
        line_id: fields.code(&format!("{list}[{n}].line_id"), &line.line_id),
        units: fields.number(&format!("{list}[{n}].units"), line.units, 0..=QUANTITY_MAX),
        missing_labels: labels(
            fields,
            &format!("{list}[{n}].missing_labels"),
            &line.missing_labels,
        ),
    });
    lines.collect()
}

/// Bags by their labels.
fn scanned(fields: &mut Fields, list: &str, labels: &[String]) -> Vec<String> {
    fields.list(list, labels, 0..=SCANNED_MAX);
    let labels = labels.iter().take(SCANNED_MAX).enumerate();
    labels
        .map(|(n, label)| fields.text(&format!("{list}[{n}]"), label, 1..=LABEL_MAX))
        .collect()
}

fn bags(fields: &mut Fields, line: &str, bags: &[pb::BagReceipt]) -> Vec<pb::BagReceipt> {
    fields.list(&format!("{line}.bags"), bags, 0..=LABELS_MAX);
    let bags = bags.iter().take(LABELS_MAX).enumerate().map(|(n, bag)| {
        let at = format!("{line}.bags[{n}]");
        let condition: pb::BagCondition = fields.choice(&format!("{at}.condition"), bag.condition);
        pb::BagReceipt {
            label: fields.text(&format!("{at}.label"), &bag.label, 1..=LABEL_MAX),
            condition: condition.into(),
        }
    });
    bags.collect()
}

/// Of which there may be as many as a load's manifest has.
fn labels(fields: &mut Fields, at: &str, labels: &[String]) -> Vec<String> {
    fields.list(at, labels, 0..=MANIFEST_LABELS_MAX);
    let labels = labels.iter().enumerate();
    labels
        .map(|(n, label)| fields.text(&format!("{at}[{n}]"), label, 1..=LABEL_MAX))
        .collect()
}

/// The ids and numbers of it; whether it makes sense as a whole is decided.
fn load(fields: &mut Fields, load: Option<&pb::Load>) -> Load {
    let load = fields.needed("load", load);
    fields.list("load.pickups", &load.pickups, 1..=LOAD_PICKUPS_MAX);
    fields.list("load.order_ids", &load.order_ids, 0..=ORDERS_MAX);
    let pickups = load.pickups.iter().enumerate();
    let pickups = pickups.map(|(n, p)| pickup(fields, &format!("load.pickups[{n}]"), p));
    let pickups = pickups.collect();
    let due = (
        fields.time("load.due_from_time", load.due_from_time.as_ref()),
        fields.time("load.due_to_time", load.due_to_time.as_ref()),
    );
    Load {
        pickups,
        destination: place(fields, "load.destination", load.destination.as_ref()),
        due,
        order_ids: codes(fields, "load.order_ids", &load.order_ids),
    }
}

fn pickup(fields: &mut Fields, at: &str, pickup: &pb::Pickup) -> domain::Pickup {
    let list = format!("{at}.lines");
    fields.list(&list, &pickup.lines, 1..=LOAD_LINES_MAX);
    let lines = pickup.lines.iter().enumerate();
    let lines = lines.map(|(n, l)| line(fields, &format!("{list}[{n}]"), l));
    let lines = lines.collect();
    domain::Pickup {
        stop_id: fields.code(&format!("{at}.stop_id"), &pickup.stop_id),
        place: place(fields, &format!("{at}.place"), pickup.place.as_ref()),
        from: fields.time(&format!("{at}.from_time"), pickup.from_time.as_ref()),
        to: fields.time(&format!("{at}.to_time"), pickup.to_time.as_ref()),
        lines,
    }
}

fn line(fields: &mut Fields, at: &str, line: &pb::LoadLine) -> pb::LoadLine {
    fields.list(&format!("{at}.labels"), &line.labels, 0..=LABELS_MAX);
    let labels = labels(fields, &format!("{at}.labels"), &line.labels);
    pb::LoadLine {
        line_id: fields.code(&format!("{at}.line_id"), &line.line_id),
        product_id: fields.code(&format!("{at}.product_id"), &line.product_id),
        quantity_units: fields.number(
            &format!("{at}.quantity_units"),
            line.quantity_units,
            1..=QUANTITY_MAX,
        ),
        weight_grams: fields.number(
            &format!("{at}.weight_grams"),
            line.weight_grams,
            1..=VEHICLE_GRAMS_MAX,
        ),
        labels,
    }
}

pub(super) fn place(fields: &mut Fields, at: &str, place: Option<&pb::Place>) -> pb::Place {
    let place = fields.needed(at, place);
    let kind: pb::PlaceKind = fields.choice(&format!("{at}.kind"), place.kind);
    pb::Place {
        kind: kind.into(),
        place_id: fields.code(&format!("{at}.place_id"), &place.place_id),
        zone: fields.code(&format!("{at}.zone"), &place.zone),
    }
}
