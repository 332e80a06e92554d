//! Carries out `baogong audit …`. Reports go to stdout, progress to stderr.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Serialize;
use transparency::{Policy, Receipt};

use crate::{
    bundle,
    cli::{
        AuditCommand, CheckArgs, ExportArgs, ProveArgs, ReconcileArgs, ReplayArgs, ScanArgs,
        StateArgs, TimelineArgs, Verdict,
    },
    entity,
    epcis::{self, command::EpcisArgs},
    error::AuditError,
    history::History,
    load::load_with,
    notes, print,
    progress::Terminal,
    prove,
    published::Current,
    receipt, reconcile, replay,
    scan::{ScanReport, Scanner},
    source::Source,
    state,
    streams::Streams,
    timeline,
};

mod verifying;

/// Carries out one command and prints its report.
///
/// # Errors
/// Nothing can be said: the logs or files cannot be read or cannot be judged.
pub async fn run(command: AuditCommand) -> anyhow::Result<Verdict> {
    match command {
        AuditCommand::Replay(args) => run_replay(args).await,
        AuditCommand::Verify(args) => verifying::verify(args).await,
        AuditCommand::Reconcile(args) => run_reconcile(args).await,
        AuditCommand::Prove(args) => run_prove(args).await,
        AuditCommand::Check(args) => run_check(&args),
        AuditCommand::State(args) => run_state(args).await,
        AuditCommand::Timeline(args) => run_timeline(args).await,
        AuditCommand::Export(args) => run_export(args).await,
        AuditCommand::ExportEpcis(args) => run_export_epcis(&args).await,
        AuditCommand::Scan(args) => {
            let report = scan(&args)?;
            print(args.json, &report, || print::scan(&report))?;
            Ok(Verdict::of(report.holds()))
        }
    }
}

async fn run_replay(args: ReplayArgs) -> anyhow::Result<Verdict> {
    let history = read(&args.source.source()?).await?;
    let replay = replay::replay(&history, &args.order_id)?;
    print(args.json, &replay, || replay.table(args.width))?;
    Ok(Verdict::Holds)
}

async fn run_reconcile(args: ReconcileArgs) -> anyhow::Result<Verdict> {
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

async fn run_prove(args: ProveArgs) -> anyhow::Result<Verdict> {
    let source = args.source.source()?;
    let policy = args.policy.as_deref().map(policy).transpose()?;
    let history = read(&source).await?;
    let given = args.checkpoints.checkpoints.as_deref();
    let receipt = prove::prove(&source, &history, &args.order_id, given).await?;
    if let Some(policy) = &policy {
        receipt
            .check(policy)
            .context("the receipt is not written, since the policy does not accept it")?;
    }
    let text = receipt.to_string();
    match &args.out {
        None => write(&text)?,
        Some(path) => {
            notes::write(path, &text)?;
            let logs: BTreeSet<String> = receipt
                .entries
                .iter()
                .map(|entry| entry.checkpoint.origin().to_string())
                .collect();
            write(&format!(
                "{}: {} records of {} logs, each with its proof ({} bytes)\n",
                path.display(),
                receipt.entries.len(),
                logs.len(),
                text.len()
            ))?;
        }
    }
    Ok(Verdict::Holds)
}

fn run_check(args: &CheckArgs) -> anyhow::Result<Verdict> {
    let policy = policy(&args.policy)?;
    let path = &args.receipt;
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text).map(|_| ())
    } else {
        fs::read_to_string(path).map(|read| text = read)
    };
    read.map_err(|source| AuditError::File {
        path: path.clone(),
        source,
    })?;
    let refused = |source| AuditError::Receipt {
        path: path.clone(),
        source,
    };
    let receipt: Receipt = text.parse().map_err(refused)?;
    let checked = receipt::check(&receipt, &policy).map_err(refused)?;
    print(args.json, &checked, || checked.text(args.width))?;
    Ok(Verdict::of(checked.holds))
}

