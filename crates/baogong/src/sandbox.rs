//! `baogong sandbox`: a robot dispatcher that takes a firm's client through a
//! course, plays faults on it, and writes its certification report. The client
//! talks to the suite through a proxy, and cannot tell it from the real one.

mod course;
mod proxy;
mod report;
mod switchboard;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use decider::{Area, Service};
use service_kit::peers::client::TlsArgs;
use tokio::net::TcpListener;

use crate::{client::Suite, partner, suite::SuiteFile, token};
use course::Course;
use report::Step;
use switchboard::Switchboard;

/// Of the token that the firm gets.
const TOKEN_TTL: Duration = Duration::from_secs(8 * 3_600);
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The firm's id; it is registered if it is not.
    #[arg(long, value_name = "CODE", value_parser = partner::code)]
    carrier: String,
    /// The area, nine digits.
    #[arg(long, value_name = "CODE", default_value = "632725100", value_parser = partner::area)]
    area: Area,
    /// The suite, which must run on the system's clock; written by `baogong
    /// up`. Its logs keep what the course does: do not use one that serves.
    #[arg(long, value_name = "FILE", default_value = "data/suite.json")]
    suite: PathBuf,
    /// Where the firm's client connects.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7410")]
    listen: SocketAddr,
    /// Write the firm's token to this file.
    #[arg(long, value_name = "FILE", default_value = "sandbox.token")]
    token_out: PathBuf,
    /// The faults to play; may be given several times. Without it all of them.
    #[arg(long = "fault", value_enum)]
    faults: Vec<FaultName>,
    /// Only the way of a load, without faults.
    #[arg(long, conflicts_with = "faults")]
    no_faults: bool,
    /// How long the firm has for each thing that is asked of it.
    #[arg(long, default_value = "2m", value_parser = humantime::parse_duration)]
    patience: Duration,
    #[command(flatten)]
    tls: TlsArgs,
    /// Write the report to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FaultName {
    /// Every message of WatchTenders comes twice.
    DuplicateUpdates,
    /// A tender is told when its round is over already.
    LateUpdates,
    /// The load changes between the acceptance and the departure.
    LoadChanged,
    /// The pass is revoked before the departure.
    PassRevoked,
    /// The checkpoint closes while the load is on its way, and opens again.
    CheckpointClosed,
    /// All connections are cut in the middle of the way.
    ConnectionCut,
    /// What the firm asks for is done, and the answer is lost.
    AnswerLost,
    /// Calls are refused for a second.
    Throttled,
}

/// # Errors
/// The suite cannot be reached, or a file cannot be written. Gives whether the
/// firm is certified.
pub async fn run(arguments: SandboxArgs) -> anyhow::Result<bool> {
    let file = SuiteFile::read(&arguments.suite)?;
    let suite = Suite::connect(&file, PATIENCE, &arguments.tls)?;
    let statuses = suite.status().await?;
    ensure!(
        statuses.iter().all(|status| status.clock == "system"),
        "this suite runs on test clocks; start one for the sandbox with `baogong up`"
    );
    if let Some(json) = &arguments.json {
        // Better now than after the course.
        std::fs::File::create(json)
            .with_context(|| format!("{} cannot be written", json.display()))?;
    }
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("{} cannot be listened on", arguments.listen))?;
    let address = listener.local_addr()?;
    let logistics = file.grpc(Service::Logistics)?.to_string();
    let board = Arc::new(Switchboard::default());
    let course = Course::new(
        suite,
        Arc::clone(&board),
        arguments.area.to_string(),
        arguments.carrier.clone(),
        arguments.patience,
    );
    course.register().await?;
    println!("The sandbox is the suite for {}:", arguments.carrier);
    println!("  address   {address}");
    println!("  area      {}", arguments.area);
    println!("  firm      {}", arguments.carrier);
    match &file.access {
        None => println!("  token     none is asked for (--open)"),
        Some(access) => {
            let issued = access.issue_to_firm(&arguments.carrier, &arguments.area, TOKEN_TTL)?;
            token::hand_out(&issued, Some(&arguments.token_out))?;
            println!("  token     in {}", arguments.token_out.display());
        }
    }
    println!(
        "Start your client now; it has {} for each step.\n",
        humantime::format_duration(arguments.patience)
    );
    let wanted = |fault: &FaultName| {
        !arguments.no_faults && (arguments.faults.is_empty() || arguments.faults.contains(fault))
    };
    let faults: Vec<_> = FaultName::value_variants()
        .iter()
        .copied()
        .filter(wanted)
        .collect();
    let channel = arguments.tls.endpoint(&logistics)?.connect_lazy();
    let mut tell = |step: &Step| println!("{step}");
    let report = tokio::select! {
        ended = proxy::serve(listener, channel, board) => {
            ended?;
            anyhow::bail!("the proxy has ended");
        }
        report = course.run(&faults, &mut tell) => report?,
        () = service_kit::cli::terminated() => anyhow::bail!("stopped before the course was over"),
    };
    println!("{report}");
    if let Some(json) = &arguments.json {
        report.write(json)?;
    }
    Ok(report.certified)
}
