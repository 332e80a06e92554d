//! The answers to a proposal: both sides confirm, or one refuses with its
//! reason, or somebody does not answer in time. What was refused is open again
//! and proposed to the next, though not for the same pair.

use decider::Context;
use proto::{
    InventoryEvent,
    inventory::v1::{
        BulkDemandState, ListingState, MatchAgreed, MatchConfirmed, MatchExpired, MatchRefused,
        MatchSide, MatchState, MatchWithdrawn,
    },
    time::to_proto,
};

use super::{
    Match, Subject, Surplus, SurplusRejection,
    command::{ConfirmMatch, RefuseMatch},
    price::{self, Verdict},
};
use crate::{
    rejection::Rejection,
    state::{Fact, Misfit, State},
};

/// The party's match: another's is unknown to it.
fn own<'a>(
    state: &'a State,
    context: &Context,
    match_id: &str,
    side: MatchSide,
    party_id: &str,
) -> Result<&'a Match, SurplusRejection> {
    let is_own = |trade: &&Match| match side {
        MatchSide::Buyer => trade.buyer_id == party_id,
        MatchSide::Grower | MatchSide::Unspecified => trade.grower_id == party_id,
    };
    state
        .surplus
        .trade(&context.area, match_id)
        .filter(is_own)
        .ok_or_else(|| SurplusRejection::unknown(Subject::Match, match_id))
}

impl Match {
    fn agreed(&self, side: MatchSide) -> bool {
        match side {
            MatchSide::Buyer => self.buyer_agreed,
            MatchSide::Grower | MatchSide::Unspecified => self.grower_agreed,
        }
    }

    fn is(&self, needed: &'static str) -> Rejection {
        SurplusRejection::MatchIs {
            match_id: self.match_id.clone(),
            state: self.state,
            needed,
        }
        .into()
    }
}

pub(crate) fn confirm(
    state: &State,
    wanted: &ConfirmMatch,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let trade = own(
        state,
        context,
        &wanted.match_id,
        wanted.side,
        &wanted.party_id,
    )?;
    let stands = matches!(
        trade.state,
        MatchState::Proposed | MatchState::Confirmed | MatchState::Delivered
    );
    if stands && trade.agreed(wanted.side) {
        return Ok(Vec::new());
    }
    if trade.state != MatchState::Proposed {
        return Err(trade.is("only an open proposal can be confirmed; wait for the next one"));
    }
    check_stands(&state.surplus, trade, context)?;
    let agreed = MatchAgreed {
        match_id: trade.match_id.clone(),
        side: wanted.side.into(),
    };
    if !(trade.grower_agreed || trade.buyer_agreed) {
        return Ok(vec![agreed.into()]);
    }
    // The cap may have changed since it was proposed.
    let by = (trade.listing_id.as_str(), trade.grower_id.as_str());
    let breach = |cap| price::breach(cap, by, trade.price, &trade.match_id);
    let listing = state.surplus.listings.get(&trade.listing_id);
    let told = |cap| listing.is_some_and(|listing| listing.told(cap));
    let mut events = match price::judge(
        &state.surplus,
        &context.area,
        &trade.product_id,
        trade.price,
    ) {
        Verdict::Refuse(cap) => return Ok(vec![breach(cap)]),
        Verdict::Flag(cap) if !told(cap) => vec![breach(cap)],
        Verdict::Flag(_) | Verdict::Fine => Vec::new(),
    };
    events.push(agreed.into());
    events.push(confirmed_event(&state.surplus, trade, context).into());
    Ok(events)
}

/// Nothing took the ground from under a proposal, and it is not too late.
fn check_stands(
    surplus: &Surplus,
    trade: &Match,
    context: &Context,
) -> Result<(), SurplusRejection> {
    if context.now >= trade.answer_by {
        return Err(SurplusRejection::AnswerTooLate {
            match_id: trade.match_id.clone(),
            due: trade.answer_by,
        });
    }
    let listing = surplus.listings.get(&trade.listing_id);
    if let Some(listing) = listing.filter(|listing| listing.state != ListingState::Open) {
        return Err(SurplusRejection::ListingOver {
            listing_id: trade.listing_id.clone(),
            state: listing.state,
        });
    }
    let demand = surplus.demands.get(&trade.demand_id);
    if let Some(demand) = demand.filter(|demand| demand.state != BulkDemandState::Open) {
        return Err(SurplusRejection::DemandOver {
            demand_id: trade.demand_id.clone(),
            state: demand.state,
        });
    }
    Ok(())
}

fn confirmed_event(surplus: &Surplus, trade: &Match, context: &Context) -> MatchConfirmed {
    // When nothing more is proposed there is nothing to wait for.
    let matching = surplus.matching(&context.area).filter(|m| m.open);
    let wait = matching.map_or(0, |matching| matching.load_wait_minutes);
    let (pickup_from, pickup_to) = trade.pickup_window;
    MatchConfirmed {
        match_id: trade.match_id.clone(),
        listing_id: trade.listing_id.clone(),
        demand_id: trade.demand_id.clone(),
        grower_id: trade.grower_id.clone(),
        buyer_id: trade.buyer_id.clone(),
        product_id: trade.product_id.clone(),
        quantity_units: trade.quantity.0,
        weight_grams: trade.weight.0,
        price_fen_per_kg: trade.price.0,
        pickup: Some(trade.pickup.clone()),
        pickup_from_time: Some(to_proto(pickup_from)),
        pickup_to_time: Some(to_proto(pickup_to)),
        destination: Some(trade.destination.clone()),
        due_from_time: Some(to_proto(trade.due.0)),
        due_to_time: Some(to_proto(trade.due.1)),
        load_by_time: Some(to_proto(context.now.plus_minutes(wait.into()))),
    }
}

