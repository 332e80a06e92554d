//! Copied log directories, with nothing running.

use std::path::Path;

use audit::{AuditError, Source, load, replay, verify};
use bytes::Bytes;
use decider::Service;
use event_log::{EventLog, SledLog, SledOptions, Unit};

use crate::suite::{ORDER, day};

fn write(directory: &Path) {
    for (name, records) in day().bytes() {
        let path = directory
            .join(name.service.name())
            .join(name.partition.to_string());
        let (log, _) = SledLog::open(SledOptions::new(path)).expect("a new log");
        let units = records.into_iter().map(|bytes: Bytes| Unit(vec![bytes]));
        log.append(units.collect()).expect("appended");
    }
}

#[tokio::test]
async fn they_are_read_as_they_are() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path());
    let history = load(&Source::logs(directory.path())).await.expect("read");
    assert!(!history.live);
    let copied = verify(&history);
    assert!(copied.holds, "{copied:#?}");
    let digests = |report: audit::VerifyReport| -> Vec<String> {
        report.logs.into_iter().map(|log| log.digest).collect()
    };
    assert_eq!(digests(copied), digests(verify(&day().history())));
    assert_eq!(replay(&history, ORDER).expect("known").lines.len(), 24);
}

#[tokio::test]
async fn a_folder_without_all_four_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path());
    std::fs::remove_dir_all(directory.path().join("logistics")).expect("removed");
    let error = load(&Source::logs(directory.path()))
        .await
        .expect_err("incomplete");
    assert!(matches!(
        error,
        AuditError::NoLog {
            service: Service::Logistics,
            ..
        }
    ));
}

#[tokio::test]
async fn a_log_in_use_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path());
    let path = directory.path().join("order").join("0");
    let _open = SledLog::open(SledOptions::existing(path)).expect("opened");
    let error = load(&Source::logs(directory.path()))
        .await
        .expect_err("in use");
    let source = std::error::Error::source(&error)
        .expect("a source")
        .to_string();
    assert!(source.contains("in use by another process"), "{source}");
}

/// A flipped byte is found by the event log's checksums and reported with its
/// position, and the other logs are checked nevertheless.
#[tokio::test]
async fn damage_is_reported_with_its_position() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path());
    // Two groups, so that the damage is in the middle and no torn tail.
    let path = directory.path().join("order").join("0");
    let records = day().bytes().remove(0).1;
    std::fs::remove_dir_all(&path).expect("removed");
    {
        let (log, _) = SledLog::open(SledOptions::new(&path)).expect("a new log");
        for bytes in records {
            log.append(vec![Unit(vec![bytes])]).expect("appended");
        }
    }
    let changed = change_everywhere(&path, b"static management");
    assert!(changed > 0, "the first record stands in the files");
    match load(&Source::logs(directory.path())).await {
        Ok(history) => {
            let report = verify(&history);
            assert!(!report.holds);
            let kinds: Vec<_> = report.logs[0].findings.iter().map(|f| f.kind).collect();
            assert!(kinds.contains(&audit::FindingKind::Damaged), "{report:#?}");
            assert!(
                report.logs[1]
                    .findings
                    .iter()
                    .all(|f| f.position.is_none()
                        || f.invariant != decider::Invariant::LogContinuous)
            );
        }
        Err(error) => panic!("the damage is part of the history: {error:?}"),
    }
}

/// In the database and in the journal, which would mend it.
fn change_everywhere(folder: &Path, wanted: &[u8]) -> usize {
    let mut changed = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            changed += change_everywhere(&path, wanted);
            continue;
        }
        let mut content = std::fs::read(&path).expect("read");
        let windows = content.windows(wanted.len()).enumerate();
        let places: Vec<usize> = windows
            .filter(|(_, part)| *part == wanted)
            .map(|(at, _)| at)
            .collect();
        for at in &places {
            content[*at] ^= 1;
        }
        changed += places.len();
        std::fs::write(&path, content).expect("written");
    }
    changed
}

/// A copy of which the end was lost: what is there is shown, with the place
/// where it ends.
#[tokio::test]
async fn a_log_without_its_end_shows_what_is_there() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path());
    let path = directory.path().join("order").join("0");
    let records = day().bytes().remove(0).1;
    let acknowledged = std::fs::read(path.join("acknowledged")).expect("read");
    std::fs::remove_dir_all(&path).expect("removed");
    {
        let (log, _) = SledLog::open(SledOptions::new(&path)).expect("a new log");
        let units = records[..6].iter().map(|bytes| Unit(vec![bytes.clone()]));
        log.append(units.collect()).expect("appended");
    }
    std::fs::write(path.join("acknowledged"), acknowledged).expect("written");
    let history = load(&Source::logs(directory.path())).await.expect("read");
    let report = verify(&history);
    assert_eq!(report.logs[0].records, 6);
    let finding = &report.logs[0].findings[0];
    assert_eq!(finding.kind, audit::FindingKind::Damaged);
    assert_eq!(finding.position, Some(decider::Position(7)));
    assert!(
        finding.detail.contains("acknowledged up to position 10"),
        "{}",
        finding.detail
    );
    // Its reactions are known, so others' causes are not called missing.
    assert_eq!(report.logs[0].findings.len(), 1, "{report:#?}");
    assert!(replay(&history, ORDER).is_ok());
}
