//! What logistics tells of matches, and the loss that was avoided (S09).

use decider::{Area, Rejected};
use inventory_domain::{FenPerKg, Grams, Units};
use proto::InventoryEvent as E;
use proto::inventory::v1::{MatchFailure, MatchState};

use crate::{sound, support::*};

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
fn what_was_delivered_or_only_proposed_is_not_shipped() {
    let (mut market, one, two) = on_the_way();
    hear(
        &mut market,
        taken_over("S-1", &[(&one, 5, 0, 0), (&two, 3, 0, 0)]),
    );
    assert_eq!(hear(&mut market, shipped("S-2", &[&one, &two])), []);
    offer(&mut market, "g3", 4);
    want(&mut market, "plant", 4);
    pass(&mut market, 1);
    let proposed = matches(&market, MatchState::Proposed).remove(0);
    assert_eq!(hear(&mut market, shipped("S-3", &[&proposed.match_id])), []);
}

#[test]
fn a_load_with_more_matches_than_can_be_recorded_at_once_is_refused() {
    let mut market = market();
    for n in 0..101 {
        offer(&mut market, &format!("g{n:03}"), 1);
    }
    want(&mut market, "hotel", 101);
    propose(&mut market);
    let all = confirm_all(&mut market);
    let ids: Vec<&str> = all.iter().map(|m| m.match_id.as_str()).collect();
    assert_eq!(hear(&mut market, shipped("S-1", &ids[1..])).len(), 100);
    let more = proto::AnyEvent::Logistics(reloaded("S-1", &ids));
    let answers = market.react(decider::Service::Logistics, more);
    let refused = answers.into_iter().find_map(Result::err);
    assert_eq!(refused.expect("one too many").reason(), "TOO_MANY_MATCHES");
    sound(&market);
}

#[test]
fn what_is_left_out_of_a_load_is_proposed_again() {
    let (mut market, one, two) = on_the_way();
    let events = hear(&mut market, reloaded("S-1", &[&one]));
    assert!(matches!(&events[..], [E::MatchFailed(e)] if e.match_id == two));
    assert_eq!(pairs(&market, MatchState::Confirmed).len(), 1);
    pass(&mut market, 1);
    assert_eq!(pairs(&market, MatchState::Proposed).len(), 1);
    sound(&market);
    assert_eq!(hear(&mut market, reloaded("S-1", &[&one])), []);
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
