//! A suite's logs, written by hand: records with valid envelopes, and means to
//! break them afterwards.

use std::collections::BTreeMap;

use audit::{History, LogName};
use bytes::Bytes;
use decider::{
    Actor, Area, Cause, EventSet, Position, Recorded, Revision, Role, Service, Source, StreamId,
    Timestamp,
};
use prost::Message;
use proto::{
    InventoryEvent, LogisticsEvent, NotificationEvent, OrderEvent,
    inventory::v1 as inv,
    log::v1 as pb,
    logistics::v1 as log,
    notification::v1 as note,
    order::v1 as ord,
    record::{self, Encoded, Raw},
    time::to_proto,
    types::v1 as types,
};

pub const ORDER: &str = "01J9ZORDER";
pub const AREA: &str = "632725100";
const START: i64 = 1_662_076_800_000;

/// An event of any service, ready to be put into a record.
pub struct Event {
    service: Service,
    stream: StreamId,
    encoded: Encoded,
}

macro_rules! events {
    ($($set:ident of $service:ident),*) => {$(
        impl From<$set> for Event {
            fn from(event: $set) -> Self {
                Self {
                    service: Service::$service,
                    stream: event.stream(),
                    encoded: Encoded::from(&event),
                }
            }
        }
    )*};
}
events!(
    OrderEvent of Order, InventoryEvent of Inventory,
    LogisticsEvent of Logistics, NotificationEvent of Notification
);

pub fn order(event: impl Into<OrderEvent>) -> Event {
    event.into().into()
}
pub fn inventory(event: impl Into<InventoryEvent>) -> Event {
    event.into().into()
}
pub fn logistics(event: impl Into<LogisticsEvent>) -> Event {
    event.into().into()
}
pub fn notification(event: impl Into<NotificationEvent>) -> Event {
    event.into().into()
}

/// A record of the runtime itself.
pub fn runtime(service: Service, id: &str, message: &impl prost::Name) -> Event {
    Event {
        service,
        stream: StreamId::new("runtime", id),
        encoded: Encoded {
            type_name: full_name(message),
            data: message.encode_to_vec(),
        },
    }
}

fn full_name<M: prost::Name>(_: &M) -> String {
    M::full_name()
}

#[derive(Default)]
pub struct Suite {
    logs: BTreeMap<Service, Vec<Raw>>,
    now: i64,
    requests: u32,
}

impl Suite {
    /// A request of one service, by an operator or whoever is named.
    pub fn request(&mut self, actor: Actor, events: Vec<Event>) -> Vec<Source> {
        self.requests += 1;
        let cause = Cause::Request {
            request_id: format!("r-{}", self.requests),
            digest: [u8::try_from(self.requests).expect("few requests"); 16],
            record_count: u32::try_from(events.len()).expect("few events"),
        };
        self.record(actor, &cause, events)
    }

    /// What a service made of another's record.
    pub fn reaction(&mut self, source: Source, events: Vec<Event>) -> Vec<Source> {
        let service = events[0].service;
        self.record(
            Actor::system(service.name()),
            &Cause::Source(source),
            events,
        )
    }

    pub fn timer(&mut self, events: Vec<Event>) -> Vec<Source> {
        let service = events[0].service;
        let due = Timestamp(START + self.now);
        self.record(Actor::system(service.name()), &Cause::Timer { due }, events)
    }

    /// A record of the runtime: so far has `by` taken in the source.
    pub fn cursor(&mut self, by: Service, source: Source) {
        let message = pb::CursorAdvanced {
            source: Some(record::source_to_proto(&source)),
        };
        self.timer(vec![runtime(by, "cursor", &message)]);
    }

    fn record(&mut self, actor: Actor, cause: &Cause, events: Vec<Event>) -> Vec<Source> {
        self.now += 60_000;
        let time = Timestamp(START + self.now);
        let mut made = Vec::new();
        for event in events {
            let log = self.logs.entry(event.service).or_default();
            let position = Position(log.len() as u64 + 1);
            let revision = log.iter().filter(|r| r.stream == event.stream).count() as u64 + 1;
            log.push(Recorded {
                position,
                event_id: format!("{}-{position}", event.service),
                stream: event.stream,
                revision: Revision(revision),
                area: Area::new(AREA).expect("nine digits"),
                occurred: time,
                recorded: time,
                actor: actor.clone(),
                cause: cause.clone(),
                correlation_id: "c-1".into(),
                traceparent: String::new(),
                unit_remaining: 0,
                event: event.encoded,
            });
            made.push(LogName::new(event.service, 0).at(position));
        }
        made
    }

