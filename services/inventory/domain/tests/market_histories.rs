//! Random histories of the surplus trade: whatever is listed, asked, answered
//! and carried in whatever order, every unit is in one place, no limit is
//! broken, nothing due stays due, and the log alone gives the same state again.

#[path = "support/market.rs"]
mod support;

use std::collections::BTreeMap;

use decider::{
    Actor, Cause, Context, Domain, EventSet, Position, Recorded, Revision, Seed, StreamId,
    Timestamp,
    rewritten::{Codec, assert_goes_on},
    spec::START,
};
use inventory_domain::{Command, FenPerKg, MatchFilter, Rejection, State, Stock, Units};
use proptest::prelude::*;
use proto::{
    AnyEvent, InventoryEvent as E, LogisticsEvent,
    inventory::v1::{
        BulkDemandState, CapPolicy, Grade, ListingState, MatchProposed, MatchSide, MatchState,
    },
};
use support as s;

#[derive(Debug, Clone)]
enum Step {
    Offer {
        grower: usize,
        product: usize,
        units: i64,
        asking: i64,
        hours: i64,
    },
    Change(usize, i64, i64),
    Withdraw(usize),
    Ask {
        buyer: usize,
        product: usize,
        units: i64,
        highest: i64,
        hours: i64,
        days: i64,
    },
    Forgo(usize),
    Price(usize, i64, bool),
    Open,
    Close,
    Confirm(usize, bool),
    Refuse(usize, bool),
    Ship(usize, usize),
    Reload(usize),
    Hand(usize, i64, i64),
    Cancel(usize),
    Lose(usize),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0..30usize;
    prop_oneof![
        6 => (0..5usize, 0..2usize, 1..60_i64, 80..120_i64, 1..40_i64).prop_map(
            |(grower, product, units, asking, hours)| Step::Offer { grower, product, units, asking, hours }),
        1 => (n(), 1..60_i64, 80..120_i64).prop_map(|(n, units, asking)| Step::Change(n, units, asking)),
        1 => n().prop_map(Step::Withdraw),
        4 => (0..3usize, 0..2usize, 1..90_i64, 90..130_i64, 2..30_i64, 0..4_i64).prop_map(
            |(buyer, product, units, highest, hours, days)| Step::Ask { buyer, product, units, highest, hours, days }),
        1 => n().prop_map(Step::Forgo),
        1 => (0..2usize, 90..120_i64, any::<bool>()).prop_map(|(p, cap, flag)| Step::Price(p, cap, flag)),
        3 => Just(Step::Open),
        1 => Just(Step::Close),
        12 => (n(), any::<bool>()).prop_map(|(n, buyer)| Step::Confirm(n, buyer)),
        2 => (n(), any::<bool>()).prop_map(|(n, buyer)| Step::Refuse(n, buyer)),
        4 => (n(), 1..4usize).prop_map(|(n, many)| Step::Ship(n, many)),
        1 => (0..9usize).prop_map(Step::Reload),
        3 => (0..9usize, 0..60_i64, 0..9_i64).prop_map(|(n, accepted, damaged)| Step::Hand(n, accepted, damaged)),
        1 => (0..9usize).prop_map(Step::Cancel),
        1 => (0..9usize).prop_map(Step::Lose),
        5 => prop_oneof![1..90_i64, 1..2_000_i64].prop_map(Step::Wait),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..90)
}

const PRODUCTS: [&str; 2] = ["radish", "greens"];
const BUYERS: [&str; 3] = ["hotel", "plant", "inn"];

