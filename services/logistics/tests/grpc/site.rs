//! A checkpoint with this service, a nats-server and what the other services
//! tell. Every wait is for a record of the service's own log.

use std::{collections::VecDeque, fmt::Debug, path::PathBuf, time::Duration};

use bus::{
    Bus, BusOptions,
    server::{NatsServer, ServerOptions},
};
use decider::{Service, spec::START};
use logistics::{
    config::{App, Config, base},
    webhook::WebhookOptions,
};
use proto::{
    InventoryEvent, LogisticsEvent,
    admin::v1::admin_service_client::AdminServiceClient,
    inventory::v1::{Bag, DispatchRecalled, OrderDispatched},
    log::v1::{ReadRequest, ReadResponse, log_service_client::LogServiceClient},
    logistics::v1::{
        GetParcelRequest, GetRunRequest, Parcel, Run, freight_service_client::FreightServiceClient,
        logistics_service_client::LogisticsServiceClient,
        partner_service_client::PartnerServiceClient, webhook_service_client::WebhookServiceClient,
    },
    types::v1::Door,
};
use service_kit::{
    config::{ClockKind, NatsOptions, SealingOptions, ServiceOptions},
    host::Addresses,
};
use tempfile::TempDir;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status, Streaming, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    ask::{self, AREA, CARRIER, CHECKPOINT, MEMBER},
    feed::Feed,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// That a firm may upload in a day.
pub const QUOTA_MIB: u32 = 12;

/// The service, as it is started once or again.
struct Running {
    channel: Channel,
    log: Streaming<ReadResponse>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(config: &Config) -> Self {
        let stop = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let task = tokio::spawn(logistics::run(config.clone(), Some(ready), stop.clone()));
        let Ok(Addresses { grpc, .. }) = is_ready.await else {
            panic!("the service ended: {:?}", task.await);
        };
        let channel = Channel::from_shared(format!("http://{grpc}"))
            .expect("an address")
            .connect()
            .await
            .expect("a connection");
        let read = ReadRequest {
            partition: 0,
            from_position: 1,
            follow: true,
            limit: 0,
        };
        let log = LogServiceClient::new(channel.clone()).read(read).await;
        Self {
            channel,
            log: log.expect("a log").into_inner(),
            stop,
            task,
        }
    }
}

pub struct Site {
    pub client: LogisticsServiceClient<Channel>,
    pub partner: PartnerServiceClient<Channel>,
    pub freight: FreightServiceClient<Channel>,
    pub webhooks: WebhookServiceClient<Channel>,
    pub admin: AdminServiceClient<Channel>,
    pub channel: Channel,
    pub inventory: Feed,
    pub notification: Feed,
    log: Streaming<ReadResponse>,
    read: VecDeque<LogisticsEvent>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    config: Config,
    // Dropped last, in this order.
    _tasks: JoinSet<()>,
    nats: Option<NatsServer>,
    directory: TempDir,
}

