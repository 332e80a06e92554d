//! A store: this service, a nats-server and what the order service tells. Every
//! wait is for a record of the service's own log.

use std::{collections::VecDeque, time::Duration};

use bus::{
    Bus, BusOptions,
    server::{NatsServer, ServerOptions},
};
use decider::{Actor, Recorded, Service, spec::START};
use inventory::config::{Config, base};
use proto::{
    InventoryEvent, LogisticsEvent, OrderEvent,
    admin::v1::admin_service_client::AdminServiceClient,
    inventory::v1::{
        Category, DefineProductRequest, Demand, DispatchOrdersRequest, GetDemandRequest,
        GetLotRequest, Lot, PickOrdersRequest, ReceiveLotRequest,
        inventory_service_client::InventoryServiceClient,
        surplus_service_client::SurplusServiceClient,
    },
    log::v1::{ReadRequest, ReadResponse, log_service_client::LogServiceClient},
    order::v1::{OrderCancelled, OrderReleased},
    time::to_proto,
    types::v1::{Door, Line},
};
use service_kit::{
    config::{ClockKind, NatsOptions, ServiceOptions},
    host::Addresses,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Streaming, transport::Channel};

use crate::feed::Feed;

pub const AREA: &str = "632725100";
pub const OTHER_AREA: &str = "110101001";
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Store {
    pub client: InventoryServiceClient<Channel>,
    pub surplus: SurplusServiceClient<Channel>,
    pub admin: AdminServiceClient<Channel>,
    running: Running,
    orders: Feed,
    logistics: Feed,
    // Dropped last, in this order.
    nats: NatsServer,
    directory: TempDir,
}

/// One life of the service.
struct Running {
    log: Streaming<ReadResponse>,
    read: VecDeque<Recorded<InventoryEvent>>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Store {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let nats = NatsServer::start(ServerOptions {
            store_dir: directory.path().join("nats"),
            ..ServerOptions::default()
        })
        .expect("nats-server");
        let bus = Bus::connect(BusOptions {
            url: nats.url(),
            name: "test".into(),
            replicas: 1,
        })
        .await
        .expect("a bus");
        let orders = Feed::start(&bus, Service::Order);
        let logistics = Feed::start(&bus, Service::Logistics);
        let (channel, running) = Running::start(&directory, &nats).await;
        Self {
            client: InventoryServiceClient::new(channel.clone()),
            surplus: SurplusServiceClient::new(channel.clone()),
            admin: AdminServiceClient::new(channel),
            running,
            orders,
            logistics,
            nats,
            directory,
        }
    }

