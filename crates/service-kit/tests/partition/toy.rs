//! A domain of three lines: orders that are confirmed, some of them twice. No
//! NATS is needed here.

use std::{sync::Arc, time::Duration};

use decider::{
    Actor, Area, Context, Domain, Due, Recorded, Rejected, Role, Service, StreamId, Timestamp,
    Violation,
};
use event_log::{EventLog, MemoryLog};
use proto::{
    AnyEvent, OrderEvent,
    order::v1::{OrderCollected, OrderConfirmed, OrderReady},
};
use serde::{Deserialize, Serialize};
use service_kit::{
    clock::Clock,
    partition::{
        Kept, Limits, Partition, WriterHandle,
        machine::{Machine, RequestMeta},
        replay,
    },
};

/// Confirms orders; those that begin with "late" a minute later once more.
#[derive(Debug)]
pub struct Toy;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub confirmed: Vec<String>,
    pub timers: std::collections::BTreeSet<(Timestamp, String)>,
}

#[derive(Debug, Clone)]
pub enum Command {
    Confirm(String),
    Ready(String),
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0} is refused")]
pub struct No(pub String);

impl Rejected for No {
    fn reason(&self) -> &'static str {
        "NO"
    }
}

impl Domain for Toy {
    type State = State;
    type Command = Command;
    type Event = OrderEvent;
    type Foreign = AnyEvent;
    type Rejection = No;
    const SERVICE: Service = Service::Order;
    const SOURCES: &'static [Service] = &[Service::Inventory];

    fn command_name(_: &Command) -> &'static str {
        "Confirm"
    }

    fn decide(_: &State, command: &Command, _: &Context) -> Result<Vec<OrderEvent>, No> {
        match command {
            Command::Confirm(id) if id == "no" => Err(No(id.clone())),
            Command::Confirm(id) if id == "nothing" => Ok(Vec::new()),
            Command::Confirm(id) => Ok(vec![
                OrderConfirmed {
                    order_id: id.clone(),
                }
                .into(),
                OrderCollected {
                    order_id: id.clone(),
                    evidence: String::new(),
                }
                .into(),
            ]),
            Command::Ready(id) => Ok(vec![
                OrderReady {
                    order_id: id.clone(),
                }
                .into(),
            ]),
        }
    }

    fn evolve(state: &mut State, record: &Recorded<OrderEvent>) {
        let id = record.stream.id().to_owned();
        match &record.event {
            OrderEvent::OrderConfirmed(_) => {
                if id.starts_with("late") {
                    state
                        .timers
                        .insert((record.recorded.plus_minutes(1), id.clone()));
                }
                state.confirmed.push(id);
            }
            OrderEvent::OrderReady(_) => state.timers.retain(|(_, other)| *other != id),
            _ => {}
        }
    }

    fn react(_: &State, record: &Recorded<AnyEvent>) -> Vec<Command> {
        match &record.event {
            AnyEvent::Order(OrderEvent::OrderReady(event)) => vec![
                Command::Confirm("no".into()),
                Command::Confirm(event.order_id.clone()),
            ],
            _ => Vec::new(),
        }
    }

    fn due(state: &State, now: Timestamp) -> Vec<Due<Command>> {
        state
            .timers
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(at, id)| Due {
                area: area(),
                at: *at,
                command: Command::Ready(id.clone()),
            })
            .collect()
    }

    fn next_due(state: &State) -> Option<Timestamp> {
        state.timers.first().map(|(at, _)| *at)
    }

    fn violations(_: &State) -> Vec<Violation> {
        Vec::new()
    }

    fn describe(_: &State, _: &StreamId) -> Option<String> {
        None
    }
}

pub fn area() -> Area {
    Area::new("632725100").expect("nine digits")
}

pub const START: Timestamp = Timestamp(1_662_048_000_000);

pub fn start(log: &Arc<MemoryLog>) -> (Partition<Toy>, WriterHandle) {
    start_with(log, 64)
}

pub fn start_with(log: &Arc<MemoryLog>, queue: usize) -> (Partition<Toy>, WriterHandle) {
    start_keeping(log, queue, Kept::default())
}

pub fn start_keeping(
    log: &Arc<MemoryLog>,
    queue: usize,
    kept: Kept,
) -> (Partition<Toy>, WriterHandle) {
    let (machine, _) = replay::<Toy>(&**log, 0, None).expect("a readable log");
    start_machine(log, machine, queue, kept)
}

pub fn start_machine(
    log: &Arc<MemoryLog>,
    machine: Machine<Toy>,
    queue: usize,
    kept: Kept,
) -> (Partition<Toy>, WriterHandle) {
    let log: Arc<dyn EventLog> = Arc::clone(log) as Arc<dyn EventLog>;
    let start = START.max(machine.last_recorded());
    let clock = Clock::test(start.max(machine.test_clock().unwrap_or(START)));
    let durability = service_kit::partition::Durability::Local;
    let (partition, writer, _) = Partition::start_with(
        0,
        log,
        machine,
        Arc::new(clock),
        limits(queue),
        kept,
        durability,
    )
    .expect("a thread");
    (partition, writer)
}

pub fn limits(queue: usize) -> Limits {
    Limits {
        queue,
        group: 64,
        query_wait: Duration::from_millis(300),
    }
}

pub fn meta(request_id: &str, digest: u8) -> RequestMeta {
    RequestMeta {
        request_id: request_id.to_owned(),
        digest: [digest; 16],
        area: area(),
        actor: Actor::new(Role::Operator, "test"),
        if_revision: None,
        correlation_id: "c".to_owned(),
        traceparent: String::new(),
    }
}

pub fn confirm(id: &str) -> Command {
    Command::Confirm(id.to_owned())
}

pub async fn stop(handle: WriterHandle) {
    handle.stop_token().cancel();
    handle.ended().await.expect("a clean end");
}
