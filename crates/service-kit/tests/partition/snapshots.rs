//! A state that is written down is the state of the log, whoever wrote it.

use std::{fs, path::Path, sync::Arc};

use decider::{Position, Service, Timestamp};
use event_log::{EventLog, MemoryLog};
use proptest::prelude::*;
use proto::AnyEvent;
use service_kit::partition::{
    AsOf, Kept, keeper,
    machine::{CanonicalError, Decision, Machine},
    replay,
    snapshot::{CODE, Snapshots, Taken},
};
use tokio_util::sync::CancellationToken;

use crate::{
    history::{History, foreign, source},
    toy::{START, Toy, confirm, meta, start_keeping, stop},
};

/// Some confirmed orders, a timer, a reaction and a clock.
fn history() -> History {
    let mut history = History::new();
    history.request("a", "r1");
    history.react(7, "b");
    history.advance(3);
    history.request("late-c", "r2");
    history
}

pub fn taken(history: &History) -> Taken {
    Taken::of(&history.machine, 0).expect("encodable").digest()
}

pub fn snapshots(directory: &Path) -> Snapshots {
    Snapshots::new(directory, Service::Order, 0)
}

fn files(directory: &Path) -> Vec<String> {
    let folder = directory.join("order/0.snapshots");
    let mut names: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("digits")
        })
        .collect();
    names.sort();
    names
}

/// Goes on from a machine that was read back.
fn go_on(mut machine: Machine<Toy>, log: &MemoryLog) -> Machine<Toy> {
    for entry in log.read(machine.next_read(), usize::MAX).expect("readable") {
        machine.replay(&entry.bytes).expect("a record");
    }
    machine
}

fn canonical(machine: &Machine<Toy>) -> Vec<u8> {
    machine.canonical(Vec::new()).expect("encodable")
}

#[test]
fn a_replay_from_zero_and_one_from_a_snapshot_give_the_same_digest() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = snapshots(directory.path());
    let mut history = history();
    let first = taken(&history);
    store.write(&first, &*history.log).expect("written");
    history.request("d", "r3");
    history.advance(10);

    let (machine, digest) = store.newest::<Toy>(&*history.log).expect("usable");
    assert_eq!(digest, first.state_digest());
    assert_eq!(machine.position(), first.position());
    let from_snapshot = go_on(machine, &history.log);
    let (from_zero, _) = replay::<Toy>(&*history.log, 0, None).expect("readable");
    let digest = |machine: &Machine<Toy>| {
        Taken::of(machine, 0)
            .expect("encodable")
            .digest()
            .state_digest()
    };
    assert_eq!(digest(&from_snapshot), digest(&from_zero));
    assert_eq!(
        digest(&history.machine),
        digest(&from_zero),
        "as does the writer"
    );
    assert_eq!(from_snapshot.cursor(Service::Inventory), Position(7));
    assert_eq!(from_snapshot.test_clock(), Some(START.plus_minutes(13)));
}

#[test]
fn what_was_taken_in_without_a_record_is_not_part_of_the_state() {
    let mut history = history();
    let before = canonical(&history.machine);
    // Nothing follows from it, so nothing is recorded.
    let source = source(8);
    let silent = foreign(source, AnyEvent::Other);
    let now = history.now;
    let step = history
        .machine
        .react(source, &silent, "x.Other", String::new(), now);
    assert!(step.is_empty());
    assert_eq!(history.machine.cursor(Service::Inventory), Position(8));
    assert_eq!(canonical(&history.machine), before);
}

#[test]
fn the_last_two_snapshots_are_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = snapshots(directory.path());
    let mut history = History::new();
    for n in 1..=4 {
        history.request(&format!("o{n}"), &format!("r{n}"));
        store
            .write(&taken(&history), &*history.log)
            .expect("written");
    }
    let names = ["00000000000000000006", "00000000000000000008"];
    assert_eq!(files(directory.path()), names);
}

