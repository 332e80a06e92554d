//! What a firm wants, once or every day: a product, how much of it in each
//! window in which it receives, and the highest price.
//!
//! A standing demand has one window at a time. When that is over, the next one
//! begins with all units open again; matches of the former window go on.

use decider::{Area, Context, Revision, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{
        BulkDemandEnded, BulkDemandPlaced, BulkDemandRenewed, BulkDemandState, BulkDemandWithdrawn,
        Grade, MatchWithdrawReason,
    },
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use super::{
    Subject, Surplus, SurplusRejection,
    command::{PlaceBulkDemand, WithdrawBulkDemand},
    misfit,
    offering::withdrawn_matches,
    price,
};
use crate::{
    lot::LOT_UNITS_MAX,
    rejection::Rejection,
    state::{Fact, Misfit, State},
    units::{FenPerKg, Units},
};

/// For how long from now something can be asked for.
pub const DEMAND_DAYS_MAX: i64 = 366;
const DAY_MINUTES: i64 = 24 * 60;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BulkDemand {
    pub demand_id: String,
    pub area: Area,
    pub buyer_id: String,
    pub product_id: String,
    /// `Unspecified`: any.
    pub lowest_grade: Grade,
    /// The present window, and which it is, from 1.
    pub from: Timestamp,
    pub to: Timestamp,
    pub round: i32,
    pub repeat_until: Option<Timestamp>,
    pub highest: FenPerKg,
    pub state: BulkDemandState,
    /// In each window.
    pub asked: Units,
    /// In the present window.
    pub open: Units,
    pub proposed: Units,
    /// Confirmed, and what became of that.
    pub confirmed: Units,
    pub withdrawn: Units,
    pub revision: Revision,
}

impl BulkDemand {
    /// The window after this one, where there is to be one: the first that is
    /// not over.
    fn next_window(&self, now: Timestamp) -> Option<(i32, Timestamp, Timestamp)> {
        let until = self.repeat_until?;
        let late = now.0.saturating_sub(self.to.0) / (DAY_MINUTES * 60_000);
        let days = late.saturating_add(1);
        let (from, to) = (
            self.from.plus_minutes(days.saturating_mul(DAY_MINUTES)),
            self.to.plus_minutes(days.saturating_mul(DAY_MINUTES)),
        );
        (to <= until).then_some((self.round.saturating_add(1), from, to))
    }
}

pub(crate) fn place(
    state: &State,
    wanted: &PlaceBulkDemand,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let buyer = state.surplus.buyers.get(&wanted.buyer_id);
    if buyer.is_none_or(|buyer| buyer.area != context.area) {
        return Err(SurplusRejection::unknown(Subject::Buyer, &wanted.buyer_id).into());
    }
    if state.product(&context.area, &wanted.product_id).is_none() {
        return Err(Rejection::ProductUnknown {
            product_id: wanted.product_id.clone(),
            area: context.area.to_string(),
        });
    }
    if !(1..=LOT_UNITS_MAX.0).contains(&wanted.quantity.0) {
        return Err(Rejection::QuantityInvalid {
            of: "units in demand".into(),
            quantity: wanted.quantity.0,
            max: LOT_UNITS_MAX.0,
        });
    }
    price::check("a highest price", wanted.highest)?;
    check_times(wanted, context)?;
    Ok(vec![
        BulkDemandPlaced {
            demand_id: context.new_id(0),
            buyer_id: wanted.buyer_id.clone(),
            product_id: wanted.product_id.clone(),
            quantity_units: wanted.quantity.0,
            lowest_grade: wanted.lowest_grade.into(),
            from_time: Some(to_proto(wanted.from)),
            to_time: Some(to_proto(wanted.to)),
            highest_fen_per_kg: wanted.highest.0,
            repeat_until_time: wanted.repeat_until.map(to_proto),
        }
        .into(),
    ])
}

fn check_times(wanted: &PlaceBulkDemand, context: &Context) -> Result<(), SurplusRejection> {
    let wrong = |what, at, why| Err(SurplusRejection::Times { what, at, why });
    let latest = context.now.plus_minutes(DEMAND_DAYS_MAX * DAY_MINUTES);
    let end = "the end of the window,";
    if wanted.to <= context.now {
        return wrong(end, wanted.to, "it is over; name one in the future");
    }
    if wanted.to <= wanted.from {
        return wrong(end, wanted.to, "it must be after its beginning");
    }
    if wanted.to > latest {
        return wrong(end, wanted.to, "at most 366 days from now are possible");
    }
    let Some(until) = wanted.repeat_until else {
        return Ok(());
    };
    let what = "the end of the standing demand,";
    if wanted.to > wanted.from.plus_minutes(DAY_MINUTES) {
        return wrong(
            end,
            wanted.to,
            "windows that come every day are at most a day long",
        );
    }
    if until < wanted.to {
        return wrong(what, until, "it must not be before its first window ends");
    }
    if until > latest {
        return wrong(what, until, "at most 366 days from now are possible");
    }
    Ok(())
}

pub(crate) fn withdraw(
    state: &State,
    wanted: &WithdrawBulkDemand,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let demand = state
        .surplus
        .demand(&context.area, &wanted.demand_id)
        .filter(|demand| demand.buyer_id == wanted.buyer_id)
        .ok_or_else(|| SurplusRejection::unknown(Subject::Demand, &wanted.demand_id))?;
    match demand.state {
        BulkDemandState::Withdrawn => return Ok(Vec::new()),
        BulkDemandState::Open => {}
        state => {
            return Err(SurplusRejection::DemandOver {
                demand_id: wanted.demand_id.clone(),
                state,
            }
            .into());
        }
    }
    let (mut events, freed) =
        withdrawn_matches(&state.surplus, MatchWithdrawReason::Demand, |trade| {
            trade.demand_id == demand.demand_id && trade.demand_round == demand.round
        });
    events.push(
        BulkDemandWithdrawn {
            demand_id: demand.demand_id.clone(),
            quantity_units: demand.open.plus(freed).0,
        }
        .into(),
    );
    Ok(events)
}

/// Timer: a window is over.
pub(crate) fn end_window(
    state: &State,
    demand_id: &str,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let demand = state.surplus.demand(&context.area, demand_id);
    let due =
        |demand: &&BulkDemand| demand.state == BulkDemandState::Open && demand.to <= context.now;
    let Some(demand) = demand.filter(due) else {
        return Ok(Vec::new());
    };
    let event = match demand.next_window(context.now) {
        Some((round, from, to)) => BulkDemandRenewed {
            demand_id: demand.demand_id.clone(),
            round,
            from_time: Some(to_proto(from)),
            to_time: Some(to_proto(to)),
        }
        .into(),
        None => BulkDemandEnded {
            demand_id: demand.demand_id.clone(),
            quantity_units: demand.open.0,
        }
        .into(),
    };
    Ok(vec![event])
}

pub(crate) fn placed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &BulkDemandPlaced,
) -> Result<(), Misfit> {
    if surplus.demands.contains_key(&event.demand_id) {
        return Err(misfit(fact, "the demand is placed twice"));
    }
    if event.quantity_units <= 0 {
        return Err(misfit(fact, "nothing is asked for"));
    }
    let units = Units(event.quantity_units);
    let demand = BulkDemand {
        demand_id: event.demand_id.clone(),
        area: fact.area.clone(),
        buyer_id: event.buyer_id.clone(),
        product_id: event.product_id.clone(),
        lowest_grade: event.lowest_grade(),
        from: or_epoch(event.from_time.as_ref()),
        to: or_epoch(event.to_time.as_ref()),
        round: 1,
        repeat_until: event.repeat_until_time.as_ref().map(|t| or_epoch(Some(t))),
        highest: FenPerKg(event.highest_fen_per_kg),
        state: BulkDemandState::Open,
        asked: units,
        open: units,
        proposed: Units::ZERO,
        confirmed: Units::ZERO,
        withdrawn: Units::ZERO,
        revision: fact.revision,
    };
    surplus.deadlines.extend(demand.deadline());
    surplus.demands.insert(event.demand_id.clone(), demand);
    surplus.change_demand(fact, &event.demand_id, |_| Ok(()))?;
    surplus.something_changed(fact);
    Ok(())
}

