//! Webhooks of partner firms: where they are to be told what happens, whether
//! they are, and which secrets sign. Delivering is not done here, and no secret
//! is known here: only its number.

use decider::{Area, Context, Position, Revision, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, WebhookState},
    time::{from_proto, to_proto},
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject,
    command::{
        DisableWebhook, PauseWebhook, RegisterWebhook, RemoveWebhook, ResumeWebhook,
        RotateWebhookSecret, TestWebhook,
    },
};
use crate::state::Moment;

/// Of one firm in one area.
pub const WEBHOOKS_MAX: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub webhook_id: String,
    pub carrier_id: String,
    pub area: Area,
    pub url: String,
    pub state: WebhookState,
    /// Of the secret in force, from 1.
    pub secret_number: i32,
    /// Until when the one before signs too.
    pub previous_until: Option<Timestamp>,
    /// Where it was registered: everything behind is to be delivered.
    pub since: Position,
    pub disabled_reason: String,
    pub revision: Revision,
}

impl Webhook {
    /// Numbers of the secrets that sign at this time, the newest first.
    #[must_use]
    pub fn secrets(&self, now: Timestamp) -> Vec<i32> {
        let mut numbers = vec![self.secret_number];
        if self.secret_number > 1 && self.previous_until.is_some_and(|until| now < until) {
            numbers.push(self.secret_number - 1);
        }
        numbers
    }

    /// As the API shows it; how deliveries go is added by who makes them.
    #[must_use]
    pub fn to_message(&self) -> pb::Webhook {
        pb::Webhook {
            webhook_id: self.webhook_id.clone(),
            url: self.url.clone(),
            state: self.state.into(),
            secret_number: self.secret_number,
            previous_secret_until_time: self.previous_until.map(to_proto),
            cursor: self.since.0,
            last_error: self.disabled_reason.clone(),
            ..Default::default()
        }
    }

    pub(crate) fn describe(&self) -> String {
        let state = self.state.as_str_name();
        format!(
            "{} of {}, secret {}",
            state.trim_start_matches("WEBHOOK_STATE_"),
            self.carrier_id,
            self.secret_number
        )
    }
}

impl Freight {
    /// The webhook, if it is this carrier's.
    fn webhook_of(
        &self,
        area: &Area,
        carrier_id: &str,
        webhook_id: &str,
    ) -> Result<&Webhook, Rejection> {
        self.webhooks
            .get(webhook_id)
            .filter(|webhook| webhook.area == *area && webhook.carrier_id == carrier_id)
            .ok_or_else(|| Rejection::unknown(Subject::Webhook, webhook_id))
    }

    fn change_webhook(&mut self, id: &str, moment: &Moment<'_>, f: impl FnOnce(&mut Webhook)) {
        if let Some(webhook) = self.webhooks.get_mut(id) {
            f(webhook);
            webhook.revision = moment.revision;
        }
    }
}

type Events = Result<Vec<LogisticsEvent>, Rejection>;

pub(crate) fn register(freight: &Freight, command: &RegisterWebhook, context: &Context) -> Events {
    freight.carrier_in(&context.area, &command.carrier_id)?;
    let own = freight
        .webhooks
        .values()
        .filter(|webhook| webhook.area == context.area && webhook.carrier_id == command.carrier_id);
    if own.count() >= WEBHOOKS_MAX {
        return Err(Rejection::TooManyWebhooks {
            carrier_id: command.carrier_id.clone(),
        });
    }
    Ok(vec![
        pb::WebhookRegistered {
            webhook_id: context.new_id(0),
            carrier_id: command.carrier_id.clone(),
            url: command.url.clone(),
        }
        .into(),
    ])
}

pub(crate) fn registered(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::WebhookRegistered,
) {
    freight
        .webhooks
        .entry(event.webhook_id.clone())
        .or_insert_with(|| Webhook {
            webhook_id: event.webhook_id.clone(),
            carrier_id: event.carrier_id.clone(),
            area: moment.area.clone(),
            url: event.url.clone(),
            state: WebhookState::Active,
            secret_number: 1,
            previous_until: None,
            since: moment.position,
            disabled_reason: String::new(),
            revision: moment.revision,
        });
}

pub(crate) fn rotate(
    freight: &Freight,
    command: &RotateWebhookSecret,
    context: &Context,
) -> Events {
    let (carrier_id, id) = (&command.carrier_id, &command.webhook_id);
    let webhook = freight.webhook_of(&context.area, carrier_id, id)?;
    let until = context
        .now
        .plus_minutes(command.overlap_hours.saturating_mul(60));
    Ok(vec![
        pb::WebhookSecretRotated {
            webhook_id: id.clone(),
            secret_number: webhook.secret_number.saturating_add(1),
            previous_until_time: Some(to_proto(until)),
        }
        .into(),
    ])
}

