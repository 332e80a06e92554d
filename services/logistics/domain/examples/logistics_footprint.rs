//! What a state costs: memory for each parcel that came to its household, its
//! part of a run included, and time for each record folded.
//!
//! ```text
//! cargo run --release -p baogong-logistics-domain --example logistics_footprint [PARCELS [HOUSEHOLDS]]
//! ```
//!
//! Runs of 12 parcels go out one after another. Records are made beforehand,
//! some at a time, so that only the folding is timed.

use std::{fs, time::Duration};

use decider::{
    Actor, Area, Cause, Domain, EventSet, Position, Recorded, Revision, Seed, Timestamp,
};
use logistics_domain::{Logistics, State};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, CustodianKind as Kind},
    types::v1::Door,
};

/// Records made before they are folded.
const BATCH: usize = 5_000;

const CHECKPOINT: &str = "checkpoint-1";
const MEMBER: &str = "member-1";

/// Parcels of a run.
const STOPS: usize = 12;

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .map(|arg| arg.parse().expect("a number"));
    let parcels: usize = args.next().unwrap_or(300_000);
    let households: usize = args.next().unwrap_or(30_000);
    let mut fold = Fold::default();
    fold.team();
    let before = resident_bytes();
    for run in 0..parcels / STOPS {
        fold.run(run, households);
    }
    fold.flush();
    let after = resident_bytes();
    let nanos = fold.spent.as_nanos() / fold.records as u128;
    println!(
        "{:>9} bytes for each parcel, all delivered",
        (after - before) / parcels
    );
    println!("{nanos:>9} ns for each of {} records", fold.records);
    println!(
        "{:>9} records folded in a second",
        1_000_000_000 / nanos.max(1)
    );
    println!("{:>9} violations", Logistics::violations(&fold.state).len());
}

#[derive(Default)]
struct Fold {
    state: State,
    batch: Vec<Recorded<LogisticsEvent>>,
    records: usize,
    spent: Duration,
}

impl Fold {
    fn take(&mut self, event: LogisticsEvent, at: i64) {
        let position = self.records + self.batch.len() + 1;
        self.batch.push(record(event, position as u64, at));
        if self.batch.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let start = processor_time();
        for record in &self.batch {
            Logistics::evolve(&mut self.state, record);
        }
        self.spent += processor_time().saturating_sub(start);
        self.records += self.batch.len();
        self.batch = Vec::new();
    }
}

fn record(event: LogisticsEvent, position: u64, at: i64) -> Recorded<LogisticsEvent> {
    let at = Timestamp(1_662_076_800_000 + at);
    Recorded {
        position: Position(position),
        event_id: String::new(),
        stream: event.stream(),
        revision: Revision(1),
        area: Area::new("632725100").expect("nine digits"),
        occurred: at,
        recorded: at,
        actor: Actor::system("example"),
        cause: Cause::Timer { due: at },
        correlation_id: String::new(),
        traceparent: String::new(),
        unit_remaining: 0,
        event,
    }
}

fn door(n: usize) -> Door {
    Door {
        community: format!("c{}", n / 3_000),
        grid: format!("G{:02}", n / 300 % 10),
        building: format!("B{:02}", n / 30 % 10),
        entrance: format!("E{}", n / 10 % 3),
        door: format!("{}01", n % 10),
    }
}

fn household(n: usize) -> String {
    let door = door(n);
    format!(
        "{}-{}-{}-{}-{}",
        door.community, door.grid, door.building, door.entrance, door.door
    )
}

