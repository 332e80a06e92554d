//! The connections of a listener, through the TLS handshake where there is one.
//! Handshakes run beside each other and have a limit of time and number, so
//! that nobody who connects and says nothing keeps others out; nor does who
//! connects too often.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use decider::Service;
use futures::{Stream, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{
    LimitsOptions, Told,
    connection::{Connection, Io, Place},
    held::Counts,
};
use crate::tls::Tls;

const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
const HANDSHAKES_MAX: usize = 256;
/// Before the next try, when the operating system gives no connection.
const REST: Duration = Duration::from_millis(100);

/// How many connections are open, and may be.
pub struct Connections {
    all: Counts<()>,
    by_peer: Counts<std::net::IpAddr>,
    all_max: usize,
    by_peer_max: usize,
    greeting: Duration,
    told: Told,
}

impl Connections {
    #[must_use]
    pub fn new(service: Service, options: &LimitsOptions) -> Self {
        Self {
            all: Counts::default(),
            by_peer: Counts::default(),
            all_max: options.connections_max,
            by_peer_max: options.connections_per_peer_max,
            greeting: Duration::from_secs(options.greeting_secs_max),
            told: Told::new(service),
        }
    }

    fn place(&self, address: SocketAddr) -> Option<Place> {
        let peer = address.ip().to_canonical();
        let Some(of_peer) = self.by_peer.take(&peer, self.by_peer_max) else {
            self.told.refused("TOO_MANY_CONNECTIONS", &address.ip(), "");
            return None;
        };
        let Some(of_all) = self.all.take(&(), self.all_max) else {
            self.told.refused("CONNECTIONS_FULL", &address.ip(), "");
            return None;
        };
        Some(Place {
            _of_all: of_all,
            _of_peer: of_peer,
        })
    }

    /// Open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.all.all()
    }
}

struct Listening {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    connections: Arc<Connections>,
    handshakes: JoinSet<Option<Connection>>,
}

/// The connections of a listener; those that fail are passed over. It never
/// ends, and gives no error.
pub fn incoming(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    connections: Arc<Connections>,
) -> impl Stream<Item = io::Result<Connection>> {
    let listening = Listening {
        listener,
        tls,
        connections,
        handshakes: JoinSet::new(),
    };
    stream::unfold(listening, |mut listening| async move {
        loop {
            let has_room = listening.handshakes.len() < HANDSHAKES_MAX;
            tokio::select! {
                accepted = listening.listener.accept(), if has_room => match accepted {
                    Ok((socket, address)) => {
                        if let Some(connection) = listening.accepted(socket, address) {
                            return Some((Ok(connection), listening));
                        }
                    }
                    Err(error) => {
                        tracing::error!("no connection can be taken in: {error}");
                        tokio::time::sleep(REST).await;
                    }
                },
                Some(done) = listening.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return Some((Ok(connection), listening));
                    }
                }
            }
        }
    })
}

impl Listening {
    /// A connection without TLS; one with it begins its handshake.
    fn accepted(&mut self, socket: TcpStream, address: SocketAddr) -> Option<Connection> {
        let place = self.connections.place(address)?;
        // Answers are small and waited for.
        let _ = socket.set_nodelay(true);
        let greeting = self.connections.greeting;
        let Some(tls) = &self.tls else {
            return Some(Connection::new(Io::Plain(socket), address, place, greeting));
        };
        let acceptor = TlsAcceptor::from(tls.current());
        self.handshakes.spawn(async move {
            let shaken = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(socket));
            match shaken.await {
                Ok(Ok(io)) => Some(Connection::new(
                    Io::Tls(Box::new(io)),
                    address,
                    place,
                    greeting,
                )),
                Ok(Err(error)) => {
                    tracing::info!(peer = %address, "refused: TLS: {error}");
                    None
                }
                Err(_) => {
                    tracing::info!(peer = %address, "refused: TLS: no handshake in time");
                    None
                }
            }
        });
        None
    }
}
