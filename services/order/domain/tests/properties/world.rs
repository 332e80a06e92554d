//! A partition in miniature: state, log and clock, as the runtime keeps them.

use std::collections::HashMap;

use decider::{
    Actor, Area, Cause, Context, Domain, EventSet, Position, Recorded, Revision, Role, Seed,
    Service, StreamId, Timestamp, spec::START,
};
use order_domain::{Command, Orders, Rejection, State};
use proto::{AnyEvent, OrderEvent};

/// What the runtime grants to one command.
const COMMAND_BYTES_MAX: usize = 48 * 1024;

pub struct World {
    pub state: State,
    pub log: Vec<Recorded<OrderEvent>>,
    pub now: Timestamp,
    area: Area,
    commands: u64,
    revisions: HashMap<StreamId, Revision>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            state: State::default(),
            log: Vec::new(),
            now: START,
            area: areas()[0].clone(),
            commands: 0,
            revisions: HashMap::new(),
        }
    }
}

pub fn areas() -> [Area; 2] {
    ["632725100", "632725101"].map(|code| Area::new(code).expect("nine digits"))
}

impl World {
    pub fn within(&mut self, area: usize) -> &mut Self {
        self.area = areas()[area % 2].clone();
        self
    }

    pub fn run(&mut self, command: &Command) -> Result<usize, Rejection> {
        self.commands += 1;
        let mut seed = [0; 10];
        seed[..8].copy_from_slice(&self.commands.to_be_bytes());
        let context = Context {
            now: self.now,
            actor: Actor::new(Role::Operator, "test"),
            area: self.area.clone(),
            seed: Seed(seed),
            if_revision: None,
        };
        let events = Orders::decide(&self.state, command, &context).inspect_err(|no| {
            assert!(!no.to_string().is_empty());
        })?;
        let bytes: usize = events.iter().map(|event| event.encode().len()).sum();
        assert!(
            bytes < COMMAND_BYTES_MAX,
            "{command:?} records {bytes} bytes"
        );
        let count = events.len();
        for event in events {
            self.record(event);
        }
        Ok(count)
    }

    pub fn hear(&mut self, service: Service, event: AnyEvent) {
        let record = Recorded {
            position: Position(1),
            event_id: String::new(),
            stream: StreamId::new("foreign", "1"),
            revision: Revision(1),
            area: self.area.clone(),
            occurred: self.now,
            recorded: self.now,
            actor: Actor::system(service.name()),
            cause: Cause::Timer { due: self.now },
            correlation_id: String::new(),
            traceparent: String::new(),
            unit_remaining: 0,
            event,
        };
        for command in Orders::react(&self.state, &record) {
            // A refusal is recorded by the runtime and harms nothing.
            let _ = self.run(&command);
        }
    }

    /// Plays everything due up to `until`. Every due command must have made
    /// progress, or this would not end in life.
    pub fn elapse(&mut self, until: Timestamp) {
        while let Some(at) = Orders::next_due(&self.state).filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let due = Orders::due(&self.state, self.now);
            assert!(!due.is_empty() && due.len() <= 64, "{at:?}: {}", due.len());
            for item in due {
                assert!(item.at <= self.now);
                self.area = item.area;
                let recorded = self.run(&item.command).expect("a timer is not refused");
                assert!(recorded > 0, "{:?} makes no progress", item.command);
            }
        }
        self.now = self.now.max(until);
    }

    pub fn record(&mut self, event: OrderEvent) {
        let stream = event.stream();
        let revision = self.revisions.entry(stream.clone()).or_default();
        *revision = revision.next();
        let record = Recorded {
            position: Position(self.log.len() as u64 + 1),
            event_id: format!("e{}", self.log.len()),
            stream,
            revision: *revision,
            area: self.area.clone(),
            occurred: self.now,
            recorded: self.now,
            actor: Actor::new(Role::Operator, "test"),
            cause: Cause::Timer { due: self.now },
            correlation_id: String::new(),
            traceparent: String::new(),
            unit_remaining: 0,
            event,
        };
        Orders::evolve(&mut self.state, &record);
        self.log.push(record);
    }
}