fn ulid(n: usize, of: u8) -> String {
    let mut seed = [of; 10];
    seed[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    Seed(seed).ulid(Timestamp(1_662_076_800_000 + n as i64), 0)
}

fn custodian(kind: pb::CustodianKind, id: &str) -> Option<pb::Custodian> {
    Some(pb::Custodian {
        kind: kind.into(),
        id: id.into(),
    })
}

impl Fold {
    fn team(&mut self) {
        let checkpoint = pb::CheckpointRegistered {
            checkpoint_id: CHECKPOINT.into(),
            name: String::new(),
            communities: vec![],
        };
        self.take(checkpoint.into(), 0);
        let member = pb::MemberRegistered {
            member_id: MEMBER.into(),
            capacity_grams: 1_000_000,
            leader: false,
        };
        self.take(member.into(), 0);
    }

    /// From the carrier to the doors, and back.
    fn run(&mut self, run: usize, households: usize) {
        let (run_id, at) = (ulid(run, 1), run as i64);
        let parcels = run * STOPS..(run + 1) * STOPS;
        let all: Vec<(String, usize)> = parcels.map(|n| (ulid(n, 0), n % households)).collect();
        for (order_id, of) in &all {
            self.arrive(order_id, *of, at);
        }
        let stops = all.iter().map(|(order_id, of)| pb::Stop {
            order_id: order_id.clone(),
            door: Some(door(*of)),
            weight_grams: 17_000,
        });
        let planned = pb::RunPlanned {
            run_id: run_id.clone(),
            checkpoint_id: CHECKPOINT.into(),
            member_id: MEMBER.into(),
            shift_id: "s".into(),
            stops: stops.collect(),
            weight_grams: 17_000 * STOPS as i64,
            trip: 1,
        };
        self.take(planned.into(), at);
        let started = pb::RunStarted {
            run_id: run_id.clone(),
            checkpoint_id: CHECKPOINT.into(),
            member_id: MEMBER.into(),
            order_ids: all.iter().map(|(order_id, _)| order_id.clone()).collect(),
        };
        self.take(started.into(), at);
        for (order_id, of) in &all {
            self.deliver(&run_id, order_id, *of, at);
        }
        for (_, of) in all.iter().step_by(10) {
            let door = door(*of);
            let disinfected = pb::EntranceDisinfected {
                run_id: run_id.clone(),
                community: door.community,
                grid: door.grid,
                building: door.building,
                entrance: door.entrance,
                agent: "chlorine".into(),
                done_by: MEMBER.into(),
            };
            self.take(disinfected.into(), at);
        }
        let completed = pb::RunCompleted {
            run_id,
            member_id: MEMBER.into(),
            delivered_stops: STOPS as i32,
            failed_stops: 0,
        };
        self.take(completed.into(), at);
    }

    fn arrive(&mut self, order_id: &str, of: usize, at: i64) {
        let labels: Vec<String> = (1..=3).map(|n| format!("{order_id}-{n}")).collect();
        let bags = labels.iter().map(|label| pb::ParcelBag {
            label: label.clone(),
            product_id: "rice-10kg".into(),
            quantity_units: 1,
            weight_grams: 5_700,
        });
        let expected = pb::ParcelExpected {
            order_id: order_id.into(),
            household_id: household(of),
            door: Some(door(of)),
            cadre_id: format!("cadre-{}", of / 300),
            bags: bags.collect(),
            checkpoint_id: CHECKPOINT.into(),
            custodian: custodian(Kind::Carrier, "carrier-1"),
            load_id: format!("load-{}", at / 10),
        };
        self.take(expected.into(), at);
        let received = pb::ParcelReceived {
            order_id: order_id.into(),
            checkpoint_id: CHECKPOINT.into(),
            from: custodian(Kind::Carrier, "carrier-1"),
            to: custodian(Kind::Checkpoint, CHECKPOINT),
            accepted_labels: labels,
            exceptions: vec![],
            household_id: household(of),
            keeper_id: "keeper".into(),
        };
        self.take(received.into(), at);
        let disinfected = pb::ParcelDisinfected {
            order_id: order_id.into(),
            checkpoint_id: CHECKPOINT.into(),
            agent: "chlorine".into(),
            done_by: "keeper".into(),
        };
        self.take(disinfected.into(), at);
    }

    fn deliver(&mut self, run_id: &str, order_id: &str, of: usize, at: i64) {
        let placed = pb::GoodsPlaced {
            order_id: order_id.into(),
            run_id: run_id.into(),
            member_id: MEMBER.into(),
        };
        self.take(placed.into(), at);
        let left = pb::DoorLeft {
            order_id: order_id.into(),
            run_id: run_id.into(),
            member_id: MEMBER.into(),
            household_id: household(of),
            cadre_id: "cadre".into(),
            door: Some(door(of)),
        };
        self.take(left.into(), at);
        let called = pb::HouseholdCalled {
            order_id: order_id.into(),
            means: "CALL".into(),
        };
        self.take(called.into(), at);
        let collected = pb::DeliveryCollected {
            order_id: order_id.into(),
            evidence: "CALL".into(),
        };
        self.take(collected.into(), at);
    }
}

/// Of this thread alone: other work on the machine does not count.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux");
    let nanos = stat.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds on a processor"))
}

/// What the process holds in memory now.
fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<usize>().ok())
        .expect("VmRSS in kB")
        * 1024
}
