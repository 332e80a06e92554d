//! `baogong audit …` as it is typed.

use audit::{AuditCommand, Verdict, run};
use clap::Parser;
use event_log::{EventLog, SledLog, SledOptions, Unit};

use crate::{
    signed::Notary,
    suite::{ORDER, Suite, day},
};

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

/// A suite's directory with checkpoints, and a policy of the auditor's own.
fn signed() -> (tempfile::TempDir, String, String) {
    let directory = tempfile::tempdir().expect("a directory");
    Notary::default().write(directory.path(), &day().bytes(), |all| all);
    let text = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("text")
            .to_owned()
    };
    let (logs, policy) = (text(""), text("keys/policy"));
    (directory, logs, policy)
}

async fn status(words: &[&str]) -> (u8, String) {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let words = [vec!["audit".to_owned()], words].concat();
    crate::commands::status_of(&words).await
}

/// Exit status, and the error where there is one.
pub async fn status_of(words: &[String]) -> (u8, String) {
    match run(Audit::try_parse_from(words).expect("valid").command).await {
        Ok(verdict) => (verdict.exit_status(), String::new()),
        // As `main` does.
        Err(error) => (2, format!("{error:#}")),
    }
}

#[tokio::test]
async fn a_receipt_is_written_checked_and_refused() {
    let (directory, logs, policy) = signed();
    let text = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("text")
            .to_owned()
    };
    let receipt = text("receipt");
    let prove = [
        "prove", ORDER, "--logs", &logs, "--policy", &policy, "--out", &receipt,
    ];
    assert_eq!(status(&prove).await.0, 0);
    let check = ["check", &receipt, "--policy", &policy];
    assert_eq!(status(&check).await.0, 0);
    assert_eq!(status(&[&check[..], &["--json"]].concat()).await.0, 0);

    // One letter of a record.
    let whole = std::fs::read_to_string(&receipt).expect("read");
    let at = whole.find("extra ").expect("a record") + 30;
    let letter = if &whole[at..=at] == "A" { "B" } else { "A" };
    let mut altered = whole.clone();
    altered.replace_range(at..=at, letter);
    std::fs::write(&receipt, altered).expect("written");
    assert_eq!(status(&check).await.0, 1);

    std::fs::write(&receipt, &whole[..whole.len() / 2]).expect("written");
    let (cut, why) = status(&check).await;
    assert_eq!(cut, 2);
    assert!(why.contains("cut off"), "{why}");
    std::fs::write(&receipt, "a letter").expect("written");
    let (other, why) = status(&check).await;
    assert_eq!(other, 2);
    assert!(why.contains("this is no receipt"), "{why}");

    std::fs::write(&receipt, &whole).expect("written");
    let spoilt = text("spoilt");
    let own = std::fs::read_to_string(&policy).expect("read");
    for (policy, said) in [
        (String::new(), "no log; nothing could be accepted"),
        (own.replace("quorum regulator", ""), "no quorum"),
        (
            format!(
                "{own}revoked {}\n",
                Notary::default().witness().public().label()
            ),
            "the policy cannot be met: without the revoked keys, regulator never agrees",
        ),
        (
            own.replace("log baogong/order/0+", "log baogong/order/0+x"),
            "line 2 of the policy",
        ),
    ] {
        std::fs::write(&spoilt, policy).expect("written");
        let (refused, why) = status(&["check", &receipt, "--policy", &spoilt]).await;
        assert_eq!(refused, 2);
        assert!(why.contains(said), "{why}");
    }
    let (missing, why) = status(&["check", &receipt, "--policy", "nowhere"]).await;
    assert_eq!(missing, 2);
    assert!(why.contains("nowhere cannot be read"), "{why}");
}

