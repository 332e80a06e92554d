//! Events of histories that make no sense: routes and webhooks.

use decider::{Timestamp, spec::START};
use proto::{LogisticsEvent, logistics::v1 as pb, time::to_proto};

use crate::{haulage::*, nonsense::Seed, world::*};

/// Something about the goods on it.
pub fn route((kind, a, b, number): Seed) -> LogisticsEvent {
    let route_id = ["a", "z"][usize::from(a % 2)].to_owned();
    let order_id = format!("o-{}", b % 4);
    let small = i32::try_from(number % 2_000).unwrap_or(0);
    let plan = pb::RoutePlan {
        weight_grams_max: number,
        every_minutes: small,
        orders_max: i32::from(b % 3),
        lead_minutes: small,
        from_time: Some(to_proto(START)),
        to_time: Some(to_proto(Timestamp(START.0.saturating_add(number)))),
        destination: one_farm().to_message().destination,
        holder_id: CARRIER.into(),
        ..Default::default()
    };
    let plan = (a % 7 > 0).then_some(plan);
    match kind % 6 {
        0 => pb::RouteOpened { route_id, plan }.into(),
        1 => pb::RouteChanged { route_id, plan }.into(),
        2 => pb::RouteClosed {
            route_id,
            reason: String::new(),
        }
        .into(),
        3 => pb::ParcelQueued {
            order_id,
            route_id,
            window_time: None,
        }
        .into(),
        4 => pb::ParcelRecalled {
            order_id,
            shipment_id: format!("s-{}", a % 3),
        }
        .into(),
        _ => {
            let mut load = one_farm();
            load.order_ids = vec![order_id.clone(), format!("o-{}", a % 4)];
            load.pickups[0].lines[0].labels = vec![format!("{order_id}-{}", a % 4)];
            pb::ShipmentDrafted {
                shipment_id: format!("s-{}", a % 5),
                load: Some(load.to_message()),
                carries_parcels: true,
                ..Default::default()
            }
            .into()
        }
    }
}

/// Something about a webhook.
pub fn hook(kind: u8, webhook_id: String, carrier_id: String, number: i64) -> LogisticsEvent {
    let time = || Some(to_proto(Timestamp(START.0.saturating_add(number))));
    match kind {
        23 => pb::WebhookRegistered {
            webhook_id,
            carrier_id,
            url: String::new(),
        }
        .into(),
        24 => pb::WebhookSecretRotated {
            webhook_id,
            secret_number: i32::try_from(number).unwrap_or(i32::MAX),
            previous_until_time: time(),
        }
        .into(),
        25 => pb::WebhookPaused { webhook_id }.into(),
        26 => pb::WebhookResumed { webhook_id }.into(),
        27 => pb::WebhookRemoved { webhook_id }.into(),
        28 => pb::WebhookDisabled {
            webhook_id,
            failing_since_time: time(),
            reason: String::new(),
        }
        .into(),
        _ => pb::WebhookTested { webhook_id }.into(),
    }
}
