//! What is proposed, and what both sides say to it (S10).

use decider::Area;
use inventory_domain::{Command, FenPerKg, Grams, SurplusRejection, Units};
use proto::InventoryEvent as E;
use proto::inventory::v1::{Grade, MatchSide, MatchState};

use crate::{listing, reason, sound, support::*};

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
fn an_answer_at_the_last_moment_is_too_late() {
    let mut market = market();
    offer(&mut market, "g1", 5);
    want(&mut market, "hotel", 3);
    propose(&mut market);
    let [trade] = &matches(&market, MatchState::Proposed)[..] else {
        panic!("one match");
    };
    // The timer has not fired yet.
    market.context.now = trade.answer_by;
    market.when(confirm(trade, MatchSide::Buyer)).then_rejected(
        SurplusRejection::AnswerTooLate {
            match_id: trade.match_id.clone(),
            due: trade.answer_by,
        }
        .into(),
    );
}

#[test]
fn of_very_many_proposals_those_that_a_withdrawal_leaves_cannot_be_confirmed() {
    let mut market = market();
    let listing = offer(&mut market, "g1", 90);
    let demands: Vec<_> = (0..45).map(|_| want(&mut market, "hotel", 2)).collect();
    propose(&mut market);
    assert_eq!(matches(&market, MatchState::Proposed).len(), 45);
    market.accept(withdraw("g1", &listing));
    let left = matches(&market, MatchState::Proposed);
    assert_eq!(left.len(), 5);
    let late = market.run(confirm(&left[0], MatchSide::Buyer));
    assert_eq!(reason(late), "LISTING_OVER");
    market.accept(forgo("hotel", &left[1].demand_id));
    assert!(demands.contains(&left[1].demand_id));
    sound(&market);
    pass(&mut market, 60);
    assert_eq!(matches(&market, MatchState::Proposed), []);
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
