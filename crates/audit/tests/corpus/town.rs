//! The four services without their processes: each one's machine, as it runs
//! in life, and the records that it makes. What a machine writes here is byte
//! for byte what a service writes.

use std::collections::BTreeMap;

use audit::LogName;
use bytes::Bytes;
use decider::{
    Actor, Area, Cause, Domain, Position, Revision, Role, Service, StreamId, Timestamp, spec,
};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use prost::{Message, Name};
use proto::{
    AnyEvent,
    log::v1::UnitVoided,
    record::{self, Encoded},
};
use service_kit::partition::machine::{Decision, Machine, RequestMeta, Step};

pub const AREA: &str = "632725100";
const MINUTE_MS: i64 = 60_000;

/// One service of the town.
pub trait Lives: Domain<Foreign = AnyEvent> {
    fn machine(town: &mut Town) -> &mut Machine<Self>
    where
        Self: Sized;
}

macro_rules! lives {
    ($($domain:ty => $field:ident),*) => {$(
        impl Lives for $domain {
            fn machine(town: &mut Town) -> &mut Machine<Self> {
                &mut town.$field
            }
        }
    )*};
}
lives!(Orders => order, Stock => inventory, Logistics => logistics, Notifications => notification);

pub struct Town {
    pub order: Machine<Orders>,
    pub inventory: Machine<Stock>,
    pub logistics: Machine<Logistics>,
    pub notification: Machine<Notifications>,
    logs: BTreeMap<Service, Vec<Bytes>>,
    now: Timestamp,
    requests: u8,
}

impl Town {
    pub fn new() -> Self {
        Self {
            order: Machine::new(0),
            inventory: Machine::new(0),
            logistics: Machine::new(0),
            notification: Machine::new(0),
            logs: BTreeMap::new(),
            now: spec::START,
            requests: 0,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A request that is carried out, and everything that follows from it.
    pub fn ask<D: Lives>(&mut self, actor: Actor, command: D::Command) -> Vec<D::Event> {
        let events = self.ask_alone::<D>(actor, command);
        self.settle();
        events
    }

    /// A request of which the other services have not heard yet.
    pub fn ask_alone<D: Lives>(&mut self, actor: Actor, command: D::Command) -> Vec<D::Event> {
        self.wait_minutes(1);
        self.requests += 1;
        let meta = RequestMeta {
            request_id: format!("town-{}", self.requests),
            digest: [self.requests; 16],
            area: Area::new(AREA).expect("nine digits"),
            actor,
            if_revision: None,
            correlation_id: format!("correlation-{}", self.requests),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
        };
        let now = self.now;
        match D::machine(self).request(&command, &meta, now) {
            Decision::Accepted(step) => self.write::<D>(step),
            Decision::Repeated { .. } => panic!("each request of the town has its own id"),
            Decision::Refused(why) => panic!("{} was refused: {why}", D::command_name(&command)),
        }
    }

    /// Time passes, and every timer fires at its moment.
    pub fn wait_minutes(&mut self, minutes: i64) {
        let until = Timestamp(self.now.0 + minutes * MINUTE_MS);
        loop {
            let next = [
                Orders::next_due(self.order.state()),
                Stock::next_due(self.inventory.state()),
                Logistics::next_due(self.logistics.state()),
                Notifications::next_due(self.notification.state()),
            ];
            match next.into_iter().flatten().min() {
                Some(at) if at <= until => self.now = self.now.max(at),
                _ => break,
            }
            self.fire::<Orders>();
            self.fire::<Stock>();
            self.fire::<Logistics>();
            self.fire::<Notifications>();
            self.settle();
        }
        self.now = until;
    }

    fn fire<D: Lives>(&mut self) {
        let now = self.now;
        for due in D::due(D::machine(self).state(), now) {
            if let Ok(step) = D::machine(self).timer(&due, now) {
                self.write::<D>(step);
            }
        }
    }

    /// Everybody hears of everything.
    fn settle(&mut self) {
        while self.hear::<Orders>()
            || self.hear::<Stock>()
            || self.hear::<Logistics>()
            || self.hear::<Notifications>()
        {}
    }

    /// Takes one record in; false where nothing is new.
    fn hear<D: Lives>(&mut self) -> bool {
        let now = self.now;
        for service in D::SOURCES {
            let next = D::machine(self).cursor(*service).next();
            let Some(bytes) = self.at(*service, next) else {
                continue;
            };
            let raw = record::decode(bytes).expect("a record of ours");
            let source = LogName::new(*service, 0).at(next);
            let type_name = raw.event.type_name.clone();
            let event = AnyEvent::decode(*service, &type_name, &raw.event.data).expect("an event");
            let traceparent = raw.traceparent.clone();
            let foreign = raw.map(|_| event);
            let step = D::machine(self).react(source, &foreign, &type_name, traceparent, now);
            self.write::<D>(step);
            return true;
        }
        false
    }

    /// The notes of the runtime: how far a source was read, a test clock set.
    pub fn note_progress<D: Lives>(&mut self, of: Service) {
        let now = self.now;
        let cursor = D::machine(self).advance_cursor(of, now);
        self.write::<D>(cursor);
        let clock = D::machine(self).advance_clock(now);
        self.write::<D>(clock);
    }

    /// A request that is made again, of which the end was lost with a disk,
    /// and the note that it did not take place. The machine of the service is
    /// not asked any more afterwards: its log is longer than it knows.
    pub fn void_a_unit<D: Lives>(&mut self) {
        let log = self.logs.get_mut(&D::SERVICE).expect("it has records");
        let mut torso = record::decode(&log[log.len() - 1]).expect("a record of ours");
        let at = torso.position.next();
        torso.position = at;
        torso.revision = torso.revision.next();
        torso.event_id = "01GBXMGQC0000000000000T0RS".into();
        torso.unit_remaining = 1;
        let note = UnitVoided {
            from_position: at.0,
            to_position: at.0,
        };
        let mut voided = torso.clone();
        voided.position = at.next();
        voided.event_id = "01GBXMGQC0000000000000V01D".into();
        voided.stream = StreamId::new("runtime", "units");
        voided.revision = Revision(1);
        voided.unit_remaining = 0;
        voided.actor = Actor::system(D::SERVICE.name());
        voided.cause = Cause::Timer { due: self.now };
        voided.correlation_id = String::new();
        voided.traceparent = String::new();
        voided.event = Encoded {
            type_name: UnitVoided::full_name(),
            data: note.encode_to_vec(),
        };
        log.extend([torso, voided].map(|raw| Bytes::from(record::encode(&raw))));
    }

    fn write<D: Lives>(&mut self, step: Step<D::Event>) -> Vec<D::Event> {
        let (unit, records) = step.finish();
        self.logs.entry(D::SERVICE).or_default().extend(unit.0);
        records.into_iter().map(|record| record.event).collect()
    }

    fn at(&self, service: Service, position: Position) -> Option<&Bytes> {
        let index = usize::try_from(position.0 - 1).ok()?;
        self.logs.get(&service)?.get(index)
    }

    pub fn logs(&self) -> impl Iterator<Item = (LogName, Vec<Bytes>)> {
        let logs = self.logs.iter();
        logs.map(|(service, log)| (LogName::new(*service, 0), log.clone()))
    }
}

pub fn operator() -> Actor {
    Actor::new(Role::Operator, "op-1")
}

pub fn resident(household: &str) -> Actor {
    Actor::new(Role::Resident, household)
}
