//! What every event log promises, run against the one on disk (which is closed
//! and opened again in between) and against its twin in memory.

use std::sync::Arc;

use bytes::Bytes;
use decider::Position;
use event_log::{
    Entry, EventLog, LogError, MemoryLog, RECORD_BYTES_MAX, SledLog, SledOptions, UNIT_BYTES_MAX,
    Unit,
};
use proptest::prelude::*;

/// A log that can be closed and opened again.
trait Kind {
    fn new() -> Self;
    fn log(&self) -> &dyn EventLog;
    fn reopen(self) -> Self;
}

struct OnDisk {
    log: SledLog,
    dir: tempfile::TempDir,
}

impl OnDisk {
    fn open(dir: &tempfile::TempDir) -> SledLog {
        let options = SledOptions {
            sync: false,
            ..SledOptions::new(dir.path())
        };
        let (log, report) = SledLog::open(options).unwrap();
        assert_eq!(report.cut, None);
        assert_eq!(report.last_position, log.last_position());
        log
    }
}

impl Kind for OnDisk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            log: Self::open(&dir),
            dir,
        }
    }
    fn log(&self) -> &dyn EventLog {
        &self.log
    }
    fn reopen(self) -> Self {
        let Self { log, dir } = self;
        drop(log);
        Self {
            log: Self::open(&dir),
            dir,
        }
    }
}

impl Kind for MemoryLog {
    fn new() -> Self {
        Self::new()
    }
    fn log(&self) -> &dyn EventLog {
        self
    }
    fn reopen(self) -> Self {
        self
    }
}

fn unit<const N: usize>(records: [&str; N]) -> Unit {
    records
        .iter()
        .map(|r| Bytes::copy_from_slice(r.as_bytes()))
        .collect()
}

fn entry(position: u64, text: &str) -> Entry {
    Entry {
        position: Position(position),
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn all(log: &dyn EventLog) -> Vec<Entry> {
    log.read(Position::ZERO, usize::MAX).unwrap()
}

fn an_empty_log_is_at_zero_and_gives_nothing<K: Kind>() {
    let mut kind = K::new();
    for _ in 0..2 {
        assert_eq!(kind.log().last_position(), Position::ZERO);
        assert_eq!(*kind.log().watch().borrow(), Position::ZERO);
        assert_eq!(all(kind.log()), vec![]);
        assert_eq!(kind.log().read(Position(1), 10).unwrap(), vec![]);
        kind = kind.reopen();
    }
}

fn positions_go_on_over_units_groups_and_openings<K: Kind>() {
    let kind = K::new();
    let log = kind.log();
    assert_eq!(
        log.append(vec![unit(["a", "b"]), unit(["c"])]).unwrap(),
        Position(3)
    );
    assert_eq!(log.append(vec![unit(["d"])]).unwrap(), Position(4));
    let kind = kind.reopen();
    let log = kind.log();
    assert_eq!(log.last_position(), Position(4));
    assert_eq!(log.append(vec![unit(["e", "f"])]).unwrap(), Position(6));
    let expected: Vec<Entry> = (1..)
        .zip(["a", "b", "c", "d", "e", "f"])
        .map(|(n, text)| entry(n, text))
        .collect();
    assert_eq!(all(log), expected);
    assert_eq!(all(kind.reopen().log()), expected);
}

fn reading_starts_and_stops_anywhere<K: Kind>() {
    let kind = K::new();
    let log = kind.log();
    log.append(vec![unit(["a", "b", "c"])]).unwrap();
    log.append(vec![unit(["d"]), unit(["e", "f"])]).unwrap();
    assert_eq!(log.read(Position(2), 1).unwrap(), vec![entry(2, "b")]);
    assert_eq!(
        log.read(Position(3), 3).unwrap(),
        vec![entry(3, "c"), entry(4, "d"), entry(5, "e")]
    );
    assert_eq!(log.read(Position(6), 9).unwrap(), vec![entry(6, "f")]);
    assert_eq!(log.read(Position(0), 1).unwrap(), vec![entry(1, "a")]);
    assert_eq!(log.read(Position(7), 9).unwrap(), vec![]);
    assert_eq!(log.read(Position(u64::MAX), 9).unwrap(), vec![]);
    assert_eq!(log.read(Position(1), 0).unwrap(), vec![]);
}

fn appending_nothing_changes_nothing<K: Kind>() {
    let kind = K::new();
    kind.log().append(vec![unit(["a"])]).unwrap();
    let mut watch = kind.log().watch();
    watch.mark_unchanged();
    assert_eq!(kind.log().append(vec![]).unwrap(), Position(1));
    assert_eq!(
        kind.log().append(vec![unit([]), unit([])]).unwrap(),
        Position(1)
    );
    assert!(!watch.has_changed().unwrap());
    assert_eq!(all(kind.reopen().log()), vec![entry(1, "a")]);
}

fn a_watcher_sees_the_last_position<K: Kind>() {
    let kind = K::new();
    let watch = kind.log().watch();
    kind.log().append(vec![unit(["a", "b"])]).unwrap();
    assert_eq!(*watch.borrow(), Position(2));
    let kind = kind.reopen();
    assert_eq!(*kind.log().watch().borrow(), Position(2));
}

fn the_largest_record_and_unit_are_taken_and_larger_ones_refused<K: Kind>() {
    let kind = K::new();
    let log = kind.log();
    let record = |bytes: usize| Bytes::from(vec![7; bytes]);
    let error = log.append(vec![unit(["a"]), Unit(vec![record(RECORD_BYTES_MAX + 1)])]);
    assert!(
        matches!(error, Err(LogError::RecordTooLarge { bytes: 61_441 })),
        "{error:?}"
    );
    let larger = Unit(vec![
        record(UNIT_BYTES_MAX / 2 - 4),
        record(UNIT_BYTES_MAX / 2 - 3),
    ]);
    let error = log.append(vec![unit(["a"]), larger]);
    assert!(
        matches!(error, Err(LogError::UnitTooLarge { records: 2, .. })),
        "{error:?}"
    );
    assert_eq!(log.last_position(), Position::ZERO, "all or nothing");

    let largest = Unit(vec![
        record(UNIT_BYTES_MAX / 2 - 4),
        record(UNIT_BYTES_MAX / 2 - 4),
    ]);
    let group = vec![Unit(vec![record(RECORD_BYTES_MAX)]), largest, unit(["a"])];
    assert_eq!(log.append(group).unwrap(), Position(4), "the log goes on");
    let sizes: Vec<usize> = all(kind.reopen().log())
        .iter()
        .map(|e| e.bytes.len())
        .collect();
    let half = UNIT_BYTES_MAX / 2 - 4;
    assert_eq!(sizes, [RECORD_BYTES_MAX, half, half, 1]);
}

fn appends_from_several_threads_take_turns<K: Kind + Sync>() {
    let kind = K::new();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let log = kind.log();
            scope.spawn(move || {
                for _ in 0..20 {
                    log.append(vec![unit([name, name])]).unwrap();
                }
            });
        }
    });
    let entries = all(kind.reopen().log());
    assert_eq!(entries.len(), 120);
    for (pair, position) in entries.chunks(2).zip((1..).step_by(2)) {
        assert_eq!(pair[0].position, Position(position));
        assert_eq!(
            pair[0].bytes, pair[1].bytes,
            "the records of a unit stay together"
        );
    }
}

