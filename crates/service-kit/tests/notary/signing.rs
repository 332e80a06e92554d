//! What a running notary signs, proves and shows.

use transparency::{Checkpoint, StateDigest, TilePath, Tree, decode_entries};

use crate::bench::{Bench, keys, log_of, record, records};

#[tokio::test]
async fn checkpoints_follow_the_log_and_every_record_is_proven() {
    let bench = Bench::new();
    let running = bench.run(&log_of(records(300)));
    let before = running.head(300).await;
    running.append((301..=700).map(record));
    let head = running.head(700).await;

    let mut tree = Tree::new();
    records(700).iter().for_each(|record| {
        tree.append(record);
    });
    assert_eq!(head, tree.head(), "the root is that of the records");

    for position in [1, 256, 257, 300, 700] {
        let proven = running.proofs.inclusion(position, 0).expect("proven");
        let proof = proven.proof;
        let bytes = record(position);
        proof
            .check(&head, position - 1, &bytes)
            .unwrap_or_else(|error| panic!("{position}: {error}"));
        assert!(proof.check(&head, position - 1, b"another").is_err());
        let checkpoint = proven.checkpoint.expect("the newest tree's");
        assert_eq!(checkpoint.verify(&keys()).expect("signed"), head);
    }
    let earlier = running.proofs.inclusion(7, before.size).expect("proven");
    assert!(earlier.checkpoint.is_none(), "it is not the newest");
    earlier.proof.check(&before, 6, &record(7)).expect("holds");
    let grown = running.proofs.consistency(300, 0).expect("proven");
    grown.proof.check(&before, &head).expect("holds");
    running.end().await;
}

#[tokio::test]
async fn nothing_beyond_the_checkpoint_is_proven() {
    let bench = Bench::new();
    let running = bench.run(&log_of(records(10)));
    running.covering(10).await;
    for (position, size) in [(11, 0), (1, 11), (8, 7)] {
        let error = running.proofs.inclusion(position, size).err();
        let error = error.expect("beyond").to_string();
        assert!(error.contains("beyond the newest checkpoint"), "{error}");
    }
    assert!(running.proofs.consistency(3, 11).is_err());
    assert!(running.proofs.consistency(11, 0).is_err());
    running.end().await;
}

#[tokio::test]
async fn an_empty_log_has_no_checkpoint() {
    let bench = Bench::new();
    let running = bench.run(&log_of(vec![]));
    assert!(running.proofs.checkpoint().is_none());
    assert!(running.proofs.inclusion(1, 0).is_err());
    running.append([record(1)]);
    running.head(1).await;
    running.end().await;
}

#[tokio::test]
async fn what_is_let_out_is_on_the_disk() {
    let bench = Bench::new();
    let running = bench.run(&log_of(records(5)));
    let out = running.covering(5).await;
    let stored = std::fs::read_to_string(bench.file("checkpoint")).expect("stored");
    assert_eq!(stored.parse::<Checkpoint>(), Ok(out));
    running.end().await;
}

#[tokio::test]
async fn records_of_the_last_moment_are_signed_at_the_end() {
    let bench = Bench::new();
    let running = bench.run(&log_of(records(5)));
    running.append([record(6)]);
    running.end().await;
    let stored = std::fs::read_to_string(bench.file("checkpoint")).expect("stored");
    let stored: Checkpoint = stored.parse().expect("a checkpoint");
    assert_eq!(stored.claimed_head().size, 6);
}

#[tokio::test]
async fn tiles_and_entries_rebuild_the_root() {
    let bench = Bench::new();
    let running = bench.run(&log_of(records(600)));
    let head = running.head(600).await;
    let mut tree = Tree::new();
    for (index, width) in [(0, 256), (1, 256), (2, 88)] {
        let path = TilePath::entries(index, width).expect("a path");
        let bundle = running.proofs.tile(&path).expect("read").expect("covered");
        for record in decode_entries(&bundle).expect("whole") {
            tree.append(record);
        }
        let path = TilePath::hashes(0, index, width).expect("a path");
        let tile = running.proofs.tile(&path).expect("read").expect("covered");
        assert_eq!(tile.len(), usize::from(width) * 32);
    }
    assert_eq!(tree.head(), head);
    for beyond in [
        TilePath::entries(2, 89),
        TilePath::entries(u64::MAX, 1),
        TilePath::hashes(0, 2, 256),
        TilePath::hashes(1, 0, 3),
        TilePath::hashes(2, 0, 1),
        TilePath::hashes(63, 0, 1),
    ] {
        let tile = running.proofs.tile(&beyond.expect("a path"));
        assert_eq!(tile.expect("looked"), None, "{beyond:?}");
    }
    running.end().await;
}

#[tokio::test]
async fn nothing_is_signed_that_the_stream_does_not_hold() {
    let bench = Bench::new();
    bench.relayed.send_replace(3);
    let running = bench.run(&log_of(records(7)));
    assert_eq!(running.covering(1).await.claimed_head().size, 3);
    bench.relayed.send_replace(7);
    assert_eq!(running.covering(7).await.claimed_head().size, 7);
    running.end().await;
}

#[tokio::test]
async fn a_state_digest_goes_into_the_checkpoints_that_cover_it() {
    let bench = Bench::new();
    let digest = StateDigest {
        position: 8,
        code: "0.1.0-5f0a".into(),
        digest: [7; 32],
    };
    bench.state_digest.send_replace(Some(digest.clone()));
    let running = bench.run(&log_of(records(7)));
    assert_eq!(running.covering(7).await.extensions().count(), 0);
    running.append([record(8)]);
    let checkpoint = running.covering(8).await;
    let lines: Vec<_> = checkpoint.extensions().collect();
    assert_eq!(lines, [digest.to_string()]);

    // Nothing more is recorded, and a newer state of the same is known.
    running.append([record(9)]);
    running.covering(9).await;
    let newer = StateDigest {
        position: 9,
        digest: [8; 32],
        ..digest
    };
    bench.state_digest.send_replace(Some(newer.clone()));
    let checkpoint = running.telling(&newer.to_string()).await;
    assert_eq!(checkpoint.claimed_head().size, 9);
    running.end().await;
}
