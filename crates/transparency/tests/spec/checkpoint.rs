//! Checkpoints: signed once and right, and refused when anything is off.

use signed_note::{Note, StandardVerifier, VerifierList};
use transparency::{
    Checkpoint, CheckpointError, CheckpointSigner, ConsistencyProof, KeyError, LogKeys, SecretKey,
    SignError, TreeHead, UnixSeconds, Validity, cosign,
};

use crate::support::{Log, keys_of, log_key, origin, sign, stored_tree, witness_key};

#[test]
fn a_checkpoint_reads_as_it_is_written_and_verifies() {
    let log = Log::of("order", 1, 1127);
    let checkpoint = log.checkpoint();
    let text = checkpoint.to_string();
    assert!(text.starts_with("baogong/order/0\n1127\n"), "{text}");
    let read: Checkpoint = text.parse().unwrap();
    assert_eq!(read, checkpoint);
    assert_eq!(read.verify(&log.keys()), Ok(log.tree.head()));

    // Other tools' view of it.
    let verifier = StandardVerifier::new(&log.key.public().to_string()).unwrap();
    let note = Note::from_bytes(text.as_bytes()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    assert_eq!(note.verify(&known).unwrap().0.len(), 1);
}

#[test]
fn extension_lines_are_signed() {
    let key = log_key("order", 1);
    let mut signer = CheckpointSigner::new(origin("order"), key.clone(), None).unwrap();
    let head = stored_tree(3).0.head();
    let proof = ConsistencyProof::default();
    let state = ["state 5d41402a".to_owned()];
    let text = signer.sign(head, &state, &proof).unwrap().to_string();
    let read: Checkpoint = text.parse().unwrap();
    assert_eq!(read.extensions().collect::<Vec<_>>(), ["state 5d41402a"]);
    read.verify(&keys_of("order", &key)).unwrap();
    let altered: Checkpoint = text.replace("state 5", "state 6").parse().unwrap();
    assert!(matches!(
        altered.verify(&keys_of("order", &key)),
        Err(CheckpointError::Forged { .. })
    ));
    for wrong in ["", "two\nlines"] {
        let refused = signer.sign(head, &[wrong.to_owned()], &proof);
        assert!(matches!(refused, Err(SignError::Last(_))), "{wrong:?}");
    }
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let text = Log::of("order", 1, 5).checkpoint().to_string();
    for wrong in [
        String::new(),
        "baogong/order/0\n".into(),
        text.replace("\n5\n", "\n05\n"),
        text.replace("\n5\n", "\n+5\n"),
        text.replace("\n5\n", "\nfive\n"),
        text.replace("\n5\n", "\n5\n\n"),
        text.replace('\n', "\r\n"),
        text.replace("=\n\n", "\n\n"),
        text.trim_end().into(),
        format!("{text}more\n"),
    ] {
        let error = wrong.parse::<Checkpoint>().unwrap_err();
        assert!(
            matches!(error, CheckpointError::Malformed(_)),
            "{wrong:?}: {error}"
        );
    }
    for foreign in ["example.com/log", "baogong/order/00", "baogong/order"] {
        let foreign = text.replacen("baogong/order/0", foreign, 1);
        let error = foreign.parse::<Checkpoint>().unwrap_err();
        assert!(matches!(error, CheckpointError::Origin(_)), "{error}");
    }
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let order = Log::of("order", 1, 5);
    let inventory = Log::of("inventory", 2, 5);
    assert_eq!(
        inventory.checkpoint().verify(&order.keys()),
        Err(CheckpointError::OtherLog {
            expected: origin("order"),
            found: origin("inventory"),
        })
    );
}

#[test]
fn a_wrong_a_revoked_and_a_retired_key_are_told_apart() {
    let head = stored_tree(100).0.head();
    let (old, new) = (log_key("order", 1), log_key("order", 2));
    let mut keys = keys_of("order", &new);
    let by_old = sign("order", &old, head);
    assert_eq!(
        by_old.verify(&keys),
        Err(CheckpointError::UnknownSigner {
            origin: origin("order")
        })
    );
    let until = |until| Validity::Sizes {
        from: 0,
        until: Some(until),
    };
    keys.set(old.public().clone(), until(100)).unwrap();
    assert_eq!(by_old.verify(&keys), Ok(head));
    keys.set(old.public().clone(), until(99)).unwrap();
    let key = old.public().label().clone();
    assert!(matches!(
        by_old.verify(&keys),
        Err(CheckpointError::OutOfValidity {
            size: 100,
            until: Some(99),
            ..
        })
    ));
    keys.set_validity(&key, Validity::Revoked).unwrap();
    assert_eq!(by_old.verify(&keys), Err(CheckpointError::Revoked { key }));

    // During a rotation both sign; one good key is enough.
    let mut by_both = by_old;
    by_both.add(sign("order", &new, head).signatures()[0].clone());
    assert_eq!(by_both.verify(&keys), Ok(head));
}

#[test]
fn a_forged_signature_is_refused_even_beside_a_good_one() {
    let log = Log::of("order", 1, 5);
    let good = log.checkpoint();
    let other = sign("order", &log.key, stored_tree(6).0.head());
    let forged = good.to_string().replace("\n5\n", "\n6\n");
    let forged: Checkpoint = forged.parse().unwrap();
    let refused = Err(CheckpointError::Forged {
        key: log.key.public().label().clone(),
    });
    assert_eq!(forged.verify(&log.keys()), refused);
    let mut keys = log.keys();
    let second = log_key("order", 2);
    keys.set(second.public().clone(), Validity::ALWAYS).unwrap();
    let mut beside = sign("order", &second, log.tree.head());
    beside.add(other.signatures()[0].clone());
    assert_eq!(beside.verify(&keys), refused);
    // Signatures of strangers are left aside.
    let mut cosigned = good;
    let stranger = witness_key("stranger.example", 9);
    cosigned.add(cosign(&stranger, &cosigned, UnixSeconds(1)).unwrap());
    assert_eq!(cosigned.verify(&log.keys()), Ok(log.tree.head()));
}

#[test]
fn a_signer_never_contradicts_its_last_checkpoint() {
    let mut log = Log::of("order", 1, 300);
    let (last, keys) = (log.checkpoint(), log.keys());
    let signer = CheckpointSigner::new(origin("order"), log.key.clone(), Some((&last, &keys)));
    let mut signer = signer.unwrap();
    let none = ConsistencyProof::default();
    assert_eq!(signer.last(), Some(log.tree.head()));
    // The same again is no contradiction.
    signer.sign(log.tree.head(), &[], &none).unwrap();

    let smaller = stored_tree(299).0.head();
    assert!(matches!(
        signer.sign(smaller, &[], &none),
        Err(SignError::Smaller {
            signed: 300,
            asked: 299
        })
    ));
    let other = TreeHead {
        size: 300,
        ..smaller
    };
    assert!(matches!(
        signer.sign(other, &[], &none),
        Err(SignError::OtherRoot { .. })
    ));
    log.grow(50);
    assert!(matches!(
        signer.sign(log.tree.head(), &[], &none),
        Err(SignError::Inconsistent(_))
    ));
    // Nothing of the refused was remembered.
    let proof = log.prover().consistency(300).unwrap();
    let next = signer.sign(log.tree.head(), &[], &proof).unwrap();
    assert_eq!(next.verify(&keys), Ok(log.tree.head()));
}

#[test]
fn a_signer_starts_with_its_own_key_and_log_only() {
    let log = Log::of("order", 1, 5);
    let other = Log::of("inventory", 2, 5);
    let new = |key: &SecretKey, last: Option<(&Checkpoint, &LogKeys)>| {
        CheckpointSigner::new(origin("order"), key.clone(), last).unwrap_err()
    };
    assert!(matches!(
        new(&other.key, None),
        SignError::Key(KeyError::ForeignName { .. })
    ));
    let cosigner = witness_key("baogong/order/0", 3);
    assert!(matches!(
        new(&cosigner, None),
        SignError::Key(KeyError::WrongUse { .. })
    ));
    let (last, keys) = (other.checkpoint(), other.keys());
    assert!(matches!(
        new(&log.key, Some((&last, &keys))),
        SignError::Last(CheckpointError::OtherLog { .. })
    ));
    let (last, keys) = (
        sign("order", &log_key("order", 9), log.tree.head()),
        log.keys(),
    );
    assert!(matches!(
        new(&log.key, Some((&last, &keys))),
        SignError::Last(CheckpointError::UnknownSigner { .. })
    ));
}

#[test]
fn a_rotated_key_signs_on() {
    let mut log = Log::of("order", 1, 5);
    let mut signer = CheckpointSigner::new(origin("order"), log.key.clone(), None).unwrap();
    let none = ConsistencyProof::default();
    signer.sign(log.tree.head(), &[], &none).unwrap();
    let second = log_key("order", 2);
    assert!(signer.rotate(log_key("inventory", 2)).is_err());
    signer.rotate(second.clone()).unwrap();
    log.grow(5);
    let proof = log.prover().consistency(5).unwrap();
    let checkpoint = signer.sign(log.tree.head(), &[], &proof).unwrap();
    assert_eq!(
        checkpoint.verify(&keys_of("order", &second)),
        Ok(log.tree.head())
    );
}
