//! A pass that is not valid any more stops vehicles that have not left; for
//! those on the way an incident is opened, and the dispatcher decides.

use decider::Context;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, IncidentKind, ReleaseReason, ShipmentState},
};

use super::{Freight, incident};
use crate::state::Moment;

/// Shipments of one pass that are handled at once. A pass is one vehicle's, so
/// there are few; what is beyond is refused at its departure.
const AT_ONCE: usize = 50;

pub(crate) fn all<'a>(
    freight: &'a Freight,
    pass_id: &'a str,
    reason: ReleaseReason,
    context: &'a Context,
) -> impl Iterator<Item = LogisticsEvent> + 'a {
    let uses = freight
        .shipments
        .moving_after(None)
        .filter(move |shipment| {
            shipment.is_under_way()
                && shipment
                    .resources
                    .as_ref()
                    .is_some_and(|resources| resources.pass_id == pass_id)
        });
    (0..).zip(uses.take(AT_ONCE)).map(move |(n, shipment)| {
        if shipment.state == ShipmentState::ResourceAssigned {
            return pb::ResourceReleased {
                shipment_id: shipment.shipment_id.clone(),
                carrier_id: shipment.carrier().unwrap_or_default().to_owned(),
                reason: reason.into(),
            }
            .into();
        }
        incident::event(
            shipment,
            context.new_id(n),
            IncidentKind::PassInvalid,
            match reason {
                ReleaseReason::PassExpired => "the pass expired on the way",
                _ => "the pass was revoked on the way",
            },
        )
        .into()
    })
}

pub(crate) fn released(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ResourceReleased) {
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.resources = None;
        if shipment.state == ShipmentState::ResourceAssigned {
            shipment.state = ShipmentState::Accepted;
        }
    });
}
