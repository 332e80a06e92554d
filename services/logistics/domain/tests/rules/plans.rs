//! Planning and starting runs (S17).

use std::collections::BTreeMap;

use decider::EventSet;
use logistics_domain::*;
use proto::{
    logistics::v1::{self as pb, ParcelState, RunState},
    types::v1::Door,
};

use crate::world::*;

fn many(spec: &mut Spec, entrances: usize, doors: usize) {
    for e in 0..entrances {
        for d in 0..doors {
            let id = format!("o-{e}-{d}");
            ready(spec, &[(&id, door(&format!("E{e}"), &d.to_string()))]);
        }
    }
}

fn stops(run: &pb::RunPlanned) -> Vec<String> {
    let doors = run.stops.iter().map(|s| s.door.clone().unwrap_or_default());
    doors
        .map(|d| format!("{} {}", d.entrance, d.door))
        .collect()
}

#[test]
fn planning_needs_a_checkpoint_parcels_and_somebody_on_shift() {
    let mut spec = Spec::given([]);
    spec.when(plan())
        .then_rejected(Rejection::CheckpointUnknown {
            checkpoint_id: CP.into(),
        });
    spec.accept(checkpoint().into());
    spec.when(plan()).then([]);
    ready(&mut spec, &[("a", door("E1", "1"))]);
    let nobody = Rejection::NobodyOnShift {
        checkpoint_id: CP.into(),
        parcels: 1,
    };
    spec.when(plan()).then_rejected(nobody.clone());
    spec.accept(member("m-1", 120_000).into());
    let patrol = AssignShift {
        post: "patrol".into(),
        ..shift("m-1", spec.context.now, hours(8))
    };
    spec.accept(patrol.into());
    spec.when(plan()).then_rejected(nobody);
}

#[test]
fn a_run_serves_doors_in_the_order_of_the_walk() {
    let mut spec = team(&["m-1"]);
    ready(
        &mut spec,
        &[
            ("a", door("E10", "1")),
            ("b", door("E2", "10")),
            ("c", door("E2", "9")),
        ],
    );
    let events = spec.accept(plan());
    let runs = planned(&events);
    assert_eq!(stops(&runs[0]), ["E2 9", "E2 10", "E10 1"]);
    assert_eq!((runs[0].trip, runs[0].weight_grams), (1, 60_000));
    assert_eq!(state_of(&spec, "a"), ParcelState::Planned);
    spec.when(plan()).then([]);
}

#[test]
fn a_trip_serves_whole_entrances_where_they_fit() {
    let mut spec = team(&["m-1"]);
    // 80 kg per entrance, 120 kg per trip.
    many(&mut spec, 2, 4);
    let runs = planned(&spec.accept(plan()));
    let entrances: Vec<_> = runs.iter().map(|run| run.stops.len()).collect();
    assert_eq!(entrances, [4, 4]);
    assert_eq!(stops(&runs[1])[0], "E1 0");
}

#[test]
fn an_entrance_too_heavy_for_one_trip_is_split() {
    let mut spec = team(&["m-1", "m-2"]);
    many(&mut spec, 1, 8);
    let runs = planned(&spec.accept(plan()));
    assert_eq!(runs[0].stops.len(), 6);
    assert_eq!(runs[1].stops.len(), 2);
    assert_eq!((&*runs[0].member_id, &*runs[1].member_id), ("m-1", "m-2"));
}

#[test]
fn trips_of_one_member_are_numbered() {
    let mut spec = team(&["m-1"]);
    many(&mut spec, 3, 6);
    let trips: Vec<_> = planned(&spec.accept(plan()))
        .iter()
        .map(|run| run.trip)
        .collect();
    assert_eq!(trips, [1, 2, 3]);
}

#[test]
fn one_command_plans_at_most_24_trips() {
    let mut spec = team(&["m-1", "m-2"]);
    many(&mut spec, 26, 6);
    assert_eq!(spec.accept(plan()).len(), 24);
    let left = |spec: &Spec| {
        spec.state
            .parcel_count(&area(), CP, ParcelState::Disinfected)
    };
    assert_eq!(left(&spec), 12);
    assert_eq!(spec.accept(plan()).len(), 2);
    assert_eq!(left(&spec), 0);
}

#[test]
fn a_parcel_for_two_goes_alone_and_one_for_three_stays() {
    let mut spec = team(&["m-1"]);
    for (order_id, kilograms) in [("a", 240), ("b", 241), ("c", 20)] {
        let bags = [bag(order_id, 1, kilograms)];
        let event = dispatched(order_id, &door("E1", order_id), &bags);
        let _ = spec.react(decider::Service::Inventory, event);
        spec.accept(receive(vec![receipt(order_id, &[])]).into());
        spec.accept(disinfect(&[order_id]).into());
    }
    let runs = planned(&spec.accept(plan()));
    let loads: Vec<_> = runs.iter().map(stops).collect();
    assert_eq!(loads, [vec!["E1 a"], vec!["E1 c"]]);
    assert_eq!(state_of(&spec, "b"), ParcelState::Disinfected);
    spec.when(plan()).then([]);
}

