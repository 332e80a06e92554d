//! The ladder: message, then telephone call, then visit by the cadre. Which
//! rung comes first, how long each is waited for, and what ends it.

use decider::{Context, Timestamp};
use proto::{
    NotificationEvent,
    notification::v1::{self as pb, ChannelKind},
    time::to_proto,
    types::v1::Need,
};

use crate::{
    command::Target,
    contact::Contact,
    notification::Notification,
    rejection::Rejection,
    state::State,
    values::{CallOutcome, Evidence, Kind, Note, Phase, Rung},
};

/// How long a receipt is awaited after the message was sent.
pub const RECEIPT_WAIT_MINUTES: i64 = 30;
/// How long a call task may stay open before the cadre must go.
pub const CALL_WAIT_MINUTES: i64 = 120;
/// Attempts at sending a message, the first included.
pub const ATTEMPTS_MAX: i32 = 5;
/// Pause after the first failed attempt; each further one is twice as long.
pub const BACKOFF_FIRST_SECONDS: i64 = 30;
/// No pause is longer.
pub const BACKOFF_MAX_SECONDS: i64 = 30 * 60;

const ERROR_MAX_CHARS: usize = 200;

/// Why a rung was climbed to; as the events have it.
pub(crate) mod reason {
    pub const NO_RECEIPT: &str = "NO_RECEIPT";
    pub const NO_SMARTPHONE: &str = "NO_SMARTPHONE";
    pub const ELDERLY: &str = "ELDERLY";
    pub const MESSAGE_FAILED: &str = "MESSAGE_FAILED";
    pub const NO_CONTACT: &str = "NO_CONTACT";
    pub const NO_ANSWER: &str = "NO_ANSWER";
    pub const WRONG_NUMBER: &str = "WRONG_NUMBER";
    pub const CALL_NOT_MADE: &str = "CALL_NOT_MADE";
    pub const CONTACT_ERASED: &str = "CONTACT_ERASED";
}

type Decision = Result<Vec<NotificationEvent>, Rejection>;

/// Pause after failed attempt number `attempt`, counted from 1.
#[must_use]
pub fn backoff_seconds(attempt: i32) -> i64 {
    // Sixteen doublings are far above the longest pause, and cannot overflow.
    let doublings = attempt.saturating_sub(1).clamp(0, 16);
    (BACKOFF_FIRST_SECONDS << doublings).min(BACKOFF_MAX_SECONDS)
}

/// The rung to begin with, and why it is not the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstStep {
    Message,
    Call { reason: &'static str },
    Visit { reason: &'static str },
}

impl FirstStep {
    /// Where an answer is awaited, an elderly person is telephoned as well;
    /// what only informs is messaged to everybody with a smartphone.
    pub(crate) fn of(kind: Kind, contact: Option<&Contact>) -> Self {
        match contact {
            None => Self::Visit {
                reason: reason::NO_CONTACT,
            },
            Some(contact) if contact.sealed.is_none() => Self::Visit {
                reason: if contact.erased.is_some() {
                    reason::CONTACT_ERASED
                } else {
                    reason::NO_CONTACT
                },
            },
            Some(contact) if contact.has(Need::NoSmartphone) => Self::Call {
                reason: reason::NO_SMARTPHONE,
            },
            Some(contact) if contact.has(Need::Elderly) && kind.needs_receipt() => Self::Call {
                reason: reason::ELDERLY,
            },
            Some(_) => Self::Message,
        }
    }

    pub(crate) const fn rung(self) -> Rung {
        match self {
            Self::Message => Rung::Message,
            Self::Call { .. } => Rung::Call,
            Self::Visit { .. } => Rung::Visit,
        }
    }
}

pub(crate) fn record_sent(
    state: &State,
    id: &str,
    channel: ChannelKind,
    attempt: i32,
    context: &Context,
) -> Decision {
    let notification = find(state, id, context)?;
    if is_stale(notification, attempt)? {
        return Ok(Vec::new());
    }
    Ok(vec![
        pb::MessageSent {
            notification_id: id.to_owned(),
            channel: channel.into(),
            attempt,
            order_id: notification.order_id.clone(),
            kind: notification.kind.to_proto().into(),
        }
        .into(),
    ])
}

pub(crate) struct Failure<'a> {
    pub(crate) channel: ChannelKind,
    pub(crate) attempt: i32,
    pub(crate) error: &'a str,
    pub(crate) permanent: bool,
}

