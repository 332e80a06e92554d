//! Random days, driven through commands, reactions and timers: custody,
//! disinfection, loads and indexes hold after each of them.

use std::collections::BTreeMap;

use decider::{
    Cause, Domain, EventSet, Position, Recorded, Revision, Service, StreamId, Timestamp,
};
use logistics_domain::*;
use proptest::{prelude::*, strategy::ValueTree};
use proto::{
    AnyEvent, LogisticsEvent, NotificationEvent,
    logistics::v1::{CustodianKind, ExceptionCode, ParcelState, RunState},
    notification::v1::{MessageSent, NotificationAcknowledged, NotificationKind},
};

use crate::world::{self, *};

const PARCELS: usize = 12;
const MEMBERS: [&str; 3] = ["m-0", "m-1", "m-2"];

/// What happens next, with numbers that choose the parcel, run or member.
pub type Step = (u8, usize, usize);

pub struct Day {
    spec: Spec,
    pub history: Vec<(Timestamp, LogisticsEvent)>,
}

impl Day {
    fn new() -> Self {
        let mut day = Self {
            spec: Spec::given([]),
            history: vec![],
        };
        day.command(checkpoint().into());
        for id in MEMBERS {
            day.command(member(id, 45_000).into());
            day.command(shift(id, hours(0), hours(8)).into());
        }
        day
    }

    fn keep(&mut self, decided: Decided) {
        let now = self.spec.context.now;
        let events = decided.unwrap_or_default();
        assert!(events.iter().all(|e| e.encode().len() < 8 * 1024));
        self.history.extend(events.into_iter().map(|e| (now, e)));
    }

    fn command(&mut self, command: Command) {
        let decided = self.spec.run(command);
        self.keep(decided);
    }

    fn hear(&mut self, service: Service, event: AnyEvent) {
        for decided in self.spec.react(service, event) {
            self.keep(decided);
        }
    }

    fn elapse(&mut self, to: Timestamp) {
        while let Some(at) = Logistics::next_due(&self.spec.state).filter(|at| *at <= to) {
            self.spec.context.now = self.spec.context.now.max(at);
            let due = Logistics::due(&self.spec.state, self.spec.context.now);
            assert!(!due.is_empty());
            let before = self.history.len();
            for item in due {
                self.command(item.command);
            }
            assert!(self.history.len() > before, "a due command stays due");
        }
        self.spec.context.now = self.spec.context.now.max(to);
    }

    fn runs(&self) -> Vec<Run> {
        let all = self
            .spec
            .state
            .runs(&area(), &RunFilter::default(), None, usize::MAX);
        all.items.into_iter().cloned().collect()
    }

