//! A witness cosigns what goes on from what it saw, and nothing else.

use transparency::{
    AddCheckpoint, CheckpointError, ConsistencyProof, KeyError, Refusal, RequestError, TreeHead,
    UnixSeconds, Witness, cosigned_time,
};

use crate::support::{Log, keys_of, log_key, origin, record, sign, witness_key};

const NOW: UnixSeconds = UnixSeconds(1_662_076_800);

fn witness(log: &Log) -> Witness {
    Witness::new(witness_key("regulator.example/w1", 7), [log.keys()], []).unwrap()
}

/// What the log sends, given what the witness saw.
fn request(log: &Log, old_size: u64) -> AddCheckpoint {
    AddCheckpoint {
        old_size,
        proof: log.prover().consistency(old_size).unwrap(),
        checkpoint: log.checkpoint(),
    }
}

fn cosigned(witness: &mut Witness, request: &AddCheckpoint) -> transparency::Signature {
    let pending = witness.consider(request, NOW).unwrap();
    witness.commit(pending).unwrap()
}

#[test]
fn a_growing_log_is_cosigned_again_and_again() {
    let mut log = Log::of("order", 1, 100);
    let mut witness = witness(&log);
    // The second time nothing is new.
    for grown in [0, 0, 300, 1] {
        log.grow(grown);
        let request = request(&log, witness.seen(&origin("order")).size);
        let signature = cosigned(&mut witness, &request);
        let text = request.checkpoint.text().as_bytes();
        assert!(witness.public_key().signed(text, &signature));
        assert_eq!(cosigned_time(&signature), Some(NOW));
        assert_eq!(witness.seen(&origin("order")), log.tree.head());
    }
}

#[test]
fn the_cosignature_is_that_of_the_specification() {
    let log = Log::of("order", 1, 5);
    let mut witness = witness(&log);
    let request = request(&log, 0);
    let signature = cosigned(&mut witness, &request);
    let (time, signature) = signature.signature().split_at(8);
    assert_eq!(time, NOW.0.to_be_bytes());
    let signed = format!(
        "cosignature/v1\ntime 1662076800\n{}",
        request.checkpoint.text()
    );
    let key = ed25519_dalek::VerifyingKey::from_bytes(witness.public_key().bytes()).unwrap();
    let signature = ed25519_dalek::Signature::from_slice(signature).unwrap();
    key.verify_strict(signed.as_bytes(), &signature).unwrap();
}

#[test]
fn each_refusal_has_its_reason_and_status() {
    let mut log = Log::of("order", 1, 100);
    let mut witness = witness(&log);
    let first = request(&log, 0);
    cosigned(&mut witness, &first);
    let early = log.tree.head();
    log.grow(50);

    let refused = |request: &AddCheckpoint, status| {
        let refusal = witness.consider(request, NOW).unwrap_err();
        assert_eq!(refusal.http_status(), status, "{refusal}");
        refusal
    };
    let stranger = Log::of("inventory", 2, 10);
    let refusal = refused(&request(&stranger, 0), 404);
    assert!(matches!(refusal, Refusal::UnknownLog { .. }));

    let mut by_other_key = request(&log, 100);
    by_other_key.checkpoint = sign("order", &log_key("order", 9), log.tree.head());
    let refusal = refused(&by_other_key, 403);
    let unknown = CheckpointError::UnknownSigner {
        origin: origin("order"),
    };
    assert!(matches!(&refusal, Refusal::BadSignature(why) if *why == unknown));

    let mut beyond = request(&log, 100);
    beyond.old_size = 151;
    let refusal = refused(&beyond, 400);
    assert!(matches!(
        refusal,
        Refusal::OldBeyondNew { old: 151, new: 150 }
    ));

    let refusal = refused(&request(&log, 0), 409);
    assert!(matches!(
        refusal,
        Refusal::Stale {
            old: 0,
            seen: 100,
            ..
        }
    ));
    assert!(!refusal.is_suspicious());

    let mut without_proof = request(&log, 100);
    without_proof.proof = ConsistencyProof::default();
    let refusal = refused(&without_proof, 422);
    assert!(matches!(refusal, Refusal::Inconsistent { .. }));

    let root = log.tree.head().root;
    let forked = TreeHead { size: 100, root };
    let forked = AddCheckpoint {
        old_size: 100,
        proof: ConsistencyProof::default(),
        checkpoint: sign("order", &log.key, forked),
    };
    let refusal = refused(&forked, 409);
    assert!(matches!(&refusal, Refusal::Forked { seen, .. } if *seen == early));
    assert!(refusal.is_suspicious());
}

#[test]
fn a_rewritten_log_gets_no_cosignature() {
    let log = Log::of("order", 1, 100);
    let mut witness = witness(&log);
    cosigned(&mut witness, &request(&log, 0));
    let mut rewritten = Log::of("order", 1, 0);
    for n in 0..200 {
        let n = if n == 50 { 51 } else { n };
        rewritten.tree.append(&record(n));
    }
    rewritten.tree.save(&rewritten.tiles).unwrap();
    let refusal = witness.consider(&request(&rewritten, 100), NOW);
    let refusal = refusal.unwrap_err();
    assert!(matches!(refusal, Refusal::Inconsistent { .. }));
    assert!(refusal.is_suspicious());
}

#[test]
fn of_two_pending_only_one_is_committed() {
    let mut log = Log::of("order", 1, 100);
    let mut witness = witness(&log);
    let small = witness.consider(&request(&log, 0), NOW).unwrap();
    log.grow(1);
    let large = witness.consider(&request(&log, 0), NOW).unwrap();
    witness.commit(large).unwrap();
    let refusal = witness.commit(small).unwrap_err();
    assert!(matches!(refusal, Refusal::Stale { seen: 101, .. }));
    assert_eq!(witness.seen(&origin("order")).size, 101);
}

#[test]
fn what_was_seen_survives_a_restart() {
    let log = Log::of("order", 1, 100);
    let key = witness_key("regulator.example/w1", 7);
    let seen = [(origin("order"), log.tree.head())];
    let witness = Witness::new(key, [log.keys()], seen).unwrap();
    let refusal = witness.consider(&request(&log, 0), NOW).unwrap_err();
    assert!(matches!(refusal, Refusal::Stale { seen: 100, .. }));
    let wrong = Witness::new(log.key.clone(), [keys_of("order", &log.key)], []);
    assert!(matches!(wrong, Err(KeyError::WrongUse { .. })));
}

#[test]
fn requests_read_as_they_are_written() {
    let log = Log::of("order", 1, 100);
    let request = request(&log, 33);
    let text = request.to_string();
    assert!(text.starts_with("old 33\n"));
    assert_eq!(text.parse(), Ok(request));
    let read = |text: &str| text.parse::<AddCheckpoint>().unwrap_err();
    assert_eq!(read("old 33"), RequestError::NoCheckpoint);
    assert_eq!(
        read(&text.replace("old 33", "old 033")),
        RequestError::OldSize
    );
    assert_eq!(
        read(&text.replace("old 33\n", "old 33\n!\n")),
        RequestError::Hash { line: 2 }
    );
    let hash = format!("{}\n", log.tree.head().root);
    let long = text.replacen("old 33\n", &format!("old 33\n{}", hash.repeat(64)), 1);
    assert_eq!(read(&long), RequestError::ProofTooLong);
    assert!(matches!(
        read(&text.replace("\n100\n", "\n1e2\n")),
        RequestError::Checkpoint(_)
    ));
}
