//! Histories made step by step with a machine, as a writer makes them.

use std::sync::Arc;

use decider::{
    Actor, Area, Cause, Position, Recorded, Revision, Service, Source, StreamId, Timestamp,
};
use event_log::{EventLog, MemoryLog, Unit};
use prost::{Message, Name};
use proto::{
    AnyEvent, OrderEvent,
    log::v1::UnitVoided,
    order::v1::OrderReady,
    record::{self, Encoded, Raw},
};
use service_kit::partition::{
    machine::{Decision, Machine, Step},
    replay,
};

use crate::toy::{Command, START, Toy, area, meta};

/// A log and the machine that writes it.
pub struct History {
    pub log: Arc<MemoryLog>,
    pub machine: Machine<Toy>,
    pub now: Timestamp,
}

impl History {
    pub fn new() -> Self {
        Self {
            log: Arc::new(MemoryLog::new()),
            machine: Machine::new(0),
            now: START,
        }
    }

    pub fn decide(&mut self, id: &str, request_id: &str) -> Decision<OrderEvent, crate::toy::No> {
        let command = Command::Confirm(id.to_owned());
        self.machine
            .request(&command, &meta(request_id, 1), self.now)
    }

    /// A request, and its records in the log where it makes any.
    pub fn request(&mut self, id: &str, request_id: &str) {
        if let Decision::Accepted(step) = self.decide(id, request_id) {
            self.append(step);
        }
    }

    /// Inventory's record at the position, which confirms the order.
    pub fn react(&mut self, position: u64, id: &str) {
        let source = source(position);
        let event: OrderEvent = OrderReady {
            order_id: id.to_owned(),
        }
        .into();
        let foreign = foreign(source, AnyEvent::Order(event));
        let step = self
            .machine
            .react(source, &foreign, "x.OrderReady", String::new(), self.now);
        self.append(step);
    }

    pub fn advance(&mut self, minutes: i64) {
        self.now = self.now.plus_minutes(minutes);
        let step = self.machine.advance_clock(self.now);
        self.append(step);
    }

    pub fn append(&mut self, step: Step<OrderEvent>) {
        if !step.is_empty() {
            self.log.append(vec![step.finish().0]).expect("room");
        }
    }

    /// Only the first records of the step reach the log, and a restart declares
    /// them void.
    pub fn tear(&mut self, step: Step<OrderEvent>, kept: usize) {
        let from = self.log.last_position().next();
        let torso: Vec<_> = step.finish().0.0.into_iter().take(kept).collect();
        self.log.append(vec![Unit(torso)]).expect("room");
        let revision = self.machine.revision(&voiding()).next();
        let note = void_note(from, self.log.last_position(), revision, self.now);
        self.append_raw(&note);
        self.restart();
    }

    pub fn append_raw(&mut self, raw: &Raw) {
        let unit = Unit(vec![record::encode(raw).into()]);
        self.log.append(vec![unit]).expect("room");
    }

    pub fn restart(&mut self) {
        let replayed = replay::<Toy>(&*self.log, 0, None).expect("a readable log");
        self.machine = replayed.0;
    }

    pub fn canonical(&self) -> Vec<u8> {
        self.machine.canonical(Vec::new()).expect("it is encodable")
    }
}

pub fn voiding() -> StreamId {
    StreamId::new("runtime", "voided")
}

pub fn source(position: u64) -> Source {
    Source {
        service: Service::Inventory,
        partition: 0,
        position: Position(position),
    }
}

pub fn foreign(source: Source, event: AnyEvent) -> Recorded<AnyEvent> {
    Recorded {
        position: source.position,
        event_id: String::new(),
        stream: StreamId::new("order", "a"),
        revision: Revision(1),
        area: area(),
        occurred: START,
        recorded: START,
        actor: Actor::system("inventory"),
        cause: Cause::Timer { due: START },
        correlation_id: "c".to_owned(),
        traceparent: String::new(),
        unit_remaining: 0,
        event,
    }
}

/// What stands behind a torso.
pub fn void_note(from: Position, to: Position, revision: Revision, now: Timestamp) -> Raw {
    let note = UnitVoided {
        from_position: from.0,
        to_position: to.0,
    };
    Recorded {
        position: to.next(),
        event_id: "01J".to_owned(),
        stream: voiding(),
        revision,
        area: Area::default(),
        occurred: now,
        recorded: now,
        actor: Actor::system("order"),
        cause: Cause::Timer { due: now },
        correlation_id: String::new(),
        traceparent: String::new(),
        unit_remaining: 0,
        event: Encoded {
            type_name: UnitVoided::full_name(),
            data: note.encode_to_vec(),
        },
    }
}
