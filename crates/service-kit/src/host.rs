//! Puts a service together: logs, streams, writers, relays, reactors, gRPC.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use bus::{Bus, BusOptions, StreamName};
use decider::Domain;
use proto::{
    AnyEvent, admin::v1::admin_service_server::AdminServiceServer,
    log::v1::log_service_server::LogServiceServer,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    codegen::{Service as TowerService, http},
    server::NamedService,
    service::RoutesBuilder,
};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use transparency::Policy;

use crate::{
    access::{AccessMode, Guard, GuardLayer},
    admin::{Admin, Logs, PendingWork},
    call::Partitions,
    config::Config,
    edge::{Connections, Edge, FormLayer, LimitsOptions, QuotaLayer, incoming},
    gauges,
    history::{Notes, Owner, SeenFile},
    http as probes,
    log_paths::LogPaths,
    notary::{self, Started, proofs::Proofs},
    partition::{indexer, keeper},
    peers::Peers,
    proof_service::ProofDesk,
    reactor::{self, SourceOptions},
    sealing::{KeyRing, MasterKeys},
    status::RejectionCode,
    supervisor::{Stage, Supervisor},
    telemetry,
    tls::Tls,
};

mod opening;
mod provable;

use opening::{Opened, open};

/// Whether a service handles personal data, and so needs the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    Needed,
    NotNeeded,
}

/// What a service adds to the common parts.
pub struct Builder<D: Domain> {
    pub partitions: Partitions<D>,
    /// Present when the service asked for [`Sealing::Needed`].
    pub keys: Option<KeyRing>,
    pub supervisor: Supervisor,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    pending: Vec<PendingWork>,
}

impl<D: Domain> Builder<D> {
    /// Adds a gRPC service, with health under its own name.
    pub fn serve<S>(&mut self, service: S)
    where
        S: TowerService<http::Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes.add_service(service);
    }

    /// Tells `GetStatus` of work that the service owes besides its timers.
    pub fn owes(&mut self, count: PendingWork) {
        self.pending.push(count);
    }
}

/// Where a running service listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    pub grpc: std::net::SocketAddr,
    pub http: std::net::SocketAddr,
}

