//! The inner layer, behind the guard: how often, how many at once, and until
//! when, for each caller.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use ::access::{Caller, Class};
use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;
use tonic::{Code, Status, body::Body, codegen::http};
use tower::{Layer, Service};

use super::{Deadline, Edge, Peer, Who, frames::Frames};
use crate::status::{retry_in, status};

#[derive(Clone)]
pub struct QuotaLayer(pub Arc<Edge>);

impl<S> Layer<S> for QuotaLayer {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            edge: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub struct Counted<S> {
    inner: S,
    edge: Arc<Edge>,
}

impl<S> Service<http::Request<Body>> for Counted<S>
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
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let path = parts.uri.path().to_owned();
            let class = edge.class(&path);
            let method = edge.methods.get(&path);
            let (streams_in, streams_out) = method.map_or((true, true), |method| {
                (method.streams_in, method.streams_out)
            });
            let who = edge.who(&parts);
            let named = who
                .as_ref()
                .map_or("this machine".to_owned(), Who::to_string);
            if let Some(who) = &who
                && let Err(wait) = edge.rates.call(class, who)
            {
                return Ok(rate_limited(&edge, class, &named, &path, wait).into_http());
            }
            let mut held = None;
            if let Some(who) = who.as_ref().filter(|_| streams_in || streams_out) {
                held = edge.streams.take(who, edge.options.streams_per_caller_max);
                if held.is_none() {
                    return Ok(too_many_streams(&edge, &named, &path).into_http());
                }
            }
            // What streams in one direction or the other has no end of its own,
            // and an advancing test clock has a day's work to do.
            let longest = Duration::from_millis(edge.options.call_ms_max);
            let ends = !streams_in && !streams_out && class != Class::Admin;
            let deadline = Deadline::of(&parts.headers, ends.then_some(longest));
            if let Some(deadline) = deadline {
                parts.extensions.insert(deadline);
            }
            let body = match who {
                Some(who) if streams_in && class == Class::Report => {
                    Body::new(PacedBody::new(body, Arc::clone(&edge), who))
                }
                _ => body,
            };
            let peer = parts.extensions.get::<Peer>().cloned();
            let answering = inner.call(http::Request::from_parts(parts, body));
            let answer = match deadline {
                None => answering.await?,
                Some(Deadline(at)) => match tokio::time::timeout_at(at, answering).await {
                    Ok(answer) => answer?,
                    Err(_) => return Ok(deadline_passed(&edge, &named, &path).into_http()),
                },
            };
            if !streams_in && !streams_out {
                return Ok(answer);
            }
            let at = deadline.map(|Deadline(at)| at);
            Ok(answer.map(|body| {
                let watches = &edge.watches;
                Body::new(watches.watch(&edge, body, (named, held), path, peer, at))
            }))
        })
    }
}

impl Edge {
    /// Who is counted for a call; nobody where everybody on this machine may do
    /// everything.
    fn who(&self, parts: &http::request::Parts) -> Option<Who> {
        if let Some(caller) = parts.extensions.get::<Caller>() {
            return Some(Who::caller(caller));
        }
        let address = parts
            .extensions
            .get::<Peer>()?
            .address()
            .ip()
            .to_canonical();
        (self.counts_loopback || !address.is_loopback()).then(|| Who::peer(address))
    }
}

fn rate_limited(edge: &Edge, class: Class, who: &str, path: &str, wait: Duration) -> Status {
    edge.note("RATE_LIMITED", &who, path);
    let rate = edge.options.rate(class);
    let message = format!(
        "{who} calls too often: {} calls a second are taken of this kind ({}), and {} at once \
         after a pause; come again in {} ms, or send more in one call",
        rate.per_sec,
        class.name(),
        rate.burst,
        wait.as_millis().saturating_add(1)
    );
    retry_in(
        edge.service,
        Code::ResourceExhausted,
        "RATE_LIMITED",
        message,
        wait,
    )
}

fn too_many_streams(edge: &Edge, who: &str, path: &str) -> Status {
    let max = edge.options.streams_per_caller_max;
    let message = format!(
        "{who} has {max} streams open, and that is the limit: end those that nobody reads. One \
         that your side has lost ends here within {} s",
        edge.options.keepalive_secs + edge.options.keepalive_timeout_secs
    );
    let code = Code::ResourceExhausted;
    edge.refuse(code, "TOO_MANY_STREAMS", &who, path, message)
}

/// The answer did not come in time.
pub(super) fn deadline_passed(edge: &Edge, who: &str, path: &str) -> Status {
    edge.note("DEADLINE_PASSED", &who, path);
    let message = match edge.class(path) {
        Class::Write | Class::Report => {
            "the call's time was over before there was an answer. It may have been carried out or \
             not: repeat it with the same request id, and nothing happens twice"
        }
        _ => "the call's time was over before there was an answer; ask again",
    };
    status(
        edge.service,
        Code::DeadlineExceeded,
        "DEADLINE_PASSED",
        message,
    )
}

/// A stream of requests at the pace of its caller's allowance: what comes
/// faster waits with the sender, since HTTP/2 gives room only for what was
/// taken.
struct PacedBody {
    inner: Body,
    frames: Frames,
    edge: Arc<Edge>,
    who: Who,
    /// A part that waits, with the messages in it that are still to be counted.
    waiting: Option<(Frame<Bytes>, u64)>,
    rest: Pin<Box<Sleep>>,
}

impl PacedBody {
    fn new(inner: Body, edge: Arc<Edge>, who: Who) -> Self {
        Self {
            inner,
            frames: Frames::default(),
            edge,
            who,
            waiting: None,
            rest: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }
}

impl http_body::Body for PacedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some((frame, owed)) = self.waiting.take() {
                if owed == 0 {
                    return Poll::Ready(Some(Ok(frame)));
                }
                self.waiting = Some((frame, owed));
                ready!(self.rest.as_mut().poll(context));
                match self.edge.rates.call(Class::Report, &self.who) {
                    Ok(()) => {
                        self.waiting = self.waiting.take().map(|(frame, _)| (frame, owed - 1));
                    }
                    Err(wait) => {
                        let until = tokio::time::Instant::now() + wait;
                        self.rest.as_mut().reset(until);
                    }
                }
                continue;
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    let before = self.frames.begun();
                    if let Some(data) = frame.data_ref() {
                        let Ok(()) = self
                            .frames
                            .go(data, |_| Ok::<_, std::convert::Infallible>(()));
                    }
                    let owed = self.frames.begun() - before;
                    self.waiting = Some((frame, owed));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.inner.is_end_stream()
    }
}
