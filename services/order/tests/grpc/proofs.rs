//! The log is provable: checkpoints and proofs over gRPC, tiles over HTTP, each
//! checked as a stranger does, with the public key alone.

use std::fs;

use bus::server::{NatsServer, ServerOptions};
use decider::{Position, Service};
use event_log::{EventLog, SledLog, SledOptions, Unit};
use proto::log::v1::{
    GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest, ReadRequest,
};
use service_kit::{host::log_directory, notary::tree_directory};
use tonic::Code;
use transparency::{
    Checkpoint, ConsistencyProof, Hash, InclusionProof, KeyUse, LogKeys, Tree, TreeHead, Validity,
    decode_entries, record_hash,
};

use crate::{
    desk::{Desk, ok, refused},
    http::{self, Answer},
};

/// The public key, as an auditor has it.
fn keys(desk: &Desk) -> LogKeys {
    let file = desk.directory.path().join("data/keys/order-0.key");
    let key = service_kit::notary::keys::read(&file, KeyUse::Log).expect("made");
    let origin = "baogong/order/0".parse().expect("a name");
    let mut keys = LogKeys::new(origin);
    keys.set(key.public().clone(), Validity::ALWAYS)
        .expect("the log's");
    keys
}

async fn checkpoint(desk: &mut Desk, min_size: u64) -> Checkpoint {
    let request = GetCheckpointRequest {
        partition: 0,
        min_size,
    };
    let answer = ok(desk.log.get_checkpoint(request).await);
    answer.checkpoint.parse().expect("a checkpoint")
}

async fn head(desk: &mut Desk, min_size: u64) -> TreeHead {
    let keys = keys(desk);
    let checkpoint = checkpoint(desk, min_size).await;
    checkpoint.verify(&keys).expect("signed by the log's key")
}

async fn records(desk: &mut Desk) -> Vec<Vec<u8>> {
    let mut parts = ok(desk.log.read(ReadRequest::default()).await);
    let mut records = Vec::new();
    while let Some(part) = parts.message().await.expect("a part") {
        records.extend(part.records);
    }
    records
}

fn hashes(hashes: Vec<Vec<u8>>) -> Vec<Hash> {
    let hash = |bytes: Vec<u8>| Hash(bytes.try_into().expect("32 bytes"));
    hashes.into_iter().map(hash).collect()
}

fn inclusion(position: u64, tree_size: u64) -> GetInclusionProofRequest {
    GetInclusionProofRequest {
        partition: 0,
        position,
        tree_size,
    }
}

fn consistency(from_size: u64, to_size: u64) -> GetConsistencyProofRequest {
    GetConsistencyProofRequest {
        partition: 0,
        from_size,
        to_size,
    }
}

#[tokio::test]
async fn every_record_is_proven_and_the_log_goes_on_from_what_it_was() {
    let mut desk = Desk::with_households(&["H1", "H2", "H3"]).await;
    let before = head(&mut desk, 3).await;
    desk.register("H4").await;
    let after = head(&mut desk, 4).await;
    for (position, record) in (1..).zip(records(&mut desk).await) {
        let answer = ok(desk
            .log
            .get_inclusion_proof(inclusion(position, after.size))
            .await);
        assert_eq!((answer.index, answer.tree_size), (position - 1, after.size));
        let proof = InclusionProof(hashes(answer.hashes));
        proof.check(&after, answer.index, &record).expect("holds");
        let newest: Checkpoint = answer.checkpoint.parse().expect("the newest's");
        assert_eq!(newest.verify(&keys(&desk)), Ok(after));
    }
    let answer = ok(desk.log.get_consistency_proof(consistency(3, 0)).await);
    assert_eq!((answer.from_size, answer.to_size), (3, 4));
    let proof = ConsistencyProof(hashes(answer.hashes));
    proof.check(&before, &after).expect("holds");
    let same = ok(desk.log.get_consistency_proof(consistency(4, 4)).await);
    assert!(same.hashes.is_empty());
}

#[tokio::test]
async fn what_cannot_be_proven_has_its_own_status() {
    let mut desk = Desk::start_with(|service| service.query_wait_ms = 100).await;
    let none = GetCheckpointRequest::default();
    refused(desk.log.get_checkpoint(none).await).is(
        Code::FailedPrecondition,
        "NO_CHECKPOINT_YET",
        &["baogong/order/0"],
    );
    refused(desk.log.get_inclusion_proof(inclusion(1, 0)).await).is(
        Code::FailedPrecondition,
        "NO_CHECKPOINT_YET",
        &[],
    );
    desk.register("H1").await;
    // The short wait is for the refusals; here the record is waited for.
    while desk.log.get_checkpoint(none).await.is_err() {
        tokio::task::yield_now().await;
    }
    for (position, size) in [(2, 0), (1, 2)] {
        refused(
            desk.log
                .get_inclusion_proof(inclusion(position, size))
                .await,
        )
        .is(Code::OutOfRange, "BEYOND_CHECKPOINT", &["2", "1 records"]);
    }
    for (from, to) in [(2, 0), (1, 2)] {
        refused(desk.log.get_consistency_proof(consistency(from, to)).await).is(
            Code::OutOfRange,
            "BEYOND_CHECKPOINT",
            &[],
        );
    }
    refused(desk.log.get_inclusion_proof(inclusion(0, 0)).await).is_for(&["position"], &["1"]);
    refused(desk.log.get_consistency_proof(consistency(3, 2)).await).is_for(&["from_size"], &[]);
    let far = GetCheckpointRequest {
        partition: 0,
        min_size: 99,
    };
    refused(desk.log.get_checkpoint(far).await).is(
        Code::FailedPrecondition,
        "NO_CHECKPOINT_YET",
        &["99 records", "covers 1"],
    );
    let elsewhere = GetCheckpointRequest {
        partition: 7,
        min_size: 0,
    };
    refused(desk.log.get_checkpoint(elsewhere).await).is(
        Code::NotFound,
        "PARTITION_ELSEWHERE",
        &["partition 7"],
    );
}