pub(crate) fn record_failed(
    state: &State,
    id: &str,
    failure: &Failure<'_>,
    context: &Context,
) -> Decision {
    let notification = find(state, id, context)?;
    let attempt = failure.attempt;
    if is_stale(notification, attempt)? {
        return Ok(Vec::new());
    }
    let last = failure.permanent || attempt >= ATTEMPTS_MAX;
    let retry = context.now.plus_seconds(backoff_seconds(attempt));
    let mut events = vec![
        pb::MessageFailed {
            notification_id: id.to_owned(),
            channel: failure.channel.into(),
            attempt,
            error: failure.error.chars().take(ERROR_MAX_CHARS).collect(),
            r#final: last,
            retry_time: (!last).then(|| to_proto(retry)),
        }
        .into(),
    ];
    if last {
        events.push(call_or_visit(state, notification, reason::MESSAGE_FAILED));
    }
    Ok(events)
}

pub(crate) fn acknowledge(state: &State, target: &Target, context: &Context) -> Decision {
    let notification = match target {
        Target::Notification(id) => find(state, id, context)?,
        Target::Order(order_id) => state
            .goods_at_door(order_id)
            .filter(|n| n.area == context.area)
            .ok_or_else(|| Rejection::OrderNotNotified {
                order_id: order_id.clone(),
                area: context.area.clone(),
            })?,
    };
    if notification.phase == Phase::Closed {
        return Ok(Vec::new());
    }
    Ok(vec![
        pb::NotificationAcknowledged {
            notification_id: notification.notification_id.to_string(),
            order_id: notification.order_id.clone(),
            kind: notification.kind.to_proto().into(),
        }
        .into(),
    ])
}

pub(crate) fn complete_call(
    state: &State,
    id: &str,
    outcome: CallOutcome,
    done_by: &str,
    context: &Context,
) -> Decision {
    let notification = find(state, id, context)?;
    if notification.phase != Phase::CallTaskOpen {
        if notification.call_outcome == Some(outcome) {
            return Ok(Vec::new());
        }
        return Err(Rejection::CallTaskNotOpen {
            notification_id: id.to_owned(),
            phase: notification.phase,
        });
    }
    let completed = pb::CallTaskCompleted {
        notification_id: id.to_owned(),
        order_id: notification.order_id.clone(),
        outcome: outcome.to_proto().into(),
        done_by: done_by.to_owned(),
        kind: notification.kind.to_proto().into(),
    };
    let mut events = vec![completed.into()];
    match outcome {
        CallOutcome::Answered => {}
        CallOutcome::NoAnswer => events.push(visit_of(notification, reason::NO_ANSWER)),
        CallOutcome::WrongNumber => events.push(visit_of(notification, reason::WRONG_NUMBER)),
    }
    Ok(events)
}

pub(crate) fn complete_visit(
    state: &State,
    id: &str,
    cadre_id: &str,
    note: &Note,
    context: &Context,
) -> Decision {
    let notification = find(state, id, context)?;
    if notification.phase != Phase::VisitOpen {
        if notification.evidence == Some(Evidence::Visit) && notification.cadre_id == cadre_id {
            return Ok(Vec::new());
        }
        return Err(Rejection::VisitNotOpen {
            notification_id: id.to_owned(),
            phase: notification.phase,
        });
    }
    if notification.cadre_id.is_empty() {
        return Err(Rejection::NoCadre {
            notification_id: id.to_owned(),
            household_id: notification.household_id.clone(),
        });
    }
    if notification.cadre_id != cadre_id {
        return Err(Rejection::NotTheCadre {
            notification_id: id.to_owned(),
            household_id: notification.household_id.clone(),
            cadre_id: cadre_id.to_owned(),
            expected_cadre_id: notification.cadre_id.clone(),
        });
    }
    Ok(vec![
        pb::VisitCompleted {
            notification_id: id.to_owned(),
            order_id: notification.order_id.clone(),
            cadre_id: cadre_id.to_owned(),
            note: note.as_str().to_owned(),
            kind: notification.kind.to_proto().into(),
        }
        .into(),
    ])
}

