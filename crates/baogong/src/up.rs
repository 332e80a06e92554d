//! `baogong up`: the whole suite in one process, for a laptop or a rehearsal.
//! The same services as in the images, each with its own log directory and its
//! own addresses; a NATS server is started where none is named.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use bus::server::{NatsServer, ServerOptions};
use clap::{Args, ValueEnum};
use decider::Service;
use parking_lot::Mutex;
use service_kit::config::{
    ClockKind, Config, NatsOptions, SealingOptions, ServiceOptions, SourcesOptions,
    TransparencyOptions,
};
use service_kit::peers::client::TlsArgs;
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    access::AccessFile,
    keys::{self, Urls},
    memory,
    scenario::{self, Name, Size, figures::Figures},
    suite::{Endpoint, SuiteFile},
};

const GRPC_PORT: u16 = 7401;
const HTTP_PORT: u16 = 7501;
const NATS_PORT: u16 = 7422;
/// What the console channel writes.
const MESSAGES: &str = "messages.txt";
const SUITE_FILE: &str = "suite.json";
/// Folder of the keys that sign and cosign checkpoints, and of the policy.
const KEYS: &str = "keys";

#[derive(Debug, Args)]
pub struct UpArgs {
    /// Everything that the suite keeps lies below this folder.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Use a NATS server that runs already, instead of starting one.
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    /// Play a day once the suite is up.
    #[arg(long, value_name = "NAME")]
    scenario: Option<Name>,
    #[command(flatten)]
    size: Size,
    /// `test` stands still until it is advanced; a scenario needs it, and it
    /// is the default with one.
    #[arg(long)]
    clock: Option<ClockChoice>,
    /// Exit after the scenario: 0 only if everybody was served, every
    /// invariant holds and all logs equal their streams.
    #[arg(long, requires = "scenario")]
    once: bool,
    /// Write the figures of the day to a file.
    #[arg(long, value_name = "FILE", requires = "scenario")]
    json: Option<PathBuf>,
    /// Take free ports instead of the usual ones.
    #[arg(long)]
    any_port: bool,
    /// Ask nobody for a token: every program on this machine may do everything.
    #[arg(long)]
    open: bool,
    /// Log lines to show, as in `RUST_LOG`.
    #[arg(long, default_value = "warn", value_name = "FILTER")]
    pub log: String,
    /// Export traces to this OTLP/gRPC endpoint.
    #[arg(long, default_value = "", value_name = "URL")]
    pub otlp: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClockChoice {
    System,
    Test,
}

/// # Errors
/// The suite cannot start, a service failed, or the day could not be played.
/// Gives whether all that was asked for holds.
pub async fn run(arguments: UpArgs) -> anyhow::Result<bool> {
    fs::create_dir_all(&arguments.data)
        .with_context(|| format!("the folder {} cannot be made", arguments.data.display()))?;
    // The services keep the path; it must not depend on a later folder.
    let data = fs::canonicalize(&arguments.data)?;
    // Before anything is started on what lies below it.
    let _lock = lock(&data)?;
    if let Some(json) = &arguments.json {
        // Better now than after the day.
        fs::File::create(json).with_context(|| format!("{} cannot be written", json.display()))?;
    }
    let nats = match &arguments.nats {
        Some(_) => None,
        None => Some(start_nats(&data, arguments.any_port).await?),
    };
    let nats_url = match (&arguments.nats, &nats) {
        (Some(url), _) => url.clone(),
        (None, Some(server)) => server.url(),
        (None, None) => unreachable!("one of them was made"),
    };
    let nats: Nats = Arc::new(Mutex::new(nats));
    let shutdown = CancellationToken::new();
    let outcome = tokio::select! {
        outcome = with_services(&arguments, &data, &nats_url, &nats, &shutdown) => outcome,
        error = keep_running(&nats) => Err(error),
    };
    // Nobody is to look for a suite that is gone.
    let _ = fs::remove_file(data.join(SUITE_FILE));
    if let Some(server) = &mut *nats.lock() {
        server.stop();
    }
    outcome
}

/// The NATS server that was started here, if any.
type Nats = Arc<Mutex<Option<NatsServer>>>;

/// How often it is looked whether the NATS server runs.
const NATS_WATCH: Duration = Duration::from_millis(500);
/// Restarts in a row after which it is given up.
const NATS_RESTARTS_MAX: u32 = 5;

/// Starts the NATS server again when it has ended by itself.
async fn keep_running(nats: &Nats) -> anyhow::Error {
    let mut restarts = 0;
    loop {
        tokio::time::sleep(NATS_WATCH).await;
        let ended = nats
            .lock()
            .as_ref()
            .is_some_and(|server| !server.is_running());
        if !ended {
            restarts = 0;
            continue;
        }
        if restarts == NATS_RESTARTS_MAX {
            return anyhow::anyhow!("nats-server does not stay up; see its log, nats.log");
        }
        restarts += 1;
        eprintln!("nats-server has ended (see nats.log); starting it again");
        let server = Arc::clone(nats);
        let restarted = tokio::task::spawn_blocking(move || match &mut *server.lock() {
            Some(server) => server.restart(),
            None => Ok(()),
        });
        match restarted.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("nats-server cannot be started: {error}"),
            Err(panic) => return panic.into(),
        }
    }
}

