//! With an index a machine knows as much as one that keeps everything, and an
//! index that is not the log's is made anew.

use std::{fs, path::Path, sync::Arc};

use decider::{Position, Revision, StreamId};
use event_log::{EventLog, MemoryLog};
use proptest::prelude::*;
use service_kit::partition::{
    Kept, SubmitError,
    indexer::{self, Indexer},
    machine::{Decision, Machine},
    replay, restore,
};
use stream_index::StreamIndex;

use crate::{
    history::History,
    snapshots::{Happening, happen, happening, snapshots, taken},
    toy::{No, Toy, confirm, meta, start_machine},
};

fn open(directory: &Path, log: &MemoryLog) -> Arc<StreamIndex> {
    let index = indexer::open(directory, decider::Service::Order, 0, log);
    Arc::new(index.expect("a folder"))
}

fn restored(directory: &Path, log: &Arc<MemoryLog>) -> (Machine<Toy>, Arc<StreamIndex>) {
    let index = open(directory, log);
    let log = Arc::clone(log) as Arc<dyn EventLog>;
    let known = || Ok(Arc::clone(&index));
    let restored = restore::<Toy>(&log, 0, &snapshots(directory), known).expect("readable");
    let machine = restored.machine;
    (machine, index)
}

fn order(id: &str) -> StreamId {
    StreamId::new("order", id)
}

#[test]
fn a_service_that_starts_from_a_snapshot_knows_what_was_answered_before_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    history.request("a", "r1");
    let store = snapshots(directory.path());
    store
        .write(&taken(&history), &*history.log)
        .expect("written");
    history.request("b", "r2");

    let (mut machine, index) = restored(directory.path(), &history.log);
    assert_eq!(index.position(), Position(4));
    assert_eq!(machine.position(), Position(4));
    assert_eq!(machine.revision(&order("a")), Revision(2));
    for (request, first) in [("r1", 1), ("r2", 3)] {
        match machine.request(&confirm("a"), &meta(request, 1), history.now) {
            Decision::Repeated { first: found, .. } => assert_eq!(found, Position(first)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_index_that_is_lost_or_of_another_log_or_ahead_of_it_is_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    history.request("a", "r1");
    let mut longer = History::new();
    longer.request("a", "r1");
    longer.request("b", "r2");
    let mut other = History::new();
    other.request("c", "r3");
    other.request("d", "r4");
    for before in [None, Some(&longer), Some(&other)] {
        let folder = directory.path().join("order/0.index");
        let _ = fs::remove_dir_all(&folder);
        if let Some(before) = before {
            restored(directory.path(), &before.log);
        }
        let (machine, index) = restored(directory.path(), &history.log);
        assert_eq!(index.position(), history.log.last_position());
        assert_eq!(machine.revision(&order("a")), Revision(2));
        for stranger in ["b", "c", "d"] {
            assert_eq!(
                machine.revision(&order(stranger)),
                Revision::ZERO,
                "{stranger}"
            );
        }
    }
}

#[test]
fn a_log_whose_revisions_do_not_continue_is_not_indexed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    history.request("a", "r1");
    let bytes = &history.log.read(Position(2), 1).expect("readable")[0].bytes;
    let mut raw = proto::record::decode(bytes).expect("a record");
    raw.position = Position(3);
    history.append_raw(&raw);
    let index = open(directory.path(), &history.log);
    let log = Arc::clone(&history.log) as Arc<dyn EventLog>;
    let error = Indexer::new(index, log).bring_up().expect_err("a gap");
    assert!(
        error.to_string().contains("order/a was to have revision 3"),
        "{error}"
    );
}

/// The generation of what is kept in memory changes after every record here, so
/// also within the two of the command.
#[test]
fn an_answer_is_whole_though_its_first_record_is_kept_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    let index = open(directory.path(), &history.log);
    history.machine = Machine::<Toy>::reader(0).with_index(index, 1);
    history.request("a", "r1");
    match history.decide("a", "r1") {
        Decision::Repeated { first, count } => assert_eq!((first, count), (Position(1), 2)),
        other => panic!("{other:?}"),
    }
}

