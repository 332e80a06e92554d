//! What a grower asks about his listings: to list, to change until something is
//! matched, to withdraw; and what time does to them.

use decider::{Area, Context, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{
        ListingState, MatchState, MatchWithdrawReason, MatchWithdrawn, SurplusChanged,
        SurplusExpired, SurplusListed, SurplusWithdrawn,
    },
    time::to_proto,
};

use super::{
    Listing, Subject, Surplus, SurplusRejection,
    command::{ChangeSurplus, OfferSurplus, WithdrawSurplus},
    price::{self, Verdict},
};
use crate::{
    lot::LOT_UNITS_MAX,
    rejection::Rejection,
    state::State,
    units::{FenPerKg, Units},
};

/// For how long from now something can be listed.
pub const LISTING_DAYS_MAX: i64 = 30;
const DAY_MINUTES: i64 = 24 * 60;

pub(crate) fn offer(
    state: &State,
    wanted: &OfferSurplus,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let Some(product) = state.product(&context.area, &wanted.product_id) else {
        return Err(Rejection::ProductUnknown {
            product_id: wanted.product_id.clone(),
            area: context.area.to_string(),
        });
    };
    check_quantity(wanted.quantity)?;
    price::check("an asking price", wanted.asking)?;
    if let Some(reference) = wanted.reference {
        price::check("a reference price", reference)?;
    }
    let from = wanted.from.unwrap_or(context.now);
    check_times(from, wanted.to, context)?;
    if wanted.harvested > wanted.to {
        return Err(SurplusRejection::Times {
            what: "the harvest at",
            at: wanted.harvested,
            why: "it must be before the goods can be fetched for the last time",
        }
        .into());
    }
    let listing_id = context.new_id(0);
    let of_area = state.surplus.price(&context.area, &wanted.product_id);
    let listed = SurplusListed {
        listing_id: listing_id.clone(),
        grower_id: wanted.grower_id.clone(),
        product_id: wanted.product_id.clone(),
        quantity_units: wanted.quantity.0,
        unit_grams: product.unit_weight.0,
        grade: wanted.grade.into(),
        harvested_time: Some(to_proto(wanted.harvested)),
        field: Some(wanted.field.clone()),
        from_time: Some(to_proto(from)),
        to_time: Some(to_proto(wanted.to)),
        asking_fen_per_kg: wanted.asking.0,
        reference_fen_per_kg: reference(wanted, of_area).0,
    };
    let by = (listing_id.as_str(), wanted.grower_id.as_str());
    Ok(
        match price::judge(
            &state.surplus,
            &context.area,
            &wanted.product_id,
            wanted.asking,
        ) {
            Verdict::Fine => vec![listed.into()],
            Verdict::Flag(cap) => vec![listed.into(), price::breach(cap, by, wanted.asking, "")],
            Verdict::Refuse(cap) => vec![price::breach(cap, by, wanted.asking, "")],
        },
    )
}

/// What the grower says, though no more than what the area says.
fn reference(wanted: &OfferSurplus, of_area: Option<&price::Price>) -> FenPerKg {
    let of_area = of_area.map(|price| price.reference);
    match (wanted.reference, of_area) {
        (Some(own), Some(of_area)) => own.min(of_area),
        (own, of_area) => own.or(of_area).unwrap_or(wanted.asking),
    }
}

fn check_quantity(quantity: Units) -> Result<(), Rejection> {
    if (1..=LOT_UNITS_MAX.0).contains(&quantity.0) {
        return Ok(());
    }
    Err(Rejection::QuantityInvalid {
        of: "units of surplus".into(),
        quantity: quantity.0,
        max: LOT_UNITS_MAX.0,
    })
}

fn check_times(from: Timestamp, to: Timestamp, context: &Context) -> Result<(), SurplusRejection> {
    let wrong = |why| {
        Err(SurplusRejection::Times {
            what: "the last time to fetch it,",
            at: to,
            why,
        })
    };
    if to <= context.now {
        return wrong("it is over; name one in the future");
    }
    if to <= from {
        return wrong("it must be after the first");
    }
    if to > context.now.plus_minutes(LISTING_DAYS_MAX * DAY_MINUTES) {
        return wrong("at most 30 days from now are possible");
    }
    Ok(())
}

/// The grower's listing: another's is unknown to him.
fn own<'a>(
    state: &'a State,
    area: &Area,
    listing_id: &str,
    grower_id: &str,
) -> Result<&'a Listing, SurplusRejection> {
    state
        .surplus
        .listing(area, listing_id)
        .filter(|listing| listing.grower_id == grower_id)
        .ok_or_else(|| SurplusRejection::unknown(Subject::Listing, listing_id))
}

