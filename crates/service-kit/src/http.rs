//! Plain HTTP for probes and Prometheus: `/livez`, `/readyz`, `/metrics`; and
//! what other modules add to it (`log_paths`, `witness`).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Whether the service takes requests; shared with the probes. Ready means:
/// replayed, reconciled, connected, and in no trouble that needs a person.
#[derive(Clone)]
pub struct Readiness {
    serving: Arc<AtomicBool>,
    connected: Arc<dyn Fn() -> bool + Send + Sync>,
    troubles: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Readiness {
    /// Not ready yet.
    pub fn new(connected: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            serving: Arc::default(),
            connected: Arc::new(connected),
            troubles: Arc::default(),
        }
    }

    pub fn set(&self, serving: bool) {
        self.serving.store(serving, Ordering::SeqCst);
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.serving.load(Ordering::SeqCst) && (self.connected)() && self.troubles.lock().is_empty()
    }

    /// Notes a trouble by its name, or that it is over; says whether that is
    /// news.
    pub fn trouble(&self, name: &str, what: Option<String>) -> bool {
        let mut troubles = self.troubles.lock();
        match what {
            Some(what) => troubles.insert(name.to_owned(), what.clone()) != Some(what),
            None => troubles.remove(name).is_some(),
        }
    }

    fn what_is_wrong(&self) -> String {
        let troubles = self.troubles.lock();
        if troubles.is_empty() {
            return "replaying, reconciling, without NATS, or shutting down".to_owned();
        }
        let all: Vec<&str> = troubles.values().map(String::as_str).collect();
        all.join("\n")
    }
}

/// Serves until cancelled.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: tokio::net::TcpListener,
    service: &'static str,
    readiness: Readiness,
    logs: Router,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let app = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || async move { metrics_of(service) }))
        .with_state(readiness)
        .merge(logs);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await?;
    Ok(())
}

/// Several services of one process share a recorder; each shows its own.
fn metrics_of(service: &str) -> String {
    let own = format!("service=\"{service}\"");
    crate::telemetry::metrics()
        .render()
        .lines()
        .filter(|line| line.is_empty() || line.starts_with('#') || line.contains(&own))
        .fold(String::new(), |text, line| text + line + "\n")
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, String) {
    if readiness.is_ready() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {}\n", readiness.what_is_wrong()),
        )
    }
}

/// # Errors
/// The address cannot be bound; the message says which.
pub async fn bind(address: SocketAddr, what: &str) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address)
        .await
        .map_err(|error| {
            anyhow::anyhow!(
                "{what} cannot listen on {address}: {error}; is another process using it?"
            )
        })
}