impl Site {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// With a configuration of its own.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let nats = NatsServer::start(ServerOptions {
            store_dir: directory.path().join("nats"),
            ..ServerOptions::default()
        })
        .expect("nats-server");
        let options = BusOptions {
            url: nats.url(),
            name: "test".into(),
            replicas: 1,
        };
        let bus = Bus::connect(options).await.expect("a bus");
        let mut tasks = JoinSet::new();
        let inventory = Feed::start(&bus, Service::Inventory, &mut tasks);
        let notification = Feed::start(&bus, Service::Notification, &mut tasks);
        let mut config = config(&directory, &nats);
        change(&mut config);
        let running = Running::start(&config).await;
        let channel = running.channel;
        Self {
            client: LogisticsServiceClient::new(channel.clone()),
            partner: PartnerServiceClient::new(channel.clone()),
            freight: FreightServiceClient::new(channel.clone()),
            webhooks: WebhookServiceClient::new(channel.clone()),
            admin: AdminServiceClient::new(channel.clone()),
            channel,
            inventory,
            notification,
            log: running.log,
            read: VecDeque::new(),
            stop: running.stop,
            task: running.task,
            config,
            _tasks: tasks,
            nats: Some(nats),
            directory,
        }
    }

    /// Stopped in order and started again on the same disk.
    pub async fn restart(&mut self) {
        self.stop_in_order().await;
        self.start_again().await;
    }

    pub async fn stop_in_order(&mut self) {
        self.stop.cancel();
        let ended = (&mut self.task).await.expect("no panic");
        ended.expect("a clean end");
    }

    /// After it was stopped, on the same disk.
    pub async fn start_again(&mut self) {
        let running = Running::start(&self.config).await;
        let channel = running.channel;
        self.client = LogisticsServiceClient::new(channel.clone());
        self.partner = PartnerServiceClient::new(channel.clone());
        self.freight = FreightServiceClient::new(channel.clone());
        self.webhooks = WebhookServiceClient::new(channel.clone());
        self.admin = AdminServiceClient::new(channel.clone());
        self.channel = channel;
        self.log = running.log;
        self.read.clear();
        (self.stop, self.task) = (running.stop, running.task);
    }

    /// With a checkpoint and one member on shift there.
    pub async fn with_team() -> Self {
        let mut site = Self::start().await;
        let client = &mut site.client;
        ok(client.register_checkpoint(ask::checkpoint()).await);
        ok(client.register_member(ask::member(MEMBER)).await);
        ok(client.assign_shift(ask::shift(MEMBER)).await);
        site
    }

    /// With these parcels expected, too.
    pub async fn expecting(order_ids: &[&str]) -> Self {
        let mut site = Self::with_team().await;
        for order_id in order_ids {
            site.dispatch(order_id).await;
        }
        site
    }

    /// Tells the service to stop; does not wait for it.
    pub fn shut_down(&self) {
        self.stop.cancel();
    }

    /// With a run under way to these households; gives its id.
    pub async fn under_way(order_ids: &[&str]) -> (Self, String) {
        let mut site = Self::expecting(order_ids).await;
        let receipts = order_ids.iter().map(|id| ask::receipt(id, &[])).collect();
        let client = &mut site.client;
        ok(client.receive_parcels(ask::receive(receipts)).await);
        ok(client.disinfect_parcels(ask::disinfect(order_ids)).await);
        let run_id = ok(client.plan_runs(ask::plan()).await).run_ids.remove(0);
        ok(client.start_run(ask::start(&run_id)).await);
        (site, run_id)
    }

    /// The packed order leaves the store, with two bags of 10 kg.
    pub async fn dispatch(&mut self, order_id: &str) {
        self.inventory
            .publish::<InventoryEvent>(dispatched(order_id));
        self.recorded(|event| match event {
            LogisticsEvent::ParcelExpected(event) if event.order_id == order_id => Some(()),
            _ => None,
        })
        .await;
    }

    pub fn recall(&self, order_id: &str) {
        self.inventory.publish::<InventoryEvent>(DispatchRecalled {
            order_id: order_id.into(),
        });
    }

    /// From here on nothing reaches the bus.
    pub fn stop_nats(&mut self) {
        self.nats = None;
    }

    /// The service's own folder.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data/logistics")
    }

    /// Reads on in the service's log up to the first event that `pick` wants;
    /// what lies before is passed over for good.
    pub async fn recorded<T>(&mut self, pick: impl Fn(&LogisticsEvent) -> Option<T>) -> T {
        let reading = async {
            loop {
                if let Some(found) = pick(&self.next().await) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("a record in time")
    }

    async fn next(&mut self) -> LogisticsEvent {
        loop {
            if let Some(event) = self.read.pop_front() {
                return event;
            }
            let part = self.log.message().await.expect("a part");
            for bytes in part.expect("an open stream").records {
                let raw = proto::record::decode(&bytes).expect("a record");
                // What the runtime notes for itself is no event of the domain.
                if let Ok(record) = proto::record::decode_event::<LogisticsEvent>(raw) {
                    self.read.push_back(record.event);
                }
            }
        }
    }

    pub async fn parcel(&mut self, order_id: &str) -> Parcel {
        let request = GetParcelRequest {
            area: AREA.into(),
            min_position: 0,
            order_id: order_id.into(),
        };
        let answer = ok(self.client.get_parcel(request).await);
        answer.parcel.expect("a parcel")
    }

    pub async fn run(&mut self, run_id: &str) -> Run {
        let request = GetRunRequest {
            area: AREA.into(),
            min_position: 0,
            run_id: run_id.into(),
        };
        ok(self.client.get_run(request).await).run.expect("a run")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

fn config(directory: &TempDir, nats: &NatsServer) -> Config {
    Config {
        service: ServiceOptions {
            data_dir: directory.path().join("data"),
            grpc_address: ([127, 0, 0, 1], 0).into(),
            http_address: ([127, 0, 0, 1], 0).into(),
            clock: ClockKind::Test,
            clock_start: service_kit::outbox::rfc3339(START),
            ..ServiceOptions::default()
        },
        nats: NatsOptions {
            url: nats.url(),
            ..NatsOptions::default()
        },
        sealing: SealingOptions {
            master_key_file: directory.path().join("master.key"),
            create_master_key: true,
            ..SealingOptions::default()
        },
        app: App {
            photo_mib_per_firm_and_day: QUOTA_MIB,
            webhooks: WebhookOptions {
                retry_first_ms: 10,
                retry_longest_ms: 50,
                disable_after_secs: 1,
                ..WebhookOptions::default()
            },
            ..App::default()
        },
        ..base()
    }
}

pub fn dispatched(order_id: &str) -> OrderDispatched {
    OrderDispatched {
        order_id: order_id.into(),
        household_id: format!("H-{order_id}"),
        door: Some(Door {
            community: "zhichaka".into(),
            grid: "G03".into(),
            building: "B12".into(),
            entrance: "E2".into(),
            door: order_id.into(),
        }),
        cadre_id: "cadre-1".into(),
        bags: vec![
            bag(&format!("{order_id}-1"), "rice"),
            bag(&format!("{order_id}-2"), "greens"),
        ],
        load_id: "load-1".into(),
        checkpoint_id: CHECKPOINT.into(),
        custodian_id: CARRIER.into(),
        allocations: vec![],
    }
}

pub fn bag(label: &str, product_id: &str) -> Bag {
    Bag {
        label: label.into(),
        product_id: product_id.into(),
        quantity_units: 2,
        weight_grams: 10_000,
    }
}

#[track_caller]
pub fn ok<T>(answer: Result<Response<T>, Status>) -> T {
    answer.expect("accepted").into_inner()
}

/// Code and reason of a refusal.
#[track_caller]
pub fn refused<T: Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("refused");
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert_eq!(info.domain, "logistics.baogong");
    (status.code(), info.reason)
}

/// The fields that a refusal complains about.
#[track_caller]
pub fn wrong_fields<T: Debug>(answer: Result<T, Status>) -> Vec<String> {
    let status = answer.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let violations = status.get_details_bad_request().map(|b| b.field_violations);
    let violations = violations.unwrap_or_default();
    violations.into_iter().map(|v| v.field).collect()
}

pub fn expected(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}
