//! What a service does first of all when it starts: opening (which checks the
//! whole log), then reading and decoding every record.

use std::hint::black_box;
use std::path::Path;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use decider::Position;
use event_log::{EventLog, SledLog, SledOptions, Unit};
use prost::Message;
use proto::log::v1::{Actor, Cause, Record, RequestCause, cause};

const RECORDS: u64 = 100_000;
const GROUP: u64 = 64;

fn record(position: u64) -> Bytes {
    let time = prost_types::Timestamp {
        seconds: 1_662_076_800,
        nanos: 0,
    };
    let record = Record {
        position,
        event_id: format!("01GBY5F0G0{position:016}"),
        stream: format!("order/01GBY5F0G0{position:016}"),
        revision: 1,
        r#type: "baogong.order.v1.OrderPlaced".into(),
        occurred_time: Some(time),
        recorded_time: Some(time),
        actor: Some(Actor {
            role: 3,
            id: "m-07".into(),
            on_behalf_of: String::new(),
        }),
        cause: Some(Cause {
            cause: Some(cause::Cause::Request(RequestCause {
                request_id: format!("request-{position:020}"),
                digest: vec![7; 16],
                record_count: 1,
            })),
        }),
        correlation_id: format!("request-{position:020}"),
        traceparent: String::new(),
        area: "632725100".into(),
        data: vec![7; 80],
        unit_remaining: 0,
    };
    record.encode_to_vec().into()
}

fn open(path: &Path) -> SledLog {
    let options = SledOptions {
        sync: false,
        ..SledOptions::new(path)
    };
    SledLog::open(options).expect("the log").0
}

fn replay(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory for the log");
    let log = open(dir.path());
    for first in (1..=RECORDS).step_by(GROUP as usize) {
        let group = (first..(first + GROUP).min(RECORDS + 1)).map(|n| Unit(vec![record(n)]));
        log.append(group.collect()).expect("room for the log");
    }
    drop(log);

    let mut benches = c.benchmark_group("replay");
    benches
        .throughput(Throughput::Elements(RECORDS))
        .sample_size(10);
    benches.bench_function("open and check", |b| {
        b.iter(|| black_box(open(dir.path()).last_position()));
    });
    let log = open(dir.path());
    benches.bench_function("read", |b| {
        b.iter(|| {
            all(&log, |entry| {
                black_box(entry);
            })
        });
    });
    benches.bench_function("read and decode", |b| {
        b.iter(|| {
            all(&log, |bytes| {
                black_box(Record::decode(bytes).expect("our own record"));
            });
        });
    });
    benches.finish();
}

fn all(log: &SledLog, mut each: impl FnMut(Bytes)) {
    let mut next = Position(1);
    while next <= log.last_position() {
        for entry in log.read(next, 1024).expect("an undamaged log") {
            next = entry.position.next();
            each(entry.bytes);
        }
    }
}

criterion_group!(benches, replay);
criterion_main!(benches);
