//! Test kit for states that are written and read again: whoever comes back
//! from a snapshot must answer and go on as if nothing had happened.

use std::collections::BTreeSet;

use crate::{Domain, Recorded, StreamId, Timestamp};

/// How states become bytes and how they come back. The runtime's way is
/// `postcard`; this crate does not depend on it.
pub struct Codec<S> {
    pub write: fn(&S) -> Vec<u8>,
    pub read: fn(&[u8]) -> S,
}

/// Folds a log twice, once with the state written and read again behind the
/// first `cut` records. `ask` gives what this domain's own queries answer.
///
/// # Panics
/// The state that was read says something else, is written differently, or
/// goes on differently; or one that was frozen meanwhile does.
pub fn assert_goes_on<D: Domain>(
    log: &[Recorded<D::Event>],
    cut: usize,
    codec: &Codec<D::State>,
    ask: impl Fn(&D::State) -> String,
) {
    let streams: BTreeSet<StreamId> = log.iter().map(|record| record.stream.clone()).collect();
    let cut = cut % (log.len() + 1);
    let mut whole = fold::<D>(&log[..cut]);
    let bytes = (codec.write)(&whole);
    let frozen = D::frozen(&mut whole);
    let mut read = (codec.read)(&bytes);
    assert!((codec.write)(&read) == bytes, "written again, it differs");
    assert_eq!(
        answers::<D>(&read, &streams),
        answers::<D>(&whole, &streams)
    );
    assert_eq!(ask(&read), ask(&whole));
    for record in &log[cut..] {
        D::evolve(&mut whole, record);
        D::evolve(&mut read, record);
    }
    assert_eq!(
        answers::<D>(&read, &streams),
        answers::<D>(&whole, &streams)
    );
    assert_eq!(ask(&read), ask(&whole));
    assert!(
        (codec.write)(&read) == (codec.write)(&whole),
        "it goes on to another state"
    );
    assert!(
        frozen.is_none_or(|frozen| (codec.write)(&frozen) == bytes),
        "what was frozen is not what it was then"
    );
}

fn fold<D: Domain>(log: &[Recorded<D::Event>]) -> D::State {
    let mut state = D::State::default();
    for record in log {
        D::evolve(&mut state, record);
    }
    state
}

/// What every domain answers.
fn answers<D: Domain>(state: &D::State, streams: &BTreeSet<StreamId>) -> String {
    let described: Vec<_> = streams.iter().map(|s| D::describe(state, s)).collect();
    format!(
        "{described:#?}\n{:#?}\n{:?}\n{:#?}",
        D::violations(state),
        D::next_due(state),
        D::due(state, Timestamp(i64::MAX)),
    )
}
