//! A service that asks for tokens: who may do what, over the wire.

use std::net::SocketAddr;

use access::{Grant, Issuer, Rules, TokenOrder};
use bus::server::{NatsServer, ServerOptions};
use decider::Role;
use prost::Message;
use proto::{
    admin::v1::{GetStatusRequest, admin_service_client::AdminServiceClient},
    log::v1::{GetCheckpointRequest, ReadRequest, Record, log_service_client::LogServiceClient},
    order::v1::{GetOrderRequest, order_service_client::OrderServiceClient},
};
use service_kit::{
    access::{AccessMode, AccessOptions, now_secs},
    peers::bearer,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    transport::{Certificate, Channel, ClientTlsConfig},
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

use crate::{
    ask,
    desk::{config, ok, run},
    http,
};

/// The service, its nats-server and the issuer that it trusts.
struct Site {
    channel: Channel,
    http: SocketAddr,
    client: OrderServiceClient<Channel>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    _nats: NatsServer,
    _directory: TempDir,
}

fn issuer() -> Issuer {
    Issuer::new([7; 32])
}

impl Site {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let nats = NatsServer::start(ServerOptions {
            store_dir: directory.path().join("nats"),
            ..ServerOptions::default()
        })
        .expect("nats-server");
        let jwks_file = directory.path().join("jwks.json");
        std::fs::write(&jwks_file, issuer().jwks()).expect("written");
        let mut config = config(&directory, &nats, |_| ());
        config.access = AccessOptions {
            mode: AccessMode::Tokens,
            issuer: "issuer".to_owned(),
            jwks_file,
            ..AccessOptions::default()
        };
        let stop = CancellationToken::new();
        let (channel, http, task) = run(config, stop.clone()).await;
        Self {
            client: OrderServiceClient::new(channel.clone()),
            channel,
            http,
            stop,
            task,
            _nats: nats,
            _directory: directory,
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic").expect("a clean end");
    }

    /// Calls any method with an empty request.
    async fn call(&self, path: &str, token: Option<&str>) -> Result<(), Status> {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.expect("a connection");
        let mut request = Request::new(());
        if let Some(token) = token {
            let value = bearer(token).expect("a token");
            request.metadata_mut().insert("authorization", value);
        }
        let path = path.parse().expect("a path");
        let codec = ProstCodec::<(), ()>::default();
        let answer = client.server_streaming(request, path, codec).await?;
        let mut parts = answer.into_inner();
        while parts.message().await?.is_some() {}
        Ok(())
    }
}

fn token(role: Role, subject: &str) -> String {
    issuer().issue(&order(role, subject, &["*"]))
}

fn order<'a>(role: Role, subject: &'a str, areas: &[&str]) -> TokenOrder<'a> {
    TokenOrder {
        issuer: "issuer",
        audience: "baogong",
        subject,
        token_id: "01J0000000000000000000000A",
        now_secs: now_secs(),
        ttl_secs: 3_600,
        grant: Grant {
            roles: vec![role.name().to_owned()],
            areas: areas.iter().map(|area| (*area).to_owned()).collect(),
            household: (role == Role::Resident).then(|| subject.to_owned()),
            carrier: (role == Role::Carrier).then(|| subject.to_owned()),
            id: None,
        },
    }
}

fn by<T>(role: Role, subject: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = bearer(&token(role, subject)).expect("a token");
    request.metadata_mut().insert("authorization", value);
    request
}

fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map(|info| info.reason).unwrap_or_default()
}

