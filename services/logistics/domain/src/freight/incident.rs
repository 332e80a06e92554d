//! Incidents are apart from failures: they are opened and closed beside the
//! state, and somebody decides.

use std::borrow::Cow;

use decider::{Context, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, IncidentKind},
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject,
    carrier::score,
    command::{CloseIncident, OpenIncident},
    shipment::Shipment,
};
use crate::state::Moment;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub kind: IncidentKind,
    pub note: String,
    pub opened: Timestamp,
    pub closed: Option<Timestamp>,
    pub resolution: String,
}

/// For the carrier if one asks, whose the shipment must be.
fn shipment_for<'a>(
    freight: &'a Freight,
    shipment_id: &str,
    carrier_id: Option<&str>,
    context: &Context,
) -> Result<Cow<'a, Shipment>, Rejection> {
    match carrier_id {
        Some(carrier_id) => freight.shipment_of(&context.area, shipment_id, carrier_id),
        None => freight.shipment_in(&context.area, shipment_id),
    }
}

pub(crate) fn open(
    freight: &Freight,
    command: &OpenIncident,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier_id = command.carrier_id.as_deref();
    let shipment = shipment_for(freight, &command.shipment_id, carrier_id, context)?;
    shipment.must(
        shipment.is_under_way(),
        "incidents are those of a shipment under way",
    )?;
    let id = context.new_id(0);
    Ok(vec![
        event(&shipment, id, command.kind, &command.note).into(),
    ])
}

pub(crate) fn event(
    shipment: &Shipment,
    incident_id: String,
    kind: IncidentKind,
    note: &str,
) -> pb::IncidentOpened {
    pb::IncidentOpened {
        shipment_id: shipment.shipment_id.clone(),
        incident_id,
        kind: kind.into(),
        note: note.to_owned(),
    }
}

pub(crate) fn opened(freight: &mut Freight, moment: &Moment<'_>, event: &pb::IncidentOpened) {
    let mut carrier_id = None;
    freight.change(&event.shipment_id, moment, |shipment| {
        carrier_id = shipment.carrier().map(str::to_owned);
        shipment.incidents.insert(
            event.incident_id.clone(),
            Incident {
                kind: event.kind(),
                note: event.note.clone(),
                opened: moment.at,
                closed: None,
                resolution: String::new(),
            },
        );
    });
    if let Some(carrier_id) = carrier_id {
        score(freight, moment.area, &carrier_id, |record| {
            record.incidents += 1
        });
    }
}

pub(crate) fn close(
    freight: &Freight,
    command: &CloseIncident,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let carrier_id = command.carrier_id.as_deref();
    let shipment = shipment_for(freight, &command.shipment_id, carrier_id, context)?;
    let incident = shipment.incidents.get(&command.incident_id);
    let incident =
        incident.ok_or_else(|| Rejection::unknown(Subject::Incident, &command.incident_id))?;
    if incident.closed.is_some() {
        return Ok(vec![]);
    }
    Ok(vec![
        pb::IncidentClosed {
            shipment_id: command.shipment_id.clone(),
            incident_id: command.incident_id.clone(),
            resolution: command.resolution.clone(),
        }
        .into(),
    ])
}

pub(crate) fn closed(freight: &mut Freight, moment: &Moment<'_>, event: &pb::IncidentClosed) {
    freight.change(&event.shipment_id, moment, |shipment| {
        if let Some(incident) = shipment.incidents.get_mut(&event.incident_id) {
            incident.closed = Some(moment.at);
            incident.resolution.clone_from(&event.resolution);
        }
    });
}
