//! Reference prices and caps (S11).

use decider::{Domain, Rejected};
use inventory_domain::{Command, Stock, above_cap};
use proto::InventoryEvent as E;
use proto::inventory::v1::{CapPolicy, MatchSide, MatchState};

use crate::{reason, sound, support::*};

#[test]
fn a_price_above_a_cap_that_refuses_is_recorded_and_nothing_else_happens() {
    let mut market = market();
    market.accept(price("radish", 80, 99, CapPolicy::Refuse));
    let offer = surplus(&market, "g1", 5);
    let events = market.accept(Command::OfferSurplus(offer));
    let [E::PriceCapBreached(breach)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((breach.price_fen_per_kg, breach.cap_fen_per_kg), (100, 99));
    assert_eq!(breach.action(), CapPolicy::Refuse);
    assert_eq!(
        above_cap(&events).map(|refusal| refusal.reason()),
        Some("PRICE_ABOVE_CAP")
    );
    assert_eq!(market.state.open_surplus(&market.context.area), (0, 0));
}

#[test]
fn a_price_above_a_cap_that_flags_is_recorded_and_goes_on() {
    let mut market = market();
    market.accept(price("radish", 80, 99, CapPolicy::Flag));
    let none: Vec<u64> = market.state.cap_breaches().into_values().collect();
    assert_eq!(none, [0], "told before the first one");
    let offer = surplus(&market, "g1", 5);
    let events = market.accept(Command::OfferSurplus(offer));
    assert!(matches!(
        &events[..],
        [E::SurplusListed(_), E::PriceCapBreached(_)]
    ));
    assert_eq!(above_cap(&events), None);
    want(&mut market, "hotel", 5);
    propose(&mut market);
    assert_eq!(confirm_all(&mut market).len(), 1);
    let prices: Vec<_> = market.state.prices(&market.context.area, None).collect();
    assert_eq!(prices[0].breaches, 1, "once for a price and a cap");
    sound(&market);
}

#[test]
fn a_cap_that_is_set_later_is_met_with_before_anything_is_proposed() {
    for (policy, proposed) in [(CapPolicy::Flag, 1), (CapPolicy::Refuse, 0)] {
        let mut market = market();
        offer(&mut market, "g1", 5);
        want(&mut market, "hotel", 5);
        market.accept(price("radish", 80, 99, policy));
        propose(&mut market);
        assert_eq!(pairs(&market, MatchState::Proposed).len(), proposed);
        let prices: Vec<_> = market.state.prices(&market.context.area, None).collect();
        assert_eq!(prices[0].breaches, 1);
        let by_area: Vec<u64> = market.state.cap_breaches().into_values().collect();
        assert_eq!(by_area, [1]);
        sound(&market);
    }
}

#[test]
fn a_cap_that_is_set_after_the_proposal_is_met_with_at_the_confirmation() {
    let mut market = market();
    offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 5);
    propose(&mut market);
    let [trade] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    market.accept(confirm(trade, MatchSide::Buyer));
    market.accept(price("radish", 80, 99, CapPolicy::Refuse));
    let events = market.accept(confirm(trade, MatchSide::Grower));
    assert!(above_cap(&events).is_some(), "{events:?}");
    assert_eq!(pairs(&market, MatchState::Confirmed), []);
    market.accept(price("radish", 80, 99, CapPolicy::Flag));
    let events = market.accept(confirm(trade, MatchSide::Grower));
    assert!(matches!(
        &events[..],
        [
            E::PriceCapBreached(_),
            E::MatchAgreed(_),
            E::MatchConfirmed(_)
        ]
    ));
    sound(&market);
}

#[test]
fn a_price_in_a_history_that_passed_its_cap_silently_is_found() {
    let mut market = market();
    offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 5);
    propose(&mut market);
    let proposal = matches(&market, MatchState::Proposed).remove(0);
    market.accept(refuse(&proposal, MatchSide::Buyer));
    market.accept(price("radish", 80, 99, CapPolicy::Flag));
    market.happened(
        proto::inventory::v1::MatchProposed {
            match_id: "forged".into(),
            listing_id: proposal.listing_id,
            demand_id: proposal.demand_id,
            demand_round: 1,
            grower_id: "g1".into(),
            buyer_id: "hotel".into(),
            product_id: "radish".into(),
            quantity_units: 5,
            weight_grams: 50_000,
            price_fen_per_kg: 100,
            ..Default::default()
        }
        .into(),
    );
    let found = Stock::violations(&market.state);
    let ids: Vec<_> = found.iter().map(|v| v.invariant.id()).collect();
    assert_eq!(ids, ["INV-14"], "{found:?}");
}

#[test]
fn a_cap_is_not_below_the_reference() {
    let market = market();
    let low = market.when(price("radish", 100, 99, CapPolicy::Flag));
    assert_eq!(reason(low.result), "CAP_BELOW_REFERENCE");
    let unknown = market.when(price("gold", 100, 100, CapPolicy::Flag));
    assert_eq!(reason(unknown.result), "PRODUCT_UNKNOWN");
}
