//! The service with an issuer of tokens, limits of the test's choosing, and
//! two firms.

use std::{
    io::Write,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use access::{Grant, Issuer, TokenOrder};
use bus::server::{NatsServer, ServerOptions};
use bytes::{Buf, BufMut};
use decider::{Role, spec::START};
use logistics::config::{Config, base};
use parking_lot::Mutex;
use prost::Message;
use proto::logistics::v1::{
    ListShipmentsRequest, RegisterCarrierRequest, RegisterVehicleRequest, WatchTendersRequest,
    freight_service_client::FreightServiceClient, partner_service_client::PartnerServiceClient,
};
use service_kit::{
    access::{AccessMode, AccessOptions},
    config::{ClockKind, NatsOptions, SealingOptions, ServiceOptions},
    edge::LimitsOptions,
    host::Addresses,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Response, Status, Streaming,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    metadata::MetadataValue,
    transport::Channel,
};
use tonic_types::StatusExt;

pub const AREA: &str = "632725100";
pub const ISSUER: &str = "test-issuer";
/// For what must come, so that a test that fails ends.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Site {
    pub addresses: Addresses,
    /// A connection of the one who does his worst.
    pub channel: Channel,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    // Dropped last, in this order.
    _nats: NatsServer,
    _directory: TempDir,
}

impl Site {
    pub async fn start() -> Self {
        Self::with(LimitsOptions::default()).await
    }

