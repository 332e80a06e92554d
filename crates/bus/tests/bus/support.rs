//! A server in a directory of its own, an event log in memory, and waiting
//! with a limit.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::server::{NatsServer, ServerOptions};
use bus::{BoxError, Bus, BusError, BusOptions, Message, OutMessage, Outbox, Relay, StreamName};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Site {
    pub server: NatsServer,
    pub dir: TempDir,
}

impl Site {
    pub fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let server = NatsServer::start(ServerOptions {
            store_dir: dir.path().to_owned(),
            ..ServerOptions::default()
        })
        .unwrap();
        Self { server, dir }
    }

    pub async fn bus(&self) -> Bus {
        bus_at(&self.server.url()).await
    }

    /// The server as an administrator sees it.
    pub async fn admin(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(async_nats::connect(self.server.url()).await.unwrap())
    }

    /// Stops the server, loses all it ever stored, and starts it again.
    pub fn wipe(&mut self) {
        self.server.kill();
        std::fs::remove_dir_all(self.dir.path().join("jetstream")).unwrap();
        self.server.restart().unwrap();
    }
}

pub async fn bus_at(url: &str) -> Bus {
    Bus::connect(BusOptions {
        url: url.to_owned(),
        name: "test".into(),
        replicas: 1,
    })
    .await
    .unwrap()
}

pub fn order() -> StreamName {
    StreamName::new("order", 0)
}

/// Fails the test where a wait would never end.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// An event log in memory.
pub struct Log {
    records: Mutex<Vec<OutMessage>>,
    last: watch::Sender<u64>,
}

impl Log {
    pub fn empty() -> Arc<Self> {
        Arc::new(Self {
            records: Mutex::default(),
            last: watch::Sender::new(0),
        })
    }

    /// `count` records written by `author`.
    pub fn of(author: &str, count: u64) -> Arc<Self> {
        let log = Self::empty();
        log.append(author, count);
        log
    }

    pub fn append(&self, author: &str, count: u64) {
        let mut records = self.records.lock().unwrap();
        for _ in 0..count {
            let position = records.len() as u64 + 1;
            records.push(OutMessage {
                position,
                subject: bus::subject("order", 0, "632725100", "OrderPlaced"),
                headers: vec![("ce-id".into(), format!("{author}-{position}"))],
                payload: payload(author, position),
            });
        }
        self.last.send_replace(records.len() as u64);
    }
}

pub fn payload(author: &str, position: u64) -> Bytes {
    format!("{author} wrote {position}; {:->250}", "").into()
}

impl Outbox for Log {
    fn read(&self, from: u64, limit: usize) -> Result<Vec<OutMessage>, BoxError> {
        let records = self.records.lock().unwrap();
        let from = usize::try_from(from)? - 1;
        Ok(records.iter().skip(from).take(limit).cloned().collect())
    }

    fn last_position(&self) -> u64 {
        *self.last.borrow()
    }

    fn wait_past(&self, position: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut last = self.last.subscribe();
        Box::pin(async move {
            let _ = last.wait_for(|last| *last > position).await;
        })
    }
}

pub struct RunningRelay {
    pub acknowledged: watch::Receiver<u64>,
    pub cancel: CancellationToken,
    pub task: JoinHandle<Result<(), BusError>>,
}

impl RunningRelay {
    pub fn start(bus: &Bus, log: &Arc<impl Outbox>) -> Self {
        let (relay, acknowledged) = Relay::new(bus.clone(), order(), Arc::clone(log));
        let cancel = CancellationToken::new();
        let task = tokio::spawn(relay.run(cancel.clone()));
        Self {
            acknowledged,
            cancel,
            task,
        }
    }

    pub async fn wait_for(&mut self, position: u64) {
        let reached = self.acknowledged.wait_for(|at| *at >= position);
        if soon("acknowledgements", reached).await.is_err() {
            let ended = soon("end of the relay", &mut self.task).await;
            panic!("before {position} the relay ended with {ended:?}");
        }
    }

    /// Cancels and returns how it ended.
    pub async fn finish(self) -> Result<(), BusError> {
        self.cancel.cancel();
        self.ended().await
    }

    pub async fn ended(self) -> Result<(), BusError> {
        soon("end of the relay", self.task).await.unwrap()
    }
}

/// Publishes so many messages to a stream that allows deleting, and takes one
/// out.
pub async fn publish_with_hole(site: &Site, count: u64, missing: u64) {
    let config = async_nats::jetstream::stream::Config {
        name: order().to_string(),
        subjects: vec![order().subjects()],
        ..Default::default()
    };
    let admin = site.admin().await;
    let stream = admin.create_stream(config).await.unwrap();
    for position in 1..=count {
        let subject = bus::subject("order", 0, "632725100", "OrderPlaced");
        let sent = admin.publish(subject, payload("we", position)).await;
        sent.unwrap().await.unwrap();
    }
    stream.delete_message(missing).await.unwrap();
}

/// Asks until there is an answer: a cluster may be choosing its leader.
pub async fn settled<T>(ask: impl AsyncFn() -> Result<T, BusError>) -> T {
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(e) if e.is_transient() => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(e) => panic!("{e}"),
        }
    }
}

/// Message k is record k, and there are exactly `count`.
pub async fn assert_replica(bus: &Bus, author: &str, count: u64) {
    let state = soon(
        "the stream",
        settled(async || bus.stream_state(&order()).await),
    )
    .await;
    let state = state.unwrap();
    assert_eq!((state.first_sequence, state.last_sequence), (1, count));
    let all = settled(async || bus.read(&order(), 1, usize::MAX).await);
    let all = soon("all messages", all).await;
    assert_continues(&all, author, 1);
    assert_eq!(all.len() as u64, count);
}

pub fn assert_continues(messages: &[Message], author: &str, from: u64) {
    for (expected, message) in (from..).zip(messages) {
        assert_eq!(message.sequence, expected);
        assert_eq!(message.payload, payload(author, expected));
    }
}
