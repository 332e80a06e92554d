//! A guard with an issuer of its own, and a service behind it that lets
//! everything through.

use std::{convert::Infallible, path::PathBuf, pin::Pin, sync::Arc, task::Poll};

use access::{Caller, Grant, Issuer, TokenOrder};
use decider::{Role, Service};
use http_body::Body as _;
use service_kit::access::{AccessMode, AccessOptions, Guard, GuardLayer, Guarded, now_secs};
use tempfile::TempDir;
use tonic::{Code, Status, body::Body, codegen::http};
use tonic_types::StatusExt;
use tower::{Layer, Service as _, ServiceExt, util::BoxCloneSyncService};

pub const AREA: &str = "310115132";
pub const OTHER_AREA: &str = "310101002";
pub const ISSUER: &str = "baogong-laptop";
pub const HOUSEHOLD: &str = "h-1";

pub fn issuer() -> Issuer {
    Issuer::new([7; 32])
}

pub fn grant(role: Role) -> Grant {
    Grant {
        roles: vec![role.name().to_owned()],
        areas: vec!["*".to_owned()],
        carrier: (role == Role::Carrier).then(|| "acme".to_owned()),
        household: (role == Role::Resident).then(|| HOUSEHOLD.to_owned()),
        id: None,
    }
}

pub fn limited(role: Role) -> Grant {
    Grant {
        areas: vec!["310115".to_owned()],
        ..grant(role)
    }
}

pub fn token_by(issuer: &Issuer, grant: Grant) -> String {
    issuer.issue(&TokenOrder {
        issuer: ISSUER,
        audience: "baogong",
        subject: "somebody",
        token_id: "01J0000000000000000000000A",
        now_secs: now_secs(),
        ttl_secs: 3_600,
        grant,
    })
}

pub fn token(grant: Grant) -> String {
    token_by(&issuer(), grant)
}

/// A folder with the issuer's key set and an empty list of revocations.
pub struct Site {
    pub folder: TempDir,
    pub options: AccessOptions,
}

impl Site {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = AccessOptions {
            mode: AccessMode::Tokens,
            issuer: ISSUER.to_owned(),
            jwks_file: folder.path().join("jwks.json"),
            revocations_file: folder.path().join("revoked"),
            ..AccessOptions::default()
        };
        let site = Self { folder, options };
        site.write("jwks.json", &issuer().jwks());
        site.write("revoked", "");
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    pub async fn door(&self) -> Door {
        let guard = Guard::open(Service::Order, &self.options).await;
        Door::behind(guard.expect("a guard"))
    }
}

type Inner = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Infallible>;

/// A service behind a guard.
#[derive(Clone)]
pub struct Door(Guarded<Inner>);

impl Door {
    pub fn behind(guard: Arc<Guard>) -> Self {
        let inner = tower::service_fn(|request: http::Request<Body>| async move {
            Ok::<_, Infallible>(answer(request).await)
        });
        Self(GuardLayer(guard).layer(BoxCloneSyncService::new(inner)))
    }

    /// Makes a call with these headers and this body.
    pub async fn call(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Result<Option<String>, Status> {
        let mut request = http::Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("a request");
        let answer = self.0.ready().await.expect("ready").call(request).await;
        let answer = answer.expect("infallible");
        match Status::from_header_map(answer.headers()) {
            Some(status) if status.code() != Code::Ok => Err(status),
            _ => Ok(answer
                .headers()
                .get("caller")
                .map(|who| who.to_str().expect("text").to_owned())),
        }
    }

    /// Opens a stream that the service never ends by itself.
    pub async fn open(&mut self, path: &str, headers: &[(&str, &str)]) -> Opened {
        let mut request = http::Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body(&[])).expect("a request");
        let answer = self.0.ready().await.expect("ready").call(request).await;
        Opened(answer.expect("infallible").into_body())
    }

    /// Makes a call with a token and one message.
    pub async fn ask(&mut self, path: &str, token: &str, message: &[u8]) -> Result<(), Status> {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        self.call(path, &headers, body(message)).await.map(|_| ())
    }
}

/// The answer of a stream.
pub struct Opened(Body);

impl Opened {
    async fn frame(&mut self) -> Option<http_body::Frame<bytes::Bytes>> {
        let body = &mut self.0;
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        frame
            .await
            .map(|frame| frame.expect("no error of the connection"))
    }

    pub async fn first(&mut self) -> String {
        let data = self.frame().await.expect("a frame").into_data();
        String::from_utf8(data.expect("data").to_vec()).expect("text")
    }

    /// The status in its trailers.
    pub async fn end(&mut self) -> Status {
        let trailers = self.frame().await.expect("a frame").into_trailers();
        let trailers = trailers.expect("trailers");
        assert!(self.frame().await.is_none(), "nothing behind the trailers");
        Status::from_header_map(&trailers).expect("a status")
    }
}

/// One frame, and no end.
struct Endless(Option<bytes::Bytes>);

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Status>>> {
        match self.0.take() {
            Some(data) => Poll::Ready(Some(Ok(http_body::Frame::data(data)))),
            None => Poll::Pending,
        }
    }
}

/// Reads the request as tonic does, and says who called.
async fn answer(request: http::Request<Body>) -> http::Response<Body> {
    let caller = request.extensions().get::<Caller>().cloned();
    let streams = request.headers().contains_key("test-stream");
    let mut body = request.into_body();
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        match frame.await {
            None => break,
            Some(Err(status)) => return status.into_http(),
            Some(Ok(_)) => {}
        }
    }
    if streams {
        return http::Response::new(Body::new(Endless(Some("data".into()))));
    }
    let mut answer = http::Response::new(Body::empty());
    if let Some(caller) = caller {
        let who = format!("{} as {}", caller.subject, caller.acting.expect("a role"));
        answer
            .headers_mut()
            .insert("caller", who.parse().expect("a header"));
    }
    answer
}

/// One message as gRPC sends it.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    let length = u32::try_from(message.len()).expect("short");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

pub fn body(message: &[u8]) -> Body {
    raw_body(vec![framed(message)])
}

/// A body that comes in these parts.
pub fn raw_body(parts: Vec<Vec<u8>>) -> Body {
    Body::new(Parts(parts.into_iter().map(Into::into).collect()))
}

struct Parts(std::collections::VecDeque<bytes::Bytes>);

impl http_body::Body for Parts {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Status>>> {
        Poll::Ready(
            self.0
                .pop_front()
                .map(|part| Ok(http_body::Frame::data(part))),
        )
    }
}

/// The `reason` of a refusal, with its code.
pub fn told(refused: Result<(), Status>) -> (Code, String) {
    let status = refused.expect_err("refused");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(info.domain, "order.baogong");
    (status.code(), info.reason)
}
