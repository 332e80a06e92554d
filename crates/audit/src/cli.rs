//! `baogong audit …`: arguments, and what is printed. Reports go to stdout,
//! progress to stderr.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context as _;
use serde::Serialize;

use crate::{
    error::AuditError,
    history::History,
    load::load_with,
    print,
    progress::Terminal,
    reconcile, replay,
    scan::{ScanReport, Scanner},
    source::Source,
    streams::Streams,
    verify,
};

/// Whether everything that was checked holds; for `replay`, whether it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    Broken,
}

impl Verdict {
    const fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Broken }
    }

    /// 0 or 1; errors are 2.
    #[must_use]
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Broken => 1,
        }
    }
}

#[derive(Debug, Clone, clap::Subcommand)]
pub enum AuditCommand {
    /// Print the whole life of one delivery, across the four logs, causes first.
    Replay(ReplayArgs),
    /// Check that each log is whole: positions, revisions, checksums, requests,
    /// causes, replay.
    Verify(VerifyArgs),
    /// Check the invariants across the services, and each log against its stream.
    Reconcile(ReconcileArgs),
    /// Look for personal data that must not be there in clear (INV-15), in
    /// copied directories, log files, exported traces.
    Scan(ScanArgs),
}

/// Where the logs are.
#[derive(Debug, Clone, clap::Args)]
pub struct SourceArgs {
    /// A running suite, by the file that `baogong up` writes.
    #[arg(long, value_name = "FILE", default_value = "data/suite.json")]
    pub suite: PathBuf,
    /// A running service by its address, for example
    /// order=http://127.0.0.1:7401; to be given for each of the four.
    #[arg(
        long = "endpoint",
        value_name = "SERVICE=URL",
        conflicts_with = "suite"
    )]
    pub endpoints: Vec<String>,
    /// Copied log directories, <DIR>/<service>/<partition>; nothing may have
    /// them open. A torn tail is cut off as at a start of the service.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["suite", "endpoints"])]
    pub logs: Option<PathBuf>,
}

impl SourceArgs {
    /// # Errors
    /// See [`Source::suite_file`] and [`Source::endpoints`].
    pub fn source(&self) -> Result<Source, AuditError> {
        match &self.logs {
            Some(directory) => Ok(Source::logs(directory)),
            None if self.endpoints.is_empty() => Source::suite_file(&self.suite),
            None => Source::endpoints(&self.endpoints),
        }
    }
}

#[derive(Debug, Clone, clap::Args)]
pub struct ReplayArgs {
    /// As PlaceOrder answered it, or GetOrder and ListOrders show it.
    pub order_id: String,
    #[command(flatten)]
    pub source: SourceArgs,
    /// Cut lines to so many characters; 0 cuts nothing.
    #[arg(long, value_name = "CHARACTERS", default_value_t = 120)]
    pub width: usize,
    /// All fields of all records, as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// The whole report as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// The NATS server with the logs' streams; a suite's file names it.
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
    /// Do not compare with the streams (INV-10).
    #[arg(long, conflicts_with = "nats")]
    pub without_nats: bool,
    /// The whole report, with all violations, as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct ScanArgs {
    /// The values to look for, one in each line, at least 5 bytes long. A `-`
    /// reads them from stdin, so that they need not be written anywhere.
    #[arg(long, value_name = "FILE")]
    pub for_file: PathBuf,
    /// Files and folders to look through: event logs, NATS's store, traces.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The whole report as JSON; it names values by their line, and shows none.
    #[arg(long)]
    pub json: bool,
}

/// Carries out one command and prints its report.
///
/// # Errors
/// The logs cannot be read, or the order is not known: nothing can be said.
pub async fn run(command: AuditCommand) -> anyhow::Result<Verdict> {
    match command {
        AuditCommand::Replay(args) => {
            let history = read(&args.source.source()?).await?;
            let replay = replay::replay(&history, &args.order_id)?;
            print(args.json, &replay, || replay.table(args.width))?;
            Ok(Verdict::Holds)
        }
        AuditCommand::Verify(args) => {
            let history = read(&args.source.source()?).await?;
            let report = verify::verify(&history);
            print(args.json, &report, || print::verify(&report))?;
            Ok(Verdict::of(report.holds))
        }
        AuditCommand::Reconcile(args) => {
            let mut source = args.source.source()?;
            if let Some(url) = &args.nats {
                source = source.with_nats(url);
            }
            let history = read(&source).await?;
            let streams = match source.nats() {
                Some(url) if !args.without_nats => {
                    let progress = Terminal::new();
                    Some(Streams::read_with(url, &history, &progress).await?)
                }
                _ => None,
            };
            let report = reconcile::reconcile(&history, streams.as_ref());
            print(args.json, &report, || print::reconcile(&report))?;
            Ok(Verdict::of(report.holds))
        }
        AuditCommand::Scan(args) => {
            let report = scan(&args)?;
            print(args.json, &report, || print::scan(&report))?;
            Ok(Verdict::of(report.holds()))
        }
    }
}

fn scan(args: &ScanArgs) -> anyhow::Result<ScanReport> {
    let text = if args.for_file.as_os_str() == "-" {
        io::read_to_string(io::stdin()).context("stdin cannot be read")?
    } else {
        std::fs::read_to_string(&args.for_file)
            .with_context(|| format!("{} cannot be read", args.for_file.display()))?
    };
    let values: Vec<&str> = text.lines().map(str::trim).collect();
    let mut scanner = Scanner::new(&values)?;
    for path in &args.paths {
        scanner.path(path)?;
    }
    Ok(scanner.finish())
}

async fn read(source: &Source) -> Result<History, AuditError> {
    let progress = Terminal::new();
    load_with(source, &progress).await
}

fn print<T: Serialize>(
    json: bool,
    report: &T,
    human: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    let mut text = if json {
        serde_json::to_string_pretty(report).context("the report cannot be written as JSON")?
    } else {
        human()
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A pager that was closed has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the report cannot be printed"),
    }
}
