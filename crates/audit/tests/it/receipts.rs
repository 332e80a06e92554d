//! Receipts: made from directories and from running services, checked with
//! public keys alone, and refused once anything of them is changed.

use std::sync::Arc;

use audit::{AuditError, CheckedReceipt, History, Source, check_receipt, load, prove};
use transparency::{Policy, Receipt, Signature, UnixSeconds, cosign};

use crate::{
    running::serve_signed,
    signed::Notary,
    suite::{ORDER, day},
};

async fn proven(notary: &Notary, covered: impl Fn(usize) -> usize) -> Result<Receipt, AuditError> {
    let directory = tempfile::tempdir().expect("a directory");
    notary.write(directory.path(), &day().bytes(), covered);
    let source = Source::logs(directory.path());
    let history = load(&source).await.expect("read");
    prove(&source, &history, ORDER, None).await
}

async fn receipt() -> Receipt {
    proven(&Notary::default(), |all| all).await.expect("proven")
}

fn policy() -> Policy {
    Notary::default().policy().parse().expect("a policy")
}

fn checked(receipt: &Receipt, policy: &Policy) -> CheckedReceipt {
    check_receipt(receipt, policy).expect("it has records")
}

#[tokio::test]
async fn the_whole_delivery_is_proven() {
    let receipt = receipt().await;
    let again: Receipt = receipt.to_string().parse().expect("its own text");
    let checked = checked(&again, &policy());
    assert!(checked.holds, "{:#?}", checked.failures);
    let replay = audit::replay(&day().history(), ORDER).expect("known");
    let names = |lines: &[audit::Line]| -> Vec<String> {
        lines
            .iter()
            .map(|l| format!("{}@{}", l.log, l.position))
            .collect()
    };
    assert_eq!(names(&checked.records), names(&replay.lines));
    assert_eq!(checked.checkpoints.len(), 4);
    assert_eq!(checked.checkpoints[0].cosigned[0].witness, "regulator");
    let json = serde_json::to_value(&checked).expect("JSON");
    assert_eq!(json["records"][1]["event"]["order_id"], ORDER);
    assert_eq!(json["records"][0]["event"]["contact"], "(sealed)");
}

#[tokio::test]
async fn running_services_give_the_same_records_and_wait_for_their_notary() {
    let notary = Arc::new(Notary::default());
    let fakes = serve_signed(day().bytes(), &notary).await;
    let source = Source::endpoints(&fakes.endpoints).expect("four");
    let history = load(&source).await.expect("read");
    let asked = prove(&source, &history, ORDER, None).await.expect("proven");
    assert_eq!(asked, receipt().await);
}

#[tokio::test]
async fn a_proof_that_a_service_gives_of_other_records_is_not_taken() {
    let fakes = serve_signed(day().bytes(), &Arc::new(Notary::default())).await;
    let source = Source::endpoints(&fakes.endpoints).expect("four");
    let history = day().history();
    // Inventory's proofs are of other records than those that are shown.
    let mut bytes = day().bytes();
    let mut altered = bytes[1].1[2].to_vec();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    bytes[1].1[2] = altered.into();
    let other = History::from_bytes(bytes);
    assert!(prove(&source, &history, ORDER, None).await.is_ok());
    let error = prove(&source, &other, ORDER, None)
        .await
        .expect_err("other");
    let AuditError::BadProof { record, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(record.to_string(), "inventory-0@3");
}

#[tokio::test]
async fn a_record_that_no_checkpoint_covers_yet_is_named() {
    let error = proven(&Notary::default(), |all| all - 1)
        .await
        .expect_err("short");
    let text = error.to_string();
    assert!(matches!(error, AuditError::NotCovered { .. }), "{text}");
    assert!(
        text.contains("is not covered by a checkpoint yet"),
        "{text}"
    );
}

#[tokio::test]
async fn records_that_are_not_the_checkpoints_prove_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut altered = day();
    altered.alter("ShiftAssigned", |raw| raw.correlation_id = "other".into());
    let notary = Notary::default();
    notary.write(directory.path(), &day().bytes(), |all| all);
    let path = directory.path().join("other.checkpoints");
    let notes: Vec<String> = altered
        .bytes()
        .iter()
        .map(|(name, records)| notary.checkpoint(*name, records).to_string())
        .collect();
    std::fs::write(&path, notes.join("\n")).expect("written");
    let source = Source::logs(directory.path());
    let history = load(&source).await.expect("read");
    let error = prove(&source, &history, ORDER, Some(&path))
        .await
        .expect_err("another tree");
    assert!(
        matches!(&error, AuditError::OtherTree { log, .. } if log.to_string() == "logistics-0")
    );
}

