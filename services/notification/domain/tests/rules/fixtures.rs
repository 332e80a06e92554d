//! Facts and commands that the specifications are made of.

use decider::{Area, Context, Service, Timestamp, spec::Spec};
use notification_domain::{
    CallOutcome, Command, Kind, Note, Notification, Notifications, Phase, Target,
};
use proto::{
    AnyEvent, LogisticsEvent, NotificationEvent, OrderEvent, logistics::v1 as logistics,
    notification::v1 as pb, order::v1 as order, types::v1::Need, types::v1::Sealed,
};

pub use decider::spec::START;

pub type Story = Spec<Notifications>;

/// The notification that [`goods_at_door`] and its like are about.
pub const N1: &str = "N1";
pub const CONSOLE: pb::ChannelKind = pb::ChannelKind::Console;

pub fn area() -> Area {
    Area::new("632725100").expect("nine digits")
}

pub fn elsewhere() -> Area {
    Area::new("632725200").expect("nine digits")
}

pub fn sealed(key: &str) -> Sealed {
    Sealed {
        key_id: format!("household/{key}"),
        nonce: vec![1; 12],
        ciphertext: vec![2; 40],
    }
}

pub fn contact(household: &str, needs: &[Need]) -> NotificationEvent {
    pb::ContactRecorded {
        household_id: household.into(),
        contact: Some(sealed(household)),
        language: "zh".into(),
        needs: needs.iter().map(|n| i32::from(*n)).collect(),
        cadre_id: "cadre-1".into(),
    }
    .into()
}

pub fn parameters(values: &[(&str, &str)]) -> Vec<pb::Parameter> {
    values
        .iter()
        .map(|(name, value)| pb::Parameter {
            name: (*name).into(),
            value: (*value).into(),
        })
        .collect()
}

/// As [`N1`], for household H1 and order O1, beginning with a message.
pub fn requested(kind: Kind) -> pb::NotificationRequested {
    pb::NotificationRequested {
        notification_id: N1.into(),
        household_id: "H1".into(),
        kind: kind.to_proto().into(),
        order_id: "O1".into(),
        cadre_id: "cadre-1".into(),
        parameters: parameters(&[("order", "O1")]),
        needs_receipt: kind.needs_receipt(),
        rung: pb::Rung::Message.into(),
        language: "zh".into(),
    }
}

pub fn goods_at_door() -> NotificationEvent {
    requested(Kind::GoodsAtDoor).into()
}

pub fn sent(kind: Kind, attempt: i32) -> NotificationEvent {
    pb::MessageSent {
        notification_id: N1.into(),
        channel: CONSOLE.into(),
        attempt,
        order_id: "O1".into(),
        kind: kind.to_proto().into(),
    }
    .into()
}

pub fn failed(attempt: i32, retry: Option<Timestamp>) -> NotificationEvent {
    pb::MessageFailed {
        notification_id: N1.into(),
        channel: CONSOLE.into(),
        attempt,
        error: "no answer".into(),
        r#final: retry.is_none(),
        retry_time: retry.map(proto::time::to_proto),
    }
    .into()
}

pub fn acknowledged() -> NotificationEvent {
    pb::NotificationAcknowledged {
        notification_id: N1.into(),
        order_id: "O1".into(),
        kind: Kind::GoodsAtDoor.to_proto().into(),
    }
    .into()
}

pub fn call_opened(reason: &str) -> NotificationEvent {
    pb::CallTaskOpened {
        notification_id: N1.into(),
        order_id: "O1".into(),
        household_id: "H1".into(),
        reason: reason.into(),
    }
    .into()
}

pub fn called(outcome: CallOutcome) -> NotificationEvent {
    pb::CallTaskCompleted {
        notification_id: N1.into(),
        order_id: "O1".into(),
        outcome: outcome.to_proto().into(),
        done_by: "caller-1".into(),
        kind: Kind::GoodsAtDoor.to_proto().into(),
    }
    .into()
}

pub fn visit_opened(reason: &str) -> NotificationEvent {
    pb::VisitOpened {
        notification_id: N1.into(),
        order_id: "O1".into(),
        household_id: "H1".into(),
        cadre_id: "cadre-1".into(),
        reason: reason.into(),
    }
    .into()
}

pub fn visited(cadre: &str) -> NotificationEvent {
    pb::VisitCompleted {
        notification_id: N1.into(),
        order_id: "O1".into(),
        cadre_id: cadre.into(),
        note: "met".into(),
        kind: Kind::GoodsAtDoor.to_proto().into(),
    }
    .into()
}

pub fn handed_over(to: &str) -> NotificationEvent {
    pb::ContactCadreChanged {
        household_id: "H1".into(),
        cadre_id: to.into(),
    }
    .into()
}

pub fn record_sent(attempt: i32) -> Command {
    Command::RecordSent {
        notification_id: N1.into(),
        channel: CONSOLE,
        attempt,
    }
}

pub fn record_failed(attempt: i32, permanent: bool) -> Command {
    Command::RecordFailed {
        notification_id: N1.into(),
        channel: CONSOLE,
        attempt,
        error: "no answer".into(),
        permanent,
    }
}

pub fn acknowledge() -> Command {
    Command::AcknowledgeNotification {
        target: Target::Notification(N1.into()),
    }
}

pub fn acknowledge_order(order: &str) -> Command {
    Command::AcknowledgeNotification {
        target: Target::Order(order.into()),
    }
}

pub fn complete_call(outcome: CallOutcome) -> Command {
    Command::CompleteCallTask {
        notification_id: N1.into(),
        outcome,
        done_by: "caller-1".into(),
    }
}

pub fn complete_visit(cadre: &str) -> Command {
    Command::CompleteVisit {
        notification_id: N1.into(),
        cadre_id: cadre.into(),
        note: Note::parse("met").expect("short"),
    }
}

pub fn door_left(order: &str, household: &str) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::from(logistics::DoorLeft {
        order_id: order.into(),
        run_id: "R1".into(),
        member_id: "M1".into(),
        household_id: household.into(),
        cadre_id: "cadre-1".into(),
        door: None,
    }))
}

pub fn order_rejected(reason: &str) -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(order::OrderRejected {
        order_id: "O1".into(),
        reason: reason.into(),
        household_id: "H1".into(),
    }))
}

pub fn order_failed(order: &str) -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(order::OrderFailed {
        order_id: order.into(),
        reason: "refused".into(),
        household_id: "H1".into(),
    }))
}

/// What a foreign fact leads to; it must be accepted.
pub fn react(story: &mut Story, service: Service, event: AnyEvent) -> Vec<NotificationEvent> {
    story
        .react(service, event)
        .into_iter()
        .flat_map(|result| result.expect("accepted"))
        .collect()
}

pub fn context_elsewhere(story: &Story) -> Context {
    Context {
        area: elsewhere(),
        ..story.context.clone()
    }
}

/// The only notification there is.
pub fn only(story: &Story) -> &Notification {
    let all = story
        .state
        .list(&notification_domain::Filter::default(), None, 10);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

pub fn phase(story: &Story) -> Phase {
    only(story).phase
}
