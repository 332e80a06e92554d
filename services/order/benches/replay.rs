//! What the order service does before it takes requests: reads every record of
//! its log, decodes it and folds it into the state. The log is one of a town
//! whose households all ordered by telephone and were served; elements are
//! records. The stream index is there, as in a service that starts again, but
//! no snapshot is.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use decider::Service;
use order_domain::Orders;
use service_kit::partition::{
    indexer::{self, Indexer},
    replay, restore,
    snapshot::Snapshots,
};
use town::{Town, area};

#[path = "../examples/scale/town.rs"]
mod town;

/// Each makes eight records, from its registration to its goods being
/// collected: 100,000 in all.
const HOUSEHOLDS: u64 = 12_500;

fn bench(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory for the log");
    let mut town = Town::new(&directory.path().join("order/0"));
    // Whoever is registered from now on is in need.
    town.activate();
    for n in 0..HOUSEHOLDS {
        town.register(n);
        town.serve(n);
    }
    town.flush();
    let records = town.log.last_position();
    assert_eq!(records, town.machine.position());
    let coverage = town.machine.state().coverage(&area()).total;
    assert_eq!(coverage.collected_households, HOUSEHOLDS);

    let index = indexer::open(directory.path(), Service::Order, 0, &*town.log);
    let index = Arc::new(index.expect("a folder"));
    Indexer::new(Arc::clone(&index), Arc::clone(&town.log))
        .bring_up()
        .expect("room for the index");
    let none = Snapshots::new(directory.path(), Service::Order, 0);

    let mut group = c.benchmark_group("order");
    group.throughput(Throughput::Elements(records.0));
    group.sample_size(10);
    group.bench_function("replay", |b| {
        b.iter(|| {
            let restored = restore::<Orders>(&town.log, 0, &none, || Ok(Arc::clone(&index)));
            let machine = restored.expect("a readable log").machine;
            assert_eq!(machine.position(), records);
            black_box(machine)
        });
    });
    // As audits and tests do it: revisions and requests are kept in memory.
    group.bench_function("replay_without_index", |b| {
        b.iter(|| {
            let (machine, _) = replay::<Orders>(&*town.log, 0, None).expect("a readable log");
            assert_eq!(machine.position(), records);
            black_box(machine)
        });
    });
    // What of it is reading, without decoding and folding.
    group.bench_function("read", |b| {
        b.iter(|| {
            let mut next = decider::Position(1);
            loop {
                let entries = town.log.read(next, 1024).expect("a readable log");
                let Some(last) = entries.last() else { break };
                next = last.position.next();
                black_box(entries);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
