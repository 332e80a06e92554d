//! What a reader does with a stream that has lost something, and with a source
//! that tells another history.

use std::{collections::BTreeMap, sync::Arc};

use decider::{Position, Service, Timestamp};
use event_log::{EventLog, MemoryLog};
use proto::log::v1::log_service_server::LogServiceServer;
use service_kit::{
    admin::Logs,
    call::Partitions,
    clock::Clock,
    history::{Notes, OwnersNote, Seen, SeenFile},
    http::Readiness,
    partition::{Durability, Limits, Partition, machine::Machine},
    peers::Peers,
    proof_service::ProofDesk,
    reactor::{ReactorError, SourceOptions, follow},
    reconcile::reconcile,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    raw::publish_with_hole,
    site::{Toy, start},
    support::{Site, bytes_of, go_on, history, order, shared, soon, torso},
};

/// A reader of order's stream, with what it keeps beside its log.
struct Reader {
    partition: Partition<Toy>,
    readiness: Readiness,
    task: JoinHandle<Result<(), ReactorError>>,
}

impl Reader {
    fn start(site: &Site, log: &Arc<MemoryLog>, kept: &TempDir, address: Option<String>) -> Self {
        let (partition, _writer, _) = start(log, Durability::Local, 64);
        let readiness = Readiness::new(|| true);
        readiness.set(true);
        let options = SourceOptions {
            service: Service::Order,
            address,
            seen: Arc::new(SeenFile::open(&kept.path().join("sources-0.json"))),
            readiness: readiness.clone(),
            peers: Peers::default(),
        };
        let task = tokio::spawn(follow(partition.clone(), site.bus.clone(), options));
        Self {
            partition,
            readiness,
            task,
        }
    }

    /// The orders that it has noted, once it has taken in so much.
    async fn noted(&self, position: u64) -> Vec<String> {
        let reached = async {
            while self.partition.cursor(Service::Order) < Position(position) {
                tokio::task::yield_now().await;
            }
        };
        soon("taking in", reached).await;
        self.partition.peek(|machine| machine.state().clone())
    }

    async fn refused(self) -> ReactorError {
        let ended = soon("an end", self.task).await.expect("no panic");
        ended.expect_err("refused")
    }
}

fn orders(author: &str, positions: impl Iterator<Item = u64>) -> Vec<String> {
    positions.map(|n| format!("{author}-{n}")).collect()
}

