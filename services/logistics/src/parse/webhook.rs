//! The same for what partner firms ask of their webhooks.

use logistics_domain as domain;
use proto::logistics::v1 as pb;
use service_kit::fields::Fields;

use super::{Parsed, finish};
use crate::webhook::address::Policy;

const OVERLAP_HOURS_MAX: i64 = 168;
const OVERLAP_HOURS: i32 = 24;

pub fn register(request: &pb::RegisterWebhookRequest, policy: Policy) -> Parsed {
    let mut fields = Fields::new();
    let url = match policy.parse(&request.url) {
        Ok(url) => url.to_string(),
        Err(why) => {
            fields.wrong("url", why);
            String::new()
        }
    };
    let command = domain::RegisterWebhook {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        url,
    };
    finish(fields, command)
}

pub fn rotate(request: &pb::RotateWebhookSecretRequest) -> Parsed {
    let mut fields = Fields::new();
    let hours = i64::from(request.overlap_hours.unwrap_or(OVERLAP_HOURS));
    let command = domain::RotateWebhookSecret {
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        webhook_id: fields.code("webhook_id", &request.webhook_id),
        overlap_hours: fields.number("overlap_hours", hours, 0..=OVERLAP_HOURS_MAX),
    };
    finish(fields, command)
}

macro_rules! of_one {
    ($($name:ident: $request:ident => $command:ident;)*) => {
        $(pub fn $name(request: &pb::$request) -> Parsed {
            let mut fields = Fields::new();
            let command = domain::$command {
                carrier_id: fields.code("carrier_id", &request.carrier_id),
                webhook_id: fields.code("webhook_id", &request.webhook_id),
            };
            finish(fields, command)
        })*
    };
}

of_one! {
    pause: PauseWebhookRequest => PauseWebhook;
    resume: ResumeWebhookRequest => ResumeWebhook;
    remove: RemoveWebhookRequest => RemoveWebhook;
    test: TestWebhookRequest => TestWebhook;
}