/// As the layer's own test, but through a real server with its real services.
#[tokio::test]
async fn a_running_service_lets_in_whom_the_table_names() {
    let site = Site::start().await;
    let hosted = [
        "order.v1.OrderService",
        "admin.v1.AdminService",
        "log.v1.LogService",
    ];
    let rules = Rules::of_the_suite().expect("rules");
    let mut called = 0;
    for (path, rule) in rules.all() {
        if !hosted
            .iter()
            .any(|name| path.starts_with(&format!("/baogong.{name}/")))
        {
            continue;
        }
        let nobody = site.call(path, None).await.expect_err("no token");
        assert_eq!(nobody.code(), Code::Unauthenticated, "{path}");
        assert_eq!(reason(&nobody), "TOKEN_MISSING", "{path}");
        for role in Role::ALL.into_iter().filter(|role| *role != Role::System) {
            let answer = site.call(path, Some(&token(role, "someone"))).await;
            let told = answer.as_ref().err().map(reason).unwrap_or_default();
            if rule.roles.contains(&role) {
                // An empty request is rarely a good one; but the role was.
                let through = told != "ROLE_NOT_ALLOWED" && !told.starts_with("TOKEN");
                assert!(through, "{path} by {role}: {answer:?}");
            } else {
                assert_eq!(told, "ROLE_NOT_ALLOWED", "{path} by {role}");
            }
            called += 1;
        }
    }
    assert!(called > 150, "methods of three services, eight roles each");
    site.stop().await;
}

#[tokio::test]
async fn a_resident_sees_and_cancels_orders_of_his_household_alone() {
    let mut site = Site::start().await;
    let activated = by(Role::Dispatcher, "office", ask::activate());
    ok(site.client.activate_contingency(activated).await);
    let mut orders = Vec::new();
    for household in ["H1", "H2"] {
        let register = by(Role::Cadre, "li", ask::register(household));
        ok(site.client.register_household(register).await);
        let place = ask::place(&format!("place-{household}"), household);
        let placed = site.client.place_order(by(Role::Cadre, "li", place)).await;
        orders.push(ok(placed).order_id);
    }
    let get = |order_id: &String| GetOrderRequest {
        area: ask::AREA.to_owned(),
        order_id: order_id.clone(),
        min_position: 0,
    };
    let own = by(Role::Resident, "H1", get(&orders[0]));
    assert_eq!(
        ok(site.client.get_order(own).await)
            .order
            .expect("an order")
            .household_id,
        "H1"
    );
    let other = by(Role::Resident, "H1", get(&orders[1]));
    let other = site.client.get_order(other).await.expect_err("another's");
    let unknown = by(
        Role::Resident,
        "H1",
        get(&"01J0000000000000000000000A".to_owned()),
    );
    let unknown = site.client.get_order(unknown).await.expect_err("nobody's");
    // What is another's looks like what is not there.
    assert_eq!(
        (other.code(), reason(&other)),
        (unknown.code(), reason(&unknown))
    );
    assert_eq!(other.code(), Code::NotFound);
    let cancel = |id: &str, order_id: &String| by(Role::Resident, "H1", ask::cancel(id, order_id));
    let refused = site.client.cancel_order(cancel("c-2", &orders[1])).await;
    assert_eq!(refused.expect_err("another's").code(), Code::NotFound);
    ok(site.client.cancel_order(cancel("c-1", &orders[0])).await);
    site.stop().await;
}

/// Whatever the metadata claims, the record names whom the token names.
#[tokio::test]
async fn the_record_names_the_tokens_subject() {
    let mut site = Site::start().await;
    let mut lie = by(Role::Dispatcher, "office", ask::activate());
    lie.metadata_mut()
        .insert("baogong-actor", "mayor".parse().expect("a value"));
    let refused = site
        .client
        .activate_contingency(lie)
        .await
        .expect_err("refused");
    assert_eq!(reason(&refused), "ACTOR_NOT_YOU");
    let honest = by(Role::Dispatcher, "office", ask::activate());
    ok(site.client.activate_contingency(honest).await);
    let read = by(Role::Auditor, "auditor", ReadRequest::default());
    let mut parts = ok(LogServiceClient::new(site.channel.clone()).read(read).await);
    let part = parts.message().await.expect("read").expect("records");
    let record = Record::decode(&*part.records[0]).expect("a record");
    let actor = record.actor.expect("an actor");
    assert_eq!(actor.role(), proto::log::v1::Role::Dispatcher);
    assert_eq!(actor.id, "office");
    site.stop().await;
}

