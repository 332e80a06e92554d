//! A town whose households all order by telephone and are served, as one
//! partition's log of the order service.

use std::{path::Path, sync::Arc};

use decider::{
    Actor, Area, EventSet, Position, Recorded, Revision, Role, Service, Source, Timestamp,
    spec::START,
};
use event_log::{EventLog, SledLog, SledOptions, Unit};
use order_domain::{Command, Intake, Orders, PlaceOrder, RegisterHousehold};
use proto::{
    AnyEvent, InventoryEvent, LogisticsEvent,
    inventory::v1::StockReserved,
    logistics::v1::{DeliveryCollected, DoorLeft, ParcelDisinfected, RunStarted},
    record::Encoded,
    types::v1::{Door, Line, Need, Sealed},
};
use service_kit::partition::machine::{Decision, Machine, RequestMeta, Step};

/// Commands appended together.
const GROUP: usize = 64;

/// A machine whose records go into a log.
pub struct Town {
    pub machine: Machine<Orders>,
    pub log: Arc<dyn EventLog>,
    units: Vec<Unit>,
    requests: u64,
    heard: [u64; 2],
}

impl Town {
    pub fn new(directory: &Path) -> Self {
        let options = SledOptions {
            sync: false,
            ..SledOptions::new(directory)
        };
        let (log, _) = SledLog::open(options).expect("a new log");
        Self {
            machine: Machine::new(0),
            log: Arc::new(log),
            units: Vec::new(),
            requests: 0,
            heard: [0; 2],
        }
    }

    fn now(&self) -> Timestamp {
        START.plus_seconds(i64::try_from(self.requests).expect("small"))
    }

    pub fn request(&mut self, command: &Command) -> Step<proto::OrderEvent> {
        self.requests += 1;
        let request_id = format!("5f0a1e7c-0000-4000-8000-{:012}", self.requests);
        let meta = RequestMeta {
            digest: [7; 16],
            area: area(),
            actor: Actor::new(Role::Cadre, "cadre-07"),
            if_revision: None,
            correlation_id: request_id.clone(),
            request_id,
            traceparent: String::new(),
        };
        match self.machine.request(command, &meta, self.now()) {
            Decision::Accepted(step) => step,
            other => panic!("not accepted: {other:?}"),
        }
    }

    fn hear(
        &mut self,
        service: Service,
        event: AnyEvent,
        bare: Encoded,
    ) -> Step<proto::OrderEvent> {
        let heard = &mut self.heard[usize::from(service == Service::Logistics)];
        *heard += 1;
        let position = Position(*heard);
        let source = Source {
            service,
            partition: 0,
            position,
        };
        let foreign = Recorded {
            position,
            event_id: format!("01GBY5F0G0{position:0>16}"),
            stream: decider::StreamId::parse("parcel/any").expect("a stream"),
            revision: Revision(1),
            area: area(),
            occurred: self.now(),
            recorded: self.now(),
            actor: Actor::system(service.name()),
            cause: decider::Cause::Source(source),
            correlation_id: "01GBY5F0G00000000000000000".into(),
            traceparent: String::new(),
            unit_remaining: 0,
            event,
        };
        let now = self.now();
        self.machine
            .react(source, &foreign, &bare.type_name, String::new(), now)
    }

    fn inventory(&mut self, event: impl Into<InventoryEvent>) {
        let event = event.into();
        let bare = Encoded::from(&event);
        let step = self.hear(Service::Inventory, AnyEvent::Inventory(event), bare);
        self.keep(step);
    }

    fn logistics(&mut self, event: impl Into<LogisticsEvent>) {
        let event = event.into();
        let bare = Encoded::from(&event);
        let step = self.hear(Service::Logistics, AnyEvent::Logistics(event), bare);
        self.keep(step);
    }

    pub fn keep(&mut self, step: Step<proto::OrderEvent>) {
        assert!(!step.is_empty(), "everything here has an effect");
        self.units.push(step.finish().0);
        if self.units.len() == GROUP {
            self.flush();
        }
    }

    pub fn flush(&mut self) {
        let units = std::mem::take(&mut self.units);
        self.log.append(units).expect("room for the log");
    }

    pub fn activate(&mut self) {
        let step = self.request(&Command::ActivateContingency {
            reason: "static management".into(),
        });
        self.keep(step);
    }

    pub fn register(&mut self, n: u64) {
        let step = self.request(&Command::RegisterHousehold(household(n)));
        self.keep(step);
    }

    /// A household orders by telephone and its goods are reserved: an order
    /// under way.
    pub fn order(&mut self, n: u64) -> String {
        let placed = self.request(&Command::PlaceOrder(PlaceOrder {
            household_id: format!("H{n:06}").as_str().into(),
            lines: ["flour", "oil", "greens"].map(line).into(),
            intake: Intake::Phone,
            placed_by: "cadre-07".into(),
        }));
        let order_id = placed.records[0].event.stream().id().to_owned();
        self.keep(placed);
        self.inventory(StockReserved {
            order_id: order_id.clone(),
            ..StockReserved::default()
        });
        order_id
    }

    /// A household orders and is served: six records.
    pub fn serve(&mut self, n: u64) {
        let order_id = self.order(n);
        self.logistics(ParcelDisinfected {
            order_id: order_id.clone(),
            ..ParcelDisinfected::default()
        });
        self.logistics(RunStarted {
            run_id: format!("01GBY5F0G1{n:016}"),
            member_id: "m-07".into(),
            order_ids: vec![order_id.clone()],
            ..RunStarted::default()
        });
        self.logistics(DoorLeft {
            order_id: order_id.clone(),
            ..DoorLeft::default()
        });
        self.logistics(DeliveryCollected {
            order_id,
            evidence: "receipt".into(),
        });
    }
}

pub fn area() -> Area {
    Area::new("632725100").expect("nine digits")
}

fn line(product_id: &str) -> Line {
    Line {
        product_id: product_id.into(),
        quantity_units: 2,
    }
}

fn household(n: u64) -> RegisterHousehold {
    let household_id = format!("H{n:06}");
    RegisterHousehold {
        household_id: household_id.as_str().into(),
        door: Door {
            community: format!("C{:02}", n / 2_500),
            grid: format!("G{:02}", n / 250 % 10),
            building: format!("B{:02}", n / 50 % 5),
            entrance: format!("E{}", n / 10 % 5),
            door: format!("{}01", n % 10),
        },
        contact: Some(Sealed {
            key_id: format!("household/{household_id}"),
            nonce: vec![7; 12],
            ciphertext: vec![7; 90],
        }),
        needs: vec![Need::Elderly],
        cadre_id: format!("cadre-{}", n / 100).into(),
        language: "zh".into(),
        people: 3,
    }
}
