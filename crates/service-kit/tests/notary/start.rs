//! What a notary makes of the files and the log that it finds.

use std::{fs, sync::Arc};

use bytes::Bytes;
use service_kit::notary::NotaryError;
use transparency::{CheckpointError, Policy};

use crate::bench::{Bench, keys, log_key, log_of, record, records};

#[tokio::test]
async fn a_restart_goes_on_from_the_last_checkpoint() {
    let bench = Bench::new();
    let first = bench.sign(300).await;
    let running = bench.run(&log_of(records(300)));
    let again = running.proofs.checkpoint().expect("the one from before");
    assert_eq!(*again, first);
    running.append((301..=310).map(record));
    let head = running.head(310).await;
    let proof = running.proofs.consistency(300, 0).expect("proven").proof;
    proof.check(&first.claimed_head(), &head).expect("holds");
    running.end().await;
}

#[tokio::test]
async fn a_deleted_tree_is_rebuilt_with_the_same_root() {
    let bench = Bench::new();
    let first = bench.sign(300).await;
    fs::remove_dir_all(bench.tree()).expect("removed");
    assert_eq!(bench.sign(300).await, first);
}

#[tokio::test]
async fn missing_and_damaged_hashes_are_rebuilt() {
    let bench = Bench::new();
    let first = bench.sign(600).await;
    let intact = fs::read(bench.file("level-0")).expect("there");
    let mut damaged = intact.clone();
    damaged[5000] ^= 1;
    for content in [Some(damaged), Some(intact[..8000].to_vec()), None] {
        match content {
            Some(bytes) => fs::write(bench.file("level-0"), bytes).expect("written"),
            None => fs::remove_file(bench.file("level-0")).expect("removed"),
        }
        let running = bench.run(&log_of(records(600)));
        let proof = running.proofs.inclusion(157, 0).expect("proven").proof;
        let head = first.claimed_head();
        proof.check(&head, 156, &record(157)).expect("holds");
        running.end().await;
        assert_eq!(fs::read(bench.file("level-0")).expect("there"), intact);
    }
}

#[tokio::test]
async fn hashes_damaged_while_it_runs_are_rebuilt() {
    let bench = Bench::new();
    let running = bench.run(&log_of(records(600)));
    let head = running.head(600).await;
    let intact = fs::read(bench.file("level-0")).expect("there");
    let mut damaged = intact.clone();
    damaged[40] ^= 1;
    // In place, as a disk does it.
    fs::write(bench.file("level-0"), &damaged).expect("written");
    let error = running.proofs.inclusion(2, 0).err().expect("damaged");
    assert!(error.to_string().contains("being rebuilt"), "{error}");
    // The next round has repaired it; its checkpoint tells that it is over.
    running.append([record(601)]);
    running.covering(601).await;
    let proof = running.proofs.inclusion(2, 600).expect("proven").proof;
    proof.check(&head, 1, &record(2)).expect("holds");
    running.end().await;
}

