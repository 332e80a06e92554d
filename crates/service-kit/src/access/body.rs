//! The requests of a call on their way to the handler: each message is held
//! until it is whole, checked against what the caller may name, and only then
//! passed on. A message that may not pass ends the stream with its status,
//! which is what the handler's caller gets.
//!
//! A message is a byte that says whether it is compressed, four bytes of
//! length, and that many bytes (gRPC over HTTP/2, "Length-Prefixed-Message").

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use access::Scope;
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tonic::{Code, Status, body::Body};

use super::guard::Guard;
use crate::status;

/// Longest message that is taken, as everywhere in tonic.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
const PREFIX_BYTES: usize = 5;

pub(super) struct ScopedBody {
    inner: Body,
    /// What is not checked yet.
    held: BytesMut,
    scope: Scope,
    guard: Arc<Guard>,
    method: String,
    over: bool,
}

impl ScopedBody {
    pub(super) fn new(inner: Body, scope: Scope, guard: Arc<Guard>, method: String) -> Self {
        Self {
            inner,
            held: BytesMut::new(),
            scope,
            guard,
            method,
            over: false,
        }
    }

    /// Takes the whole messages out of what is held, checked.
    fn checked(&mut self) -> Result<Bytes, Status> {
        let service = self.guard.service();
        let mut end = 0;
        while let Some(prefix) = self.held.get(end..end + PREFIX_BYTES) {
            let [compressed, length @ ..] = prefix else {
                break;
            };
            if *compressed != 0 {
                return Err(status::status(
                    service,
                    Code::Unimplemented,
                    "COMPRESSION_REFUSED",
                    "requests are taken uncompressed only",
                ));
            }
            let length = length.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
            if length > MESSAGE_BYTES_MAX {
                let message =
                    format!("the request has {length} bytes; {MESSAGE_BYTES_MAX} are the limit");
                return Err(status::status(
                    service,
                    Code::OutOfRange,
                    "TOO_LARGE",
                    message,
                ));
            }
            let begin = end + PREFIX_BYTES;
            let Some(message) = self.held.get(begin..begin + length) else {
                break;
            };
            self.scope
                .check(message)
                .map_err(|refusal| self.guard.refused(&self.method, &refusal))?;
            end = begin + length;
        }
        Ok(self.held.split_to(end).freeze())
    }
}

impl http_body::Body for ScopedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                None => {
                    // A torso reaches no handler: it is no message. It is
                    // passed on so that this is said as always.
                    self.over = true;
                    let rest = self.held.split().freeze();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
                Some(Err(error)) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Err(other) => return Poll::Ready(Some(Ok(other))),
                Ok(data) => {
                    self.held.extend_from_slice(&data);
                    match self.checked() {
                        Err(status) => {
                            self.over = true;
                            return Poll::Ready(Some(Err(status)));
                        }
                        // Not whole yet.
                        Ok(passed) if passed.is_empty() => {}
                        Ok(passed) => return Poll::Ready(Some(Ok(Frame::data(passed)))),
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || (self.held.is_empty() && self.inner.is_end_stream())
    }
}
