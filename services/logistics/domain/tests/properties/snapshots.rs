//! A state that was written and read again is the same state.

use decider::{
    rewritten::{Codec, assert_goes_on},
    spec::START,
};
use logistics_domain::*;
use proptest::prelude::*;

use crate::{
    days::{log, play, steps},
    nonsense::{event, numbers, record},
    world::{CP, area},
};

const POSTCARD: Codec<State> = Codec {
    write: |state| postcard::to_stdvec(state).expect("a state can be written"),
    read: |bytes| postcard::from_bytes(bytes).expect("what was written can be read"),
};

/// Every list, in full.
fn ask(state: &State) -> String {
    let parcels = state
        .parcels(&area(), &ParcelFilter::default(), None, usize::MAX)
        .expect("a list");
    let runs = state.runs(&area(), &RunFilter::default(), None, usize::MAX);
    let roster: Vec<_> = state.roster(&area()).collect();
    let mut told = format!("{parcels:#?} {runs:#?} {roster:#?}");
    told += &format!(
        "{:#?}",
        state.carriers_after(&area(), None).collect::<Vec<_>>()
    );
    told += &format!(
        "{:#?}",
        state.passes_after(&area(), None).collect::<Vec<_>>()
    );
    told += &format!(
        "{:#?}",
        state.shipments_after(&area(), None).collect::<Vec<_>>()
    );
    let routes: Vec<_> = state.routes_after(&area(), None, START).collect();
    let waiting: Vec<_> = state.waiting_goods_after(&area(), None).collect();
    let here = area();
    let goods: Vec<_> = state.goods(&here).collect();
    told += &format!("{routes:#?} {waiting:#?} {goods:#?}");
    told += &format!("{:?}", state.checkpoint(&area(), CP));
    for checkpoint_id in ["", CP] {
        let counts = state.parcel_counts(&area(), checkpoint_id);
        told += &format!("{counts:?}");
        for (parcel_state, _) in counts {
            let filter = ParcelFilter {
                checkpoint_id: Some(checkpoint_id.into()),
                state: Some(parcel_state),
            };
            let page = state.parcels(&area(), &filter, None, usize::MAX);
            let page = page.expect("a list").items.into_iter();
            told += &format!("{:?}", page.map(|p| &p.order_id).collect::<Vec<_>>());
        }
    }
    for run in runs.items {
        let filter = RunFilter {
            checkpoint_id: None,
            member_id: Some(run.member_id.clone()),
            state: Some(run.state),
        };
        let page = state.runs(&area(), &filter, None, usize::MAX).items;
        told += &format!("{:?}", page.iter().map(|r| &r.run_id).collect::<Vec<_>>());
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_goes_on_as_what_was_written(steps in steps(), cut in any::<usize>()) {
        assert_goes_on::<Logistics>(&log(&play(&steps).history), cut, &POSTCARD, ask);
    }

    #[test]
    fn absurd_histories_can_be_written_too(
        seeds in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), numbers()), 0..120),
        cut in any::<usize>(),
    ) {
        let events = (1..).zip(seeds);
        let log: Vec<_> = events.map(|(n, seed)| record(n, event(seed))).collect();
        assert_goes_on::<Logistics>(&log, cut, &POSTCARD, ask);
    }
}
