//! TLS of the listener, with a health service behind it.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use decider::Service;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use service_kit::{
    edge::{Connections, LimitsOptions, incoming},
    peers::client::TlsArgs,
    tls::{Tls, TlsOptions},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity, Server};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name, and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }
}

/// A server with its files.
struct Site {
    folder: TempDir,
    address: SocketAddr,
    tls: Arc<Tls>,
    _serving: JoinHandle<()>,
}

fn put(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
}

fn options(folder: &Path, mutual: bool) -> TlsOptions {
    TlsOptions {
        cert: folder.join("tls.crt"),
        key: folder.join("tls.key"),
        client_ca: if mutual {
            folder.join("ca.crt")
        } else {
            Default::default()
        },
        ..TlsOptions::default()
    }
}

impl Site {
    async fn start(authority: &Authority, clients: Option<&Authority>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = authority.certify("localhost");
        put(&folder.path().join("tls.crt"), &certificate);
        put(&folder.path().join("tls.key"), &key);
        if let Some(clients) = clients {
            put(&folder.path().join("ca.crt"), &clients.pem());
        }
        let tls = Tls::open(&options(folder.path(), clients.is_some()));
        let tls = tls.expect("files").expect("they are given");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let (_, health) = tonic_health::server::health_reporter();
        let connections = Connections::new(Service::Order, &LimitsOptions::default());
        let connections = incoming(listener, Some(Arc::clone(&tls)), Arc::new(connections));
        let serving = tokio::spawn(async move {
            let served = Server::builder().add_service(health);
            served
                .serve_with_incoming(connections)
                .await
                .expect("served");
        });
        Self {
            folder,
            address,
            tls,
            _serving: serving,
        }
    }

    async fn ask(&self, tls: Option<ClientTlsConfig>) -> Result<(), String> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}", self.address.port());
        let mut endpoint = Channel::from_shared(url).expect("an address");
        if let Some(tls) = tls {
            endpoint = endpoint.tls_config(tls).map_err(|e| e.to_string())?;
        }
        let channel = endpoint.connect().await.map_err(|e| format!("{e:?}"))?;
        let request = HealthCheckRequest::default();
        let answer = HealthClient::new(channel).check(request).await;
        answer.map(|_| ()).map_err(|e| format!("{e:?}"))
    }
}

fn trusting(authority: &Authority) -> ClientTlsConfig {
    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()))
}

#[tokio::test]
async fn only_a_client_that_speaks_tls_and_knows_the_authority_gets_through() {
    let authority = Authority::new();
    let site = Site::start(&authority, None).await;
    site.ask(Some(trusting(&authority)))
        .await
        .expect("answered");
    assert!(site.ask(None).await.is_err(), "a plain client");
    let other = site.ask(Some(trusting(&Authority::new()))).await;
    assert!(
        other
            .expect_err("another authority")
            .contains("InvalidCertificate")
    );
    // The server is none the worse for it.
    site.ask(Some(trusting(&authority)))
        .await
        .expect("answered");
}

#[tokio::test]
async fn mutual_tls_wants_a_certificate_of_the_clients_authority() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let site = Site::start(&servers, Some(&clients)).await;
    let with = |authority: &Authority| {
        let (certificate, key) = authority.certify("acme");
        trusting(&servers).identity(Identity::from_pem(certificate, key))
    };
    site.ask(Some(with(&clients))).await.expect("answered");
    assert!(site.ask(Some(trusting(&servers))).await.is_err(), "none");
    assert!(site.ask(Some(with(&servers))).await.is_err(), "another's");
}