#[tokio::test]
async fn what_was_seen_is_saved_only_where_it_holds() {
    let (directory, logs, policy) = signed();
    let text = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("text")
            .to_owned()
    };
    for seen in ["seen", "folder/"] {
        let seen = text(seen);
        let verify = ["verify", "--logs", &logs, "--policy", &policy];
        assert_eq!(
            status(&[&verify[..], &["--save", &seen]].concat()).await.0,
            0
        );
        let since = [&verify[..], &["--since", &seen, "--save", &seen, "--json"]].concat();
        assert_eq!(status(&since).await.0, 0);
    }
    let seen = text("seen");
    let kept = std::fs::read_to_string(&seen).expect("kept");

    // Another history, signed by the same keys.
    let other = tempfile::tempdir().expect("a directory");
    let mut altered = day();
    altered.alter("ContingencyActivated", |raw| {
        raw.correlation_id = "other".into()
    });
    Notary::default().write(other.path(), &altered.bytes(), |all| all);
    let other = other.path().to_str().expect("text");
    let verify = [
        "verify", "--logs", other, "--policy", &policy, "--since", &seen,
    ];
    let (broken, _) = status(&[&verify[..], &["--save", &seen]].concat()).await;
    assert_eq!(broken, 1);
    assert_eq!(std::fs::read_to_string(&seen).expect("kept"), kept);

    for (content, said) in [
        ("", "holds no checkpoint"),
        ("rubbish\n", "note 1 in"),
        (&*format!("{kept}\n{kept}"), "holds two checkpoints of"),
    ] {
        let path = text("spoilt");
        std::fs::write(&path, content).expect("written");
        let (refused, why) = status(&["verify", "--logs", &logs, "--since", &path]).await;
        assert_eq!(refused, 2);
        assert!(why.contains(said), "{why}");
    }
    let (refused, why) = status(&["verify", "--logs", &logs, "--since", "nowhere"]).await;
    assert_eq!((refused, why.contains("nowhere cannot be read")), (2, true));
}

#[tokio::test]
async fn what_cannot_be_judged_is_said_with_status_2() {
    let (_directory, logs, _) = signed();
    let span = [
        "--from",
        "2022-09-02T00:00:00Z",
        "--to",
        "2022-09-03T00:00:00Z",
    ];
    let back = [
        "--to",
        "2022-09-02T00:00:00Z",
        "--from",
        "2022-09-03T00:00:00Z",
    ];
    let timeline = [&["timeline"][..], &span].concat();
    assert_eq!(
        status(&[&timeline[..], &["--logs", &logs]].concat())
            .await
            .0,
        0
    );
    for (words, said) in [
        (vec!["prove", "01J9ZNOBODY"], "no order 01J9ZNOBODY"),
        (
            vec!["state", "order/nobody"],
            "no log has a stream order/nobody",
        ),
        (
            vec!["state", "order/x", "--at", "noon"],
            "`noon` is neither a position",
        ),
        (
            vec!["state", "lot/L-1", "--at", "999"],
            "999 is not recorded yet",
        ),
        (
            vec!["timeline", "--from", "noon", "--to", "noon"],
            "`noon` is no time",
        ),
        ([&["timeline"][..], &back].concat(), "before it begins"),
        ([&timeline[..], &["--area", "x"]].concat(), "9 digits"),
        (
            [&timeline[..], &["--log", "cats"]].concat(),
            "there is no log cats",
        ),
    ] {
        let (refused, why) = status(&[&words[..], &["--logs", &logs]].concat()).await;
        assert_eq!(refused, 2, "{words:?}");
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn one_source_is_given_or_the_suite_of_this_folder_is_taken() {
    assert!(parse(&["verify"]).is_ok());
    assert!(parse(&["verify", "--endpoint", "order=http://127.0.0.1:1"]).is_ok());
    assert!(parse(&["verify", "--logs", "a", "--suite", "b"]).is_err());
    assert!(parse(&["verify", "--logs", "a", "--endpoint", "order=b"]).is_err());
    assert!(parse(&["reconcile", "--nats", "nats://x", "--without-nats"]).is_err());
    assert!(parse(&["verify", "--streams", "nats://x", "--bundle", "b"]).is_err());
    assert!(parse(&["reconcile", "--streams", "nats://x", "--nats", "nats://y"]).is_err());
    assert!(parse(&["replay"]).is_err());
}
