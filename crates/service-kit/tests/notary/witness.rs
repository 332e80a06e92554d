//! A witness: what it cosigns, what it refuses, and what it never forgets.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use service_kit::witness::{NotCosigned, WitnessError, WitnessService};
use tempfile::TempDir;
use transparency::{
    AddCheckpoint, CheckpointError, CheckpointSigner, ConsistencyProof, KeyUse, LogKeys,
    MemoryTiles, Origin, Prover, Refusal, SecretKey, Tree, UnixSeconds, Validity, cosigned_time,
};

use crate::bench::{keys, log_key, origin, records};

const NOW: UnixSeconds = UnixSeconds(1_662_048_000);

pub fn witness_key(number: u8) -> SecretKey {
    let name = format!("witness-{number}.example");
    SecretKey::generate(&name, KeyUse::Cosigner, [100 + number; 32]).expect("a key")
}

struct Desk {
    folder: TempDir,
    witness: Option<WitnessService>,
}

impl Desk {
    fn new() -> Self {
        let mut desk = Self {
            folder: tempfile::tempdir().expect("a folder"),
            witness: None,
        };
        desk.start();
        desk
    }

    /// Also another life on the same files.
    fn start(&mut self) {
        self.witness = None;
        self.witness = Some(self.open(keys()).expect("a start"));
    }

    fn open(&self, logs: LogKeys) -> Result<WitnessService, WitnessError> {
        WitnessService::open("witness", witness_key(1), [logs], self.folder.path())
    }

    fn ask(&self, body: &str) -> Result<transparency::Signature, NotCosigned> {
        self.witness
            .as_ref()
            .expect("started")
            .add_checkpoint(body, NOW)
    }

