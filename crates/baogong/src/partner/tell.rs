//! How firms do: what they accepted, how punctual they were, what went wrong.

use std::collections::BTreeMap;

use decider::Role;
use proto::logistics::v1::{
    Carrier, GetCarrierRequest, ListCarriersRequest, ListShipmentsRequest, Shipment, ShipmentState,
};
use serde::Serialize;
use tonic::Status;

use super::{ListArgs, ShowArgs};
use crate::client::{Suite, by};

/// Asked for at a time.
const PAGE: i32 = 200;

/// The share of a firm's ended tenders that it accepted, and of its arrivals
/// that were in time, in percent; none before the first.
#[derive(Debug, Serialize)]
struct Told {
    carrier_id: String,
    name: String,
    suspended: Option<String>,
    tenders_offered: i32,
    tenders_accepted: i32,
    tenders_declined: i32,
    tenders_expired: i32,
    acceptance_percent: Option<f64>,
    arrivals_on_time: i32,
    arrivals_late: i32,
    punctuality_percent: Option<f64>,
    incidents: i32,
    lost_shipments: i32,
}

/// What did not go as planned on one load.
#[derive(Debug, Serialize)]
struct Exception {
    shipment_id: String,
    what: String,
}

pub(super) async fn get(suite: &Suite, request: &GetCarrierRequest) -> Result<Carrier, Status> {
    let answer = suite
        .call(async |suite| {
            let mut client = suite.freight;
            client.get_carrier(operator(request.clone())).await
        })
        .await?;
    Ok(answer.carrier.unwrap_or_default())
}

fn operator<T>(message: T) -> tonic::Request<T> {
    by(Role::Operator, "operator", message)
}

pub(super) async fn list(arguments: &ListArgs) -> anyhow::Result<()> {
    let suite = arguments.place.connect()?;
    let mut request = ListCarriersRequest {
        area: arguments.place.area.to_string(),
        page_size: PAGE,
        ..Default::default()
    };
    let mut rows = vec![];
    loop {
        let answer = suite
            .call(async |suite| {
                let mut client = suite.freight;
                client.list_carriers(operator(request.clone())).await
            })
            .await?;
        rows.extend(answer.carriers.iter().map(told));
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    if arguments.json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
        return Ok(());
    }
    if rows.is_empty() {
        println!(
            "No firm is registered in {}; `baogong partner add` registers one.",
            arguments.place.area
        );
        return Ok(());
    }
    let width = rows.iter().map(|row| row.carrier_id.len()).max();
    let width = width.unwrap_or(0).max(4);
    println!(
        "{:width$}  offered  accepted  acceptance  arrived  punctual  incidents  lost  state",
        "firm"
    );
    for row in rows {
        let state = row.suspended.as_ref();
        println!(
            "{:width$}  {:>7}  {:>8}  {:>10}  {:>7}  {:>8}  {:>9}  {:>4}  {}",
            row.carrier_id,
            row.tenders_offered,
            row.tenders_accepted,
            percent(row.acceptance_percent),
            row.arrivals_on_time + row.arrivals_late,
            percent(row.punctuality_percent),
            row.incidents,
            row.lost_shipments,
            state.map_or("active".to_owned(), |why| format!("suspended: {why}")),
        );
    }
    Ok(())
}

pub(super) async fn show(arguments: &ShowArgs) -> anyhow::Result<()> {
    let firm = &arguments.firm;
    let suite = firm.place.connect()?;
    let request = GetCarrierRequest {
        area: firm.place.area.to_string(),
        carrier_id: firm.carrier.clone(),
        ..Default::default()
    };
    let carrier = get(&suite, &request).await?;
    let shipments = shipments(&suite, &request).await?;
    let exceptions: Vec<Exception> = shipments.iter().flat_map(exceptions).collect();
    let mut states = BTreeMap::<&str, usize>::new();
    for shipment in &shipments {
        *states.entry(state_name(shipment.state())).or_default() += 1;
    }
    let record = told(&carrier);
    if arguments.json {
        let all = serde_json::json!({
            "record": record,
            "vehicles": carrier.vehicles.iter()
                .map(|vehicle| (&*vehicle.vehicle_id, vehicle.capacity_grams))
                .collect::<BTreeMap<_, _>>(),
            "drivers": carrier.driver_ids,
            "shipments": states,
            "exceptions": exceptions,
        });
        println!("{all}");
        return Ok(());
    }
    println!("{}  {}", record.carrier_id, record.name);
    if let Some(why) = &record.suspended {
        println!("suspended: {why}");
    }
    println!(
        "tenders    {} offered, {} accepted, {} declined, {} unanswered: acceptance {}",
        record.tenders_offered,
        record.tenders_accepted,
        record.tenders_declined,
        record.tenders_expired,
        percent(record.acceptance_percent)
    );
    println!(
        "arrivals   {} in time, {} late: punctuality {}",
        record.arrivals_on_time,
        record.arrivals_late,
        percent(record.punctuality_percent)
    );
    println!(
        "trouble    {} incidents, {} loads lost",
        record.incidents, record.lost_shipments
    );
    let vehicles = carrier.vehicles.iter();
    let vehicles = vehicles.map(|v| format!("{} ({} kg)", v.vehicle_id, v.capacity_grams / 1_000));
    println!("vehicles   {}", listed(vehicles.collect()));
    println!("drivers    {}", listed(carrier.driver_ids.clone()));
    for offer in &carrier.offers {
        println!(
            "capacity   {} of {} kg used, zones {}",
            offer.used_grams / 1_000,
            offer.capacity_grams / 1_000,
            offer.zones.join(", ")
        );
    }
    let states = states.iter().map(|(state, n)| format!("{n} {state}"));
    println!("loads      {}", listed(states.collect()));
    for exception in exceptions {
        println!("exception  {}: {}", exception.shipment_id, exception.what);
    }
    Ok(())
}

