//! A robot carrier against the real logistics service: what a load harness
//! does with hundreds of them, with two.
#![allow(clippy::needless_update)] // The macro fills in what a request leaves out.

use std::time::Duration;

use baogong::robot::{Firm, Journey, Key, Rig, Robot, Temper};
use bus::server::{NatsServer, ServerOptions};
use decider::{Timestamp, spec::START};
use logistics::config::{Config, base};
use proto::{
    logistics::v1::{
        DraftShipmentRequest, GetCarrierRequest, IssuePassRequest, ListPassesRequest, Load,
        LoadLine, PassState, Pickup, Place, PlaceKind, RegisterCarrierRequest, Shipment,
        ShipmentState, freight_service_client::FreightServiceClient,
        partner_service_client::PartnerServiceClient,
    },
    time::to_proto,
};
use service_kit::config::{ClockKind, NatsOptions, SealingOptions, ServiceOptions};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Code, transport::Channel};

const AREA: &str = "632725100";
const PATIENCE: Duration = Duration::from_secs(30);

/// A logistics service on a test clock, with a nats-server.
struct Site {
    url: String,
    freight: FreightServiceClient<Channel>,
    partner: PartnerServiceClient<Channel>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    _nats: NatsServer,
    _directory: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let nats = NatsServer::start(ServerOptions {
            store_dir: directory.path().join("nats"),
            ..ServerOptions::default()
        })
        .expect("nats-server");
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
            sealing: SealingOptions {
                master_key_file: directory.path().join("master.key"),
                create_master_key: true,
                ..SealingOptions::default()
            },
            ..base()
        };
        let stop = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let task = tokio::spawn(logistics::run(config, Some(ready), stop.clone()));
        let Ok(addresses) = is_ready.await else {
            panic!("the service ended: {:?}", task.await);
        };
        let url = format!("http://{}", addresses.grpc);
        let channel = Channel::from_shared(url.clone()).expect("an address");
        let channel = channel.connect_lazy();
        Self {
            url,
            freight: FreightServiceClient::new(channel.clone()),
            partner: PartnerServiceClient::new(channel),
            stop,
            task,
            _nats: nats,
            _directory: directory,
        }
    }

    /// A firm that has joined, with its passes issued.
    async fn robot(&mut self, carrier_id: &str, temper: Temper) -> Robot {
        let register = RegisterCarrierRequest {
            request_id: format!("register-{carrier_id}"),
            area: AREA.into(),
            carrier_id: carrier_id.into(),
            name: "A firm".into(),
        };
        self.freight
            .register_carrier(register)
            .await
            .expect("registered");
        let firm = Firm {
            area: AREA.into(),
            carrier_id: carrier_id.into(),
            zones: ["valley", "town"].map(String::from).to_vec(),
            rigs: vec![Rig {
                vehicle_id: format!("{carrier_id}-v"),
                driver_id: format!("{carrier_id}-d"),
                capacity_grams: 2_000_000,
            }],
            capacity_grams: 100_000_000,
            from: START,
            to: START.plus_minutes(600),
            temper,
        };
        let robot = Robot::connect(&self.url, Key::None, firm, PATIENCE).expect("an address");
        robot.join().await.expect("joined");
        robot.join().await.expect("joining again changes nothing");
        let applied = ListPassesRequest {
            area: AREA.into(),
            carrier_id: carrier_id.into(),
            state: PassState::Applied.into(),
            ..Default::default()
        };
        let passes = self.partner.list_passes(applied).await.expect("a list");
        for pass in passes.into_inner().passes {
            let issue = IssuePassRequest {
                request_id: format!("issue-{}", pass.pass_id),
                area: AREA.into(),
                pass_id: pass.pass_id,
                ..Default::default()
            };
            self.freight.issue_pass(issue).await.expect("issued");
        }
        robot
    }

    async fn draft(&mut self, n: usize) {
        let place = |kind: PlaceKind, place_id: &str, zone: &str| {
            Some(Place {
                kind: kind.into(),
                place_id: place_id.into(),
                zone: zone.into(),
            })
        };
        let at = |minutes| Some(to_proto(START.plus_minutes(minutes)));
        let load = Load {
            pickups: vec![Pickup {
                stop_id: "farm".into(),
                place: place(PlaceKind::Field, "farm-1", "valley"),
                from_time: at(0),
                to_time: at(120),
                lines: vec![LoadLine {
                    line_id: "radish".into(),
                    product_id: "radish".into(),
                    quantity_units: 100,
                    weight_grams: 500_000,
                    labels: vec![],
                }],
            }],
            destination: place(PlaceKind::Buyer, "hotel-1", "town"),
            due_from_time: at(60),
            due_to_time: at(240),
            order_ids: vec![],
        };
        let draft = DraftShipmentRequest {
            request_id: format!("draft-{n}"),
            area: AREA.into(),
            load: Some(load),
            ..Default::default()
        };
        self.freight.draft_shipment(draft).await.expect("drafted");
    }

    async fn accepted(&mut self, carrier_id: &str) -> (i32, i32) {
        let look = GetCarrierRequest {
            area: AREA.into(),
            carrier_id: carrier_id.into(),
            ..Default::default()
        };
        let found = self.freight.get_carrier(look).await.expect("known");
        let carrier = found.into_inner().carrier.expect("known");
        (carrier.tenders_accepted, carrier.tenders_declined)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// All are at the destination and declared.
fn are_there(shipments: &[Shipment]) -> bool {
    let there = |s: &Shipment| s.state() == ShipmentState::ArrivedDestination;
    shipments.iter().all(|s| there(s) && !s.declared.is_empty())
}

#[tokio::test]
async fn robots_share_the_loads_and_drive_them_by_themselves() {
    let mut site = Site::start().await;
    let stop = CancellationToken::new();
    let choosy = Temper {
        decline_percent: 50,
        seed: 7,
        ..Temper::default()
    };
    let tempers = [choosy, Temper::default()];
    let mut workers = Vec::new();
    let mut watchers = Vec::new();
    for (carrier_id, temper) in ["acme", "bolt"].into_iter().zip(tempers) {
        let mut robot = site.robot(carrier_id, temper).await;
        watchers.push(site.robot(carrier_id, Temper::default()).await);
        let stop = stop.clone();
        workers.push(tokio::spawn(
            async move { robot.work(|| START, &stop).await },
        ));
    }
    const LOADS: usize = 24;
    for n in 0..LOADS {
        site.draft(n).await;
    }
    // Each answer of the service is awaited; there is nothing to sleep for.
    let all = async {
        loop {
            let mut carried = 0;
            for watcher in &watchers {
                let own = watcher.shipments(ShipmentState::Unspecified).await;
                let own = own.expect("a list");
                if are_there(&own) {
                    carried += own.len();
                }
            }
            if carried == LOADS {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("all loads are carried in time");
    stop.cancel();
    for worker in workers {
        worker
            .await
            .expect("no panic")
            .expect("nothing was refused");
    }
    let (acme, bolt) = (site.accepted("acme").await, site.accepted("bolt").await);
    assert_eq!(usize::try_from(acme.0 + bolt.0).expect("few"), LOADS);
    assert!(acme.1 > 0, "it is choosy: {acme:?}");
    assert_eq!(bolt.1, 0);
}

#[tokio::test]
async fn a_robot_that_was_started_anew_goes_on_and_does_nothing_twice() {
    let mut site = Site::start().await;
    let mut first = site.robot("acme", Temper::default()).await;
    for n in 0..3 {
        site.draft(n).await;
    }
    first.catch_up().await.expect("told");
    first.answer().await.expect("answered");
    assert_eq!(first.brain.asked(), 3);
    drop(first);
    let mut second = site.robot("acme", Temper::default()).await;
    second.catch_up().await.expect("told again");
    assert_eq!(second.brain.asked(), 3);
    second.answer().await.expect("nothing left");
    assert_eq!(site.accepted("acme").await, (3, 0));
    let ready = second.shipments(ShipmentState::ResourceAssigned).await;
    let ready = ready.expect("a list");
    assert_eq!(ready.len(), 3);
    // One of them has left when the robot is started anew once more.
    let load = ready[0].load.clone().expect("a load");
    let id = &ready[0].shipment_id;
    let mut journey = Journey::new(id, &load, START, START.plus_minutes(60));
    second.drive(&mut journey, START).await.expect("told");
    let under_way = second.shipment(id).await.expect("known");
    assert_eq!(under_way.state(), ShipmentState::EnRoutePickup);
    let mut third = site.robot("acme", Temper::default()).await;
    let stop = CancellationToken::new();
    let ended = stop.clone();
    let worker = tokio::spawn(async move { third.work(|| START, &ended).await });
    let all = async {
        loop {
            let own = second.shipments(ShipmentState::Unspecified).await;
            if are_there(&own.expect("a list")) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let carried = tokio::time::timeout(Duration::from_secs(60), all).await;
    carried.expect("carried in time");
    stop.cancel();
    worker
        .await
        .expect("no panic")
        .expect("nothing was refused");
}

#[tokio::test]
async fn what_the_service_refuses_is_told_with_its_reason() {
    let mut site = Site::start().await;
    let mut robot = site.robot("acme", Temper::default()).await;
    site.draft(0).await;
    robot.catch_up().await.expect("told");
    let ready = robot.answer().await.expect("answered");
    let [id] = &ready[..] else {
        panic!("{ready:?}")
    };
    let load = robot.brain.load(id).cloned().expect("a load");
    let later = Timestamp(START.0 + 3_600_000);
    let mut journey = Journey::new(id, &load, later, later);
    let far = START.plus_minutes(600);
    let refused = robot
        .drive(&mut journey, far)
        .await
        .expect_err("the future");
    assert!(
        refused.message().contains("REPORT_TIME_INVALID"),
        "{refused}"
    );
    let unknown = robot.shipment("01NONE").await.expect_err("unknown");
    assert_eq!(unknown.code(), Code::NotFound);
}
