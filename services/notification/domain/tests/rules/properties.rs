//! What holds whatever happens, in whatever order.

use std::collections::HashMap;

use decider::{
    Area, Cause, Domain, EventSet, Position, Recorded, Revision, Seed, Service, StreamId,
    Timestamp,
    rewritten::{Codec, assert_goes_on},
};
use notification_domain::{
    ATTEMPTS_MAX, CallOutcome, Command, Evidence, Filter, Kind, Note, Notifications, Phase, State,
    Target,
};
use proptest::prelude::*;
use proto::{
    AnyEvent, NotificationEvent, OrderEvent, notification::v1 as pb, order::v1 as order,
    types::v1::Need,
};

use crate::fixtures::{
    CONSOLE, N1, START, Story, acknowledged, area, call_opened, called, contact, door_left, failed,
    goods_at_door, handed_over, order_failed, order_rejected, requested, sealed, sent,
    visit_opened, visited,
};

/// An event and when it was recorded.
type Fact = (Timestamp, NotificationEvent);

/// One thing that happens; numbers choose among what there is at that moment.
#[derive(Debug, Clone)]
enum Step {
    Registered {
        household: u8,
        needs: Vec<Need>,
        sealed: bool,
    },
    HandedOver {
        household: u8,
        cadre: u8,
    },
    DoorLeft {
        household: u8,
    },
    Rejected,
    AttemptFailed {
        order: u8,
    },
    SendAll {
        good: bool,
        permanent: bool,
    },
    Late {
        pick: usize,
        attempt: i32,
        good: bool,
    },
    Acknowledge {
        pick: usize,
    },
    AcknowledgeOrder {
        household: u8,
    },
    Call {
        pick: usize,
        outcome: CallOutcome,
    },
    Visit {
        pick: usize,
        by_its_cadre: bool,
    },
    Wait {
        minutes: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let household = 0u8..6;
    let need = prop::sample::select(vec![Need::Elderly, Need::NoSmartphone, Need::Expecting]);
    let pick = any::<usize>();
    prop_oneof![
        2 => (household.clone(), prop::collection::vec(need, 0..2), any::<bool>())
            .prop_map(|(household, needs, sealed)| Step::Registered { household, needs, sealed }),
        1 => (household.clone(), 0u8..3)
            .prop_map(|(household, cadre)| Step::HandedOver { household, cadre }),
        4 => household.clone().prop_map(|household| Step::DoorLeft { household }),
        1 => Just(Step::Rejected),
        1 => household.clone().prop_map(|order| Step::AttemptFailed { order }),
        4 => (any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(good, permanent)| Step::SendAll { good, permanent }),
        1 => (pick, -1i32..8, any::<bool>())
            .prop_map(|(pick, attempt, good)| Step::Late { pick, attempt, good }),
        2 => pick.prop_map(|pick| Step::Acknowledge { pick }),
        1 => household.prop_map(|household| Step::AcknowledgeOrder { household }),
        2 => (pick, prop::sample::select(CallOutcome::ALL))
            .prop_map(|(pick, outcome)| Step::Call { pick, outcome }),
        2 => (pick, any::<bool>())
            .prop_map(|(pick, by_its_cadre)| Step::Visit { pick, by_its_cadre }),
        4 => (0i64..200).prop_map(|minutes| Step::Wait { minutes }),
    ]
}

/// Plays a step; gives what was recorded.
fn play(story: &mut Story, step: &Step) -> Vec<Fact> {
    let now = story.context.now;
    let events = match step {
        Step::Wait { minutes } => return wait(story, *minutes),
        _ => play_now(story, step),
    };
    events.into_iter().map(|event| (now, event)).collect()
}

fn wait(story: &mut Story, minutes: i64) -> Vec<Fact> {
    let until = story.context.now.plus_minutes(minutes);
    let mut facts = Vec::new();
    while let Some(at) = Notifications::next_due(&story.state).filter(|at| *at <= until) {
        let now = at.max(story.context.now);
        story.context.now = now;
        for due in Notifications::due(&story.state, now) {
            let moved = story.accept(due.command);
            assert!(!moved.is_empty(), "what is due makes progress");
            facts.extend(moved.into_iter().map(|event| (now, event)));
        }
    }
    story.context.now = until;
    facts
}

fn play_now(story: &mut Story, step: &Step) -> Vec<NotificationEvent> {
    let household = |h: u8| format!("H{h}");
    match step {
        Step::Registered {
            household: h,
            needs,
            sealed: has_contact,
        } => foreign(
            story,
            Service::Order,
            AnyEvent::Order(OrderEvent::from(order::HouseholdRegistered {
                household_id: household(*h),
                contact: has_contact.then(|| sealed(&household(*h))),
                needs: needs.iter().map(|n| i32::from(*n)).collect(),
                cadre_id: "cadre-1".into(),
                language: "zh".into(),
                ..Default::default()
            })),
        ),
        Step::HandedOver {
            household: h,
            cadre,
        } => foreign(
            story,
            Service::Order,
            AnyEvent::Order(OrderEvent::from(order::HouseholdHandedOver {
                household_id: household(*h),
                to_cadre_id: format!("cadre-{cadre}"),
                ..Default::default()
            })),
        ),
        Step::DoorLeft { household: h } => foreign(
            story,
            Service::Logistics,
            door_left(&format!("O{h}"), &household(*h)),
        ),
        Step::Rejected => foreign(story, Service::Order, order_rejected("OUT_OF_STOCK")),
        Step::AttemptFailed { order } => {
            foreign(story, Service::Order, order_failed(&format!("O{order}")))
        }
        Step::SendAll { good, permanent } => {
            let now = story.context.now;
            let sends = story.state.pending_sends(now, 100);
            let mut events = Vec::new();
            for send in sends {
                let id = &send.notification_id;
                let command = outcome(id, send.attempt, *good, *permanent);
                events.extend(story.accept(command));
            }
            assert_eq!(story.state.pending_count(now), 0, "every send was answered");
            events
        }
        Step::Late {
            pick,
            attempt,
            good,
        } => on(story, *pick, |id, _| outcome(id, *attempt, *good, false)),
        Step::Acknowledge { pick } => on(story, *pick, |id, _| Command::AcknowledgeNotification {
            target: Target::Notification(id.to_owned()),
        }),
        Step::AcknowledgeOrder { household: h } => story
            .run(Command::AcknowledgeNotification {
                target: Target::Order(format!("O{h}")),
            })
            .unwrap_or_default(),
        Step::Call { pick, outcome } => on(story, *pick, |id, _| Command::CompleteCallTask {
            notification_id: id.to_owned(),
            outcome: *outcome,
            done_by: "caller-1".into(),
        }),
        Step::Visit { pick, by_its_cadre } => {
            on(story, *pick, |id, cadre| Command::CompleteVisit {
                notification_id: id.to_owned(),
                cadre_id: if *by_its_cadre { cadre } else { "nobody" }.to_owned(),
                note: Note::default(),
            })
        }
        Step::Wait { .. } => Vec::new(),
    }
}

fn foreign(story: &mut Story, service: Service, event: AnyEvent) -> Vec<NotificationEvent> {
    story
        .react(service, event)
        .into_iter()
        .flat_map(|result| result.expect("reactions are never refused"))
        .collect()
}

fn outcome(id: &str, attempt: i32, good: bool, permanent: bool) -> Command {
    if good {
        Command::RecordSent {
            notification_id: id.to_owned(),
            channel: CONSOLE,
            attempt,
        }
    } else {
        Command::RecordFailed {
            notification_id: id.to_owned(),
            channel: CONSOLE,
            attempt,
            error: "no answer".into(),
            permanent,
        }
    }
}

/// A command about one of the notifications that there are.
fn on(
    story: &mut Story,
    pick: usize,
    command: impl FnOnce(&str, &str) -> Command,
) -> Vec<NotificationEvent> {
    let all = story.state.list(&Filter::default(), None, usize::MAX);
    let Some(n) = all.get(pick % all.len().max(1)) else {
        return Vec::new();
    };
    let command = command(&n.notification_id, &n.cadre_id);
    story.run(command).unwrap_or_default()
}

/// A log, written and read by hand.
#[derive(Default)]
struct Log {
    records: Vec<Recorded<NotificationEvent>>,
    revisions: HashMap<StreamId, Revision>,
}

impl Log {
    fn append(&mut self, now: Timestamp, area: &Area, event: NotificationEvent) {
        let stream = event.stream();
        let revision = self.revisions.entry(stream.clone()).or_default();
        *revision = revision.next();
        self.records.push(Recorded {
            position: Position(self.records.len() as u64 + 1),
            event_id: String::new(),
            stream,
            revision: *revision,
            area: area.clone(),
            occurred: now,
            recorded: now,
            actor: decider::Actor::system("test"),
            cause: Cause::Timer { due: now },
            correlation_id: "test".to_owned(),
            traceparent: String::new(),
            unit_remaining: 0,
            event,
        });
    }