pub(crate) fn rotated(
    freight: &mut Freight,
    moment: &Moment<'_>,
    event: &pb::WebhookSecretRotated,
) {
    freight.change_webhook(&event.webhook_id, moment, |webhook| {
        webhook.secret_number = event.secret_number;
        webhook.previous_until = event.previous_until_time.as_ref().map(from_proto);
    });
}

pub(crate) fn pause(freight: &Freight, command: &PauseWebhook, context: &Context) -> Events {
    let (carrier_id, id) = (&command.carrier_id, &command.webhook_id);
    let webhook = freight.webhook_of(&context.area, carrier_id, id)?;
    Ok(match webhook.state {
        WebhookState::Paused => vec![],
        _ => vec![
            pb::WebhookPaused {
                webhook_id: id.clone(),
            }
            .into(),
        ],
    })
}

pub(crate) fn paused(freight: &mut Freight, moment: &Moment<'_>, event: &pb::WebhookPaused) {
    freight.change_webhook(&event.webhook_id, moment, |webhook| {
        webhook.state = WebhookState::Paused;
        webhook.disabled_reason.clear();
    });
}

pub(crate) fn resume(freight: &Freight, command: &ResumeWebhook, context: &Context) -> Events {
    let (carrier_id, id) = (&command.carrier_id, &command.webhook_id);
    let webhook = freight.webhook_of(&context.area, carrier_id, id)?;
    Ok(match webhook.state {
        WebhookState::Active => vec![],
        _ => vec![
            pb::WebhookResumed {
                webhook_id: id.clone(),
            }
            .into(),
        ],
    })
}

pub(crate) fn resumed(freight: &mut Freight, moment: &Moment<'_>, event: &pb::WebhookResumed) {
    freight.change_webhook(&event.webhook_id, moment, |webhook| {
        webhook.state = WebhookState::Active;
        webhook.disabled_reason.clear();
    });
}

pub(crate) fn remove(freight: &Freight, command: &RemoveWebhook, context: &Context) -> Events {
    let (carrier_id, id) = (&command.carrier_id, &command.webhook_id);
    freight.webhook_of(&context.area, carrier_id, id)?;
    Ok(vec![
        pb::WebhookRemoved {
            webhook_id: id.clone(),
        }
        .into(),
    ])
}

pub(crate) fn removed(freight: &mut Freight, event: &pb::WebhookRemoved) {
    freight.webhooks.remove(&event.webhook_id);
}

/// By the service itself; one that is not active any more is left alone.
pub(crate) fn disable(freight: &Freight, command: &DisableWebhook, context: &Context) -> Events {
    let webhook = freight.webhooks.get(&command.webhook_id);
    let webhook = webhook.filter(|webhook| webhook.area == context.area);
    let webhook =
        webhook.ok_or_else(|| Rejection::unknown(Subject::Webhook, &command.webhook_id))?;
    if webhook.state != WebhookState::Active {
        return Ok(vec![]);
    }
    Ok(vec![
        pb::WebhookDisabled {
            webhook_id: command.webhook_id.clone(),
            failing_since_time: Some(to_proto(command.failing_since)),
            reason: command.reason.clone(),
        }
        .into(),
    ])
}

pub(crate) fn disabled(freight: &mut Freight, moment: &Moment<'_>, event: &pb::WebhookDisabled) {
    freight.change_webhook(&event.webhook_id, moment, |webhook| {
        webhook.state = WebhookState::Disabled;
        webhook.disabled_reason.clone_from(&event.reason);
    });
}

pub(crate) fn test(freight: &Freight, command: &TestWebhook, context: &Context) -> Events {
    let (carrier_id, id) = (&command.carrier_id, &command.webhook_id);
    let webhook = freight.webhook_of(&context.area, carrier_id, id)?;
    if webhook.state != WebhookState::Active {
        return Err(Rejection::WebhookIs {
            webhook_id: id.clone(),
            state: webhook.state,
        });
    }
    Ok(vec![
        pb::WebhookTested {
            webhook_id: id.clone(),
        }
        .into(),
    ])
}

/// Tells the follower of the log; it changes no state.
pub(crate) fn tested(freight: &mut Freight, moment: &Moment<'_>, event: &pb::WebhookTested) {
    freight.change_webhook(&event.webhook_id, moment, |_| {});
}
