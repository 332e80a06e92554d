//! What facts of other services mean for the stock.

use decider::{Area, Recorded};
use proto::{
    AnyEvent, LogisticsEvent, OrderEvent,
    inventory::v1::MatchFailure,
    logistics::v1::{ExceptionCode, Load, Milestone},
};

use crate::{
    command::{Command, QueueDemand, ReleaseReservation, ReplaceBag, ReturnStock},
    state::State,
    surplus::{DeliverMatches, FailMatches, Match, MatchReceipt, ShipMatches},
    units::Units,
};

/// Why a withdrawn parcel comes back, as an exception code of logistics.
const WITHDRAWN: &str = "customer_cancelled";

pub(crate) fn react(state: &State, record: &Recorded<AnyEvent>) -> Vec<Command> {
    match &record.event {
        AnyEvent::Order(OrderEvent::OrderReleased(event)) => {
            vec![Command::QueueDemand(QueueDemand {
                order_id: event.order_id.clone(),
                household_id: event.household_id.clone(),
                door: event.door.clone(),
                lines: event.lines.clone(),
                cadre_id: event.cadre_id.clone(),
            })]
        }
        AnyEvent::Order(OrderEvent::OrderCancelled(event)) => {
            vec![Command::ReleaseReservation(ReleaseReservation {
                order_id: event.order_id.clone(),
            })]
        }
        // One command per bag: if one is refused the others are still replaced.
        AnyEvent::Logistics(LogisticsEvent::ParcelReceived(event)) => event
            .exceptions
            .iter()
            .map(|exception| {
                Command::ReplaceBag(ReplaceBag {
                    order_id: event.order_id.clone(),
                    for_label: exception.label.clone(),
                    quantity: Units(exception.quantity_units),
                    checkpoint_id: event.checkpoint_id.clone(),
                })
            })
            .collect(),
        AnyEvent::Logistics(LogisticsEvent::ParcelReturned(event)) => {
            vec![returned(&event.order_id, exception_name(event.reason()))]
        }
        AnyEvent::Logistics(LogisticsEvent::ParcelWithdrawn(event)) => {
            vec![returned(&event.order_id, WITHDRAWN.to_owned())]
        }
        AnyEvent::Logistics(event) => of_shipment(state, &record.area, event),
        _ => Vec::new(),
    }
}

/// Of shipments only those that carry matches matter: their lines are named
/// after them.
fn of_shipment(state: &State, area: &Area, event: &LogisticsEvent) -> Vec<Command> {
    let matches = |load: Option<&Load>| -> Vec<&Match> {
        let pickups = load.into_iter().flat_map(|load| &load.pickups);
        let lines = pickups.flat_map(|pickup| &pickup.lines);
        lines
            .filter_map(|line| state.trade(area, &line.line_id))
            .collect()
    };
    let ids = |matches: &[&Match]| matches.iter().map(|m| m.match_id.clone()).collect();
    let ship = |shipment_id: &str, matches: &[&Match]| {
        let some = !matches.is_empty();
        some.then(|| {
            Command::ShipMatches(ShipMatches {
                shipment_id: shipment_id.to_owned(),
                match_ids: ids(matches),
            })
        })
    };
    let fail = |shipment_id: &str, kept: Vec<String>, reason| {
        Command::FailMatches(FailMatches {
            shipment_id: shipment_id.to_owned(),
            kept,
            reason,
        })
    };
    let carries = |shipment_id: &str| state.surplus.shipments.contains_key(shipment_id);
    let command = match event {
        // What comes back was theirs before.
        LogisticsEvent::ShipmentDrafted(e) if e.returns_shipment_id.is_empty() => {
            ship(&e.shipment_id, &matches(e.load.as_ref()))
        }
        LogisticsEvent::LoadChanged(e) => {
            let mut loaded = matches(e.load.as_ref());
            let kept = ids(&loaded);
            // Another shipment's are not taken away from it.
            loaded.retain(|trade| trade.shipment_id.is_empty());
            let mut commands: Vec<_> = ship(&e.shipment_id, &loaded).into_iter().collect();
            if carries(&e.shipment_id) {
                let reason = MatchFailure::ShipmentCancelled;
                commands.push(fail(&e.shipment_id, kept, reason));
            }
            return commands;
        }
        LogisticsEvent::CustodyTransferred(e) if carries(&e.shipment_id) => {
            let receipts = e.lines.iter().map(|line| MatchReceipt {
                match_id: line.line_id.clone(),
                accepted: Units(line.accepted_units),
                damaged: Units(line.damaged_units),
            });
            Some(Command::DeliverMatches(DeliverMatches {
                shipment_id: e.shipment_id.clone(),
                receipts: receipts.collect(),
            }))
        }
        LogisticsEvent::ShipmentCancelled(e) if carries(&e.shipment_id) => {
            let reason = MatchFailure::ShipmentCancelled;
            Some(fail(&e.shipment_id, Vec::new(), reason))
        }
        LogisticsEvent::MilestoneReported(e)
            if e.milestone() == Milestone::Lost && carries(&e.shipment_id) =>
        {
            Some(fail(&e.shipment_id, Vec::new(), MatchFailure::ShipmentLost))
        }
        _ => None,
    };
    command.into_iter().collect()
}

fn returned(order_id: &str, reason: String) -> Command {
    Command::ReturnStock(ReturnStock {
        order_id: order_id.to_owned(),
        reason,
    })
}

/// `EXCEPTION_CODE_REFUSED` → `refused`.
fn exception_name(code: ExceptionCode) -> String {
    let name = code.as_str_name();
    name.strip_prefix("EXCEPTION_CODE_")
        .unwrap_or(name)
        .to_ascii_lowercase()
}
