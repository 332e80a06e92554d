//! Connections that have come through the TLS handshake. Handshakes run beside
//! each other and have a limit of time and number, so that nobody who connects
//! and says nothing keeps others out.

use std::{io, sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::Tls;

const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
const HANDSHAKES_MAX: usize = 256;

struct Listening {
    listener: TcpListener,
    tls: Arc<Tls>,
    handshakes: JoinSet<Option<TlsStream<TcpStream>>>,
}

/// The connections of a listener. Those that fail are passed over.
pub fn incoming(
    listener: TcpListener,
    tls: Arc<Tls>,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> {
    let listening = Listening {
        listener,
        tls,
        handshakes: JoinSet::new(),
    };
    stream::unfold(listening, |mut listening| async move {
        loop {
            let has_room = listening.handshakes.len() < HANDSHAKES_MAX;
            tokio::select! {
                accepted = listening.listener.accept(), if has_room => match accepted {
                    Ok((socket, peer)) => {
                        let acceptor = TlsAcceptor::from(listening.tls.current());
                        listening.handshakes.spawn(async move {
                            let _ = socket.set_nodelay(true);
                            let shaken = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(socket));
                            match shaken.await {
                                Ok(Ok(connection)) => Some(connection),
                                Ok(Err(error)) => {
                                    tracing::info!(%peer, "refused: TLS: {error}");
                                    None
                                }
                                Err(_) => {
                                    tracing::info!(%peer, "refused: TLS: no handshake in time");
                                    None
                                }
                            }
                        });
                    }
                    Err(error) => return Some((Err(error), listening)),
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
