//! What is posted: a JSON object of `type`, `timestamp` and `data` (Standard
//! Webhooks, "Payload structure"). `data` is the message that `WatchTenders`
//! sends, in protobuf's JSON form, so that one description serves both.

use std::sync::LazyLock;

use decider::{EventSet, Timestamp};
use logistics_domain::{Logistics, Webhook};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use proto::{
    LogisticsEvent,
    logistics::v1::{WatchTendersResponse, watch_tenders_response::Update},
    record,
    time::to_proto,
};
use service_kit::{
    follow::{Entry, Follower},
    partition::Partition,
};

use crate::grpc::watch::TenderWatch;

/// A message for one webhook, the same at each try.
pub struct Payload {
    /// `webhook-id`: by which a receiver knows a repetition.
    pub message_id: String,
    pub body: Vec<u8>,
}

static RESPONSE: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("the suite's own descriptors");
    pool.get_message_by_name("baogong.logistics.v1.WatchTendersResponse")
        .expect("it is in them")
});

/// What a record means to a webhook, if anything.
pub fn payload(
    partition: &Partition<Logistics>,
    webhook: &Webhook,
    entry: &Entry,
) -> Option<Payload> {
    let mut watch = TenderWatch {
        carrier_id: webhook.carrier_id.clone(),
        area: webhook.area.clone(),
    };
    let data = watch.message(partition, entry);
    let kind = match data.as_ref().map(|data| &data.update) {
        Some(Some(Update::Tendered(_))) => "tender.offered",
        Some(Some(Update::Ended(_))) => "tender.ended",
        Some(Some(Update::Pass(_))) => "pass.changed",
        Some(Some(Update::Shipment(_))) => "shipment.changed",
        Some(Some(Update::Heartbeat(_)) | None) => return None,
        None if is_test(webhook, entry) => "test",
        None => return None,
    };
    let data = data.unwrap_or(WatchTendersResponse {
        cursor: entry.position.0,
        update: None,
    });
    let recorded = record::decode(&entry.bytes).ok()?.recorded;
    Some(Payload {
        message_id: format!("msg_{}_{}", webhook.webhook_id, entry.position),
        body: body(kind, recorded, &data),
    })
}

fn is_test(webhook: &Webhook, entry: &Entry) -> bool {
    // Most records are others', and are not decoded for that.
    let id = webhook.webhook_id.as_bytes();
    if !entry.bytes.windows(id.len()).any(|bytes| bytes == id) {
        return false;
    }
    let Ok(raw) = record::decode(&entry.bytes) else {
        return false;
    };
    let event = LogisticsEvent::decode(&raw.event.type_name, &raw.event.data);
    matches!(event, Ok(LogisticsEvent::WebhookTested(e)) if e.webhook_id == webhook.webhook_id)
}

fn body(kind: &str, at: Timestamp, data: &WatchTendersResponse) -> Vec<u8> {
    let bytes = data.encode_to_vec();
    let data = DynamicMessage::decode(RESPONSE.clone(), &*bytes).expect("what was just encoded");
    let body = serde_json::json!({
        "type": kind,
        "timestamp": to_proto(at).to_string(),
        "data": data,
    });
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_type_time_and_what_the_stream_tells() {
        let data = WatchTendersResponse {
            cursor: 17,
            update: Some(Update::Ended(proto::logistics::v1::TenderEnd {
                shipment_id: "s-1".into(),
                round: 2,
                reason: proto::logistics::v1::WithdrawReason::LoadChanged.into(),
            })),
        };
        let body = body("tender.ended", Timestamp(1_662_048_000_000), &data);
        assert_eq!(
            String::from_utf8(body).expect("UTF-8"),
            r#"{"data":{"cursor":"17","ended":{"reason":"WITHDRAW_REASON_LOAD_CHANGED","round":2,"shipmentId":"s-1"}},"timestamp":"2022-09-01T16:00:00Z","type":"tender.ended"}"#
        );
    }
}
