//! Streams of answers, seen from how they are read. A reader who takes nothing
//! for `limits.stall_secs_max` gets no more: what was held for him is let go,
//! and where nothing else is under way on his connection, that is cut.
//!
//! HTTP/2 asks for the next part only when the reader has room for the one
//! before; so a part that was given, and none asked for since, is not taken.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status, body::Body};

use super::{Edge, Peer, Who, form::trailers, held::Held};
use crate::status::status;

/// All streams that are open.
#[derive(Default)]
pub(super) struct Watches(Mutex<Vec<Weak<Flow>>>);

struct Flow {
    state: Mutex<State>,
    who: String,
    path: String,
    peer: Option<Peer>,
}

struct State {
    /// What is read from; gone when the reader stalls.
    source: Option<Source>,
    /// When the part was given that has not been taken.
    given: Option<Instant>,
}

struct Source {
    body: Body,
    _held: Option<Held<Who>>,
}

impl Watches {
    pub(super) fn watch(
        &self,
        edge: &Arc<Edge>,
        body: Body,
        (who, held): (String, Option<Held<Who>>),
        path: String,
        peer: Option<Peer>,
        deadline: Option<Instant>,
    ) -> ReadBody {
        let flow = Arc::new(Flow {
            state: Mutex::new(State {
                source: Some(Source { body, _held: held }),
                given: None,
            }),
            who,
            path,
            peer,
        });
        self.0.lock().push(Arc::downgrade(&flow));
        ReadBody {
            flow,
            edge: Arc::clone(edge),
            deadline: deadline.map(|at| Box::pin(tokio::time::sleep_until(at))),
            over: false,
        }
    }

    /// Lets go of what nobody takes.
    pub(super) fn cut_stalled(&self, edge: &Edge) {
        let mut all = self.0.lock();
        all.retain(|flow| flow.strong_count() > 0);
        let flows: Vec<_> = all.iter().filter_map(Weak::upgrade).collect();
        drop(all);
        for flow in flows {
            let dropped = {
                let mut state = flow.state.lock();
                let stalled = state
                    .given
                    .is_some_and(|at| at.elapsed() >= edge.options.stall());
                if stalled { state.source.take() } else { None }
            };
            if dropped.is_some() {
                edge.note("SLOW_READER", &flow.who, &flow.path);
                if let Some(peer) = &flow.peer {
                    peer.stalls();
                }
            }
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        if let Some(peer) = self
            .peer
            .as_ref()
            .filter(|_| self.state.get_mut().source.is_none())
        {
            peer.was_stalled();
        }
    }
}

pub(super) struct ReadBody {
    flow: Arc<Flow>,
    edge: Arc<Edge>,
    deadline: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl ReadBody {
    fn ends_with(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.over = true;
        Poll::Ready(Some(Ok(trailers(status))))
    }
}

impl http_body::Body for ReadBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            let ended = super::quota::deadline_passed(&self.edge, &self.flow.who, &self.flow.path);
            return self.ends_with(&ended);
        }
        let polled = {
            let mut state = self.flow.state.lock();
            state.given = None;
            match &mut state.source {
                None => None,
                Some(source) => {
                    let polled = Pin::new(&mut source.body).poll_frame(context);
                    if let Poll::Ready(Some(Ok(_))) = &polled {
                        state.given = Some(Instant::now());
                    }
                    Some(polled)
                }
            }
        };
        if let Some(polled) = polled {
            return polled;
        }
        let seconds = self.edge.options.stall_secs_max;
        let message = format!(
            "nothing was read for {seconds} s, so the stream has ended: open it again after the \
             last cursor or position that you have seen, and read without waiting for your own work"
        );
        let slow = status(self.edge.service, Code::Aborted, "SLOW_READER", message);
        self.ends_with(&slow)
    }

    // A refusal in headers alone has no body, and must not be given an empty
    // one: gRPC's C core takes a data frame that ends the stream for a fault.
    fn is_end_stream(&self) -> bool {
        let state = self.flow.state.lock();
        let source = state.source.as_ref();
        self.over || source.is_some_and(|source| source.body.is_end_stream())
    }
}
