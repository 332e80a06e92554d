//! One line on each entity, for audits.

use decider::StreamId;
use proto::{
    inventory::v1::{BulkDemandState, ListingState, MatchState},
    time::to_proto,
};

use super::{BulkDemand, Buyer, Listing, Match, Surplus};

/// `EXPIRED`.
pub(crate) fn listing_word(state: ListingState) -> &'static str {
    state.as_str_name().trim_start_matches("LISTING_STATE_")
}

/// `ENDED`.
pub(crate) fn demand_word(state: BulkDemandState) -> &'static str {
    state.as_str_name().trim_start_matches("BULK_DEMAND_STATE_")
}

/// `CONFIRMED`.
pub(crate) fn match_word(state: MatchState) -> &'static str {
    state.as_str_name().trim_start_matches("MATCH_STATE_")
}

impl Surplus {
    pub(crate) fn describe(&self, stream: &StreamId) -> Option<String> {
        let id = stream.id();
        match stream.category() {
            "listing" => self.listings.get(id).map(Listing::describe),
            "buyer" => self.buyers.get(id).map(Buyer::describe),
            "bulk-demand" => self.demands.get(id).map(BulkDemand::describe),
            "match" => self.matches.get(id).map(Match::describe),
            "matching" => {
                let mut all = self.matchings.iter();
                let (_, matching) = all.find(|(area, _)| area.as_str() == id)?;
                let word = if matching.open { "open" } else { "closed" };
                Some(format!("matching {word}; {} rounds held", matching.rounds))
            }
            // One id may mean a product in each of several areas.
            "price" => {
                let of_product = self.prices.iter().filter(|((_, product), _)| product == id);
                let lines: Vec<_> = of_product
                    .map(|((area, _), price)| {
                        format!(
                            "price of {id} in area {area}: {}, at most {}",
                            price.reference, price.cap
                        )
                    })
                    .collect();
                (!lines.is_empty()).then(|| lines.join("; "))
            }
            _ => None,
        }
    }
}

impl Listing {
    fn describe(&self) -> String {
        format!(
            "listing of {} by {}, {}: {} listed at {}: {} open, {} proposed, {} confirmed, {} \
             delivered, {} lost, {} withdrawn, {} expired",
            self.product_id,
            self.grower_id,
            listing_word(self.state),
            self.listed,
            self.asking,
            self.open.0,
            self.proposed.0,
            self.confirmed.0,
            self.delivered.0,
            self.lost.0,
            self.withdrawn.0,
            self.expired.0
        )
    }
}

impl Buyer {
    fn describe(&self) -> String {
        format!(
            "buyer {} at {} in zone {}",
            self.name, self.place.place_id, self.place.zone
        )
    }
}

impl BulkDemand {
    fn describe(&self) -> String {
        format!(
            "demand of {} for {}, {}: window {} from {} to {}: {} asked at {} at most: {} open, \
             {} proposed, {} confirmed",
            self.buyer_id,
            self.product_id,
            demand_word(self.state),
            self.round,
            to_proto(self.from),
            to_proto(self.to),
            self.asked,
            self.highest,
            self.open.0,
            self.proposed.0,
            self.confirmed.0
        )
    }
}

impl Match {
    fn describe(&self) -> String {
        let mut line = format!(
            "match {}, {} of {} from {} to {} at {}",
            match_word(self.state),
            self.quantity,
            self.product_id,
            self.grower_id,
            self.buyer_id,
            self.price
        );
        if self.state == MatchState::Proposed {
            line += match (self.grower_agreed, self.buyer_agreed) {
                (true, _) => ", wanted by the grower",
                (_, true) => ", wanted by the buyer",
                _ => "",
            };
        }
        if !self.shipment_id.is_empty() {
            line += &format!(", shipment {}", self.shipment_id);
        }
        if self.state == MatchState::Delivered {
            line += &format!(
                ": {} accepted, {} damaged, {} short",
                self.accepted.0, self.damaged.0, self.short.0
            );
        }
        line
    }
}