/// One step of a log's life.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Vec<usize>>),
    Reopen,
    Read { from: u64, limit: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop_oneof![8 => 0usize..600, 1 => 20_000usize..30_000];
    let unit = prop::collection::vec(bytes, 0..3);
    prop_oneof![
        6 => prop::collection::vec(unit, 0..12).prop_map(Step::Append),
        1 => Just(Step::Reopen),
        3 => (0u64..200, 0usize..100).prop_map(|(from, limit)| Step::Read { from, limit }),
    ]
}

fn a_log_is_a_list<K: Kind>(steps: Vec<Step>) {
    let mut kind = K::new();
    let mut model: Vec<Bytes> = Vec::new();
    let read = |model: &[Bytes], from: u64, limit: usize| -> Vec<Entry> {
        let entries = model.iter().zip(1..).map(|(bytes, n)| Entry {
            position: Position(n),
            bytes: bytes.clone(),
        });
        entries
            .skip(usize::try_from(from.max(1) - 1).unwrap())
            .take(limit)
            .collect()
    };
    for step in steps {
        match step {
            Step::Append(sizes) => {
                let units: Vec<Unit> = sizes
                    .into_iter()
                    .map(|unit| {
                        let fill = model.len() as u8;
                        unit.into_iter()
                            .map(|n| Bytes::from(vec![fill; n]))
                            .collect()
                    })
                    .collect();
                model.extend(units.iter().flat_map(|unit| unit.0.clone()));
                let last = kind.log().append(units).unwrap();
                assert_eq!(last, Position(model.len() as u64));
            }
            Step::Reopen => kind = kind.reopen(),
            Step::Read { from, limit } => {
                let entries = kind.log().read(Position(from), limit).unwrap();
                assert_eq!(entries, read(&model, from, limit));
            }
        }
        assert_eq!(kind.log().last_position(), Position(model.len() as u64));
    }
    assert_eq!(all(kind.reopen().log()), read(&model, 1, usize::MAX));
}

macro_rules! suite {
    ($module:ident, $kind:ty, $cases:literal) => {
        mod $module {
            use super::*;

            suite!(@tests $kind;
                an_empty_log_is_at_zero_and_gives_nothing,
                positions_go_on_over_units_groups_and_openings,
                reading_starts_and_stops_anywhere,
                appending_nothing_changes_nothing,
                a_watcher_sees_the_last_position,
                the_largest_record_and_unit_are_taken_and_larger_ones_refused,
                appends_from_several_threads_take_turns
            );

            proptest! {
                #![proptest_config(ProptestConfig {
                    failure_persistence: None,
                    ..ProptestConfig::with_cases($cases)
                })]

                #[test]
                fn a_log_is_a_list(steps in prop::collection::vec(step(), 0..25)) {
                    super::a_log_is_a_list::<$kind>(steps);
                }
            }
        }
    };
    (@tests $kind:ty; $($test:ident),*) => {
        $(#[test] fn $test() { super::$test::<$kind>(); })*
    };
}

suite!(on_disk, OnDisk, 24);
suite!(in_memory, MemoryLog, 64);

#[test]
fn the_twin_fails_when_told_to_and_stays_failed() {
    let log = Arc::new(MemoryLog::new());
    log.append(vec![unit(["a"])]).unwrap();
    log.fail_next_append();
    assert!(matches!(
        log.append(vec![unit(["b"])]),
        Err(LogError::DiskFull { .. })
    ));
    assert!(matches!(
        log.append(vec![unit(["c"])]),
        Err(LogError::Closed { .. })
    ));
    assert_eq!(all(&*log), vec![entry(1, "a")]);
}
