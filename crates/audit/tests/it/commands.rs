//! `baogong audit …` as it is typed.

use audit::{AuditCommand, Verdict, run};
use clap::Parser;
use event_log::{EventLog, SledLog, SledOptions, Unit};

use crate::suite::{ORDER, Suite, day};

#[derive(Parser)]
struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

fn parse(words: &[&str]) -> Result<AuditCommand, clap::Error> {
    let words = std::iter::once("audit").chain(words.iter().copied());
    Audit::try_parse_from(words).map(|audit| audit.command)
}

fn written(suite: &Suite) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, records) in suite.bytes() {
        let path = directory.path().join(name.service.name()).join("0");
        let (log, _) = SledLog::open(SledOptions::new(path)).expect("a new log");
        let units = records.into_iter().map(|bytes| Unit(vec![bytes]));
        log.append(units.collect()).expect("appended");
    }
    directory
}

async fn said(suite: &Suite, words: &[&str]) -> anyhow::Result<Verdict> {
    let directory = written(suite);
    let path = directory.path().to_str().expect("text");
    let words: Vec<&str> = words.iter().copied().chain(["--logs", path]).collect();
    run(parse(&words).expect("valid")).await
}

#[tokio::test]
async fn what_holds_and_what_is_broken_differ_in_the_exit_status() {
    for words in [
        &["verify"][..],
        &["verify", "--json"],
        &["reconcile"],
        &["reconcile", "--json"],
        &["replay", ORDER],
        &["replay", ORDER, "--json"],
    ] {
        let verdict = said(&day(), words).await.expect("read");
        assert_eq!(verdict.exit_status(), 0, "{words:?}");
    }
    let mut suite = day();
    suite.alter("OrderCollected", |raw| raw.revision.0 = 9);
    for words in [&["verify"][..], &["reconcile", "--json"]] {
        let verdict = said(&suite, words).await.expect("read");
        assert_eq!(verdict.exit_status(), 1, "{words:?}");
    }
    let error = said(&day(), &["replay", "01J9ZNOBODY"])
        .await
        .expect_err("unknown");
    assert!(error.to_string().contains("no order 01J9ZNOBODY"));
}

#[test]
fn one_source_is_given_or_the_suite_of_this_folder_is_taken() {
    assert!(parse(&["verify"]).is_ok());
    assert!(parse(&["verify", "--endpoint", "order=http://127.0.0.1:1"]).is_ok());
    assert!(parse(&["verify", "--logs", "a", "--suite", "b"]).is_err());
    assert!(parse(&["verify", "--logs", "a", "--endpoint", "order=b"]).is_err());
    assert!(parse(&["reconcile", "--nats", "nats://x", "--without-nats"]).is_err());
    assert!(parse(&["replay"]).is_err());
}
