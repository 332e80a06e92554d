//! A notification: how it is asked for, and what each fact makes of it.

use std::sync::Arc;

use decider::{Area, Context, Recorded, Revision, Timestamp};
use proto::{
    NotificationEvent,
    notification::v1::{self as pb, ChannelKind, Parameter},
    time::or_epoch,
};
use serde::{Deserialize, Serialize};

use crate::{
    command::RequestNotification,
    contact::Contact,
    ladder::{self, CALL_WAIT_MINUTES, FirstStep, RECEIPT_WAIT_MINUTES},
    state::State,
    values::{CallOutcome, Evidence, Kind, Language, Phase, Rung},
};

/// Something that a household is told, and how far that has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    pub notification_id: Arc<str>,
    pub area: Area,
    pub household_id: String,
    pub kind: Kind,
    pub order_id: String,
    /// Who answers for the household: now while open, at the end when closed.
    /// Empty where nobody is known.
    pub cadre_id: String,
    pub parameters: Vec<Parameter>,
    pub needs_receipt: bool,
    pub language: Language,
    pub phase: Phase,
    pub rung: Rung,
    /// Attempts at sending so far.
    pub attempts: i32,
    /// The channel of the last attempt.
    pub channel: Option<ChannelKind>,
    /// How the telephone call went.
    pub call_outcome: Option<CallOutcome>,
    /// Set once closed.
    pub evidence: Option<Evidence>,
    pub requested: Timestamp,
    pub updated: Timestamp,
    pub revision: Revision,
    /// Of the record that asked for it.
    pub correlation_id: String,
    pub(crate) send_at: Option<Timestamp>,
    pub(crate) climb_at: Option<Timestamp>,
}

/// What an open notification waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep<'a> {
    Send { at: Timestamp },
    Receipt { until: Timestamp },
    Call { until: Timestamp },
    Visit { cadre_id: &'a str },
}

impl Notification {
    /// None once it is closed, and nowhere else unless the log was altered.
    #[must_use]
    pub fn next_step(&self) -> Option<NextStep<'_>> {
        match self.phase {
            Phase::Pending => self.send_at.map(|at| NextStep::Send { at }),
            Phase::Sent => self.climb_at.map(|until| NextStep::Receipt { until }),
            Phase::CallTaskOpen => self.climb_at.map(|until| NextStep::Call { until }),
            Phase::VisitOpen if self.cadre_id.is_empty() => None,
            Phase::VisitOpen => Some(NextStep::Visit {
                cadre_id: &self.cadre_id,
            }),
            Phase::Closed => None,
        }
    }

    fn stand(&mut self, phase: Phase, rung: Rung, climb_at: Option<Timestamp>) {
        self.phase = phase;
        self.rung = rung;
        self.send_at = None;
        self.climb_at = climb_at;
    }

    fn close(&mut self, evidence: Evidence) {
        let rung = self.rung;
        self.stand(Phase::Closed, rung, None);
        self.evidence = Some(evidence);
    }
}

pub(crate) fn request(
    state: &State,
    request: &RequestNotification,
    context: &Context,
) -> Vec<NotificationEvent> {
    let RequestNotification {
        kind,
        order_id,
        household_id,
        ..
    } = request;
    if kind.once_per_order() && state.once(*kind, order_id).is_some() {
        return Vec::new();
    }
    let contact = state.contact(household_id);
    let cadre_id = match contact {
        Some(contact) if !contact.cadre_id.is_empty() => &contact.cadre_id,
        _ => &request.cadre_id,
    };
    let first = FirstStep::of(*kind, contact);
    let notification_id = context.new_id(0);
    let mut events = vec![
        pb::NotificationRequested {
            notification_id: notification_id.clone(),
            household_id: household_id.clone(),
            kind: kind.to_proto().into(),
            order_id: order_id.clone(),
            cadre_id: cadre_id.clone(),
            parameters: request.parameters.clone(),
            needs_receipt: kind.needs_receipt(),
            rung: first.rung().to_proto().into(),
            language: contact
                .map_or_else(Language::default, Contact::language)
                .tag()
                .to_owned(),
        }
        .into(),
    ];
    match first {
        FirstStep::Message => {}
        FirstStep::Call { reason } => events.push(ladder::call_task(
            &notification_id,
            order_id,
            household_id,
            reason,
        )),
        FirstStep::Visit { reason } => events.push(ladder::visit(
            &notification_id,
            order_id,
            household_id,
            cadre_id,
            reason,
        )),
    }
    events
}

