//! An address of a firm's that takes webhooks, over plain HTTP or TLS.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post,
    serve::Listener,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer};
use sha2::Sha256;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

const PATIENCE: Duration = Duration::from_secs(30);

/// One try to deliver.
#[derive(Debug, Clone)]
pub struct Try {
    pub id: String,
    pub timestamp: String,
    pub signatures: Vec<String>,
    pub body: Bytes,
}

impl Try {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    /// As a receiver checks it, by the specification and nothing of ours.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").expect("a prefix");
        let key = STANDARD.decode(key).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.signatures.contains(&wanted)
    }
}

/// An address of the firm's that answers as it is told, and `200` then.
pub struct Receiver {
    url: String,
    pub tries: mpsc::UnboundedReceiver<Try>,
    pub answers: Arc<Mutex<VecDeque<u16>>>,
    serving: JoinHandle<()>,
}

type Shared = (mpsc::UnboundedSender<Try>, Arc<Mutex<VecDeque<u16>>>);

async fn receive(
    State((tell, answers)): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let header = |name| {
        headers
            .get(name)
            .expect(name)
            .to_str()
            .expect("text")
            .to_owned()
    };
    let signatures = header("webhook-signature");
    let tried = Try {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signatures: signatures.split(' ').map(str::to_owned).collect(),
        body,
    };
    let answer = answers.lock().expect("no panic").pop_front().unwrap_or(200);
    let _ = tell.send(tried);
    StatusCode::from_u16(answer).expect("a status")
}

/// Takes connections over TLS.
struct Secured {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (socket, address) = self.listener.accept().await.expect("a connection");
            // One that does not trust the certificate goes away.
            if let Ok(stream) = self.acceptor.accept(socket).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// An authority of the firm's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// With a certificate for this machine.
    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("its key");
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::serve("http", listener)
    }

    pub async fn start_with_tls(authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let acceptor = authority.acceptor();
        Self::serve("https", Secured { listener, acceptor })
    }

    fn serve<L: Listener<Addr = SocketAddr>>(scheme: &str, listener: L) -> Self {
        let address = listener.local_addr().expect("an address");
        let (tell, tries) = mpsc::unbounded_channel();
        let answers = Arc::<Mutex<VecDeque<u16>>>::default();
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state((tell, Arc::clone(&answers)));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a server");
        });
        Self {
            url: format!("{scheme}://{address}/hook"),
            tries,
            answers,
            serving,
        }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn will_answer(&self, answers: &[u16]) {
        self.answers.lock().expect("no panic").extend(answers);
    }

    pub async fn next(&mut self) -> Try {
        let next = tokio::time::timeout(PATIENCE, self.tries.recv()).await;
        next.expect("a delivery in time").expect("a receiver")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
