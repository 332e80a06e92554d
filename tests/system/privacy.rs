//! INV-15 of a whole suite: known values are planted through the public API,
//! a day is played, services are killed, requests are refused, and a household
//! is erased; then every byte that was written anywhere is searched.

use std::{sync::Arc, time::Duration};

use audit::scan::Scanner;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use prost::Message;
use proto::{
    log::v1::{ReadRequest, log_service_client::LogServiceClient},
    order::v1::{
        ActivateContingencyRequest, CancelOrderRequest, Contact, EraseHouseholdRequest,
        GetHouseholdRequest, PlaceOrderRequest, RegisterHouseholdRequest, UpdateHouseholdRequest,
        order_service_client::OrderServiceClient,
    },
    types::v1::{Door, Line},
};
use sha2::{Digest, Sha256};
use system_tests::{Suite, http_get};
use tokio::sync::{Mutex, watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Channel};

/// Another than the played day's.
const AREA: &str = "110101001";
const PATIENCE: Duration = Duration::from_secs(60);
/// Planted in the same way, but no personal data: shows where a scan sees.
const HOUSEHOLD: &str = "H-PLANTED-4711";
const ERASED: &str = "H-PLANTED-4712";

const NAME: &str = "益西·PlantedName";
const PHONE: &str = "13947114711";
const ADDRESS: &str = "植入路 PlantedStreet 47";
const PRESCRIPTION: &str = "处方 PlantedInsulin 10 IE";
const EMAIL: &str = "planted.mail@example.org";
const OTHER_PHONE: &str = "13811474711";
/// In requests that are refused.
const REFUSED: &str = "PlantedRefusedName";
/// What the played day plants itself: its last household's.
const OF_THE_DAY: [&str; 2] = ["19900000020", "住户 0020"];

fn personal() -> Vec<&'static str> {
    let surname = NAME.split_once('·').expect("two parts").0;
    let mut values = vec![
        NAME,
        surname,
        "PlantedName",
        PHONE,
        ADDRESS,
        PRESCRIPTION,
        EMAIL,
        OTHER_PHONE,
        REFUSED,
    ];
    values.extend(OF_THE_DAY);
    values
}

/// An OTLP collector that keeps every byte.
#[derive(Clone, Default)]
struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    seen: watch::Sender<usize>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let encoded = request.into_inner().encode_to_vec();
        let mut bytes = self.bytes.lock().await;
        bytes.extend(encoded);
        self.seen.send_replace(bytes.len());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        // Ends with the runtime.
        tokio::spawn(server);
        format!("http://{address}")
    }

    async fn holds(&self, text: &str) -> bool {
        let bytes = self.bytes.lock().await;
        bytes.windows(text.len()).any(|w| w == text.as_bytes())
    }
}

fn contact() -> Contact {
    Contact {
        name: NAME.into(),
        phone: PHONE.into(),
        address: format!("{ADDRESS}; {PRESCRIPTION}"),
        email: EMAIL.into(),
    }
}

fn household(id: &str) -> RegisterHouseholdRequest {
    RegisterHouseholdRequest {
        request_id: format!("register-{id}"),
        area: AREA.into(),
        household_id: id.into(),
        door: Some(Door {
            community: "zhichaka".into(),
            grid: "G01".into(),
            building: "B1".into(),
            entrance: "E1".into(),
            door: "101".into(),
        }),
        contact: Some(contact()),
        cadre_id: "cadre-1".into(),
        ..RegisterHouseholdRequest::default()
    }
}

/// Requests with personal data in every place where it may be mistaken;
/// gives what the service answered.
async fn refusals(orders: &mut OrderServiceClient<Channel>, order_id: &str) -> Vec<u8> {
    let register = |n: usize, change: fn(&mut RegisterHouseholdRequest)| {
        let mut request = household("H-REFUSED");
        request.request_id = format!("refused-{n}");
        change(&mut request);
        request
    };
    let wrong = [
        register(1, |r| {
            r.contact = Some(Contact {
                email: REFUSED.into(),
                ..contact()
            })
        }),
        register(2, |r| {
            r.contact = Some(Contact {
                phone: format!("{PHONE}x"),
                ..contact()
            })
        }),
        register(3, |r| {
            r.contact = Some(Contact {
                name: NAME.repeat(20),
                ..contact()
            })
        }),
        register(4, |r| {
            r.contact = Some(Contact {
                address: format!("{REFUSED}\n"),
                ..contact()
            })
        }),
        // The same request id with another body, and another body for the id.
        RegisterHouseholdRequest {
            people: 4,
            ..household(HOUSEHOLD)
        },
        register(5, |r| {
            r.household_id = HOUSEHOLD.into();
            r.people = 5;
        }),
    ];
    let mut told = Vec::new();
    let mut note = |status: Status| {
        told.extend(status.message().as_bytes());
        told.extend(status.details());
        told.extend(format!("{status:?}").as_bytes());
    };
    for request in wrong {
        note(
            orders
                .register_household(request)
                .await
                .expect_err("refused"),
        );
    }
    let cancel = CancelOrderRequest {
        request_id: "cancel-with-phone".into(),
        area: AREA.into(),
        order_id: order_id.into(),
        note: format!("ring {PHONE}"),
        if_revision: None,
    };
    note(
        orders
            .cancel_order(cancel)
            .await
            .expect_err("a phone number"),
    );
    let activate = ActivateContingencyRequest {
        request_id: "activate-with-mail".into(),
        area: AREA.into(),
        reason: format!("ask {EMAIL}"),
    };
    note(
        orders
            .activate_contingency(activate)
            .await
            .expect_err("an address"),
    );
    let late = UpdateHouseholdRequest {
        request_id: "late".into(),
        area: AREA.into(),
        household_id: ERASED.into(),
        contact: Some(contact()),
        ..UpdateHouseholdRequest::default()
    };
    note(orders.update_household(late).await.expect_err("erased"));
    told
}