    pub fn records(&self, service: Service) -> &[Raw] {
        self.logs.get(&service).map_or(&[], |log| log)
    }

    /// The record of the only event of that type.
    pub fn find(&self, short_name: &str) -> Source {
        let mut found = self.logs.iter().flat_map(|(service, log)| {
            log.iter()
                .filter(|raw| raw.event.short_name() == short_name)
                .map(|raw| LogName::new(*service, 0).at(raw.position))
        });
        let at = found.next().unwrap_or_else(|| panic!("no {short_name}"));
        assert_eq!(found.next(), None, "several {short_name}");
        at
    }

    /// Alters a record where it stands.
    pub fn alter(&mut self, short_name: &str, change: impl FnOnce(&mut Raw)) {
        let at = self.find(short_name);
        self.alter_at(at, change);
    }

    pub fn alter_at(&mut self, at: Source, change: impl FnOnce(&mut Raw)) {
        let log = self.logs.get_mut(&at.service).expect("there");
        change(&mut log[usize::try_from(at.position.0).expect("small") - 1]);
    }

    /// Alters an event where it stands.
    pub fn alter_event<M: Message + Default>(
        &mut self,
        short_name: &str,
        change: impl FnOnce(&mut M),
    ) {
        self.alter(short_name, |raw| {
            let mut message = M::decode(&*raw.event.data).expect("that type");
            change(&mut message);
            raw.event.data = message.encode_to_vec();
        });
    }

    /// Takes a record out and leaves a hole.
    pub fn tear_out(&mut self, short_name: &str) {
        let at = self.find(short_name);
        let log = self.logs.get_mut(&at.service).expect("found");
        log.retain(|raw| raw.position != at.position);
    }

    /// The history in which these never happened, nor what followed from them:
    /// positions, revisions and causes are those of a log without them.
    pub fn without(self, short_names: &[&str]) -> Self {
        let mut gone: Vec<Source> = short_names.iter().map(|name| self.find(name)).collect();
        let mut n = 0;
        while n < gone.len() {
            for (service, log) in &self.logs {
                for raw in log {
                    let at = LogName::new(*service, 0).at(raw.position);
                    if raw.cause == Cause::Source(gone[n]) && !gone.contains(&at) {
                        gone.push(at);
                    }
                }
            }
            n += 1;
        }
        let moved = |at: Source| Source {
            position: Position(
                at.position.0
                    - gone
                        .iter()
                        .filter(|g| g.service == at.service && g.position < at.position)
                        .count() as u64,
            ),
            ..at
        };
        let mut suite = Self {
            logs: BTreeMap::new(),
            ..self
        };
        for (service, log) in self.logs {
            let kept = suite.logs.entry(service).or_default();
            for mut raw in log {
                let at = LogName::new(service, 0).at(raw.position);
                if gone.contains(&at) {
                    continue;
                }
                raw.position = moved(at).position;
                if let Cause::Source(source) = &mut raw.cause {
                    *source = moved(*source);
                }
                let before = kept.iter().filter(|r: &&Raw| r.stream == raw.stream);
                raw.revision = Revision(before.count() as u64 + 1);
                kept.push(raw);
            }
        }
        suite
    }

    pub fn bytes(&self) -> Vec<(LogName, Vec<Bytes>)> {
        self.logs
            .iter()
            .map(|(service, log)| {
                let bytes = log.iter().map(|raw| Bytes::from(record::encode(raw)));
                (LogName::new(*service, 0), bytes.collect())
            })
            .collect()
    }

    pub fn history(&self) -> History {
        History::from_bytes(self.bytes())
    }
}