async fn run_state(args: StateArgs) -> anyhow::Result<Verdict> {
    let moment = args.at.as_deref().map(state::Moment::parse).transpose()?;
    let progress = Terminal::new();
    let source = args.source.source()?;
    let state = entity::state_of(&source, &args.stream, moment, &progress).await?;
    drop(progress);
    print(args.json, &state, || state.text(args.width))?;
    Ok(Verdict::Holds)
}

async fn run_timeline(args: TimelineArgs) -> anyhow::Result<Verdict> {
    let wanted = timeline::Wanted::parse(&args)?;
    let history = read(&args.source.source()?).await?;
    let timeline = timeline::timeline(&history, &wanted)?;
    print(args.json, &timeline, || {
        if args.fields {
            timeline.text_with_fields(args.width)
        } else {
            timeline.text(args.width)
        }
    })?;
    Ok(Verdict::Holds)
}

async fn run_export(args: ExportArgs) -> anyhow::Result<Verdict> {
    let source = args.source.source()?;
    let policy = match args.policy.clone().or_else(|| own_policy(&source)) {
        Some(path) => Some(bundle::policy_text(&path)?),
        None => None,
    };
    let given = args.checkpoints.checkpoints.as_deref();
    let (current, history) = with_checkpoints(&source, given).await?;
    let progress = Terminal::new();
    let checkpoints = current.readable();
    let exported = bundle::export(
        &args.out,
        &history,
        &checkpoints,
        policy.as_deref(),
        &progress,
    )?;
    drop(progress);
    print(args.json, &exported, || print::exported(&exported))?;
    Ok(Verdict::Holds)
}

/// The policy that a suite keeps with its keys.
fn own_policy(source: &Source) -> Option<PathBuf> {
    let path = match source {
        Source::Suite { data_dir, .. } => data_dir.as_ref()?.join("keys").join("policy"),
        Source::Logs { directory, .. } => directory.join("keys").join("policy"),
        Source::Bundle { directory } => directory.join("policy"),
        Source::Streams { .. } => return None,
    };
    path.is_file().then_some(path)
}

fn policy(path: &Path) -> Result<Policy, AuditError> {
    let text = fs::read_to_string(path).map_err(|source| AuditError::File {
        path: path.to_owned(),
        source,
    })?;
    text.parse().map_err(|source| AuditError::Policy {
        path: path.to_owned(),
        source,
    })
}

/// Running services record on meanwhile: their checkpoints are read first, so
/// that the records cover them. Elsewhere the records are, since reading them
/// tells whether the rest can be relied on.
async fn with_checkpoints(
    source: &Source,
    given: Option<&Path>,
) -> Result<(Current, History), AuditError> {
    let any = BTreeMap::new();
    if matches!(source, Source::Suite { .. }) {
        let current = Current::of(source, given, &any).await?;
        return Ok((current, read(source).await?));
    }
    let history = read(source).await?;
    Ok((Current::of(source, given, &any).await?, history))
}

async fn run_export_epcis(args: &EpcisArgs) -> anyhow::Result<Verdict> {
    let path = args.out.display();
    let mut file = fs::File::create_new(&args.out)
        .with_context(|| format!("{path} cannot be made; name a file that is not there yet"))?;
    let written = async {
        let history = read(&args.source.source()?).await?;
        let document = epcis::export(&history, &args.options())?;
        file.write_all(document.to_text().as_bytes())
            .with_context(|| format!("{path} cannot be written"))?;
        anyhow::Ok(document)
    };
    let document = match written.await {
        Ok(document) => document,
        Err(error) => {
            // Made a moment ago, and worth nothing.
            let _ = fs::remove_file(&args.out);
            return Err(error);
        }
    };
    print(false, &(), || {
        format!(
            "{} EPCIS events, {} of them corrections, in {path}\n",
            document.len(),
            document.corrections(),
        )
    })?;
    Ok(Verdict::Holds)
}

fn scan(args: &ScanArgs) -> anyhow::Result<ScanReport> {
    let text = if args.for_file.as_os_str() == "-" {
        io::read_to_string(io::stdin()).context("stdin cannot be read")?
    } else {
        fs::read_to_string(&args.for_file)
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
    write(&text)
}

fn write(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A pager that was closed has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the report cannot be printed"),
    }
}