    fn append_all(&mut self, facts: &[Fact]) {
        for (now, event) in facts {
            self.append(*now, &area(), event.clone());
        }
    }

    fn replay(&self) -> State {
        let mut state = State::default();
        for record in &self.records {
            Notifications::evolve(&mut state, record);
        }
        state
    }
}

fn check(state: &State, now: Timestamp) {
    assert_eq!(Notifications::violations(state), []);
    let all = state.list(&Filter::default(), None, usize::MAX);
    for n in &all {
        assert!(n.attempts <= ATTEMPTS_MAX, "{n:?}");
        assert_eq!(n.evidence.is_some(), n.phase == Phase::Closed, "{n:?}");
        if n.kind == Kind::GoodsAtDoor {
            assert_ne!(n.evidence, Some(Evidence::Sent), "{n:?}");
            assert_eq!(n.next_step().is_some(), n.phase != Phase::Closed, "{n:?}");
        }
    }
    for kind in Kind::ALL.iter().filter(|kind| kind.once_per_order()) {
        let mut orders: Vec<&str> = all
            .iter()
            .filter(|n| n.kind == *kind)
            .map(|n| n.order_id.as_str())
            .collect();
        let told = orders.len();
        orders.sort_unstable();
        orders.dedup();
        assert_eq!(orders.len(), told, "{kind} twice for an order");
    }
    for phase in Phase::ALL {
        let filter = Filter {
            phase: Some(*phase),
            ..Filter::default()
        };
        let listed = state.list(&filter, None, usize::MAX).len();
        assert_eq!(listed, all.iter().filter(|n| n.phase == *phase).count());
        assert_eq!(listed, state.count(*phase));
    }
    let due = Notifications::due(state, now);
    assert!(due.iter().all(|d| d.at <= now));
    assert!(due.is_sorted_by_key(|d| d.at));
    assert_eq!(
        state.pending_count(now),
        state.pending_sends(now, usize::MAX).len()
    );
}

const POSTCARD: Codec<State> = Codec {
    write: |state| postcard::to_stdvec(state).expect("a state can be written"),
    read: |bytes| postcard::from_bytes(bytes).expect("what was written can be read"),
};

/// Every index, in full.
fn ask(state: &State) -> String {
    let all = state.list(&Filter::default(), None, usize::MAX);
    let mut told = format!(
        "{all:#?} {:?}",
        state.pending_sends(Timestamp(i64::MAX), 1_000)
    );
    for n in all {
        let one_of_each = [
            Filter {
                phase: Some(n.phase),
                ..Filter::default()
            },
            Filter {
                kind: Some(n.kind),
                ..Filter::default()
            },
            Filter {
                household_id: Some(n.household_id.clone()),
                ..Filter::default()
            },
            Filter {
                order_id: Some(n.order_id.clone()),
                ..Filter::default()
            },
            Filter {
                cadre_id: Some(n.cadre_id.clone()),
                ..Filter::default()
            },
        ];
        for filter in one_of_each {
            let listed = state.list(&filter, None, usize::MAX);
            let ids: Vec<_> = listed.iter().map(|n| &n.notification_id).collect();
            told += &format!("{ids:?}");
        }
        let first = state.goods_at_door(&n.order_id);
        told += &format!("{:?} {:?}", first, state.contact(&n.household_id));
    }
    told
}

/// Whatever anybody might have written into a log about [`N1`].
fn any_event() -> impl Strategy<Value = NotificationEvent> {
    prop::sample::select(vec![
        contact("H1", &[Need::Elderly]),
        handed_over(""),
        handed_over("cadre-2"),
        goods_at_door(),
        requested(Kind::DeliveryFailed).into(),
        pb::NotificationRequested::default().into(),
        pb::NotificationRequested {
            rung: 99,
            ..requested(Kind::GoodsAtDoor)
        }
        .into(),
        sent(Kind::GoodsAtDoor, 1),
        sent(Kind::GoodsAtDoor, i32::MAX),
        failed(i32::MIN, Some(Timestamp(i64::MAX))),
        failed(3, Some(START)),
        failed(2, None),
        acknowledged(),
        call_opened("X"),
        called(CallOutcome::Answered),
        called(CallOutcome::NoAnswer),
        visit_opened("X"),
        visited("cadre-1"),
        visited("cadre-9"),
        pb::VisitCompleted::default().into(),
        pb::ContactRecorded::default().into(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_delivery_is_on_the_ladder_or_ended_and_the_log_tells_the_same(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut story = Story::given([]);
        let mut again = Story::given([]);
        let mut log = Log::default();
        for step in &steps {
            let recorded = play(&mut story, step);
            prop_assert_eq!(&recorded, &play(&mut again, step), "decided twice, the same twice");
            log.append_all(&recorded);
            check(&story.state, story.context.now);
        }
        let replayed = log.replay();
        for stream in log.revisions.keys() {
            prop_assert_eq!(
                Notifications::describe(&replayed, stream),
                Notifications::describe(&story.state, stream)
            );
        }
        prop_assert_eq!(Notifications::violations(&replayed), []);
        prop_assert_eq!(Notifications::next_due(&replayed), Notifications::next_due(&story.state));
        prop_assert_eq!(replayed.next_send(), story.state.next_send());
        prop_assert_eq!(
            replayed.list(&Filter::default(), None, usize::MAX),
            story.state.list(&Filter::default(), None, usize::MAX)
        );
    }

    /// Nobody answers, nobody telephones: every delivery ends in a visit.
    #[test]
    fn left_alone_every_delivery_comes_to_its_cadre(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let mut story = Story::given([]);
        for step in &steps {
            play(&mut story, step);
        }
        for _ in 0..=ATTEMPTS_MAX {
            play(&mut story, &Step::SendAll { good: false, permanent: false });
            play(&mut story, &Step::Wait { minutes: 150 });
        }
        let open: Vec<Phase> = story
            .state
            .list(&Filter::default(), None, usize::MAX)
            .iter()
            .filter(|n| n.phase != Phase::Closed)
            .map(|n| n.phase)
            .collect();
        prop_assert!(open.iter().all(|phase| *phase == Phase::VisitOpen), "{:?}", open);
        prop_assert_eq!(story.state.next_send(), None);
        prop_assert_eq!(Notifications::next_due(&story.state), None);
    }

    #[test]
    fn no_order_of_events_breaks_the_state(
        events in prop::collection::vec((any_event(), 0i64..10_000), 0..60)
    ) {
        let mut log = Log::default();
        for (event, seconds) in events {
            log.append(START.plus_seconds(seconds), &area(), event);
        }
        let state = log.replay();
        let _ = Notifications::violations(&state);
        for stream in log.revisions.keys() {
            prop_assert_eq!(
                Notifications::describe(&state, stream),
                Notifications::describe(&log.replay(), stream)
            );
        }
        // Whatever it was, commands are still decided without a panic.
        let mut story = Story::given([]);
        story.state = state;
        story.context.now = Timestamp(i64::MAX);
        story.context.seed = Seed([255; 10]);
        for attempt in [i32::MIN, 0, 1, i32::MAX] {
            for good in [true, false] {
                let _ = story.when(outcome(N1, attempt, good, false)).result;
            }
        }
        let mut fired = 0;
        while let Some(due) = Notifications::due(&story.state, Timestamp(i64::MAX)).first() {
            story.accept(due.command.clone());
            fired += 1;
            prop_assert!(fired < 10, "a timer that never ends");
        }
    }

    #[test]
    fn a_state_written_and_read_again_goes_on_as_it_was(
        steps in prop::collection::vec(step(), 1..80),
        events in prop::collection::vec((any_event(), 0i64..10_000), 0..60),
        cut in any::<usize>(),
    ) {
        let mut log = Log::default();
        for (event, seconds) in events {
            log.append(START.plus_seconds(seconds), &area(), event);
        }
        let mut story = Story::given([]);
        for step in &steps {
            log.append_all(&play(&mut story, step));
        }
        assert_goes_on::<Notifications>(&log.records, cut, &POSTCARD, ask);
    }
}
