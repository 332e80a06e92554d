//! Policies: what is read, what is refused at which line, and what is accepted.

use transparency::{
    Checkpoint, CheckpointError, KeyError, NotMet, Policy, PolicyError, PolicyFault, SecretKey,
    UnixSeconds, cosign,
};

use crate::support::{Log, log_key, origin, sign, stored_tree, witness_key};

fn witnesses() -> [SecretKey; 3] {
    [
        witness_key("inventory.example/w", 11),
        witness_key("carrier.example/w", 12),
        witness_key("regulator.example/w", 13),
    ]
}

/// One log, three witnesses; the lines of `rest` say what is required.
fn text(log: &Log, rest: &str) -> String {
    let [a, b, c] = witnesses();
    let [a, b, c] = [a.public(), b.public(), c.public()];
    let log = log.key.public();
    format!(
        "# Logs.\nlog {log} https://order.example/\n\n\
         witness inventory {a}\n\twitness carrier {b}\nwitness regulator {c}\n\
         {rest}"
    )
}

fn policy(log: &Log, rest: &str) -> Policy {
    text(log, rest).parse().unwrap()
}

fn cosigned(log: &Log, by: &[usize]) -> Checkpoint {
    let mut checkpoint = log.checkpoint();
    for at in by {
        let signature = cosign(
            &witnesses()[*at],
            &checkpoint,
            UnixSeconds(1000 + *at as u64),
        );
        checkpoint.add(signature.unwrap());
    }
    checkpoint
}

#[test]
fn quorums_count_as_they_say() {
    let log = Log::of("order", 1, 10);
    let both = "group firms any inventory carrier\ngroup all-sides all firms regulator\n";
    let two = "group two 2 inventory carrier regulator\n";
    for (rest, by, met) in [
        ("quorum none\n".to_owned(), &[][..], true),
        ("quorum regulator\n".into(), &[2], true),
        ("quorum regulator\n".into(), &[0, 1], false),
        (format!("{two}quorum two\n"), &[0, 2], true),
        (format!("{two}quorum two\n"), &[1], false),
        (format!("{both}quorum all-sides\n"), &[0, 2], true),
        (format!("{both}quorum all-sides\n"), &[0, 1], false),
        (format!("{both}quorum all-sides\n"), &[2], false),
    ] {
        let verdict = policy(&log, &rest).evaluate(&cosigned(&log, by));
        assert_eq!(verdict.is_ok(), met, "{rest} by {by:?}: {verdict:?}");
    }
}

#[test]
fn a_met_policy_says_who_agreed_and_when() {
    let log = Log::of("order", 1, 10);
    let met = policy(&log, "quorum regulator").evaluate(&cosigned(&log, &[2, 0]));
    let met = met.unwrap();
    assert_eq!(met.head, log.tree.head());
    assert_eq!(met.signed_by, *log.key.public().label());
    let by: Vec<_> = met
        .cosigned
        .iter()
        .map(|by| (&by.witness[..], by.time.0))
        .collect();
    assert_eq!(by, [("inventory", 1000), ("regulator", 1002)]);
}

#[test]
fn each_reason_not_to_accept_is_named() {
    let log = Log::of("order", 1, 10);
    let policy = policy(
        &log,
        "group two 2 inventory carrier regulator\nquorum two\n",
    );
    let not_met = |checkpoint: &Checkpoint| policy.evaluate(checkpoint).unwrap_err();

    let foreign = Log::of("inventory", 2, 10).checkpoint();
    assert_eq!(not_met(&foreign), NotMet::UnknownLog(origin("inventory")));
    let by_other_key = sign("order", &log_key("order", 9), log.tree.head());
    assert!(matches!(
        not_met(&by_other_key),
        NotMet::Log(CheckpointError::UnknownSigner { .. })
    ));
    assert_eq!(
        not_met(&cosigned(&log, &[1])).to_string(),
        "the quorum two is not met: cosigned by [carrier], not by [inventory, regulator]"
    );

    // A cosignature of another checkpoint, and one by a stranger with the name.
    let mut forged = cosigned(&log, &[0, 1]);
    let other = sign("order", &log.key, stored_tree(11).0.head());
    forged.add(cosign(&witnesses()[1], &other, UnixSeconds(1)).unwrap());
    assert!(matches!(
        not_met(&forged),
        NotMet::ForgedCosignature { witness, .. } if witness == "carrier"
    ));
    let mut stranger = cosigned(&log, &[0]);
    let impostor = witness_key("carrier.example/w", 99);
    stranger.add(cosign(&impostor, &stranger, UnixSeconds(1)).unwrap());
    assert!(matches!(not_met(&stranger), NotMet::Quorum { .. }));
}