/// What a caller learns of a decision.
fn told(decision: &Decision<proto::OrderEvent, No>) -> String {
    match decision {
        Decision::Accepted(step) => format!("{:?}", step.records),
        other => format!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whatever the index has and has not, whatever was dropped from memory,
    /// and wherever the service was started again.
    #[test]
    fn a_machine_with_an_index_decides_like_one_that_keeps_everything(
        happenings in proptest::collection::vec((happening(), 0..6u8), 1..40),
        generation in 1..8usize,
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut whole = History::new();
        let mut index = open(directory.path(), &whole.log);
        let mut indexed = Machine::<Toy>::reader(0).with_index(Arc::clone(&index), generation);
        for (happening, chance) in &happenings {
            if let Happening::Request { id, request } = happening {
                let command = confirm(&crate::snapshots::order(*id));
                let meta = meta(&format!("r{request}"), 1);
                let expected = whole.machine.request(&command, &meta, whole.now);
                let found = indexed.request(&command, &meta, whole.now);
                prop_assert_eq!(told(&found), told(&expected));
                if let Decision::Accepted(step) = expected {
                    whole.append(step);
                }
            } else {
                happen(&mut whole, happening);
                let behind = whole.log.read(indexed.next_read(), usize::MAX).expect("readable");
                for entry in behind {
                    indexed.replay(&entry.bytes).expect("a record");
                }
            }
            match chance {
                0 | 1 => {
                    let log = Arc::clone(&whole.log) as Arc<dyn EventLog>;
                    Indexer::new(Arc::clone(&index), log).bring_up().expect("added");
                }
                2 => {
                    if whole.machine.position() > Position::ZERO {
                        let store = snapshots(directory.path());
                        store.write(&taken(&whole), &*whole.log).expect("written");
                    }
                    drop(indexed);
                    drop(index);
                    (indexed, index) = restored(directory.path(), &whole.log);
                }
                _ => {}
            }
            prop_assert!(indexed.failure().is_none());
            prop_assert_eq!(indexed.position(), whole.machine.position());
            prop_assert_eq!(indexed.canonical(Vec::new()), whole.machine.canonical(Vec::new()));
        }
    }
}

#[tokio::test]
async fn an_index_that_cannot_be_read_ends_the_writer_before_anything_is_recorded() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    for n in 0..2000 {
        history.request(&format!("o{n}"), &format!("r{n}"));
    }
    let (_, index) = restored(directory.path(), &history.log);
    // Nothing is left of it in memory, and what is on the disk is overwritten.
    index.flush().expect("written");
    drop(index);
    let log = Arc::clone(&history.log);
    let last = log.last_position();
    let index = open(directory.path(), &log);
    overwrite(&directory.path().join("order/0.index/keyspaces"));
    let (machine, _) = replay::<Toy>(&*log, 0, None).expect("readable");
    let machine = machine.with_index(Arc::clone(&index), 1);
    let kept = Kept {
        index: Some(index),
        ..Kept::default()
    };
    let (partition, writer) = start_machine(&log, machine, 64, kept);
    let answer = partition.submit(confirm("o1"), meta("r1", 1)).await;
    assert!(matches!(answer, Err(SubmitError::Log(_))), "{answer:?}");
    let error = writer.ended().await.expect_err("it ended");
    assert!(error.to_string().contains("made anew"), "{error}");
    assert_eq!(log.last_position(), last);
    drop(partition);
    assert_eq!(restored(directory.path(), &log).1.position(), last);
}

/// Zeros in all files that are large enough to hold records.
fn overwrite(path: &Path) {
    for entry in fs::read_dir(path).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            overwrite(&path);
        } else {
            let bytes = fs::metadata(&path).expect("a file").len();
            let mut file = fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .expect("writable");
            let zeros = vec![0; usize::try_from(bytes).expect("small")];
            std::io::Write::write_all(&mut file, &zeros).expect("writable");
        }
    }
}