struct World {
    state: State,
    log: Vec<Recorded<E>>,
    revisions: BTreeMap<StreamId, Revision>,
    now: Timestamp,
    commands: u64,
    /// By shipment, the matches that it was drafted with.
    shipments: Vec<Vec<String>>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            state: State::default(),
            log: Vec::new(),
            revisions: BTreeMap::new(),
            now: START,
            commands: 0,
            shipments: Vec::new(),
        };
        for product in PRODUCTS {
            world.run(&s::define(product)).expect("a product");
        }
        for (n, buyer) in BUYERS.iter().enumerate() {
            let zone = ["z1", "z2", "z1"][n];
            world.run(&s::buyer(buyer, zone)).expect("a buyer");
        }
        world
    }

    fn context(&self) -> Context {
        let mut seed = Seed::default();
        seed.0[..8].copy_from_slice(&self.commands.to_be_bytes());
        Context {
            now: self.now,
            actor: Actor::system("test"),
            area: area(),
            seed,
            if_revision: None,
        }
    }

    fn run(&mut self, command: &Command) -> Result<usize, Rejection> {
        self.commands += 1;
        let events = Stock::decide(&self.state, command, &self.context())?;
        let bytes: usize = events.iter().map(|event| event.encode().len()).sum();
        assert!(bytes <= 40 * 1024, "{bytes} bytes of one command");
        assert!(
            events.len() <= 100,
            "{} events of one command",
            events.len()
        );
        for event in &events {
            self.check(event);
            self.record(event.clone());
        }
        Ok(events.len())
    }

    /// Before it is folded: what is proposed is within everybody's limits.
    fn check(&self, event: &E) {
        let E::MatchProposed(e) = event else { return };
        let listing = self.state.listing(&area(), &e.listing_id).expect("listed");
        let demand = self
            .state
            .bulk_demand(&area(), &e.demand_id)
            .expect("asked");
        assert!(Units(e.quantity_units) <= listing.open);
        assert!(Units(e.quantity_units) <= demand.open);
        assert!(listing.asking <= demand.highest);
        assert_eq!(FenPerKg(e.price_fen_per_kg), listing.asking);
        let by = proto::time::or_epoch(e.answer_by_time.as_ref());
        assert!(by > self.now && by < listing.to && by < demand.to);
    }

    fn record(&mut self, event: E) {
        let stream = event.stream();
        let revision = self.revisions.entry(stream.clone()).or_default();
        *revision = revision.next();
        let record = recorded(
            event,
            stream,
            self.log.len() as u64 + 1,
            *revision,
            self.now,
        );
        Stock::evolve(&mut self.state, &record);
        self.log.push(record);
    }

    fn hear(&mut self, event: LogisticsEvent) {
        let event = AnyEvent::Logistics(event);
        let source = recorded(event, StreamId::new("s", "1"), 1, Revision(1), self.now);
        for command in Stock::react(&self.state, &source) {
            self.run(&command).expect("facts are not refused");
        }
    }

    /// Time passes; every due command achieves something.
    fn wait(&mut self, minutes: i64) {
        let until = self.now.plus_minutes(minutes);
        while let Some(at) = Stock::next_due(&self.state).filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let due = Stock::due(&self.state, self.now);
            assert!(!due.is_empty() && due.len() <= 64);
            for item in due {
                let was_due = Stock::due(&self.state, self.now).contains(&item);
                let events = self.run(&item.command).expect("work is never refused");
                assert!(events > 0 || !was_due, "{item:?} stays due");
            }
        }
        self.now = until;
    }

    fn matches(&self, state: MatchState) -> Vec<inventory_domain::Match> {
        let filter = MatchFilter {
            state,
            ..MatchFilter::default()
        };
        self.state.matches(&area(), filter, None).cloned().collect()
    }

    fn step(&mut self, step: &Step) {
        let now = self.now;
        let nth = |n: usize, len: usize| n % len.max(1);
        match step {
            Step::Offer {
                grower,
                product,
                units,
                asking,
                hours,
            } => {
                let offer = inventory_domain::OfferSurplus {
                    grower_id: format!("g{grower}"),
                    product_id: PRODUCTS[*product].into(),
                    quantity: Units(*units),
                    grade: [Grade::A, Grade::B, Grade::C][grower % 3],
                    harvested: now,
                    field: s::spot("field", ["z1", "z2"][grower % 2]),
                    from: None,
                    to: now.plus_minutes(hours * 60),
                    asking: FenPerKg(*asking),
                    reference: Some(FenPerKg(110)),
                };
                self.run(&Command::OfferSurplus(offer))
                    .expect("a good offer");
            }
            Step::Change(n, units, asking) => {
                let all: Vec<_> = self.listings();
                if let Some((grower_id, listing_id)) = all.get(nth(*n, all.len())) {
                    let change = inventory_domain::ChangeSurplus {
                        grower_id: grower_id.clone(),
                        listing_id: listing_id.clone(),
                        quantity: Units(*units),
                        grade: Grade::A,
                        from: None,
                        to: now.plus_minutes(900),
                        asking: FenPerKg(*asking),
                    };
                    let _ = self.run(&Command::ChangeSurplus(change));
                }
            }
            Step::Withdraw(n) => {
                let all: Vec<_> = self.listings();
                if let Some((grower, listing)) = all.get(nth(*n, all.len())) {
                    let _ = self.run(&s::withdraw(grower, listing));
                }
            }
            Step::Ask {
                buyer,
                product,
                units,
                highest,
                hours,
                days,
            } => {
                let from = now.plus_minutes(60);
                let to = from.plus_minutes((hours % 23 + 1) * 60);
                let standing = (*days > 0).then(|| to.plus_minutes(days * 24 * 60));
                let demand = inventory_domain::PlaceBulkDemand {
                    buyer_id: BUYERS[*buyer].into(),
                    product_id: PRODUCTS[*product].into(),
                    quantity: Units(*units),
                    lowest_grade: [Grade::Unspecified, Grade::B, Grade::C][*buyer],
                    from,
                    to,
                    highest: FenPerKg(*highest),
                    repeat_until: standing,
                };
                self.run(&Command::PlaceBulkDemand(demand))
                    .expect("a good demand");
            }
            Step::Forgo(n) => {
                let any = BulkDemandState::Unspecified;
                let area = area();
                let all: Vec<_> = self
                    .state
                    .bulk_demands(&area, None, None, any, None)
                    .collect();
                if let Some(demand) = all.get(nth(*n, all.len())) {
                    let command = s::forgo(&demand.buyer_id, &demand.demand_id);
                    let _ = self.run(&command);
                }
            }
            Step::Price(product, cap, flag) => {
                let policy = if *flag {
                    CapPolicy::Flag
                } else {
                    CapPolicy::Refuse
                };
                self.run(&s::price(PRODUCTS[*product], 85, *cap, policy))
                    .expect("a price");
            }
            Step::Open => drop(self.run(&s::OPEN)),
            Step::Close => drop(self.run(&Command::CloseMatching)),
            Step::Confirm(n, buyer) => {
                let all = self.matches(MatchState::Proposed);
                if let Some(trade) = all.get(nth(*n, all.len())) {
                    let _ = self.run(&s::confirm(trade, side(*buyer)));
                }
            }
            Step::Refuse(n, buyer) => {
                let all = self.matches(MatchState::Proposed);
                if let Some(trade) = all.get(nth(*n, all.len())) {
                    self.run(&s::refuse(trade, side(*buyer)))
                        .expect("an open proposal");
                }
            }
            Step::Ship(n, many) => {
                let all = self.matches(MatchState::Confirmed);
                let ids = all.iter().cycle().skip(*n).take((*many).min(all.len()));
                let ids: Vec<_> = ids.map(|m| m.match_id.clone()).collect();
                let name = format!("S-{}", self.shipments.len());
                let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
                self.hear(s::shipped(&name, &refs));
                self.shipments.push(ids);
            }
            Step::Reload(n) => {
                let n = nth(*n, self.shipments.len());
                let Some(ids) = self.shipments.get(n) else {
                    return;
                };
                let kept: Vec<&str> = ids.iter().skip(1).map(String::as_str).collect();
                let event = s::reloaded(&format!("S-{n}"), &kept);
                self.hear(event);
            }
            Step::Hand(n, accepted, damaged) => {
                let n = nth(*n, self.shipments.len());
                let Some(ids) = self.shipments.get(n) else {
                    return;
                };
                let lines: Vec<_> = ids
                    .iter()
                    .skip(n % 2)
                    .map(|id| (id.as_str(), *accepted, *damaged, 0))
                    .collect();
                let event = s::taken_over(&format!("S-{n}"), &lines);
                self.hear(event);
            }
            Step::Cancel(n) => self.hear(s::cancelled(&format!("S-{n}"))),
            Step::Lose(n) => self.hear(s::lost(&format!("S-{n}"))),
            Step::Wait(minutes) => self.wait(*minutes),
        }
    }

    fn listings(&self) -> Vec<(String, String)> {
        let area = area();
        let any = ListingState::Unspecified;
        let all = self.state.listings(&area, None, None, any, None);
        all.map(|l| (l.grower_id.clone(), l.listing_id.clone()))
            .collect()
    }

    fn play(history: &[Step]) -> Self {
        let mut world = Self::new();
        for step in history {
            world.step(step);
            assert_eq!(Stock::violations(&world.state), [], "after {step:?}");
        }
        world
    }
}

