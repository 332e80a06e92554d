//! From request messages to commands that cannot be malformed.

use decider::Service;
use notification_domain::{
    CallOutcome, Command, Filter, Kind, NOTE_MAX_CHARS, Note, Phase, Target,
};
use proto::notification::v1::{
    self as pb, AcknowledgeNotificationRequest, CompleteCallTaskRequest, CompleteVisitRequest,
    ListNotificationsRequest, acknowledge_notification_request::Target as WireTarget,
};
use service_kit::fields::Fields;
use tonic::Status;

const SERVICE: Service = Service::Notification;

pub fn acknowledge(request: &AcknowledgeNotificationRequest) -> Result<Target, Status> {
    let mut fields = Fields::new();
    let target = match &request.target {
        Some(WireTarget::NotificationId(id)) => {
            Target::Notification(fields.code("notification_id", id))
        }
        Some(WireTarget::OrderId(id)) => Target::Order(fields.code("order_id", id)),
        None => {
            fields.wrong("notification_id", "or order_id is needed");
            Target::Notification(String::new())
        }
    };
    fields.finish(SERVICE)?;
    Ok(target)
}

pub fn complete_call_task(request: &CompleteCallTaskRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let notification_id = fields.code("notification_id", &request.notification_id);
    let given: pb::CallOutcome = fields.choice("outcome", request.outcome);
    let done_by = fields.code("done_by", &request.done_by);
    fields.finish(SERVICE)?;
    // Unspecified was refused above.
    let outcome = CallOutcome::from_proto(given).unwrap_or(CallOutcome::NoAnswer);
    Ok(Command::CompleteCallTask {
        notification_id,
        outcome,
        done_by,
    })
}

pub fn complete_visit(request: &CompleteVisitRequest) -> Result<Command, Status> {
    let mut fields = Fields::new();
    let notification_id = fields.code("notification_id", &request.notification_id);
    let cadre_id = fields.code("cadre_id", &request.cadre_id);
    let text = fields.text("note", &request.note, 0..=NOTE_MAX_CHARS);
    let note = Note::parse(text).unwrap_or_default();
    fields.finish(SERVICE)?;
    Ok(Command::CompleteVisit {
        notification_id,
        cadre_id,
        note,
    })
}

/// What a list is to contain, the area aside, which the query parses.
pub fn filter(request: &ListNotificationsRequest) -> Result<Filter, Status> {
    let mut fields = Fields::new();
    let state: Option<pb::NotificationState> = fields.optional_choice("state", request.state);
    let kind: Option<pb::NotificationKind> = fields.optional_choice("kind", request.kind);
    let filter = Filter {
        area: None,
        phase: state.and_then(Phase::from_proto),
        kind: kind.and_then(Kind::from_proto),
        household_id: fields.optional_code("household_id", &request.household_id),
        order_id: fields.optional_code("order_id", &request.order_id),
        cadre_id: fields.optional_code("cadre_id", &request.cadre_id),
    };
    fields.finish(SERVICE)?;
    Ok(filter)
}
