//! What other services' facts mean here: inventory sends parcels and calls
//! them back, and has matches of surplus that are to be carried; notification hears from the households.
//!
//! A cancellation comes from inventory, not from order: only with one source
//! is it certain that the parcel is heard of before its recall.

use proto::{
    AnyEvent, InventoryEvent, NotificationEvent,
    inventory::v1::{Bag, Spot},
    logistics::v1::{ParcelBag, Place, PlaceKind},
    notification::v1::{CallOutcome, NotificationKind},
    time::or_epoch,
};

use crate::freight::command::ErasePhotosOfHousehold;
use crate::{
    command::{
        Command, ExpectParcel, ExpectReplacement, GiveUpReplacement, Means, RecordCalled,
        RecordCollected, WithdrawParcel,
    },
    freight::command::{QueueMatch, ReleaseMatchLoads},
    units::Grams,
};

pub(crate) fn react(event: &AnyEvent) -> Option<Command> {
    match event {
        AnyEvent::Inventory(event) => inventory(event),
        AnyEvent::Notification(event) => notification(event),
        AnyEvent::Order(_) | AnyEvent::Logistics(_) | AnyEvent::Other => None,
    }
}

fn inventory(event: &InventoryEvent) -> Option<Command> {
    Some(match event {
        InventoryEvent::OrderDispatched(event) => ExpectParcel {
            order_id: event.order_id.clone(),
            household_id: event.household_id.clone(),
            door: event.door.clone().unwrap_or_default(),
            cadre_id: event.cadre_id.clone(),
            bags: event.bags.iter().map(parcel_bag).collect(),
            checkpoint_id: event.checkpoint_id.clone(),
            custodian_id: event.custodian_id.clone(),
            load_id: event.load_id.clone(),
        }
        .into(),
        InventoryEvent::DispatchRecalled(event) => WithdrawParcel {
            order_id: event.order_id.clone(),
        }
        .into(),
        InventoryEvent::ReplacementDispatched(event) => ExpectReplacement {
            order_id: event.order_id.clone(),
            for_label: event.for_label.clone(),
            bag: parcel_bag(event.bag.as_ref()?),
            custodian_id: event.custodian_id.clone(),
        }
        .into(),
        InventoryEvent::ReplacementRefused(event) => GiveUpReplacement {
            order_id: event.order_id.clone(),
            for_label: event.for_label.clone(),
            reason: event.reason.clone(),
        }
        .into(),
        InventoryEvent::MatchConfirmed(event) => QueueMatch {
            match_id: event.match_id.clone(),
            product_id: event.product_id.clone(),
            quantity_units: event.quantity_units,
            weight: Grams(event.weight_grams),
            pickup: place(PlaceKind::Field, event.pickup.as_ref()),
            pickup_window: (
                or_epoch(event.pickup_from_time.as_ref()),
                or_epoch(event.pickup_to_time.as_ref()),
            ),
            destination: place(PlaceKind::Buyer, event.destination.as_ref()),
            due: (
                or_epoch(event.due_from_time.as_ref()),
                or_epoch(event.due_to_time.as_ref()),
            ),
            load_by: or_epoch(event.load_by_time.as_ref()),
        }
        .into(),
        InventoryEvent::MatchingClosed(_) => ReleaseMatchLoads.into(),
        _ => return None,
    })
}

fn place(kind: PlaceKind, spot: Option<&Spot>) -> Place {
    let spot = spot.cloned().unwrap_or_default();
    Place {
        kind: kind.into(),
        place_id: spot.place_id,
        zone: spot.zone,
    }
}

fn parcel_bag(bag: &Bag) -> ParcelBag {
    ParcelBag {
        label: bag.label.clone(),
        product_id: bag.product_id.clone(),
        quantity_units: bag.quantity_units,
        weight_grams: bag.weight_grams,
    }
}

/// What was said about goods at a door, and whose personal data are erased.
fn notification(event: &NotificationEvent) -> Option<Command> {
    let at_door = |kind: NotificationKind| kind == NotificationKind::GoodsAtDoor;
    let collected = |order_id: &str, means| {
        Some(Command::from(RecordCollected {
            order_id: order_id.to_owned(),
            means,
        }))
    };
    match event {
        NotificationEvent::ContactErased(event) => Some(
            ErasePhotosOfHousehold {
                household_id: event.household_id.clone(),
            }
            .into(),
        ),
        NotificationEvent::MessageSent(event) if at_door(event.kind()) => Some(
            RecordCalled {
                order_id: event.order_id.clone(),
                means: Means::Message,
            }
            .into(),
        ),
        NotificationEvent::NotificationAcknowledged(event) if at_door(event.kind()) => {
            collected(&event.order_id, Means::Message)
        }
        NotificationEvent::CallTaskCompleted(event)
            if at_door(event.kind()) && event.outcome() == CallOutcome::Answered =>
        {
            collected(&event.order_id, Means::Call)
        }
        NotificationEvent::VisitCompleted(event) if at_door(event.kind()) => {
            collected(&event.order_id, Means::Visit)
        }
        _ => None,
    }
}