/// Runs a service until `shutdown` or until one of its tasks fails. `build`
/// adds the service's own gRPC services and tasks; `ready` is told once the
/// service takes requests.
///
/// # Errors
/// The service cannot start, or a task failed.
pub async fn run<D, A, F>(
    config: &Config<A>,
    sealing: Sealing,
    code: RejectionCode<D::Rejection>,
    build: F,
    ready: Option<tokio::sync::oneshot::Sender<Addresses>>,
    shutdown: CancellationToken,
) -> anyhow::Result<()>
where
    D: Domain<Foreign = AnyEvent>,
    F: FnOnce(&mut Builder<D>) -> anyhow::Result<()>,
{
    telemetry::metrics();
    let options = &config.service;
    let mut supervisor = Supervisor::new(Duration::from_millis(options.shutdown_grace_ms));

    let policy = notary::policy(&config.transparency.policy_file)?;
    let tls = Tls::open(&config.tls)?;
    let guard = Guard::open_within(D::SERVICE, &config.access, &config.limits).await?;
    let edge = Edge::new(
        D::SERVICE,
        &config.limits,
        config.access.mode == AccessMode::Tokens,
    )?;

    // The probes answer from the first moment, so that a slow replay is not
    // taken for a dead process.
    let http_listener = probes::bind(options.http_address, "the HTTP probes").await?;
    let http_address = http_listener.local_addr()?;
    let bus = Bus::connect(BusOptions {
        url: config.nats.url.clone(),
        name: format!("baogong-{}", D::SERVICE),
        replicas: config.nats.replicas,
    })
    .await
    .context("the address of NATS cannot be used")?
    .rebuilding_from(config.nats.rebuild_from);
    let readiness = probes::Readiness::new({
        let bus = bus.clone();
        move || bus.is_connected()
    });
    let log_paths = LogPaths::default();
    // A witness needs neither its own logs nor NATS.
    let witness = provable::witness(config, D::SERVICE, policy.as_deref())?;
    let witness_path = witness.map_or_else(Router::new, |witness| witness.router());
    supervisor.spawn(
        "http",
        Stage::Relaying,
        probes::serve(
            http_listener,
            D::SERVICE.name(),
            readiness.clone(),
            log_paths.router(guard.clone()).merge(witness_path),
            supervisor.token(Stage::Relaying),
        ),
    );

    let keys = match sealing {
        Sealing::NotNeeded => None,
        Sealing::Needed => Some(MasterKeys::load(&config.sealing)?),
    };

    let preparing = prepare::<D, A>(
        config,
        &bus,
        keys.clone(),
        policy,
        code,
        &readiness,
        &mut supervisor,
    );
    let Prepared {
        partitions,
        relayed,
        proofs,
        keys: key_ring,
    } = tokio::select! {
        prepared = preparing => prepared?,
        () = shutdown.cancelled() => return supervisor.run(shutdown).await,
    };

    let mut builder = Builder {
        partitions: partitions.clone(),
        keys: key_ring,
        supervisor,
        routes: RoutesBuilder::default(),
        names: Vec::new(),
        pending: Vec::new(),
    };
    build(&mut builder)?;
    let Builder {
        mut supervisor,
        routes,
        names,
        pending,
        ..
    } = builder;
    log_paths.show(proofs.clone());
    let query_wait = Duration::from_millis(options.query_wait_ms);
    let admin = Admin {
        partitions: partitions.clone(),
        relayed,
        pending,
    };
    let listener = probes::bind(options.grpc_address, "the gRPC server").await?;
    let grpc_address = listener.local_addr()?;
    guard.warn_if_open(grpc_address);
    supervisor.spawn_dropped("token keys", Stage::Relaying, guard.clone().keep_fresh());
    supervisor.spawn_dropped("limits", Stage::Relaying, edge.clone().keep_clean());
    if let Some(tls) = &tls {
        supervisor.spawn_dropped("certificates", Stage::Relaying, tls.clone().keep_fresh());
    }
    let server = Server {
        guard,
        edge,
        limits: config.limits.clone(),
        tls,
        partitions,
        desk: ProofDesk::new(D::SERVICE, proofs, query_wait),
        admin,
        routes,
        names,
        readiness: readiness.clone(),
        stop: supervisor.token(Stage::Serving),
    };
    supervisor.spawn("grpc", Stage::Serving, server.run(listener));
    tracing::info!(service = %D::SERVICE, grpc = %grpc_address, http = %http_address, "ready");
    if let Some(ready) = ready {
        // Whoever waited may have given up.
        let _ = ready.send(Addresses {
            grpc: grpc_address,
            http: http_address,
        });
    }
    let outcome = supervisor.run(shutdown).await;
    tracing::info!(service = %D::SERVICE, "stopped");
    outcome
}

struct Prepared<D: Domain> {
    partitions: Partitions<D>,
    relayed: Vec<(u32, watch::Receiver<u64>)>,
    proofs: BTreeMap<u32, Proofs>,
    keys: Option<KeyRing>,
}