/// One suite for each folder.
fn lock(data: &Path) -> anyhow::Result<fs::File> {
    let path = data.join("up.lock");
    let file =
        fs::File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    file.try_lock().map_err(|_| {
        anyhow::anyhow!(
            "another suite is up on {}: stop it, or name another folder with --data",
            data.display()
        )
    })?;
    Ok(file)
}

async fn with_services(
    arguments: &UpArgs,
    data: &Path,
    nats_url: &str,
    nats: &Nats,
    shutdown: &CancellationToken,
) -> anyhow::Result<bool> {
    let clock = match (arguments.clock, arguments.scenario) {
        (Some(ClockChoice::System), Some(_)) => anyhow::bail!(
            "a scenario is played on test clocks; leave out --clock system or --scenario"
        ),
        (Some(ClockChoice::Test), _) | (None, Some(_)) => ClockKind::Test,
        (Some(ClockChoice::System) | None, None) => ClockKind::System,
    };
    let mut services = JoinSet::new();
    let started = tokio::select! {
        started = start_services(arguments, data, nats_url, clock, shutdown, &mut services) => started,
        () = service_kit::cli::terminated() => Ok(None),
    };
    let outcome = match started {
        Ok(Some(file)) => {
            let path = data.join(SUITE_FILE);
            file.write(&path)?;
            let work = while_up(arguments, &file, &path, nats);
            tokio::select! {
                result = work => result,
                error = keep_reader(&file) => Err(error),
                ended = services.join_next() => match ended {
                    Some(Ok((service, Err(error)))) => Err(error.context(format!("the {service} service stopped"))),
                    Some(Ok((service, Ok(())))) => Err(anyhow::anyhow!("the {service} service stopped by itself")),
                    Some(Err(panic)) => Err(panic.into()),
                    None => Err(anyhow::anyhow!("no service was started")),
                },
                () = service_kit::cli::terminated() => {
                    eprintln!("stopping");
                    if arguments.once {
                        Err(anyhow::anyhow!("stopped before the day was over"))
                    } else {
                        Ok(true)
                    }
                }
            }
        }
        Ok(None) => Ok(true),
        Err(error) => Err(error),
    };
    shutdown.cancel();
    while let Some(ended) = services.join_next().await {
        if let Ok((service, Err(error))) = ended {
            tracing::error!(%service, "{error:#}");
        }
    }
    outcome
}

async fn keep_reader(file: &SuiteFile) -> anyhow::Error {
    match &file.access {
        Some(access) => access.keep_reader().await,
        None => std::future::pending().await,
    }
}

async fn while_up(
    arguments: &UpArgs,
    file: &SuiteFile,
    path: &Path,
    nats: &Nats,
) -> anyhow::Result<bool> {
    if arguments.scenario == Some(Name::Zhichaka) {
        eprintln!(
            "playing the Zhichaka day: {} households, seed {}\n",
            arguments.size.households, arguments.size.seed
        );
        let mut figures = scenario::play(file, &arguments.size, Duration::from_secs(120)).await?;
        figures
            .peak_memory_bytes
            .extend(memory::peak(nats.lock().as_ref().and_then(NatsServer::pid)));
        if arguments.once {
            figures.audit_holds = Some(audit_holds(path).await?);
        }
        if let Some(json) = &arguments.json {
            figures.write(json)?;
        }
        println!("\n{figures}");
        if arguments.once {
            return Ok(verdict(&figures));
        }
        print_addresses(file, path);
        print_example(file, &arguments.data.join(SUITE_FILE)).await;
    } else if arguments.scenario == Some(Name::Chengxi) {
        let summary = scenario::play_chengxi(
            file,
            &arguments.size,
            Duration::from_secs(120),
            &TlsArgs::default(),
        )
        .await?;
        if let Some(json) = &arguments.json {
            summary.write(json)?;
        }
        println!("\n{summary}");
        if arguments.once {
            return Ok(summary.holds() && audit_holds(path).await?);
        }
        print_addresses(file, path);
    } else {
        print_addresses(file, path);
    }
    println!("Ctrl-C stops the suite.");
    std::future::pending().await
}