fn listed(names: Vec<String>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

async fn shipments(suite: &Suite, firm: &GetCarrierRequest) -> Result<Vec<Shipment>, Status> {
    let mut request = ListShipmentsRequest {
        area: firm.area.clone(),
        carrier_id: firm.carrier_id.clone(),
        page_size: PAGE,
        ..Default::default()
    };
    let mut all = vec![];
    loop {
        let answer = suite
            .call(async |suite| {
                let mut client = suite.partner;
                client.list_shipments(operator(request.clone())).await
            })
            .await?;
        all.extend(answer.shipments);
        if answer.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = answer.next_page_token;
    }
}

fn state_name(state: ShipmentState) -> &'static str {
    state.as_str_name().trim_start_matches("SHIPMENT_STATE_")
}

/// Everything about a load that its firm or its receiver reported as not as it
/// should be.
fn exceptions(shipment: &Shipment) -> Vec<Exception> {
    let mut what = vec![];
    if shipment.state() == ShipmentState::Lost {
        what.push("lost".to_owned());
    }
    for pickup in &shipment.pickups {
        if pickup.failed_time.is_some() {
            what.push(format!("nothing could be loaded at {}", pickup.stop_id));
        }
    }
    for receipt in &shipment.receipts {
        if receipt.damaged_units > 0 || receipt.short_units > 0 {
            what.push(format!(
                "line {}: {} damaged, {} short ({})",
                receipt.line_id, receipt.damaged_units, receipt.short_units, receipt.note
            ));
        }
    }
    for incident in &shipment.incidents {
        let kind = incident.kind().as_str_name();
        let kind = kind.trim_start_matches("INCIDENT_KIND_").to_lowercase();
        let open = if incident.closed_time.is_some() {
            ""
        } else {
            ", still open"
        };
        what.push(format!(
            "{}: {}{open}",
            kind.replace('_', " "),
            incident.note
        ));
    }
    let exception = |what| Exception {
        shipment_id: shipment.shipment_id.clone(),
        what,
    };
    what.into_iter().map(exception).collect()
}

fn told(carrier: &Carrier) -> Told {
    let suspended = Some(carrier.suspended_reason.clone()).filter(|why| !why.is_empty());
    let ended = carrier.tenders_accepted + carrier.tenders_declined + carrier.tenders_expired;
    let arrived = carrier.arrivals_on_time + carrier.arrivals_late;
    Told {
        carrier_id: carrier.carrier_id.clone(),
        name: carrier.name.clone(),
        suspended,
        tenders_offered: carrier.tenders_offered,
        tenders_accepted: carrier.tenders_accepted,
        tenders_declined: carrier.tenders_declined,
        tenders_expired: carrier.tenders_expired,
        acceptance_percent: share(carrier.tenders_accepted, ended),
        arrivals_on_time: carrier.arrivals_on_time,
        arrivals_late: carrier.arrivals_late,
        punctuality_percent: share(carrier.arrivals_on_time, arrived),
        incidents: carrier.incidents,
        lost_shipments: carrier.lost_shipments,
    }
}

/// In percent, with one decimal.
fn share(part: i32, whole: i32) -> Option<f64> {
    let tenths = (f64::from(part) * 1_000.0 / f64::from(whole)).round();
    (whole > 0).then_some(tenths / 10.0)
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{share:.1} %"))
}
