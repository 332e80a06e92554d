//! A domain of a few lines, as writer and as reader of a history: inventory
//! that notes each order's readiness.

use std::{sync::Arc, time::Duration};

use decider::{
    Actor, Area, Context, Domain, Due, Recorded, Rejected, Role, Service, StreamId, Timestamp,
    Violation,
};
use event_log::{EventLog, MemoryLog};
use proto::{AnyEvent, InventoryEvent, OrderEvent, inventory::v1::DemandQueued};
use service_kit::{
    clock::Clock,
    partition::{
        Durability, Holding, Limits, Partition, WriterHandle, machine::RequestMeta, replay,
    },
};

/// Records every order of which it hears or is told.
pub struct Toy;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0} is refused")]
pub struct No(String);

impl Rejected for No {
    fn reason(&self) -> &'static str {
        "NO"
    }
}

impl Domain for Toy {
    type State = Vec<String>;
    type Command = String;
    type Event = InventoryEvent;
    type Foreign = AnyEvent;
    type Rejection = No;
    const SERVICE: Service = Service::Inventory;
    const SOURCES: &'static [Service] = &[Service::Order];

    fn command_name(_: &String) -> &'static str {
        "Note"
    }

    fn decide(state: &Self::State, id: &String, _: &Context) -> Result<Vec<InventoryEvent>, No> {
        if state.contains(id) {
            return Err(No(id.clone()));
        }
        Ok(vec![
            DemandQueued {
                order_id: id.clone(),
                ..DemandQueued::default()
            }
            .into(),
        ])
    }

    fn evolve(state: &mut Self::State, record: &Recorded<InventoryEvent>) {
        state.push(record.stream.id().to_owned());
    }

    fn react(_: &Self::State, record: &Recorded<AnyEvent>) -> Vec<String> {
        match &record.event {
            AnyEvent::Order(OrderEvent::OrderReady(event)) => vec![event.order_id.clone()],
            _ => Vec::new(),
        }
    }

    fn due(_: &Self::State, _: Timestamp) -> Vec<Due<String>> {
        Vec::new()
    }

    fn next_due(_: &Self::State) -> Option<Timestamp> {
        None
    }

    fn violations(_: &Self::State) -> Vec<Violation> {
        Vec::new()
    }

    fn describe(_: &Self::State, _: &StreamId) -> Option<String> {
        None
    }
}

pub fn start(
    log: &Arc<MemoryLog>,
    durability: Durability,
    queue: usize,
) -> (Partition<Toy>, WriterHandle, Holding<Toy>) {
    let log: Arc<dyn EventLog> = Arc::clone(log) as Arc<dyn EventLog>;
    let (machine, _) = replay::<Toy>(&*log, 0, None).expect("a readable log");
    let limits = Limits {
        queue,
        group: 64,
        query_wait: Duration::from_millis(300),
    };
    let clock = Arc::new(Clock::test(Timestamp(1_662_048_000_000)));
    Partition::start_with(
        0,
        log,
        machine,
        clock,
        limits,
        service_kit::partition::Kept::default(),
        durability,
    )
    .expect("a thread")
}

pub fn meta(request_id: &str) -> RequestMeta {
    RequestMeta {
        request_id: request_id.to_owned(),
        digest: [1; 16],
        area: Area::new("632725100").expect("nine digits"),
        actor: Actor::new(Role::Operator, "test"),
        if_revision: None,
        correlation_id: "c".to_owned(),
        traceparent: String::new(),
    }
}
