//! One connection to NATS that looks after itself.

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream;
use tokio::sync::watch;

use crate::error::BusError;
use crate::names::StreamName;
use crate::subscription::Subscription;

/// Bound on one JetStream request and on the wait for one acknowledgement.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent peer is given up after about three of these.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(1);
/// Unanswered publications, those of abandoned relay sessions included.
const ACKS_OUTSTANDING_MAX: usize = 16 * 1024;

#[derive(Debug, Clone)]
pub struct BusOptions {
    /// `nats://host:port` or `tls://host:port`, with `user:password@` or
    /// `token@` if the server wants it. Several servers of one cluster are
    /// separated by commas.
    pub url: String,
    /// Name of this client in the server's connection list.
    pub name: String,
    /// Copies of each stream that are asked for: 1 on one node, 3 in a cluster.
    pub replicas: usize,
}

/// A handle to the bus. Clones share one connection, which is closed when the
/// last of them is gone.
#[derive(Clone)]
pub struct Bus {
    pub(crate) jetstream: jetstream::Context,
    client: async_nats::Client,
    pub(crate) replicas: usize,
    pub(crate) rebuild_from: Option<u64>,
    /// Counts the connections made, so that tasks can start afresh at once
    /// when the server is back instead of waiting for a time-out.
    connects: Arc<watch::Sender<u64>>,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus")
            .field("connected", &self.is_connected())
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// Returns at once; connects and reconnects in the background for ever.
    ///
    /// # Errors
    /// Only for options that can never work, for example an unreadable URL.
    pub async fn connect(options: BusOptions) -> Result<Self, BusError> {
        if !(1..=5).contains(&options.replicas) {
            return Err(BusError::Config(format!(
                "replicas = {}: JetStream keeps 1 to 5 copies",
                options.replicas
            )));
        }
        let servers = options
            .url
            .split(',')
            .map(|url| server_address(url.trim()))
            .collect::<Result<Vec<_>, _>>()?;

        let connects = Arc::new(watch::Sender::new(0));
        let counter = Arc::clone(&connects);
        let client = async_nats::ConnectOptions::new()
            .name(&options.name)
            .retry_on_initial_connect()
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(reconnect_delay)
            .event_callback(move |event| {
                let counter = Arc::clone(&counter);
                async move {
                    match event {
                        async_nats::Event::Connected => counter.send_modify(|n| *n += 1),
                        other => tracing::debug!(event = %other, "NATS connection"),
                    }
                }
            })
            .connect(servers)
            .await
            .map_err(|e| BusError::Config(format!("NATS connection: {e}")))?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .ack_timeout(REQUEST_TIMEOUT)
            .max_ack_inflight(ACKS_OUTSTANDING_MAX)
            .build(client.clone());
        Ok(Self {
            jetstream,
            client,
            replicas: options.replicas,
            rebuild_from: None,
            connects,
        })
    }

    /// Lets a log's stream that is missing be made anew from a later position
    /// than 1, which is an operator's choice: what lies before it is in the log
    /// only, and a log cannot be restored from such a stream. It changes nothing
    /// in a stream that exists. Needs nats-server 2.10 or newer.
    #[must_use]
    pub fn rebuilding_from(mut self, position: u64) -> Self {
        self.rebuild_from = Some(position).filter(|position| *position > 1);
        self
    }

    /// Version of the server that this is connected to, as it tells it.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.client.server_info().version
    }

    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Returns when there is a connection; dropping the future is fine.
    pub async fn wait_connected(&self) {
        let mut connects = self.connects();
        while !self.is_connected() {
            // The event may run ahead of the state by a moment, hence the limit.
            let _ = tokio::time::timeout(Duration::from_millis(50), connects.changed()).await;
        }
    }

    /// Messages from position `from` on, as they come.
    ///
    /// Needs neither a connection nor the stream to exist yet.
    #[must_use]
    pub fn subscribe(&self, name: StreamName, from: u64) -> Subscription {
        Subscription::new(self.clone(), name, from.max(1))
    }

    /// Changes with each new connection.
    pub(crate) fn connects(&self) -> watch::Receiver<u64> {
        self.connects.subscribe()
    }
}

fn reconnect_delay(attempts: usize) -> Duration {
    let exponent = u32::try_from(attempts.min(7)).unwrap_or(7);
    Duration::from_millis(10 * 2u64.pow(exponent)).min(RECONNECT_DELAY_MAX)
}

fn server_address(url: &str) -> Result<async_nats::ServerAddr, BusError> {
    // Not to be shown: what may be a password.
    let shown = url.rsplit_once('@').map_or(url, |(_, host)| host);
    let wrong = |reason: &dyn std::fmt::Display| {
        BusError::Config(format!(
            "`{shown}` is not the URL of a NATS server: {reason}"
        ))
    };
    let address: async_nats::ServerAddr = url.parse().map_err(|e| wrong(&e))?;
    if address.host().is_empty() {
        return Err(wrong(&"it has no host"));
    }
    Ok(address)
}

/// Pauses between attempts that grow from 50 ms to `max`.
#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
    max: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);

    pub(crate) const fn up_to(max: Duration) -> Self {
        Self {
            pause: Self::FIRST,
            max,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.pause = Self::FIRST;
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(self.max);
        pause
    }
}
