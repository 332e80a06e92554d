//! What holds whatever is asked for and whatever other services say, in any
//! order: checked with random histories.

mod nonsense;
mod snapshots;
mod steps;
mod world;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use decider::{Domain, EventSet, Recorded};
use order_domain::{HouseholdFilter, Order, OrderFilter, Orders, State};
use proptest::prelude::*;
use proto::{OrderEvent, order::v1::OrderState};

use crate::{
    nonsense::nonsense,
    steps::{Step, steps},
    world::{World, areas},
};

fn play(steps: &[Step]) -> World {
    let mut world = World::default();
    for step in steps {
        world.play(step);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_invariant_is_ever_violated(steps in steps()) {
        let mut world = World::default();
        for step in &steps {
            world.play(step);
            prop_assert_eq!(Orders::violations(&world.state), vec![], "after {:?}", step);
        }
        delivered_once_and_confirmed(&world.log)?;
    }

    #[test]
    fn a_replay_gives_the_same_state(steps in steps()) {
        let world = play(&steps);
        let mut again = State::default();
        for record in &world.log {
            Orders::evolve(&mut again, record);
        }
        let streams: BTreeSet<_> = world.log.iter().map(|r| r.stream.clone()).collect();
        for stream in &streams {
            let told = Orders::describe(&world.state, stream);
            prop_assert!(told.is_some(), "{} is not known", stream);
            prop_assert_eq!(told, Orders::describe(&again, stream));
        }
        prop_assert_eq!(format!("{again:?}"), format!("{:?}", world.state));
    }

    #[test]
    fn the_same_steps_give_the_same_log(steps in steps()) {
        prop_assert_eq!(play(&steps).log, play(&steps).log);
    }

    #[test]
    fn what_a_log_tells_is_what_queries_show(steps in steps()) {
        let world = play(&steps);
        revisions_are_those_of_the_streams(&world)?;
        orders_are_as_they_were_placed(&world)?;
        lists_agree(&world.state)?;
        coverage_adds_up(&world.state)?;
    }

    #[test]
    fn what_is_closed_is_settled(steps in steps()) {
        let mut world = play(&steps);
        world.elapse(world.now.plus_minutes(60 * 24 * 30));
        prop_assert_eq!(Orders::next_due(&world.state), None);
        for area in areas() {
            let placed = OrderFilter { state: Some(OrderState::Placed), ..OrderFilter::default() };
            prop_assert_eq!(world.state.orders(&area, placed, None).count(), 0);
        }
    }

    #[test]
    fn no_history_however_absurd_is_a_panic(
        events in prop::collection::vec(nonsense(), 0..120),
        steps in steps(),
    ) {
        let mut world = World::default();
        for event in events {
            world.record(event);
            Orders::violations(&world.state);
            prop_assert_eq!(
                Orders::next_due(&world.state).is_some(),
                !Orders::due(&world.state, decider::Timestamp(i64::MAX)).is_empty()
            );
        }
        for step in &steps {
            world.play(step);
        }
        // Timers come to an end also here.
        world.elapse(decider::Timestamp(i64::MAX));
        prop_assert_eq!(Orders::next_due(&world.state), None);
        for record in &world.log {
            Orders::describe(&world.state, &record.stream);
        }
        lists_agree(&world.state)?;
        coverage_adds_up(&world.state)?;
    }
}

/// INV-02 read from the log alone.
fn delivered_once_and_confirmed(log: &[Recorded<OrderEvent>]) -> Result<(), TestCaseError> {
    let mut confirmed = BTreeSet::new();
    let mut delivered = BTreeSet::new();
    for record in log {
        match &record.event {
            OrderEvent::OrderConfirmed(e) => drop(confirmed.insert(&e.order_id)),
            OrderEvent::OrderPartiallyConfirmed(e) => drop(confirmed.insert(&e.order_id)),
            OrderEvent::OrderDelivered(e) => {
                prop_assert!(
                    confirmed.contains(&e.order_id),
                    "{} unconfirmed",
                    e.order_id
                );
                prop_assert!(delivered.insert(&e.order_id), "{} twice", e.order_id);
            }
            _ => {}
        }
    }
    Ok(())
}

fn revisions_are_those_of_the_streams(world: &World) -> Result<(), TestCaseError> {
    let mut lengths = BTreeMap::new();
    for record in &world.log {
        let length = lengths.entry(record.event.stream()).or_insert(0);
        *length += 1;
        prop_assert_eq!(record.revision.0, *length);
    }
    let state = &world.state;
    for (stream, length) in &lengths {
        let shown = areas().iter().find_map(|area| match stream.category() {
            "household" => state.household(area, stream.id()).map(|h| h.revision),
            "group-buy" => state.group_buy(area, stream.id()).map(|g| g.revision),
            "order" => state.order(area, stream.id()).map(|o| o.revision),
            _ => state
                .contingency(area)
                .filter(|_| area.as_str() == stream.id())
                .map(|c| c.revision),
        });
        prop_assert_eq!(shown.map(|r| r.0), Some(*length), "{}", stream);
    }
    Ok(())
}

/// Nothing of an order is lost, wherever it stands.
fn orders_are_as_they_were_placed(world: &World) -> Result<(), TestCaseError> {
    let mut short = BTreeMap::new();
    for record in &world.log {
        if let OrderEvent::OrderPartiallyConfirmed(event) = &record.event {
            short.insert(&event.order_id, event.short.clone());
        }
    }
    for record in &world.log {
        let OrderEvent::OrderPlaced(event) = &record.event else {
            continue;
        };
        let order = world.state.order(&record.area, &event.order_id);
        let order = order.expect("what was placed is known");
        prop_assert_eq!(order.order_id.to_string(), event.order_id.as_str());
        prop_assert_eq!(order.household_id.as_str(), &event.household_id);
        prop_assert_eq!(Some(order.door.to_door()), event.door.clone());
        prop_assert_eq!(order.lines.to_vec(), event.lines.clone());
        prop_assert_eq!(&*order.placed_by, event.placed_by.as_str());
        let short = short.remove(&event.order_id).unwrap_or_default();
        prop_assert_eq!(order.short.to_vec(), short);
    }
    Ok(())
}

/// Every index gives what looking at everything gives.
fn lists_agree(state: &State) -> Result<(), TestCaseError> {
    for area in areas() {
        let all: Vec<Order> = state
            .orders(&area, OrderFilter::default(), None)
            .map(Cow::into_owned)
            .collect();
        for sample in &all {
            let filters = [
                OrderFilter {
                    household_id: Some(sample.household_id.clone()),
                    ..OrderFilter::default()
                },
                OrderFilter {
                    group_buy_id: sample.group_buy_id.clone(),
                    ..OrderFilter::default()
                },
                OrderFilter {
                    state: Some(sample.state),
                    ..OrderFilter::default()
                },
            ];
            for filter in filters {
                let expected = all.iter().filter(|order| {
                    let same = |a: &Option<_>, b| a.as_ref().is_none_or(|a| a == b);
                    same(&filter.household_id, &order.household_id)
                        && (filter.group_buy_id.is_none()
                            || filter.group_buy_id == order.group_buy_id)
                        && filter.state.is_none_or(|s| s == order.state)
                });
                let expected: Vec<&Order> = expected.collect();
                let listed: Vec<_> = state.orders(&area, filter, None).collect();
                let listed: Vec<&Order> = listed.iter().map(|order| &**order).collect();
                prop_assert_eq!(listed, expected);
            }
        }
        let households: Vec<_> = state
            .households(&area, HouseholdFilter::default(), None)
            .collect();
        for sample in &households {
            let filter = HouseholdFilter {
                community: sample.door.community().to_owned(),
                grid: sample.door.grid().to_owned(),
                cadre_id: sample.cadre_id.to_string(),
            };
            let listed = state.households(&area, filter, None).count();
            // An empty filter means any.
            let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
            let expected = households
                .iter()
                .filter(|h| {
                    fits(sample.door.community(), h.door.community())
                        && fits(sample.door.grid(), h.door.grid())
                        && h.cadre_id == sample.cadre_id
                })
                .count();
            prop_assert_eq!(listed, expected);
        }
    }
    Ok(())
}

fn coverage_adds_up(state: &State) -> Result<(), TestCaseError> {
    for area in areas() {
        let coverage = state.coverage(&area);
        let total = &coverage.total;
        let active = state.contingency(&area).is_some_and(|c| c.is_active());
        let in_need = if active {
            state.household_count(&area)
        } else {
            0
        };
        prop_assert_eq!(total.in_need_households, in_need as u64);
        prop_assert!(total.collected_households <= total.served_households);
        let missed = state.missed(&area, None).count() as u64;
        prop_assert_eq!(total.served_households + missed, total.in_need_households);
        // A door without a grid is in its community's row alone.
        let all = HouseholdFilter::default();
        let in_grids = state
            .households(&area, all, None)
            .all(|household| !household.door.grid().is_empty());
        for of_grids in [false, true] {
            if of_grids && !in_grids {
                continue;
            }
            let rows = coverage
                .rows
                .iter()
                .filter(|r| r.grid.is_empty() != of_grids);
            let sum = rows.fold([0; 3], |sum, row| {
                [
                    sum[0] + row.in_need_households,
                    sum[1] + row.served_households,
                    sum[2] + row.collected_households,
                ]
            });
            let expected = [
                total.in_need_households,
                total.served_households,
                total.collected_households,
            ];
            prop_assert_eq!(sum, expected);
        }
    }
    Ok(())
}
