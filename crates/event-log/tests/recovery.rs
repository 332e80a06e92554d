//! Opening a log after something went wrong: what is cut, what is refused, and
//! what the error says.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use decider::Position;
use event_log::{EventLog, LogError, OpenReport, SledLog, SledOptions, Unit};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn open(path: &Path) -> Result<(SledLog, OpenReport), LogError> {
    SledLog::open(SledOptions {
        sync: false,
        ..SledOptions::new(path)
    })
}

/// The sled database below the log, to do harm in it where no journal helps:
/// that of a log written by a version without one, or older than its journal.
fn below(path: &Path, harm: impl FnOnce(&sled::Db)) {
    remove_journal(path);
    in_sled(path, harm);
}

fn remove_journal(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten() {
        let file = entry.unwrap().path();
        if file
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("journal-")
        {
            fs::remove_file(file).unwrap();
        }
    }
}

fn in_sled(path: &Path, harm: impl FnOnce(&sled::Db)) {
    let config = sled::Config::new().path(path).flush_every_ms(None);
    let config = config.segment_size(8 * 1024 * 1024);
    // Threads of sled hold what was closed a moment longer.
    let patience = Instant::now() + Duration::from_secs(60);
    let db = loop {
        match config.open() {
            Ok(db) => break db,
            Err(error) => assert!(Instant::now() < patience, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    harm(&db);
    db.flush().unwrap();
}

fn change_a_byte(db: &sled::Db, first: u64) {
    let key = first.to_be_bytes();
    let mut value = db.get(key).unwrap().unwrap().to_vec();
    *value.last_mut().unwrap() ^= 1;
    db.insert(key, value).unwrap();
}

/// Bytes without a pattern, which stay plain.
fn record(n: u64, bytes: usize) -> Bytes {
    let mut record = vec![0; bytes];
    StdRng::seed_from_u64(n).fill(&mut record[..]);
    record.into()
}

/// As if the machine had gone down before this group was acknowledged.
fn acknowledged_only(path: &Path, position: u64) {
    let mut mark = position.to_be_bytes().to_vec();
    mark.extend_from_slice(&crc32c::crc32c(&mark).to_be_bytes());
    fs::write(path.join("acknowledged"), mark).unwrap();
}

/// Three groups of two records, and a last group in three batches: positions
/// 1–2, 3–4, 5–6, then 7, 8, 9.
fn four_groups(path: &Path) {
    let (log, _) = open(path).unwrap();
    for n in [1, 3, 5] {
        log.append(vec![Unit(vec![record(n, 20), record(n + 1, 20)])])
            .unwrap();
        // Else they would share a key.
        log.settle().unwrap();
    }
    log.append((7..10).map(|n| Unit(vec![record(n, 40_000)])).collect())
        .unwrap();
}

fn damaged(path: &Path) -> (Position, String) {
    match open(path) {
        Err(error @ LogError::Damaged { .. }) => {
            let text = error.to_string();
            let LogError::Damaged { position, .. } = error else {
                unreachable!()
            };
            (position, text)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_undamaged_log_is_reported_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("order/0");
    let (log, report) = open(&path).unwrap();
    assert_eq!(
        report.to_string(),
        format!("new event log in {}", path.display())
    );
    log.append(vec![Unit(vec![record(1, 20)])]).unwrap();
    drop(log);
    let (_log, report) = open(&path).unwrap();
    let line = format!(
        "event log in {}: 1 records in 1 batches, 1 KiB, ",
        path.display()
    );
    assert!(report.to_string().starts_with(&line), "{report}");
}

#[test]
fn a_torn_last_batch_is_cut_off_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    four_groups(dir.path());
    acknowledged_only(dir.path(), 6);
    below(dir.path(), |db| change_a_byte(db, 9));

    let (log, report) = open(dir.path()).unwrap();
    let cut = report.cut.clone().unwrap();
    assert_eq!(
        (report.last_position, cut.first_position),
        (Position(8), Position(9))
    );
    assert_eq!(cut.kept_in, dir.path().join("cut-9.bin"));
    assert!(
        report
            .to_string()
            .contains("cut off from position 9: 1 batches of 40024 bytes")
    );
    let kept = fs::read(&cut.kept_in).unwrap();
    assert_eq!(kept[..12], [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0x9c, 0x58]);
    assert_eq!(kept.len(), 12 + 40_024);

    log.append(vec![Unit(vec![record(99, 5)])]).unwrap();
    drop(log);
    let (log, report) = open(dir.path()).unwrap();
    assert_eq!((report.cut, report.last_position), (None, Position(9)));
    assert_eq!(log.read(Position(9), 1).unwrap()[0].bytes, record(99, 5));
}

#[test]
fn a_second_cut_at_the_same_place_keeps_the_first() {
    let dir = tempfile::tempdir().unwrap();
    four_groups(dir.path());
    for name in ["cut-9.bin", "cut-9-2.bin"] {
        below(dir.path(), |db| {
            db.insert(9u64.to_be_bytes(), b"torn").unwrap();
        });
        acknowledged_only(dir.path(), 6);
        let (_, report) = open(dir.path()).unwrap();
        assert_eq!(report.cut.unwrap().kept_in, dir.path().join(name));
    }
}

#[test]
fn a_hole_in_an_interrupted_group_cuts_off_the_rest_of_the_group() {
    let dir = tempfile::tempdir().unwrap();
    four_groups(dir.path());
    below(dir.path(), |db| {
        db.remove(8u64.to_be_bytes()).unwrap();
    });
    acknowledged_only(dir.path(), 6);
    let (log, report) = open(dir.path()).unwrap();
    let cut = report.cut.unwrap();
    assert_eq!((cut.first_position, cut.batches), (Position(8), 1));
    assert_eq!(cut.why, "`db`: the next batch begins at position 9");
    assert_eq!(log.read(Position(1), 100).unwrap().len(), 7);
}

#[test]
fn damage_with_later_groups_behind_it_is_refused_and_named() {
    for position in [1u64, 3, 5] {
        let dir = tempfile::tempdir().unwrap();
        four_groups(dir.path());
        below(dir.path(), |db| change_a_byte(db, position));
        fs::remove_file(dir.path().join("acknowledged")).unwrap();
        let (named, text) = damaged(dir.path());
        assert_eq!(named, Position(position));
        assert!(text.contains("checksum"), "{text}");
        assert!(
            text.contains("restore the log from its JetStream stream"),
            "{text}"
        );
        assert_eq!(
            damaged(dir.path()).0,
            Position(position),
            "nothing was changed"
        );
    }
}

#[test]
fn a_missing_batch_with_later_groups_behind_it_is_refused_and_named() {
    for position in [1u64, 3, 5] {
        let dir = tempfile::tempdir().unwrap();
        four_groups(dir.path());
        below(dir.path(), |db| {
            db.remove(position.to_be_bytes()).unwrap();
        });
        assert_eq!(damaged(dir.path()).0, Position(position));
    }
}

#[test]
fn a_missing_or_damaged_end_that_was_acknowledged_is_refused_unless_it_is_accepted() {
    let harms: [fn(&sled::Db); 2] = [
        |db| drop(db.remove(9u64.to_be_bytes())),
        |db| change_a_byte(db, 9),
    ];
    for harm in harms {
        let dir = tempfile::tempdir().unwrap();
        four_groups(dir.path());
        below(dir.path(), harm);
        let (named, text) = damaged(dir.path());
        assert_eq!(named, Position(9));
        assert!(text.contains("acknowledged up to position 9"), "{text}");

        let accept = SledOptions {
            accept_lost_tail: true,
            ..SledOptions::existing(dir.path())
        };
        let (log, report) = SledLog::open(accept).unwrap();
        assert_eq!(
            (report.last_position, report.missing_to),
            (Position(8), Some(Position(9)))
        );
        let text = "acknowledged records MISSING: positions 9 to 9";
        assert!(report.to_string().contains(text), "{report}");

        log.append(vec![Unit(vec![record(9, 40_000)])]).unwrap();
        drop(log);
        assert_eq!(
            open(dir.path()).unwrap().1.missing_to,
            None,
            "it was restored"
        );
    }
}

#[test]
fn a_batch_in_the_wrong_place_is_found() {
    let dir = tempfile::tempdir().unwrap();
    four_groups(dir.path());
    below(dir.path(), |db| {
        let value = db.get(1u64.to_be_bytes()).unwrap().unwrap();
        db.insert(3u64.to_be_bytes(), value).unwrap();
    });
    assert_eq!(damaged(dir.path()).0, Position(3));
}

#[test]
fn harm_to_the_file_itself_is_always_found() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path()).unwrap();
    for n in 1..=100 {
        log.append(vec![Unit(vec![record(n, 2_000)])]).unwrap();
    }
    let whole = log.read(Position(1), 200).unwrap();
    drop(log);
    let bytes = fs::read(dir.path().join("db")).unwrap();
    let written = bytes.iter().rposition(|b| *b != 0).unwrap();
    for step in 0..40 {
        let copy = copy_of(dir.path());
        let mut harmed = bytes.clone();
        harmed[written * step / 40] ^= 0x10;
        fs::write(copy.path().join("db"), harmed).unwrap();
        match open(copy.path()) {
            // The harm was to something that was written anew later.
            Ok((log, _)) => assert_eq!(log.read(Position(1), 200).unwrap(), whole),
            Err(LogError::Damaged { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_damaged_or_missing_end_is_replaced_from_the_journal() {
    type Harm = fn(&sled::Db);
    let harms: [(u64, Harm); 4] = [
        (9, |db| change_a_byte(db, 9)),
        (3, |db| change_a_byte(db, 3)),
        (8, |db| drop(db.remove(8u64.to_be_bytes()).unwrap())),
        (1, |db| db.clear().unwrap()),
    ];
    for (position, harm) in harms {
        let dir = tempfile::tempdir().unwrap();
        four_groups(dir.path());
        let whole = {
            let (log, _) = open(dir.path()).unwrap();
            log.read(Position(1), 100).unwrap()
        };
        in_sled(dir.path(), harm);
        let (log, report) = open(dir.path()).unwrap();
        assert_eq!(report.from_journal, 10 - position, "{report}");
        assert_eq!((report.cut.clone(), report.missing_to), (None, None));
        assert_eq!(log.read(Position(1), 100).unwrap(), whole);
        if position != 1 {
            let repaired = report.repaired.clone().unwrap();
            assert_eq!(repaired.first_position, Position(position));
            assert!(report.to_string().contains("REPAIRED from the journal"));
        }
        drop(log);
        let (log, report) = open(dir.path()).unwrap();
        assert_eq!((report.from_journal, report.repaired), (0, None));
        assert_eq!(log.read(Position(1), 100).unwrap(), whole);
    }
}

#[test]
fn a_damaged_journal_is_refused_only_where_it_is_needed_and_the_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    four_groups(dir.path());
    let file = dir.path().join("journal-1");
    let mut bytes = fs::read(&file).unwrap();
    // The second frame: positions 3 and 4.
    bytes[2 * 4096 + 60] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(open(dir.path()).unwrap().1.repaired.is_none());

    in_sled(dir.path(), |db| change_a_byte(db, 3));
    let (position, text) = damaged(dir.path());
    assert_eq!(position, Position(3));
    assert!(text.contains("checksum"), "{text}");
    in_sled(dir.path(), |db| {
        for key in [3u64, 5, 7, 8, 9] {
            db.remove(key.to_be_bytes()).unwrap();
        }
    });
    let (position, text) = damaged(dir.path());
    assert_eq!(position, Position(3));
    assert!(text.contains("journal-1 at byte 8192"), "{text}");
}

fn copy_of(path: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

#[test]
fn a_copy_of_a_log_in_use_can_be_examined() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path()).unwrap();
    log.append(vec![Unit(vec![record(1, 20)])]).unwrap();
    let copy = copy_of(dir.path());
    let (copied, _) = SledLog::open(SledOptions::existing(copy.path())).unwrap();
    assert_eq!(
        copied.read(Position(1), 9).unwrap(),
        log.read(Position(1), 9).unwrap()
    );
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path()).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(
        matches!(error, LogError::DirectoryInUse { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("stop the service that has it open"),
        "{error}"
    );
    drop(log);
    assert!(open(dir.path()).is_ok());
}

/// Written before batches were packed.
#[test]
fn a_log_of_the_first_format_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    four_groups(dir.path());
    below(dir.path(), |db| {
        let mut head = b"BAOGONGL\x00\x00\x00\x01".to_vec();
        head.extend_from_slice(&crc32c::crc32c(&head).to_be_bytes());
        db.insert(0u64.to_be_bytes(), head).unwrap();
    });
    let same = Bytes::from(vec![1; 2_000]);
    for last in [9, 10] {
        let (log, report) = open(dir.path()).unwrap();
        assert_eq!(report.last_position, Position(last));
        assert_eq!(log.read(Position(1), 1).unwrap()[0].bytes, record(1, 20));
        if last == 9 {
            log.append(vec![Unit(vec![same.clone()])]).unwrap();
        } else {
            assert_eq!(log.read(Position(10), 1).unwrap()[0].bytes, same);
        }
    }
    in_sled(dir.path(), |db| {
        let packed = db.get(10u64.to_be_bytes()).unwrap().unwrap();
        assert_eq!(packed[4..6], [0, 2]);
    });
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    four_groups(dir.path());
    below(dir.path(), |db| {
        let mut head = b"BAOGONGL\x00\x00\x00\x03".to_vec();
        head.extend_from_slice(&crc32c::crc32c(&head).to_be_bytes());
        db.insert(0u64.to_be_bytes(), head).unwrap();
    });
    let error = open(dir.path()).unwrap_err();
    assert!(
        matches!(
            error,
            LogError::NewerFormat {
                found: 3,
                supported: 2,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn what_is_not_a_log_is_refused_and_left_alone() {
    let refused = |path: &Path, create: bool| {
        let error = SledLog::open(SledOptions {
            create,
            ..SledOptions::new(path)
        })
        .unwrap_err();
        assert!(matches!(error, LogError::NotALog { .. }), "{error:?}");
        error.to_string()
    };
    let not_a_log = |path: &Path, create: bool| {
        let files = || fs::read_dir(path).map(Iterator::count).unwrap_or_default();
        let before = files();
        let text = refused(path, create);
        assert_eq!(files(), before);
        text
    };
    let dir = tempfile::tempdir().unwrap();
    let text = not_a_log(&dir.path().join("nowhere"), false);
    assert!(
        text.ends_with("nowhere is not an event log: there is no file `db` in it"),
        "{text}"
    );
    assert!(!dir.path().join("nowhere").exists());
    not_a_log(dir.path(), false);

    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("letter.txt"), "dear").unwrap();
    assert!(not_a_log(&home, true).contains("already holds `letter.txt`"));

    fs::write(home.join("db"), "another program's").unwrap();
    assert!(not_a_log(&home, true).contains("`conf` is missing"));
    fs::write(home.join("conf"), "another program's settings").unwrap();
    assert!(not_a_log(&home, true).contains("not a sled database"));

    let other = dir.path().join("other");
    below(&other, |db| drop(db.insert("a", "b").unwrap()));
    assert!(refused(&other, true).contains("holds something else"));
}

#[test]
fn a_database_that_a_crash_left_empty_becomes_a_log_only_where_one_may_be_made() {
    let dir = tempfile::tempdir().unwrap();
    below(dir.path(), |_| {});
    let error = SledLog::open(SledOptions::existing(dir.path())).unwrap_err();
    assert!(matches!(error, LogError::NotALog { .. }), "{error:?}");
    assert!(open(dir.path()).unwrap().1.created);
}
