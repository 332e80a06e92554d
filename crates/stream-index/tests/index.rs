//! An index answers what the records said, or is made anew.

use std::{collections::HashMap, fs, path::Path};

use decider::{Position, Revision, StreamId};
use proptest::prelude::*;
use stream_index::{Answered, IndexError, IndexOptions, Indexed, Mark, StreamIndex};

fn stream(id: &str) -> StreamId {
    StreamId::new("order", id)
}

fn record(position: u64, id: &str, revision: u64, request: Option<u8>) -> Indexed {
    let answered = |request: u8| {
        let answered = Answered {
            digest: [request; 16],
            first: Position(position),
            count: 1,
        };
        ([request; 16], answered)
    };
    Indexed {
        position: Position(position),
        stream: stream(id),
        revision: Revision(revision),
        request: request.map(answered),
    }
}

fn mark(position: u64) -> Mark {
    Mark {
        position: Position(position),
        record: [u8::try_from(position % 251).expect("small"); 32],
    }
}

fn open(path: &Path) -> StreamIndex {
    StreamIndex::open(path, IndexOptions::default(), |_| true).expect("a folder")
}

/// Two orders of three records, one request.
fn filled(path: &Path) -> StreamIndex {
    let index = open(path);
    let records = [
        record(1, "a", 1, Some(7)),
        record(2, "b", 1, None),
        record(3, "a", 2, Some(7)),
    ];
    index.apply(&records, mark(3)).expect("written");
    index
}

#[test]
fn it_answers_what_was_added_also_when_it_is_opened_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = |index: &StreamIndex| {
        assert_eq!(index.mark(), mark(3));
        assert_eq!(index.revision(&stream("a")).expect("read"), Revision(2));
        assert_eq!(index.revision(&stream("c")).expect("read"), Revision::ZERO);
        let positions = |from, limit| {
            let found = index.positions(&stream("a"), Revision(from), limit);
            found
                .expect("read")
                .into_iter()
                .map(|p| p.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(positions(0, 10), [1, 3]);
        assert_eq!(positions(2, 10), [3]);
        assert_eq!(positions(1, 1), [1]);
        let answered = index.answered(&[7; 16]).expect("read").expect("answered");
        assert_eq!(answered.first, Position(1), "the first answer counts");
        assert_eq!(index.answered(&[8; 16]).expect("read"), None);
    };
    check(&filled(directory.path()));
    check(&open(directory.path()));
}

#[test]
fn a_stream_whose_name_begins_another_is_kept_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let index = open(directory.path());
    let records = [
        record(1, "a", 1, None),
        record(2, "a\0\0\0\0\0\0\0\0\u{1}", 1, None),
    ];
    index.apply(&records, mark(2)).expect("written");
    let positions = index
        .positions(&stream("a"), Revision::ZERO, 10)
        .expect("read");
    assert_eq!(positions, [Position(1)]);
}

#[test]
fn a_revision_that_does_not_follow_is_refused_and_nothing_is_added() {
    let directory = tempfile::tempdir().expect("a directory");
    let index = filled(directory.path());
    let records = [record(4, "b", 2, None), record(5, "a", 4, None)];
    match index.apply(&records, mark(5)) {
        Err(IndexError::RevisionGap {
            position,
            expected,
            found,
            ..
        }) => {
            assert_eq!((position.0, expected.0, found.0), (5, 3, 4));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(index.mark(), mark(3));
    assert_eq!(index.revision(&stream("b")).expect("read"), Revision(1));
}

#[test]
fn an_index_of_another_log_is_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(filled(directory.path()));
    let options = IndexOptions::default();
    let index = StreamIndex::open(directory.path(), options, |found| found != mark(3));
    let index = index.expect("made anew");
    assert_eq!(index.mark(), Mark::default());
    assert_eq!(index.revision(&stream("a")).expect("read"), Revision::ZERO);
}

#[test]
fn an_index_in_use_is_not_taken_for_a_damaged_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let index = filled(directory.path());
    let second = StreamIndex::open(directory.path(), IndexOptions::default(), |_| true);
    assert!(second.is_err(), "it is locked");
    assert_eq!(
        index.revision(&stream("a")).expect("still there"),
        Revision(2)
    );
}