#[tokio::test]
async fn new_certificates_are_taken_and_bad_ones_change_nothing() {
    let (before, after) = (Authority::new(), Authority::new());
    let site = Site::start(&before, None).await;
    let (certificate, key) = after.certify("localhost");
    put(&site.folder.path().join("tls.crt"), &certificate);
    let error = site.tls.reload().expect_err("the key is the old one");
    assert!(
        error.to_string().contains("was one of them replaced alone"),
        "{error}"
    );
    site.ask(Some(trusting(&before))).await.expect("as before");
    put(&site.folder.path().join("tls.key"), &key);
    site.tls.reload().expect("both are new");
    site.ask(Some(trusting(&after))).await.expect("the new one");
    assert!(site.ask(Some(trusting(&before))).await.is_err());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let (certificate, key) = authority.certify("localhost");
    let at = |name: &str| folder.path().join(name);
    let refused = |mutual| {
        let opened = Tls::open(&options(folder.path(), mutual));
        opened.err().expect("refused").to_string()
    };
    let check = |mutual, field: &str, why: &str| {
        let error = refused(mutual);
        assert!(error.contains(field) && error.contains(why), "{error}");
    };
    check(false, "tls.cert", "cannot be read");
    put(&at("tls.crt"), "nothing");
    check(false, "tls.cert", "no certificate in it");
    put(&at("tls.crt"), &certificate);
    check(false, "tls.key", "cannot be read");
    put(&at("tls.key"), &certificate);
    check(false, "tls.key", "no secret key in it");
    put(&at("tls.key"), &authority.certify("localhost").1);
    check(false, "tls.key", "not the key of the certificate");
    put(&at("tls.key"), &key);
    fs::set_permissions(at("tls.key"), fs::Permissions::from_mode(0o644)).expect("set");
    check(false, "tls.key", "mode 644");
    put(&at("tls.key"), &key);
    check(true, "tls.client_ca", "cannot be read");
    put(&at("ca.crt"), "nothing");
    check(true, "tls.client_ca", "no certificate in it");
    assert!(
        Tls::open(&options(folder.path(), false))
            .expect("good")
            .is_some()
    );
    assert!(Tls::open(&TlsOptions::default()).expect("none").is_none());
}

/// As `baogong audit` and the other commands call.
#[tokio::test]
async fn a_command_calls_over_tls_with_the_files_it_is_given() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let site = Site::start(&servers, Some(&clients)).await;
    let file = |name: &str, text: &str| {
        let path = site.folder.path().join(name);
        put(&path, text);
        Some(path)
    };
    let (certificate, key) = clients.certify("acme");
    let good = TlsArgs {
        ca: file("servers.crt", &servers.pem()),
        cert: file("acme.crt", &certificate),
        key: file("acme.key", &key),
        server_name: Some("localhost".to_owned()),
    };
    let ask = async |tls: &TlsArgs, address: String| {
        let endpoint = tls.endpoint(&address).map_err(|e| e.to_string())?;
        let channel = endpoint.connect().await.map_err(|e| format!("{e:?}"))?;
        let request = HealthCheckRequest::default();
        let answer = HealthClient::new(channel).check(request).await;
        answer.map(|_| ()).map_err(|e| format!("{e:?}"))
    };
    // By its number, which is not in the certificate; the name is said.
    let number = site.address.to_string();
    ask(&good, number.clone()).await.expect("answered");
    ask(&good, format!("https://{number}"))
        .await
        .expect("answered");
    let nameless = TlsArgs {
        server_name: None,
        ..good.clone()
    };
    let by_name = format!("localhost:{}", site.address.port());
    ask(&nameless, by_name).await.expect("answered");
    let other_name = ask(&nameless, number.clone()).await.expect_err("refused");
    assert!(other_name.contains("InvalidCertificate"), "{other_name}");

    let anonymous = TlsArgs {
        cert: None,
        key: None,
        ..good.clone()
    };
    assert!(
        ask(&anonymous, number.clone()).await.is_err(),
        "without a certificate"
    );
    let misled = TlsArgs {
        ca: file("clients.crt", &clients.pem()),
        ..good.clone()
    };
    let misled = ask(&misled, number.clone()).await.expect_err("refused");
    assert!(misled.contains("InvalidCertificate"), "{misled}");
    let swapped = TlsArgs {
        key: file("none.key", "nothing"),
        ..good
    };
    let swapped = ask(&swapped, number.clone()).await.expect_err("refused");
    assert!(swapped.contains("--key"), "{swapped}");
    let plain = ask(&TlsArgs::default(), number).await;
    assert!(plain.is_err(), "without TLS");
}
