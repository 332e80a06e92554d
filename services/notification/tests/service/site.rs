//! A community with this service, a nats-server, a robot and what the other
//! services tell. Every wait is for a record of the service's own log.

use std::{collections::VecDeque, time::Duration};

use bus::{
    Bus, BusOptions,
    server::{NatsServer, ServerOptions},
};
use decider::{Area, Recorded, Service, Timestamp, spec::START};
use notification::{
    channel::{Secret, webhook},
    config::{App, ChannelOptions, Config, base},
};
use prost::Message;
use proto::{
    LogisticsEvent, NotificationEvent, OrderEvent,
    admin::v1::{
        AdvanceClockRequest, GetStatusRequest, PartitionStatus,
        admin_service_client::AdminServiceClient,
    },
    log::v1::{ReadRequest, ReadResponse, log_service_client::LogServiceClient},
    logistics::v1::DoorLeft,
    notification::v1::{
        GetNotificationRequest, Notification,
        notification_service_client::NotificationServiceClient,
    },
    order::v1::{Contact, HouseholdRegistered, PersonalDataErased},
    time::to_proto,
    types::v1::{Door, Need, Sealed},
};
use service_kit::{
    config::{ClockKind, NatsOptions, SealingOptions, ServiceOptions},
    host::Addresses,
    sealing::{KeyRing, MasterKeys, household_key},
};
use tempfile::TempDir;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tonic::{Streaming, transport::Channel};

use crate::{
    feed::{AREA, Feed},
    robot::Robot,
};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Site {
    pub client: NotificationServiceClient<Channel>,
    pub robot: Robot,
    order: Feed,
    logistics: Feed,
    keys: KeyRing,
    running: Running,
    now: Timestamp,
    // Dropped last: the service and the feeds need them.
    _tasks: JoinSet<()>,
    nats: NatsServer,
    directory: TempDir,
}

/// One life of the service.
struct Running {
    admin: AdminServiceClient<Channel>,
    log: Streaming<ReadResponse>,
    read: VecDeque<Recorded<NotificationEvent>>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Site {
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
        let sealing = sealing(&directory);
        let master = MasterKeys::load(&sealing).expect("a master key");
        let opened = KeyRing::open(&bus, master).await;
        let keys = opened.expect("a key ring").keys;
        let mut tasks = JoinSet::new();
        let robot = Robot::start(&mut tasks).await;
        let order = Feed::start(&bus, Service::Order, &mut tasks);
        let logistics = Feed::start(&bus, Service::Logistics, &mut tasks);
        let (running, client) = Running::start(&directory, &nats, &robot).await;
        Self {
            client,
            robot,
            order,
            logistics,
            keys,
            running,
            now: START,
            _tasks: tasks,
            nats,
            directory,
        }
    }

    /// The household lives here from now on, with a contact that can be opened.
    pub async fn register(&mut self, household_id: &str, needs: &[Need]) {
        let contact = Contact {
            name: "卓玛".into(),
            phone: "13800001234".into(),
            address: "G03-B12".into(),
            email: String::new(),
        };
        let key = household_key(&Area::new(AREA).expect("nine digits"), household_id);
        let sealed = self.keys.seal(&key, &contact.encode_to_vec()).await;
        self.register_with(household_id, needs, sealed.expect("sealed"))
            .await;
    }

    pub async fn register_with(&mut self, household_id: &str, needs: &[Need], contact: Sealed) {
        self.order.publish::<OrderEvent>(HouseholdRegistered {
            household_id: household_id.into(),
            door: Some(Door::default()),
            contact: Some(contact),
            needs: needs.iter().map(|need| (*need).into()).collect(),
            cadre_id: "cadre-1".into(),
            language: "en".into(),
            people: 2,
        });
        self.recorded(|event| match event {
            NotificationEvent::ContactRecorded(event) if event.household_id == household_id => {
                Some(())
            }
            _ => None,
        })
        .await;
    }

    /// The order service tells that the household's contact is to be forgotten.
    pub fn erase(&self, household_id: &str) {
        self.order.publish::<OrderEvent>(PersonalDataErased {
            household_id: household_id.into(),
            key_id: format!("household/{AREA}/{household_id}"),
            reason: "MOVED_AWAY".into(),
            open_orders: 1,
        });
    }

