//! A firm without gRPC streams is told by webhooks: signed, in order, at least
//! once, and never what is another's.

use proto::{LogisticsEvent, logistics::v1::*};
use tonic::Code;

use crate::{
    ask::{AREA, fresh},
    partner::{join, load},
    receiver::{Authority, Receiver},
    site::{Site, expected, ok, refused, wrong_fields},
};

macro_rules! of {
    ($name:ident, $id:expr) => {
        $name {
            request_id: fresh(),
            area: AREA.into(),
            carrier_id: "acme".into(),
            webhook_id: $id.into(),
        }
    };
}

async fn register(site: &mut Site, url: String) -> RegisterWebhookResponse {
    let request = RegisterWebhookRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        url,
    };
    let registered = ok(site.webhooks.register_webhook(request.clone()).await);
    // A lost answer is asked for again, and the secret is the same.
    let again = ok(site.webhooks.register_webhook(request).await);
    assert_eq!(again, registered);
    registered
}

async fn shown(site: &mut Site) -> Vec<Webhook> {
    let list = ListWebhooksRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        min_position: 0,
    };
    ok(site.webhooks.list_webhooks(list).await).webhooks
}

async fn tender(site: &mut Site) -> String {
    let draft = DraftShipmentRequest {
        request_id: fresh(),
        area: AREA.into(),
        load: Some(load()),
        ..Default::default()
    };
    ok(site.freight.draft_shipment(draft).await).shipment_id
}

#[tokio::test]
async fn a_firm_is_told_of_tenders_signed_and_in_order() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let mut receiver = Receiver::start().await;
    let webhook = register(&mut site, receiver.url()).await;
    let shipment_id = tender(&mut site).await;
    ok(site
        .webhooks
        .test_webhook(of!(TestWebhookRequest, &webhook.webhook_id))
        .await);

    let offered = receiver.next().await;
    assert!(offered.is_signed_by(&webhook.secret), "{offered:?}");
    let told = offered.json();
    assert_eq!(told["type"], "tender.offered");
    assert_eq!(told["data"]["tendered"]["shipmentId"], *shipment_id);
    assert!(told["timestamp"].as_str().expect("a time").ends_with('Z'));
    assert!(offered.id.starts_with("msg_"), "{}", offered.id);

    let test = receiver.next().await;
    assert_eq!(test.kind(), "test");
    assert!(test.is_signed_by(&webhook.secret));
    assert_ne!(test.id, offered.id);

    // Another's secret signs nothing here, and another cannot see it.
    let other = register(&mut site, receiver.url()).await;
    assert!(!test.is_signed_by(&other.secret));
    let mut foreign = of!(PauseWebhookRequest, &webhook.webhook_id);
    join(&mut site, "bolt").await;
    foreign.carrier_id = "bolt".into();
    let unknown = expected(Code::NotFound, "WEBHOOK_UNKNOWN");
    assert_eq!(refused(site.webhooks.pause_webhook(foreign).await), unknown);
}

#[tokio::test]
async fn what_fails_is_tried_again_and_nothing_overtakes_it() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let mut receiver = Receiver::start().await;
    receiver.will_answer(&[500, 301, 429]);
    let webhook = register(&mut site, receiver.url()).await;
    tender(&mut site).await;
    ok(site
        .webhooks
        .test_webhook(of!(TestWebhookRequest, &webhook.webhook_id))
        .await);
    let first = receiver.next().await;
    for _ in 0..3 {
        let again = receiver.next().await;
        assert_eq!(again.id, first.id, "a repetition is known by its id");
        assert_eq!(again.body, first.body);
        assert!(again.is_signed_by(&webhook.secret));
    }
    assert_eq!(receiver.next().await.kind(), "test");
}

#[tokio::test]
async fn two_secrets_sign_while_one_replaces_the_other() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let mut receiver = Receiver::start().await;
    let webhook = register(&mut site, receiver.url()).await;
    let rotate = |overlap_hours| RotateWebhookSecretRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        webhook_id: webhook.webhook_id.clone(),
        overlap_hours,
    };
    let second = ok(site.webhooks.rotate_webhook_secret(rotate(None)).await).secret;
    assert_ne!(second, webhook.secret);
    ok(site
        .webhooks
        .test_webhook(of!(TestWebhookRequest, &webhook.webhook_id))
        .await);
    let both = receiver.next().await;
    assert!(both.is_signed_by(&webhook.secret) && both.is_signed_by(&second));

    let third = ok(site.webhooks.rotate_webhook_secret(rotate(Some(0))).await).secret;
    ok(site
        .webhooks
        .test_webhook(of!(TestWebhookRequest, &webhook.webhook_id))
        .await);
    let one = receiver.next().await;
    assert!(one.is_signed_by(&third));
    assert!(!one.is_signed_by(&second) && !one.is_signed_by(&webhook.secret));
}

#[tokio::test]
async fn what_happens_while_a_webhook_is_paused_comes_when_it_resumes() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let mut receiver = Receiver::start().await;
    let id = register(&mut site, receiver.url()).await.webhook_id;
    ok(site
        .webhooks
        .pause_webhook(of!(PauseWebhookRequest, &id))
        .await);
    tender(&mut site).await;
    let paused = expected(Code::FailedPrecondition, "WEBHOOK_STATE");
    let test = site
        .webhooks
        .test_webhook(of!(TestWebhookRequest, &id))
        .await;
    assert_eq!(refused(test), paused);
    assert_eq!(shown(&mut site).await[0].state(), WebhookState::Paused);
    assert!(receiver.tries.try_recv().is_err(), "nothing came");
    ok(site
        .webhooks
        .resume_webhook(of!(ResumeWebhookRequest, &id))
        .await);
    assert_eq!(receiver.next().await.kind(), "tender.offered");

    ok(site
        .webhooks
        .remove_webhook(of!(RemoveWebhookRequest, &id))
        .await);
    assert!(shown(&mut site).await.is_empty());
}

