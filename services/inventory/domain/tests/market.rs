//! The surplus trade, rule by rule.

#[path = "support/market.rs"]
mod support;

use decider::{Area, Domain, Rejected};
use inventory_domain::{
    Command, FenPerKg, Grams, Listing, Rejection, Stock, SurplusRejection, Units, above_cap,
};
use proto::{
    InventoryEvent as E,
    inventory::v1::{
        BulkDemandState, CapPolicy, Grade, ListingState, MatchFailure, MatchSide, MatchState,
    },
};
use support::*;

fn listing<'a>(market: &'a Market, id: &str) -> &'a Listing {
    let found = market.state.listing(&market.context.area, id);
    found.expect("it is listed")
}

fn reason(refused: Result<Vec<E>, Rejection>) -> &'static str {
    refused.expect_err("it is to be refused").reason()
}

fn sound(market: &Market) {
    assert_eq!(Stock::violations(&market.state), []);
}

// Listing.

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

// Demand.

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

// Proposals.

#[test]
fn nothing_is_proposed_before_the_area_opens_matching_and_after_it_closes() {
    let mut market = market();
    offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 3);
    pass(&mut market, 60);
    assert_eq!(pairs(&market, MatchState::Unspecified), []);
    propose(&mut market);
    market.when(OPEN).then([]);
    assert_eq!(
        pairs(&market, MatchState::Proposed),
        [("g1".into(), "hotel".into(), 3)]
    );
    market.accept(Command::CloseMatching);
    market.when(Command::CloseMatching).then([]);
    want(&mut market, "plant", 2);
    pass(&mut market, 5);
    assert_eq!(pairs(&market, MatchState::Proposed).len(), 1);
    // What was proposed can still be confirmed.
    assert_eq!(confirm_all(&mut market).len(), 1);
}

#[test]
fn several_growers_serve_one_buyer_and_one_grower_several_buyers() {
    let mut market = market();
    for (grower, units) in [("g1", 10), ("g2", 10), ("g3", 40)] {
        offer(&mut market, grower, units);
    }
    want(&mut market, "hotel", 25);
    want(&mut market, "plant", 35);
    propose(&mut market);
    let pairs = pairs(&market, MatchState::Proposed);
    let sum = |who: &str| -> i64 {
        let of = pairs.iter().filter(|(g, b, _)| g == who || b == who);
        of.map(|(_, _, units)| units).sum()
    };
    assert_eq!((sum("hotel"), sum("plant")), (25, 35));
    assert_eq!((sum("g1"), sum("g2"), sum("g3")), (10, 10, 40));
    sound(&market);
}

#[test]
fn a_proposal_says_all_that_both_sides_need_to_know() {
    let mut market = market();
    offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 3);
    propose(&mut market);
    let [trade] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    assert_eq!(trade.price, FenPerKg(100), "what the grower asks");
    assert_eq!(trade.weight, Grams(30_000));
    assert_eq!(trade.pickup, spot("field-g1", "z1"));
    assert_eq!(trade.destination, spot("hotel", "z1"));
    // A vehicle needs half an hour to the field and an hour to the buyer.
    let window = (at(&market, 30), at(&market, 9 * HOUR));
    assert_eq!(trade.pickup_window, window);
    assert_eq!(trade.due, (at(&market, 2 * HOUR), at(&market, 10 * HOUR)));
    assert_eq!(trade.answer_by, at(&market, 60));
}

#[test]
fn what_is_refused_goes_to_the_next_and_not_to_the_same_again() {
    let mut market = market();
    let id = offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 5);
    want(&mut market, "plant", 5);
    propose(&mut market);
    let [first] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    assert_eq!(first.buyer_id, "hotel", "its own zone first");
    market.accept(refuse(first, MatchSide::Buyer));
    market.when(refuse(first, MatchSide::Buyer)).then([]);
    assert_eq!(listing(&market, &id).open, Units(5));
    pass(&mut market, 1);
    let [second] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    assert_eq!(second.buyer_id, "plant");
    market.accept(refuse(second, MatchSide::Grower));
    pass(&mut market, 30);
    assert_eq!(pairs(&market, MatchState::Proposed), [], "nobody is left");

    // Another price is another offer.
    let mut cheaper = change(&market, "g1", &id, 5);
    cheaper.asking = FenPerKg(80);
    market.accept(Command::ChangeSurplus(cheaper));
    pass(&mut market, 1);
    assert_eq!(pairs(&market, MatchState::Proposed).len(), 1);
    sound(&market);
}

#[test]
fn who_does_not_answer_in_time_is_passed_over() {
    let mut market = market();
    offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 5);
    want(&mut market, "plant", 5);
    propose(&mut market);
    let [first] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    market.accept(confirm(first, MatchSide::Grower));
    pass(&mut market, 60);
    let [gone] = &matches(&market, MatchState::Expired)[..] else {
        panic!("one that expired");
    };
    assert_eq!(gone.match_id, first.match_id);
    let late = market.run(confirm(first, MatchSide::Buyer));
    assert_eq!(reason(late), "MATCH_STATE");
    pass(&mut market, 1);
    let [next] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    assert_eq!(next.buyer_id, "plant");
    sound(&market);
}