    #[track_caller]
    fn refused(&self, body: &str) -> Refusal {
        match self.ask(body) {
            Err(NotCosigned::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn evidence(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join("evidence")).expect("a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        files
    }
}

/// Asks to go from `old` to all of the records.
fn request(key: &SecretKey, records: &[Bytes], old: u64) -> AddCheckpoint {
    let (mut tree, tiles) = (Tree::new(), MemoryTiles::default());
    for record in records {
        tree.append(record);
    }
    tree.save(&tiles).expect("saved");
    let proof = if old == tree.size() {
        ConsistencyProof::default()
    } else {
        let prover = Prover::new(&tiles, tree.head()).expect("right");
        prover.consistency(old).unwrap_or_default()
    };
    let origin: Origin = key.public().label().name.parse().expect("a log's key");
    let mut signer = CheckpointSigner::new(origin, key.clone(), None).expect("the log's key");
    let checkpoint = signer.sign(tree.head(), &[], &ConsistencyProof::default());
    AddCheckpoint {
        old_size: old,
        proof,
        checkpoint: checkpoint.expect("signed"),
    }
}

fn ask(count: u64, old: u64) -> String {
    request(&log_key(1), &records(count), old).to_string()
}

#[test]
fn a_log_that_goes_on_is_cosigned_with_the_time() {
    let desk = Desk::new();
    for (count, old) in [(3, 0), (3, 3), (300, 3), (700, 300)] {
        let signature = desk.ask(&ask(count, old)).expect("cosigned");
        let key = witness_key(1);
        let text = request(&log_key(1), &records(count), old).checkpoint;
        assert!(key.public().signed(text.text().as_bytes(), &signature));
        assert_eq!(cosigned_time(&signature), Some(NOW));
    }
    assert!(desk.evidence().is_empty());
}

#[test]
fn what_was_seen_is_known_in_the_next_life() {
    let mut desk = Desk::new();
    desk.ask(&ask(300, 0)).expect("cosigned");
    desk.start();
    let stale = desk.refused(&ask(400, 0));
    assert!(matches!(stale, Refusal::Stale { seen: 300, .. }), "{stale}");
    desk.ask(&ask(400, 300)).expect("cosigned");
}

#[test]
fn a_fork_is_refused_in_every_life_and_kept_as_evidence() {
    let mut desk = Desk::new();
    desk.ask(&ask(300, 0)).expect("cosigned");
    let mut rewritten = records(300);
    rewritten[7] = Bytes::from_static(b"another");
    let same_size = request(&log_key(1), &rewritten, 300).to_string();
    rewritten.extend(records(5));
    let grown = request(&log_key(1), &rewritten, 300).to_string();
    for _ in 0..2 {
        let forked = desk.refused(&same_size);
        assert!(matches!(forked, Refusal::Forked { .. }), "{forked}");
        let inconsistent = desk.refused(&grown);
        let expected = matches!(inconsistent, Refusal::Inconsistent { .. });
        assert!(expected, "{inconsistent}");
        desk.start();
    }
    let evidence = desk.evidence();
    let kept: Vec<_> = evidence
        .iter()
        .map(|file| fs::read(file).expect("kept"))
        .collect();
    assert_eq!(kept.len(), 4, "two requests, each with what it contradicts");
    for request in [&same_size, &grown] {
        assert!(kept.contains(&request.clone().into_bytes()));
    }
    let seen = fs::read(desk.folder.path().join("order-0.checkpoint")).expect("seen");
    assert!(kept.contains(&seen));
    desk.ask(&ask(310, 300))
        .expect("the right log is still cosigned");
}

#[test]
fn each_wrong_request_has_its_own_answer() {
    let desk = Desk::new();
    desk.ask(&ask(10, 0)).expect("cosigned");
    assert!(matches!(
        desk.ask("nonsense"),
        Err(NotCosigned::Malformed(_))
    ));

    let by_other = request(&log_key(2), &records(11), 10).to_string();
    let Refusal::BadSignature(why) = desk.refused(&by_other) else {
        panic!("another key")
    };
    assert!(
        matches!(why, CheckpointError::UnknownSigner { .. }),
        "{why}"
    );

    // One letter of the root, so that the signature does not hold.
    let right = request(&log_key(1), &records(11), 10).to_string();
    let forged = right.replacen("\n11\n", "\n12\n", 1);
    let Refusal::BadSignature(why) = desk.refused(&forged) else {
        panic!("a forged signature")
    };
    assert!(matches!(why, CheckpointError::Forged { .. }), "{why}");

    let name = "baogong/inventory/0";
    let other = SecretKey::generate(name, KeyUse::Log, [9; 32]).expect("a key");
    let other = request(&other, &records(11), 10).to_string();
    let unknown = desk.refused(&other);
    assert!(matches!(unknown, Refusal::UnknownLog { .. }), "{unknown}");

    let beyond = desk.refused(&ask(9, 10));
    assert!(matches!(beyond, Refusal::OldBeyondNew { .. }), "{beyond}");
    assert!(desk.evidence().is_empty(), "none of them is a log's doing");
}

#[test]
fn a_revoked_key_gets_nothing() {
    let mut desk = Desk::new();
    desk.witness = None;
    let mut logs = LogKeys::new(origin());
    let key = log_key(1);
    logs.set(key.public().clone(), Validity::Revoked)
        .expect("the log's");
    desk.witness = Some(desk.open(logs).expect("a start"));
    let Refusal::BadSignature(why) = desk.refused(&ask(3, 0)) else {
        panic!("a revoked key")
    };
    assert!(matches!(why, CheckpointError::Revoked { .. }), "{why}");
}

#[test]
fn two_witnesses_never_share_a_folder() {
    let desk = Desk::new();
    let error = desk.open(keys()).err().expect("in use");
    assert!(error.to_string().contains("another witness"), "{error}");
}

#[test]
fn a_damaged_memory_is_no_empty_memory() {
    let mut desk = Desk::new();
    desk.ask(&ask(3, 0)).expect("cosigned");
    desk.witness = None;
    let seen = desk.folder.path().join("order-0.checkpoint");
    fs::write(&seen, "nonsense").expect("written");
    let error = desk.open(keys()).err().expect("refused").to_string();
    assert!(error.contains("order-0.checkpoint"), "{error}");
}
