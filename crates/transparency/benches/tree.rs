//! The Merkle tree of a log: records appended with their tiles made and saved
//! in memory, and proofs made and checked. Elements are records.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use transparency::{
    CheckpointSigner, ConsistencyProof, Entry, KeyUse, MemoryTiles, Origin, Policy, Prover,
    Receipt, SecretKey, Tree,
};

const RECORD_BYTES: usize = 300;
const TREE_RECORDS: u64 = 1_000_000;
const BATCH_RECORDS: u64 = 100_000;

fn record(n: u64) -> [u8; RECORD_BYTES] {
    let mut record = [7; RECORD_BYTES];
    record[..8].copy_from_slice(&n.to_be_bytes());
    record
}

fn append(c: &mut Criterion) {
    let mut benches = c.benchmark_group("tree");
    benches.sample_size(20);
    benches.throughput(Throughput::Elements(BATCH_RECORDS));
    let records: Vec<_> = (0..BATCH_RECORDS).map(record).collect();
    let leaves: Vec<_> = records
        .iter()
        .map(|record| transparency::record_hash(record))
        .collect();
    benches.bench_function("append-300-bytes-and-save", |b| {
        b.iter_batched(
            || (Tree::new(), MemoryTiles::default()),
            |(mut tree, tiles)| {
                for record in &records {
                    tree.append(record);
                }
                tree.save(&tiles).expect("memory");
                black_box(tree.head())
            },
            BatchSize::PerIteration,
        );
    });
    benches.bench_function("append-hashed-and-save", |b| {
        b.iter_batched(
            || (Tree::new(), MemoryTiles::default()),
            |(mut tree, tiles)| {
                for leaf in &leaves {
                    tree.append_leaf(*leaf);
                }
                tree.save(&tiles).expect("memory");
                black_box(tree.head())
            },
            BatchSize::PerIteration,
        );
    });
}

fn prove(c: &mut Criterion) {
    let (mut tree, tiles) = (Tree::new(), MemoryTiles::default());
    for n in 0..TREE_RECORDS {
        tree.append(&record(n));
    }
    tree.save(&tiles).expect("memory");
    let head = tree.head();

    let mut benches = c.benchmark_group("proof");
    benches.throughput(Throughput::Elements(1));
    // Neighbours share tiles; a step of 619,999 goes through all of them.
    for (name, step) in [("in-order", 1), ("scattered", 619_999)] {
        let prover = Prover::new(&tiles, head).expect("saved tiles");
        let mut index = 0;
        benches.bench_function(format!("inclusion-prove-and-check-{name}"), |b| {
            b.iter(|| {
                index = (index + step) % TREE_RECORDS;
                let proof = prover.inclusion(index).expect("saved tiles");
                let checked = proof.check(&head, index, &record(index));
                checked.expect("a right proof");
            });
        });
    }
    let prover = Prover::new(&tiles, head).expect("saved tiles");
    benches.bench_function("open-from-tiles", |b| {
        b.iter(|| black_box(Tree::open(&tiles, head).expect("saved tiles")));
    });

    let origin = Origin::new("order", 0).expect("a plain name");
    let name = origin.to_string();
    let key = SecretKey::generate(&name, KeyUse::Log, [1; 32]).expect("a plain name");
    let policy = format!("log {}\nquorum none\n", key.public());
    let policy: Policy = policy.parse().expect("a policy");
    let mut signer = CheckpointSigner::new(origin, key, None).expect("the log's key");
    let checkpoint = signer
        .sign(head, &[], &ConsistencyProof::default())
        .expect("the first checkpoint");
    let entry = |index| Entry {
        record: record(index).to_vec(),
        index,
        proof: prover.inclusion(index).expect("saved tiles"),
        checkpoint: checkpoint.clone(),
    };
    const RECEIPT_RECORDS: u64 = 30;
    benches.throughput(Throughput::Elements(RECEIPT_RECORDS));
    benches.bench_function("receipt-of-30-write-read-check", |b| {
        b.iter(|| {
            let entries = (0..RECEIPT_RECORDS).map(|n| entry(n * 30_001)).collect();
            let text = Receipt { entries }.to_string();
            let read: Receipt = text.parse().expect("a receipt");
            black_box(read.check(&policy).expect("a right receipt"))
        });
    });
}

criterion_group!(benches, append, prove);
criterion_main!(benches);