/// All files of the index.
fn files(path: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(path).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn a_damaged_file_gives_right_answers_an_error_or_a_new_index() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(filled(&directory.path().join("whole")));
    let mut found = Vec::new();
    files(&directory.path().join("whole"), &mut found);
    for (n, whole) in found.iter().enumerate() {
        let path = directory.path().join(n.to_string());
        drop(filled(&path));
        let file = path.join(
            whole
                .strip_prefix(directory.path().join("whole"))
                .expect("inside"),
        );
        let Ok(mut bytes) = fs::read(&file) else {
            continue;
        };
        let middle = bytes.len() / 2;
        match bytes.get_mut(middle) {
            Some(byte) => *byte ^= 0x55,
            None => continue,
        }
        fs::write(&file, bytes).expect("writable");
        let opened = StreamIndex::open(&path, IndexOptions::default(), |found| found == mark(3));
        let index = opened.expect("it is made anew where it is damaged");
        let revision = index.revision(&stream("a"));
        let expected = Revision(if index.mark() == mark(3) { 2 } else { 0 });
        assert!(
            revision.as_ref().map_or(true, |r| *r == expected),
            "{}: {revision:?}",
            file.display()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_order_of_records_gives_what_a_map_would(
        chosen in proptest::collection::vec((0..8u8, proptest::option::of(0..30u8)), 1..200),
        batch in 1..50usize,
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut index = open(directory.path());
        let mut model: HashMap<String, Vec<Position>> = HashMap::new();
        let mut answers = HashMap::new();
        let records: Vec<_> = chosen.iter().zip(1..).map(|((id, request), position)| {
            let id = format!("o{id}");
            let positions = model.entry(id.clone()).or_default();
            positions.push(Position(position));
            if let Some(request) = request {
                answers.entry(*request).or_insert(Position(position));
            }
            record(position, &id, positions.len() as u64, *request)
        }).collect();
        for records in records.chunks(batch) {
            let last = records.last().expect("not empty").position.0;
            index.apply(records, mark(last)).expect("written");
        }
        for _ in 0..2 {
            for (id, positions) in &model {
                let found = index.positions(&stream(id), Revision::ZERO, usize::MAX);
                prop_assert_eq!(&found.expect("read"), positions);
                let revision = index.revision(&stream(id)).expect("read");
                prop_assert_eq!(revision.0, positions.len() as u64);
            }
            for request in 0..30 {
                let found = index.answered(&[request; 16]).expect("read");
                prop_assert_eq!(found.map(|f| f.first), answers.get(&request).copied());
            }
            drop(index);
            index = open(directory.path());
        }
    }
}

/// Bytes of the store's journal.
fn journal(path: &Path) -> u64 {
    let files = fs::read_dir(path).expect("a folder").flatten();
    let files = files.filter(|file| file.path().extension().is_some_and(|e| e == "jnl"));
    files
        .map(|file| file.metadata().expect("a file").len())
        .sum()
}

#[test]
fn one_that_was_closed_is_opened_without_its_journal_and_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let index = filled(path);
    index.close().expect("written");
    drop(index);
    assert!(journal(path) > 0 && path.join("flushed").exists());
    for round in 0..3_u64 {
        // Opened and left as it is, too.
        drop(open(path));
        let index = open(path);
        assert_eq!(index.position(), Position(3 + round));
        assert_eq!(
            index.revision(&stream("a")).expect("read"),
            Revision(2 + round)
        );
        let next = record(4 + round, "a", 3 + round, Some(9));
        index.apply(&[next], mark(4 + round)).expect("written");
        assert!(!path.join("flushed").exists(), "its journal counts again");
        // What is newer counts, also where the older is in a table.
        assert_eq!(
            index.revision(&stream("a")).expect("read"),
            Revision(3 + round)
        );
        if round == 1 {
            // As a killed process leaves it: only the journal has it.
            drop(index);
        } else {
            index.close().expect("written");
        }
    }
    let index = open(path);
    let positions = index.positions(&stream("a"), Revision::ZERO, 10);
    let expected = [1, 3, 4, 5, 6].map(Position);
    assert_eq!(positions.expect("read"), expected);
    assert_eq!(
        index.answered(&[9; 16]).expect("read").map(|a| a.first),
        Some(Position(4))
    );
}

#[test]
fn one_in_use_keeps_its_journal() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let index = filled(path);
    index.close().expect("written");
    let bytes = journal(path);
    let error = StreamIndex::open(path, IndexOptions::default(), |_| true).expect_err("in use");
    assert!(matches!(error, IndexError::Store { .. }), "{error}");
    assert_eq!(journal(path), bytes);
}
