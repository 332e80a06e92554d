//! Webhooks of a firm: whose they are, and which secrets sign.

use decider::Rejected;
use logistics_domain::*;
use proto::{LogisticsEvent, logistics::v1::WebhookState};

use crate::{
    haulage::haulage,
    world::{Spec, hours},
};

fn register(spec: &mut Spec, carrier_id: &str) -> String {
    let register = RegisterWebhook {
        carrier_id: carrier_id.into(),
        url: "https://firm.example/hook".into(),
    };
    let events = spec.accept(register.into());
    let [LogisticsEvent::WebhookRegistered(registered)] = &events[..] else {
        panic!("{events:?}")
    };
    registered.webhook_id.clone()
}

fn webhook<'a>(spec: &'a Spec, id: &str) -> &'a Webhook {
    spec.state.webhook(id).expect("a webhook")
}

fn rotate(id: &str, overlap_hours: i64) -> RotateWebhookSecret {
    RotateWebhookSecret {
        carrier_id: "acme".into(),
        webhook_id: id.into(),
        overlap_hours,
    }
}

fn disable(id: &str) -> Command {
    DisableWebhook {
        webhook_id: id.into(),
        failing_since: hours(0),
        reason: "503".into(),
    }
    .into()
}

fn reason(spec: &mut Spec, command: impl Into<Command>) -> &'static str {
    spec.run(command.into()).expect_err("refused").reason()
}

#[test]
fn the_secret_before_signs_until_its_time_is_over() {
    let mut spec = haulage();
    let id = register(&mut spec, "acme");
    assert_eq!(webhook(&spec, &id).secrets(hours(0)), [1]);
    spec.accept(rotate(&id, 24).into());
    assert_eq!(webhook(&spec, &id).secrets(hours(23)), [2, 1]);
    assert_eq!(webhook(&spec, &id).secrets(hours(24)), [2]);
    // A third is there before that: the first signs no more.
    spec.accept(rotate(&id, 24).into());
    assert_eq!(webhook(&spec, &id).secrets(hours(1)), [3, 2]);
    spec.accept(rotate(&id, 0).into());
    assert_eq!(webhook(&spec, &id).secrets(hours(0)), [4]);
}

#[test]
fn a_webhook_is_its_firms_and_no_others() {
    let mut spec = haulage();
    let id = register(&mut spec, "acme");
    let other = PauseWebhook {
        carrier_id: "bolt".into(),
        webhook_id: id.clone(),
    };
    assert_eq!(reason(&mut spec, other), "WEBHOOK_UNKNOWN");
    let nobody = RegisterWebhook {
        carrier_id: "nobody".into(),
        url: String::new(),
    };
    assert_eq!(reason(&mut spec, nobody), "CARRIER_UNKNOWN");
    for _ in 1..WEBHOOKS_MAX {
        register(&mut spec, "acme");
    }
    let one_more = RegisterWebhook {
        carrier_id: "acme".into(),
        url: String::new(),
    };
    assert_eq!(reason(&mut spec, one_more), "TOO_MANY_WEBHOOKS");
    register(&mut spec, "bolt");
    let remove = RemoveWebhook {
        carrier_id: "acme".into(),
        webhook_id: id.clone(),
    };
    spec.accept(remove.into());
    assert!(spec.state.webhook(&id).is_none());
    register(&mut spec, "acme");
}

#[test]
fn what_was_disabled_is_resumed_and_what_was_paused_is_not_disabled() {
    let mut spec = haulage();
    let id = register(&mut spec, "acme");
    let of = || ("acme".to_owned(), id.clone());
    let pause = || {
        let (carrier_id, webhook_id) = of();
        Command::from(PauseWebhook {
            carrier_id,
            webhook_id,
        })
    };
    let resume = || {
        let (carrier_id, webhook_id) = of();
        Command::from(ResumeWebhook {
            carrier_id,
            webhook_id,
        })
    };
    spec.accept(disable(&id));
    assert_eq!(webhook(&spec, &id).state, WebhookState::Disabled);
    assert_eq!(webhook(&spec, &id).disabled_reason, "503");
    spec.accept(resume());
    assert_eq!(webhook(&spec, &id).state, WebhookState::Active);
    assert!(spec.accept(resume()).is_empty(), "it is active");
    spec.accept(pause());
    assert!(
        spec.accept(disable(&id)).is_empty(),
        "nobody delivers to it"
    );
    assert_eq!(webhook(&spec, &id).state, WebhookState::Paused);
    let (carrier_id, webhook_id) = of();
    let test = TestWebhook {
        carrier_id,
        webhook_id,
    };
    assert_eq!(reason(&mut spec, test), "WEBHOOK_STATE");
}