pub(crate) fn refuse(
    state: &State,
    wanted: &RefuseMatch,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let trade = own(
        state,
        context,
        &wanted.match_id,
        wanted.side,
        &wanted.party_id,
    )?;
    match trade.state {
        MatchState::Refused => Ok(Vec::new()),
        MatchState::Proposed => Ok(vec![
            MatchRefused {
                match_id: trade.match_id.clone(),
                side: wanted.side.into(),
                reason: wanted.reason.into(),
                note: wanted.note.clone(),
            }
            .into(),
        ]),
        MatchState::Confirmed => {
            Err(trade.is("both sides have confirmed; ask the area to cancel its shipment"))
        }
        _ => Err(trade.is("only an open proposal can be refused")),
    }
}

/// Timer. What was answered meanwhile does not expire.
pub(crate) fn expire(
    state: &State,
    match_id: &str,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let trade = state.surplus.trade(&context.area, match_id);
    let due =
        |trade: &&Match| trade.state == MatchState::Proposed && trade.answer_by <= context.now;
    let expired = trade.filter(due).map(|trade| {
        let sides = [MatchSide::Grower, MatchSide::Buyer];
        let silent = sides.into_iter().filter(|side| !trade.agreed(*side));
        MatchExpired {
            match_id: trade.match_id.clone(),
            silent: silent.map(i32::from).collect(),
        }
        .into()
    });
    Ok(expired.into_iter().collect())
}

pub(crate) fn agreed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchAgreed,
) -> Result<(), Misfit> {
    surplus.change_match(fact, &event.match_id, |trade| {
        if trade.state != MatchState::Proposed {
            return Err("it is no open proposal".into());
        }
        match event.side() {
            MatchSide::Buyer => trade.buyer_agreed = true,
            MatchSide::Grower => trade.grower_agreed = true,
            MatchSide::Unspecified => return Err("nobody agreed".into()),
        }
        Ok(())
    })?;
    Ok(())
}

pub(crate) fn confirmed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchConfirmed,
) -> Result<(), Misfit> {
    let trade = surplus.change_match(fact, &event.match_id, |trade| {
        if trade.state != MatchState::Proposed || !trade.grower_agreed || !trade.buyer_agreed {
            return Err("it was not agreed by both sides".into());
        }
        trade.state = MatchState::Confirmed;
        Ok(())
    })?;
    let units = trade.quantity;
    let of_listing = surplus.change_listing(fact, &trade.listing_id, |listing| {
        listing.proposed = listing.proposed.minus(units);
        listing.confirmed = listing.confirmed.plus(units);
        Ok(())
    });
    let of_demand = surplus.change_demand(fact, &trade.demand_id, |demand| {
        if demand.round == trade.demand_round {
            demand.proposed = demand.proposed.minus(units);
            demand.confirmed = demand.confirmed.plus(units);
        }
        Ok(())
    });
    surplus.count(fact.area, &trade.grower_id, |report| {
        report.confirm(trade.weight);
    });
    of_listing.and(of_demand)
}

pub(crate) fn refused(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchRefused,
) -> Result<(), Misfit> {
    end(surplus, fact, &event.match_id, MatchState::Refused, true)
}

pub(crate) fn expired(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchExpired,
) -> Result<(), Misfit> {
    end(surplus, fact, &event.match_id, MatchState::Expired, true)
}

pub(crate) fn withdrawn(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &MatchWithdrawn,
) -> Result<(), Misfit> {
    end(surplus, fact, &event.match_id, MatchState::Withdrawn, false)
}

/// An open proposal comes to nothing.
fn end(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    match_id: &str,
    state: MatchState,
    pass_over: bool,
) -> Result<(), Misfit> {
    let trade = surplus.change_match(fact, match_id, |trade| {
        if trade.state != MatchState::Proposed {
            return Err("it is no open proposal".into());
        }
        trade.state = state;
        Ok(())
    })?;
    let units = trade.quantity;
    let of_listing = surplus.change_listing(fact, &trade.listing_id, |listing| {
        listing.proposed = listing.proposed.minus(units);
        listing.give_back(units);
        if pass_over {
            listing.passed_over.insert(trade.demand_id.clone());
        }
        Ok(())
    });
    surplus.count_given_back(fact, &trade);
    let of_demand = surplus.change_demand(fact, &trade.demand_id, |demand| {
        if demand.round == trade.demand_round {
            demand.proposed = demand.proposed.minus(units);
            demand.give_back(units);
        }
        Ok(())
    });
    surplus.something_changed(fact);
    of_listing.and(of_demand)
}

impl Surplus {
    /// Units that came back to a listing that is over went its way.
    pub(crate) fn count_given_back(&mut self, fact: &Fact<'_>, trade: &Match) {
        let Some(listing) = self.listings.get(&trade.listing_id) else {
            return;
        };
        let (state, reference) = (listing.state, listing.reference);
        let weight = listing.weight(trade.quantity);
        self.count(fact.area, &trade.grower_id, |report| match state {
            ListingState::Withdrawn => report.withdraw(weight, reference),
            ListingState::Expired => report.expire(weight),
            _ => {}
        });
    }
}