fn side(buyer: bool) -> MatchSide {
    if buyer {
        MatchSide::Buyer
    } else {
        MatchSide::Grower
    }
}

fn area() -> decider::Area {
    decider::Area::new("632725100").expect("nine digits")
}

fn recorded<T>(
    event: T,
    stream: StreamId,
    position: u64,
    revision: Revision,
    now: Timestamp,
) -> Recorded<T> {
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

fn replay(log: &[Recorded<E>]) -> State {
    let mut state = State::default();
    for record in log {
        Stock::evolve(&mut state, record);
    }
    state
}

const POSTCARD: Codec<State> = Codec {
    write: |state| postcard::to_stdvec(state).expect("a state can be written"),
    read: |bytes| postcard::from_bytes(bytes).expect("what was written can be read"),
};

/// Events out of order, twice, not at all, or with absurd numbers in them.
fn disturb(log: &mut Vec<Recorded<E>>, disturbances: &[(usize, usize, i64)]) {
    for (kind, n, number) in disturbances {
        let (a, b) = (n % log.len(), (n / 7) % log.len());
        match kind {
            0 => log.swap(a, b),
            1 => log.push(log[a].clone()),
            2 if log.len() > 1 => drop(log.remove(a)),
            _ => match &mut log[a].event {
                E::SurplusListed(e) => e.quantity_units = *number,
                E::SurplusChanged(e) => e.asking_fen_per_kg = *number,
                E::BulkDemandPlaced(e) => e.quantity_units = *number,
                E::BulkDemandRenewed(e) => e.to_time = None,
                E::MatchProposed(e) => e.quantity_units = *number,
                E::MatchDelivered(e) => e.accepted_units = *number,
                E::MatchShipped(e) => e.shipment_id.clear(),
                E::MatchingRoundHeld(e) => e.round = *number,
                E::ReferencePriceSet(e) => e.cap_fen_per_kg = *number,
                E::BuyerRegistered(e) => e.place = None,
                _ => {}
            },
        }
    }
    for (n, record) in log.iter_mut().enumerate() {
        record.position = Position(n as u64 + 1);
    }
}

fn disturbances(most: usize) -> impl Strategy<Value = Vec<(usize, usize, i64)>> {
    let number = prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(0), -5..5_i64];
    prop::collection::vec((0..4usize, any::<usize>(), number), 0..most)
}

