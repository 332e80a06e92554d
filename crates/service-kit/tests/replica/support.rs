//! A NATS server in a directory of its own, logs in memory, and records made
//! by hand.

use std::{future::Future, sync::Arc, time::Duration};

use bus::{
    Bus, BusOptions, Relay, StreamName,
    server::{NatsServer, ServerOptions},
};
use bytes::Bytes;
use decider::{Actor, Area, Cause, Position, Recorded, Revision, Service, StreamId, Timestamp};
use event_log::{EventLog, MemoryLog, Unit};
use proto::{
    OrderEvent,
    order::v1::OrderReady,
    record::{self, Encoded, Raw},
};
use service_kit::outbox::LogOutbox;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub struct Site {
    pub server: NatsServer,
    pub bus: Bus,
    pub dir: TempDir,
}

impl Site {
    pub async fn start() -> Self {
        let dir = TempDir::new().expect("a directory");
        let server = NatsServer::start(ServerOptions {
            store_dir: dir.path().to_owned(),
            ..ServerOptions::default()
        })
        .expect("a server");
        let bus = Bus::connect(BusOptions {
            url: server.url(),
            name: "test".into(),
            replicas: 1,
        })
        .await
        .expect("an address");
        Self { server, bus, dir }
    }

    /// Stops the server and loses all that it ever stored.
    pub fn wipe(&mut self) {
        self.server.kill();
        std::fs::remove_dir_all(self.dir.path().join("jetstream")).expect("removed");
        self.server.restart().expect("started again");
    }

    /// Publishes a log to its stream.
    pub async fn publish(&self, log: &Arc<MemoryLog>) {
        let (relay, _) = Relay::new(self.bus.clone(), order(), Arc::new(outbox(log)));
        let cancel = CancellationToken::new();
        cancel.cancel();
        soon("publishing", relay.run(cancel))
            .await
            .expect("published");
    }
}

pub fn order() -> StreamName {
    StreamName::new("order", 0)
}

pub fn outbox(log: &Arc<MemoryLog>) -> LogOutbox {
    LogOutbox {
        service: Service::Order,
        partition: 0,
        log: shared(log),
    }
}

/// As the runtime holds it.
pub fn shared(log: &Arc<MemoryLog>) -> Arc<dyn EventLog> {
    Arc::clone(log) as Arc<dyn EventLog>
}

/// Fails the test where a wait would never end.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// A log of the order service with commands of so many records; `author` makes
/// one history different from another.
pub fn history(author: &str, units: &[u32]) -> Arc<MemoryLog> {
    let log = Arc::new(MemoryLog::new());
    go_on(&log, author, units);
    log
}

pub fn go_on(log: &Arc<MemoryLog>, author: &str, units: &[u32]) {
    for records in units {
        let unit = (0..*records)
            .map(|n| {
                let position = log.last_position().0 + u64::from(n) + 1;
                ready(author, position, records - n - 1)
            })
            .collect();
        log.append(vec![unit]).expect("appended");
    }
}

/// The same with the end of the last command taken off.
pub fn torso(author: &str, units: &[u32], missing: u32) -> Arc<MemoryLog> {
    let whole = history(author, units);
    let log = Arc::new(MemoryLog::new());
    let mut bytes = bytes_of(&*whole);
    bytes.truncate(bytes.len() - missing as usize);
    log.append(vec![Unit(bytes)]).expect("appended");
    log
}

fn ready(author: &str, position: u64, unit_remaining: u32) -> Bytes {
    let event: OrderEvent = OrderReady {
        order_id: format!("{author}-{position}"),
    }
    .into();
    let raw: Raw = Recorded {
        position: Position(position),
        event_id: format!("{author}-{position}"),
        stream: StreamId::new("order", &format!("{author}-{position}")),
        revision: Revision(1),
        area: Area::new("632725100").expect("nine digits"),
        occurred: Timestamp(1_662_048_000_000),
        recorded: Timestamp(1_662_048_000_000),
        actor: Actor::system("order"),
        cause: Cause::Timer {
            due: Timestamp(1_662_048_000_000),
        },
        correlation_id: "c".into(),
        traceparent: String::new(),
        unit_remaining,
        event: Encoded::from(&event),
    };
    record::encode(&raw).into()
}

pub fn bytes_of(log: &dyn EventLog) -> Vec<Bytes> {
    let entries = log.read(Position(1), usize::MAX).expect("readable");
    entries.into_iter().map(|entry| entry.bytes).collect()
}
