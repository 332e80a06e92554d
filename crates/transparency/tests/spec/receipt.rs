//! Receipts: checked offline, and every alteration found and named.

use transparency::{
    CheckpointError, Entry, FailureKind, NotMet, Policy, ProofError, Proven, Receipt, ReceiptError,
    SecretKey, UnixSeconds, cosign,
};

use crate::support::{Log, record, witness_key};

fn witnesses() -> [SecretKey; 2] {
    [
        witness_key("carrier.example/w", 11),
        witness_key("regulator.example/w", 12),
    ]
}

fn entry(log: &Log, index: u64) -> Entry {
    let mut checkpoint = log.checkpoint();
    for (time, witness) in (1000..).zip(witnesses()) {
        let signature = cosign(&witness, &checkpoint, UnixSeconds(time));
        checkpoint.add(signature.unwrap());
    }
    Entry {
        record: record(index),
        index,
        proof: log.prover().inclusion(index).unwrap(),
        checkpoint,
    }
}

struct Given {
    order: Log,
    logistics: Log,
    receipt: Receipt,
}

/// A delivery: two records of one log, one of another.
fn given() -> Given {
    let order = Log::of("order", 1, 300);
    let logistics = Log::of("logistics", 2, 7);
    let entries = vec![entry(&order, 17), entry(&order, 256), entry(&logistics, 0)];
    Given {
        order,
        logistics,
        receipt: Receipt { entries },
    }
}

/// The least that has all parts, for tests that go through every byte.
fn given_one() -> Given {
    let mut given = given();
    given.receipt.entries.truncate(1);
    given.receipt.entries[0] = entry(&Log::of("order", 1, 3), 1);
    given
}

fn bytes_with_their_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').flat_map(move |line| {
        let bytes = start..start + line.len();
        start = bytes.end;
        bytes.map(move |at| (at, line))
    })
}

impl Given {
    fn policy(&self, quorum: &str) -> Policy {
        let [carrier, regulator] = witnesses();
        format!(
            "log {}\nlog {}\nwitness carrier {}\nwitness regulator {}\n\
             group one any carrier regulator\nquorum {quorum}\n",
            self.order.key.public(),
            self.logistics.key.public(),
            carrier.public(),
            regulator.public(),
        )
        .parse()
        .unwrap()
    }
}

fn content(proven: &[Proven]) -> Vec<(String, u64, Vec<u8>)> {
    let content = |proven: &Proven| {
        let head = &proven.checkpoint;
        let tree = format!("{} {}", head.origin, head.head);
        (tree, proven.index, proven.record.clone())
    };
    proven.iter().map(content).collect()
}

#[test]
fn a_receipt_is_one_text_that_proves_its_records() {
    let given = given();
    let text = given.receipt.to_string();
    let read: Receipt = text.parse().unwrap();
    assert_eq!(read, given.receipt);
    let proven = read.check(&given.policy("regulator")).unwrap();
    assert_eq!(proven.len(), 3);
    assert_eq!(proven[1].record, record(256));
    assert_eq!(proven[1].checkpoint.head, given.order.tree.head());
    assert_eq!(proven[2].checkpoint.origin.service(), "logistics");
}

#[test]
fn each_record_is_a_proof_of_the_standard_form() {
    let text = given().receipt.to_string();
    let (_, proof) = text.split_once("\n\n").unwrap();
    let lines: Vec<_> = proof.lines().collect();
    assert_eq!(lines[0], "c2sp.org/tlog-proof@v1");
    assert_eq!(lines[1], "extra cmVjb3JkIDE3");
    assert_eq!(lines[2], "index 17");
    let blank = lines.iter().position(|line| line.is_empty()).unwrap();
    assert_eq!(lines[blank + 1], "baogong/order/0");
    assert_eq!(lines[blank + 2], "300");
}

#[test]
fn no_altered_byte_passes_with_changed_content() {
    let given = given_one();
    let policy = given.policy("regulator");
    let text = given.receipt.to_string();
    let right = content(&given.receipt.check(&policy).unwrap());
    // Only a signature that is not required, and so may be left aside, can name
    // another key without being noticed.
    for (at, line) in bytes_with_their_lines(&text) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1 << (at % 7);
        let Ok(altered) = String::from_utf8(bytes) else {
            continue;
        };
        let read = altered.parse::<Receipt>();
        if let Ok(proven) = read.and_then(|receipt| receipt.check(&policy)) {
            assert_eq!(content(&proven), right, "byte {at}");
            assert!(line.starts_with("— carrier.example/w "), "{line:?}");
        }
    }
}