#[tokio::test]
async fn an_unknown_order_and_a_missing_or_foreign_checkpoint_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    Notary::default().write(directory.path(), &day().bytes(), |all| all);
    let source = Source::logs(directory.path());
    let history = load(&source).await.expect("read");
    let error = prove(&source, &history, "01J9ZNOBODY", None)
        .await
        .expect_err("unknown");
    assert!(matches!(error, AuditError::UnknownOrder(_)));

    let order = directory.path().join("order/0.tree/checkpoint");
    let inventory = directory.path().join("inventory/0.tree/checkpoint");
    std::fs::copy(&inventory, &order).expect("copied");
    let error = prove(&source, &history, ORDER, None)
        .await
        .expect_err("another log's");
    let text = error.to_string();
    assert!(
        text.contains("of another log, baogong/inventory/0"),
        "{text}"
    );
    std::fs::write(&order, "half a note").expect("written");
    let error = prove(&source, &history, ORDER, None)
        .await
        .expect_err("no note");
    assert!(
        matches!(error, AuditError::BadCheckpoint { .. }),
        "{error:?}"
    );
    std::fs::remove_file(&order).expect("removed");
    let error = prove(&source, &history, ORDER, None)
        .await
        .expect_err("none");
    assert!(
        error.to_string().contains("order-0 has no checkpoint"),
        "{error}"
    );
}

