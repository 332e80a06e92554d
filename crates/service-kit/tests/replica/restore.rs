//! Log and stream are brought together at the start.

use std::sync::Arc;

use decider::Position;
use event_log::{EventLog, MemoryLog, Unit};
use prost::{Message, Name};
use proto::log::v1::UnitVoided;
use service_kit::reconcile::{ReconcileError, Reconciled, Voided, reconcile};

use crate::support::{Site, bytes_of, go_on, history, order, shared, torso};

async fn reconciled(site: &Site, log: &Arc<MemoryLog>) -> Result<Reconciled, ReconcileError> {
    reconcile(&shared(log), &site.bus, &order()).await
}

#[tokio::test]
async fn a_lost_log_comes_back_from_its_stream_byte_for_byte() {
    let site = Site::start().await;
    let lost = history("we", &[1, 3, 100, 2, 120, 1]);
    site.publish(&lost).await;
    let log = Arc::new(MemoryLog::new());
    let found = reconciled(&site, &log).await.expect("restored");
    assert_eq!((found.restored, found.voided), (227, None));
    assert_eq!(bytes_of(&*log), bytes_of(&*lost));
    assert!(
        found.to_string().contains("227 records restored"),
        "{found}"
    );
}

#[tokio::test]
async fn a_lost_end_comes_back_and_what_was_there_is_compared() {
    let site = Site::start().await;
    let lost = history("we", &[1, 3, 2]);
    site.publish(&lost).await;
    let log = history("we", &[1, 3]);
    assert_eq!(reconciled(&site, &log).await.expect("restored").restored, 2);
    assert_eq!(bytes_of(&*log), bytes_of(&*lost));

    let other = history("they", &[1, 3]);
    let refused = reconciled(&site, &other).await.expect_err("refused");
    assert!(
        matches!(refused, ReconcileError::Differs { position: 1, .. }),
        "{refused}"
    );
    assert_eq!(other.last_position(), Position(4), "nothing was changed");
}

#[tokio::test]
async fn the_first_of_several_differences_is_named() {
    let site = Site::start().await;
    let published = history("we", &[1, 3, 2]);
    site.publish(&published).await;
    let log = history("we", &[1, 1]);
    go_on(&log, "they", &[1, 1, 1, 1]);
    let refused = reconciled(&site, &log).await.expect_err("refused");
    // Position 2 as well: it does not say that two more belong to it.
    assert!(
        matches!(refused, ReconcileError::Differs { position: 2, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn the_torso_of_a_command_is_kept_and_declared_void() {
    let site = Site::start().await;
    let lost = torso("we", &[1, 2, 5], 2);
    site.publish(&lost).await;
    let log = Arc::new(MemoryLog::new());
    let found = reconciled(&site, &log).await.expect("restored");
    let voided = Voided {
        from: Position(4),
        to: Position(6),
    };
    assert_eq!((found.restored, found.voided), (6, Some(voided)));
    assert!(found.to_string().contains("positions 4 to 6"), "{found}");

    let bytes = bytes_of(&*log);
    assert_eq!(bytes[..6], bytes_of(&*lost));
    let note = proto::record::decode(&bytes[6]).expect("a record");
    assert_eq!(note.position, Position(7));
    assert_eq!(
        (note.stream.as_str(), note.revision.0),
        ("runtime/units", 1)
    );
    assert_eq!(note.event.type_name, UnitVoided::full_name());
    assert_eq!((note.unit_remaining, bytes.len()), (0, 7));
    let said = UnitVoided::decode(&*note.event.data).expect("a note");
    assert_eq!((said.from_position, said.to_position), (4, 6));

    // The note goes to the stream, and from there into the next restoring.
    go_on(&log, "we", &[2]);
    site.publish(&log).await;
    let again = Arc::new(MemoryLog::new());
    let found = reconciled(&site, &again).await.expect("restored");
    assert_eq!((found.restored, found.voided), (9, None));
    assert_eq!(bytes_of(&*again), bytes_of(&*log));
}

#[tokio::test]
async fn the_note_is_the_same_however_often_it_is_made() {
    let site = Site::start().await;
    site.publish(&torso("we", &[1, 5], 2)).await;
    let (one, two) = (Arc::new(MemoryLog::new()), Arc::new(MemoryLog::new()));
    reconciled(&site, &one).await.expect("restored");
    // Interrupted between the torso and its note, and done again.
    let mut torso = bytes_of(&*one);
    torso.pop();
    two.append(vec![Unit(torso)]).expect("appended");
    let found = reconciled(&site, &two).await.expect("restored");
    assert_eq!(found.restored, 0);
    assert!(found.voided.is_some());
    assert_eq!(bytes_of(&*two), bytes_of(&*one));
    assert_eq!(reconciled(&site, &two).await.expect("whole").voided, None);
}

#[tokio::test]
async fn a_second_torso_has_a_note_of_the_next_revision() {
    let site = Site::start().await;
    site.publish(&torso("we", &[1, 5], 2)).await;
    let log = Arc::new(MemoryLog::new());
    reconciled(&site, &log).await.expect("restored");
    let mut bytes = bytes_of(&*history("we", &[5, 3]));
    bytes.truncate(7);
    let second = Arc::new(MemoryLog::new());
    second
        .append(vec![Unit(bytes_of(&*log))])
        .expect("appended");
    second
        .append(vec![Unit(bytes.split_off(5))])
        .expect("appended");
    site.publish(&second).await;
    let again = Arc::new(MemoryLog::new());
    let found = reconciled(&site, &again).await.expect("restored");
    assert!(found.voided.is_some());
    let note = bytes_of(&*again).pop().expect("records");
    let note = proto::record::decode(&note).expect("a record");
    assert_eq!((note.position, note.revision.0), (Position(8), 2));
}

#[tokio::test]
async fn a_log_that_is_longer_waits_for_the_relay() {
    let site = Site::start().await;
    site.publish(&history("we", &[1, 3])).await;
    let log = history("we", &[1, 3, 2]);
    let found = reconciled(&site, &log).await.expect("the same history");
    assert_eq!((found.stream, found.restored), (4, 0));
    site.publish(&log).await;
    assert_eq!(reconciled(&site, &log).await.expect("equal").stream, 6);
}