#[test]
fn no_byte_can_be_altered_where_every_signature_is_required() {
    let given = given_one();
    let all = "group both all carrier regulator\nquorum both\n";
    let [carrier, regulator] = witnesses();
    let policy: Policy = format!(
        "log {}\nlog {}\nwitness carrier {}\nwitness regulator {}\n{all}",
        given.order.key.public(),
        given.logistics.key.public(),
        carrier.public(),
        regulator.public(),
    )
    .parse()
    .unwrap();
    let text = given.receipt.to_string();
    for at in 0..text.len() {
        for altered in [b'\n', text.as_bytes()[at] ^ 1] {
            let mut bytes = text.clone().into_bytes();
            if bytes[at] == altered {
                continue;
            }
            bytes[at] = altered;
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let read = text.parse::<Receipt>();
            let checked = read.and_then(|receipt| receipt.check(&policy));
            assert!(checked.is_err(), "byte {at} as {altered:#x}");
        }
    }
}

#[test]
fn a_receipt_cut_anywhere_is_known_for_cut() {
    let text = given().receipt.to_string();
    for at in (1..text.len()).filter(|at| text.is_char_boundary(*at)) {
        let error = text[..at].parse::<Receipt>().unwrap_err();
        assert!(
            matches!(error, ReceiptError::Truncated { .. }),
            "at {at}: {error}"
        );
    }
}

#[test]
fn an_altered_record_is_named_and_the_others_still_hold() {
    let mut given = given();
    let policy = given.policy("regulator");
    given.receipt.entries[1].record[0] ^= 1;
    let error = given.receipt.check(&policy).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("1 of 3 records fail; the first: record 2 (index 256 of baogong/order/0)"),
        "{text}"
    );
    let ReceiptError::Refused { failures, of: 3 } = error else {
        panic!("{error}")
    };
    assert_eq!(failures.len(), 1);
    assert!(matches!(
        failures[0].kind,
        FailureKind::Proof(ProofError::NotIncluded { index: 256, .. })
    ));
}

#[test]
fn each_failure_names_its_record_and_reason() {
    let given = given();
    let check = |receipt: &Receipt, quorum: &str| {
        let error = receipt.check(&given.policy(quorum)).unwrap_err();
        let ReceiptError::Refused { mut failures, .. } = error else {
            panic!("{error}")
        };
        (failures[0].record, failures.remove(0).kind)
    };
    // A proof of another tree.
    let mut receipt = given.receipt.clone();
    receipt.entries[2].proof = given.order.prover().inclusion(0).unwrap();
    let failure = check(&receipt, "one");
    assert!(matches!(
        failure,
        (3, FailureKind::Proof(ProofError::NotIncluded { .. }))
    ));
    // A checkpoint of another log, which has its own records.
    receipt.entries[2].checkpoint = Log::of("inventory", 3, 7).checkpoint();
    let failure = check(&receipt, "one");
    assert!(matches!(
        failure,
        (3, FailureKind::Policy(NotMet::UnknownLog(_)))
    ));
    // A forged cosignature.
    let mut receipt = given.receipt.clone();
    let other = entry(&Log::of("order", 1, 301), 17);
    receipt.entries[0]
        .checkpoint
        .add(other.checkpoint.signatures()[2].clone());
    let failure = check(&receipt, "one");
    assert!(matches!(
        failure,
        (1, FailureKind::Policy(NotMet::ForgedCosignature { .. }))
    ));
    // A policy that the receipt does not meet.
    let mut receipt = given.receipt.clone();
    receipt.entries[2].checkpoint = given.logistics.checkpoint();
    assert!(receipt.check(&given.policy("none")).is_ok());
    let failure = check(&receipt, "one");
    assert!(matches!(
        failure,
        (3, FailureKind::Policy(NotMet::Quorum { .. }))
    ));
}

#[test]
fn what_is_no_receipt_is_refused_with_its_line() {
    let given = given();
    let text = given.receipt.to_string();
    let read = |text: &str| text.parse::<Receipt>().unwrap_err();
    assert!(matches!(read("hello\n"), ReceiptError::NotAReceipt));
    assert!(matches!(
        read(""),
        ReceiptError::Truncated { .. } | ReceiptError::NotAReceipt
    ));
    assert!(matches!(
        read(&text.replace("records 3", "records 03")),
        ReceiptError::Malformed {
            line: 2,
            record: None,
            ..
        }
    ));
    assert!(matches!(
        read(&text.replace("records 3", "records 2")),
        ReceiptError::Malformed { record: None, .. }
    ));
    assert!(matches!(
        read(&text.replace("records 3", "records 4")),
        ReceiptError::Malformed {
            record: Some(4),
            ..
        }
    ));
    assert!(matches!(
        read(&text.replace("index 256", "index 2x6")),
        ReceiptError::Malformed {
            record: Some(2),
            ..
        }
    ));
    assert!(matches!(
        read(&format!("{text}\n")),
        ReceiptError::Malformed { record: None, .. }
    ));
    assert!(matches!(
        read(&text.replacen("baogong/order/0", "example.com/log", 1)),
        ReceiptError::Checkpoint {
            record: 1,
            source: CheckpointError::Origin(_),
            ..
        }
    ));
    let none = Receipt::default();
    let read: Receipt = none.to_string().parse().unwrap();
    assert!(matches!(
        read.check(&given.policy("none")),
        Err(ReceiptError::Empty)
    ));
}