/// What lies below the log's URL.
async fn get(desk: &Desk, path: &str) -> Answer {
    http::get(desk.http, path, None).await
}

#[tokio::test]
async fn a_stranger_rebuilds_the_root_from_what_http_shows() {
    let mut desk = Desk::with_households(&["H1", "H2", "H3"]).await;
    head(&mut desk, 3).await;
    let note = get(&desk, "checkpoint").await;
    assert!(note.has("200 OK"), "{}", note.head);
    assert!(note.has("content-type: text/plain; charset=utf-8"));
    assert!(note.has("cache-control: no-cache"), "{}", note.head);
    let note = String::from_utf8(note.body).expect("text");
    let shown: Checkpoint = note.parse().expect("a checkpoint");
    let head = shown.verify(&keys(&desk)).expect("signed");

    let entries = get(&desk, "tile/entries/000.p/3").await;
    assert!(entries.has("content-type: application/octet-stream"));
    assert!(entries.has("immutable"), "{}", entries.head);
    let (entries, hashes) = (entries.body, get(&desk, "tile/0/000.p/3").await.body);
    let mut tree = Tree::new();
    let records = decode_entries(&entries).expect("whole records");
    for (record, leaf) in records.iter().zip(hashes.chunks(32)) {
        assert_eq!(record_hash(record).0, leaf);
        tree.append(record);
    }
    assert_eq!(tree.head(), head);

    for missing in [
        "tile/0/000",
        "tile/0/000.p/4",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/0.p/3",
        "nothing",
        "checkpoint/",
    ] {
        let answer = get(&desk, missing).await;
        assert!(answer.has("404 Not Found"), "{missing}: {}", answer.head);
    }
}

#[tokio::test]
async fn another_life_goes_on_and_rebuilds_what_was_deleted() {
    let mut desk = Desk::with_households(&["H1", "H2", "H3"]).await;
    let before = checkpoint(&mut desk, 3).await;
    desk.start_again().await;
    let again = checkpoint(&mut desk, 0).await;
    assert_eq!(again.claimed_head(), before.claimed_head());

    desk.stop().await;
    let tree = tree_directory(&desk.directory.path().join("data"), Service::Order, 0);
    fs::remove_dir_all(&tree).expect("removed");
    desk.start_anew().await;
    let rebuilt = checkpoint(&mut desk, 3).await;
    assert_eq!(rebuilt.claimed_head(), before.claimed_head());
    desk.register("H4").await;
    let after = head(&mut desk, 4).await;
    let answer = ok(desk.log.get_consistency_proof(consistency(3, 0)).await);
    let proof = ConsistencyProof(hashes(answer.hashes));
    proof.check(&before.claimed_head(), &after).expect("holds");
}

/// With all the power over the disk and over NATS, but for the past.
#[tokio::test]
async fn a_rewritten_log_does_not_start() {
    let mut desk = Desk::with_households(&["H1", "H2", "H3"]).await;
    head(&mut desk, 3).await;
    desk.stop().await;

    let path = log_directory(&desk.directory.path().join("data"), Service::Order, 0);
    let records = {
        let (log, _) = SledLog::open(SledOptions::existing(&path)).expect("opened");
        log.read(Position(1), 100).expect("read")
    };
    fs::remove_dir_all(&path).expect("removed");
    {
        let (log, _) = SledLog::open(SledOptions::new(&path)).expect("made");
        for entry in records {
            let mut bytes = entry.bytes.to_vec();
            if entry.position == Position(2) {
                // The household's area, one digit of it: still a record.
                let at = bytes
                    .windows(9)
                    .position(|w| w.iter().all(u8::is_ascii_digit));
                bytes[at.expect("an area") + 8] ^= 1;
            }
            log.append(vec![Unit(vec![bytes.into()])])
                .expect("appended");
        }
    }
    desk.nats = NatsServer::start(ServerOptions {
        store_dir: desk.directory.path().join("nats-emptied"),
        ..ServerOptions::default()
    })
    .expect("nats-server");

    let error = desk.fails_to_start().await;
    for said in ["baogong/order/0 was rewritten", "at position 2", "Restore"] {
        assert!(error.contains(said), "{said}: {error}");
    }
}
