//! Random histories: whatever is asked and reported in whatever order, lots
//! are conserved, nobody is overtaken or forgotten, what expires first goes
//! first, and the log alone gives the same state again.

#[path = "support/goods.rs"]
mod goods;
#[path = "support/model.rs"]
mod model;

use std::collections::HashMap;

use decider::{
    Actor, Area, Cause, Context, Domain, EventSet, Position, Recorded, Revision, Seed, StreamId,
    Timestamp,
    rewritten::{Codec, assert_goes_on},
    spec::START,
};
use inventory_domain::{Command, Rejection, State, Stock};
use model::Model;
use proptest::prelude::*;
use proto::{AnyEvent, InventoryEvent};

const PRODUCTS: [&str; 3] = ["rice", "oil", "salt"];

/// One thing that happens; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Receive {
        product: usize,
        units: i64,
        hours: Option<i64>,
    },
    Order {
        lines: Vec<(usize, i64)>,
    },
    Cancel(usize),
    Spoil {
        lot: usize,
        units: i64,
    },
    Close,
    Open,
    Pick(Vec<usize>),
    Dispatch(Vec<usize>),
    Except {
        order: usize,
        bag: usize,
    },
    Return(usize),
    Withdraw(usize),
    Wait {
        hours: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..40usize;
    prop_oneof![
        5 => (0..3usize, 1..9i64, prop::option::of(1..30i64))
            .prop_map(|(product, units, hours)| Step::Receive { product, units, hours }),
        9 => prop::collection::vec((0..4usize, 1..6i64), 1..4)
            .prop_map(|lines| Step::Order { lines }),
        1 => n.clone().prop_map(Step::Cancel),
        1 => (n.clone(), 1..4i64).prop_map(|(lot, units)| Step::Spoil { lot, units }),
        1 => Just(Step::Close),
        1 => Just(Step::Open),
        3 => prop::collection::vec(n.clone(), 1..9).prop_map(Step::Pick),
        3 => prop::collection::vec(n.clone(), 1..9).prop_map(Step::Dispatch),
        3 => (n.clone(), 0..4usize).prop_map(|(order, bag)| Step::Except { order, bag }),
        1 => n.clone().prop_map(Step::Return),
        1 => n.prop_map(Step::Withdraw),
        2 => (1..9i64).prop_map(|hours| Step::Wait { hours }),
    ]
}

/// Steps, and whether what is due is carried out after each.
fn history() -> impl Strategy<Value = Vec<(Step, bool)>> {
    prop::collection::vec((step(), prop::bool::weighted(0.7)), 1..120)
}

