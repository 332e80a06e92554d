//! Callers who open streams and read nothing of them. The suite cuts them off
//! after a while; they come back at once and do it again.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use proto::{log::v1::ReadRequest, logistics::v1::WatchTendersRequest};
use tokio::{net::TcpStream, task::JoinSet};
use tonic::codegen::http::Request;

use crate::{
    firm,
    suite::{AREA, Suite},
};

/// Streams that each of them opens.
const STREAMS: usize = 20;
/// What it takes of all of them together before it takes nothing more.
const WINDOW_BYTES: u32 = 64;

pub struct SlowReaders {
    cut_off: Arc<AtomicU64>,
    // Aborted with it.
    _readers: JoinSet<()>,
}

/// What one of them calls, again and again.
struct Call {
    suite: SocketAddr,
    path: &'static str,
    token: String,
    request: Bytes,
}

impl SlowReaders {
    /// Every other one is an auditor who reads the whole log; the others are
    /// firms that watch their tenders from the first on.
    pub fn start(suite: &Suite, count: usize) -> anyhow::Result<Self> {
        let cut_off = Arc::new(AtomicU64::new(0));
        let mut readers = JoinSet::new();
        for n in 0..count {
            let call = if n % 2 == 0 {
                let request = ReadRequest {
                    from_position: 1,
                    follow: true,
                    ..ReadRequest::default()
                };
                Call {
                    suite: suite.logistics,
                    path: "/baogong.log.v1.LogService/Read",
                    token: suite.token(&[
                        "--role",
                        "auditor",
                        "--subject",
                        &format!("slow-{n}"),
                    ])?,
                    request: framed(&request),
                }
            } else {
                let request = WatchTendersRequest {
                    area: AREA.into(),
                    carrier_id: firm::id(n),
                    ..WatchTendersRequest::default()
                };
                Call {
                    suite: suite.logistics,
                    path: "/baogong.logistics.v1.PartnerService/WatchTenders",
                    token: suite.token(&["--role", "carrier", "--carrier", &firm::id(n)])?,
                    request: framed(&request),
                }
            };
            let cut_off = Arc::clone(&cut_off);
            readers.spawn(async move {
                loop {
                    if call.stall().await.is_ok() {
                        cut_off.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
        Ok(Self {
            cut_off,
            _readers: readers,
        })
    }

    /// How often a connection of theirs was ended by the suite.
    pub fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }
}

impl Call {
    /// Reads nothing until the connection is cut.
    async fn stall(&self) -> anyhow::Result<()> {
        let socket = TcpStream::connect(self.suite).await?;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(WINDOW_BYTES);
        let (client, connection) = builder.handshake::<_, Bytes>(socket).await?;
        let connection = tokio::spawn(connection);
        let mut client = client.ready().await?;
        let mut answers = Vec::new();
        for _ in 0..STREAMS {
            let head = Request::post(format!("http://{}{}", self.suite, self.path))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("authorization", format!("Bearer {}", self.token))
                .body(())?;
            let (answer, mut body) = client.send_request(head, false)?;
            body.send_data(self.request.clone(), true)?;
            answers.push(answer);
            client = client.ready().await?;
        }
        let begun: Vec<_> = begun_of(answers).await;
        let _ = connection.await;
        drop(begun);
        Ok(())
    }
}

/// The answers as far as they began: who drops one says that it is not wanted.
async fn begun_of(
    answers: Vec<h2::client::ResponseFuture>,
) -> Vec<Result<tonic::codegen::http::Response<h2::RecvStream>, h2::Error>> {
    let mut begun = Vec::with_capacity(answers.len());
    for answer in answers {
        begun.push(answer.await);
    }
    begun
}

/// A message of gRPC: not compressed, its length, its bytes.
fn framed(message: &impl Message) -> Bytes {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), &bytes].concat().into()
}
