//! The logs' streams on a NATS server of our own.

use std::{pin::Pin, sync::Arc};

use audit::{AuditError, History, Source, Streams, load, prove, reconcile, replay, verify};
use bus::{
    BoxError, Bus, BusOptions, OutMessage, Outbox, Relay, StreamName,
    server::{NatsServer, ServerOptions},
};
use bytes::Bytes;
use decider::Invariant;
use tokio_util::sync::CancellationToken;

use crate::{
    signed::Notary,
    suite::{ORDER, day},
};

/// A log that is complete from the start.
struct Finished {
    stream: StreamName,
    records: Vec<Bytes>,
}

impl Outbox for Finished {
    fn read(&self, from: u64, limit: usize) -> Result<Vec<OutMessage>, BoxError> {
        let records = self.records.iter().zip(1..);
        let wanted = records.filter(|(_, position)| *position >= from);
        Ok(wanted
            .take(limit)
            .map(|(bytes, position)| OutMessage {
                position,
                subject: format!("{}632725100.Fact", self.stream.subject_prefix()),
                headers: Vec::new(),
                payload: bytes.clone(),
            })
            .collect())
    }

    fn last_position(&self) -> u64 {
        self.records.len() as u64
    }

    fn wait_past(&self, position: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let past = self.last_position() > position;
        Box::pin(async move {
            if !past {
                std::future::pending::<()>().await;
            }
        })
    }
}

async fn publish(url: &str, logs: Vec<(audit::LogName, Vec<Bytes>)>) {
    let options = BusOptions {
        url: url.into(),
        name: "test".into(),
        replicas: 1,
    };
    let bus = Bus::connect(options).await.expect("options");
    for (name, records) in logs {
        let stream = StreamName::new(name.service.name(), name.partition);
        bus.ensure_stream(&stream).await.expect("a stream");
        let end = records.len() as u64;
        let outbox = Finished {
            stream: stream.clone(),
            records,
        };
        let (relay, mut done) = Relay::new(bus.clone(), stream, Arc::new(outbox));
        let stop = CancellationToken::new();
        let running = tokio::spawn(relay.run(stop.clone()));
        done.wait_for(|position| *position >= end)
            .await
            .expect("published");
        stop.cancel();
        running.await.expect("joined").expect("relayed");
    }
}

fn server(directory: &tempfile::TempDir) -> NatsServer {
    let options = ServerOptions {
        store_dir: directory.path().to_owned(),
        ..ServerOptions::default()
    };
    NatsServer::start(options).expect("nats-server is installed")
}

#[tokio::test]
async fn streams_are_compared_with_the_logs_byte_by_byte() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = server(&directory);
    publish(&server.url(), day().bytes()).await;

    let history = day().history();
    let streams = Streams::read(&server.url(), &history).await.expect("read");
    let report = reconcile(&history, Some(&streams));
    assert!(report.holds, "{report:#?}");

    let mut bytes = day().bytes();
    let mut altered = bytes[1].1[4].to_vec();
    altered[20] ^= 1;
    bytes[1].1[4] = altered.into();
    bytes[3].1.pop();
    let history = History::from_bytes(bytes);
    let streams = Streams::read(&server.url(), &history).await.expect("read");
    let report = reconcile(&history, Some(&streams));
    let check = report.check(Invariant::StreamEqualsLog).expect("checked");
    let entities: Vec<&str> = check.violations.iter().map(|v| v.entity.as_str()).collect();
    assert_eq!(entities, ["inventory-0", "notification-0"], "{check:#?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_with_advice() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut server = server(&directory);
    let url = server.url();
    server.stop();
    let error = Streams::read(&url, &day().history())
        .await
        .expect_err("away");
    assert!(matches!(error, AuditError::NatsUnreachable));
    assert!(error.to_string().contains("--without-nats"));
}

/// The streams are read as the logs themselves, with nothing else there.
#[tokio::test]
async fn the_streams_alone_are_verified_replayed_and_proven() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = server(&directory);
    publish(&server.url(), day().bytes()).await;
    let source = Source::streams(server.url());
    let history = load(&source).await.expect("read");
    assert_eq!(verify(&history), verify(&day().history()));
    assert_eq!(replay(&history, ORDER).expect("known").lines.len(), 24);
    assert!(reconcile(&history, None).holds);

    let error = prove(&source, &history, ORDER, None)
        .await
        .expect_err("no checkpoints");
    assert!(error.to_string().contains("--checkpoints"), "{error}");
    let notary = Notary::default();
    let notes: Vec<String> = day()
        .bytes()
        .iter()
        .map(|(name, records)| notary.checkpoint(*name, records).to_string())
        .collect();
    let path = directory.path().join("seen");
    std::fs::write(&path, notes.concat()).expect("written");
    let receipt = prove(&source, &history, ORDER, Some(&path))
        .await
        .expect("proven");
    assert_eq!(receipt.entries.len(), 24);

    let policy = directory.path().join("policy");
    std::fs::write(&policy, notary.policy()).expect("written");
    let seen = path.to_str().expect("text");
    let url = server.url();
    let words = [
        "audit",
        "verify",
        "--streams",
        &url,
        "--checkpoints",
        seen,
        "--since",
        seen,
        "--policy",
        policy.to_str().expect("text"),
    ];
    let words = words.map(str::to_owned);
    let verified = crate::commands::status_of(&words).await;
    assert_eq!(verified, (0, String::new()));
}

#[tokio::test]
async fn a_server_without_a_services_stream_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = server(&directory);
    publish(&server.url(), day().bytes()[..3].to_vec()).await;
    let error = load(&Source::streams(server.url()))
        .await
        .expect_err("three");
    assert!(
        matches!(error, AuditError::NoStream(decider::Service::Notification)),
        "{error}"
    );
}