/// A delivery to each of so many households, one after another, of one lot.
/// Ids are as long as those of [`day`], so that they can be put in their place.
pub fn days(households: usize) -> Vec<(LogName, Vec<Bytes>)> {
    let mut template = day();
    template.alter_event("LotReceived", |e: &mut inv::LotReceived| {
        e.quantity_units = 2 * i64::try_from(households).expect("few");
    });
    let mut logs = BTreeMap::<Service, Vec<Bytes>>::new();
    let mut revisions = std::collections::HashMap::<StreamId, u64>::new();
    for n in 0..households {
        let code = [n / 36, n % 36].map(|d| char::from_digit(u32::try_from(d).expect("digit"), 36));
        let code: String = code.into_iter().map(|c| c.expect("a digit")).collect();
        let renamed = |text: &[u8]| -> Vec<u8> {
            let mut text = text.to_vec();
            for (old, new) in [
                (ORDER, format!("01J9ZORD{code}")),
                ("H-1", format!("H{code}")),
                ("N-1", format!("N{code}")),
                ("R-1", format!("R{code}")),
            ] {
                while let Some(at) = text.windows(old.len()).position(|w| w == old.as_bytes()) {
                    text[at..at + old.len()].copy_from_slice(new.as_bytes());
                }
            }
            text
        };
        let ends: BTreeMap<Service, u64> = Service::ALL
            .map(|s| (s, logs.get(&s).map_or(0, |log| log.len() as u64)))
            .into();
        // Where a record of the template stands in this round.
        let mut moved = std::collections::HashMap::new();
        for (service, log) in &template.logs {
            let mut position = ends[service];
            for raw in log {
                let own = raw
                    .event
                    .data
                    .windows(3)
                    .any(|w| w == b"H-1" || w == b"R-1" || w == b"N-1")
                    || raw
                        .event
                        .data
                        .windows(ORDER.len())
                        .any(|w| w == ORDER.as_bytes());
                if own || n == 0 {
                    position += 1;
                    let at = LogName::new(*service, 0).at(raw.position);
                    moved.insert(at, Position(position));
                }
            }
        }
        for (service, log) in &template.logs {
            for raw in log {
                let at = LogName::new(*service, 0).at(raw.position);
                let Some(position) = moved.get(&at) else {
                    continue;
                };
                let mut raw = raw.clone();
                raw.position = *position;
                raw.event.data = renamed(&raw.event.data);
                let stream = String::from_utf8(renamed(raw.stream.as_str().as_bytes()));
                raw.stream = StreamId::parse(&stream.expect("text")).expect("a stream");
                let revision = revisions.entry(raw.stream.clone()).or_default();
                *revision += 1;
                raw.revision = Revision(*revision);
                raw.recorded.0 += i64::try_from(n).expect("few") * 3_600_000;
                match &mut raw.cause {
                    Cause::Source(source) => source.position = moved[source],
                    Cause::Request { request_id, .. } => *request_id = format!("{request_id}-{n}"),
                    Cause::Timer { .. } => {}
                }
                let bytes = Bytes::from(record::encode(&raw));
                logs.entry(*service).or_default().push(bytes);
            }
        }
    }
    logs.into_iter()
        .map(|(service, records)| (LogName::new(service, 0), records))
        .collect()
}

fn door() -> Option<types::Door> {
    Some(types::Door {
        community: "zhichaka".into(),
        grid: "G03".into(),
        building: "B12".into(),
        entrance: "E2".into(),
        door: "501".into(),
    })
}

fn sealed(household: &str) -> Option<types::Sealed> {
    Some(types::Sealed {
        key_id: format!("household/{household}"),
        nonce: vec![7; 12],
        ciphertext: vec![9; 48],
    })
}

fn lines() -> Vec<types::Line> {
    vec![types::Line {
        product_id: "rice-5kg".into(),
        quantity_units: 2,
    }]
}

fn allocations() -> Vec<inv::Allocation> {
    vec![inv::Allocation {
        lot_id: "L-1".into(),
        product_id: "rice-5kg".into(),
        quantity_units: 2,
    }]
}

pub fn custodian(kind: log::CustodianKind, id: &str) -> Option<log::Custodian> {
    Some(log::Custodian {
        kind: kind.into(),
        id: id.into(),
    })
}

fn operator() -> Actor {
    Actor::new(Role::Operator, "op-1")
}

fn household(id: &str) -> Event {
    order(ord::HouseholdRegistered {
        household_id: id.into(),
        door: door(),
        contact: sealed(id),
        needs: vec![],
        cadre_id: "c-1".into(),
        language: "zh".into(),
        people: 3,
    })
}

/// Two households, one of which orders by telephone, gets its goods and says
/// so; the other has ordered nothing.
pub fn day() -> Suite {
    let mut s = Suite::default();
    prepared(&mut s);
    let left = delivered(&mut s);
    collected(&mut s, left);
    s
}

