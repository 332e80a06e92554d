//! Appending groups of records of about 300 bytes, durably: the event log
//! against a plain growing file that gets the same bytes, `write` and
//! `fdatasync`. Elements are records.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use event_log::{EventLog, SledLog, SledOptions, Unit};

const RECORD_BYTES: usize = 300;

fn append(c: &mut Criterion) {
    let mut benches = c.benchmark_group("append");
    for group in [1u64, 16, 64, 256, 1024] {
        benches.throughput(Throughput::Elements(group));
        // Bytes that do not compress, one unit for each record.
        let units: Vec<Unit> = (0..group)
            .map(|_| {
                Unit(vec![Bytes::from(
                    rand::random::<[u8; RECORD_BYTES]>().to_vec(),
                )])
            })
            .collect();

        let dir = tempfile::tempdir().expect("a directory for the log");
        let (log, _) = SledLog::open(SledOptions::new(dir.path())).expect("a new log");
        benches.bench_with_input(BenchmarkId::new("event-log", group), &units, |b, units| {
            b.iter(|| black_box(log.append(units.clone()).expect("room for the log")));
        });

        let dir = tempfile::tempdir().expect("a directory for the file");
        let mut file = File::create(dir.path().join("plain")).expect("a new file");
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.0.concat()).collect();
        benches.bench_with_input(BenchmarkId::new("plain-file", group), &bytes, |b, bytes| {
            b.iter(|| {
                file.write_all(bytes).expect("room for the file");
                file.sync_data().expect("a disk that syncs");
            });
        });
    }
    benches.finish();
}

criterion_group!(benches, append);
criterion_main!(benches);
