//! A streamed answer that ends when its caller's token does, so that nobody
//! who was shut out goes on reading what he opened before.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use access::Caller;
use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tonic::{Status, body::Body, codegen::http};

use super::guard::Guard;

/// How often the token is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct WatchedBody {
    inner: Body,
    caller: Caller,
    guard: Arc<Guard>,
    method: String,
    ticks: Interval,
    over: bool,
}

impl WatchedBody {
    pub(super) fn new(inner: Body, caller: Caller, guard: Arc<Guard>, method: String) -> Self {
        let mut ticks = interval_at(tokio::time::Instant::now() + LOOK_EVERY, LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            inner,
            caller,
            guard,
            method,
            ticks,
            over: false,
        }
    }
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        // Before the answer, so that one that never pauses is looked at too.
        while self.ticks.poll_tick(context).is_ready() {
            if let Err(refusal) = self.guard.still(&self.caller) {
                self.over = true;
                let status = self.guard.refused(&self.method, &refusal);
                let mut trailers = http::HeaderMap::new();
                return Poll::Ready(Some(
                    status
                        .add_header(&mut trailers)
                        .map(|()| Frame::trailers(trailers)),
                ));
            }
        }
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }
}
