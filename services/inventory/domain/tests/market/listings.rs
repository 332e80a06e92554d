//! What growers list, change and withdraw (S09).

use inventory_domain::{Command, FenPerKg, Grams, SurplusRejection, Units};
use proto::InventoryEvent as E;
use proto::inventory::v1::{CapPolicy, ListingState, MatchState};

use crate::{listing, reason, sound, support::*};

#[test]
fn what_is_listed_is_open_and_has_an_id() {
    let mut market = market();
    let id = offer(&mut market, "g1", 30);
    let listed = listing(&market, &id);
    assert_eq!(listed.state, ListingState::Open);
    assert_eq!((listed.open, listed.listed), (Units(30), Units(30)));
    assert_eq!(listed.from, market.context.now, "from now on");
    assert_eq!(listed.unit_weight, Grams(UNIT_GRAMS));
    sound(&market);
}

#[test]
fn nobody_loses_more_than_the_area_says_that_goods_are_worth() {
    let mut market = market();
    market.accept(price("radish", 110, 400, CapPolicy::Refuse));
    let references = [(Some(90), 90), (Some(200), 110), (None, 110)];
    for (own, counted) in references {
        let mut offer = surplus(&market, "g1", 5);
        offer.reference = own.map(FenPerKg);
        let id = list(&mut market, offer);
        assert_eq!(listing(&market, &id).reference, FenPerKg(counted));
    }
    // Where the area says nothing, the asking price.
    let mut offer = surplus(&market, "g1", 5);
    offer.product_id = "greens".into();
    offer.reference = None;
    let id = list(&mut market, offer);
    assert_eq!(listing(&market, &id).reference, FenPerKg(100));
}

#[test]
fn what_cannot_be_is_not_listed() {
    let market = market();
    let good = surplus(&market, "g1", 30);
    let refused = |offer| reason(market.when(Command::OfferSurplus(offer)).result);
    let mut offer = good.clone();
    offer.product_id = "gold".into();
    assert_eq!(refused(offer), "PRODUCT_UNKNOWN");
    for units in [0, -1, 10_000_001] {
        let mut offer = good.clone();
        offer.quantity = Units(units);
        assert_eq!(refused(offer), "QUANTITY_INVALID");
    }
    for fen in [0, 10_000_001] {
        let mut offer = good.clone();
        offer.asking = FenPerKg(fen);
        assert_eq!(refused(offer), "PRICE_INVALID");
    }
    for to in [at(&market, 0), at(&market, 31 * 24 * HOUR)] {
        let mut offer = good.clone();
        offer.to = to;
        assert_eq!(refused(offer), "TIMES_INVALID");
    }
    let mut offer = good.clone();
    offer.from = Some(offer.to);
    assert_eq!(refused(offer), "TIMES_INVALID");
    let mut offer = good;
    offer.harvested = at(&market, 13 * HOUR);
    assert_eq!(refused(offer), "TIMES_INVALID");
}

#[test]
fn a_listing_changes_until_some_of_it_is_matched() {
    let mut market = market();
    let id = offer(&mut market, "g1", 30);
    market.accept(Command::ChangeSurplus(change(&market, "g1", &id, 20)));
    assert_eq!(listing(&market, &id).open, Units(20));
    let again = Command::ChangeSurplus(change(&market, "g1", &id, 20));
    market.when(again).then([]);

    let of_another = Command::ChangeSurplus(change(&market, "g2", &id, 10));
    assert_eq!(reason(market.when(of_another).result), "LISTING_UNKNOWN");

    want(&mut market, "hotel", 5);
    propose(&mut market);
    let late = Command::ChangeSurplus(change(&market, "g1", &id, 10));
    market.when(late).then_rejected(
        SurplusRejection::ListingMatched {
            listing_id: id,
            proposed: Units(5),
            confirmed: Units(0),
        }
        .into(),
    );
    sound(&market);
}

#[test]
fn a_withdrawn_listing_keeps_what_is_confirmed_and_takes_the_rest_off() {
    let mut market = market();
    let id = offer(&mut market, "g1", 30);
    want(&mut market, "hotel", 5);
    propose(&mut market);
    confirm_all(&mut market);
    want(&mut market, "plant", 8);
    pass(&mut market, 1);
    assert_eq!(pairs(&market, MatchState::Proposed).len(), 1);

    let events = market.accept(withdraw("g1", &id));
    assert!(
        matches!(&events[..], [E::MatchWithdrawn(_), E::SurplusWithdrawn(e)]
        if e.quantity_units == 25)
    );
    let listed = listing(&market, &id);
    assert_eq!(
        (listed.withdrawn, listed.confirmed, listed.open),
        (Units(25), Units(5), Units(0))
    );
    market.when(withdraw("g1", &id)).then([]);
    sound(&market);
}

#[test]
fn what_is_matched_altogether_is_not_withdrawn() {
    let mut market = market();
    let id = offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 5);
    propose(&mut market);
    confirm_all(&mut market);
    assert_eq!(reason(market.run(withdraw("g1", &id))), "LISTING_MATCHED");
}

#[test]
fn what_nobody_takes_in_time_is_spoiled() {
    let mut market = market();
    let id = offer(&mut market, "g1", 30);
    pass(&mut market, 12 * HOUR - 1);
    assert_eq!(listing(&market, &id).state, ListingState::Open);
    pass(&mut market, 1);
    let listed = listing(&market, &id);
    assert_eq!(
        (listed.state, listed.expired),
        (ListingState::Expired, Units(30))
    );
    assert_eq!(reason(market.run(withdraw("g1", &id))), "LISTING_OVER");
    sound(&market);
}