    /// The member has left the door; gives the id of what follows from it.
    pub async fn door_left(&mut self, order_id: &str, household_id: &str) -> String {
        self.logistics.publish::<LogisticsEvent>(DoorLeft {
            order_id: order_id.into(),
            run_id: "R1".into(),
            member_id: "m-07".into(),
            household_id: household_id.into(),
            cadre_id: "cadre-1".into(),
            door: Some(Door::default()),
        });
        self.recorded(|event| match event {
            NotificationEvent::NotificationRequested(event) if event.order_id == order_id => {
                Some(event.notification_id.clone())
            }
            _ => None,
        })
        .await
    }

    /// Reads on in the service's log up to the first record that `pick` wants;
    /// what lies before is passed over for good.
    pub async fn recorded<T>(&mut self, pick: impl Fn(&NotificationEvent) -> Option<T>) -> T {
        self.record(|record| pick(&record.event)).await
    }

    pub async fn record<T>(
        &mut self,
        pick: impl Fn(&Recorded<NotificationEvent>) -> Option<T>,
    ) -> T {
        tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = pick(&self.running.next().await) {
                    return found;
                }
            }
        })
        .await
        .expect("a record in time")
    }

    /// Sets the clock forward.
    pub async fn pass_minutes(&mut self, minutes: i64) {
        self.pass_seconds(60 * minutes).await;
    }

    pub async fn pass_seconds(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
        let to = Some(to_proto(self.now));
        let advanced = self.running.admin.advance_clock(AdvanceClockRequest { to });
        advanced.await.expect("a test clock");
    }

    pub async fn get(&mut self, notification_id: &str) -> Notification {
        let request = GetNotificationRequest {
            area: AREA.into(),
            notification_id: notification_id.into(),
            ..GetNotificationRequest::default()
        };
        let answer = self.client.get_notification(request).await;
        let answer = answer.expect("a notification").into_inner();
        answer.notification.expect("a notification")
    }

    pub async fn status(&mut self) -> PartitionStatus {
        let status = self.running.admin.get_status(GetStatusRequest {}).await;
        let mut status = status.expect("a status").into_inner();
        status.partitions.remove(0)
    }

    /// Asks the service to end, without waiting for it.
    pub fn ask_to_stop(&self) {
        self.running.stop.cancel();
    }

    /// Waits for the end of the service and starts it again on the same log,
    /// whose records are then read from the first on.
    pub async fn start_again(&mut self) {
        let ended = tokio::time::timeout(PATIENCE, &mut self.running.task).await;
        let ended = ended.expect("an end in time").expect("no panic");
        ended.expect("a clean end");
        let (running, client) = Running::start(&self.directory, &self.nats, &self.robot).await;
        self.running = running;
        self.client = client;
    }
}

fn sealing(directory: &TempDir) -> SealingOptions {
    SealingOptions {
        master_key_file: directory.path().join("master.key"),
        create_master_key: true,
        ..SealingOptions::default()
    }
}

impl Running {
    async fn start(
        directory: &TempDir,
        nats: &NatsServer,
        robot: &Robot,
    ) -> (Self, NotificationServiceClient<Channel>) {
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
            sealing: sealing(directory),
            app: App {
                channels: vec![ChannelOptions::Webhook(webhook::Options {
                    url: Secret::new(&robot.url),
                    timeout_ms: 30_000,
                    proxy: None,
                })],
            },
            ..base()
        };
        let stop = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let task = tokio::spawn(notification::run(config, Some(ready), stop.clone()));
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
        let running = Self {
            admin: AdminServiceClient::new(channel.clone()),
            log: log.expect("a log").into_inner(),
            read: VecDeque::new(),
            stop,
            task,
        };
        (running, NotificationServiceClient::new(channel))
    }

    /// The next record of the domain.
    async fn next(&mut self) -> Recorded<NotificationEvent> {
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

impl Drop for Site {
    fn drop(&mut self) {
        self.running.stop.cancel();
        self.running.task.abort();
    }
}
