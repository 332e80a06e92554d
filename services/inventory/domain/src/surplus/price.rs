//! What a product is worth and may cost at most (S11). A price above the cap
//! is recorded whatever the policy says (INV-14).

use decider::{Context, Invariant, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{CapPolicy, PriceCapBreached, ReferencePriceSet},
};
use serde::{Deserialize, Serialize};

use super::{Surplus, SurplusRejection, command::SetReferencePrice, listing::Listing};
use crate::{
    rejection::Rejection,
    state::{Fact, Misfit, State},
    units::FenPerKg,
};

/// The highest price: 100,000 yuan for a kilogram.
pub const PRICE_MAX: FenPerKg = FenPerKg(10_000_000);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub product_id: String,
    pub reference: FenPerKg,
    pub cap: FenPerKg,
    pub policy: CapPolicy,
    /// Prices above the cap that were met with, since the first cap.
    pub breaches: u64,
    pub set: Timestamp,
}

pub(crate) fn set(
    state: &State,
    wanted: &SetReferencePrice,
    context: &Context,
) -> Result<Vec<InventoryEvent>, Rejection> {
    if state.product(&context.area, &wanted.product_id).is_none() {
        return Err(Rejection::ProductUnknown {
            product_id: wanted.product_id.clone(),
            area: context.area.to_string(),
        });
    }
    check("a reference price", wanted.reference)?;
    check("a cap", wanted.cap)?;
    if wanted.cap < wanted.reference {
        return Err(SurplusRejection::CapBelowReference {
            cap: wanted.cap,
            reference: wanted.reference,
        }
        .into());
    }
    let known = state.surplus.price(&context.area, &wanted.product_id);
    let same = known.is_some_and(|known| {
        known.reference == wanted.reference
            && known.cap == wanted.cap
            && known.policy == wanted.policy
    });
    if same {
        return Ok(Vec::new());
    }
    Ok(vec![
        ReferencePriceSet {
            product_id: wanted.product_id.clone(),
            reference_fen_per_kg: wanted.reference.0,
            cap_fen_per_kg: wanted.cap.0,
            policy: wanted.policy.into(),
        }
        .into(),
    ])
}

pub(crate) fn check(of: &'static str, price: FenPerKg) -> Result<(), SurplusRejection> {
    if (1..=PRICE_MAX.0).contains(&price.0) {
        return Ok(());
    }
    Err(SurplusRejection::PriceInvalid {
        of,
        price,
        max: PRICE_MAX,
    })
}

pub(crate) fn was_set(surplus: &mut Surplus, fact: &Fact<'_>, event: &ReferencePriceSet) {
    let key = (fact.area.clone(), event.product_id.clone());
    let breaches = surplus.prices.get(&key).map_or(0, |price| price.breaches);
    surplus.prices.insert(
        key,
        Price {
            product_id: event.product_id.clone(),
            reference: FenPerKg(event.reference_fen_per_kg),
            cap: FenPerKg(event.cap_fen_per_kg),
            policy: event.policy(),
            breaches,
            set: fact.at,
        },
    );
    surplus.something_changed(fact);
}

/// What a price means where there is a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    Fine,
    /// It may go on, once that is recorded.
    Flag(&'a Price),
    Refuse(&'a Price),
}

pub(crate) fn judge<'a>(
    surplus: &'a Surplus,
    area: &decider::Area,
    product_id: &str,
    asking: FenPerKg,
) -> Verdict<'a> {
    match surplus.price(area, product_id) {
        Some(price) if asking > price.cap => match price.policy {
            CapPolicy::Refuse => Verdict::Refuse(price),
            _ => Verdict::Flag(price),
        },
        _ => Verdict::Fine,
    }
}

/// The record of it.
pub(crate) fn breach(
    price: &Price,
    (listing_id, grower_id): (&str, &str),
    asking: FenPerKg,
    match_id: &str,
) -> InventoryEvent {
    PriceCapBreached {
        listing_id: listing_id.to_owned(),
        grower_id: grower_id.to_owned(),
        product_id: price.product_id.clone(),
        price_fen_per_kg: asking.0,
        cap_fen_per_kg: price.cap.0,
        reference_fen_per_kg: price.reference.0,
        action: price.policy.into(),
        match_id: match_id.to_owned(),
    }
    .into()
}

impl Listing {
    /// That this price is above this cap was recorded.
    pub(crate) fn told(&self, price: &Price) -> bool {
        self.breach == Some((self.asking, price.cap, price.policy))
    }
}

/// A listing that was refused is not known and has nothing to note.
pub(crate) fn breached(surplus: &mut Surplus, fact: &Fact<'_>, event: &PriceCapBreached) {
    let key = (fact.area.clone(), event.product_id.clone());
    if let Some(price) = surplus.prices.get_mut(&key) {
        price.breaches = price.breaches.saturating_add(1);
    }
    let listing = surplus.listings.get_mut(&event.listing_id);
    if let Some(listing) = listing.filter(|listing| listing.area == *fact.area) {
        listing.breach = Some((
            FenPerKg(event.price_fen_per_kg),
            FenPerKg(event.cap_fen_per_kg),
            event.action(),
        ));
        listing.revision = fact.revision;
    }
}

/// INV-14: what is proposed above the cap was spoken of before.
pub(crate) fn passed(
    surplus: &Surplus,
    fact: &Fact<'_>,
    event: &proto::inventory::v1::MatchProposed,
) -> Result<(), Misfit> {
    let asking = FenPerKg(event.price_fen_per_kg);
    let listing = surplus.listings.get(&event.listing_id);
    match judge(surplus, fact.area, &event.product_id, asking) {
        Verdict::Fine => Ok(()),
        Verdict::Flag(price) if listing.is_some_and(|listing| listing.told(price)) => Ok(()),
        Verdict::Flag(price) | Verdict::Refuse(price) => Err(fact.breaks(
            Invariant::PriceCapSpeaks,
            format!(
                "{asking} is above the cap of {}, and nothing says so",
                price.cap
            ),
        )),
    }
}
