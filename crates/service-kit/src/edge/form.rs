//! The outer layer: the form of requests and answers, whoever makes them.
//! Messages are as long as their class allows, one request is one message, and
//! every refusal has a reason, also those that tonic makes.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use ::access::Method;
use bytes::{Buf, Bytes};
use http_body::Frame;
use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{self, HeaderMap, HeaderValue},
};
use tower::{Layer, Service};

use super::{Edge, Peer, connection, frames::Frames};
use crate::status::status;

const DETAILS: &str = "grpc-status-details-bin";

#[derive(Clone)]
pub struct FormLayer(pub Arc<Edge>);

impl<S> Layer<S> for FormLayer {
    type Service = Formed<S>;

    fn layer(&self, inner: S) -> Formed<S> {
        Formed {
            inner,
            edge: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub struct Formed<S> {
    inner: S,
    edge: Arc<Edge>,
}

impl<S> Service<http::Request<Body>> for Formed<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let edge = Arc::clone(&self.edge);
        let peer = request.extensions().get::<Peer>().cloned();
        // From now on, since a call may be taken back before it is looked at.
        let unanswered = Unanswered::new(&edge, peer.clone(), request.uri().path());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let call = peer.as_ref().map(Peer::call);
            let path = parts.uri.path().to_owned();
            let method = edge.methods.get(&path).cloned();
            let body = Body::new(RequestBody {
                inner: body,
                frames: Frames::default(),
                bytes_max: edge.options.request_bytes_max(edge.class(&path)),
                is_stream: method.as_ref().is_none_or(|method| method.streams_in),
                edge: Arc::clone(&edge),
                peer,
                path: path.clone(),
                over: false,
            });
            let mut answer = inner.call(http::Request::from_parts(parts, body)).await?;
            unanswered.came_back();
            sign(answer.headers_mut(), method.as_deref());
            edge.give_reason(&path, answer.headers_mut());
            Ok(answer.map(|inner| {
                Body::new(AnswerBody {
                    inner,
                    frames: Frames::default(),
                    edge,
                    path,
                    over: false,
                    _call: call,
                })
            }))
        })
    }
}

/// A call whose caller may take it back, which drops its future.
struct Unanswered {
    edge: Arc<Edge>,
    peer: Option<Peer>,
    path: String,
}

impl Unanswered {
    fn new(edge: &Arc<Edge>, peer: Option<Peer>, path: &str) -> Self {
        Self {
            edge: Arc::clone(edge),
            peer,
            path: path.to_owned(),
        }
    }

    fn came_back(mut self) {
        self.peer = None;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.edge.cancelled(self.peer.as_ref(), &self.path);
    }
}

/// Says which version answers, and whether the method will be gone.
fn sign(headers: &mut HeaderMap, method: Option<&Method>) {
    let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
    headers.insert("baogong-version", version);
    let Some(method) = method else { return };
    let Some(until) = &method.served_until else {
        return;
    };
    let name = method.path.trim_start_matches('/');
    if let Ok(told) = HeaderValue::from_str(&format!("{name}; served-until={until}")) {
        headers.insert("baogong-deprecated", told);
    }
}

impl Edge {
    /// A call was taken back; who does that without end is cut off.
    fn cancelled(&self, peer: Option<&Peer>, path: &str) {
        let max = self.options.cancelled_calls_max;
        if let Some(peer) = peer.filter(|peer| peer.cancels(max)) {
            self.note("TOO_MANY_CANCELLED", &peer.address().ip(), path);
        }
    }

    /// Adds an `ErrorInfo` to a status that tonic made: of a request that it
    /// could not read, or a method that it does not know.
    fn give_reason(&self, path: &str, headers: &mut HeaderMap) {
        if headers.contains_key(DETAILS) || !path.starts_with("/baogong.") {
            return;
        }
        let Some(made) = Status::from_header_map(headers) else {
            return;
        };
        let reason = match made.code() {
            Code::InvalidArgument => "REQUEST_UNREADABLE",
            Code::Unimplemented => "METHOD_UNKNOWN",
            Code::OutOfRange => "TOO_LARGE",
            Code::DeadlineExceeded | Code::Cancelled => "DEADLINE_PASSED",
            Code::Internal => "INTERNAL",
            _ => return,
        };
        self.note(reason, &"unknown", path);
        let mut told = HeaderMap::new();
        let full = status(self.service, made.code(), reason, made.message());
        if full.add_header(&mut told).is_ok()
            && let Some(details) = told.remove(DETAILS)
        {
            headers.insert(DETAILS, details);
        }
    }
}

