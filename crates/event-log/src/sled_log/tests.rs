//! What only shows from the inside: syncs, sled's files, harm while open.

use super::*;
use crate::{batch::noise, journal};

fn open() -> (tempfile::TempDir, SledLog) {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = SledLog::open(SledOptions::new(dir.path())).unwrap();
    (dir, log)
}

/// Units of one record, which does not compress.
fn units(count: usize, bytes: usize) -> Vec<Unit> {
    vec![Unit(vec![noise(bytes).into()]); count]
}

#[test]
fn a_group_is_synced_once_however_many_units_and_batches_it_has() {
    let (_dir, log) = open();
    let before = log.syncs();
    for (group, (count, bytes)) in [(1, 10), (1024, 300), (20, 50_000)].into_iter().enumerate() {
        log.append(units(count, bytes)).unwrap();
        assert_eq!(log.syncs() - before, group as u64 + 1);
    }
    log.append(vec![]).unwrap();
    assert_eq!(log.syncs() - before, 3);
}

#[test]
fn a_very_large_group_is_synced_in_between_and_acknowledged_at_its_end() {
    let (_dir, log) = open();
    let before = log.syncs();
    assert_eq!(log.append(units(150, 60_000)).unwrap(), Position(150));
    assert_eq!(log.syncs() - before, 3, "9 MB, at most 4 MiB unsynced");
}