/// Folds an event of a notification's stream. What does not fit where the
/// notification stands changes nothing but its revision.
pub(crate) fn evolve(state: &mut State, record: &Recorded<NotificationEvent>) {
    use NotificationEvent as E;
    let now = record.recorded;
    match &record.event {
        E::NotificationRequested(event) => requested(state, record, event),
        E::MessageSent(event) => update(state, record, &event.notification_id, |n| {
            tried(n, event.attempt, event.channel());
            if n.phase != Phase::Pending {
                return;
            }
            if n.needs_receipt {
                let until = now.plus_minutes(RECEIPT_WAIT_MINUTES);
                n.stand(Phase::Sent, Rung::Message, Some(until));
            } else {
                n.close(Evidence::Sent);
            }
        }),
        E::MessageFailed(event) => update(state, record, &event.notification_id, |n| {
            tried(n, event.attempt, event.channel());
            if n.phase == Phase::Pending {
                let again = or_epoch(event.retry_time.as_ref());
                n.send_at = (!event.r#final).then_some(again);
            }
        }),
        E::NotificationAcknowledged(event) => update(state, record, &event.notification_id, |n| {
            if n.phase != Phase::Closed {
                n.close(Evidence::Receipt);
            }
        }),
        E::CallTaskOpened(event) => update(state, record, &event.notification_id, |n| {
            if matches!(n.phase, Phase::Pending | Phase::Sent) {
                let until = now.plus_minutes(CALL_WAIT_MINUTES);
                n.stand(Phase::CallTaskOpen, Rung::Call, Some(until));
            }
        }),
        E::CallTaskCompleted(event) => update(state, record, &event.notification_id, |n| {
            if n.phase == Phase::CallTaskOpen {
                n.call_outcome = CallOutcome::from_proto(event.outcome());
                if n.call_outcome == Some(CallOutcome::Answered) {
                    n.close(Evidence::Call);
                }
            }
        }),
        E::VisitOpened(event) => update(state, record, &event.notification_id, |n| {
            if !matches!(n.phase, Phase::VisitOpen | Phase::Closed) {
                n.stand(Phase::VisitOpen, Rung::Visit, None);
            }
        }),
        E::VisitCompleted(event) => visited(state, record, event),
        // Folded by `contact` and `erasure`.
        E::ContactRecorded(_) | E::ContactCadreChanged(_) | E::ContactErased(_) => {}
    }
}

fn requested(
    state: &mut State,
    record: &Recorded<NotificationEvent>,
    event: &pb::NotificationRequested,
) {
    let (Some(kind), Some(rung)) = (
        Kind::from_proto(event.kind()),
        Rung::from_proto(event.rung()),
    ) else {
        return;
    };
    state.put_notification(Notification {
        notification_id: event.notification_id.as_str().into(),
        area: record.area.clone(),
        household_id: event.household_id.clone(),
        kind,
        order_id: event.order_id.clone(),
        cadre_id: event.cadre_id.clone(),
        parameters: event.parameters.clone(),
        needs_receipt: event.needs_receipt,
        language: Language::for_tag(&event.language),
        // The call task or visit of a higher rung follows in the same command.
        phase: Phase::Pending,
        rung,
        attempts: 0,
        channel: None,
        call_outcome: None,
        evidence: None,
        requested: record.recorded,
        updated: record.recorded,
        revision: record.revision,
        correlation_id: record.correlation_id.clone(),
        send_at: (rung == Rung::Message).then_some(record.recorded),
        climb_at: None,
    });
}

fn visited(state: &mut State, record: &Recorded<NotificationEvent>, event: &pb::VisitCompleted) {
    let mut fault = None;
    update(state, record, &event.notification_id, |n| {
        if n.phase != Phase::VisitOpen {
            return;
        }
        if n.cadre_id != event.cadre_id {
            fault = Some(format!(
                "closed by a visit of {}, but {} answers for household {}",
                event.cadre_id, n.cadre_id, n.household_id
            ));
        }
        n.close(Evidence::Visit);
    });
    if let Some(detail) = fault {
        state.put_fault(&event.notification_id, detail);
    }
}

fn tried(notification: &mut Notification, attempt: i32, channel: ChannelKind) {
    notification.attempts = notification.attempts.max(attempt);
    notification.channel = Some(channel);
}

fn update(
    state: &mut State,
    record: &Recorded<NotificationEvent>,
    id: &str,
    change: impl FnOnce(&mut Notification),
) {
    state.update(id, |notification| {
        notification.updated = record.recorded;
        notification.revision = record.revision;
        change(notification);
    });
}