struct World {
    state: State,
    log: Vec<Recorded<InventoryEvent>>,
    revisions: HashMap<StreamId, Revision>,
    now: Timestamp,
    model: Model,
    orders: usize,
    lots: usize,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            state: State::default(),
            log: Vec::new(),
            revisions: HashMap::new(),
            now: START,
            model: Model::default(),
            orders: 0,
            lots: 0,
        };
        for (n, product) in PRODUCTS.iter().enumerate() {
            let grams = [5_000, 10_000, 500][n];
            let _ = world.run(&goods::define(product, grams));
        }
        world
    }

    fn run(&mut self, command: &Command) -> Result<usize, Rejection> {
        let events = Stock::decide(&self.state, command, &context(self.now))?;
        let bytes: usize = events.iter().map(|event| event.encode().len()).sum();
        assert!(bytes <= 48 * 1024, "{bytes} bytes of one command");
        for event in &events {
            self.model.see(event, self.now);
            self.record(event.clone());
        }
        Ok(events.len())
    }

    fn record(&mut self, event: InventoryEvent) {
        let stream = event.stream();
        let revision = self.revisions.entry(stream.clone()).or_default();
        *revision = revision.next();
        let position = self.log.len() as u64 + 1;
        let record = recorded(event, stream, position, *revision, self.now);
        Stock::evolve(&mut self.state, &record);
        self.log.push(record);
    }

    fn react(&mut self, event: AnyEvent) {
        let source = recorded(
            event,
            StreamId::new("foreign", "1"),
            1,
            Revision(1),
            self.now,
        );
        for command in Stock::react(&self.state, &source) {
            let _ = self.run(&command);
        }
    }

    /// Carries out what is due; every command of it must achieve something.
    fn work(&mut self) {
        while Stock::next_due(&self.state).is_some_and(|at| at <= self.now) {
            let due = Stock::due(&self.state, self.now);
            assert!(!due.is_empty());
            for item in due {
                assert!(item.at <= self.now);
                let events = self.run(&item.command).expect("work is never refused");
                assert!(events > 0, "a due command stays due");
            }
        }
        self.model.at_rest(self.now);
    }

    fn order(&self, n: usize) -> String {
        format!("O-{}", n % self.orders.max(1))
    }

    fn step(&mut self, step: &Step) {
        let some = |world: &Self, all: &[usize]| -> Vec<String> {
            all.iter().map(|n| world.order(*n)).collect()
        };
        match step {
            Step::Receive {
                product,
                units,
                hours,
            } => {
                let expires = hours.map(|hours| self.now.plus_minutes(hours * 60));
                // Ids in an order of their own, not in that of arrival.
                let id = format!("L-{}-{}", (self.lots * 7) % 10, self.lots);
                self.lots += 1;
                let lot = goods::expiring(&id, PRODUCTS[*product], *units, expires);
                self.run(&lot).expect("a good lot");
            }
            Step::Order { lines } => {
                let lines: Vec<_> = lines
                    .iter()
                    .map(|(p, units)| (PRODUCTS.get(*p).copied().unwrap_or("oil"), *units))
                    .collect();
                let event = goods::released(&format!("O-{}", self.orders), &lines);
                self.orders += 1;
                self.react(event);
            }
            Step::Cancel(n) => self.react(goods::cancelled(&self.order(*n))),
            Step::Spoil { lot, units } => {
                let lots: Vec<_> = self.state.lots(&area(), None, None).collect();
                if let Some(lot) = lots.get(lot % lots.len().max(1)) {
                    let command = goods::spoil(&lot.lot_id, *units);
                    let _ = self.run(&command);
                }
            }
            Step::Close => drop(self.run(&Command::CloseProcurement)),
            Step::Open => drop(self.run(&Command::OpenProcurement)),
            Step::Pick(all) => {
                for id in some(self, all) {
                    let _ = self.run(&goods::pick(&[&id]));
                }
            }
            Step::Dispatch(all) => {
                for id in some(self, all) {
                    let _ = self.run(&goods::dispatch(&[&id]));
                }
            }
            Step::Except { order, bag } => {
                let id = self.order(*order);
                let demand = self.state.demand(&area(), &id);
                let bags = demand.map(|demand| demand.bags.clone()).unwrap_or_default();
                // The last bags are the replacements.
                if let Some(bag) = bags.iter().rev().nth(*bag) {
                    self.react(goods::excepted(&id, &[&bag.label]));
                }
            }
            Step::Return(n) => self.react(goods::came_back(&self.order(*n))),
            Step::Withdraw(n) => self.react(goods::withdrawn(&self.order(*n))),
            Step::Wait { hours } => self.now = self.now.plus_minutes(hours * 60),
        }
    }

    fn play(history: &[(Step, bool)]) -> Self {
        let mut world = Self::new();
        for (step, then_work) in history {
            world.step(step);
            if *then_work {
                world.work();
            }
            assert_eq!(Stock::violations(&world.state), []);
            let length = world.state.queue_length(&area());
            let waiting = length.orders + length.replacements;
            assert_eq!(waiting, world.model.waiting());
        }
        world
    }
}

fn area() -> Area {
    Area::new("632725100").expect("nine digits")
}

fn context(now: Timestamp) -> Context {
    Context {
        now,
        actor: Actor::system("test"),
        area: area(),
        seed: Seed::default(),
        if_revision: None,
    }
}

fn recorded<E>(
    event: E,
    stream: StreamId,
    position: u64,
    revision: Revision,
    now: Timestamp,
) -> Recorded<E> {
    Recorded {
        position: Position(position),
        event_id: format!("e-{position}"),
        stream,
        revision,
        area: area(),
        occurred: now,
        recorded: now,
        actor: Actor::system("test"),
        cause: Cause::Timer { due: now },
        correlation_id: String::new(),
        traceparent: String::new(),
        unit_remaining: 0,
        event,
    }
}

fn replay(log: &[Recorded<InventoryEvent>]) -> State {
    let mut state = State::default();
    for record in log {
        Stock::evolve(&mut state, record);
    }
    state
}

/// Everything that can be asked of a state, whatever it is made of.
fn ask_everything(state: &State, log: &[Recorded<InventoryEvent>]) {
    let _ = Stock::violations(state);
    for record in log {
        let _ = Stock::describe(state, &record.stream);
    }
    let _ = state.procurement_need(&area());
    let any = proto::inventory::v1::DemandState::Unspecified;
    let _ = state.demands(&area(), any, None).map(Iterator::count);
}