/// A receipt with one byte changed, wherever: it does not read, or the record
/// of that place is named.
#[tokio::test]
async fn no_byte_of_a_receipt_can_be_changed_unseen() {
    let receipt = receipt().await;
    let policy = policy();
    let text = receipt.to_string();
    // Where each record begins, to tell which one a byte is of.
    let starts: Vec<usize> = text
        .match_indices("c2sp.org/tlog-proof@v1")
        .map(|m| m.0)
        .collect();
    let mut told = 0;
    for at in (0..text.len()).step_by(41) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let record = starts.iter().filter(|start| **start <= at).count();
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        let Ok(changed) = text.parse::<Receipt>() else {
            continue;
        };
        match check_receipt(&changed, &policy) {
            Ok(checked) => {
                assert!(!checked.holds, "byte {at} of record {record}");
                let named = checked
                    .failures
                    .iter()
                    .any(|failure| failure.record == record);
                assert!(
                    named,
                    "byte {at} of record {record}: {:?}",
                    checked.failures
                );
                told += 1;
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(told > 100, "{told} changes were judged");
}

#[tokio::test]
async fn a_record_in_anothers_place_or_with_another_proof_fails() {
    let policy = policy();
    let mut swapped = receipt().await;
    swapped.entries.swap(1, 2);
    let (one, other) = (swapped.entries[1].index, swapped.entries[2].index);
    swapped.entries[1].index = other;
    swapped.entries[2].index = one;
    let failures = checked(&swapped, &policy).failures;
    let records: Vec<_> = failures.iter().map(|f| f.record).collect();
    assert_eq!(records, [2, 3]);
    assert!(
        failures[0].why.contains("another tree"),
        "{}",
        failures[0].why
    );

    // A proof and a checkpoint of another log.
    let mut foreign = receipt().await;
    foreign.entries[1].checkpoint = foreign.entries[3].checkpoint.clone();
    let failures = checked(&foreign, &policy).failures;
    assert_eq!((failures.len(), failures[0].record), (1, 2));
    assert_eq!(failures[0].log, "baogong/inventory/0");
}

#[tokio::test]
async fn keys_that_are_wrong_revoked_or_not_enough_are_told_apart() {
    let receipt = receipt().await;
    let why = |policy: &str| {
        let policy: Policy = policy.parse().expect("a policy");
        checked(&receipt, &policy).failures[0].why.clone()
    };
    let own = Notary::default();
    let label = own.key(audit::LogName::new(decider::Service::Order, 0));
    let label = label.public().label().clone();
    let wrong = why(&Notary::with_other_keys().policy());
    assert!(
        wrong.contains("no key of baogong/order/0 that is known here"),
        "{wrong}"
    );
    let spare = Notary::with_other_keys();
    let spare = spare.key(audit::LogName::new(decider::Service::Order, 0));
    let revoked = why(&format!(
        "log {}\n{}revoked {label}\n",
        spare.public(),
        own.policy()
    ));
    assert!(revoked.contains("which is revoked"), "{revoked}");
    let sizes = why(&format!("{}sizes {label} 0 3\n", own.policy()));
    assert!(sizes.contains("valid for 0 to"), "{sizes}");

    let alone = Notary {
        witnessed: false,
        ..Notary::default()
    };
    let unwitnessed = proven(&alone, |all| all).await.expect("proven");
    let quorum = checked(&unwitnessed, &policy()).failures[0].why.clone();
    assert!(
        quorum.contains("the quorum regulator is not met"),
        "{quorum}"
    );

    // The witness's name and id, but somebody else's signature.
    let mut forged = receipt.clone();
    let checkpoint = &mut forged.entries[0].checkpoint;
    let other = Notary::with_other_keys().witness();
    let foreign = cosign(&other, checkpoint, UnixSeconds(1)).expect("made");
    let own = checkpoint.signatures()[1].clone();
    let grafted = Signature::new(own.name().into(), own.id(), foreign.signature().to_vec());
    checkpoint.add(grafted.expect("the same name"));
    let failure = checked(&forged, &policy()).failures[0].why.clone();
    assert!(
        failure.contains("cosignature of regulator") && failure.contains("forged"),
        "{failure}"
    );
}

/// The log's keys and its witness sign two histories of the same length.
#[tokio::test]
async fn a_receipt_with_two_roots_of_one_size_shows_a_fork() {
    let mut forked = receipt().await;
    let mut other = day();
    other.alter("OrderCollected", |raw| raw.correlation_id = "other".into());
    let directory = tempfile::tempdir().expect("a directory");
    Notary::default().write(directory.path(), &other.bytes(), |all| all);
    let source = Source::logs(directory.path());
    let history = load(&source).await.expect("read");
    let other = prove(&source, &history, ORDER, None).await.expect("proven");
    forked.entries[23] = other.entries[23].clone();
    let failures = checked(&forked, &policy()).failures;
    assert_eq!((failures.len(), failures[0].record), (1, 24));
    assert!(
        failures[0].why.contains("the log was forked"),
        "{}",
        failures[0].why
    );
}

#[tokio::test]
async fn a_receipt_that_is_cut_off_is_known_for_one() {
    let text = receipt().await.to_string();
    for end in (0..text.len()).step_by(97).skip(1) {
        let Some(part) = text.get(..end) else {
            continue;
        };
        let error = part.parse::<Receipt>().expect_err("cut off").to_string();
        assert!(error.contains("cut off"), "after {end} bytes: {error}");
    }
}

#[tokio::test]
async fn the_text_is_as_people_read_it() {
    let text = checked(&receipt().await, &policy()).text(120);
    crate::golden("receipt.golden.txt", &text);
    let mut altered = receipt().await;
    altered.entries[4].record[30] ^= 1;
    let text = checked(&altered, &policy()).text(120);
    assert!(
        text.starts_with("This receipt proves nothing as it is:\n  record 5 ("),
        "{text}"
    );
}