#[test]
fn revoked_and_retired_keys_do_not_count() {
    let log = Log::of("order", 1, 10);
    let label = log.key.public().label();
    let carrier = witnesses()[1].public().label().clone();
    let two = "group two 2 inventory carrier regulator\nquorum two\n";

    let without_carrier = policy(&log, &format!("{two}revoked {carrier}\n"));
    let not_met = without_carrier.evaluate(&cosigned(&log, &[0, 1]));
    assert!(matches!(
        not_met.unwrap_err(),
        NotMet::Quorum { revoked, .. } if revoked == ["carrier"]
    ));
    assert!(without_carrier.evaluate(&cosigned(&log, &[0, 2])).is_ok());

    let second = log_key("order", 2);
    let rotated = format!("log {}\nquorum none\n", second.public());
    let revoked = policy(&log, &format!("{rotated}revoked {label}\n"));
    assert!(matches!(
        revoked.evaluate(&log.checkpoint()).unwrap_err(),
        NotMet::Log(CheckpointError::Revoked { .. })
    ));
    let by_second = sign("order", &second, log.tree.head());
    assert!(revoked.evaluate(&by_second).is_ok());
    for (sizes, met) in [
        ("0 9", false),
        ("0 10", true),
        ("10 -", true),
        ("11 -", false),
    ] {
        let retired = policy(&log, &format!("{rotated}sizes {label} {sizes}\n"));
        let verdict = retired.evaluate(&log.checkpoint());
        assert_eq!(verdict.is_ok(), met, "{sizes}: {verdict:?}");
    }
}

#[test]
fn each_fault_is_named_with_its_line() {
    let log = Log::of("order", 1, 10);
    let key = log.key.public();
    let [inventory, carrier, regulator] = witnesses();
    let [inventory, carrier, regulator] =
        [inventory.public(), carrier.public(), regulator.public()];
    let cosigner = witness_key("new.example", 21);
    let cosigner = cosigner.public();
    let second = log_key("inventory", 2);
    let fault = |rest: &str| {
        let error: PolicyError = text(&log, rest).parse::<Policy>().unwrap_err();
        (error.line, error.fault)
    };
    use PolicyFault as F;
    assert_eq!(fault("logs\n"), (7, F::UnknownStatement("logs".into())));
    assert_eq!(fault("quorum none\r\n"), (7, F::ControlCharacter));
    for short in [
        "log",
        "witness x",
        "group x any",
        "quorum",
        "sizes x",
        "revoked",
    ] {
        assert!(matches!(fault(short), (7, F::Incomplete(_))), "{short}");
    }
    assert!(matches!(fault("log x"), (7, F::Key(KeyError::Malformed))));
    let misplaced = format!("log {cosigner}");
    assert!(matches!(
        fault(&misplaced),
        (7, F::Key(KeyError::WrongUse { .. }))
    ));
    let misplaced = format!("witness x {}", second.public());
    assert!(matches!(
        fault(&misplaced),
        (7, F::Key(KeyError::WrongUse { .. }))
    ));
    let secret = format!("log {}", second.reveal());
    assert_eq!(fault(&secret), (7, F::Key(KeyError::SecretGiven)));
    let elsewhere = SecretKey::generate("example.com/log", transparency::KeyUse::Log, [5; 32]);
    let elsewhere = format!("log {}", elsewhere.unwrap().public());
    assert!(matches!(fault(&elsewhere), (7, F::Origin(_))));
    assert_eq!(fault(&format!("log {key}")), (7, F::SameKeyTwice));
    assert_eq!(
        fault(&format!("witness again {carrier}")),
        (7, F::SameKeyTwice)
    );
    let taken = format!("witness carrier {cosigner}");
    assert_eq!(fault(&taken), (7, F::NameTaken("carrier".into())));
    assert_eq!(
        fault("group none any carrier"),
        (7, F::NameTaken("none".into()))
    );
    assert_eq!(fault("quorum who"), (7, F::UnknownName("who".into())));
    assert_eq!(
        fault("group x 1 carrier who"),
        (7, F::UnknownName("who".into()))
    );
    assert_eq!(
        fault("group x any carrier\n# again\ngroup y any carrier"),
        (9, F::MemberTwice("carrier".into()))
    );
    for needed in [0, 4] {
        let rest = format!("group x {needed} inventory carrier regulator");
        assert_eq!(fault(&rest), (7, F::Threshold { needed, members: 3 }));
    }
    assert_eq!(
        fault("group x most carrier"),
        (7, F::NotAThreshold("most".into()))
    );
    assert_eq!(
        fault(&format!("sizes {} 0 many", key.label())),
        (7, F::NotASize("many".into()))
    );
    let unknown = second.public().label();
    assert_eq!(
        fault(&format!("revoked {unknown}")),
        (7, F::UnknownKey(unknown.clone()))
    );
    assert_eq!(fault("quorum none\nquorum none\n"), (8, F::SecondQuorum));
    assert_eq!(fault("\n\n"), (9, F::NoQuorum));
    assert_eq!("quorum none".parse::<Policy>().unwrap_err().fault, F::NoLog);
    let log_revoked = format!("quorum none\nrevoked {}\n", key.label());
    assert_eq!(fault(&log_revoked), (9, F::LogWithoutKey(origin("order"))));
    let unmeetable = format!(
        "group two 2 inventory carrier regulator\nquorum two\nrevoked {}\nrevoked {}\n",
        inventory.label(),
        regulator.label()
    );
    assert_eq!(
        fault(&unmeetable),
        (
            11,
            F::CannotBeMet {
                quorum: "two".into()
            }
        )
    );
}