/// Opens, reconciles and replays every partition, and starts what moves it.
async fn prepare<D, A>(
    config: &Config<A>,
    bus: &Bus,
    masters: Option<MasterKeys>,
    policy: Option<Arc<Policy>>,
    code: RejectionCode<D::Rejection>,
    readiness: &probes::Readiness,
    supervisor: &mut Supervisor,
) -> anyhow::Result<Prepared<D>>
where
    D: Domain<Foreign = AnyEvent>,
{
    let mut hosted = BTreeMap::new();
    let mut relayed = Vec::new();
    let mut proofs = BTreeMap::new();
    for number in &config.service.partitions {
        let Opened {
            partition,
            writer,
            holding,
            relay,
            acknowledged,
            notary,
        } = open::<D, A>(config, bus, policy.clone(), *number).await?;
        let Started {
            notary,
            proofs: provable,
            check,
        } = notary;
        proofs.insert(*number, provable);
        // After the writer, so that it signs what that wrote last.
        let notarising = supervisor.token(Stage::Relaying);
        supervisor.spawn("notary", Stage::Relaying, async move {
            Ok(notary.run(notarising).await?)
        });
        if let Some(check) = check {
            supervisor.spawn_dropped("log check", Stage::Relaying, check.run());
        }
        let stop_writer = writer.stop_token();
        let writing = supervisor.token(Stage::Writing);
        supervisor.spawn("writer", Stage::Writing, async move {
            // Also when this task is dropped before its time.
            let _stop = stop_writer.clone().drop_guard();
            let ended = writer.ended();
            tokio::pin!(ended);
            tokio::select! {
                result = &mut ended => Ok(result?),
                () = writing.cancelled() => {
                    stop_writer.cancel();
                    Ok(ended.await?)
                }
            }
        });
        supervisor.spawn_dropped("answers", Stage::Relaying, async move {
            holding.run().await;
            // Without the relay nobody can be answered; its own end says why.
            std::future::pending().await
        });
        let history_acknowledged = acknowledged.clone();
        relayed.push((*number, acknowledged));
        let relaying = supervisor.token(Stage::Relaying);
        supervisor.spawn("relay", Stage::Relaying, async move {
            Ok(relay.run(relaying).await?)
        });
        supervisor.spawn_dropped(
            "gauges",
            Stage::Relaying,
            gauges::keep(partition.clone(), relayed.last().map(|(_, r)| r.clone())),
        );
        // Behind the writer's end, so that the last state is written down too.
        supervisor.spawn(
            "snapshots",
            Stage::Relaying,
            keeper::keep(partition.clone(), supervisor.token(Stage::Relaying)),
        );
        supervisor.spawn(
            "index",
            Stage::Relaying,
            indexer::follow(partition.clone(), supervisor.token(Stage::Relaying)),
        );
        let owner = Owner {
            service: D::SERVICE,
            stream: StreamName::new(D::SERVICE.name(), *number),
            log: Arc::clone(partition.log()),
            acknowledged: history_acknowledged,
            notes: Notes::new(bus),
            readiness: readiness.clone(),
        };
        supervisor.spawn_dropped("history", Stage::Relaying, owner.run());
        let seen = log_directory(&config.service.data_dir, D::SERVICE, *number)
            .with_file_name(format!("sources-{number}.json"));
        let seen = Arc::new(SeenFile::open(&seen));
        for source in D::SOURCES {
            let options = SourceOptions {
                service: *source,
                address: config.sources.address(*source, *number),
                seen: Arc::clone(&seen),
                readiness: readiness.clone(),
                peers: Peers::new(&config.tls, &config.access),
            };
            let follow = reactor::follow(partition.clone(), bus.clone(), options);
            supervisor.spawn_dropped(
                "reactor",
                Stage::Consuming,
                async move { Ok(follow.await?) },
            );
        }
        hosted.insert(*number, partition);
    }
    let recorded = hosted.values().any(|one| one.log().last_position().0 > 0);
    let (keys, digest_key) = match masters {
        None => (None, None),
        Some(masters) => {
            let folder = config.service.data_dir.join(D::SERVICE.name());
            let copy = folder.join("request-digest.key");
            let (keys, digest_key) = open_keys(bus, masters, &copy, recorded, supervisor).await?;
            (Some(keys), Some(digest_key))
        }
    };
    let count = config.service.partition_count;
    Ok(Prepared {
        partitions: Partitions::new(hosted, count, digest_key, code),
        relayed,
        proofs,
        keys,
    })
}

async fn open_keys(
    bus: &Bus,
    masters: MasterKeys,
    copy: &Path,
    recorded: bool,
    supervisor: &mut Supervisor,
) -> anyhow::Result<(KeyRing, [u8; 32])> {
    let opened = KeyRing::open(bus, masters).await?;
    if opened.is_new && recorded {
        tracing::error!(
            "the bucket of data keys is new, but the log is not: the contacts recorded so far \
             cannot be read any more. Stop, and restore NATS's store from a copy, if there is one"
        );
    }
    let keys = opened.keys;
    let digest_key = keys.own_digest_key(copy, opened.digest_key).await?;
    let sweeping = keys.clone().keep_sweeping();
    supervisor.spawn_dropped("key sweep", Stage::Relaying, async move {
        match sweeping.await? {}
    });
    if opened.rotating {
        let finishing = keys.clone().finish_rotation();
        supervisor.spawn_dropped("key rotation", Stage::Relaying, async move {
            match finishing.await? {}
        });
    }
    Ok((keys, digest_key))
}