fn verdict(figures: &Figures) -> bool {
    figures.is_full_coverage() && figures.audit_holds == Some(true)
}

/// Every invariant, and every log against its stream.
async fn audit_holds(path: &Path) -> anyhow::Result<bool> {
    crate::audit_all(path).await
}

fn print_addresses(file: &SuiteFile, path: &Path) {
    println!("The suite is up (addresses also in {}):", path.display());
    for service in Service::ALL {
        if let Some(endpoint) = file.services.get(service.name()) {
            println!(
                "  {service:<13} gRPC {}   metrics http://{}/metrics",
                endpoint.grpc, endpoint.http
            );
        }
    }
    match &file.access {
        Some(access) => {
            println!("  tokens        {}", access.jwks_file.display());
            println!("  Calls carry one; for grpcurl, for example:");
            println!("    TOKEN=$({})", token_command(path));
            println!("    grpcurl -plaintext -H \"authorization: Bearer $TOKEN\" ...");
        }
        None => println!("  tokens        none are asked for (--open)"),
    }
    println!("  nats          {}", file.nats_url);
    println!(
        "  messages      {}\n",
        file.data_dir.join(MESSAGES).display()
    );
}

/// How to get a token.
fn token_command(path: &Path) -> String {
    let program = std::env::args().next().unwrap_or_default();
    format!(
        "{program} token issue --role dispatcher --subject me --all-areas --suite {}",
        path.display()
    )
}

/// Commands to try, with an order that exists.
async fn print_example(file: &SuiteFile, path: &Path) {
    let order = scenario::any_order(file).await.unwrap_or_default();
    let program = std::env::args().next().unwrap_or_default();
    // The commands look for the suite where `make run` keeps it.
    let suite = if path == Path::new("data/suite.json") {
        String::new()
    } else {
        format!(" --suite {}", path.display())
    };
    println!("Try, in another terminal:");
    for command in [
        format!("audit replay {order}"),
        "audit verify".to_owned(),
        "audit reconcile".to_owned(),
        "scenario run zhichaka --households 50 --seed 7".to_owned(),
    ] {
        println!("  {program} {command}{suite}");
    }
    println!();
}

async fn start_nats(data: &Path, any_port: bool) -> anyhow::Result<NatsServer> {
    let options = ServerOptions {
        port: (!any_port).then_some(NATS_PORT),
        store_dir: data.join("nats"),
        log_file: Some(data.join("nats.log")),
        ..ServerOptions::default()
    };
    tokio::task::spawn_blocking(move || NatsServer::start(options))
        .await?
        .context("the NATS server cannot be started")
}

type Ended = (Service, anyhow::Result<()>);

