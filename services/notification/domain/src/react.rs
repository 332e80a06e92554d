//! What facts of the order and logistics services call for here.

use decider::{Recorded, is_code};
use proto::{
    AnyEvent, LogisticsEvent, OrderEvent,
    notification::v1::Parameter,
    order::v1::CancelReason,
    types::v1::{Line, Need},
};

use crate::{
    command::{Command, RecordContact, RequestNotification},
    state::State,
    values::Kind,
};

/// At most so many missing products are named in a message.
const SHORT_LINES_MAX: usize = 20;

pub(crate) fn react(_: &State, record: &Recorded<AnyEvent>) -> Vec<Command> {
    let command = match &record.event {
        AnyEvent::Order(event) => order(event),
        AnyEvent::Logistics(LogisticsEvent::DoorLeft(event)) => {
            Some(Command::RequestNotification(RequestNotification {
                cadre_id: event.cadre_id.clone(),
                ..about(Kind::GoodsAtDoor, &event.order_id, &event.household_id)
            }))
        }
        _ => None,
    };
    command.into_iter().collect()
}

fn order(event: &OrderEvent) -> Option<Command> {
    let request = match event {
        OrderEvent::HouseholdRegistered(event) => {
            return Some(Command::RecordContact(RecordContact {
                household_id: event.household_id.clone(),
                contact: event.contact.clone(),
                language: Some(event.language.clone()),
                needs: Some(needs(&event.needs)),
                cadre_id: Some(event.cadre_id.clone()),
            }));
        }
        OrderEvent::HouseholdUpdated(event) => {
            return Some(Command::RecordContact(RecordContact {
                household_id: event.household_id.clone(),
                contact: event.contact.clone(),
                needs: event.needs_changed.then(|| needs(&event.needs)),
                ..RecordContact::default()
            }));
        }
        OrderEvent::HouseholdHandedOver(event) => {
            return Some(Command::ChangeCadre {
                household_id: event.household_id.clone(),
                cadre_id: event.to_cadre_id.clone(),
            });
        }
        OrderEvent::PersonalDataErased(event) => {
            return Some(Command::EraseContact {
                household_id: event.household_id.clone(),
            });
        }
        OrderEvent::OrderRejected(event) => with(
            about(Kind::OrderRejected, &event.order_id, &event.household_id),
            "reason",
            code(&event.reason),
        ),
        OrderEvent::OrderPartiallyConfirmed(event) => with(
            about(
                Kind::OrderPartiallyConfirmed,
                &event.order_id,
                &event.household_id,
            ),
            "short",
            short(&event.short),
        ),
        OrderEvent::OrderCancelled(event) => match event.reason() {
            CancelReason::GroupBuyFailed => {
                about(Kind::GroupBuyFailed, &event.order_id, &event.household_id)
            }
            CancelReason::Operator => with(
                about(Kind::OrderRejected, &event.order_id, &event.household_id),
                "reason",
                "CANCELLED_BY_OPERATOR".into(),
            ),
            // Who cancels knows it.
            CancelReason::Customer | CancelReason::Unspecified => return None,
        },
        OrderEvent::OrderFailed(event) => with(
            about(Kind::DeliveryFailed, &event.order_id, &event.household_id),
            "reason",
            code(&event.reason),
        ),
        _ => return None,
    };
    Some(Command::RequestNotification(request))
}

fn about(kind: Kind, order_id: &str, household_id: &str) -> RequestNotification {
    let request = RequestNotification {
        kind,
        order_id: order_id.to_owned(),
        household_id: household_id.to_owned(),
        cadre_id: String::new(),
        parameters: Vec::new(),
    };
    with(request, "order", order_id.to_owned())
}

fn with(mut request: RequestNotification, name: &str, value: String) -> RequestNotification {
    request.parameters.push(Parameter {
        name: name.to_owned(),
        value,
    });
    request
}

/// Only codes go on into a message: a free text could name somebody.
fn code(reason: &str) -> String {
    if is_code(reason) { reason } else { "OTHER" }.to_owned()
}

/// For example `rice-5kg × 1, oil-5l × 2`.
fn short(lines: &[Line]) -> String {
    let mut named: Vec<String> = lines
        .iter()
        .take(SHORT_LINES_MAX)
        .map(|line| format!("{} × {}", code(&line.product_id), line.quantity_units))
        .collect();
    if lines.len() > SHORT_LINES_MAX {
        named.push("…".into());
    }
    named.join(", ")
}

fn needs(values: &[i32]) -> Vec<Need> {
    values
        .iter()
        .filter_map(|value| Need::try_from(*value).ok())
        .collect()
}