/// Writes two snapshots, changes the newer file, and tells from which position
/// a service would start and what is left.
fn damaged(change: impl FnOnce(&mut Vec<u8>)) -> (Position, Vec<String>) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = snapshots(directory.path());
    let mut history = history();
    store
        .write(&taken(&history), &*history.log)
        .expect("written");
    let older = history.log.last_position();
    history.request("d", "r3");
    store
        .write(&taken(&history), &*history.log)
        .expect("written");
    let newer = directory
        .path()
        .join("order/0.snapshots")
        .join(&files(directory.path())[1]);
    let mut bytes = fs::read(&newer).expect("readable");
    change(&mut bytes);
    fs::write(&newer, bytes).expect("writable");
    let (machine, _) = store.newest::<Toy>(&*history.log).expect("the older one");
    assert_eq!(machine.position(), older);
    (machine.position(), files(directory.path()))
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .expect("it is there");
    bytes.splice(at..at + from.len(), to.bytes());
}

#[test]
fn a_snapshot_that_does_not_fit_is_dropped_and_the_one_before_it_used() {
    type Change = Box<dyn FnOnce(&mut Vec<u8>)>;
    let changes: [Change; 8] = [
        Box::new(|bytes| *bytes.last_mut().expect("not empty") ^= 1),
        Box::new(|bytes| bytes.truncate(bytes.len() - 1)),
        Box::new(|bytes| bytes.push(0)),
        Box::new(Vec::clear),
        Box::new(|bytes| replace(bytes, "\"format\":1", "\"format\":2")),
        Box::new(|bytes| replace(bytes, CODE, "0.0.9-0123456789abcdef")),
        Box::new(|bytes| replace(bytes, "\"record\":\"", "\"record\":\"00")),
        Box::new(|bytes| replace(bytes, "\"partition\":0", "\"partition\":1")),
    ];
    for change in changes {
        let (_, left) = damaged(change);
        assert_eq!(left.len(), 1, "the newer one is gone");
    }
}

#[test]
fn no_flipped_bit_of_a_snapshot_goes_unseen() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = snapshots(directory.path());
    let history = history();
    let whole = taken(&history);
    store.write(&whole, &*history.log).expect("written");
    let path = directory
        .path()
        .join("order/0.snapshots")
        .join(&files(directory.path())[0]);
    let bytes = fs::read(&path).expect("readable");
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, flipped).expect("writable");
        if let Some((machine, digest)) = store.newest::<Toy>(&*history.log) {
            assert_eq!(digest, whole.state_digest(), "byte {at}");
            assert_eq!(canonical(&machine), history.canonical(), "byte {at}");
        }
    }
}

#[test]
fn a_snapshot_of_another_log_or_of_what_a_log_has_lost_is_dropped() {
    let mut longer = history();
    longer.request("d", "r3");
    let mut other = history();
    other.request("e", "r4");
    for log in [&history().log, &other.log] {
        let directory = tempfile::tempdir().expect("a directory");
        let store = snapshots(directory.path());
        store.write(&taken(&longer), &*longer.log).expect("written");
        assert!(store.newest::<Toy>(&**log).is_none());
        assert!(files(directory.path()).is_empty());
    }
}

#[test]
fn what_a_crash_left_unfinished_is_swept_away() {
    let directory = tempfile::tempdir().expect("a directory");
    let folder = directory.path().join("order/0.snapshots");
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join("00000000000000000004.tmp"), "half").expect("written");
    assert!(
        snapshots(directory.path())
            .newest::<Toy>(&*history().log)
            .is_none()
    );
    assert!(files(directory.path()).is_empty());
}

#[test]
fn a_state_of_another_partition_is_not_read() {
    let bytes = history().canonical();
    let error = Machine::<Toy>::from_canonical(&bytes, 1).expect_err("it is partition 0's");
    assert!(matches!(error, CanonicalError::Other { .. }), "{error}");
}

#[tokio::test]
async fn the_keeper_tells_the_digest_of_what_is_durable_and_writes_it_at_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new());
    let kept = || Kept {
        snapshots: Some(snapshots(directory.path())),
        ..Kept::default()
    };
    let (partition, writer) = start_keeping(&log, 64, kept());
    let end = CancellationToken::new();
    let task = tokio::spawn(keeper::keep(partition.clone(), end.clone()));
    let mut digest = partition.digest();
    assert_eq!(*digest.borrow(), None, "nothing is recorded");
    let accepted = partition.submit(confirm("a"), meta("r1", 1)).await;
    let position = accepted.expect("accepted").position;
    let told = digest
        .wait_for(Option::is_some)
        .await
        .expect("told")
        .clone();
    assert_eq!(told.expect("some").position, position.0);

    let accepted = partition.submit(confirm("b"), meta("r2", 1)).await;
    accepted.expect("accepted");
    stop(writer).await;
    end.cancel();
    task.await.expect("no panic").expect("a clean end");
    let (machine, last) = snapshots(directory.path())
        .newest::<Toy>(&*log)
        .expect("the last");
    assert_eq!(machine.position(), log.last_position());
    assert_eq!(partition.digest().borrow().clone(), Some(last));
}

