//! A connection that has come in: bytes, with or without TLS, and what the
//! calls on it must know of each other. It ends when it does not begin to
//! speak in time, and when it is cut.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::held::Held;

/// What every HTTP/2 client sends first (RFC 9113, section 3.4).
const GREETING_BYTES: usize = 24;

pub(super) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Counted as open until it is dropped.
pub(super) struct Place {
    pub(super) _of_all: Held<()>,
    pub(super) _of_peer: Held<IpAddr>,
}

pub struct Connection {
    io: Io,
    peer: Peer,
    /// Until it has sent as many bytes as a greeting has.
    greeting: Option<(Pin<Box<Sleep>>, usize)>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Place,
}

impl Connection {
    pub(super) fn new(io: Io, address: SocketAddr, place: Place, greeting: Duration) -> Self {
        let peer = Peer::new(address);
        Self {
            io,
            greeting: Some((Box::pin(tokio::time::sleep(greeting)), 0)),
            cut: Box::pin(peer.0.cut.clone().cancelled_owned()),
            peer,
            _place: place,
        }
    }
}

/// Who is at the other end of a connection; in the extensions of every request
/// that came on it.
#[derive(Clone)]
pub struct Peer(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    /// Under way, of which some are read by nobody.
    calls: AtomicUsize,
    stalled: AtomicUsize,
    /// Taken back by the caller since then.
    cancelled: Mutex<(Instant, usize)>,
    cut: CancellationToken,
}

/// Over which calls that were taken back are counted.
const CANCELLED_WITHIN: Duration = Duration::from_secs(10);

impl Peer {
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self(Arc::new(Shared {
            address,
            calls: AtomicUsize::new(0),
            stalled: AtomicUsize::new(0),
            cancelled: Mutex::new((Instant::now(), 0)),
            cut: CancellationToken::new(),
        }))
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// A call begins; it ends when this is dropped.
    pub(super) fn call(&self) -> Call {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        Call(self.clone())
    }

    /// A call was taken back before it was answered. With more than `max` of
    /// those the connection is cut, and the first time that is said.
    pub(super) fn cancels(&self, max: usize) -> bool {
        let mut cancelled = self.0.cancelled.lock();
        let (since, count) = &mut *cancelled;
        if since.elapsed() > CANCELLED_WITHIN {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        let too_many = *count > max && !self.0.cut.is_cancelled();
        if too_many {
            self.0.cut.cancel();
        }
        too_many
    }

    /// A call's answer is not read. Where that is so of all calls, the
    /// connection is cut: nobody is there any more, or he waits for nothing.
    /// Others' calls may share a connection behind a proxy, so it stays
    /// while one of them is under way.
    pub(super) fn stalls(&self) {
        let stalled = self.0.stalled.fetch_add(1, Ordering::Relaxed) + 1;
        if stalled >= self.0.calls.load(Ordering::Relaxed) {
            self.0.cut.cancel();
        }
    }

    /// One that was not read is over.
    pub(super) fn was_stalled(&self) {
        self.0.stalled.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) struct Call(Peer);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl Connection {
    fn may_go_on(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the connection was cut: its answers are not read, or its calls taken back",
            ));
        }
        if let Some((limit, _)) = &mut self.greeting
            && limit.as_mut().poll(context).is_ready()
        {
            tracing::info!(peer = %self.peer.address(), "refused: no HTTP/2 in time");
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.may_go_on(context)?;
        let before = buffer.filled().len();
        ready!(match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(context, buffer),
            Io::Tls(io) => Pin::new(io).poll_read(context, buffer),
        })?;
        if let Some((_, sent)) = &mut self.greeting {
            *sent += buffer.filled().len() - before;
            if *sent >= GREETING_BYTES {
                self.greeting = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(context, bytes),
            Io::Tls(io) => Pin::new(io).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(context, slices),
            Io::Tls(io) => Pin::new(io).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(io) => io.is_write_vectored(),
            Io::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(context),
            Io::Tls(io) => Pin::new(io).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(context),
            Io::Tls(io) => Pin::new(io).poll_shutdown(context),
        }
    }
}