    /// A clean end, and a new life on the same log.
    pub async fn start_again(&mut self) {
        self.running.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, &mut self.running.task).await;
        let ended = ended.expect("an end in time").expect("no panic");
        ended.expect("a clean end");
        let (channel, running) = Running::start(&self.directory, &self.nats).await;
        self.client = InventoryServiceClient::new(channel.clone());
        self.surplus = SurplusServiceClient::new(channel.clone());
        self.admin = AdminServiceClient::new(channel);
        self.running = running;
    }

    pub fn logistics_tells(&mut self, event: LogisticsEvent) {
        self.logistics.publish(AREA, &event);
    }

    /// Somebody at the door ordered, and the order is to be fulfilled.
    pub fn released(&mut self, order_id: &str, door: &str, lines: &[(&str, i64)]) {
        let event = OrderReleased {
            order_id: order_id.into(),
            household_id: format!("household-{door}"),
            door: Some(Door {
                community: "zhichaka".into(),
                grid: "G01".into(),
                building: "B1".into(),
                entrance: "E1".into(),
                door: door.into(),
            }),
            lines: lines.iter().map(|(id, units)| line(id, *units)).collect(),
            cadre_id: "cadre-1".into(),
        };
        self.orders.publish(AREA, &OrderEvent::from(event));
    }

    pub fn cancelled(&mut self, order_id: &str) {
        let event = OrderCancelled {
            order_id: order_id.into(),
            ..OrderCancelled::default()
        };
        self.orders.publish(AREA, &OrderEvent::from(event));
    }

    /// Reads on in the service's log up to the first record that `pick` wants;
    /// what lies before is passed over for good.
    pub async fn recorded<T>(&mut self, pick: impl Fn(&InventoryEvent) -> Option<T>) -> T {
        self.record(|record| pick(&record.event)).await
    }

    /// Who made the first such record.
    pub async fn recorded_by(&mut self, is_it: impl Fn(&InventoryEvent) -> bool) -> Actor {
        self.record(|record| is_it(&record.event).then(|| record.actor.clone()))
            .await
    }

    async fn record<T>(&mut self, pick: impl Fn(&Recorded<InventoryEvent>) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = pick(&self.running.next().await) {
                    return found;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.expect("a record in time")
    }

    pub async fn queued(&mut self, order_id: &str) {
        self.recorded(|event| match event {
            InventoryEvent::DemandQueued(e) if e.order_id == order_id => Some(()),
            _ => None,
        })
        .await;
    }

    /// Waits for the order's goods; gives what is missing of them.
    pub async fn reserved(&mut self, order_id: &str) -> Vec<Line> {
        self.recorded(|event| match event {
            InventoryEvent::StockReserved(e) if e.order_id == order_id => Some(e.short.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the "no" to an order; gives the reason.
    pub async fn rejected(&mut self, order_id: &str) -> String {
        self.recorded(|event| match event {
            InventoryEvent::DemandRejected(e) if e.order_id == order_id => Some(e.reason.clone()),
            _ => None,
        })
        .await
    }

    pub async fn define(&mut self, product_id: &str, unit_grams: i64) {
        let answer = self.client.define_product(product(product_id, unit_grams));
        answer.await.expect("a product");
    }

    pub async fn receive(&mut self, lot_id: &str, product_id: &str, units: i64) {
        let answer = self.client.receive_lot(lot(lot_id, product_id, units));
        answer.await.expect("a lot");
    }

    pub async fn lot(&mut self, lot_id: &str) -> Lot {
        let request = GetLotRequest {
            area: AREA.into(),
            lot_id: lot_id.into(),
            ..GetLotRequest::default()
        };
        let answer = self.client.get_lot(request).await.expect("a lot");
        answer.into_inner().lot.expect("a lot")
    }

    pub async fn demand(&mut self, order_id: &str) -> Demand {
        let request = GetDemandRequest {
            area: AREA.into(),
            order_id: order_id.into(),
            ..GetDemandRequest::default()
        };
        let answer = self.client.get_demand(request).await.expect("a demand");
        answer.into_inner().demand.expect("a demand")
    }
}

impl Running {
    async fn start(directory: &TempDir, nats: &NatsServer) -> (Channel, Self) {
        let config = Config {
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
            ..base()
        };
        let stop = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let task = tokio::spawn(inventory::run(config, Some(ready), stop.clone()));
        let Ok(Addresses { grpc, .. }) = is_ready.await else {
            panic!("the service ended: {:?}", task.await);
        };
        let channel = Channel::from_shared(format!("http://{grpc}"))
            .expect("an address")
            .connect()
            .await
            .expect("a connection");
        let from_the_start = ReadRequest {
            follow: true,
            ..ReadRequest::default()
        };
        let log = LogServiceClient::new(channel.clone())
            .read(from_the_start)
            .await;
        let running = Self {
            log: log.expect("a log").into_inner(),
            read: VecDeque::new(),
            stop,
            task,
        };
        (channel, running)
    }

    /// The next record of the domain.
    async fn next(&mut self) -> Recorded<InventoryEvent> {
        loop {
            if let Some(record) = self.read.pop_front() {
                return record;
            }
            let part = self.log.message().await.expect("a part");
            for bytes in part.expect("an open stream").records {
                let raw = proto::record::decode(&bytes).expect("a record");
                // What the runtime notes for itself is no event of the domain.
                if let Ok(record) = proto::record::decode_event(raw) {
                    self.read.push_back(record);
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

pub fn line(product_id: &str, units: i64) -> Line {
    Line {
        product_id: product_id.into(),
        quantity_units: units,
    }
}

pub fn product(product_id: &str, unit_grams: i64) -> DefineProductRequest {
    DefineProductRequest {
        request_id: format!("define-{product_id}"),
        area: AREA.into(),
        product_id: product_id.into(),
        name: "面粉 flour".into(),
        unit_grams,
        category: Category::Staple.into(),
    }
}

/// A lot that keeps for a day.
pub fn lot(lot_id: &str, product_id: &str, units: i64) -> ReceiveLotRequest {
    ReceiveLotRequest {
        request_id: format!("receive-{lot_id}"),
        area: AREA.into(),
        lot_id: lot_id.into(),
        product_id: product_id.into(),
        quantity_units: units,
        supplier_id: "grower-1".into(),
        expires_time: Some(to_proto(START.plus_seconds(24 * 3600))),
        location: "depot".into(),
    }
}

pub fn pick(request_id: &str, order_ids: &[&str]) -> PickOrdersRequest {
    PickOrdersRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        order_ids: order_ids.iter().map(|id| (*id).into()).collect(),
    }
}

pub fn dispatch(request_id: &str, order_ids: &[&str]) -> DispatchOrdersRequest {
    DispatchOrdersRequest {
        request_id: request_id.into(),
        area: AREA.into(),
        order_ids: order_ids.iter().map(|id| (*id).into()).collect(),
        load_id: "load-1".into(),
        checkpoint_id: "checkpoint-1".into(),
        custodian_id: "procurement-1".into(),
    }
}