#[test]
fn a_match_is_confirmed_when_both_sides_want_it() {
    let mut market = market();
    let id = offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 3);
    propose(&mut market);
    let [trade] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    let one = market.accept(confirm(trade, MatchSide::Buyer));
    assert!(matches!(&one[..], [E::MatchAgreed(e)] if e.side() == MatchSide::Buyer));
    market.when(confirm(trade, MatchSide::Buyer)).then([]);
    let two = market.accept(confirm(trade, MatchSide::Grower));
    let [E::MatchAgreed(_), E::MatchConfirmed(event)] = &two[..] else {
        panic!("{two:?} confirms nothing");
    };
    assert_eq!((event.quantity_units, event.weight_grams), (3, 30_000));
    assert_eq!(event.pickup, Some(spot("field-g1", "z1")));
    assert_eq!(event.destination, Some(spot("hotel", "z1")));
    let wait = proto::time::or_epoch(event.load_by_time.as_ref());
    assert_eq!(wait, at(&market, 15), "others may join it");
    assert_eq!(listing(&market, &id).confirmed, Units(3));
    market.when(confirm(trade, MatchSide::Grower)).then([]);
    let late = market.run(refuse(trade, MatchSide::Buyer));
    assert_eq!(reason(late), "MATCH_STATE");
    sound(&market);
}

#[test]
fn nobody_answers_for_another() {
    let mut market = market();
    offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 3);
    propose(&mut market);
    let [trade] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    let mut stranger = trade.clone();
    stranger.grower_id = "g2".into();
    stranger.buyer_id = "plant".into();
    for side in [MatchSide::Grower, MatchSide::Buyer] {
        assert_eq!(
            reason(market.run(confirm(&stranger, side))),
            "MATCH_UNKNOWN"
        );
        assert_eq!(reason(market.run(refuse(&stranger, side))), "MATCH_UNKNOWN");
    }
    // Nor in another area.
    market.context.area = Area::new("110101001").expect("nine digits");
    let elsewhere = market.run(confirm(trade, MatchSide::Grower));
    assert_eq!(reason(elsewhere), "MATCH_UNKNOWN");
}

#[test]
fn a_round_is_held_in_parts_and_ends() {
    let mut market = market();
    for n in 0..90 {
        offer(&mut market, &format!("g{n:02}"), 2);
    }
    want(&mut market, "hotel", 150);
    propose(&mut market);
    assert_eq!(matches(&market, MatchState::Proposed).len(), 75);
    assert_eq!(market.state.matching(&market.context.area).rounds, 1);
    assert_eq!(market.state.open_surplus(&market.context.area), (15, 0));
    sound(&market);
}

// Prices.

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

// Carrying, and what it avoided.

/// Two growers of 5 and 3 crates for the hotel, confirmed and on a shipment.
fn on_the_way() -> (Market, String, String) {
    let mut market = market();
    offer(&mut market, "g1", 5);
    offer(&mut market, "g2", 3);
    want(&mut market, "hotel", 8);
    propose(&mut market);
    let all = confirm_all(&mut market);
    let id = |grower: &str| {
        let found = all.iter().find(|trade| trade.grower_id == grower);
        found.expect("a match").match_id.clone()
    };
    let (one, two) = (id("g1"), id("g2"));
    let events = hear(&mut market, shipped("S-1", &[&one, "salt", &two]));
    assert_eq!(events.len(), 2, "what is no match does not matter");
    (market, one, two)
}

#[test]
fn what_the_buyer_took_over_closes_the_matches_and_is_the_loss_avoided() {
    let (mut market, one, two) = on_the_way();
    let over = taken_over(
        "S-1",
        &[(&one, 4, 1, 0), (&two, 3, 0, 0), ("salt", 9, 0, 0)],
    );
    hear(&mut market, over.clone());
    let area = market.context.area.clone();
    let first = market.state.trade(&area, &one).expect("a match");
    assert_eq!(first.state, MatchState::Delivered);
    assert_eq!(
        (first.accepted, first.damaged, first.short),
        (Units(4), Units(1), Units(0))
    );
    let report = market.state.grower_report(&area, "g1").expect("a report");
    assert_eq!(report.listed, Grams(50_000));
    assert_eq!(
        (report.delivered, report.lost),
        (Grams(40_000), Grams(10_000))
    );
    // 50 kg at 120 fen would have been lost, 40 kg were sold at 100.
    assert_eq!((report.at_risk_fen(), report.income_fen()), (6_000, 4_000));
    assert_eq!(
        (report.avoided_fen(), report.avoided_basis_points()),
        (4_000, 6_666)
    );
    let total = market.state.surplus_total(&area);
    assert_eq!(
        (total.delivered, total.avoided_fen()),
        (Grams(70_000), 7_000)
    );
    assert_eq!(
        hear(&mut market, over),
        [],
        "told again, it changes nothing"
    );
    sound(&market);
}

