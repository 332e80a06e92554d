//! `baogong`.

use std::process::ExitCode;

use audit::{AuditCommand, Verdict};
use baogong::{
    keys::{self, KeysCommand},
    partner::{self, PartnerCommand},
    sandbox::{self, SandboxArgs},
    scenario::{self, ScenarioCommand},
    token::{self, TokenCommand},
    up::{self, UpArgs},
    witness::{self, WitnessArgs},
};
use clap::{Parser, Subcommand};
use service_kit::telemetry::{self, TelemetryOptions};
use tonic::Status;
use tonic_types::StatusExt;

/// Keeps a community supplied when its people cannot go out.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the suite in one process, and play a day if asked to.
    Up(UpArgs),
    /// Play a day against a suite that runs.
    #[command(subcommand)]
    Scenario(ScenarioCommand),
    /// Replay, verify, prove and hand over the logs of a running suite or of a copy.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Make, replace and list the keys that sign and cosign checkpoints, and the
    /// master keys of personal data.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Make, read and revoke the tokens with which the suite is called.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Bring partner firms in, give them tokens, and see how they do.
    #[command(subcommand)]
    Partner(PartnerCommand),
    /// Take a partner firm's client through a course with faults, and certify it.
    Sandbox(SandboxArgs),
    /// Cosign the checkpoints of others' logs, as a partner firm or a
    /// regulator does.
    Witness(WitnessArgs),
}

/// Exit status: 0 all holds, 1 something does not, 2 it could not be done.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    end_quietly_when_nobody_reads();
    let options = match &arguments.command {
        Command::Up(up) => TelemetryOptions {
            log_filter: up.log.clone(),
            otlp_endpoint: up.otlp.clone(),
            ..TelemetryOptions::default()
        },
        Command::Scenario(_)
        | Command::Audit(_)
        | Command::Keys(_)
        | Command::Token(_)
        | Command::Partner(_)
        | Command::Sandbox(_)
        | Command::Witness(_) => TelemetryOptions {
            log_filter: "warn".to_owned(),
            ..TelemetryOptions::default()
        },
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let outcome = runtime.block_on(async {
        let _telemetry = telemetry::init(&options, "baogong")?;
        match arguments.command {
            Command::Up(arguments) => up::run(arguments).await,
            Command::Scenario(command) => scenario::run(command).await,
            Command::Keys(command) => keys::run(command).await.map(|()| true),
            Command::Audit(command) => Ok(audit::run(command).await? == Verdict::Holds),
            Command::Token(command) => token::run(command),
            Command::Partner(command) => partner::run(command).await.map(|()| true),
            Command::Sandbox(arguments) => sandbox::run(arguments).await,
            Command::Witness(arguments) => witness::run(arguments).await.map(|()| true),
        }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => fail(&error),
    }
}

/// Whoever reads the output may stop reading (`| head`), and then nothing is
/// left to say: the process ends as SIGPIPE would end it. The signal itself
/// must stay ignored, since a connection that the other side closed raises it
/// too, and that is an error like any other.
fn end_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // What `print!` panics with; std gives no other sign of it.
        let is_unread = |message: &String| {
            message.starts_with("failed printing to stdout") && message.contains("Broken pipe")
        };
        if panic.payload().downcast_ref().is_some_and(is_unread) {
            std::process::exit(128 + nix::libc::SIGPIPE);
        }
        usual(panic);
    }));
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // A service's refusal is told in its own words and with its reason.
    let words: Vec<String> = error.chain().map(words).collect();
    eprintln!("baogong: {}", words.join(": "));
    ExitCode::from(2)
}

fn words(cause: &(dyn std::error::Error + 'static)) -> String {
    let Some(status) = cause.downcast_ref::<Status>() else {
        return cause.to_string();
    };
    let reason = status.get_details_error_info().map(|info| info.reason);
    let reason = reason.unwrap_or_else(|| format!("{:?}", status.code()));
    let mut fields = String::new();
    for field in status
        .get_details_bad_request()
        .into_iter()
        .flat_map(|bad| bad.field_violations)
    {
        fields += &format!("; {}: {}", field.field, field.description);
    }
    format!("{} ({reason}){fields}", status.message())
}
