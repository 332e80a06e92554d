//! Posts messages: for each active webhook one at a time, in the log's order.
//! It decides nothing but when to try again; what it gives up becomes an event.

use std::{
    collections::HashSet,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use decider::{Actor, Position, Service};
use futures::{StreamExt, stream::FuturesUnordered};
use logistics_domain::{Command, DisableWebhook, Logistics, Webhook};
use proto::logistics::v1::WebhookState;
use reqwest::{Certificate, Client, StatusCode, redirect};
use service_kit::{
    access::now_secs,
    follow,
    partition::{Partition, machine::RequestMeta},
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{
    WebhookOptions,
    address::{Policy, Resolver},
    payload::{Payload, payload},
    progress::{Failing, Progress, time},
    secret::SecretKey,
};

/// Records read at a time.
const CHUNK: usize = 256;
/// How often the state is looked at while a webhook waits for its next try.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often progress is saved; what is lost in between is delivered again.
const SAVE_EVERY: Duration = Duration::from_millis(200);
/// Bytes of an answer that are read, so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

pub struct Deliverer {
    partition: Partition<Logistics>,
    key: SecretKey,
    progress: Progress,
    policy: Policy,
    options: WebhookOptions,
    client: Client,
}

/// Why a try failed.
enum Failure {
    /// Perhaps not the next time.
    Now(String),
    /// The address says that it is gone for good (410).
    Gone,
}

/// The webhook is not to be delivered to any more.
struct Over;

impl Deliverer {
    /// # Errors
    /// The authorities of `ca_file` cannot be read, or no client of HTTPS can be
    /// made.
    pub fn new(
        partition: Partition<Logistics>,
        key: SecretKey,
        progress: Progress,
        policy: Policy,
        options: WebhookOptions,
    ) -> anyhow::Result<Self> {
        let client = service_kit::tls::https()
            .tls_certs_merge(authorities(&options.ca_file)?)
            .timeout(Duration::from_millis(options.timeout_ms))
            // It could lead elsewhere than the address that was looked at.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(Resolver(policy)))
            .user_agent(concat!("baogong/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("no client of HTTPS for webhooks")?;
        Ok(Self {
            partition,
            key,
            progress,
            policy,
            options,
            client,
        })
    }

    /// Delivers until `stop`.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut recorded = self.partition.released();
        let mut serving = FuturesUnordered::new();
        let mut served = HashSet::new();
        let mut save = tokio::time::interval(SAVE_EVERY);
        loop {
            for id in self.active() {
                if served.insert(id.clone()) {
                    serving.push(self.serve(id));
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                Some(id) = serving.next() => {
                    served.remove(&id);
                    self.progress.keep_only(|id| self.exists(id));
                }
                changed = recorded.changed() => if changed.is_err() { break },
                _ = save.tick() => self.save().await?,
            }
        }
        self.save().await
    }

    async fn save(&self) -> anyhow::Result<()> {
        let progress = self.progress.clone();
        let saved = tokio::task::spawn_blocking(move || progress.save()).await?;
        saved.context("the progress of webhooks cannot be written")
    }

    fn active(&self) -> Vec<String> {
        self.partition.peek(|machine| {
            let all = machine.state().webhooks();
            let active = all.filter(|webhook| webhook.state == WebhookState::Active);
            active.map(|webhook| webhook.webhook_id.clone()).collect()
        })
    }

    fn exists(&self, id: &str) -> bool {
        let found = |state: &logistics_domain::State| state.webhook(id).is_some();
        self.partition.peek(|machine| found(machine.state()))
    }

    fn now(&self, id: &str) -> Result<Webhook, Over> {
        let webhook = self
            .partition
            .peek(|machine| machine.state().webhook(id).cloned());
        webhook
            .filter(|webhook| webhook.state == WebhookState::Active)
            .ok_or(Over)
    }

    /// Delivers to one webhook until it is not active any more; gives its id.
    async fn serve(&self, id: String) -> String {
        let mut released = self.partition.released();
        while let Ok(webhook) = self.now(&id) {
            let next = self.progress.cursor(&id).max(webhook.since).next();
            let ready = released.wait_for(|last| *last >= next);
            match tokio::time::timeout(LOOK_EVERY, ready).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => break,
                Err(_) => continue,
            }
            let may_tell = *released.borrow();
            if self.deliver_from(&webhook, next, may_tell).await.is_err() {
                break;
            }
        }
        id
    }

    async fn deliver_from(
        &self,
        webhook: &Webhook,
        next: Position,
        may_tell: Position,
    ) -> Result<(), Over> {
        let count = usize::try_from(may_tell.0 + 1 - next.0).unwrap_or(CHUNK);
        let read = follow::entries(&self.partition, next, count.min(CHUNK)).await;
        let Ok(entries) = read else {
            // It was logged; the service is about to end.
            tokio::time::sleep(LOOK_EVERY).await;
            return Err(Over);
        };
        for entry in entries {
            if let Some(payload) = payload(&self.partition, webhook, &entry) {
                self.deliver(&webhook.webhook_id, &payload).await?;
            }
            self.progress.reached(&webhook.webhook_id, entry.position);
        }
        Ok(())
    }

    /// Tries until it is delivered.
    async fn deliver(&self, id: &str, payload: &Payload) -> Result<(), Over> {
        loop {
            let webhook = self.now(id)?;
            let tried = self.post(&webhook, payload).await;
            let outcome = if tried.is_ok() { "delivered" } else { "failed" };
            metrics::counter!("baogong_webhook_tries_total", "outcome" => outcome).increment(1);
            let error = match tried {
                Ok(()) => {
                    self.progress.delivered(id);
                    return Ok(());
                }
                Err(Failure::Gone) => {
                    let why = "the address answers that it is gone (410)";
                    let failing = self.progress.failed(id, webhook.revision, now_secs(), why);
                    self.disable(&webhook, &failing).await;
                    return Err(Over);
                }
                Err(Failure::Now(error)) => error,
            };
            let now = now_secs();
            let failing = self.progress.failed(id, webhook.revision, now, &error);
            tracing::info!(
                webhook = id,
                carrier = webhook.carrier_id,
                tries = failing.tries,
                error,
                "a webhook could not be delivered"
            );
            if now.saturating_sub(failing.since_secs) >= self.options.disable_after_secs {
                self.disable(&webhook, &failing).await;
                return Err(Over);
            }
            self.rest(id, webhook.revision.0, failing.tries).await?;
        }
    }

    /// Waits before the next try; less where the webhook has changed.
    async fn rest(&self, id: &str, revision: u64, tries: u32) -> Result<(), Over> {
        // By chance, so that many that failed together do not come together.
        let chance = rand::random_range(0.8..1.2);
        let until = Instant::now() + self.options.pause(tries).mul_f64(chance);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.now(id)?.revision.0 != revision {
                return Ok(());
            }
            tokio::time::sleep(left.min(LOOK_EVERY)).await;
        }
    }

    async fn post(&self, webhook: &Webhook, payload: &Payload) -> Result<(), Failure> {
        let url = self.policy.parse(&webhook.url);
        let url = url.map_err(|why| Failure::Now(format!("the address {why}")))?;
        let timestamp = now_secs();
        let now = self.partition.clock().now();
        let signatures: Vec<String> = webhook
            .secrets(now)
            .into_iter()
            .map(|number| self.key.secret(&webhook.webhook_id, number))
            .map(|secret| secret.sign(&payload.message_id, timestamp, &payload.body))
            .collect();
        let sent = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", &payload.message_id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(payload.body.clone())
            .send();
        let mut answer = sent.await.map_err(|error| Failure::Now(words(&error)))?;
        let status = answer.status();
        let mut read = 0;
        while let Ok(Some(part)) = answer.chunk().await {
            read += part.len();
            if read > ANSWER_BYTES_MAX {
                break;
            }
        }
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Failure::Gone),
            status => Err(Failure::Now(format!("the address answers {status}"))),
        }
    }

    async fn disable(&self, webhook: &Webhook, failing: &Failing) {
        let id = &webhook.webhook_id;
        let request_id = format!("webhook/{id}/disable/{}", failing.revision);
        let hash = Sha256::digest(request_id.as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash[..16]);
        let meta = RequestMeta {
            correlation_id: request_id.clone(),
            request_id,
            digest,
            area: webhook.area.clone(),
            actor: Actor::system(Service::Logistics.name()),
            if_revision: None,
            traceparent: String::new(),
        };
        let command = Command::from(DisableWebhook {
            webhook_id: id.clone(),
            failing_since: time(failing.since_secs),
            reason: failing.error.clone(),
        });
        match self.partition.submit(command, meta).await {
            Ok(_) => tracing::warn!(
                webhook = id,
                carrier = webhook.carrier_id,
                "a webhook was disabled: {}",
                failing.error
            ),
            // It stays active, and is tried again.
            Err(error) => tracing::error!(webhook = id, %error, "a webhook cannot be disabled"),
        }
    }
}