/// Starts the services and waits until all take requests.
async fn start_services(
    arguments: &UpArgs,
    data: &Path,
    nats_url: &str,
    clock: ClockKind,
    shutdown: &CancellationToken,
    services: &mut JoinSet<Ended>,
) -> anyhow::Result<Option<SuiteFile>> {
    let mut waiting = Vec::new();
    // Where there is a log, its contacts need the master key that was.
    let is_new = !data.join(Service::Order.name()).exists();
    // Known before anybody starts, since the services ask each other for
    // cosignatures.
    let mut addresses = Vec::new();
    let mut urls = Urls::default();
    for (offset, service) in (0u16..).zip(Service::ALL) {
        let grpc = address(arguments.any_port, GRPC_PORT + offset)?;
        let http = address(arguments.any_port, HTTP_PORT + offset)?;
        urls.set(service, format!("http://{}", http.local_addr()?));
        addresses.push((service, grpc, http));
    }
    let addresses = addresses
        .into_iter()
        .map(|(service, grpc, http)| Ok((service, grpc.local_addr()?, http.local_addr()?)))
        .collect::<std::io::Result<Vec<_>>>()?;
    let sources = sources(&addresses);
    let key_dir = data.join(KEYS);
    keys::create(&key_dir, 1, &urls)?;
    let access = match arguments.open {
        true => None,
        false => Some(AccessFile::create(data)?),
    };
    for (service, grpc_address, http_address) in addresses {
        let options = ServiceOptions {
            data_dir: data.to_owned(),
            grpc_address,
            http_address,
            clock,
            ..ServiceOptions::default()
        };
        let nats = NatsOptions {
            url: nats_url.to_owned(),
            ..NatsOptions::default()
        };
        let sealing = SealingOptions {
            master_key_file: data.join("master.key"),
            create_master_key: is_new,
            ..SealingOptions::default()
        };
        let transparency = TransparencyOptions {
            policy_file: key_dir.join(keys::POLICY),
            key_dir: key_dir.clone(),
            create_keys: false,
            ..TransparencyOptions::default()
        };
        let asking = access.as_ref().map(AccessFile::options).unwrap_or_default();
        let (ready, is_ready) = oneshot::channel();
        let token = shutdown.clone();
        macro_rules! spawn {
            ($service:ident) => {
                spawn!($service, $service::config::base().app)
            };
            ($service:ident, $app:expr) => {{
                let config = Config {
                    service: options,
                    nats,
                    sources: sources.clone(),
                    access: asking,
                    sealing,
                    transparency,
                    app: $app,
                    ..$service::config::base()
                };
                services.spawn(async move {
                    (service, $service::run(config, Some(ready), token).await)
                });
            }};
        }
        match service {
            Service::Order => spawn!(order),
            Service::Inventory => spawn!(inventory),
            Service::Logistics => spawn!(logistics),
            Service::Notification => spawn!(notification, messages_to(data)),
        }
        waiting.push((service, is_ready));
    }
    let mut addresses = BTreeMap::new();
    for (service, is_ready) in waiting {
        tokio::select! {
            bound = is_ready => match bound {
                Ok(bound) => {
                    let endpoint = Endpoint {
                        grpc: bound.grpc,
                        http: bound.http,
                    };
                    addresses.insert(service.name().to_owned(), endpoint);
                }
                // The service ended before it was ready; its error says why.
                Err(_) => return Err(why_ended(services.join_next().await)),
            },
            // Another one may end while this one is waited for.
            Some(ended) = services.join_next() => return Err(why_ended(Some(ended))),
        }
    }
    Ok(Some(SuiteFile {
        nats_url: nats_url.to_owned(),
        data_dir: data.to_owned(),
        services: addresses,
        access,
    }))
}

/// On a laptop messages reach nobody; they can be read in a file.
fn messages_to(data: &Path) -> notification::config::App {
    use notification::{channel::console, config::ChannelOptions};
    notification::config::App {
        channels: vec![ChannelOptions::Console(console::Options {
            file: Some(data.join(MESSAGES)),
        })],
    }
}

fn why_ended(ended: Option<Result<Ended, tokio::task::JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok((service, Err(error)))) => {
            error.context(format!("the {service} service cannot start"))
        }
        Some(Err(panic)) => panic.into(),
        _ => anyhow::anyhow!("a service stopped before it was ready"),
    }
}

/// Where each service reads what another's stream has lost.
fn sources(addresses: &[(Service, SocketAddr, SocketAddr)]) -> SourcesOptions {
    let at = |wanted| {
        let found = addresses.iter().find(|(service, ..)| *service == wanted);
        found.map_or_else(String::new, |(_, grpc, _)| format!("http://{grpc}"))
    };
    SourcesOptions {
        order: at(Service::Order),
        inventory: at(Service::Inventory),
        logistics: at(Service::Logistics),
        notification: at(Service::Notification),
    }
}

/// A listener holds the address until all are chosen. Another program may take
/// a free one before the service does; then the start fails and says so.
fn address(any: bool, port: u16) -> anyhow::Result<TcpListener> {
    let loopback = Ipv4Addr::LOCALHOST;
    if any {
        return Ok(TcpListener::bind((loopback, 0))?);
    }
    let address = SocketAddr::from((loopback, port));
    TcpListener::bind(address).with_context(|| {
        format!("port {port} is taken: is another suite up? Stop it, or use --any-port")
    })
}
