//! A state that was written and read again is the same state.

use decider::rewritten::{Codec, assert_goes_on};
use order_domain::{HouseholdFilter, OrderFilter, Orders, State};
use proptest::prelude::*;

use crate::{
    nonsense::nonsense,
    play,
    steps::steps,
    world::{World, areas},
};

const POSTCARD: Codec<State> = Codec {
    write: |state| postcard::to_stdvec(state).expect("a state can be written"),
    read: |bytes| postcard::from_bytes(bytes).expect("what was written can be read"),
};

/// Every list, in full.
fn ask(state: &State) -> String {
    let mut told = format!("{state:?}");
    for area in areas() {
        let households = state.households(&area, HouseholdFilter::default(), None);
        for household in households {
            let of_household = state.orders_of_household(&household.household_id);
            told += &format!("{household:?} {:?}\n", of_household.collect::<Vec<_>>());
        }
        let orders = state.orders(&area, OrderFilter::default(), None);
        let orders: Vec<_> = orders.collect();
        for order in &orders {
            let filter = OrderFilter {
                state: Some(order.state),
                group_buy_id: order.group_buy_id.clone(),
                ..OrderFilter::default()
            };
            told += &format!("{order:?} {}\n", state.orders(&area, filter, None).count());
        }
        let missed: Vec<_> = state.missed(&area, None).collect();
        let group_buys: Vec<_> = state.group_buys(&area, None, None).collect();
        told += &format!("{missed:?} {:?} {group_buys:?}", state.coverage(&area));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_goes_on_as_what_was_written(steps in steps(), cut in any::<usize>()) {
        assert_goes_on::<Orders>(&play(&steps).log, cut, &POSTCARD, ask);
    }

    #[test]
    fn absurd_histories_can_be_written_too(
        events in prop::collection::vec(nonsense(), 0..120),
        steps in steps(),
        cut in any::<usize>(),
    ) {
        let mut world = World::default();
        for event in events {
            world.record(event);
        }
        for step in &steps {
            world.play(step);
        }
        assert_goes_on::<Orders>(&world.log, cut, &POSTCARD, ask);
    }

    #[test]
    fn other_bytes_are_refused_or_some_state(
        steps in steps(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = (POSTCARD.write)(&play(&steps).state);
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(state) = postcard::from_bytes::<State>(&bytes) {
            // It can be asked and written as any other.
            ask(&state);
            (POSTCARD.write)(&state);
        }
    }
}