#[test]
fn nobody_avoids_more_loss_than_he_would_have_had() {
    let mut market = market();
    let mut offer = surplus(&market, "g1", 5);
    offer.reference = Some(FenPerKg(60));
    list(&mut market, offer);
    want(&mut market, "hotel", 5);
    propose(&mut market);
    let id = confirm_all(&mut market).remove(0).match_id;
    hear(&mut market, shipped("S-1", &[&id]));
    hear(&mut market, taken_over("S-1", &[(&id, 5, 0, 0)]));
    let report = market.state.grower_report(&market.context.area, "g1");
    let report = report.expect("a report");
    assert_eq!((report.income_fen(), report.avoided_fen()), (5_000, 3_000));
    assert_eq!(report.avoided_basis_points(), 10_000);
}

#[test]
fn what_was_never_loaded_is_short() {
    let (mut market, one, two) = on_the_way();
    hear(&mut market, taken_over("S-1", &[(&one, 3, 0, 0)]));
    let area = market.context.area.clone();
    let short = |id: &str| market.state.trade(&area, id).expect("a match").short;
    assert_eq!((short(&one), short(&two)), (Units(2), Units(3)));
    sound(&market);
}

#[test]
fn a_pickup_that_failed_goes_on_with_another_shipment() {
    let (mut market, one, two) = on_the_way();
    hear(&mut market, shipped("S-2", &[&two]));
    hear(&mut market, taken_over("S-1", &[(&one, 5, 0, 0)]));
    let area = market.context.area.clone();
    let waits = market.state.trade(&area, &two).expect("a match");
    assert_eq!(
        (waits.state, waits.shipment_id.as_str()),
        (MatchState::Confirmed, "S-2")
    );
    hear(&mut market, taken_over("S-2", &[(&two, 3, 0, 0)]));
    let total = market.state.surplus_total(&area);
    assert_eq!(total.delivered, Grams(80_000));
    sound(&market);
}

#[test]
fn a_cancelled_shipment_gives_its_goods_back_to_be_proposed_again() {
    let (mut market, one, _) = on_the_way();
    hear(&mut market, cancelled("S-1"));
    let area = market.context.area.clone();
    let gone = market.state.trade(&area, &one).expect("a match");
    assert_eq!(
        (gone.state, gone.failure),
        (MatchState::Failed, MatchFailure::ShipmentCancelled)
    );
    sound(&market);
    pass(&mut market, 1);
    assert_eq!(pairs(&market, MatchState::Proposed).len(), 2);
    sound(&market);
}

#[test]
fn goods_of_a_lost_shipment_are_gone() {
    let (mut market, one, _) = on_the_way();
    hear(&mut market, lost("S-1"));
    let area = market.context.area.clone();
    let gone = market.state.trade(&area, &one).expect("a match");
    assert_eq!(
        (gone.state, gone.failure),
        (MatchState::Failed, MatchFailure::ShipmentLost)
    );
    let report = market.state.grower_report(&area, "g1").expect("a report");
    assert_eq!((report.lost, report.avoided_fen()), (Grams(50_000), 0));
    pass(&mut market, 1);
    assert_eq!(pairs(&market, MatchState::Proposed), []);
    sound(&market);
}

#[test]
fn a_return_and_another_load_do_not_take_matches_away() {
    let (mut market, one, _) = on_the_way();
    assert_eq!(hear(&mut market, coming_back("S-9", "S-1", &[&one])), []);
    assert_eq!(hear(&mut market, reloaded("S-9", &[&one])), []);
    let area = market.context.area.clone();
    let trade = market.state.trade(&area, &one).expect("a match");
    assert_eq!(trade.shipment_id, "S-1");
    assert_eq!(hear(&mut market, taken_over("S-9", &[(&one, 5, 0, 0)])), []);
}

#[test]
fn a_shipment_of_another_area_is_none_of_ours() {
    let (mut market, one, _) = on_the_way();
    let area = market.context.area.clone();
    market.context.area = Area::new("110101001").expect("nine digits");
    hear(&mut market, taken_over("S-1", &[(&one, 5, 0, 0)]));
    let trade = market.state.trade(&area, &one).expect("a match");
    assert_eq!(trade.state, MatchState::Confirmed);
}

#[test]
fn better_grades_are_taken_and_worse_are_not() {
    let mut market = market();
    for (grower, grade) in [("g1", Grade::A), ("g2", Grade::B), ("g3", Grade::C)] {
        let mut offer = surplus(&market, grower, 2);
        offer.grade = grade;
        list(&mut market, offer);
    }
    let mut wanted = demand(&market, "hotel", 9);
    wanted.lowest_grade = Grade::B;
    ask(&mut market, wanted);
    propose(&mut market);
    let growers: Vec<_> = pairs(&market, MatchState::Proposed)
        .into_iter()
        .map(|(grower, _, _)| grower)
        .collect();
    assert_eq!(growers, ["g1", "g2"]);
}