/// Folder of a partition's log.
#[must_use]
pub fn log_directory(
    data_dir: &std::path::Path,
    service: decider::Service,
    number: u32,
) -> PathBuf {
    data_dir.join(service.name()).join(number.to_string())
}

/// The gRPC server with everything that is the same in every service.
struct Server<D: Domain> {
    guard: Arc<Guard>,
    edge: Arc<Edge>,
    limits: LimitsOptions,
    tls: Option<Arc<Tls>>,
    partitions: Partitions<D>,
    desk: ProofDesk,
    admin: Admin<D>,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    readiness: probes::Readiness,
    stop: CancellationToken,
}

impl<D: Domain<Foreign = AnyEvent>> Server<D> {
    async fn run(mut self, listener: tokio::net::TcpListener) -> anyhow::Result<()> {
        let (health, health_service) = tonic_health::server::health_reporter();
        for name in &self.names {
            health
                .set_service_status(*name, tonic_health::ServingStatus::Serving)
                .await;
        }
        let served: Vec<&'static str> = self
            .names
            .iter()
            .copied()
            .chain([
                AdminServiceServer::<Admin<D>>::NAME,
                LogServiceServer::<Logs<D>>::NAME,
                "grpc.health.v1.Health",
            ])
            .collect();
        let reflection = || {
            served.iter().fold(
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET),
                |builder, name| builder.with_service_name(*name),
            )
        };
        self.routes
            .add_service(health_service)
            .add_service(reflection().build_v1()?)
            // Python's reflection client speaks the older version only.
            .add_service(reflection().build_v1alpha()?)
            .add_service(AdminServiceServer::new(self.admin))
            .add_service(LogServiceServer::new(Logs {
                partitions: self.partitions.clone(),
                desk: self.desk.clone(),
                stop: self.stop.clone(),
            }));
        self.readiness.set(true);
        let stop = self.stop.clone();
        let readiness = self.readiness.clone();
        let names = self.names.clone();
        let drain = async move {
            stop.cancelled().await;
            readiness.set(false);
            for name in names {
                health
                    .set_service_status(name, tonic_health::ServingStatus::NotServing)
                    .await;
            }
        };
        let limits = &self.limits;
        let connections = Arc::new(Connections::new(D::SERVICE, limits));
        http2(limits)
            .trace_fn(request_span)
            .layer(FormLayer(Arc::clone(&self.edge)))
            .layer(GuardLayer(self.guard))
            .layer(QuotaLayer(self.edge))
            .add_routes(self.routes.routes())
            .serve_with_incoming_shutdown(incoming(listener, self.tls, connections), drain)
            .await?;
        Ok(())
    }
}

/// A server with the limits of its connections.
fn http2(limits: &LimitsOptions) -> tonic::transport::Server {
    let server = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(limits.keepalive_secs)))
        .http2_keepalive_timeout(Some(Duration::from_secs(limits.keepalive_timeout_secs)))
        .max_concurrent_streams(limits.calls_per_connection_max)
        .http2_max_header_list_size(limits.header_bytes_max)
        .http2_max_pending_accept_reset_streams(Some(limits.reset_calls_max))
        // What one caller may have sent and nobody read yet.
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024);
    match limits.connection_age_secs_max {
        0 => server,
        age => server
            .max_connection_age(Duration::from_secs(age))
            .max_connection_age_grace(Duration::from_millis(limits.call_ms_max)),
    }
}

/// One span for each request, under the caller's where it sent one.
fn request_span(request: &http::Request<()>) -> tracing::Span {
    if !telemetry::exporting() {
        return tracing::Span::none();
    }
    let path = request.uri().path();
    let span = tracing::info_span!(
        "request",
        otel.name = %path.trim_start_matches('/'),
        otel.kind = "server",
        rpc.system = "grpc",
    );
    if let Some(parent) = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
    {
        let _ = span.set_parent(telemetry::context_of(parent));
    }
    span
}