/// The listener of a service, with certificate and token.
#[tokio::test]
async fn with_a_certificate_a_service_speaks_tls_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let nats = NatsServer::start(ServerOptions {
        store_dir: directory.path().join("nats"),
        ..ServerOptions::default()
    })
    .expect("nats-server");
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let at = |name: &str| directory.path().join(name);
    let pem = certified.cert.pem();
    std::fs::write(at("tls.crt"), &pem).expect("written");
    let key = certified.signing_key.serialize_pem();
    service_kit::durable_file::create_secret(&at("tls.key"), key.as_bytes()).expect("written");
    let mut config = config(&directory, &nats, |_| ());
    config.tls.cert = at("tls.crt");
    config.tls.key = at("tls.key");
    let stop = CancellationToken::new();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(order::run(config, Some(ready), stop.clone()));
    let port = is_ready.await.expect("it started").grpc.port();
    let ask = async |scheme: &str| {
        let url = format!("{scheme}://localhost:{port}");
        let mut endpoint = Channel::from_shared(url).expect("an address");
        if scheme == "https" {
            let authority = Certificate::from_pem(&pem);
            let tls = ClientTlsConfig::new().ca_certificate(authority);
            endpoint = endpoint.tls_config(tls).expect("a certificate");
        }
        let channel = endpoint.connect().await.map_err(|_| ())?;
        let status = AdminServiceClient::new(channel)
            .get_status(GetStatusRequest {})
            .await;
        status.map(|_| ()).map_err(|_| ())
    };
    assert_eq!(ask("http").await, Err(()));
    assert_eq!(ask("https").await, Ok(()));
    stop.cancel();
    task.await.expect("no panic").expect("a clean end");
}

/// Records are told over plain HTTP to whom `LogService.Read` tells them;
/// what is no record, to all.
#[tokio::test]
async fn records_over_http_need_the_token_of_one_who_may_read_the_log() {
    let mut site = Site::start().await;
    let contingency = ask::activate();
    ok(site
        .client
        .activate_contingency(by(Role::Dispatcher, "d-1", contingency))
        .await);
    let head = GetCheckpointRequest {
        partition: 0,
        min_size: 1,
    };
    let mut log = LogServiceClient::new(site.channel.clone());
    ok(log.get_checkpoint(by(Role::Auditor, "a-1", head)).await);
    for open in ["checkpoint", "tile/0/000.p/1"] {
        let answer = http::get(site.http, open, None).await;
        assert!(answer.has("200 OK"), "{open}: {}", answer.head);
    }

    let entries = "tile/entries/000.p/1";
    let get = |token: Option<String>| {
        let address = site.http;
        async move { http::get(address, entries, token.as_deref()).await }
    };
    let nobody = get(None).await;
    assert!(nobody.has("401 Unauthorized"), "{}", nobody.head);
    assert!(nobody.has("www-authenticate: Bearer"), "{}", nobody.head);
    assert!(nobody.text().contains("token"), "{}", nobody.text());
    let forged = Issuer::new([8; 32]).issue(&order(Role::Auditor, "a-1", &["*"]));
    let forged = get(Some(forged)).await;
    assert!(forged.has("401 Unauthorized"), "{}", forged.head);
    for role in Role::ALL.into_iter().filter(|role| *role != Role::System) {
        let answer = get(Some(token(role, "someone"))).await;
        if matches!(role, Role::Auditor | Role::Operator) {
            assert!(answer.has("200 OK"), "{role}: {}", answer.head);
            assert!(answer.has("cache-control: private"), "{}", answer.head);
            let records = transparency::decode_entries(&answer.body).expect("records");
            assert_eq!(records.len(), 1);
        } else {
            assert!(answer.has("403 Forbidden"), "{role}: {}", answer.head);
            assert!(answer.has("no-store"), "{}", answer.head);
        }
    }
    // The log is of all areas.
    let narrow = issuer().issue(&order(Role::Auditor, "a-1", &["632725"]));
    let narrow = get(Some(narrow)).await;
    assert!(narrow.has("403 Forbidden"), "{}", narrow.head);
    site.stop().await;
}
