//! Stands between the firm's client and the suite: passes its calls on, tells
//! the switchboard of them, and plays the faults that it is told to.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt, future::BoxFuture, stream};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};

use prost::Message;
use proto::logistics::v1::{WatchTendersRequest, WatchTendersResponse};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{HeaderMap, Request, Response},
    service::Routes,
    transport::{Channel, Server, server::Connected},
};
use tonic_types::{ErrorDetails, StatusExt};
use tower::{Layer, Service, ServiceExt};

use super::switchboard::{Fault, Seen, Switchboard};

/// Length of the prefix of a message (gRPC over HTTP/2).
const PREFIX_BYTES: usize = 5;

/// Serves until it is dropped.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    suite: Channel,
    board: Arc<Switchboard>,
) -> anyhow::Result<()> {
    let at = Arc::clone(&board);
    let incoming = stream::unfold(listener, move |listener| {
        let board = Arc::clone(&at);
        async move {
            let accepted = listener.accept().await;
            let connection = accepted.map(|(stream, _)| Cuttable::new(stream, board));
            Some((connection, listener))
        }
    });
    Server::builder()
        .layer(ForwardLayer { suite, board })
        .add_routes(Routes::default())
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// A connection that ends when the switchboard says so, in the middle of
/// whatever it was about.
struct Cuttable {
    stream: TcpStream,
    cut: BoxFuture<'static, ()>,
}

impl Cuttable {
    fn new(stream: TcpStream, board: Arc<Switchboard>) -> Self {
        let made = board.cuts();
        Self {
            stream,
            cut: Box::pin(async move { board.cut(made).await }),
        }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => {
                // It is asked again after it has failed.
                self.cut = Box::pin(std::future::ready(()));
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Connected for Cuttable {
    type ConnectInfo = Option<SocketAddr>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.peer_addr().ok()
    }
}

#[derive(Clone)]
struct ForwardLayer {
    suite: Channel,
    board: Arc<Switchboard>,
}

impl<S> Layer<S> for ForwardLayer {
    type Service = Forward;

    /// What is below is never called.
    fn layer(&self, _: S) -> Forward {
        Forward {
            suite: self.suite.clone(),
            board: Arc::clone(&self.board),
        }
    }
}

#[derive(Clone)]
struct Forward {
    suite: Channel,
    board: Arc<Switchboard>,
}

impl Service<Request<Body>> for Forward {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let forward = self.clone();
        Box::pin(async move {
            let answer = forward.forward(request).await;
            Ok(answer.unwrap_or_else(Status::into_http))
        })
    }
}

/// The request id of every request that changes something is its first field.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(string, tag = "1")]
    request_id: String,
}

impl Forward {
    async fn forward(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        let method = method.to_owned();
        match method.as_str() {
            // Streams of requests are passed on as they come.
            "StreamReports" | "UploadPhoto" => {
                let mut seen = Seen::begins(&method);
                let answer = self.pass_on(request).await;
                seen.code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
                self.board.saw(seen);
                answer
            }
            "WatchTenders" => self.watch(request).await,
            _ => self.single(method, request).await,
        }
    }

    async fn pass_on(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let away = |error: &dyn std::fmt::Display| {
            Status::unavailable(format!("the suite is away: {error}"))
        };
        let mut suite = self.suite.clone();
        let ready = suite.ready().await.map_err(|error| away(&error))?;
        ready.call(request).await.map_err(|error| away(&error))
    }

    /// A call with one request and one answer.
    async fn single(
        self,
        method: String,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let mut seen = Seen::begins(&method);
        self.board.pass(&method).await;
        let (parts, body) = request.into_parts();
        let whole = body.collect().await?.to_bytes();
        let message = whole.slice(PREFIX_BYTES.min(whole.len())..);
        let reads = ["Get", "List", "Check", "Server"];
        if !reads.iter().any(|prefix| method.starts_with(prefix)) {
            seen.request_id = Head::decode(message.clone()).unwrap_or_default().request_id;
        }
        seen.request = message;
        if !seen.request_id.is_empty() {
            seen.fault = self.board.fault();
        }
        let fault = seen.fault;
        if let Some(Fault::Throttled(delay)) = fault {
            let status = throttled(delay);
            self.note(seen, &status);
            return Err(status);
        }
        let answer = self.pass_on(Request::from_parts(parts, Body::new(Full::new(whole))));
        let (parts, body) = answer.await?.into_parts();
        let body = body.collect().await?;
        if fault == Some(Fault::AnswerLost) {
            let status = Status::unavailable("the sandbox lost the answer");
            self.note(seen, &status);
            return Err(status);
        }
        let refused = body.trailers().and_then(status_in);
        if let Some(status) = refused.or_else(|| status_in(&parts.headers)) {
            self.note(seen, &status);
        } else {
            self.board.saw(seen);
        }
        let trailers = body.trailers().cloned().map(Frame::trailers);
        let data = body.to_bytes();
        // A refusal may consist of headers only.
        let data = (!data.is_empty()).then(|| Frame::data(data));
        if data.is_none() && trailers.is_none() {
            return Ok(Response::from_parts(parts, Body::empty()));
        }
        let frames = data.into_iter().chain(trailers).map(Ok::<_, Infallible>);
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        Ok(Response::from_parts(parts, body))
    }

    fn note(&self, mut seen: Seen, status: &Status) {
        seen.code = status.code();
        seen.reason = status
            .get_details_error_info()
            .map_or_else(String::new, |info| info.reason);
        self.board.saw(seen);
    }

    async fn watch(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let mut seen = Seen::begins("WatchTenders");
        let (parts, body) = request.into_parts();
        let whole = body.collect().await?.to_bytes();
        let message = whole.slice(PREFIX_BYTES.min(whole.len())..);
        let after = WatchTendersRequest::decode(message.clone());
        seen.request = message;
        let answer = self.pass_on(Request::from_parts(parts, Body::new(Full::new(whole))));
        let answer = answer.await?;
        if let Some(status) = status_in(answer.headers()) {
            self.note(seen, &status);
            return Ok(answer);
        }
        self.board.saw(seen);
        if let Ok(request) = after {
            self.board.watch_begins(request.after_cursor);
        }
        let board = self.board;
        Ok(answer.map(|body| Body::new(StreamBody::new(updates(body, board)))))
    }
}

/// The messages of a watch, held or repeated as the switchboard says.
fn updates(
    body: Body,
    board: Arc<Switchboard>,
) -> impl Stream<Item = Result<Frame<Bytes>, Status>> {
    let begin = (BodyStream::new(body), BytesMut::new());
    let whole = stream::unfold(begin, |(mut frames, mut held)| async move {
        loop {
            if let Some(message) = take_message(&mut held) {
                return Some((Ok(Frame::data(message)), (frames, held)));
            }
            match frames.next().await? {
                Err(error) => return Some((Err(error), (frames, held))),
                Ok(frame) => match frame.into_data() {
                    Ok(data) => held.extend_from_slice(&data),
                    Err(other) => return Some((Ok(other), (frames, held))),
                },
            }
        }
    });
    whole.flat_map(move |frame| {
        let board = Arc::clone(&board);
        let copies = async move {
            let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref) else {
                return vec![frame];
            };
            let message = WatchTendersResponse::decode(data.slice(PREFIX_BYTES..));
            let cursor = message.map_or(0, |message| message.cursor);
            let times = board.update(cursor).await;
            (0..times).map(|_| Ok(Frame::data(data.clone()))).collect()
        };
        stream::once(copies).flat_map(stream::iter).boxed()
    })
}

/// Takes one message with its prefix, once it is there.
fn take_message(held: &mut BytesMut) -> Option<Bytes> {
    let mut prefix = held.get(1..PREFIX_BYTES)?;
    let length = usize::try_from(prefix.get_u32()).ok()?;
    (held.len() >= PREFIX_BYTES + length).then(|| held.split_to(PREFIX_BYTES + length).freeze())
}

fn status_in(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)
}

fn throttled(delay: Duration) -> Status {
    let mut details = ErrorDetails::new();
    details
        .set_retry_info(Some(delay))
        .set_error_info("RATE_LIMITED", "baogong.logistics", []);
    Status::with_error_details(
        Code::ResourceExhausted,
        format!("too many calls; ask again in {} ms", delay.as_millis()),
        details,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_when_it_is_whole() {
        let mut held = BytesMut::from(&[0, 0, 0, 0, 2, 8][..]);
        assert_eq!(take_message(&mut held), None);
        held.extend_from_slice(&[1, 0, 0, 0]);
        let message = take_message(&mut held).expect("whole");
        assert_eq!(&message[..], [0, 0, 0, 0, 2, 8, 1]);
        assert_eq!(take_message(&mut held), None);
    }
}
