//! The golden corpus: every event that was ever written can be read, means what
//! it meant, and folds to the same state. The files are in
//! `proto/tests/corpus`:
//!
//! - `records/<type>.<form>.hex`, a record as it stands in a log, and beside it
//!   the `.json` as which its event is read today;
//! - `histories/<n>/<service>.hex`, whole logs of a town's day, one record a
//!   line, and beside each the `.digest` of the state to which it folds.
//!
//! `BAOGONG_WRITE_CORPUS=1` adds what is missing, and changes nothing: it lives
//! the day of `story` with the services of today, and takes from its logs the
//! types and forms that have no file yet.

mod alone;
mod corpus;
mod fold;
mod haulage;
mod market;
mod routes;
mod story;
mod town;
mod trade;
mod write;

use std::collections::BTreeSet;

use corpus::{Corpus, Sample};
use proto::{AnyEvent, record, upcast};

#[test]
fn every_type_of_event_has_a_record_of_each_form() {
    let stored: BTreeSet<String> = Corpus::read().samples.into_keys().collect();
    let wanted: BTreeSet<String> = corpus::event_types()
        .iter()
        .flat_map(|name| (1..=upcast::forms(name)).map(move |form| format!("{name}.{form}")))
        .collect();
    let missing: Vec<_> = wanted.difference(&stored).collect();
    assert!(
        missing.is_empty(),
        "no records of {missing:?}: let it happen in crates/audit/tests/corpus/story.rs, then\n  {}",
        write::COMMAND
    );
    // Renamed types are in no table of today's events, and stay readable.
    let renamed = |name: &&String| {
        !upcast::FORMS
            .iter()
            .any(|(known, _)| name.starts_with(known))
    };
    let unknown: Vec<_> = stored.difference(&wanted).filter(renamed).collect();
    assert!(
        unknown.is_empty(),
        "records of types that nobody knows: {unknown:?}"
    );
}

#[test]
fn every_record_is_read_as_it_was() {
    for (name, Sample { bytes, golden }) in Corpus::read().samples {
        let json = corpus::to_json(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            corpus::parsed(&json),
            corpus::parsed(&golden),
            "{name} is read differently. If an upcast of it was added on purpose, delete its .json \
             and\n  {}",
            write::COMMAND
        );
        let raw = record::decode(&bytes).expect("read a line above");
        let form = upcast::form(&raw.event.type_name, &raw.event.data);
        assert_eq!(format!("{}.{form}", raw.event.type_name), name);
    }
}

/// The envelope too: a record that is decoded and encoded again is the same,
/// so that a log can be restored and copied by any version.
#[test]
fn every_envelope_is_written_as_it_was() {
    for (name, Sample { bytes, .. }) in Corpus::read().samples {
        let raw = record::decode(&bytes).expect("a record");
        assert_eq!(record::encode(&raw), bytes, "{name}");
    }
}

/// Its own service knows the event, and everybody else can look at it.
#[test]
fn every_event_is_known_to_its_service_and_to_others() {
    for (name, Sample { bytes, .. }) in Corpus::read().samples {
        let raw = record::decode(&bytes).expect("a record");
        let Some(service) = corpus::service_of(&raw.event.type_name) else {
            continue;
        };
        let event = AnyEvent::decode(service, &raw.event.type_name, &raw.event.data);
        assert!(!matches!(event, Err(_) | Ok(AnyEvent::Other)), "{name}");
        let stream = corpus::stream_of(service, &raw.event).expect("decoded a line above");
        assert_eq!(stream, raw.stream, "{name} belongs elsewhere");
    }
}

#[test]
fn every_history_folds_to_the_same_state() {
    let histories = Corpus::read().histories;
    assert!(histories.len() >= 4, "the logs of four services at least");
    for (name, history) in histories {
        let digest = fold::digest_of_log(name.service(), &history.records);
        assert_eq!(
            digest,
            history.digest,
            "{name} folds to another state. If the state's meaning was changed on purpose and not \
             by mistake, delete its .digest and\n  {}",
            write::COMMAND
        );
    }
}

/// A day lived now folds to the same as its logs when they are read again.
#[test]
fn what_the_services_hold_is_what_their_logs_say() {
    let town = story::day();
    let digests = fold::digests_of_town(&town);
    for (name, records) in town.logs() {
        let log = fold::digest_of_log(name.service, &records);
        assert_eq!(log, digests[&name.service], "{name}");
    }
}
