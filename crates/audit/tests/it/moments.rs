//! `audit state` and `audit timeline`: what was, and what happened, at a time.

use audit::{AuditError, EntityState, Moment, Timeline, Wanted, state, timeline};
use decider::{Area, Position, Timestamp};

use crate::{
    golden,
    suite::{AREA, ORDER, day},
};

fn at(moment: Option<&str>) -> EntityState {
    let moment = moment.map(|text| Moment::parse(text).expect("a moment"));
    state(&day().history(), &format!("order/{ORDER}"), moment).expect("known")
}

#[test]
fn an_entity_is_shown_as_it_was() {
    let confirmed = at(Some("6"));
    assert_eq!(
        (confirmed.at, confirmed.revision.0, confirmed.later),
        (Position(6), 3, 4)
    );
    let by_time = at(Some("2022-09-02T08:13:00+08:00"));
    assert_eq!(by_time, confirmed);
    // A moment between two records is after the first.
    assert_eq!(at(Some("2022-09-02T00:14:59.999Z")).at, Position(6));
    let end = at(None);
    assert_eq!((end.revision.0, end.later), (7, 0));
    assert_ne!(end.state, confirmed.state);
    assert_eq!(end.history.last().expect("records").state, end.state);
}

#[test]
fn an_entity_that_did_not_exist_yet_has_no_state() {
    for moment in ["3", "2022-09-01T00:00:00Z"] {
        let before = at(Some(moment));
        assert_eq!(
            (before.state, before.history.len(), before.later),
            (None, 0, 7)
        );
    }
    let text = at(Some("2022-09-01T00:00:00Z")).text(120);
    assert!(text.contains("before the first record"), "{text}");
    assert!(text.contains("it did not exist yet"), "{text}");
}

#[test]
fn every_services_entities_are_found_by_their_stream() {
    let history = day().history();
    for (stream, log) in [
        ("household/H-1", "order-0"),
        ("lot/L-1", "inventory-0"),
        ("run/R-1", "logistics-0"),
        ("notification/N-1", "notification-0"),
    ] {
        let found = state(&history, stream, None).expect("known");
        assert_eq!(found.log.to_string(), log);
        assert!(found.state.is_some(), "{stream}");
    }
}

#[test]
fn what_is_not_known_and_what_is_no_moment_is_said() {
    let history = day().history();
    let error = state(&history, "order/01J9ZOTHER", None)
        .expect_err("unknown")
        .to_string();
    assert!(
        error.contains("no log has a stream order/01J9ZOTHER"),
        "{error}"
    );
    assert!(
        error.contains(&format!("that begin alike are order/{ORDER}")),
        "{error}"
    );
    for stream in ["nonsense", "", "unicorn/1", "/"] {
        let error = state(&history, stream, None)
            .expect_err("unknown")
            .to_string();
        assert!(error.ends_with("for example order/01J9Z…"), "{error}");
    }
    let error = state(
        &history,
        &format!("order/{ORDER}"),
        Some(Moment::At(Position(11))),
    );
    let error = error.expect_err("beyond").to_string();
    assert_eq!(error, "order-0 ends at position 10; 11 is not recorded yet");
    for wrong in [
        "0",
        "-1",
        "yesterday",
        "2022-09-02",
        "2022-09-02T08:00:00",
        "2022-13-01T00:00:00Z",
    ] {
        let error = Moment::parse(wrong).expect_err(wrong);
        assert!(matches!(error, AuditError::Moment(_)), "{wrong}");
    }
}

fn wanted() -> Wanted {
    Wanted {
        from: Timestamp(0),
        to: Timestamp(i64::MAX),
        area: None,
        stream: None,
        log: None,
        limit: 0,
    }
}

fn told(wanted: &Wanted) -> Timeline {
    timeline(&day().history(), wanted).expect("told")
}

#[test]
fn a_span_is_told_over_all_logs_in_the_order_of_time() {
    let all = told(&wanted());
    assert_eq!((all.records.len(), all.left_out), (33, 0));
    assert!(all.records.is_sorted_by_key(|line| line.recorded_time));
    let span = Wanted {
        from: all.records[10].recorded_time,
        to: all.records[12].recorded_time,
        ..wanted()
    };
    // Both ends are in it.
    let span = told(&span).records;
    let names: Vec<_> = span
        .iter()
        .map(|l| format!("{}@{}", l.log, l.position))
        .collect();
    assert_eq!(
        names,
        ["order-0@4", "order-0@5", "inventory-0@3", "inventory-0@4"]
    );
}

#[test]
fn what_each_record_says_stands_below_it() {
    let wanted = Wanted {
        stream: Some("checkpoint".into()),
        ..wanted()
    };
    let text = told(&wanted).text_with_fields(0);
    let lines: Vec<_> = text
        .lines()
        .skip_while(|line| !line.contains("@"))
        .collect();
    assert!(lines[0].contains("CheckpointRegistered"), "{text}");
    assert!(
        lines[1].contains("stream checkpoint/gate-1 revision 1  checkpoint_id gate-1"),
        "{text}"
    );
}

#[test]
fn it_is_narrowed_down() {
    let of = |narrow: &dyn Fn(&mut Wanted)| {
        let mut wanted = wanted();
        narrow(&mut wanted);
        told(&wanted).records.len()
    };
    assert_eq!(of(&|w| w.log = Some("order-0".into())), 10);
    assert_eq!(of(&|w| w.log = Some("order".into())), 10);
    assert_eq!(of(&|w| w.stream = Some(format!("order/{ORDER}"))), 7);
    assert_eq!(of(&|w| w.stream = Some("household".into())), 2);
    assert_eq!(of(&|w| w.area = Area::new(AREA).ok()), 33);
    assert_eq!(of(&|w| w.area = Area::new("110105000").ok()), 0);
    let limited = told(&Wanted {
        limit: 5,
        ..wanted()
    });
    assert_eq!((limited.records.len(), limited.left_out), (5, 28));
    assert!(
        limited
            .text(120)
            .contains("and 28 more; --limit 0 prints all")
    );
    let log = Some("order-7".into());
    let error = timeline(&day().history(), &Wanted { log, ..wanted() }).expect_err("no such log");
    assert_eq!(error.to_string(), "there is no log order-7 here");
}

#[test]
fn both_are_as_people_read_them() {
    let mut entity = at(Some("7"));
    // The domains' words are theirs.
    entity.state = Some("(its state)".into());
    for line in &mut entity.history {
        line.state = Some("(its state then)".into());
    }
    golden("state.golden.txt", &entity.text(100));
    let log = Some("logistics".into());
    let day = Wanted {
        from: Timestamp(1_662_076_800_000),
        to: Timestamp(1_662_163_199_999),
        log,
        limit: 9,
        ..wanted()
    };
    golden("timeline.golden.txt", &told(&day).text(100));
}
