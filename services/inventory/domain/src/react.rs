//! What facts of other services mean for the stock.

use decider::Recorded;
use proto::{AnyEvent, LogisticsEvent, OrderEvent, logistics::v1::ExceptionCode};

use crate::{
    command::{Command, QueueDemand, ReleaseReservation, ReplaceBag, ReturnStock},
    units::Units,
};

/// Why a withdrawn parcel comes back, as an exception code of logistics.
const WITHDRAWN: &str = "customer_cancelled";

pub(crate) fn react(record: &Recorded<AnyEvent>) -> Vec<Command> {
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
        _ => Vec::new(),
    }
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
