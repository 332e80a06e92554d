//! Another service, as far as this one sees it: a stream of its records.

use std::sync::Arc;

use bus::{Bus, Relay, StreamName};
use decider::{Actor, Area, Cause, EventSet, Recorded, Revision, Role, Service, spec::START};
use event_log::{EventLog, MemoryLog, Unit};
use proto::record::{self, Encoded};
use service_kit::outbox::LogOutbox;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub const AREA: &str = "632725100";

pub struct Feed {
    log: Arc<MemoryLog>,
}

impl Feed {
    pub fn start(bus: &Bus, service: Service, tasks: &mut JoinSet<()>) -> Self {
        let log = Arc::new(MemoryLog::new());
        let outbox = LogOutbox {
            service,
            partition: 0,
            log: log.clone(),
        };
        let stream = StreamName::new(service.name(), 0);
        let (relay, _) = Relay::new(bus.clone(), stream, Arc::new(outbox));
        tasks.spawn(async move {
            let relayed = relay.run(CancellationToken::new()).await;
            relayed.expect("a relay runs until it is dropped");
        });
        Self { log }
    }

    pub fn publish<E: EventSet>(&self, event: impl Into<E>) {
        let event = event.into();
        let position = self.log.last_position().next();
        let record = Recorded {
            position,
            event_id: format!("event-{position}"),
            stream: event.stream(),
            revision: Revision(1),
            area: Area::new(AREA).expect("nine digits"),
            occurred: START,
            recorded: START,
            actor: Actor::new(Role::Operator, "test"),
            cause: Cause::Request {
                request_id: format!("request-{position}"),
                digest: [0; 16],
                record_count: 1,
            },
            correlation_id: format!("request-{position}"),
            traceparent: String::new(),
            unit_remaining: 0,
            event: Encoded::from(&event),
        };
        let unit = Unit(vec![record::encode(&record).into()]);
        self.log.append(vec![unit]).expect("a record");
    }
}
