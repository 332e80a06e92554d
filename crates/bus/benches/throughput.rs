//! How fast the relay publishes, and a subscription and a plain read take in,
//! against a NATS server of its own: `cargo bench -p baogong-bus`. Records of
//! 300 bytes, file storage, one replica.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{
    BoxError, Bus, BusOptions, OutMessage, Outbox, Relay, StreamName,
    server::{NatsServer, ServerOptions},
};
use tokio_util::sync::CancellationToken;

const RECORDS: u64 = 100_000;
const RECORD_BYTES: usize = 300;

struct Made;

impl Outbox for Made {
    fn read(&self, from: u64, limit: usize) -> Result<Vec<OutMessage>, BoxError> {
        let to = RECORDS.min(from + limit as u64 - 1);
        let payload: Vec<u8> = vec![7; RECORD_BYTES];
        Ok((from..=to)
            .map(|position| OutMessage {
                position,
                subject: bus::subject("order", 0, "632725100", "OrderPlaced"),
                headers: vec![("ce-id".to_owned(), position.to_string())],
                payload: payload.clone().into(),
            })
            .collect())
    }

    fn last_position(&self) -> u64 {
        RECORDS
    }

    fn wait_past(&self, position: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if position >= RECORDS {
                std::future::pending::<()>().await;
            }
        })
    }
}

fn show(what: &str, took: Duration) {
    #[allow(clippy::cast_precision_loss)]
    let rate = RECORDS as f64 / took.as_secs_f64();
    println!("{what:<14} {RECORDS} records of {RECORD_BYTES} bytes in {took:.2?}: {rate:.0}/s");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let directory = tempfile::tempdir()?;
    let server = NatsServer::start(ServerOptions {
        store_dir: directory.path().to_owned(),
        ..ServerOptions::default()
    })?;
    let bus = Bus::connect(BusOptions {
        url: server.url(),
        name: "throughput".to_owned(),
        replicas: 1,
    })
    .await?;
    let stream = StreamName::new("order", 0);
    bus.ensure_stream(&stream).await?;

    let (relay, mut position) = Relay::new(bus.clone(), stream.clone(), Arc::new(Made));
    let stop = CancellationToken::new();
    let started = Instant::now();
    let running = tokio::spawn(relay.run(stop.clone()));
    position.wait_for(|position| *position >= RECORDS).await?;
    show("relay", started.elapsed());
    stop.cancel();
    running.await??;

    let started = Instant::now();
    let mut subscription = bus.subscribe(stream.clone(), 1);
    let mut taken = 0;
    while taken < RECORDS {
        taken += subscription.next().await?.len() as u64;
    }
    show("subscription", started.elapsed());

    let started = Instant::now();
    let read = bus.read(&stream, 1, usize::MAX).await?;
    assert_eq!(read.len() as u64, RECORDS);
    show("read", started.elapsed());
    Ok(())
}
