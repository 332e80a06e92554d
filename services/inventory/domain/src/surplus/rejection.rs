//! Every "no" of the surplus trade.

use decider::{Rejected, Timestamp};
use proto::{
    InventoryEvent,
    inventory::v1::{BulkDemandState, CapPolicy, ListingState, MatchState},
    time::to_proto,
};

use super::describe::{demand_word, listing_word, match_word};
use crate::units::{FenPerKg, Units};

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Listing,
    Buyer,
    Demand,
    Match,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Listing => "listing",
            Self::Buyer => "buyer",
            Self::Demand => "demand",
            Self::Match => "match",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SurplusRejection {
    /// Also of what is another grower's or buyer's.
    #[error("{subject} {id} is not known: check the id, and whose it is")]
    Unknown { subject: Subject, id: String },
    #[error("buyer {buyer_id} is registered with other data: choose another id")]
    BuyerExists { buyer_id: String },
    #[error("{of} cannot be {price}: 1 to {max} are possible")]
    PriceInvalid {
        of: &'static str,
        price: FenPerKg,
        max: FenPerKg,
    },
    #[error("the cap of {cap} is below the reference of {reference}: a cap is at least that")]
    CapBelowReference { cap: FenPerKg, reference: FenPerKg },
    #[error("{what} {}: {why}", to_proto(*at))]
    Times {
        what: &'static str,
        at: Timestamp,
        why: &'static str,
    },
    #[error(
        "{price} for product {product_id} is above the cap of {cap}: ask at most that; the attempt was recorded"
    )]
    AboveCap {
        product_id: String,
        price: FenPerKg,
        cap: FenPerKg,
    },
    #[error(
        "of listing {listing_id} {proposed} are proposed and {confirmed} matched: refuse the proposals first; what is matched stays as it was listed"
    )]
    ListingMatched {
        listing_id: String,
        proposed: Units,
        confirmed: Units,
    },
    #[error("listing {listing_id} is {}: list what there is anew", listing_word(*state))]
    ListingOver {
        listing_id: String,
        state: ListingState,
    },
    #[error("demand {demand_id} is {}: place another one", demand_word(*state))]
    DemandOver {
        demand_id: String,
        state: BulkDemandState,
    },
    #[error("match {match_id} is {}: {needed}", match_word(*state))]
    MatchIs {
        match_id: String,
        state: MatchState,
        needed: &'static str,
    },
    /// Of a load that somebody drafted by hand: nobody is answered with it, it
    /// is recorded.
    #[error(
        "shipment {shipment_id} would carry {matches} matches, and {max} are the most: draft several"
    )]
    TooManyMatches {
        shipment_id: String,
        matches: usize,
        max: usize,
    },
    #[error("the answer to match {match_id} was due {}: wait for the next proposal", to_proto(*due))]
    AnswerTooLate { match_id: String, due: Timestamp },
}

impl SurplusRejection {
    pub(crate) fn unknown(subject: Subject, id: &str) -> Self {
        Self::Unknown {
            subject,
            id: id.to_owned(),
        }
    }
}

impl Rejected for SurplusRejection {
    fn reason(&self) -> &'static str {
        match self {
            Self::Unknown { subject, .. } => match subject {
                Subject::Listing => "LISTING_UNKNOWN",
                Subject::Buyer => "BUYER_UNKNOWN",
                Subject::Demand => "BULK_DEMAND_UNKNOWN",
                Subject::Match => "MATCH_UNKNOWN",
            },
            Self::BuyerExists { .. } => "BUYER_EXISTS",
            Self::PriceInvalid { .. } => "PRICE_INVALID",
            Self::CapBelowReference { .. } => "CAP_BELOW_REFERENCE",
            Self::Times { .. } => "TIMES_INVALID",
            Self::AboveCap { .. } => "PRICE_ABOVE_CAP",
            Self::ListingMatched { .. } => "LISTING_MATCHED",
            Self::ListingOver { .. } => "LISTING_OVER",
            Self::DemandOver { .. } => "BULK_DEMAND_OVER",
            Self::MatchIs { .. } => "MATCH_STATE",
            Self::AnswerTooLate { .. } => "ANSWER_TOO_LATE",
            Self::TooManyMatches { .. } => "TOO_MANY_MATCHES",
        }
    }
}

/// Whether a command came to nothing but the record of a price above the cap:
/// the caller is refused then, although events were written.
#[must_use]
pub fn above_cap<'a>(
    events: impl IntoIterator<Item = &'a InventoryEvent>,
) -> Option<SurplusRejection> {
    events.into_iter().find_map(|event| match event {
        InventoryEvent::PriceCapBreached(e) if e.action() == CapPolicy::Refuse => {
            Some(SurplusRejection::AboveCap {
                product_id: e.product_id.clone(),
                price: FenPerKg(e.price_fen_per_kg),
                cap: FenPerKg(e.cap_fen_per_kg),
            })
        }
        _ => None,
    })
}