/// A request on its way in. One that may not pass ends with its status, which
/// is what tonic answers.
struct RequestBody {
    inner: Body,
    frames: Frames,
    bytes_max: usize,
    is_stream: bool,
    edge: Arc<Edge>,
    peer: Option<Peer>,
    path: String,
    over: bool,
}

impl RequestBody {
    fn refuse(&self, code: Code, reason: &'static str, message: String) -> Status {
        let who = self.peer.as_ref().map(|peer| peer.address().to_string());
        let who = who.as_deref().unwrap_or("unknown");
        self.edge.refuse(code, reason, &who, &self.path, message)
    }

    fn check(&mut self, data: &[u8]) -> Result<(), Status> {
        let mut frames = std::mem::take(&mut self.frames);
        let checked = frames.go(data, |begun| {
            if begun.compressed {
                let message = "requests are taken uncompressed only".to_owned();
                return Err(self.refuse(Code::Unimplemented, "COMPRESSION_REFUSED", message));
            }
            if begun.length > self.bytes_max {
                let message = format!(
                    "the message has {} bytes; of this method at most {} are taken",
                    begun.length, self.bytes_max
                );
                return Err(self.refuse(Code::OutOfRange, "TOO_LARGE", message));
            }
            if begun.number > 1 && !self.is_stream {
                let message = "this method takes one request, and a second came".to_owned();
                return Err(self.refuse(Code::InvalidArgument, "REQUEST_UNREADABLE", message));
            }
            Ok(())
        });
        self.frames = frames;
        checked
    }

    /// The body is over; was it whole?
    fn end(&self) -> Option<Status> {
        let message = if !self.frames.is_between() {
            "the request ends in the middle of a message"
        } else if self.frames.begun() == 0 && !self.is_stream {
            "there is no message in the request; an empty one has five bytes of prefix"
        } else {
            return None;
        };
        let message = message.to_owned();
        Some(self.refuse(Code::InvalidArgument, "REQUEST_UNREADABLE", message))
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        let refused = match &frame {
            None => {
                self.over = true;
                self.end()
            }
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => self.check(&data.clone()).err(),
                None => None,
            },
            Some(Err(_)) => {
                // Taken back in the middle of the request.
                self.over = true;
                self.edge.cancelled(self.peer.as_ref(), &self.path);
                None
            }
        };
        match refused {
            Some(status) => {
                self.over = true;
                Poll::Ready(Some(Err(status)))
            }
            None => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || (self.inner.is_end_stream() && self.end_is_good())
    }
}

impl RequestBody {
    const fn end_is_good(&self) -> bool {
        self.frames.is_between() && (self.is_stream || self.frames.begun() > 0)
    }
}

/// An answer on its way out.
struct AnswerBody {
    inner: Body,
    frames: Frames,
    edge: Arc<Edge>,
    path: String,
    over: bool,
    _call: Option<connection::Call>,
}

impl AnswerBody {
    fn check(&mut self, data: &[u8]) -> Result<(), Status> {
        let max = self.edge.options.answer_bytes_max;
        let mut frames = std::mem::take(&mut self.frames);
        let checked = frames.go(data, |begun| {
            if begun.length <= max {
                return Ok(());
            }
            let message = format!(
                "the answer has {} bytes, and {max} are the limit: ask for less, a smaller page \
                 for example",
                begun.length
            );
            let (reason, who) = ("ANSWER_TOO_LARGE", &"unknown");
            Err(self
                .edge
                .refuse(Code::OutOfRange, reason, who, &self.path, message))
        });
        self.frames = frames;
        checked
    }
}

/// A status behind the messages of an answer.
pub(super) fn trailers(status: &Status) -> Frame<Bytes> {
    let mut headers = HeaderMap::new();
    // A message that is no header's text is left out, not the code.
    if status.add_header(&mut headers).is_err() {
        let code = HeaderValue::from(status.code() as i32);
        headers.insert("grpc-status", code);
    }
    Frame::trailers(headers)
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let mut frame = frame?;
        if let Some(data) = frame.data_ref().filter(|data| data.has_remaining()) {
            if let Err(status) = self.check(&data.clone()) {
                self.over = true;
                return Poll::Ready(Some(Ok(trailers(&status))));
            }
        } else if let Some(headers) = frame.trailers_mut() {
            self.edge.give_reason(&self.path, headers);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }
}
