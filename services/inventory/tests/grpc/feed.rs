//! Another service, as far as this one sees it: a stream of its records.

use std::{collections::BTreeMap, sync::Arc};

use bus::{Bus, Relay, StreamName};
use decider::{Actor, Area, Cause, EventSet, Recorded, Revision, Role, Service, spec::START};
use event_log::{EventLog, MemoryLog, Unit};
use proto::record::{self, Encoded};
use service_kit::outbox::LogOutbox;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Feed {
    log: Arc<MemoryLog>,
    revisions: BTreeMap<String, u64>,
    relay: JoinHandle<()>,
}

impl Feed {
    pub fn start(bus: &Bus, service: Service) -> Self {
        let log = Arc::new(MemoryLog::new());
        let outbox = LogOutbox {
            service,
            partition: 0,
            log: log.clone(),
        };
        let stream = StreamName::new(service.name(), 0);
        let (relay, _) = Relay::new(bus.clone(), stream, Arc::new(outbox));
        let relay = tokio::spawn(async move {
            let relayed = relay.run(CancellationToken::new()).await;
            relayed.expect("a relay runs until it is dropped");
        });
        Self {
            log,
            revisions: BTreeMap::new(),
            relay,
        }
    }

    pub fn publish(&mut self, area: &str, event: &impl EventSet) {
        let position = self.log.last_position().next();
        let stream = event.stream();
        let revision = self.revisions.entry(stream.as_str().into()).or_default();
        *revision += 1;
        let record = Recorded {
            position,
            event_id: format!("event-{position}"),
            stream,
            revision: Revision(*revision),
            area: Area::new(area).expect("nine digits"),
            occurred: START,
            recorded: START,
            actor: Actor::new(Role::Resident, "H1"),
            cause: Cause::Request {
                request_id: format!("request-{position}"),
                digest: [0; 16],
                record_count: 1,
            },
            correlation_id: format!("request-{position}"),
            traceparent: String::new(),
            unit_remaining: 0,
            event: Encoded::from(event),
        };
        let unit = Unit(vec![record::encode(&record).into()]);
        self.log.append(vec![unit]).expect("a record");
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.relay.abort();
    }
}