#[test]
fn the_largest_batches_never_go_to_files_of_their_own() {
    let (dir, log) = open();
    for _ in 0..40 {
        log.append(units(5, crate::RECORD_BYTES_MAX)).unwrap();
        let full = Unit(vec![noise(crate::UNIT_BYTES_MAX / 2 - 4).into(); 2]);
        log.append(vec![full; 5]).unwrap();
    }
    let blobs = std::fs::read_dir(dir.path().join("blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
}

#[test]
fn what_is_not_yet_durable_is_not_read() {
    let (_dir, log) = open();
    log.append(units(3, 10)).unwrap();
    log.shared.push(batch::pack(Position(4), &units(2, 10)));
    assert_eq!(log.read(Position(1), 10).unwrap().len(), 3);
    assert_eq!(log.read(Position(4), 10).unwrap(), vec![]);
}

#[test]
fn reading_joins_what_is_settled_and_what_is_pending() {
    let (_dir, log) = open();
    for n in 1..=40u8 {
        log.append(vec![Unit(vec![vec![n; 5000].into(); 2])])
            .unwrap();
        if n == 15 {
            log.settle().unwrap();
            assert_eq!(log.settled_position(), Position(30));
        }
    }
    for from in [1, 2, 29, 30, 31, 32, 79, 80] {
        for limit in [1, 2, 3, 50, 100] {
            let entries = log.read(Position(from), limit).unwrap();
            assert_eq!(entries.len() as u64, (limit as u64).min(81 - from));
            for (entry, position) in entries.iter().zip(from..) {
                assert_eq!(entry.position, Position(position));
                assert_eq!(entry.bytes[0], position.div_ceil(2) as u8);
            }
        }
    }
}

#[test]
fn small_groups_share_a_key_and_large_ones_do_not() {
    let (_dir, log) = open();
    for _ in 0..20 {
        log.append(units(1, 300)).unwrap();
    }
    log.settle().unwrap();
    log.append(units(1, 30_000)).unwrap();
    log.append(units(1, 30_000)).unwrap();
    log.settle().unwrap();
    let keys: Vec<u64> = log
        .db
        .open()
        .unwrap()
        .range(batch::key(Position(1))..)
        .keys()
        .map(|key| u64::from_be_bytes(key.unwrap()[..].try_into().unwrap()))
        .collect();
    // Only those that the settler met together are joined.
    assert!(keys.len() <= 22, "{keys:?}");
    assert_eq!(keys[keys.len() - 2..], [21, 22]);
    assert_eq!(log.read(Position(1), 100).unwrap().len(), 22);
}

#[test]
fn the_journal_is_bounded_and_used_again() {
    let (dir, log) = open();
    let group = units(100, 60_000);
    for _ in 0..25 {
        log.append(group.clone()).unwrap();
    }
    let files = journal::segments(dir.path()).unwrap();
    assert!(files.len() <= journal::SEGMENTS_MAX, "{files:?}");
    for (_, file) in files {
        let bytes = std::fs::metadata(file).unwrap().len();
        assert!(bytes <= 8 << 20);
    }
    assert_eq!(log.read(Position(2_499), 10).unwrap().len(), 2);
    drop(log);
    let files = journal::segments(dir.path()).unwrap();
    assert!(files.len() <= 3, "a calm log keeps few: {files:?}");
    let (log, report) = SledLog::open(SledOptions::new(dir.path())).unwrap();
    assert_eq!(report.from_journal, 0, "a clean end settles all");
    assert!(report.checked_from > Position(1), "{report}");
    assert_eq!(log.read(Position(1), 100_000).unwrap().len(), 2_500);
}

#[test]
fn the_scrub_finds_damage_that_opening_left_out_and_the_next_opening_refuses() {
    let (dir, log) = open();
    for _ in 0..20 {
        log.append(units(75, 60_000)).unwrap();
    }
    log.settle().unwrap();
    let key = batch::key(Position(1));
    let mut value = log.db.open().unwrap().get(key).unwrap().unwrap().to_vec();
    value[100] ^= 1;
    log.db.open().unwrap().insert(key, value).unwrap();
    drop(log);

    let (log, report) = SledLog::open(SledOptions::new(dir.path())).unwrap();
    assert!(report.checked_from > Position(1), "{report}");
    let error = log.shared.wait_for(Position(u64::MAX)).unwrap_err();
    let expected = "is damaged at position 1: `db`: the checksum of the batch does not match";
    assert!(error.to_string().contains(expected), "{error}");
    let error = log.append(units(1, 10)).unwrap_err();
    assert!(matches!(error, LogError::Closed { .. }), "{error}");
    drop(log);
    for _ in 0..2 {
        let error = SledLog::open(SledOptions::new(dir.path())).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn damage_is_found_on_reading_and_named() {
    let (_dir, log) = open();
    for _ in 0..3 {
        log.append(units(2, 10)).unwrap();
        log.settle().unwrap();
    }
    let key = batch::key(Position(3));
    let value = log.db.open().unwrap().get(key).unwrap().unwrap();
    let mut changed = value.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    log.db.open().unwrap().insert(key, changed).unwrap();
    assert_eq!(log.read(Position(1), 2).unwrap().len(), 2);
    for from in [1, 3] {
        let error = log.read(Position(from), 10).unwrap_err();
        assert!(
            matches!(
                error,
                LogError::Damaged {
                    position: Position(3),
                    ..
                }
            ),
            "{error}"
        );
    }
    log.db.open().unwrap().remove(key).unwrap();
    for (from, named) in [(1, 3), (4, 4)] {
        let error = log.read(Position(from), 10).unwrap_err();
        let LogError::Damaged { position, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(position, Position(named));
    }
    assert_eq!(log.read(Position(5), 10).unwrap().len(), 2);
}

#[test]
fn a_log_that_failed_takes_nothing_more_and_is_still_read() {
    let (_dir, log) = open();
    log.append(units(2, 10)).unwrap();
    log.settle().unwrap();
    let in_the_way = batch::pack(Position(3), &units(1, 10)).remove(0);
    log.db
        .open()
        .unwrap()
        .insert(batch::key(Position(3)), in_the_way.value)
        .unwrap();
    log.append(units(1, 20)).unwrap();
    let error = log.settle().unwrap_err();
    assert!(
        matches!(
            error,
            LogError::Damaged {
                position: Position(3),
                ..
            }
        ),
        "{error}"
    );
    for _ in 0..2 {
        let error = log.append(units(1, 20)).unwrap_err();
        assert!(matches!(error, LogError::Closed { .. }), "{error}");
    }
    assert_eq!(log.last_position(), Position(3));
    let entries = log.read(Position(1), 10).unwrap();
    assert_eq!(entries[2].bytes.len(), 20, "what was acknowledged");
}

/// What sled writes when it is opened: up to where its page table goes.
fn page_tables(path: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("snap.")).collect()
}

#[test]
fn sled_is_opened_anew_while_the_log_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = SledOptions {
        sled_renewed_bytes: 1024 * 1024,
        ..SledOptions::new(dir.path())
    };
    let (log, _) = SledLog::open(options).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut read = 0;
            loop {
                let last = done.load(std::sync::atomic::Ordering::SeqCst);
                for from in [1, 37, 200] {
                    let entries = log.read(Position(from), 50).unwrap();
                    read += entries.len();
                    for (entry, position) in entries.iter().zip(from..) {
                        assert_eq!(entry.position, Position(position));
                        assert_eq!(entry.bytes[0], position as u8);
                    }
                }
                if last {
                    return read;
                }
            }
        });
        for n in 1..=400_u64 {
            let mut record = noise(20_000);
            record[0] = n as u8;
            log.append(vec![Unit(vec![record.into()])]).unwrap();
            if n % 20 == 0 {
                log.settle().unwrap();
                seen.extend(page_tables(dir.path()));
            }
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(reader.join().unwrap() >= 150);
    });
    assert!(seen.len() > 4, "8 MB were written: {seen:?}");
    drop(log);
    let (log, report) = SledLog::open(SledOptions::existing(dir.path())).unwrap();
    assert_eq!(report.last_position, Position(400));
    let entries = log.read(Position(1), 1_000).unwrap();
    assert!((1_u64..).zip(&entries).all(|(n, e)| e.bytes[0] == n as u8));
}

#[test]
fn a_database_that_lost_its_end_is_not_used_again() {
    let (dir, log) = open();
    log.append(units(3, 10)).unwrap();
    log.settle().unwrap();
    // As if sled did not find again what it had: by then its file is another.
    let other = tempfile::tempdir().unwrap();
    drop(SledLog::open(SledOptions::new(other.path())).unwrap());
    std::fs::rename(dir.path().join("db"), dir.path().join("db.away")).unwrap();
    std::fs::copy(other.path().join("db"), dir.path().join("db")).unwrap();
    for name in page_tables(dir.path()) {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let error = log.db.renew().unwrap_err();
    assert!(matches!(error, LogError::Damaged { .. }), "{error}");
    let error = log.read(Position(1), 1).unwrap_err();
    assert!(matches!(error, LogError::Closed { .. }), "{error}");
}

#[test]
fn nobody_takes_the_directory_while_sled_is_closed() {
    let (dir, log) = open();
    log.db.close();
    let error = SledLog::open(SledOptions::new(dir.path())).unwrap_err();
    assert!(matches!(error, LogError::DirectoryInUse { .. }), "{error}");
    drop(log);
    SledLog::open(SledOptions::new(dir.path())).unwrap();
}