const POSTCARD: Codec<State> = Codec {
    write: |state| postcard::to_stdvec(state).expect("a state can be written"),
    read: |bytes| postcard::from_bytes(bytes).expect("what was written can be read"),
};

/// What an altered log may hold: events out of order, twice, not at all, or
/// with absurd numbers in them.
fn disturb(log: &mut Vec<Recorded<InventoryEvent>>, disturbances: &[(usize, usize, i64)]) {
    for (kind, n, number) in disturbances {
        let (a, b) = (n % log.len(), (n / 7) % log.len());
        match kind {
            0 => log.swap(a, b),
            1 => log.push(log[a].clone()),
            2 if log.len() > 1 => drop(log.remove(a)),
            _ => match &mut log[a].event {
                InventoryEvent::LotReceived(e) => e.quantity_units = *number,
                InventoryEvent::StockSpoiled(e) => e.quantity_units = *number,
                InventoryEvent::ProductDefined(e) => e.unit_grams = *number,
                InventoryEvent::DemandQueued(e) => e.lines[0].quantity_units = *number,
                InventoryEvent::StockReserved(e) => e.allocations[0].quantity_units = *number,
                InventoryEvent::OrderPicked(e) => e.bags[0].quantity_units = *number,
                InventoryEvent::ReplacementQueued(e) => e.line = None,
                InventoryEvent::OrderDispatched(e) => e.allocations.clear(),
                _ => {}
            },
        }
    }
    for (n, record) in log.iter_mut().enumerate() {
        record.position = Position(n as u64 + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lots_are_conserved_and_nobody_is_overtaken_or_forgotten(history in history()) {
        World::play(&history);
    }

    #[test]
    fn when_what_is_needed_is_bought_nobody_waits_any_more(history in history()) {
        let mut world = World::play(&history);
        let _ = world.run(&Command::OpenProcurement);
        world.work();
        for need in world.state.procurement_need(&area()) {
            prop_assert_eq!(need.demanded.0, world.model.demanded(&need.product_id));
            if need.to_buy.0 > 0 {
                let id = format!("bought-{}", need.product_id);
                let lot = goods::lot(&id, &need.product_id, need.to_buy.0);
                world.run(&lot).expect("a good lot");
            }
        }
        world.work();
        prop_assert_eq!(world.model.waiting(), 0);
    }

    #[test]
    fn the_log_alone_gives_the_same_state_again(history in history()) {
        let world = World::play(&history);
        let replayed = replay(&world.log);
        prop_assert!(replayed == world.state);
        for record in &world.log {
            prop_assert_eq!(
                Stock::describe(&replayed, &record.stream),
                Stock::describe(&world.state, &record.stream)
            );
        }
        prop_assert!(World::play(&history).log == world.log);
    }

    #[test]
    fn a_state_written_and_read_again_goes_on_as_it_was(
        history in history(),
        disturbances in prop::collection::vec(
            (0..4usize, any::<usize>(), prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(0), -5..5i64]),
            0..10,
        ),
        cut in any::<usize>(),
    ) {
        let mut log = World::play(&history).log;
        disturb(&mut log, &disturbances);
        assert_goes_on::<Stock>(&log, cut, &POSTCARD, |state| format!("{state:?}"));
    }

    #[test]
    fn no_order_of_events_and_no_number_in_them_makes_the_state_panic(
        history in history(),
        disturbances in prop::collection::vec(
            (0..4usize, any::<usize>(), prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(0), -5..5i64]),
            1..40,
        ),
    ) {
        let mut log = World::play(&history).log;
        disturb(&mut log, &disturbances);
        let mut world = World::new();
        world.state = replay(&log);
        world.log = log;
        world.now = START.plus_minutes(365 * 24 * 60);
        ask_everything(&world.state, &world.log);
        // Work on such a state ends, too.
        let context = context(world.now);
        let mut rounds = 0;
        while Stock::next_due(&world.state).is_some_and(|at| at <= world.now) {
            let events = Stock::decide(&world.state, &Command::AllocateDemand, &context);
            for event in events.expect("work is never refused") {
                world.record(event);
            }
            rounds += 1;
            prop_assert!(rounds < 1_000, "work on an altered state never ends");
        }
        ask_everything(&world.state, &world.log);
    }
}
