//! Logs of running services, which record on while they are read.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use audit::{AuditError, LogName, Source, load, reconcile, verify};
use bytes::Bytes;
use decider::Service;
use futures::Stream;
use prost::{Message, Name};
use proto::{
    admin::v1::{
        AdvanceClockRequest, AdvanceClockResponse, GetStatusRequest, GetStatusResponse,
        PartitionStatus,
        admin_service_server::{AdminService, AdminServiceServer},
    },
    log::v1::{
        GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest,
        GetConsistencyProofResponse, GetInclusionProofRequest, GetInclusionProofResponse,
        ReadRequest, ReadResponse, ReadStreamRequest, ReadStreamResponse, UnitVoided,
        log_service_server::{LogService, LogServiceServer},
    },
    record::{self, Raw},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use transparency::{MemoryTiles, Prover};

use crate::{
    signed::{Notary, Records, prover},
    suite::day,
};

/// A service that has so many records when first asked, and all of them later.
#[derive(Clone)]
struct Growing {
    service: Service,
    records: Arc<Vec<Bytes>>,
    at_first: usize,
    asked: Arc<AtomicUsize>,
    notary: Option<Arc<Notary>>,
    /// Records that its newest checkpoint covers, and how many more it covers
    /// when it is asked again.
    signed: Arc<AtomicUsize>,
    /// Whether it answers questions for one stream.
    indexed: bool,
    /// The second record of a stream, as a service that hides something.
    leaves_out: bool,
}

impl Growing {
    fn name(&self) -> LogName {
        LogName::new(self.service, 0)
    }

    fn notary(&self) -> Result<&Notary, Status> {
        let none = || Status::unimplemented("no notary");
        self.notary.as_deref().ok_or_else(none)
    }

    fn prover(&self, size: u64) -> Prover<MemoryTiles> {
        prover(&self.records[..usize::try_from(size).expect("small")])
    }
}

#[tonic::async_trait]
impl LogService for Growing {
    type ReadStream = Pin<Box<dyn Stream<Item = Result<ReadResponse, Status>> + Send>>;
    type ReadStreamStream = Pin<Box<dyn Stream<Item = Result<ReadStreamResponse, Status>> + Send>>;

    async fn read(
        &self,
        request: Request<ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let first = self.asked.fetch_add(1, Ordering::SeqCst) == 0;
        let end = if first {
            self.at_first
        } else {
            self.records.len()
        };
        let from = usize::try_from(request.get_ref().from_position).expect("small") - 1;
        let limit = match request.get_ref().limit {
            0 => usize::MAX,
            limit => usize::try_from(limit).expect("small"),
        };
        let parts: Vec<_> = self.records[from.min(end)..end]
            .iter()
            .take(limit)
            .map(|bytes| {
                Ok(ReadResponse {
                    records: vec![bytes.to_vec()],
                    last_position: end as u64,
                })
            })
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    /// One record in a part.
    async fn read_stream(
        &self,
        request: Request<ReadStreamRequest>,
    ) -> Result<Response<Self::ReadStreamStream>, Status> {
        if !self.indexed {
            return Err(Status::unimplemented("an older version"));
        }
        let raws = self.records.iter().map(|bytes| record::decode(bytes));
        let raws: Vec<_> = raws.map(|raw| raw.expect("ours")).collect();
        let notes = raws.iter().filter_map(|raw| {
            let note = raw.event.type_name == UnitVoided::full_name();
            note.then(|| UnitVoided::decode(&*raw.event.data).expect("a note"))
        });
        let void: Vec<_> = notes.map(|n| n.from_position..=n.to_position).collect();
        let own = raws.iter().zip(&*self.records);
        let own = own.filter(|(raw, _)| raw.stream.as_str() == request.get_ref().stream);
        let part = |(raw, bytes): (&Raw, &Bytes)| ReadStreamResponse {
            records: vec![bytes.to_vec()],
            last_position: raws.len() as u64,
            voided_positions: Some(raw.position.0)
                .filter(|at| void.iter().any(|torso| torso.contains(at)))
                .into_iter()
                .collect(),
        };
        let mut parts: Vec<_> = own.map(part).collect();
        if self.leaves_out && parts.len() > 1 {
            parts.remove(1);
        }
        if parts.is_empty() {
            return Err(Status::not_found("no such stream"));
        }
        let parts = tokio_stream::iter(parts.into_iter().map(Ok));
        Ok(Response::new(Box::pin(parts)))
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let notary = self.notary()?;
        let size = self.signed.load(Ordering::SeqCst).min(self.records.len());
        if (size as u64) < request.get_ref().min_size {
            // The next one is signed meanwhile.
            self.signed.fetch_add(100, Ordering::SeqCst);
            return Err(Status::failed_precondition("not signed yet"));
        }
        let checkpoint = notary.checkpoint(self.name(), &self.records[..size]);
        Ok(Response::new(GetCheckpointResponse {
            checkpoint: checkpoint.to_string(),
        }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        self.notary()?;
        let request = request.into_inner();
        let index = request.position - 1;
        let proof = self.prover(request.tree_size).inclusion(index);
        let hashes = proof
            .expect("in the tree")
            .0
            .into_iter()
            .map(|h| h.0.to_vec());
        Ok(Response::new(GetInclusionProofResponse {
            index,
            tree_size: request.tree_size,
            hashes: hashes.collect(),
            checkpoint: String::new(),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        self.notary()?;
        let request = request.into_inner();
        let proof = self.prover(request.to_size).consistency(request.from_size);
        let hashes = proof
            .expect("in the tree")
            .0
            .into_iter()
            .map(|h| h.0.to_vec());
        Ok(Response::new(GetConsistencyProofResponse {
            from_size: request.from_size,
            to_size: request.to_size,
            hashes: hashes.collect(),
            checkpoint: String::new(),
        }))
    }
}

#[tonic::async_trait]
impl AdminService for Growing {
    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        Ok(Response::new(GetStatusResponse {
            service: self.service.name().into(),
            partitions: vec![PartitionStatus::default()],
            ..Default::default()
        }))
    }

    async fn advance_clock(
        &self,
        _: Request<AdvanceClockRequest>,
    ) -> Result<Response<AdvanceClockResponse>, Status> {
        Err(Status::unimplemented("a fake"))
    }
}

pub struct Fakes {
    pub endpoints: Vec<String>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Fakes {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Serves the day; `at_first` says how much a service has when first asked.
async fn serve(at_first: impl Fn(Service, usize) -> usize) -> Fakes {
    serve_with(day().bytes(), None, Kind::Honest, at_first).await
}

/// Serves records with their notary, who has signed for one record so far.
pub async fn serve_signed(records: Records, notary: &Arc<Notary>) -> Fakes {
    let notary = Some(Arc::clone(notary));
    serve_with(records, notary, Kind::Honest, |_, all| all).await
}

/// Serves records that do not grow.
pub async fn serve_as(kind: Kind, records: Records) -> (Fakes, Source) {
    let fakes = serve_with(records, None, kind, |_, all| all).await;
    let source = Source::endpoints(&fakes.endpoints).expect("four");
    (fakes, source)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Honest,
    WithoutIndex,
    LeavesOut,
}

async fn serve_with(
    logs: Records,
    notary: Option<Arc<Notary>>,
    kind: Kind,
    at_first: impl Fn(Service, usize) -> usize,
) -> Fakes {
    let mut fakes = Fakes {
        endpoints: Vec::new(),
        tasks: Vec::new(),
    };
    for (name, records) in logs {
        let service = name.service;
        let fake = Growing {
            service,
            at_first: at_first(service, records.len()),
            records: Arc::new(records),
            asked: Arc::default(),
            notary: notary.clone(),
            signed: Arc::new(AtomicUsize::new(1)),
            indexed: kind != Kind::WithoutIndex,
            leaves_out: kind == Kind::LeavesOut,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        fakes.endpoints.push(format!("{service}=http://{address}"));
        fakes.tasks.push(tokio::spawn(async move {
            Server::builder()
                .add_service(LogServiceServer::new(fake.clone()))
                .add_service(AdminServiceServer::new(fake))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .expect("served");
        }));
    }
    fakes
}

#[tokio::test]
async fn they_are_read_over_grpc() {
    let fakes = serve(|_, all| all).await;
    let source = Source::endpoints(&fakes.endpoints).expect("four");
    let history = load(&source).await.expect("read");
    assert!(history.live);
    assert_eq!(verify(&history), verify(&day().history()));
}

/// The order service is read to the end, the others when they had little: what
/// it reacted to is fetched, with what that needs in turn, and no more.
#[tokio::test]
async fn a_cause_is_not_missing_because_its_log_was_read_too_early() {
    let fakes = serve(|service, all| if service == Service::Order { all } else { 2 }).await;
    let source = Source::endpoints(&fakes.endpoints).expect("four");
    let history = load(&source).await.expect("read");
    let report = verify(&history);
    assert!(report.holds, "{report:#?}");
    let report = reconcile(&history, None);
    assert!(report.holds, "{report:#?}");
}

#[tokio::test]
async fn a_service_that_is_away_or_another_one_is_named() {
    let fakes = serve(|_, all| all).await;
    let mut swapped = fakes.endpoints.clone();
    swapped[0] = swapped[1].replace("inventory=", "order=");
    let error = load(&Source::endpoints(&swapped).expect("four")).await;
    let error = error.expect_err("another service");
    assert!(matches!(
        error,
        AuditError::Unreachable {
            service: Service::Order,
            ..
        }
    ));
    let why = std::error::Error::source(&error)
        .expect("a source")
        .to_string();
    assert_eq!(why, "the service there is inventory");

    let error = Source::endpoints(&fakes.endpoints[..3]).expect_err("three");
    assert!(matches!(
        error,
        AuditError::NoService(Service::Notification)
    ));
    let error = Source::endpoints(&["order:1".into()]).expect_err("no address");
    assert!(error.to_string().contains("order=http://127.0.0.1:7401"));
}

#[test]
fn the_suites_file_names_the_services_and_nats() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("suite.json");
    let services = ["order", "inventory", "logistics", "notification"].map(|service| {
        format!(r#""{service}": {{"grpc": "127.0.0.1:7401", "http": "127.0.0.1:7501"}}"#)
    });
    let text = format!(
        r#"{{"nats_url": "nats://127.0.0.1:7422", "data_dir": "data", "services": {{{}}}}}"#,
        services.join(", ")
    );
    std::fs::write(&path, text).expect("written");
    let source = Source::suite_file(&path).expect("a suite");
    assert_eq!(source.nats(), Some("nats://127.0.0.1:7422"));

    std::fs::write(&path, "{}").expect("written");
    let error = Source::suite_file(&path).expect_err("no services");
    assert!(
        error
            .to_string()
            .contains("does not describe a running suite")
    );
    let error = Source::suite_file("nowhere/suite.json").expect_err("no file");
    assert!(error.to_string().contains("baogong up"), "{error}");
}

/// The service's own consistency proof is asked for too, and its records.
#[tokio::test]
async fn running_services_go_on_from_what_was_seen() {
    let notary = Arc::new(Notary::default());
    let fakes = serve_signed(day().bytes(), &notary).await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("text")
            .to_owned()
    };
    std::fs::write(path("policy"), notary.policy()).expect("written");
    let mut words = vec!["audit".to_owned(), "verify".into()];
    for endpoint in &fakes.endpoints {
        words.extend(["--endpoint".into(), endpoint.clone()]);
    }
    words.extend([
        "--policy".into(),
        path("policy"),
        "--save".into(),
        path("seen"),
    ]);
    let saved = crate::commands::status_of(&words).await;
    assert_eq!(saved, (0, String::new()));
    words.extend(["--since".into(), path("seen")]);
    let since = crate::commands::status_of(&words).await;
    assert_eq!(since, (0, String::new()));

    // Somebody else's services.
    let other = Arc::new(Notary::with_other_keys());
    let others = serve_signed(day().bytes(), &other).await;
    for (own, other) in fakes.endpoints.iter().zip(&others.endpoints) {
        let at = words.iter().position(|word| word == own).expect("there");
        words[at].clone_from(other);
    }
    assert_eq!(crate::commands::status_of(&words).await.0, 1);
}
