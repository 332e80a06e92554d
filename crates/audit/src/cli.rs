//! The arguments of `baogong audit …`.

use std::path::PathBuf;

use service_kit::peers::client::ClientArgs;

use crate::{epcis::command::EpcisArgs, error::AuditError, source::Source};

/// Whether everything that was checked holds; for commands that only show
/// something, whether they could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    Broken,
}

impl Verdict {
    pub(crate) const fn of(holds: bool) -> Self {
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
    /// Check that each log is whole, is the one that its checkpoints are of, and
    /// goes on from what was seen last time.
    Verify(VerifyArgs),
    /// Check the invariants across the services, and each log against its stream.
    Reconcile(ReconcileArgs),
    /// Write a receipt of one delivery, that its holder checks without us.
    Prove(ProveArgs),
    /// Check a receipt with nothing but public keys, and print what it says.
    Check(CheckArgs),
    /// Print what one entity was at a moment, and how it came to that.
    State(StateArgs),
    /// Print what was recorded in a span of time, over all logs.
    Timeline(TimelineArgs),
    /// Write a bundle that another machine verifies with nothing else.
    Export(ExportArgs),
    /// Write the deliveries as an EPCIS 2.0 JSON-LD document; docs/EPCIS.md
    /// says what becomes of what.
    ExportEpcis(EpcisArgs),
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
    /// The JetStream streams of a NATS server, and nothing else.
    #[arg(long, value_name = "URL", conflicts_with_all = ["suite", "endpoints", "logs"])]
    pub streams: Option<String>,
    /// A bundle that `baogong audit export` wrote.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["suite", "endpoints", "logs", "streams"]
    )]
    pub bundle: Option<PathBuf>,
    /// An auditor's token for all areas, where the services ask for one; a
    /// suite that `baogong up` started has its own.
    #[command(flatten)]
    pub client: ClientArgs,
}

impl SourceArgs {
    /// # Errors
    /// See [`Source::suite_file`] and [`Source::endpoints`].
    pub fn source(&self) -> Result<Source, AuditError> {
        Ok(self.untokened()?.called_by(&self.client))
    }

    fn untokened(&self) -> Result<Source, AuditError> {
        match (&self.logs, &self.streams, &self.bundle) {
            (Some(directory), _, _) => Ok(Source::logs(directory)),
            (_, Some(url), _) => Ok(Source::streams(url)),
            (_, _, Some(directory)) => Ok(Source::bundle(directory)),
            _ if self.endpoints.is_empty() => Source::suite_file(&self.suite),
            _ => Source::endpoints(&self.endpoints),
        }
    }
}

/// Where the logs' checkpoints are, if not with the logs.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckpointArgs {
    /// A file with one or several checkpoints, or a folder, in place of those
    /// that the logs' source has; streams have none.
    #[arg(long, value_name = "FILE|DIR")]
    pub checkpoints: Option<PathBuf>,
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
    #[command(flatten)]
    pub checkpoints: CheckpointArgs,
    /// The checkpoints that were seen last time: a file with one or several, or
    /// a folder.
    #[arg(long, value_name = "FILE|DIR")]
    pub since: Option<PathBuf>,
    /// Whose signatures and how many cosignatures are required (C2SP
    /// tlog-policy). Take your own copy, not the operator's of today.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Keep the current checkpoints for next time, if everything holds: in a
    /// file, or in a folder (one that exists, or a name with a slash behind).
    #[arg(long, value_name = "FILE|DIR")]
    pub save: Option<PathBuf>,
    /// The whole report as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// The NATS server with the logs' streams; a suite's file names it.
    #[arg(long, value_name = "URL", conflicts_with_all = ["streams", "bundle"])]
    pub nats: Option<String>,
    /// Do not compare with the streams (INV-10).
    #[arg(long, conflicts_with = "nats")]
    pub without_nats: bool,
    /// The whole report, with all violations, as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct ProveArgs {
    /// As PlaceOrder answered it, or GetOrder and ListOrders show it.
    pub order_id: String,
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub checkpoints: CheckpointArgs,
    /// Check the receipt by this policy before it is written.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Where to write the receipt; otherwise it is printed.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// What `baogong audit prove` wrote; `-` reads the standard input.
    pub receipt: PathBuf,
    /// Whose signatures and how many cosignatures are required (C2SP
    /// tlog-policy).
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// Break lines at so many characters; 0 breaks none.
    #[arg(long, value_name = "CHARACTERS", default_value_t = 120)]
    pub width: usize,
    /// All fields of all records, as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct StateArgs {
    /// The entity, <category>/<id>, for example order/01J9Z… or household/H-1.
    pub stream: String,
    /// A position in the log, or a time in RFC 3339 with its zone; both
    /// included. Otherwise the end of the log.
    #[arg(long, value_name = "POSITION|TIME")]
    pub at: Option<String>,
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
pub struct TimelineArgs {
    /// First moment, RFC 3339 with its zone.
    #[arg(long, value_name = "TIME")]
    pub from: String,
    /// Last moment, included.
    #[arg(long, value_name = "TIME")]
    pub to: String,
    /// Records of this area only (9 digits).
    #[arg(long)]
    pub area: Option<String>,
    /// Records of this entity only, or of this category.
    #[arg(long, value_name = "CATEGORY[/ID]")]
    pub stream: Option<String>,
    /// Records of this log only, for example order-0, or of this service.
    #[arg(long, value_name = "LOG|SERVICE")]
    pub log: Option<String>,
    /// Print at most so many records, the earliest; 0 prints all.
    #[arg(long, value_name = "RECORDS", default_value_t = 1000)]
    pub limit: usize,
    /// Print what each record says, below it. With --stream access: who was
    /// shown whose personal data, by which method and why.
    #[arg(long)]
    pub fields: bool,
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
pub struct ExportArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub checkpoints: CheckpointArgs,
    /// A new or empty directory.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The policy to put into the bundle; otherwise the suite's own,
    /// <data>/keys/policy, where there is one.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// What was written, as JSON.
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

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(subcommand)]
        audit: AuditCommand,
    }

    #[test]
    fn every_command_takes_the_options_of_a_client() {
        Command::command().debug_assert();
        let called = Command::try_parse_from([
            "command",
            "verify",
            "--endpoint",
            "order=https://order:7400",
            "--ca",
            "ca.crt",
            "--token-file",
            "auditor.token",
        ]);
        let AuditCommand::Verify(verify) = called.expect("options").audit else {
            panic!("another command");
        };
        assert!(verify.source.client.tls.ca.is_some());
        assert!(verify.source.client.bearer().is_some());
    }
}
