//! A firm without gRPC streams is told by webhooks: signed, in order, at least
//! once, and never what is another's.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use proto::{LogisticsEvent, logistics::v1::*};
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tonic::Code;

use crate::{
    ask::{AREA, fresh},
    partner::{join, load},
    site::{Site, expected, ok, refused, wrong_fields},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// One try to deliver.
#[derive(Debug, Clone)]
struct Try {
    id: String,
    timestamp: String,
    signatures: Vec<String>,
    body: Bytes,
}

impl Try {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    /// As a receiver checks it, by the specification and nothing of ours.
    fn is_signed_by(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").expect("a prefix");
        let key = STANDARD.decode(key).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.signatures.contains(&wanted)
    }
}

/// An address of the firm's that answers as it is told, and `200` then.
struct Receiver {
    address: SocketAddr,
    tries: mpsc::UnboundedReceiver<Try>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    serving: JoinHandle<()>,
}

type Shared = (mpsc::UnboundedSender<Try>, Arc<Mutex<VecDeque<u16>>>);

async fn receive(
    State((tell, answers)): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let header = |name| {
        headers
            .get(name)
            .expect(name)
            .to_str()
            .expect("text")
            .to_owned()
    };
    let signatures = header("webhook-signature");
    let tried = Try {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signatures: signatures.split(' ').map(str::to_owned).collect(),
        body,
    };
    let answer = answers.lock().expect("no panic").pop_front().unwrap_or(200);
    let _ = tell.send(tried);
    StatusCode::from_u16(answer).expect("a status")
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (tell, tries) = mpsc::unbounded_channel();
        let answers = Arc::<Mutex<VecDeque<u16>>>::default();
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state((tell, Arc::clone(&answers)));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a server");
        });
        Self {
            address,
            tries,
            answers,
            serving,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn will_answer(&self, answers: &[u16]) {
        self.answers.lock().expect("no panic").extend(answers);
    }

    async fn next(&mut self) -> Try {
        let next = tokio::time::timeout(PATIENCE, self.tries.recv()).await;
        next.expect("a delivery in time").expect("a receiver")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

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
