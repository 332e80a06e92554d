//! How other services carry an order forward: which of their facts fit which
//! state, and what each makes of the order.
//!
//! Facts of one service come in their order, facts of different services in
//! any. So logistics may be heard before inventory: a parcel at the checkpoint
//! says that its goods were reserved, and the order is confirmed by that;
//! whether something was short, inventory's own word says when it comes.
//!
//! A run that starts with the parcel of a cancelled order shows that the
//! cancellation came too late: the order is out for delivery again.

use decider::{Context, Names, Recorded};
use proto::{
    OrderEvent,
    order::v1::{
        OrderCollected, OrderConfirmed, OrderDelivered, OrderFailed, OrderOutForDelivery,
        OrderPartiallyConfirmed, OrderReady, OrderRejected, OrderReturned, OrderState,
    },
    time::{from_proto, to_proto},
};

use crate::{
    book::OrderBook, command::Progress, ids::OrderId, lines::Lines, order::Order,
    rejection::Rejection, text,
};

enum Verdict {
    Take,
    AlreadySo,
    Refuse,
}

pub(crate) fn record(
    orders: &OrderBook,
    order_id: &OrderId,
    progress: &Progress,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let order = orders
        .get(order_id)
        .ok_or_else(|| Rejection::OrderUnknown {
            order_id: order_id.clone(),
            area: context.area.clone(),
        })?;
    match verdict(&order, progress) {
        Verdict::AlreadySo => Ok(vec![]),
        Verdict::Refuse => Err(Rejection::OutOfSequence {
            order_id: order_id.clone(),
            state: order.state,
            fact: progress.fact(),
        }),
        Verdict::Take => {
            let confirmed = implies_confirmation(&order, progress).then(|| {
                OrderConfirmed {
                    order_id: order_id.into(),
                }
                .into()
            });
            Ok(confirmed
                .into_iter()
                .chain([event(&order, progress)])
                .collect())
        }
    }
}

fn verdict(order: &Order, progress: &Progress) -> Verdict {
    use OrderState as S;
    use Progress as P;
    match (progress, order.state) {
        (P::Reserved { short }, _) => reserved(order, short),
        (P::DemandRejected { .. }, S::Released)
        | (P::Disinfected, S::Released | S::Confirmed | S::PartiallyConfirmed)
        | (P::RunStarted { .. }, S::Released | S::Confirmed | S::PartiallyConfirmed | S::Ready)
        | (P::DoorLeft { .. } | P::AttemptFailed { .. }, S::OutForDelivery)
        | (P::Collected { .. }, S::Delivered)
        | (P::Rescheduled, S::Failed)
        | (
            P::Returned { .. },
            S::Released | S::Confirmed | S::PartiallyConfirmed | S::Ready | S::Failed,
        ) => Verdict::Take,
        (P::RunStarted { .. }, S::Cancelled) if order.released => Verdict::Take,
        (P::DemandRejected { .. }, S::Rejected)
        | (P::Disinfected | P::Rescheduled, S::Ready)
        | (P::Collected { .. }, S::Collected)
        | (P::Returned { .. }, S::Returned) => Verdict::AlreadySo,
        _ => Verdict::Refuse,
    }
}

fn reserved(order: &Order, short: &[proto::types::v1::Line]) -> Verdict {
    let told = order.confirmed && (short.is_empty() || order.short == *short);
    match order.state {
        OrderState::Released => Verdict::Take,
        _ if told => Verdict::AlreadySo,
        OrderState::Placed | OrderState::Rejected | OrderState::Cancelled => Verdict::Refuse,
        // Confirmed by what logistics said; now it is known what is short.
        _ if order.confirmed && order.short.is_empty() => Verdict::Take,
        _ => Verdict::Refuse,
    }
}

const fn implies_confirmation(order: &Order, progress: &Progress) -> bool {
    !order.confirmed
        && matches!(
            progress,
            Progress::Disinfected | Progress::RunStarted { .. }
        )
}

fn event(order: &Order, progress: &Progress) -> OrderEvent {
    let order_id = String::from(&order.order_id);
    let household_id = String::from(&order.household_id);
    match progress {
        Progress::Reserved { short } if short.is_empty() => OrderConfirmed { order_id }.into(),
        Progress::Reserved { short } => OrderPartiallyConfirmed {
            order_id,
            short: short.clone(),
            household_id,
        }
        .into(),
        Progress::DemandRejected { reason } => OrderRejected {
            order_id,
            reason: reason.clone(),
            household_id,
        }
        .into(),
        Progress::Disinfected | Progress::Rescheduled => OrderReady { order_id }.into(),
        Progress::RunStarted { run_id, member_id } => OrderOutForDelivery {
            order_id,
            run_id: run_id.clone(),
            member_id: member_id.clone(),
        }
        .into(),
        Progress::DoorLeft { at } => OrderDelivered {
            order_id,
            delivered_time: Some(to_proto(*at)),
        }
        .into(),
        Progress::Collected { evidence } => OrderCollected {
            order_id,
            evidence: evidence.clone(),
        }
        .into(),
        Progress::AttemptFailed { reason } => OrderFailed {
            order_id,
            reason: reason.clone(),
            household_id,
        }
        .into(),
        Progress::Returned { reason } => OrderReturned {
            order_id,
            reason: reason.clone(),
        }
        .into(),
    }
}

/// Folds an event of an order that was placed. A confirmation never takes an
/// order back; every other event says where the order is now.
pub(crate) fn apply(order: &mut Order, names: &mut Names, record: &Recorded<OrderEvent>) {
    use OrderState as S;
    let mut enter = |state, reason: &str| {
        order.state = state;
        if order.reason != *reason {
            order.reason = names.get(reason);
        }
    };
    match &record.event {
        OrderEvent::OrderReleased(_) => {
            enter(S::Released, "");
            order.released = true;
        }
        OrderEvent::OrderConfirmed(_) => {
            order.confirmed = true;
            if matches!(order.state, S::Placed | S::Released) {
                order.state = S::Confirmed;
            }
        }
        OrderEvent::OrderPartiallyConfirmed(event) => {
            order.confirmed = true;
            order.short = Lines::from(&*event.short);
            if matches!(order.state, S::Placed | S::Released | S::Confirmed) {
                order.state = S::PartiallyConfirmed;
            }
        }
        OrderEvent::OrderRejected(event) => enter(S::Rejected, &event.reason),
        OrderEvent::OrderCancelled(event) => {
            enter(S::Cancelled, text::cancel_reason(event.reason()));
        }
        OrderEvent::OrderReady(_) => enter(S::Ready, ""),
        OrderEvent::OrderOutForDelivery(_) => enter(S::OutForDelivery, ""),
        OrderEvent::OrderDelivered(event) => {
            enter(S::Delivered, "");
            order.deliveries = order.deliveries.saturating_add(1);
            let at = event.delivered_time.as_ref().map(from_proto);
            order.delivered = Some(at.unwrap_or(record.occurred));
        }
        OrderEvent::OrderCollected(_) => enter(S::Collected, ""),
        OrderEvent::OrderFailed(event) => enter(S::Failed, &event.reason),
        OrderEvent::OrderReturned(event) => enter(S::Returned, &event.reason),
        _ => {}
    }
}

/// INV-02, this service's part: what a log tells of a delivery that no
/// decision of ours would have allowed.
pub(crate) fn wrong_delivery(order: &Order) -> Option<String> {
    if !order.confirmed {
        Some("delivered, but never confirmed".to_owned())
    } else if order.deliveries > 1 {
        Some(format!("delivered {} times", order.deliveries))
    } else {
        None
    }
}
