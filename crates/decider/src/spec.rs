//! Given/when/then for deciders: tests that read as specifications.
//!
//! ```ignore
//! Spec::<Orders>::given([household("H1")])
//!     .when(place_order("H1"))
//!     .then([order_placed("H1")]);
//! ```

use std::collections::HashMap;

use crate::{
    Actor, Area, Cause, Context, Domain, Due, EventSet, Position, Recorded, Revision, Role, Seed,
    Service, Source, StreamId, Timestamp,
};

/// 2 September 2022, 08:00 in Nangqian (UTC+8).
pub const START: Timestamp = Timestamp(1_662_076_800_000);

/// A state under test, with the context of the next command.
pub struct Spec<D: Domain> {
    pub state: D::State,
    pub context: Context,
    revisions: HashMap<StreamId, Revision>,
    position: Position,
}

impl<D: Domain> Spec<D> {
    /// A state in which these events have happened, in this order.
    pub fn given(events: impl IntoIterator<Item = D::Event>) -> Self {
        let mut spec = Self {
            state: D::State::default(),
            context: Context {
                now: START,
                actor: Actor::new(Role::Operator, "test"),
                area: Area::new("632725100").expect("nine digits"),
                seed: Seed::default(),
                if_revision: None,
            },
            revisions: HashMap::new(),
            position: Position::ZERO,
        };
        for event in events {
            spec.record(event);
        }
        spec
    }

    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.context.now = now;
        self
    }

    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.context.actor = actor;
        self
    }

    /// Decides without changing the state.
    pub fn when(&self, command: D::Command) -> Outcome<D> {
        Outcome {
            result: D::decide(&self.state, &command, &self.context),
            command,
        }
    }

    /// Decides and, when accepted, folds the events.
    ///
    /// # Errors
    /// The rejection.
    pub fn run(&mut self, command: D::Command) -> Result<Vec<D::Event>, D::Rejection> {
        // Each command has a seed of its own, as each request has in life.
        let position = self.position.0.to_be_bytes();
        self.context.seed.0[..8].copy_from_slice(&position);
        let events = D::decide(&self.state, &command, &self.context)?;
        for event in &events {
            self.record(event.clone());
        }
        Ok(events)
    }

    /// Runs a command that must be accepted.
    ///
    /// # Panics
    /// It was refused.
    pub fn accept(&mut self, command: D::Command) -> Vec<D::Event> {
        let name = D::command_name(&command);
        match self.run(command) {
            Ok(events) => events,
            Err(rejection) => panic!("{name} was refused: {rejection}"),
        }
    }

    /// Reacts to a foreign event and folds what follows; rejections are given
    /// back and do not stop the next command.
    pub fn react(
        &mut self,
        service: Service,
        event: D::Foreign,
    ) -> Vec<Result<Vec<D::Event>, D::Rejection>> {
        let record = Recorded {
            position: Position(1),
            event_id: String::new(),
            stream: StreamId::new("foreign", "1"),
            revision: Revision(1),
            area: self.context.area.clone(),
            occurred: self.context.now,
            recorded: self.context.now,
            actor: Actor::system(service.name()),
            cause: Cause::Timer {
                due: self.context.now,
            },
            correlation_id: String::new(),
            traceparent: String::new(),
            unit_remaining: 0,
            event,
        };
        D::react(&self.state, &record)
            .into_iter()
            .map(|command| self.run(command))
            .collect()
    }

    /// Carries out everything due up to `now`, in order, and gives the number
    /// of commands.
    ///
    /// # Panics
    /// A due command stays due, which would never end in life.
    pub fn elapse(&mut self, now: Timestamp) -> usize {
        let mut fired = 0;
        loop {
            let next = match D::next_due(&self.state) {
                Some(at) if at <= now => at.max(self.context.now),
                _ => break,
            };
            self.context.now = next;
            let due: Vec<Due<D::Command>> = D::due(&self.state, next);
            assert!(
                !due.is_empty(),
                "next_due promises {next:?} and due gives nothing"
            );
            for item in due {
                fired += 1;
                let _ = self.run(item.command);
            }
            assert!(fired < 1_000_000, "a due command stays due");
        }
        self.context.now = self.context.now.max(now);
        fired
    }

    /// Folds an event that no command may have made.
    pub fn happened(&mut self, event: D::Event) {
        self.record(event);
    }

    fn record(&mut self, event: D::Event) {
        self.position = self.position.next();
        let stream = event.stream();
        let revision = self.revisions.entry(stream.clone()).or_default();
        *revision = revision.next();
        let record = Recorded {
            position: self.position,
            event_id: format!("test-{}", self.position),
            stream,
            revision: *revision,
            area: self.context.area.clone(),
            occurred: self.context.now,
            recorded: self.context.now,
            actor: self.context.actor.clone(),
            cause: Cause::Source(Source {
                service: D::SERVICE,
                partition: 0,
                position: self.position,
            }),
            correlation_id: "test".into(),
            traceparent: String::new(),
            unit_remaining: 0,
            event,
        };
        D::evolve(&mut self.state, &record);
    }
}

/// What was decided.
pub struct Outcome<D: Domain> {
    command: D::Command,
    pub result: Result<Vec<D::Event>, D::Rejection>,
}

impl<D: Domain> Outcome<D> {
    /// # Panics
    /// It was refused, or other events came out.
    pub fn then(self, expected: impl IntoIterator<Item = D::Event>) {
        let expected: Vec<_> = expected.into_iter().collect();
        match self.result {
            Ok(events) => assert_eq!(events, expected, "after {:?}", self.command),
            Err(rejection) => panic!("{:?} was refused: {rejection}", self.command),
        }
    }

    /// # Panics
    /// It was accepted, or refused for another reason.
    pub fn then_rejected(self, expected: D::Rejection) {
        match self.result {
            Ok(events) => panic!("{:?} was accepted: {events:?}", self.command),
            Err(rejection) => assert_eq!(rejection, expected),
        }
    }
}