/// Waits for a record of a service's log.
async fn recorded(channel: &Channel, event: &str, text: &str) {
    let follow = ReadRequest {
        follow: true,
        ..ReadRequest::default()
    };
    let log = LogServiceClient::new(channel.clone()).read(follow).await;
    let mut log = log.expect("a log").into_inner();
    let reading = async {
        loop {
            let part = log.message().await.expect("a part");
            for bytes in part.expect("an open stream").records {
                let record = proto::record::decode(&bytes).expect("a record");
                let data = &record.event.data;
                if record.event.short_name() == event
                    && data.windows(text.len()).any(|w| w == text.as_bytes())
                {
                    return;
                }
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, reading).await;
    found.unwrap_or_else(|_| panic!("{event} of {text} is not recorded"));
}

/// As the bucket holds the key of the household that will be erased.
async fn wrapping(suite: &Suite) -> Vec<u8> {
    let bus = bus::Bus::connect(bus::BusOptions {
        url: suite.nats.url(),
        name: "test".into(),
        replicas: 1,
    });
    let bucket = bus.await.expect("a bus").key_bucket("BAOGONG_KEYS").await;
    let name: String = Sha256::digest(format!("household/{AREA}/{ERASED}").as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let value = bucket.expect("a bucket").get(&name).await;
    value.expect("reachable").expect("a key").to_vec()
}

fn channels(suite: &Suite) -> Vec<Channel> {
    let connect = |service: &system_tests::Service| {
        let url = format!("http://{}", service.grpc);
        Channel::from_shared(url)
            .expect("an address")
            .connect_lazy()
    };
    suite.services.iter().map(connect).collect()
}

/// Where the planted ids are found, by the parts of the suite's folder.
fn scanned(suite: &Suite, part: &str, values: &[&[u8]]) -> audit::scan::ScanReport {
    let mut scanner = Scanner::new(values).expect("values");
    let path = suite.directory.path().join(part);
    scanner.path(&path).expect("readable");
    scanner.finish()
}

#[test]
fn nothing_personal_is_written_anywhere_in_clear() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let collector = Collector::default();
    let endpoint = runtime.block_on(collector.listen());
    let mut suite = Suite::start_with(&[
        ("BAOGONG_TELEMETRY__OTLP_ENDPOINT", endpoint),
        (
            "BAOGONG_TELEMETRY__LOG_FILTER",
            "info,order=debug,notification=debug,service_kit=debug,bus=debug".to_owned(),
        ),
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
    ])
    .expect("a suite");

    let (order_id, key) = runtime.block_on(async {
        let order = channels(&suite)[0].clone();
        let mut orders = OrderServiceClient::new(order);
        for id in [HOUSEHOLD, ERASED] {
            orders
                .register_household(household(id))
                .await
                .expect("registered");
        }
        let update = UpdateHouseholdRequest {
            request_id: "update".into(),
            area: AREA.into(),
            household_id: HOUSEHOLD.into(),
            contact: Some(Contact {
                phone: OTHER_PHONE.into(),
                ..contact()
            }),
            ..UpdateHouseholdRequest::default()
        };
        orders.update_household(update).await.expect("updated");
        // Nobody has it.
        let place = PlaceOrderRequest {
            request_id: "place".into(),
            area: AREA.into(),
            household_id: HOUSEHOLD.into(),
            lines: vec![Line {
                product_id: "unobtainable".into(),
                quantity_units: 1,
            }],
            channel: proto::order::v1::Channel::Phone.into(),
            placed_by: "cadre-1".into(),
            ..PlaceOrderRequest::default()
        };
        let placed = orders
            .place_order(place)
            .await
            .expect("placed")
            .into_inner();
        (placed.order_id, wrapping(&suite).await)
    });

    // A day with failed attempts, messages, calls and visits.
    let day = [
        "scenario",
        "run",
        "zhichaka",
        "--households",
        "20",
        "--seed",
        "11",
    ];
    let played = suite.baogong(&day).expect("baogong runs");
    let said = String::from_utf8_lossy(&played.stderr).into_owned();
    assert!(played.status.success(), "{said}");
    for n in [0, 3] {
        suite.services[n].kill();
        suite.services[n].launch().expect("launched");
    }
    suite.wait_ready().expect("ready again");

    let nats_before = scanned(&suite, "nats", &[&key]);
    assert!(
        !nats_before.holds(),
        "the key is to be seen before it is destroyed"
    );
    let told = runtime.block_on(async {
        let channels = channels(&suite);
        let mut orders = OrderServiceClient::new(channels[0].clone());
        let erase = EraseHouseholdRequest {
            request_id: "erase".into(),
            area: AREA.into(),
            household_id: ERASED.into(),
            reason: "MOVED_AWAY".into(),
            force: false,
        };
        orders.erase_household(erase).await.expect("recorded");
        recorded(&channels[0], "PersonalDataKeyDestroyed", ERASED).await;
        recorded(&channels[3], "ContactErased", ERASED).await;
        let get = GetHouseholdRequest {
            area: AREA.into(),
            household_id: ERASED.into(),
            ..GetHouseholdRequest::default()
        };
        let shown = orders.get_household(get).await.expect("known").into_inner();
        assert!(
            shown
                .household
                .expect("set")
                .personal_data_key_destroyed_time
                .is_some()
        );
        let told = refusals(&mut orders, &order_id).await;
        let mut seen = collector.seen.subscribe();
        let traced = async {
            while !collector.holds("OrderService/EraseHousehold").await {
                seen.changed().await.expect("a collector");
            }
        };
        tokio::time::timeout(PATIENCE, traced)
            .await
            .expect("traced");
        told
    });
    let metrics: String = suite
        .services
        .iter()
        .map(|service| http_get(service.http, "/metrics").expect("metrics"))
        .collect();
    let audited = suite.baogong(&["audit", "verify"]).expect("baogong runs");
    assert!(audited.status.success(), "every record is as it was");
    for service in &mut suite.services {
        assert!(service.terminate().expect("ended"), "{}", service.name);
    }

    // The scan sees what is there in clear: in each place something that is
    // known to be in it.
    for part in ["data/order", "data/notification", "nats"] {
        let report = scanned(&suite, part, &[HOUSEHOLD.as_bytes(), ERASED.as_bytes()]);
        assert_eq!(report.found().len(), 2, "{part} cannot be seen into");
    }
    let traces = runtime.block_on(collector.bytes.lock()).clone();
    let mut memory = Scanner::new(&[
        "OrderService/EraseHousehold",
        "baogong_commands_total",
        HOUSEHOLD,
    ])
    .expect("values");
    memory.bytes("traces", &traces);
    memory.bytes("metrics", metrics.as_bytes());
    memory.bytes("errors", &told);
    assert_eq!(
        memory.finish().found().len(),
        3,
        "a place cannot be seen into"
    );
    let lines = scanned(&suite, "order.log", &[ERASED.as_bytes()]);
    assert!(!lines.holds(), "the log lines cannot be seen into");

    // And finds nothing that is personal.
    let mut scanner = Scanner::new(&personal()).expect("values");
    scanner.path(suite.directory.path()).expect("readable");
    scanner.bytes("traces", &traces);
    scanner.bytes("metrics", metrics.as_bytes());
    scanner.bytes("errors", &told);
    scanner.bytes("scenario", said.as_bytes());
    let report = scanner.finish();
    assert!(report.files > 10 && report.bytes > 100_000, "{report:?}");
    assert_eq!(report.findings, [], "by number, of {:?}", personal());
    assert!(
        scanned(&suite, "nats", &[&key]).holds(),
        "the destroyed key is there"
    );
}

/// As an operator does it over copied directories.
#[test]
fn the_command_finds_what_it_is_given_and_shows_nothing_of_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let values = directory.path().join("values.txt");
    std::fs::write(&values, format!("{NAME}\n{PHONE}\n")).expect("written");
    let copies = directory.path().join("copies");
    std::fs::create_dir(&copies).expect("a folder");
    std::fs::write(copies.join("clean"), "nothing").expect("written");
    let scan = || {
        let run = std::process::Command::new(system_tests::binaries().join("baogong"))
            .args(["audit", "scan", "--for-file"])
            .arg(&values)
            .arg(&copies)
            .output();
        let run = run.expect("runs");
        let told = String::from_utf8_lossy(&run.stdout).into_owned();
        (run.status.code(), told)
    };
    let (status, told) = scan();
    assert_eq!(
        (status, told.contains("0 findings")),
        (Some(0), true),
        "{told}"
    );
    std::fs::write(copies.join("leak"), format!("call {PHONE}")).expect("written");
    let (status, told) = scan();
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("leak, byte 5: the value of line 2"), "{told}");
    assert!(!told.contains(PHONE), "{told}");
}
