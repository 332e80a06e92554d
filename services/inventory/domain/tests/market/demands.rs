//! What firms ask for, once or every day (S10).

use inventory_domain::{Command, FenPerKg, Units};
use proto::inventory::v1::{BulkDemandState, MatchState};

use crate::{listing, reason, sound, support::*};

#[test]
fn only_registered_buyers_ask_and_only_for_what_can_be() {
    let market = market();
    let refused = |demand| reason(market.when(Command::PlaceBulkDemand(demand)).result);
    assert_eq!(refused(demand(&market, "inn", 5)), "BUYER_UNKNOWN");
    let mut wanted = demand(&market, "hotel", 5);
    wanted.product_id = "gold".into();
    assert_eq!(refused(wanted), "PRODUCT_UNKNOWN");
    assert_eq!(refused(demand(&market, "hotel", 0)), "QUANTITY_INVALID");
    let mut wanted = demand(&market, "hotel", 5);
    wanted.highest = FenPerKg(0);
    assert_eq!(refused(wanted), "PRICE_INVALID");
    let mut wanted = demand(&market, "hotel", 5);
    wanted.to = wanted.from;
    assert_eq!(refused(wanted), "TIMES_INVALID");
    // What comes every day is not longer than a day.
    let mut wanted = demand(&market, "hotel", 5);
    wanted.to = wanted.from.plus_minutes(25 * HOUR);
    wanted.repeat_until = Some(wanted.to.plus_minutes(72 * HOUR));
    assert_eq!(refused(wanted), "TIMES_INVALID");
}

#[test]
fn a_buyer_is_registered_once() {
    let market = market();
    market.when(buyer("hotel", "z1")).then([]);
    let moved = market.when(buyer("hotel", "z9"));
    assert_eq!(reason(moved.result), "BUYER_EXISTS");
}

#[test]
fn a_standing_demand_is_wanted_again_every_day_until_its_end() {
    let mut market = market();
    let mut wanted = demand(&market, "hotel", 8);
    wanted.repeat_until = Some(wanted.to.plus_minutes(24 * HOUR));
    let id = ask(&mut market, wanted);
    offer(&mut market, "g1", 5);
    propose(&mut market);
    confirm_all(&mut market);
    let find = |market: &Market| {
        let found = market.state.bulk_demand(&market.context.area, &id);
        found.expect("a demand").clone()
    };
    let today = find(&market);
    assert_eq!((today.open, today.confirmed), (Units(3), Units(5)));

    pass(&mut market, 10 * HOUR);
    let tomorrow = find(&market);
    assert_eq!(tomorrow.round, 2);
    assert_eq!(tomorrow.from, today.from.plus_minutes(24 * HOUR));
    assert_eq!((tomorrow.open, tomorrow.confirmed), (Units(8), Units(0)));
    assert_eq!(pairs(&market, MatchState::Confirmed).len(), 1, "it goes on");
    sound(&market);

    pass(&mut market, 24 * HOUR);
    assert_eq!(find(&market).state, BulkDemandState::Ended);
    sound(&market);
}

#[test]
fn a_withdrawn_demand_ends_its_proposals() {
    let mut market = market();
    let id = want(&mut market, "hotel", 8);
    let listed = offer(&mut market, "g1", 5);
    propose(&mut market);
    let other = market.run(forgo("plant", &id));
    assert_eq!(reason(other), "BULK_DEMAND_UNKNOWN");
    market.accept(forgo("hotel", &id));
    assert_eq!(pairs(&market, MatchState::Withdrawn).len(), 1);
    assert_eq!(listing(&market, &listed).open, Units(5));
    market.when(forgo("hotel", &id)).then([]);
    sound(&market);
}