/// The certificates of a PEM file; none where no file is named.
fn authorities(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    if path.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let named = || format!("app.webhooks.ca_file = {path:?}");
    let pem = std::fs::read(path).with_context(|| format!("{}: cannot be read", named()))?;
    let found =
        Certificate::from_pem_bundle(&pem).with_context(|| format!("{}: no PEM", named()))?;
    anyhow::ensure!(
        !found.is_empty(),
        "{}: there is no certificate in it (-----BEGIN CERTIFICATE-----)",
        named()
    );
    Ok(found)
}

/// What happened, without the address, which may hold a secret of the firm's.
fn words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let what = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "cannot be connected to"
    } else {
        "broke off the exchange"
    };
    let cause: String = cause.to_string().chars().take(200).collect();
    format!("the address {what}: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_cannot_be_read_are_named() {
        assert!(
            authorities(Path::new(""))
                .expect("none is named")
                .is_empty()
        );
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let refused = || format!("{:#}", authorities(&path).expect_err("refused"));
        let named = format!("app.webhooks.ca_file = {path:?}");
        let missing = refused();
        assert!(
            missing.starts_with(&named) && missing.contains("cannot be read"),
            "{missing}"
        );
        for wrong in [
            "",
            "no PEM at all",
            "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&path, wrong).expect("written");
            assert!(refused().starts_with(&named), "{}", refused());
        }
    }
}
