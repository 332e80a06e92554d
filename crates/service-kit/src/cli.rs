//! The command line that every service has.

use std::{future::Future, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, telemetry};

/// A service of Baogong. It keeps its event log below service.data_dir and
/// publishes it to NATS; SIGTERM ends it cleanly.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Every field of the configuration can be set by an environment variable too: \
                  BAOGONG_<SECTION>__<FIELD>, for example BAOGONG_SERVICE__GRPC_ADDRESS."
)]
struct Arguments {
    /// TOML file; without it the defaults hold, changed by the environment.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the configuration in force and exit.
    #[arg(long)]
    print_config: bool,
}

/// Runs a service as a process of its own: reads arguments and configuration,
/// sets up telemetry, ends on SIGTERM or SIGINT.
pub fn main<A, F, R>(name: &'static str, base: Config<A>, run: F) -> ExitCode
where
    A: Default + Serialize + DeserializeOwned,
    F: FnOnce(Config<A>, CancellationToken) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let matches = Arguments::command().name(name).get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let config = match Config::load(arguments.config.as_deref(), base) {
        Ok(config) => config,
        Err(error) => return fail(name, &error),
    };
    if arguments.print_config {
        print!("{}", config.to_toml());
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(name, &error),
    };
    let outcome = runtime.block_on(async {
        let _telemetry = telemetry::init(&config.telemetry, name)?;
        let shutdown = CancellationToken::new();
        let signals = shutdown.clone();
        let watch = tokio::spawn(async move {
            terminated().await;
            signals.cancel();
        });
        let outcome = run(config, shutdown).await;
        watch.abort();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(name, &format!("{error:#}")),
    }
}

fn fail(name: &str, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{name}: {error}");
    ExitCode::FAILURE
}

/// Waits for SIGTERM or SIGINT.
pub async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ => {
            tracing::error!("signals cannot be watched; the process ends only when killed");
            std::future::pending().await
        }
    }
}