#[tokio::test]
async fn the_past_is_answered_from_a_snapshot_as_from_the_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = history();
    let store = snapshots(directory.path());
    store
        .write(&taken(&history), &*history.log)
        .expect("written");
    history.advance(5);
    history.request("d", "r5");
    let last = history.log.last_position();
    let log = history.log;
    let look = |machine: &Machine<Toy>, time: Timestamp| (canonical(machine), time);
    let positions = (0..=last.0).map(|n| AsOf::Position(Position(n)));
    let times = (0..12).map(|n| AsOf::Time(START.plus_minutes(n)));
    let moments: Vec<_> = positions.chain(times).collect();

    let mut answers = Vec::new();
    for snapshots in [None, Some(store)] {
        let kept = Kept {
            snapshots,
            ..Kept::default()
        };
        let (partition, writer) = start_keeping(&log, 64, kept);
        for moment in &moments {
            let answer = partition.query_as_of(*moment, look).await;
            answers.push((*moment, answer.expect("a past")));
        }
        stop(writer).await;
    }
    let (plain, from_snapshot) = answers.split_at(moments.len());
    assert_eq!(plain, from_snapshot);
}

/// One step of a random history.
#[derive(Debug, Clone)]
pub enum Happening {
    Request { id: u8, request: u8 },
    React { ahead: u64, id: u8 },
    Advance(i64),
    Torn { id: u8, request: u8 },
    Restart,
}

pub fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..12u8, 0..20u8).prop_map(|(id, request)| Happening::Request { id, request }),
        2 => (0..3u64, 0..12u8).prop_map(|(ahead, id)| Happening::React { ahead, id }),
        1 => (1..5i64).prop_map(Happening::Advance),
        1 => (0..12u8, 0..20u8).prop_map(|(id, request)| Happening::Torn { id, request }),
        1 => Just(Happening::Restart),
    ]
}

pub fn order(id: u8) -> String {
    let kind = if id.is_multiple_of(3) {
        "late"
    } else {
        "order"
    };
    format!("{kind}-{id}")
}

pub fn happen(history: &mut History, happening: &Happening) {
    match happening {
        Happening::Request { id, request } => history.request(&order(*id), &format!("r{request}")),
        Happening::React { ahead, id } => {
            let next = history.machine.cursor(Service::Inventory).0 + ahead;
            history.react(next, &order(*id));
        }
        Happening::Advance(minutes) => history.advance(*minutes),
        Happening::Torn { id, request } => {
            if let Decision::Accepted(step) = history.decide(&order(*id), &format!("r{request}")) {
                history.tear(step, 1);
            }
        }
        Happening::Restart => history.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_history_gives_one_state_from_zero_from_a_snapshot_and_as_it_happened(
        happenings in proptest::collection::vec(happening(), 1..40),
        at in any::<proptest::sample::Index>(),
    ) {
        let mut history = History::new();
        let snapshot_after = at.index(happenings.len());
        let mut snapshot = Vec::new();
        for (n, happening) in happenings.iter().enumerate() {
            happen(&mut history, happening);
            if n == snapshot_after {
                snapshot = history.canonical();
            }
        }
        let (from_zero, _) = replay::<Toy>(&*history.log, 0, None).expect("readable");
        let read_back = Machine::from_canonical(&snapshot, 0).expect("its own form");
        prop_assert_eq!(canonical(&read_back), snapshot);
        let from_snapshot = go_on(read_back, &history.log);
        prop_assert_eq!(history.canonical(), canonical(&from_zero));
        prop_assert_eq!(canonical(&from_snapshot), canonical(&from_zero));
    }
}
