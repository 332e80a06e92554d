//! An order desk: this service, a nats-server, and clients. Every wait is for a
//! record of the service's own log.

use std::{fmt::Debug, net::SocketAddr, time::Duration};

use bus::{
    Bus, BusOptions,
    server::{NatsServer, ServerOptions},
};
use decider::{Recorded, Timestamp, spec::START};
use order::config::{Config, base};
use proto::{
    OrderEvent,
    admin::v1::{AdvanceClockRequest, GetStatusRequest, admin_service_client::AdminServiceClient},
    log::v1::{ReadRequest, log_service_client::LogServiceClient},
    order::v1::order_service_client::OrderServiceClient,
    time::to_proto,
};
use service_kit::{
    config::{ClockKind, NatsOptions, SealingOptions, ServiceOptions},
    host::Addresses,
    sealing::{KeyRing, MasterKeys},
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::ask;

pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Desk {
    pub client: OrderServiceClient<Channel>,
    pub admin: AdminServiceClient<Channel>,
    pub log: LogServiceClient<Channel>,
    pub http: SocketAddr,
    pub stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    set: fn(&mut ServiceOptions),
    // Dropped last, in this order.
    pub nats: NatsServer,
    pub directory: TempDir,
}

impl Desk {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// With other settings than a test usually has.
    pub async fn start_with(set: fn(&mut ServiceOptions)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let nats = NatsServer::start(ServerOptions {
            store_dir: directory.path().join("nats"),
            ..ServerOptions::default()
        })
        .expect("nats-server");
        let stop = CancellationToken::new();
        let (channel, http, task) = run(config(&directory, &nats, set), stop.clone()).await;
        Self {
            client: OrderServiceClient::new(channel.clone()),
            admin: AdminServiceClient::new(channel.clone()),
            log: LogServiceClient::new(channel),
            http,
            stop,
            task,
            set,
            nats,
            directory,
        }
    }

    /// With these households of grid G01.
    pub async fn with_households(household_ids: &[&str]) -> Self {
        let mut desk = Self::start().await;
        for household_id in household_ids {
            desk.register(household_id).await;
        }
        desk
    }

    pub async fn register(&mut self, household_id: &str) {
        ok(self
            .client
            .register_household(ask::register(household_id))
            .await);
    }

    /// A clean end.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, &mut self.task).await;
        let ended = ended.expect("an end in time").expect("no panic");
        ended.expect("a clean end");
    }

    /// A clean end, and a new life on the same log.
    pub async fn start_again(&mut self) {
        self.stop().await;
        self.start_anew().await;
    }

    /// A new life on the same log, after an end.
    pub async fn start_anew(&mut self) {
        self.stop = CancellationToken::new();
        let config = config(&self.directory, &self.nats, self.set);
        let (channel, http, task) = run(config, self.stop.clone()).await;
        self.task = task;
        self.http = http;
        self.client = OrderServiceClient::new(channel.clone());
        self.admin = AdminServiceClient::new(channel.clone());
        self.log = LogServiceClient::new(channel);
    }

    /// The keys, as another service of the suite has them.
    pub async fn key_ring(&self) -> KeyRing {
        let masters = MasterKeys::load(&sealing(&self.directory)).expect("a master key");
        let opened = KeyRing::open(&self.bus().await, masters).await;
        opened.expect("a key ring").keys
    }

    /// What the service owes by itself.
    pub async fn pending_work(&mut self) -> u64 {
        let status = ok(self.admin.get_status(GetStatusRequest {}).await);
        status.partitions[0].pending_work
    }

    /// What the service says when it does not start.
    pub async fn fails_to_start(&self) -> String {
        let config = config(&self.directory, &self.nats, self.set);
        let run = order::run(config, None, CancellationToken::new());
        let ended = tokio::time::timeout(PATIENCE, run).await;
        let error = ended.expect("an end in time").expect_err("it starts");
        format!("{error:#}")
    }

    pub async fn bus(&self) -> Bus {
        let options = BusOptions {
            url: self.nats.url(),
            name: "test".into(),
            replicas: 1,
        };
        Bus::connect(options).await.expect("a bus")
    }

    /// Sets the test clock so many minutes after [`START`].
    pub async fn advance_to_minute(&mut self, minute: i64) {
        ok(self
            .admin
            .advance_clock(to(START.plus_minutes(minute)))
            .await);
    }

    /// Waits for a record of the service's log, the oldest that `pick` wants.
    pub async fn recorded<T>(&mut self, pick: impl Fn(&Recorded<OrderEvent>) -> Option<T>) -> T {
        let from_the_start = ReadRequest {
            follow: true,
            ..ReadRequest::default()
        };
        let mut parts = ok(self.log.read(from_the_start).await);
        let reading = async {
            loop {
                let part = parts.message().await.expect("a part");
                for bytes in part.expect("an open stream").records {
                    let raw = proto::record::decode(&bytes).expect("a record");
                    // What the runtime notes for itself is no event of the domain.
                    let record = proto::record::decode_event(raw);
                    if let Some(found) = record.ok().as_ref().and_then(&pick) {
                        return found;
                    }
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, reading).await;
        found.expect("a record in time")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

pub async fn run(
    config: Config,
    stop: CancellationToken,
) -> (Channel, SocketAddr, JoinHandle<anyhow::Result<()>>) {
    let (ready, is_ready) = oneshot::channel();
    let task = tokio::spawn(order::run(config, Some(ready), stop));
    let Ok(Addresses { grpc, http }) = is_ready.await else {
        panic!("the service ended: {:?}", task.await);
    };
    let endpoint = Channel::from_shared(format!("http://{grpc}")).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    (channel, http, task)
}

pub fn config(directory: &TempDir, nats: &NatsServer, set: fn(&mut ServiceOptions)) -> Config {
    let mut service = ServiceOptions {
        data_dir: directory.path().join("data"),
        grpc_address: ([127, 0, 0, 1], 0).into(),
        http_address: ([127, 0, 0, 1], 0).into(),
        clock: ClockKind::Test,
        clock_start: service_kit::outbox::rfc3339(START),
        ..ServiceOptions::default()
    };
    set(&mut service);
    Config {
        service,
        nats: NatsOptions {
            url: nats.url(),
            ..NatsOptions::default()
        },
        sealing: sealing(directory),
        ..base()
    }
}

fn sealing(directory: &TempDir) -> SealingOptions {
    SealingOptions {
        master_key_file: directory.path().join("master.key"),
        create_master_key: true,
        ..SealingOptions::default()
    }
}

pub fn to(time: Timestamp) -> AdvanceClockRequest {
    AdvanceClockRequest {
        to: Some(to_proto(time)),
    }
}

#[track_caller]
pub fn ok<T>(answer: Result<Response<T>, Status>) -> T {
    answer.expect("accepted").into_inner()
}

/// A refusal as a caller reads it.
#[derive(Debug)]
pub struct Refused {
    pub code: Code,
    pub reason: String,
    pub message: String,
    /// Fields complained about.
    pub fields: Vec<String>,
    pub retry_after: Option<Duration>,
}

#[track_caller]
pub fn refused<T: Debug>(answer: Result<Response<T>, Status>) -> Refused {
    let status = answer.expect_err("refused");
    let details = status.get_error_details();
    let info = details.error_info();
    let info = info.unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert_eq!(info.domain, "order.baogong");
    let violations = details.bad_request().map(|b| b.field_violations.iter());
    Refused {
        code: status.code(),
        reason: info.reason.clone(),
        message: status.message().to_owned(),
        fields: violations
            .into_iter()
            .flatten()
            .map(|v| v.field.clone())
            .collect(),
        retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
    }
}

impl Refused {
    /// Refused with this code and reason, in words that name all of these.
    #[track_caller]
    pub fn is(&self, code: Code, reason: &str, named: &[&str]) {
        assert_eq!((self.code, &*self.reason), (code, reason), "{self:?}");
        for name in named {
            assert!(
                self.message.contains(name),
                "`{name}` is not named: {self:?}"
            );
        }
    }

    /// Refused for exactly these fields, in words that name all of these.
    #[track_caller]
    pub fn is_for(&self, fields: &[&str], named: &[&str]) {
        assert_eq!(self.fields, fields, "{self:?}");
        self.is(Code::InvalidArgument, "INVALID_FIELDS", named);
        for field in fields {
            assert!(self.message.contains(field), "{field}: {self:?}");
        }
    }
}