pub(crate) fn renewed(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &BulkDemandRenewed,
) -> Result<(), Misfit> {
    surplus.change_demand(fact, &event.demand_id, |demand| {
        if demand.state != BulkDemandState::Open {
            return Err("the demand is over".into());
        }
        if event.round <= demand.round {
            return Err("the window is not a later one".into());
        }
        demand.round = event.round;
        demand.from = or_epoch(event.from_time.as_ref());
        demand.to = or_epoch(event.to_time.as_ref());
        demand.open = demand.asked;
        demand.proposed = Units::ZERO;
        demand.confirmed = Units::ZERO;
        demand.revision = fact.revision;
        Ok(())
    })?;
    surplus.something_changed(fact);
    Ok(())
}

pub(crate) fn was_withdrawn(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &BulkDemandWithdrawn,
) -> Result<(), Misfit> {
    end(surplus, fact, &event.demand_id, BulkDemandState::Withdrawn)
}

pub(crate) fn ended(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    event: &BulkDemandEnded,
) -> Result<(), Misfit> {
    end(surplus, fact, &event.demand_id, BulkDemandState::Ended)
}

/// What is open then is not wanted any more.
fn end(
    surplus: &mut Surplus,
    fact: &Fact<'_>,
    demand_id: &str,
    state: BulkDemandState,
) -> Result<(), Misfit> {
    surplus.change_demand(fact, demand_id, |demand| {
        if demand.state != BulkDemandState::Open {
            return Err("the demand is over already".into());
        }
        demand.state = state;
        let open = std::mem::take(&mut demand.open);
        demand.give_back(open);
        demand.revision = fact.revision;
        Ok(())
    })
}

impl BulkDemand {
    /// Units that do not come after all: open again while they are wanted.
    pub(crate) fn give_back(&mut self, units: Units) {
        let place = match self.state {
            BulkDemandState::Open => &mut self.open,
            _ => &mut self.withdrawn,
        };
        *place = place.plus(units);
    }
}