    pub async fn with(limits: LimitsOptions) -> Self {
        listen_to_the_log();
        let directory = tempfile::tempdir().expect("a directory");
        let nats = NatsServer::start(ServerOptions {
            store_dir: directory.path().join("nats"),
            ..ServerOptions::default()
        })
        .expect("nats-server");
        let keys = directory.path().join("jwks.json");
        std::fs::write(&keys, issuer().jwks()).expect("written");
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
            access: AccessOptions {
                mode: AccessMode::Tokens,
                issuer: ISSUER.to_owned(),
                jwks_file: keys,
                ..AccessOptions::default()
            },
            limits,
            ..base()
        };
        let stop = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let task = tokio::spawn(logistics::run(config, Some(ready), stop.clone()));
        let Ok(addresses) = is_ready.await else {
            panic!("the service ended: {:?}", task.await);
        };
        let mut site = Self {
            channel: connect(&addresses).await,
            addresses,
            stop,
            task,
            _nats: nats,
            _directory: directory,
        };
        for firm in ["acme", "globex"] {
            site.register(firm).await.expect("registered");
        }
        site
    }

    pub async fn register(&mut self, firm: &str) -> Result<(), Status> {
        let request = RegisterCarrierRequest {
            request_id: format!("register-{firm}"),
            area: AREA.into(),
            carrier_id: firm.into(),
            name: "A firm".into(),
        };
        let mut client = FreightServiceClient::new(self.channel.clone());
        let request = with_token(request, &operator());
        client.register_carrier(request).await.map(|_| ())
    }

    /// Another firm, on a connection of its own, changes something and reads.
    pub async fn still_serves_another(&self) {
        let serving = async {
            let mut client = PartnerServiceClient::new(connect(&self.addresses).await);
            let vehicle = RegisterVehicleRequest {
                request_id: "another-1".into(),
                area: AREA.into(),
                carrier_id: "globex".into(),
                vehicle_id: "lorry".into(),
                capacity_grams: 2_000_000,
            };
            let registered = client.register_vehicle(with_token(vehicle, &globex()));
            registered.await.expect("another firm may change something");
            let list = ListShipmentsRequest {
                area: AREA.into(),
                carrier_id: "globex".into(),
                ..Default::default()
            };
            let listed = client.list_shipments(with_token(list, &globex()));
            listed.await.expect("another firm may read");
        };
        tokio::time::timeout(PATIENCE, serving)
            .await
            .expect("another firm is answered");
    }

    /// Sends bytes as the one message of any kind of call; gives the first
    /// message of the answer, if there is one.
    pub async fn send(
        &self,
        path: &str,
        token: &str,
        bytes: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Status> {
        self.send_all(path, token, vec![bytes]).await
    }

    pub async fn send_all(
        &self,
        path: &str,
        token: &str,
        messages: Vec<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Status> {
        let mut answer = self.open(path, token, messages).await?.into_inner();
        let first = tokio::time::timeout(PATIENCE, answer.message());
        first.await.expect("an answer in time")
    }

    pub async fn open(
        &self,
        path: &str,
        token: &str,
        messages: Vec<Vec<u8>>,
    ) -> Result<Response<Streaming<Vec<u8>>>, Status> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.expect("a connection");
        let path: PathAndQuery = path.parse().expect("a path");
        let request = with_token(futures::stream::iter(messages), token);
        let opening = grpc.streaming(request, path, Bytes);
        let opened = tokio::time::timeout(PATIENCE, opening);
        opened.await.expect("an answer in time")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

pub async fn connect(addresses: &Addresses) -> Channel {
    Channel::from_shared(format!("http://{}", addresses.grpc))
        .expect("an address")
        .connect()
        .await
        .expect("a connection")
}

pub fn issuer() -> Issuer {
    Issuer::new([7; 32])
}

pub fn now_secs() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

pub fn grant(role: Role, carrier: Option<&str>) -> Grant {
    Grant {
        roles: vec![role.name().to_owned()],
        areas: vec!["*".to_owned()],
        carrier: carrier.map(str::to_owned),
        household: None,
        id: None,
    }
}

pub fn token(subject: &str, grant: Grant) -> String {
    issuer().issue(&TokenOrder {
        issuer: ISSUER,
        audience: "baogong",
        subject,
        token_id: "01J0000000000000000000000A",
        now_secs: now_secs(),
        ttl_secs: 3_600,
        grant,
    })
}

pub fn acme() -> String {
    token("acme-dispatch", grant(Role::Carrier, Some("acme")))
}

/// The same at each call, as a firm keeps its token.
pub fn globex() -> String {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN
        .get_or_init(|| token("globex-dispatch", grant(Role::Carrier, Some("globex"))))
        .clone()
}

pub fn operator() -> String {
    token("operator", grant(Role::Operator, None))
}

pub fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let bearer: MetadataValue<_> = format!("Bearer {token}").parse().expect("a header");
    request.metadata_mut().insert("authorization", bearer);
    request
}

pub fn list_of(carrier_id: &str) -> Vec<u8> {
    let list = ListShipmentsRequest {
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        ..Default::default()
    };
    list.encode_to_vec()
}

pub fn watch_of(carrier_id: &str) -> Vec<u8> {
    let watch = WatchTendersRequest {
        area: AREA.into(),
        carrier_id: carrier_id.into(),
        ..Default::default()
    };
    watch.encode_to_vec()
}

/// A vehicle that only just can be registered, where it has an id.
pub fn vehicle(vehicle_id: &str) -> Vec<u8> {
    let request = RegisterVehicleRequest {
        request_id: format!("register-{vehicle_id}"),
        area: AREA.into(),
        carrier_id: "acme".into(),
        vehicle_id: vehicle_id.into(),
        capacity_grams: 2_000_000,
    };
    request.encode_to_vec()
}

pub const LIST: &str = "/baogong.logistics.v1.PartnerService/ListShipments";
pub const WATCH: &str = "/baogong.logistics.v1.PartnerService/WatchTenders";
pub const REGISTER_VEHICLE: &str = "/baogong.logistics.v1.PartnerService/RegisterVehicle";

/// Code and reason of a refusal.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("refused");
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert_eq!(info.domain, "logistics.baogong");
    assert!(
        status.message().len() > 20,
        "it says what to do: {status:?}"
    );
    (status.code(), info.reason)
}

pub fn expected(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

/// Messages as bytes, of which nothing is known.
#[derive(Clone, Copy, Default)]
pub struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LINES: OnceLock<Lines> = OnceLock::new();

fn listen_to_the_log() {
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        lines
    });
}

/// Whether the log of a service in this process has a line with all of these.
pub fn logged(parts: &[&str]) -> bool {
    let lines = LINES.get().expect("a site listens").0.lock().clone();
    let text = String::from_utf8_lossy(&lines);
    text.lines()
        .any(|line| parts.iter().all(|part| line.contains(part)))
}
