//! What inventory's and logistics' facts mean for orders. Nothing is refused
//! here: that is `decide`'s.

use decider::Recorded;
use proto::{AnyEvent, InventoryEvent, LogisticsEvent};

use crate::{
    command::{Command, Progress},
    text,
};

pub(crate) fn react(record: &Recorded<AnyEvent>) -> Vec<Command> {
    match &record.event {
        AnyEvent::Inventory(event) => inventory(event).into_iter().collect(),
        AnyEvent::Logistics(LogisticsEvent::RunStarted(run)) => run
            .order_ids
            .iter()
            .map(|order_id| {
                let (run_id, member_id) = (run.run_id.clone(), run.member_id.clone());
                command(order_id, Progress::RunStarted { run_id, member_id })
            })
            .collect(),
        AnyEvent::Logistics(event) => logistics(event, record).into_iter().collect(),
        AnyEvent::Order(_) | AnyEvent::Notification(_) | AnyEvent::Other => vec![],
    }
}

fn inventory(event: &InventoryEvent) -> Option<Command> {
    match event {
        InventoryEvent::StockReserved(event) => {
            let short = event.short.clone();
            Some(command(&event.order_id, Progress::Reserved { short }))
        }
        InventoryEvent::DemandRejected(event) => {
            let reason = event.reason.clone();
            Some(command(
                &event.order_id,
                Progress::DemandRejected { reason },
            ))
        }
        _ => None,
    }
}

fn logistics(event: &LogisticsEvent, record: &Recorded<AnyEvent>) -> Option<Command> {
    let (order_id, progress) = match event {
        LogisticsEvent::ParcelDisinfected(event) => (&event.order_id, Progress::Disinfected),
        LogisticsEvent::DoorLeft(event) => {
            let at = record.occurred;
            (&event.order_id, Progress::DoorLeft { at })
        }
        LogisticsEvent::DeliveryCollected(event) => {
            let evidence = event.evidence.clone();
            (&event.order_id, Progress::Collected { evidence })
        }
        LogisticsEvent::AttemptFailed(event) => {
            let reason = text::exception(event.reason());
            (&event.order_id, Progress::AttemptFailed { reason })
        }
        LogisticsEvent::DeliveryRescheduled(event) => (&event.order_id, Progress::Rescheduled),
        LogisticsEvent::ParcelReturned(event) => {
            let reason = text::exception(event.reason());
            (&event.order_id, Progress::Returned { reason })
        }
        _ => return None,
    };
    Some(command(order_id, progress))
}

fn command(order_id: &str, progress: Progress) -> Command {
    Command::RecordProgress {
        order_id: order_id.into(),
        progress,
    }
}