#[tokio::test]
async fn an_address_that_fails_for_long_is_disabled_and_shown_to_be() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let mut receiver = Receiver::start().await;
    receiver.will_answer(&[503; 10_000]);
    let id = register(&mut site, receiver.url()).await.webhook_id;
    tender(&mut site).await;
    let disabled = site
        .recorded(|event| match event {
            LogisticsEvent::WebhookDisabled(event) => Some(event.clone()),
            _ => None,
        })
        .await;
    assert_eq!(disabled.webhook_id, id);
    assert!(disabled.reason.contains("503"), "{disabled:?}");
    let webhook = shown(&mut site).await.remove(0);
    assert_eq!(webhook.state(), WebhookState::Disabled);
    assert!(webhook.last_error.contains("503"), "{webhook:?}");
    assert!(webhook.failed_tries > 1 && webhook.failing_since_time.is_some());

    // Nothing was lost.
    receiver.answers.lock().expect("no panic").clear();
    while receiver.tries.try_recv().is_ok() {}
    ok(site
        .webhooks
        .resume_webhook(of!(ResumeWebhookRequest, &id))
        .await);
    assert_eq!(receiver.next().await.kind(), "tender.offered");
}

#[tokio::test]
async fn an_address_that_is_gone_is_not_tried_again() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let mut receiver = Receiver::start().await;
    receiver.will_answer(&[410]);
    register(&mut site, receiver.url()).await;
    tender(&mut site).await;
    receiver.next().await;
    let reason = site.recorded(|event| match event {
        LogisticsEvent::WebhookDisabled(event) => Some(event.reason.clone()),
        _ => None,
    });
    assert!(reason.await.contains("410"));
}

#[tokio::test]
async fn addresses_that_lead_into_the_network_are_refused() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    for url in [
        "http://example.org/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/hook",
        "file:///etc/passwd",
        "",
    ] {
        let request = RegisterWebhookRequest {
            request_id: fresh(),
            area: AREA.into(),
            carrier_id: "acme".into(),
            url: url.into(),
        };
        let answer = site.webhooks.register_webhook(request).await;
        assert_eq!(wrong_fields(answer), ["url"], "{url}");
    }
    for _ in 0..4 {
        register(&mut site, "https://example.org/hook".into()).await;
    }
    let fifth = RegisterWebhookRequest {
        request_id: fresh(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        url: "https://example.org/hook".into(),
    };
    let many = expected(Code::ResourceExhausted, "TOO_MANY_WEBHOOKS");
    assert_eq!(refused(site.webhooks.register_webhook(fifth).await), many);
}

#[tokio::test]
async fn over_https_and_over_a_restart_nothing_is_lost_and_nothing_overtaken() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).expect("written");
    let mut site = Site::start_with(|config| {
        config.app.webhooks.ca_file = ca_file;
        // However long it takes to start again.
        config.app.webhooks.disable_after_secs = 3_600;
    })
    .await;
    join(&mut site, "acme").await;
    let mut receiver = Receiver::start_with_tls(&authority).await;
    let webhook = register(&mut site, receiver.url()).await;
    let first = tender(&mut site).await;
    let told = receiver.next().await;
    assert!(told.is_signed_by(&webhook.secret));
    assert_eq!(told.json()["data"]["tendered"]["shipmentId"], *first);

    // The service stops while the firm cannot take what it is told.
    receiver.will_answer(&[503; 10_000]);
    let second = tender(&mut site).await;
    let failed = receiver.next().await;
    assert_eq!(failed.json()["data"]["tendered"]["shipmentId"], *second);
    site.stop_in_order().await;
    receiver.answers.lock().expect("no panic").clear();
    while receiver.tries.try_recv().is_ok() {}
    site.start_again().await;
    let again = receiver.next().await;
    assert_eq!((&again.id, &again.body), (&failed.id, &failed.body));
    assert!(again.is_signed_by(&webhook.secret), "the secret stays");
    ok(site
        .webhooks
        .test_webhook(of!(TestWebhookRequest, &webhook.webhook_id))
        .await);
    assert_eq!(receiver.next().await.kind(), "test");

    // With its progress lost, it tells everything again, as it was.
    site.stop_in_order().await;
    std::fs::remove_file(site.data().join("webhooks-0.json")).expect("saved");
    site.start_again().await;
    assert_eq!(receiver.next().await.id, told.id);
    assert_eq!(receiver.next().await.id, failed.id);
    assert_eq!(receiver.next().await.kind(), "test");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_told_anything() {
    let mut site = Site::start().await;
    join(&mut site, "acme").await;
    let mut receiver = Receiver::start_with_tls(&Authority::new()).await;
    register(&mut site, receiver.url()).await;
    tender(&mut site).await;
    let reason = site
        .recorded(|event| match event {
            LogisticsEvent::WebhookDisabled(event) => Some(event.reason.clone()),
            _ => None,
        })
        .await;
    assert!(reason.contains("certificate"), "{reason}");
    assert!(receiver.tries.try_recv().is_err(), "nothing came");
}
