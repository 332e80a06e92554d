//! What only shows from the inside: syncs, sled's files, harm while open.

use super::*;

fn open() -> (tempfile::TempDir, SledLog) {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = SledLog::open(SledOptions::new(dir.path())).unwrap();
    (dir, log)
}

fn units(count: usize, bytes: usize) -> Vec<Unit> {
    vec![Unit(vec![vec![7; bytes].into()]); count]
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
        let full = Unit(vec![vec![1; crate::UNIT_BYTES_MAX / 2 - 4].into(); 2]);
        log.append(vec![full; 5]).unwrap();
    }
    let blobs = std::fs::read_dir(dir.path().join("blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
}

#[test]
fn what_is_not_yet_durable_is_not_read() {
    let (_dir, log) = open();
    log.append(units(3, 10)).unwrap();
    let batches = batch::pack(Position(4), &units(2, 10));
    log.db()
        .insert(batch::key(Position(4)), batches[0].value.as_slice())
        .unwrap();
    assert_eq!(log.read(Position(1), 10).unwrap().len(), 3);
    assert_eq!(log.read(Position(4), 10).unwrap(), vec![]);
}

#[test]
fn damage_is_found_on_reading_and_named() {
    let (_dir, log) = open();
    for _ in 0..3 {
        log.append(units(2, 10)).unwrap();
    }
    let key = batch::key(Position(3));
    let value = log.db().get(key).unwrap().unwrap();
    let mut changed = value.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    log.db().insert(key, changed).unwrap();
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
    log.db().remove(key).unwrap();
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
    let in_the_way = batch::pack(Position(3), &units(1, 10)).remove(0);
    log.db()
        .insert(batch::key(Position(3)), in_the_way.value)
        .unwrap();
    let error = log.append(units(1, 20)).unwrap_err();
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
    let error = log.append(units(1, 20)).unwrap_err();
    assert!(matches!(error, LogError::Closed { .. }), "{error}");
    assert_eq!(log.last_position(), Position(2));
    assert_eq!(log.read(Position(1), 10).unwrap().len(), 2);
}