    fn step(&mut self, (kind, a, b): Step) {
        let order_id = format!("o-{}", a % PARCELS);
        let at = door(&format!("E{}", a % 4), &(a % PARCELS).to_string());
        // Mostly runs that are under way; now and then one that has ended.
        let mut runs = self.runs();
        if b % 8 > 0 {
            runs.retain(|r| matches!(r.state, RunState::Planned | RunState::Started));
        }
        let run = runs.get(b % runs.len().max(1)).cloned();
        let stop = |run: &Run| {
            let stop = run.stops.get(a % run.stops.len().max(1));
            stop.map_or_else(|| order_id.clone(), |s| s.order_id.to_string())
        };
        match (kind % 27, run) {
            (0 | 1, _) => self.hear(
                Service::Inventory,
                dispatched(&order_id, &at, &set(&order_id)),
            ),
            (2..=4, _) => self.command(receive(vec![receipt(&order_id, &[])]).into()),
            (5, _) if b % 3 == 0 => {
                let label = format!("{order_id}-{}", b % 3 + 1);
                self.command(receive(vec![receipt(&order_id, &[&label])]).into());
            }
            (6, _) => {
                for label in self.awaited(&order_id) {
                    let bag = world::bag(&format!("{label}r1"), 1, 5);
                    self.hear(
                        Service::Inventory,
                        replacement_sent(&order_id, &label, &bag),
                    );
                }
            }
            (7, _) => {
                for label in self.awaited(&order_id) {
                    self.hear(Service::Inventory, replacement_refused(&order_id, &label));
                }
            }
            (8 | 9, _) => self.command(disinfect(&[&order_id]).into()),
            (10, _) => self.command(plan()),
            (11, Some(run)) => self.command(start(&run.run_id)),
            (12 | 13, Some(run)) => self.command(place(&run.run_id, &stop(&run))),
            (14, Some(run)) => self.command(leave(&run.run_id, &stop(&run))),
            (15, Some(run)) => {
                let reasons = [ExceptionCode::Unreachable, ExceptionCode::Refused];
                self.command(fail(&run.run_id, &stop(&run), reasons[a % 2]));
            }
            (16, Some(run)) => {
                for stop in &run.stops {
                    let at = stop.door.as_deref().cloned().unwrap_or_default();
                    self.command(clean(&run.run_id, &at));
                }
                self.command(complete(&run.run_id));
            }
            (17, _) if b % 8 == 0 => {
                self.hear(Service::Inventory, recalled(&order_id));
            }
            (18, _) => {
                let sent = MessageSent {
                    order_id,
                    kind: NotificationKind::GoodsAtDoor.into(),
                    ..MessageSent::default()
                };
                let event = NotificationEvent::MessageSent(sent);
                self.hear(Service::Notification, AnyEvent::Notification(event));
            }
            (19, _) => {
                let event = NotificationEvent::NotificationAcknowledged(NotificationAcknowledged {
                    notification_id: String::new(),
                    order_id,
                    kind: NotificationKind::GoodsAtDoor.into(),
                });
                self.hear(Service::Notification, AnyEvent::Notification(event));
            }
            (20, _) if b % 4 == 0 => {
                let now = self.spec.context.now;
                self.command(
                    RecordAbsence {
                        member_id: MEMBERS[a % 3].into(),
                        from: now,
                        to: now.plus_minutes(30),
                        reason: "rest".into(),
                    }
                    .into(),
                );
            }
            (21, _) if b % 12 == 0 => self.command(
                ReturnParcel {
                    order_id,
                    reason: ExceptionCode::Unclaimed,
                }
                .into(),
            ),
            (21 | 22, _) => {
                let minutes = i64::try_from(b % 40).unwrap_or_default();
                self.elapse(self.spec.context.now.plus_minutes(minutes));
            }
            (23 | 24, Some(run)) => self.command(start(&run.run_id)),
            (25 | 26, Some(run)) => self.command(leave(&run.run_id, &stop(&run))),
            _ => {}
        }
    }

    fn awaited(&self, order_id: &str) -> Vec<String> {
        let parcel = self.spec.state.parcel(&area(), order_id);
        parcel.map_or(vec![], |p| p.awaited.keys().cloned().collect())
    }

    fn streams(&self) -> Vec<StreamId> {
        let mut streams: Vec<StreamId> = self.history.iter().map(|(_, e)| e.stream()).collect();
        streams.sort();
        streams.dedup();
        streams
    }
}

pub fn play(steps: &[Step]) -> Day {
    let mut day = Day::new();
    for step in steps {
        day.step(*step);
        check(&day.spec);
    }
    day
}

fn check(spec: &Spec) {
    assert_sound(spec);
    let state = &spec.state;
    let all = ParcelFilter::default();
    let parcels = state
        .parcels(&area(), &all, None, usize::MAX)
        .expect("a list")
        .items;
    let counted: usize = state
        .parcel_counts(&area(), CP)
        .iter()
        .map(|(_, n)| n)
        .sum();
    assert_eq!(counted, parcels.len());
    let runs = state
        .runs(&area(), &RunFilter::default(), None, usize::MAX)
        .items;
    for parcel in parcels {
        check_custody(parcel);
        let on: Vec<&&Run> = runs
            .iter()
            .filter(|r| matches!(r.state, RunState::Planned | RunState::Started))
            .filter(|r| r.stops.iter().any(|s| s.order_id == parcel.order_id))
            .collect();
        assert!(on.len() <= 1, "{} is on two runs", parcel.order_id);
        if parcel.state == ParcelState::Planned {
            assert_eq!(parcel.run_id, on[0].run_id);
        }
    }
    for member in state.roster(&area()) {
        for shift in member.shifts() {
            let load: Grams = runs
                .iter()
                .filter(|r| r.shift_id == shift.shift_id && r.state != RunState::Cancelled)
                .map(|r| r.weight)
                .sum();
            assert_eq!(load, shift.load, "{}", member.member_id);
        }
    }
}

