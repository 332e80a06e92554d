//! `audit state` on running services: the same as with the whole logs at hand.

use std::collections::BTreeSet;

use audit::{AuditError, EntityState, History, Moment, Progress, Source, state, state_of};
use decider::{Position, Timestamp};
use proto::record;

use crate::{
    running::{Kind, serve_as},
    signed::Records,
    suite::day,
    units::{torn, voided},
};

/// Counts the records that are read of whole logs.
#[derive(Default)]
struct Whole(std::sync::Mutex<u64>);

impl Progress for Whole {
    fn reading(&self, _: &str, records: u64) {
        *self.0.lock().expect("not poisoned") += records;
    }
}

async fn asked(source: &Source, stream: &str, moment: Option<Moment>) -> (EntityState, u64) {
    let whole = Whole::default();
    let found = state_of(source, stream, moment, &whole).await;
    let read = *whole.0.lock().expect("not poisoned");
    (found.expect("known"), read)
}

/// Streams, and moments at, between, before and after their records.
fn questions(records: &Records) -> (BTreeSet<String>, Vec<Option<Moment>>) {
    let mut streams = BTreeSet::new();
    let mut moments = vec![None];
    let mut times = BTreeSet::new();
    let shortest = records.iter().map(|(_, log)| log.len()).min();
    for position in 1..=shortest.unwrap_or_default() {
        moments.push(Some(Moment::At(Position(position as u64))));
    }
    for bytes in records.iter().flat_map(|(_, log)| log) {
        let raw = record::decode(bytes).expect("ours");
        streams.insert(raw.stream.to_string());
        times.extend([raw.recorded.0 - 1, raw.recorded.0]);
    }
    let times = times.into_iter().map(|at| Moment::Time(Timestamp(at)));
    moments.extend(times.map(Some).step_by(15));
    (streams, moments)
}

#[tokio::test]
async fn what_one_stream_tells_is_what_the_whole_logs_tell() {
    for suite in [day(), torn(), voided()] {
        let records = suite.bytes();
        let history = History::from_bytes(records.clone());
        let (streams, moments) = questions(&records);
        let (_running, source) = serve_as(Kind::Honest, records).await;
        let mut alone = BTreeSet::new();
        for stream in &streams {
            for moment in &moments {
                let (found, read) = asked(&source, stream, *moment).await;
                let expected = state(&history, stream, *moment).expect("known");
                assert_eq!(found, expected, "{stream} at {moment:?}");
                if read == 0 {
                    alone.insert(stream.split('/').next().expect("a category").to_owned());
                }
            }
        }
        let wanted = ["household", "order"];
        let wanted: BTreeSet<String> = wanted.map(str::to_owned).into();
        assert!(alone.is_superset(&wanted), "{alone:?}");
        assert!(!alone.contains("lot") && !alone.contains("notification"));
    }
}

#[tokio::test]
async fn a_service_without_an_index_is_read_whole() {
    let records = day().bytes();
    let history = History::from_bytes(records.clone());
    let (_running, source) = serve_as(Kind::WithoutIndex, records).await;
    let (found, read) = asked(&source, "household/H-1", None).await;
    assert!(read > 0);
    assert_eq!(
        found,
        state(&history, "household/H-1", None).expect("known")
    );
}

#[tokio::test]
async fn records_that_do_not_follow_each_other_are_not_taken() {
    let (_running, source) = serve_as(Kind::LeavesOut, day().bytes()).await;
    let stream = format!("order/{}", crate::suite::ORDER);
    let error = state_of(&source, &stream, None, &Whole::default()).await;
    let error = error.expect_err("one is missing").to_string();
    assert!(error.contains("revision 2 of order/"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_said_without_reading_the_logs() {
    let (_running, source) = serve_as(Kind::Honest, day().bytes()).await;
    for stream in ["order/01J9ZOTHER", "nonsense", "", "/"] {
        let whole = Whole::default();
        let error = state_of(&source, stream, None, &whole).await;
        let error = error.expect_err("unknown");
        assert!(matches!(error, AuditError::UnknownStream { .. }), "{error}");
        assert_eq!(*whole.0.lock().expect("not poisoned"), 0);
    }
    let beyond = Some(Moment::At(Position(1_000)));
    let stream = format!("order/{}", crate::suite::ORDER);
    let error = state_of(&source, &stream, beyond, &Whole::default()).await;
    let error = error.expect_err("beyond").to_string();
    assert!(error.contains("1000 is not recorded yet"), "{error}");
}