/// Serves a log as the service that owns it does.
async fn serve(log: &Arc<MemoryLog>) -> String {
    let limits = Limits {
        queue: 8,
        group: 8,
        query_wait: std::time::Duration::from_secs(1),
    };
    let clock = Arc::new(Clock::test(Timestamp(0)));
    let log = Arc::clone(log) as Arc<dyn EventLog>;
    let (partition, _writer) =
        Partition::<Toy>::start(0, log, Machine::new(0), clock, limits).expect("a thread");
    let hosted = BTreeMap::from([(0, partition)]);
    let logs = Logs {
        partitions: Partitions::new(hosted, 1, None, |_| tonic::Code::FailedPrecondition),
        desk: ProofDesk::new(decider::Service::Order, BTreeMap::new(), limits.query_wait),
        stop: CancellationToken::new(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tonic::transport::Server::builder().add_service(LogServiceServer::new(logs));
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(server.serve_with_incoming(incoming));
    format!("http://{address}")
}

#[tokio::test]
async fn a_hole_in_a_stream_is_filled_from_the_sources_log() {
    let site = Site::start().await;
    let log = history("we", &[1, 3, 2, 1]);
    // Whole commands and parts of them.
    publish_with_hole(&site, &*log, 3..=5);
    let kept = TempDir::new().expect("a directory");
    let address = serve(&log).await;
    let reader = Reader::start(&site, &Arc::default(), &kept, Some(address));
    assert_eq!(reader.noted(7).await, orders("we", 1..=7));
    // The owner finds no difference, only that something is missing.
    let found = reconcile(&shared(&log), &site.bus, &order())
        .await
        .expect("no difference");
    assert_eq!((found.missing, found.restored), (3, 0));
    let restored = Arc::new(MemoryLog::new());
    let refused = reconcile(&shared(&restored), &site.bus, &order()).await;
    let refused = refused.expect_err("a log cannot be restored from that");
    assert!(refused.to_string().contains("no message 3"), "{refused}");
}

#[tokio::test]
async fn a_source_that_is_away_is_waited_for() {
    let site = Site::start().await;
    let log = history("we", &[1, 3, 2, 1]);
    publish_with_hole(&site, &*log, 1..=2);
    let kept = TempDir::new().expect("a directory");
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", reserved.local_addr().expect("an address"));
    drop(reserved);
    let waiting = Reader::start(&site, &Arc::default(), &kept, Some(nobody));
    let other = Reader::start(&site, &Arc::default(), &kept, Some(serve(&log).await));
    assert_eq!(other.noted(7).await, orders("we", 1..=7));
    assert!(!waiting.task.is_finished());
    assert_eq!(waiting.partition.cursor(Service::Order), Position::ZERO);
}

#[tokio::test]
async fn without_an_address_a_hole_is_named_with_the_remedy() {
    let site = Site::start().await;
    publish_with_hole(&site, &*history("we", &[1, 3, 2, 1]), 3..=5);
    let kept = TempDir::new().expect("a directory");
    let refused = Reader::start(&site, &Arc::default(), &kept, None)
        .refused()
        .await;
    let text = refused.to_string();
    assert!(
        matches!(refused, ReactorError::Hole { from: 3, to: 5, .. }),
        "{text}"
    );
    assert!(text.contains("sources.order"), "{text}");
}

#[tokio::test]
async fn a_log_that_does_not_fit_to_the_stream_is_not_believed() {
    let site = Site::start().await;
    publish_with_hole(&site, &*history("we", &[1, 3, 2, 1]), 3..=5);
    let kept = TempDir::new().expect("a directory");
    let address = serve(&history("they", &[1, 3, 2, 1])).await;
    let log = Arc::new(MemoryLog::new());
    let refused = Reader::start(&site, &log, &kept, Some(address))
        .refused()
        .await;
    assert!(
        matches!(refused, ReactorError::OtherLog { position: 2, .. }),
        "{refused}"
    );
    // Record 1 was whole; of the command behind it nothing is believed.
    assert_eq!(log.last_position(), Position(1));
}

#[tokio::test]
async fn a_torso_is_held_back_and_passed_over_once_it_is_void() {
    let site = Site::start().await;
    site.publish(&torso("we", &[1, 2, 5], 2)).await;
    let kept = TempDir::new().expect("a directory");
    let reader = Reader::start(&site, &Arc::default(), &kept, None);
    assert_eq!(reader.noted(3).await, orders("we", 1..=3));
    let owner = Arc::new(MemoryLog::new());
    reconcile(&shared(&owner), &site.bus, &order())
        .await
        .expect("restored");
    go_on(&owner, "we", &[2]);
    site.publish(&owner).await;
    // Positions 4 to 6 are the torso, 7 is the note.
    let noted = reader.noted(9).await;
    assert_eq!(noted, orders("we", (1..=3).chain(8..=9)));
}

/// Waits until the reader has written down what it saw.
async fn note_written(site: &Site, position: u64) {
    let notes = Notes::new(&site.bus);
    let log = history("nobody", &[1]);
    let written = async {
        loop {
            match notes.against(&order(), &*log).await {
                Ok(Some(second)) if second.position == position => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    soon("a note", written).await;
}

#[tokio::test]
async fn a_stream_that_is_filled_again_is_waited_for() {
    let mut site = Site::start().await;
    let owner = history("we", &[1, 3, 1]);
    site.publish(&owner).await;
    let kept = TempDir::new().expect("a directory");
    let reader = Reader::start(&site, &Arc::default(), &kept, None);
    reader.noted(5).await;
    site.wipe();
    let note = OwnersNote {
        acknowledged: Seen::default(),
        log: 5,
    };
    let notes = Notes::new(&site.bus);
    let written = async { while notes.write_owners(&order(), &note).await.is_err() {} };
    soon("a note", written).await;
    go_on(&owner, "we", &[2]);
    site.publish(&owner).await;
    assert_eq!(reader.noted(7).await, orders("we", 1..=7));
    assert!(reader.readiness.is_ready());
}

#[tokio::test]
async fn a_second_history_is_refused_by_its_readers_and_by_its_owner() {
    let mut site = Site::start().await;
    site.publish(&history("we", &[1, 3, 1])).await;
    let kept = TempDir::new().expect("a directory");
    let log = Arc::new(MemoryLog::new());
    let reader = Reader::start(&site, &log, &kept, None);
    reader.noted(5).await;
    note_written(&site, 5).await;
    let second = history("they", &[1, 3, 1, 2]);
    let refused = Notes::new(&site.bus).against(&order(), &*second).await;
    let refused = refused.expect("notes").expect("refused").to_string();
    assert!(
        refused.contains("inventory has seen another record at position 5"),
        "{refused}"
    );

    // Log and stream are lost, and NATS with all its notes.
    reader.task.abort();
    site.wipe();
    site.publish(&second).await;
    let reader = Reader::start(&site, &log, &kept, None);
    let noticed = async {
        while reader.readiness.is_ready() {
            tokio::task::yield_now().await;
        }
    };
    soon("the trouble", noticed).await;
    assert_eq!(reader.partition.cursor(Service::Order), Position(5));
    assert_eq!(bytes_of(&*log).len(), 5, "nothing of it was taken in");
}
