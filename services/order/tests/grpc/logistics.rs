//! The logistics service, as far as this one sees it: a stream of its records.

use std::sync::Arc;

use bus::{Relay, StreamName};
use decider::{Actor, Area, Cause, EventSet, Recorded, Revision, Service, Timestamp, spec::START};
use event_log::{EventLog, MemoryLog, Unit};
use proto::{
    LogisticsEvent, OrderEvent,
    logistics::v1::{DoorLeft, RunStarted},
    record::{self, Encoded},
};
use service_kit::outbox::LogOutbox;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{ask::AREA, desk::Desk};

pub struct Logistics {
    log: Arc<MemoryLog>,
    relay: JoinHandle<()>,
}

impl Logistics {
    pub async fn start(desk: &Desk) -> Self {
        let log = Arc::new(MemoryLog::new());
        let outbox = LogOutbox {
            service: Service::Logistics,
            partition: 0,
            log: log.clone(),
        };
        let stream = StreamName::new(Service::Logistics.name(), 0);
        let (relay, _) = Relay::new(desk.bus().await, stream, Arc::new(outbox));
        let relay = tokio::spawn(async move {
            let relayed = relay.run(CancellationToken::new()).await;
            relayed.expect("a relay runs until it is dropped");
        });
        Self { log, relay }
    }

    /// The order is left at the door; returns when the desk has recorded it.
    pub async fn serve(&self, desk: &mut Desk, order_id: &str) -> Recorded<OrderEvent> {
        self.publish(RunStarted {
            run_id: "run-1".into(),
            member_id: "m-07".into(),
            order_ids: vec![order_id.into()],
            ..RunStarted::default()
        });
        self.publish(DoorLeft {
            order_id: order_id.into(),
            ..DoorLeft::default()
        });
        desk.recorded(|record| match &record.event {
            OrderEvent::OrderDelivered(event) if event.order_id == order_id => Some(record.clone()),
            _ => None,
        })
        .await
    }

    fn publish(&self, event: impl Into<LogisticsEvent>) {
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
            actor: Actor::system("test"),
            cause: Cause::Timer {
                due: Timestamp::default(),
            },
            correlation_id: format!("event-{position}"),
            traceparent: String::new(),
            unit_remaining: 0,
            event: Encoded::from(&event),
        };
        let unit = Unit(vec![record::encode(&record).into()]);
        self.log.append(vec![unit]).expect("a good record");
    }
}

impl Drop for Logistics {
    fn drop(&mut self) {
        self.relay.abort();
    }
}
