//! The records of one command count together or not at all.

use std::sync::Arc;

use decider::{Position, Revision, Service, StreamId};
use event_log::{EventLog, MemoryLog, Unit};
use proto::OrderEvent;
use service_kit::{
    clock::Clock,
    partition::{
        AsOf, Partition,
        machine::{Decision, Machine, ReplayError, Step},
        replay,
    },
};

use crate::{
    history::{History, void_note, voiding},
    toy::{START, Toy, confirm, limits, meta, start, stop},
};

fn accepted(history: &mut History, id: &str, request_id: &str) -> Step<OrderEvent> {
    match history.decide(id, request_id) {
        Decision::Accepted(step) => step,
        other => panic!("{other:?}"),
    }
}

/// A whole command, and one of whose two records the second is missing.
fn torn() -> History {
    let mut history = History::new();
    history.request("a", "r1");
    let step = accepted(&mut history, "b", "r2");
    let torso = step.finish().0.0.into_iter().take(1).collect();
    history.log.append(vec![Unit(torso)]).expect("room");
    history
}

#[test]
fn a_command_is_folded_when_the_last_of_its_records_is_there() {
    let history = torn();
    let (machine, _) = replay::<Toy>(&*history.log, 0, None).expect("readable so far");
    assert_eq!(machine.state().confirmed, ["a"]);
    assert_eq!(machine.position(), Position(2), "what counts");
    assert_eq!(machine.next_read(), Position(4), "what was read");
    assert_eq!(machine.unfinished().len(), 1);
    let order = StreamId::new("order", "b");
    assert_eq!(machine.revision(&order), Revision::ZERO);
}

#[tokio::test]
async fn nothing_is_recorded_behind_a_torso_that_is_not_declared_void() {
    let log: Arc<dyn EventLog> = torn().log;
    let (machine, _) = replay::<Toy>(&*log, 0, None).expect("readable so far");
    let clock = Arc::new(Clock::test(START));
    let error = Partition::start(0, log, machine, clock, limits(4))
        .err()
        .expect("it is refused");
    assert!(error.to_string().contains("positions 3 to 3"), "{error}");
}

#[test]
fn of_a_void_command_only_positions_revisions_and_the_time_are_used() {
    let mut history = History::new();
    history.request("a", "r1");
    history.react(1, "x");
    let before = history.machine.state().confirmed.clone();
    let step = accepted(&mut history, "late", "r2");
    history.tear(step, 1);

    let machine = &history.machine;
    assert_eq!(machine.position(), history.log.last_position());
    assert_eq!(
        machine.state().confirmed,
        before,
        "its events are not folded"
    );
    assert!(machine.state().timers.is_empty());
    let order = StreamId::new("order", "late");
    assert_eq!(machine.revision(&order), Revision(1), "used");
    assert_eq!(machine.revision(&voiding()), Revision(1));

    let step = accepted(&mut history, "late", "r2");
    let (_, records) = step.finish();
    assert_eq!(records[0].revision, Revision(2), "the log goes on");
    assert_eq!(
        history.machine.state().confirmed.last().expect("one"),
        "late"
    );
}

#[test]
fn the_request_of_a_void_command_is_decided_anew_and_then_answered_again() {
    let mut history = History::new();
    let step = accepted(&mut history, "a", "r1");
    history.tear(step, 1);
    let step = accepted(&mut history, "a", "r1");
    history.append(step);
    history.restart();
    match history.decide("a", "r1") {
        Decision::Repeated { first, count } => assert_eq!((first, count), (Position(3), 2)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cause_of_a_void_command_vouches_for_nothing() {
    let mut history = History::new();
    history.react(1, "a");
    let taken = history.log.last_position();
    let whole = history.machine.cursor(Service::Inventory);
    let again = History::new();
    // The same reaction, torn behind its first record.
    let mut torn = again;
    let entries = history.log.read(Position(1), 1).expect("readable");
    let torso = Unit(entries.into_iter().map(|entry| entry.bytes).collect());
    torn.log.append(vec![torso]).expect("room");
    let note = void_note(Position(1), Position(1), Revision(1), START);
    torn.append_raw(&note);
    torn.restart();
    assert_eq!(torn.machine.cursor(Service::Inventory), Position::ZERO);
    torn.react(1, "a");
    assert_eq!(torn.machine.cursor(Service::Inventory), whole);
    assert_eq!(torn.log.last_position().0, 2 + taken.0);
    assert_eq!(torn.machine.state(), history.machine.state());
}

#[test]
fn only_the_torso_directly_before_it_can_be_declared_void() {
    for (from, to) in [(1, 3), (3, 4), (2, 3)] {
        let mut history = torn();
        let mut note = void_note(Position(from), Position(to), Revision(1), START);
        note.position = Position(4);
        history.append_raw(&note);
        let error = replay::<Toy>(&*history.log, 0, None).expect_err("not those");
        assert!(error.to_string().contains("position 4 declares"), "{error}");
    }
    let mut history = History::new();
    history.request("a", "r1");
    let note = void_note(Position(1), Position(2), Revision(1), START);
    let error = {
        history.append_raw(&note);
        let bytes = &history.log.read(Position(3), 1).expect("readable")[0].bytes;
        history.machine.replay(bytes).expect_err("a whole command")
    };
    assert!(
        matches!(error, ReplayError::NothingToVoid { .. }),
        "{error}"
    );
}

#[test]
fn a_torso_that_another_command_follows_makes_the_log_unreadable() {
    let mut history = torn();
    // One record is missing, and one follows; but it has another cause.
    let mut other = void_note(Position(3), Position(3), Revision(1), START);
    other.event.type_name = "baogong.log.v1.CursorAdvanced".to_owned();
    history.append_raw(&other);
    let error = replay::<Toy>(&*history.log, 0, None).expect_err("broken");
    assert!(error.to_string().contains("1 more records"), "{error}");
}

#[tokio::test]
async fn the_past_within_a_command_is_the_state_before_it() {
    let log = Arc::new(MemoryLog::new());
    let (partition, writer) = start(&log);
    for id in ["a", "b"] {
        let accepted = partition.submit(confirm(id), meta(id, 1));
        accepted.await.expect("accepted");
    }
    let look = |machine: &Machine<Toy>, _| machine.state().confirmed.len();
    let within = AsOf::Position(Position(3));
    let (count, position) = partition.query_as_of(within, look).await.expect("a past");
    assert_eq!((count, position), (1, Position(2)));
    stop(writer).await;
}