/// Nobody answered in time: the next rung, if the time really is over.
pub(crate) fn climb(state: &State, id: &str, now: Timestamp) -> Vec<NotificationEvent> {
    let Some(notification) = state.notification(id) else {
        return Vec::new();
    };
    if notification.climb_at.is_none_or(|at| at > now) {
        return Vec::new();
    }
    match notification.phase {
        Phase::Sent => vec![call_or_visit(state, notification, reason::NO_RECEIPT)],
        Phase::CallTaskOpen => vec![visit_of(notification, reason::CALL_NOT_MADE)],
        Phase::Pending | Phase::VisitOpen | Phase::Closed => Vec::new(),
    }
}

/// A notification of another area is as good as none: areas are what callers
/// are authorised for.
fn find<'a>(state: &'a State, id: &str, context: &Context) -> Result<&'a Notification, Rejection> {
    state
        .notification(id)
        .filter(|n| n.area == context.area)
        .ok_or_else(|| Rejection::NotificationUnknown {
            notification_id: id.to_owned(),
            area: context.area.clone(),
        })
}

/// Whether nothing is left to record about an attempt: it is recorded already,
/// or the household was reached (or given up as messaged) meanwhile.
fn is_stale(notification: &Notification, attempt: i32) -> Result<bool, Rejection> {
    if attempt <= notification.attempts || notification.phase != Phase::Pending {
        return Ok(true);
    }
    let expected = notification.attempts.saturating_add(1);
    if attempt == expected {
        Ok(false)
    } else {
        Err(Rejection::AttemptUnexpected {
            notification_id: notification.notification_id.to_string(),
            attempt,
            expected,
        })
    }
}

/// Nobody can telephone where the number was erased.
fn call_or_visit(state: &State, notification: &Notification, reason: &str) -> NotificationEvent {
    let contact = state.contact(&notification.household_id);
    if contact.is_some_and(|contact| contact.erased.is_some()) {
        return visit_of(notification, reason::CONTACT_ERASED);
    }
    call_task(
        &notification.notification_id,
        &notification.order_id,
        &notification.household_id,
        reason,
    )
}

pub(crate) fn visit_of(notification: &Notification, reason: &str) -> NotificationEvent {
    visit(
        &notification.notification_id,
        &notification.order_id,
        &notification.household_id,
        &notification.cadre_id,
        reason,
    )
}

pub(crate) fn call_task(
    notification_id: &str,
    order_id: &str,
    household_id: &str,
    reason: &str,
) -> NotificationEvent {
    pb::CallTaskOpened {
        notification_id: notification_id.to_owned(),
        order_id: order_id.to_owned(),
        household_id: household_id.to_owned(),
        reason: reason.to_owned(),
    }
    .into()
}

pub(crate) fn visit(
    notification_id: &str,
    order_id: &str,
    household_id: &str,
    cadre_id: &str,
    reason: &str,
) -> NotificationEvent {
    pb::VisitOpened {
        notification_id: notification_id.to_owned(),
        order_id: order_id.to_owned(),
        household_id: household_id.to_owned(),
        cadre_id: cadre_id.to_owned(),
        reason: reason.to_owned(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_half_an_hour() {
        let pauses: Vec<i64> = (1..=8).map(backoff_seconds).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1800, 1800]);
        for absurd in [i32::MIN, -1, 0] {
            assert_eq!(backoff_seconds(absurd), 30);
        }
        for absurd in [62, 63, 64, 65, 66, i32::MAX] {
            assert_eq!(backoff_seconds(absurd), 1800);
        }
    }
}