#[test]
fn who_has_carried_most_is_sent_last() {
    let mut spec = team(&["m-1"]);
    many(&mut spec, 1, 6);
    spec.accept(plan());
    spec.accept(member("m-2", 120_000).into());
    spec.accept(shift("m-2", spec.context.now, hours(8)).into());
    ready(&mut spec, &[("z", door("E7", "1"))]);
    assert_eq!(planned(&spec.accept(plan()))[0].member_id, "m-2");
}

#[test]
fn a_trip_stays_in_one_community() {
    let mut spec = team(&["m-1"]);
    let other = Door {
        community: "other".into(),
        ..door("E1", "1")
    };
    ready(&mut spec, &[("a", door("E1", "1")), ("b", other)]);
    assert_eq!(spec.accept(plan()).len(), 2);
}

#[test]
fn starting_gives_the_member_custody_of_every_parcel() {
    let (mut spec, run_id) = on_the_way(&[("a", door("E1", "1"))]);
    assert_eq!(state_of(&spec, "a"), ParcelState::OutForDelivery);
    assert_eq!(parcel(&spec, "a").custodian.id, "m-1");
    assert_eq!(parcel(&spec, "a").attempts, 1);
    spec.when(start(&run_id)).then([]);
    spec.when(start("r-9"))
        .then_rejected(Rejection::RunUnknown {
            run_id: "r-9".into(),
        });
    assert_sound(&spec);
    let _ = spec.run(plan());
}

#[test]
fn only_a_member_on_shift_can_start() {
    let mut spec = team(&["m-1"]);
    ready(&mut spec, &[("a", door("E1", "1"))]);
    let run_id = planned(&spec.accept(plan()))[0].run_id.clone();
    spec.context.now = hours(8);
    spec.when(start(&run_id))
        .then_rejected(Rejection::NotOnShift {
            run_id,
            member_id: "m-1".into(),
            checkpoint_id: CP.into(),
        });
}

#[test]
fn nothing_leaves_undisinfected() {
    // Given a plan that should never have been made.
    let mut spec = team(&["m-1"]);
    expect_parcel(&mut spec, "a", &door("E1", "1"));
    spec.accept(receive(vec![receipt("a", &[])]).into());
    let plan = pb::RunPlanned {
        run_id: "r-1".into(),
        checkpoint_id: CP.into(),
        member_id: "m-1".into(),
        shift_id: "s-1".into(),
        stops: vec![pb::Stop {
            order_id: "a".into(),
            door: Some(door("E1", "1")),
            weight_grams: 20_000,
        }],
        weight_grams: 20_000,
        trip: 1,
    };
    crate::history::fold(&mut spec, [plan.into()]);
    spec.when(start("r-1"))
        .then_rejected(Rejection::NotDisinfected {
            run_id: "r-1".into(),
            order_id: "a".into(),
        });
}

/// 1,127 parcels of 20 kg, twelve members of 120 kg.
#[test]
fn a_town_is_planned_in_about_190_balanced_trips_of_small_events() {
    let names: Vec<String> = (1..=12).map(|n| format!("m-{n:02}")).collect();
    let mut spec = team(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for n in 0..1_127 {
        let at = Door {
            grid: format!("G{}", n / 120),
            building: format!("B{}", n / 24),
            ..door(&format!("E{}", n / 12 % 2), &(n % 12).to_string())
        };
        ready(&mut spec, &[(&format!("o-{n}"), at)]);
    }
    let mut loads: BTreeMap<String, i64> = BTreeMap::new();
    let mut trips = 0;
    loop {
        let events = spec.accept(plan());
        if events.is_empty() {
            break;
        }
        let sizes: Vec<usize> = events.iter().map(|e| e.encode().len()).collect();
        assert!(sizes.iter().sum::<usize>() < 48 * 1024);
        for run in planned(&events) {
            trips += 1;
            assert!(run.weight_grams <= 120_000);
            *loads.entry(run.member_id).or_default() += run.weight_grams;
        }
    }
    assert_eq!(trips, 188);
    let (least, most) = (loads.values().min(), loads.values().max());
    assert!(most.expect("some") - least.expect("some") <= 120_000);
    let planned = RunFilter {
        state: Some(RunState::Planned),
        ..RunFilter::default()
    };
    assert_eq!(
        spec.state.runs(&area(), &planned, None, 500).items.len(),
        188
    );
    assert_sound(&spec);
}