#[tokio::test]
async fn a_rewritten_log_is_refused_by_its_position() {
    let bench = Bench::new();
    let first = bench.sign(600).await;
    let tiles = fs::read(bench.file("level-0")).expect("there");
    let mut rewritten = records(600);
    rewritten[299] = Bytes::from_static(b"record 300, but another");
    let error = bench.refused(&log_of(rewritten));
    let NotaryError::Rewritten {
        signed,
        first_position,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(*signed, first.claimed_head());
    assert_eq!(*first_position, Some(300));
    assert!(error.to_string().contains("at position 300"), "{error}");
    assert_eq!(
        fs::read(bench.file("level-0")).expect("there"),
        tiles,
        "what was signed can still be looked at"
    );
}

#[tokio::test]
async fn a_rewritten_log_is_refused_without_the_hashes_too() {
    let bench = Bench::new();
    bench.sign(600).await;
    for level in ["level-0", "level-1"] {
        fs::remove_file(bench.file(level)).expect("removed");
    }
    let mut rewritten = records(600);
    rewritten.swap(1, 2);
    let error = bench.refused(&log_of(rewritten));
    let unknown = matches!(
        error,
        NotaryError::Rewritten {
            first_position: None,
            ..
        }
    );
    assert!(unknown, "{error}");
}

#[tokio::test]
async fn a_long_log_is_compared_while_the_service_runs() {
    let mut bench = Bench::new();
    bench.sign(600).await;
    bench.check_at_start_records_max = 599;
    let mut rewritten = records(600);
    rewritten[10] = Bytes::from_static(b"another");
    let started = bench.try_start(&log_of(rewritten)).expect("a start");
    let check = started.check.expect("the comparison is still to be made");
    let error = check.run().await.expect_err("it differs");
    assert!(error.to_string().contains("at position 11"), "{error}");
}

#[tokio::test]
async fn a_log_shorter_than_its_checkpoint_is_refused() {
    let bench = Bench::new();
    bench.sign(300).await;
    let error = bench.refused(&log_of(records(299)));
    let text = error.to_string();
    assert!(text.contains("has 299 records"), "{text}");
    assert!(text.contains("300 was signed"), "{text}");
}

#[tokio::test]
async fn an_altered_checkpoint_is_refused() {
    let bench = Bench::new();
    let note = bench.sign(300).await.to_string();
    fs::write(bench.file("checkpoint"), note.replace("300", "301")).expect("written");
    let error = bench.refused(&log_of(records(301)));
    let NotaryError::CheckpointUnusable { source, .. } = error else {
        panic!("{error}")
    };
    assert!(matches!(source, CheckpointError::Forged { .. }), "{source}");
    fs::write(bench.file("checkpoint"), "nonsense").expect("written");
    let error = bench.refused(&log_of(records(300)));
    assert!(error.to_string().contains("checkpoint"), "{error}");
}

#[tokio::test]
async fn another_key_does_not_take_over_unseen() {
    let mut bench = Bench::new();
    bench.sign(3).await;
    bench.key = log_key(2);
    let error = bench.refused(&log_of(records(3)));
    let by_other = matches!(error, NotaryError::SignedByOther { .. });
    assert!(by_other, "{error}");
}

/// A policy without witnesses, with these lines on the log's keys 1 and 2.
fn policy(lines: &str) -> Arc<Policy> {
    let [one, two] = [1, 2].map(|n| log_key(n).public().clone());
    let text = lines
        .replace("$1", &one.label().to_string())
        .replace("$2", &two.label().to_string());
    let text = format!("log {one}\nlog {two}\n{text}quorum none\n");
    Arc::new(text.parse().expect("a policy"))
}

#[tokio::test]
async fn a_rotated_key_goes_on_and_the_old_checkpoints_stay_valid() {
    let mut bench = Bench::new();
    bench.policy = Some(policy("sizes $1 0 3\nsizes $2 4 -\n"));
    let old = bench.sign(3).await;
    bench.key = log_key(2);
    let running = bench.run(&log_of(records(3)));
    assert_eq!(
        running.proofs.checkpoint().as_deref(),
        Some(&old),
        "the old key still counts for it"
    );
    running.append([record(4)]);
    let new = running.covering(4).await;
    assert!(new.verify(&keys()).is_err(), "it is signed by the new key");
    let policy = bench.policy.as_ref().expect("a policy");
    policy.evaluate(&new).expect("met");
    policy.evaluate(&old).expect("met");
    running.end().await;
}

#[tokio::test]
async fn what_a_revoked_key_signed_is_signed_anew() {
    let mut bench = Bench::new();
    let old = bench.sign(3).await;
    bench.key = log_key(2);
    bench.policy = Some(policy("revoked $1\n"));
    let running = bench.run(&log_of(records(3)));
    let new = running.covering(3).await;
    assert_eq!(new.claimed_head(), old.claimed_head());
    assert_ne!(new.signatures(), old.signatures());
    running.end().await;
}

#[tokio::test]
async fn a_key_that_the_policy_does_not_count_signs_nothing() {
    let mut bench = Bench::new();
    bench.policy = Some(policy("revoked $1\n"));
    let error = bench.refused(&log_of(records(3)));
    assert!(
        matches!(error, NotaryError::KeyNotInPolicy { .. }),
        "{error}"
    );
    bench.key = log_key(3);
    let error = bench.refused(&log_of(records(3)));
    assert!(
        matches!(error, NotaryError::KeyNotInPolicy { .. }),
        "{error}"
    );
}