fn check_custody(parcel: &Parcel) {
    let holder = (parcel.custodian.kind(), parcel.custodian.id.as_str());
    let expected = match parcel.state {
        ParcelState::Expected => (CustodianKind::Carrier, CARRIER),
        ParcelState::OutForDelivery | ParcelState::Placed | ParcelState::AttemptFailed => {
            assert!(parcel.disinfected, "{} left undisinfected", parcel.order_id);
            (CustodianKind::Member, holder.1)
        }
        ParcelState::Left | ParcelState::Called | ParcelState::Collected => {
            assert!(parcel.disinfected, "{} left undisinfected", parcel.order_id);
            (CustodianKind::Household, parcel.household_id.as_str())
        }
        ParcelState::Returned => (CustodianKind::Store, "store"),
        _ => (CustodianKind::Checkpoint, CP),
    };
    assert_eq!(holder, expected, "{}", parcel.order_id);
}

/// The same history again, into an empty state.
fn replay(history: &[(Timestamp, LogisticsEvent)]) -> State {
    let mut state = State::default();
    for record in log(history) {
        Logistics::evolve(&mut state, &record);
    }
    state
}

/// The history as it stands in a log.
pub fn log(history: &[(Timestamp, LogisticsEvent)]) -> Vec<Recorded<LogisticsEvent>> {
    let mut log = vec![];
    let mut revisions: BTreeMap<StreamId, Revision> = BTreeMap::new();
    for (n, (at, event)) in (1..).zip(history) {
        let stream = event.stream();
        let revision = revisions.entry(stream.clone()).or_default();
        *revision = revision.next();
        let record = Recorded {
            position: Position(n),
            event_id: String::new(),
            stream,
            revision: *revision,
            area: area(),
            occurred: *at,
            recorded: *at,
            actor: decider::Actor::system("replay"),
            cause: Cause::Timer { due: *at },
            correlation_id: String::new(),
            traceparent: String::new(),
            unit_remaining: 0,
            event: event.clone(),
        };
        log.push(record);
    }
    log
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((any::<u8>(), 0_usize..120, 0_usize..120), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn custody_disinfection_and_loads_hold_on_every_day(steps in steps()) {
        play(&steps);
    }

    #[test]
    fn a_day_played_or_replayed_is_the_same_day(steps in steps()) {
        let day = play(&steps);
        prop_assert_eq!(&play(&steps).history, &day.history);
        let replayed = replay(&day.history);
        for stream in day.streams() {
            prop_assert_eq!(
                Logistics::describe(&replayed, &stream),
                Logistics::describe(&day.spec.state, &stream)
            );
        }
        prop_assert_eq!(Logistics::next_due(&replayed), Logistics::next_due(&day.spec.state));
    }
}

/// The random days are worth something only if they get to the end.
#[test]
fn random_days_reach_every_state() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached: BTreeMap<ParcelState, usize> = BTreeMap::new();
    for _ in 0..60 {
        let tree = steps().new_tree(&mut runner).expect("a day");
        let day = play(&tree.current());
        for (state, parcels) in day.spec.state.parcel_counts(&area(), CP) {
            *reached.entry(state).or_default() += parcels;
        }
    }
    for state in [
        ParcelState::Expected,
        ParcelState::AwaitingReplacement,
        ParcelState::Planned,
        ParcelState::OutForDelivery,
        ParcelState::Left,
        ParcelState::Collected,
        ParcelState::AttemptFailed,
        ParcelState::Returned,
    ] {
        assert!(reached.contains_key(&state), "{state:?} in {reached:?}");
    }
}