/// Everything that can be asked of a state.
fn ask_everything(state: &State, log: &[Recorded<E>]) -> String {
    let area = area();
    let mut told = format!("{:?}", Stock::violations(state));
    for record in log {
        told += &format!("{:?}", Stock::describe(state, &record.stream));
    }
    let any = MatchFilter::default();
    told += &format!(
        "{} {} {} {:?} {:?}",
        state
            .listings(&area, None, None, ListingState::Open, None)
            .count(),
        state
            .bulk_demands(&area, None, None, BulkDemandState::Open, None)
            .count(),
        state.matches(&area, any, None).count(),
        state.open_surplus(&area),
        state.matching(&area),
    );
    for (grower, report) in state.grower_reports(&area, None) {
        told += &format!("{grower} {report:?} {}", report.avoided_basis_points());
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_unit_is_in_one_place_and_no_limit_is_broken(history in history()) {
        World::play(&history);
    }

    #[test]
    fn reports_add_up_and_nobody_avoids_more_than_was_at_risk(history in history()) {
        let world = World::play(&history);
        let total = world.state.surplus_total(&area());
        let (mut listed, mut delivered, mut listings) = (0, 0, 0);
        for (grower, report) in world.state.grower_reports(&area(), None) {
            prop_assert!(report.avoided_fen() <= report.at_risk_fen(), "{grower} {report:?}");
            prop_assert!(report.avoided_fen() <= report.income_fen());
            let parts = [report.withdrawn, report.expired, report.confirmed, report.delivered, report.lost];
            prop_assert!(parts.iter().all(|part| part.0 >= 0));
            prop_assert!(parts.iter().map(|part| part.0).sum::<i64>() <= report.listed.0);
            listed += report.listed.0;
            delivered += report.delivered.0;
            listings += report.listings;
        }
        prop_assert_eq!((listed, delivered, listings), (total.listed.0, total.delivered.0, total.listings));
        // Counted anew from the listings.
        let any = ListingState::Unspecified;
        let grams: i64 = world.state.listings(&area(), None, None, any, None)
            .map(|l| l.weight(l.delivered).0).sum();
        prop_assert_eq!(grams, total.delivered.0);
    }

    #[test]
    fn a_price_above_its_cap_never_passes_silently(history in history()) {
        let world = World::play(&history);
        let mut caps = BTreeMap::new();
        let mut spoken = BTreeMap::<String, (i64, i64)>::new();
        for record in &world.log {
            match &record.event {
                E::ReferencePriceSet(e) => drop(caps.insert(e.product_id.clone(), e.cap_fen_per_kg)),
                E::PriceCapBreached(e) => {
                    spoken.insert(e.listing_id.clone(), (e.price_fen_per_kg, e.cap_fen_per_kg));
                }
                E::MatchProposed(MatchProposed { listing_id, product_id, price_fen_per_kg, .. }) => {
                    if let Some(cap) = caps.get(product_id).filter(|cap| price_fen_per_kg > *cap) {
                        prop_assert_eq!(spoken.get(listing_id), Some(&(*price_fen_per_kg, *cap)));
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_log_alone_gives_the_same_state_again(history in history()) {
        let world = World::play(&history);
        prop_assert!(replay(&world.log) == world.state);
        prop_assert!(World::play(&history).log == world.log);
    }

    #[test]
    fn a_state_written_and_read_again_goes_on_as_it_was(
        history in history(),
        disturbances in disturbances(10),
        cut in any::<usize>(),
    ) {
        let mut log = World::play(&history).log;
        disturb(&mut log, &disturbances);
        assert_goes_on::<Stock>(&log, cut, &POSTCARD, |state| format!("{state:?}"));
    }

    #[test]
    fn no_order_of_events_and_no_number_in_them_makes_the_state_panic(
        history in history(),
        disturbances in disturbances(40),
    ) {
        let mut log = World::play(&history).log;
        disturb(&mut log, &disturbances);
        let mut world = World::new();
        world.state = replay(&log);
        world.log = log;
        world.now = START.plus_minutes(365 * 24 * 60);
        ask_everything(&world.state, &world.log);
        // What is due on such a state ends, too.
        let mut rounds = 0;
        while Stock::next_due(&world.state).is_some_and(|at| at <= world.now) {
            for item in Stock::due(&world.state, world.now) {
                world.commands += 1;
                let events = Stock::decide(&world.state, &item.command, &world.context());
                for event in events.expect("work is never refused") {
                    world.record(event);
                }
            }
            rounds += 1;
            prop_assert!(rounds < 1_000, "work on an altered state never ends");
        }
        ask_everything(&world.state, &world.log);
    }
}