fn prepared(s: &mut Suite) {
    s.request(
        operator(),
        vec![order(ord::ContingencyActivated {
            area: AREA.into(),
            contingency_id: "C-1".into(),
            reason: "static management".into(),
        })],
    );
    for id in ["H-1", "H-2"] {
        let registered = s.request(operator(), vec![household(id)])[0];
        let contact = note::ContactRecorded {
            household_id: id.into(),
            contact: sealed(id),
            language: "zh".into(),
            needs: vec![],
            cadre_id: "c-1".into(),
        };
        s.reaction(registered, vec![notification(contact)]);
    }
    s.request(
        operator(),
        vec![inventory(inv::ProductDefined {
            product_id: "rice-5kg".into(),
            name: "rice".into(),
            unit_grams: 5000,
            category: inv::Category::Staple.into(),
        })],
    );
    s.request(
        operator(),
        vec![inventory(inv::LotReceived {
            lot_id: "L-1".into(),
            product_id: "rice-5kg".into(),
            quantity_units: 10,
            supplier_id: "grower-1".into(),
            expires_time: None,
            location: "depot".into(),
        })],
    );
    s.request(
        operator(),
        vec![logistics(log::CheckpointRegistered {
            checkpoint_id: "gate-1".into(),
            name: "south gate".into(),
            communities: vec!["zhichaka".into()],
        })],
    );
    s.request(
        operator(),
        vec![logistics(log::MemberRegistered {
            member_id: "m-07".into(),
            capacity_grams: 60_000,
            leader: false,
        })],
    );
    s.request(
        operator(),
        vec![logistics(log::ShiftAssigned {
            shift: Some(log::Shift {
                shift_id: "s-1".into(),
                member_id: "m-07".into(),
                checkpoint_id: "gate-1".into(),
                post: "delivery".into(),
                starts_time: Some(to_proto(Timestamp(START))),
                ends_time: Some(to_proto(Timestamp(START + 8 * 3_600_000))),
            }),
        })],
    );
}

/// Up to the door; gives where it was left.
fn delivered(s: &mut Suite) -> Source {
    let mut cadre = Actor::new(Role::Cadre, "c-1");
    cadre.on_behalf_of = "H-1".into();
    let placed = ord::OrderPlaced {
        order_id: ORDER.into(),
        household_id: "H-1".into(),
        door: door(),
        lines: lines(),
        channel: ord::Channel::Phone.into(),
        group_buy_id: String::new(),
        placed_by: "c-1".into(),
    };
    let released = ord::OrderReleased {
        order_id: ORDER.into(),
        household_id: "H-1".into(),
        door: door(),
        lines: lines(),
        cadre_id: "c-1".into(),
    };
    let released = s.request(cadre, vec![order(placed), order(released)])[1];
    let queued = inv::DemandQueued {
        order_id: ORDER.into(),
        household_id: "H-1".into(),
        door: door(),
        lines: lines(),
        cadre_id: "c-1".into(),
    };
    let reserved = inv::StockReserved {
        order_id: ORDER.into(),
        allocations: allocations(),
        short: vec![],
    };
    let reserved = s.reaction(released, vec![inventory(queued), inventory(reserved)])[1];
    let order_id = || ORDER.to_owned();
    s.reaction(
        reserved,
        vec![order(ord::OrderConfirmed {
            order_id: order_id(),
        })],
    );
    let label = format!("{ORDER}-1");
    let bag = inv::Bag {
        label: label.clone(),
        product_id: "rice-5kg".into(),
        quantity_units: 2,
        weight_grams: 10_000,
    };
    let keeper = || Actor::new(Role::Keeper, "k-1");
    let picked = inv::OrderPicked {
        order_id: order_id(),
        bags: vec![bag.clone()],
    };
    s.request(keeper(), vec![inventory(picked)]);
    let dispatched = inv::OrderDispatched {
        order_id: order_id(),
        household_id: "H-1".into(),
        door: door(),
        cadre_id: "c-1".into(),
        bags: vec![bag],
        load_id: "load-1".into(),
        checkpoint_id: "gate-1".into(),
        custodian_id: "group-1".into(),
        allocations: allocations(),
    };
    let dispatched = s.request(keeper(), vec![inventory(dispatched)])[0];
    let carrier = custodian(log::CustodianKind::Carrier, "group-1");
    let expected = log::ParcelExpected {
        order_id: order_id(),
        household_id: "H-1".into(),
        door: door(),
        cadre_id: "c-1".into(),
        bags: vec![log::ParcelBag {
            label: label.clone(),
            product_id: "rice-5kg".into(),
            quantity_units: 2,
            weight_grams: 10_000,
        }],
        checkpoint_id: "gate-1".into(),
        custodian: carrier.clone(),
        load_id: "load-1".into(),
    };
    s.reaction(dispatched, vec![logistics(expected)]);
    let received = log::ParcelReceived {
        order_id: order_id(),
        checkpoint_id: "gate-1".into(),
        from: carrier,
        to: custodian(log::CustodianKind::Checkpoint, "gate-1"),
        accepted_labels: vec![label],
        household_id: "H-1".into(),
        ..Default::default()
    };
    s.request(keeper(), vec![logistics(received)]);
    let disinfected = log::ParcelDisinfected {
        order_id: order_id(),
        checkpoint_id: "gate-1".into(),
        agent: "chlorine 500 mg/L".into(),
        done_by: "k-1".into(),
    };
    let disinfected = s.request(keeper(), vec![logistics(disinfected)])[0];
    s.reaction(
        disinfected,
        vec![order(ord::OrderReady {
            order_id: order_id(),
        })],
    );
    on_the_run(s)
}