fn over(listing: &Listing) -> Rejection {
    SurplusRejection::ListingOver {
        listing_id: listing.listing_id.clone(),
        state: listing.state,
    }
    .into()
}

fn matched(listing: &Listing) -> Rejection {
    SurplusRejection::ListingMatched {
        listing_id: listing.listing_id.clone(),
        proposed: listing.proposed,
        confirmed: listing.confirmed.plus(listing.delivered).plus(listing.lost),
    }
    .into()
}

pub(crate) fn change(
    state: &State,
    wanted: &ChangeSurplus,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let listing = own(state, &context.area, &wanted.listing_id, &wanted.grower_id)?;
    if listing.state != ListingState::Open {
        return Err(over(listing));
    }
    if listing.served() > Units::ZERO {
        return Err(matched(listing));
    }
    check_quantity(wanted.quantity)?;
    price::check("an asking price", wanted.asking)?;
    let from = wanted.from.unwrap_or(listing.from);
    check_times(from, wanted.to, context)?;
    let same = listing.listed == wanted.quantity
        && listing.grade == wanted.grade
        && (listing.from, listing.to) == (from, wanted.to)
        && listing.asking == wanted.asking;
    if same {
        return Ok(Vec::new());
    }
    let changed = SurplusChanged {
        listing_id: listing.listing_id.clone(),
        quantity_units: wanted.quantity.0,
        grade: wanted.grade.into(),
        from_time: Some(to_proto(from)),
        to_time: Some(to_proto(wanted.to)),
        asking_fen_per_kg: wanted.asking.0,
        reference_fen_per_kg: listing.reference.0,
    };
    let by = (listing.listing_id.as_str(), listing.grower_id.as_str());
    Ok(
        match price::judge(
            &state.surplus,
            &context.area,
            &listing.product_id,
            wanted.asking,
        ) {
            Verdict::Fine => vec![changed.into()],
            Verdict::Flag(cap) => vec![changed.into(), price::breach(cap, by, wanted.asking, "")],
            Verdict::Refuse(cap) => vec![price::breach(cap, by, wanted.asking, "")],
        },
    )
}

pub(crate) fn withdraw(
    state: &State,
    wanted: &WithdrawSurplus,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let listing = own(state, &context.area, &wanted.listing_id, &wanted.grower_id)?;
    match listing.state {
        ListingState::Withdrawn => return Ok(Vec::new()),
        ListingState::Open => {}
        _ => return Err(over(listing)),
    }
    if listing.open == Units::ZERO && listing.proposed == Units::ZERO {
        return Err(matched(listing));
    }
    // First the proposals, so that their units are among those taken off.
    let (mut events, freed) =
        withdrawn_matches(&state.surplus, MatchWithdrawReason::Listing, |trade| {
            trade.listing_id == listing.listing_id
        });
    events.push(
        SurplusWithdrawn {
            listing_id: listing.listing_id.clone(),
            quantity_units: listing.open.plus(freed).0,
        }
        .into(),
    );
    Ok(events)
}

/// Proposals that one command ends; the others cannot be confirmed any more,
/// and expire.
const WITHDRAWN_AT_ONCE: usize = 40;

/// The ends of open proposals of a listing, or for a demand, and their units.
pub(crate) fn withdrawn_matches(
    surplus: &Surplus,
    reason: MatchWithdrawReason,
    concerned: impl Fn(&super::Match) -> bool,
) -> (Vec<InventoryEvent>, Units) {
    let open = surplus
        .matches
        .values()
        .filter(|trade| trade.state == MatchState::Proposed && concerned(trade));
    let mut freed = Units::ZERO;
    let ends = open.take(WITHDRAWN_AT_ONCE).map(|trade| {
        freed = freed.plus(trade.quantity);
        MatchWithdrawn {
            match_id: trade.match_id.clone(),
            reason: reason.into(),
        }
        .into()
    });
    (ends.collect(), freed)
}

/// Timer. What was listed longer meanwhile does not expire.
pub(crate) fn expire(
    state: &State,
    listing_id: &str,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    let listing = state.surplus.listing(&context.area, listing_id);
    let due = |listing: &&Listing| listing.state == ListingState::Open && listing.to <= context.now;
    let expired = listing.filter(due).map(|listing| {
        SurplusExpired {
            listing_id: listing.listing_id.clone(),
            quantity_units: listing.open.0,
        }
        .into()
    });
    Ok(expired.into_iter().collect())
}
