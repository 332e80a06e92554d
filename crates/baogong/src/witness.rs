//! `baogong witness`: a witness by itself, for a partner firm or a regulator.
//! It needs no access to the suite: logs come to it.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Args;
use service_kit::{
    cli, http,
    notary::keys,
    witness::{PATH, WitnessService},
};
use tokio_util::sync::CancellationToken;
use transparency::{KeyUse, Policy};

#[derive(Debug, Args)]
#[command(after_help = "\
Make the key with `baogong keys witness`, give the line that it prints to the operators of the \
logs for their policy, and take their `log` lines into yours. The folder of --state must outlive \
the process: a witness that forgets trusts a rewritten log. SIGTERM and Ctrl-C end it cleanly.")]
pub struct WitnessArgs {
    /// Secret key of this witness, made by `baogong keys witness`.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Policy that names the logs to witness.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Folder for what was seen, and for evidence of rewritten logs.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Address for HTTP: the witness, /livez, /readyz and /metrics.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
}

/// # Errors
/// Key, policy or folder cannot be used, or the address is taken.
pub async fn run(arguments: WitnessArgs) -> anyhow::Result<()> {
    service_kit::telemetry::metrics();
    let key = keys::read(&arguments.key, KeyUse::Cosigner)?;
    let policy = &arguments.policy;
    let text = fs::read_to_string(policy)
        .with_context(|| format!("the policy {} cannot be read", policy.display()))?;
    let policy: Policy = text
        .parse()
        .with_context(|| format!("the policy {} cannot be used", policy.display()))?;
    let logs = policy.logs().cloned();
    let witness = WitnessService::open("witness", key, logs, &arguments.state)?;
    let listener = http::bind(arguments.listen, "the witness").await?;
    println!("witness {}", witness.public_key());
    for log in policy.logs() {
        println!("watches {}", log.origin());
    }
    println!("answers http://{}{PATH}", listener.local_addr()?);
    let stop = CancellationToken::new();
    let readiness = http::Readiness::new(|| true);
    readiness.set(true);
    let serving = http::serve(
        listener,
        "witness",
        readiness,
        witness.router(),
        stop.clone(),
    );
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        () = cli::terminated() => stop.cancel(),
    }
    serving.await
}