fn on_the_run(s: &mut Suite) -> Source {
    let order_id = || ORDER.to_owned();
    let member = || Actor::new(Role::Member, "m-07");
    let planned = log::RunPlanned {
        run_id: "R-1".into(),
        checkpoint_id: "gate-1".into(),
        member_id: "m-07".into(),
        shift_id: "s-1".into(),
        stops: vec![log::Stop {
            order_id: order_id(),
            door: door(),
            weight_grams: 10_000,
        }],
        weight_grams: 10_000,
        trip: 1,
    };
    s.request(operator(), vec![logistics(planned)]);
    let started = log::RunStarted {
        run_id: "R-1".into(),
        checkpoint_id: "gate-1".into(),
        member_id: "m-07".into(),
        order_ids: vec![order_id()],
    };
    let started = s.request(member(), vec![logistics(started)])[0];
    let out = ord::OrderOutForDelivery {
        order_id: order_id(),
        run_id: "R-1".into(),
        member_id: "m-07".into(),
    };
    s.reaction(started, vec![order(out)]);
    let placed = log::GoodsPlaced {
        order_id: order_id(),
        run_id: "R-1".into(),
        member_id: "m-07".into(),
    };
    s.request(member(), vec![logistics(placed)]);
    let left = log::DoorLeft {
        order_id: order_id(),
        run_id: "R-1".into(),
        member_id: "m-07".into(),
        household_id: "H-1".into(),
        cadre_id: "c-1".into(),
        door: door(),
    };
    let left = s.request(member(), vec![logistics(left)])[0];
    let at = s.records(Service::Logistics)[usize::try_from(left.position.0).expect("small") - 1]
        .recorded;
    let delivered = ord::OrderDelivered {
        order_id: order_id(),
        delivered_time: Some(to_proto(at)),
    };
    s.reaction(left, vec![order(delivered)]);
    left
}

fn collected(s: &mut Suite, left: Source) {
    let order_id = || ORDER.to_owned();
    let kind = note::NotificationKind::GoodsAtDoor;
    let requested = note::NotificationRequested {
        notification_id: "N-1".into(),
        household_id: "H-1".into(),
        kind: kind.into(),
        order_id: order_id(),
        cadre_id: "c-1".into(),
        parameters: vec![],
        needs_receipt: true,
        rung: note::Rung::Message.into(),
        language: "zh".into(),
    };
    s.reaction(left, vec![notification(requested)]);
    let sent = note::MessageSent {
        notification_id: "N-1".into(),
        channel: note::ChannelKind::Console.into(),
        attempt: 1,
        order_id: order_id(),
        kind: kind.into(),
    };
    let sent = s.request(Actor::system("notification"), vec![notification(sent)])[0];
    let called = log::HouseholdCalled {
        order_id: order_id(),
        means: "message".into(),
    };
    s.reaction(sent, vec![logistics(called)]);
    let acknowledged = note::NotificationAcknowledged {
        notification_id: "N-1".into(),
        order_id: order_id(),
        kind: kind.into(),
    };
    let resident = Actor::new(Role::Resident, "H-1");
    let acknowledged = s.request(resident, vec![notification(acknowledged)])[0];
    let collected = log::DeliveryCollected {
        order_id: order_id(),
        evidence: "receipt".into(),
    };
    let collected = s.reaction(acknowledged, vec![logistics(collected)])[0];
    s.reaction(
        collected,
        vec![order(ord::OrderCollected {
            order_id: order_id(),
            evidence: "receipt".into(),
        })],
    );
}
