//! What a state costs: memory for each order that came to its end, and time
//! for each record folded.
//!
//! ```text
//! cargo run --release -p baogong-order-domain --example order_footprint [ORDERS [ACTIVE [HOUSEHOLDS]]]
//! ```
//!
//! Orders go through their life one after another, with ACTIVE of them on the
//! way at any time. Records are made beforehand, some at a time, so that only
//! the folding is timed.

use std::{fs, time::Duration};

use decider::{
    Actor, Area, Cause, Domain, EventSet, Position, Recorded, Revision, Seed, Timestamp,
};
use order_domain::{Orders, State};
use proto::{
    OrderEvent,
    order::v1 as pb,
    types::v1::{Door, Line, Sealed},
};

/// Records made before they are folded.
const BATCH: usize = 5_000;

/// Events of an order's life.
const STAGES: usize = 7;

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .map(|arg| arg.parse().expect("a number"));
    let orders: usize = args.next().unwrap_or(300_000);
    let active: usize = args.next().unwrap_or(30_000);
    let households: usize = args.next().unwrap_or(30_000);
    let mut fold = Fold::default();
    let before = resident_bytes();
    for n in 0..households {
        fold.take(registered(n), n as i64);
    }
    fold.flush();
    let with_households = resident_bytes();
    let spent = (fold.records, fold.spent);
    let lag = active / (STAGES - 1);
    for tick in 0..orders + lag * STAGES {
        for stage in 0..STAGES {
            if let Some(order) = tick.checked_sub(stage * lag).filter(|n| *n < orders) {
                fold.take(event(order, stage, order % households), tick as i64);
            }
        }
        // What is measured is a state with orders on the way.
        if tick + 1 == orders {
            fold.flush();
            let bytes = resident_bytes() - with_households;
            println!(
                "{:>9} bytes for each order while {active} are on the way",
                bytes / orders
            );
        }
    }
    fold.flush();
    let after = resident_bytes();
    let records = fold.records - spent.0;
    let nanos = (fold.spent - spent.1).as_nanos() / records as u128;
    println!(
        "{:>9} bytes for each household",
        (with_households - before) / households
    );
    println!(
        "{:>9} bytes for each order, all closed",
        (after - with_households) / orders
    );
    println!("{:>9} ns for each of {records} records of orders", nanos);
    println!(
        "{:>9} records folded in a second",
        1_000_000_000 / nanos.max(1)
    );
    println!("{:>9} violations", Orders::violations(&fold.state).len());
}

#[derive(Default)]
struct Fold {
    state: State,
    batch: Vec<Recorded<OrderEvent>>,
    records: usize,
    spent: Duration,
}

impl Fold {
    fn take(&mut self, event: OrderEvent, at: i64) {
        let position = self.records + self.batch.len() + 1;
        self.batch.push(record(event, position as u64, at));
        if self.batch.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let start = processor_time();
        for record in &self.batch {
            Orders::evolve(&mut self.state, record);
        }
        self.spent += processor_time().saturating_sub(start);
        self.records += self.batch.len();
        self.batch = Vec::new();
    }
}

fn record(event: OrderEvent, position: u64, at: i64) -> Recorded<OrderEvent> {
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

fn registered(n: usize) -> OrderEvent {
    pb::HouseholdRegistered {
        household_id: household(n),
        door: Some(door(n)),
        contact: Some(Sealed {
            key_id: format!("household/{}", household(n)),
            nonce: vec![0; 12],
            ciphertext: vec![0; 90],
        }),
        needs: vec![],
        cadre_id: format!("cadre-{}", n / 300),
        language: "zh".into(),
        people: 3,
    }
    .into()
}

fn order_id(n: usize) -> String {
    let mut seed = [0; 10];
    seed[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    Seed(seed).ulid(Timestamp(1_662_076_800_000 + n as i64), 0)
}

fn event(order: usize, stage: usize, of: usize) -> OrderEvent {
    let (order_id, household_id) = (order_id(order), household(of));
    let line = |product: &str| Line {
        product_id: product.into(),
        quantity_units: 2,
    };
    let lines = vec![line("rice-10kg"), line("oil-5l"), line("cabbage-2kg")];
    match stage {
        0 => pb::OrderPlaced {
            order_id,
            household_id,
            door: Some(door(of)),
            lines,
            channel: pb::Channel::Phone.into(),
            group_buy_id: String::new(),
            placed_by: "cadre-1".into(),
        }
        .into(),
        1 => pb::OrderReleased {
            order_id,
            household_id,
            door: Some(door(of)),
            lines,
            cadre_id: "cadre-1".into(),
        }
        .into(),
        2 => pb::OrderConfirmed { order_id }.into(),
        3 => pb::OrderReady { order_id }.into(),
        4 => pb::OrderOutForDelivery {
            order_id,
            run_id: "r".into(),
            member_id: "m".into(),
        }
        .into(),
        5 => pb::OrderDelivered {
            order_id,
            delivered_time: None,
        }
        .into(),
        _ => pb::OrderCollected {
            order_id,
            evidence: "CALL".into(),
        }
        .into(),
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
