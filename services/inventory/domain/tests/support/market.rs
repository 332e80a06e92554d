//! Words of the specifications of surplus: commands and foreign facts in short.
#![allow(dead_code)]

use decider::{Service, Timestamp, spec::Spec};
use inventory_domain::{
    ChangeSurplus, Command, ConfirmMatch, DefineProduct, FenPerKg, Grams, Match, MatchFilter,
    OfferSurplus, OpenMatching, PlaceBulkDemand, RefuseMatch, RegisterBuyer, SetReferencePrice,
    Stock, Units, WithdrawBulkDemand, WithdrawSurplus,
};
use proto::{
    InventoryEvent, LogisticsEvent,
    inventory::v1::{CapPolicy, Category, Grade, MatchSide, MatchState, RefusalReason, Spot},
    logistics::v1::{
        CustodyTransferred, LineReceipt, Load, LoadChanged, LoadLine, Milestone, MilestoneReported,
        Pickup, ShipmentCancelled, ShipmentDrafted,
    },
};

pub type Market = Spec<Stock>;

/// Of one crate.
pub const UNIT_GRAMS: i64 = 10_000;
pub const HOUR: i64 = 60;

/// Radish in crates of 10 kg, a hotel and a plant that buy, and matching that
/// has not begun.
pub fn market() -> Market {
    let mut market = Market::given([]);
    for product in ["radish", "greens"] {
        market.accept(define(product));
    }
    market.accept(buyer("hotel", "z1"));
    market.accept(buyer("plant", "z2"));
    market
}

pub fn define(product_id: &str) -> Command {
    Command::DefineProduct(DefineProduct {
        product_id: product_id.into(),
        name: format!("{product_id} in crates"),
        unit_weight: Grams(UNIT_GRAMS),
        category: Category::Produce,
    })
}

pub fn spot(place_id: &str, zone: &str) -> Spot {
    Spot {
        place_id: place_id.into(),
        zone: zone.into(),
    }
}

pub fn buyer(buyer_id: &str, zone: &str) -> Command {
    Command::RegisterBuyer(RegisterBuyer {
        buyer_id: buyer_id.into(),
        name: format!("The {buyer_id}"),
        place: spot(buyer_id, zone),
    })
}

pub fn price(product_id: &str, reference: i64, cap: i64, policy: CapPolicy) -> Command {
    Command::SetReferencePrice(SetReferencePrice {
        product_id: product_id.into(),
        reference: FenPerKg(reference),
        cap: FenPerKg(cap),
        policy,
    })
}

/// Radish, of grade B, for the day, in zone z1, at 100 fen/kg.
pub fn surplus(market: &Market, grower: &str, units: i64) -> OfferSurplus {
    let now = market.context.now;
    OfferSurplus {
        grower_id: grower.into(),
        product_id: "radish".into(),
        quantity: Units(units),
        grade: Grade::B,
        harvested: now.plus_minutes(-2 * HOUR),
        field: spot(&format!("field-{grower}"), "z1"),
        from: None,
        to: now.plus_minutes(12 * HOUR),
        asking: FenPerKg(100),
        reference: Some(FenPerKg(120)),
    }
}

/// Lists it and gives its id.
pub fn list(market: &mut Market, surplus: OfferSurplus) -> String {
    let events = market.accept(Command::OfferSurplus(surplus));
    let found = events.iter().find_map(|event| match event {
        InventoryEvent::SurplusListed(e) => Some(e.listing_id.clone()),
        _ => None,
    });
    found.expect("it is listed")
}

/// [`surplus`], listed.
pub fn offer(market: &mut Market, grower: &str, units: i64) -> String {
    let surplus = surplus(market, grower, units);
    list(market, surplus)
}

pub fn change(market: &Market, grower: &str, listing_id: &str, units: i64) -> ChangeSurplus {
    ChangeSurplus {
        grower_id: grower.into(),
        listing_id: listing_id.into(),
        quantity: Units(units),
        grade: Grade::B,
        from: None,
        to: market.context.now.plus_minutes(12 * HOUR),
        asking: FenPerKg(100),
    }
}

pub fn withdraw(grower: &str, listing_id: &str) -> Command {
    Command::WithdrawSurplus(WithdrawSurplus {
        grower_id: grower.into(),
        listing_id: listing_id.into(),
    })
}

/// Radish, today, at most 150 fen/kg.
pub fn demand(market: &Market, buyer: &str, units: i64) -> PlaceBulkDemand {
    let now = market.context.now;
    PlaceBulkDemand {
        buyer_id: buyer.into(),
        product_id: "radish".into(),
        quantity: Units(units),
        lowest_grade: Grade::Unspecified,
        from: now.plus_minutes(2 * HOUR),
        to: now.plus_minutes(10 * HOUR),
        highest: FenPerKg(150),
        repeat_until: None,
    }
}

pub fn ask(market: &mut Market, demand: PlaceBulkDemand) -> String {
    let events = market.accept(Command::PlaceBulkDemand(demand));
    match &events[..] {
        [InventoryEvent::BulkDemandPlaced(e)] => e.demand_id.clone(),
        other => panic!("{other:?} is no demand"),
    }
}

/// [`demand`], placed.
pub fn want(market: &mut Market, buyer: &str, units: i64) -> String {
    let demand = demand(market, buyer, units);
    ask(market, demand)
}

pub fn forgo(buyer: &str, demand_id: &str) -> Command {
    Command::WithdrawBulkDemand(WithdrawBulkDemand {
        buyer_id: buyer.into(),
        demand_id: demand_id.into(),
    })
}

pub const OPEN: Command = Command::OpenMatching(OpenMatching {
    answer_minutes: 60,
    load_wait_minutes: 15,
});

/// Matching is opened, and its rounds are held until nothing is due now.
pub fn propose(market: &mut Market) {
    market.accept(OPEN);
    pass(market, 0);
}

pub fn pass(market: &mut Market, minutes: i64) {
    let until = market.context.now.plus_minutes(minutes);
    market.elapse(until);
}

/// In the order in which they were proposed.
pub fn matches(market: &Market, state: MatchState) -> Vec<Match> {
    let filter = MatchFilter {
        state,
        ..MatchFilter::default()
    };
    let found = market.state.matches(&market.context.area, filter, None);
    found.cloned().collect()
}

/// Grower, buyer and units of the matches in a state, sorted.
pub fn pairs(market: &Market, state: MatchState) -> Vec<(String, String, i64)> {
    let found = matches(market, state);
    let mut pairs: Vec<_> = found
        .into_iter()
        .map(|m| (m.grower_id, m.buyer_id, m.quantity.0))
        .collect();
    pairs.sort();
    pairs
}

pub fn confirm(trade: &Match, side: MatchSide) -> Command {
    let party_id = match side {
        MatchSide::Buyer => &trade.buyer_id,
        _ => &trade.grower_id,
    };
    Command::ConfirmMatch(ConfirmMatch {
        match_id: trade.match_id.clone(),
        side,
        party_id: party_id.clone(),
    })
}

pub fn refuse(trade: &Match, side: MatchSide) -> Command {
    let party_id = match side {
        MatchSide::Buyer => &trade.buyer_id,
        _ => &trade.grower_id,
    };
    Command::RefuseMatch(RefuseMatch {
        match_id: trade.match_id.clone(),
        side,
        party_id: party_id.clone(),
        reason: RefusalReason::Quality,
        note: "woody".into(),
    })
}

/// By both sides.
pub fn confirm_all(market: &mut Market) -> Vec<Match> {
    for trade in matches(market, MatchState::Proposed) {
        market.accept(confirm(&trade, MatchSide::Buyer));
        market.accept(confirm(&trade, MatchSide::Grower));
    }
    matches(market, MatchState::Confirmed)
}

pub fn load(match_ids: &[&str]) -> Load {
    let pickups = match_ids.iter().map(|id| Pickup {
        stop_id: format!("stop-{id}"),
        lines: vec![LoadLine {
            line_id: (*id).into(),
            ..LoadLine::default()
        }],
        ..Pickup::default()
    });
    Load {
        pickups: pickups.collect(),
        ..Load::default()
    }
}

pub fn shipped(shipment_id: &str, match_ids: &[&str]) -> LogisticsEvent {
    ShipmentDrafted {
        shipment_id: shipment_id.into(),
        load: Some(load(match_ids)),
        ..ShipmentDrafted::default()
    }
    .into()
}

pub fn coming_back(shipment_id: &str, of: &str, match_ids: &[&str]) -> LogisticsEvent {
    ShipmentDrafted {
        shipment_id: shipment_id.into(),
        load: Some(load(match_ids)),
        returns_shipment_id: of.into(),
        ..ShipmentDrafted::default()
    }
    .into()
}

pub fn reloaded(shipment_id: &str, match_ids: &[&str]) -> LogisticsEvent {
    LoadChanged {
        shipment_id: shipment_id.into(),
        load_version: 2,
        load: Some(load(match_ids)),
    }
    .into()
}

pub fn taken_over(shipment_id: &str, lines: &[(&str, i64, i64, i64)]) -> LogisticsEvent {
    let lines = lines
        .iter()
        .map(|(id, accepted, damaged, short)| LineReceipt {
            line_id: (*id).into(),
            accepted_units: *accepted,
            damaged_units: *damaged,
            short_units: *short,
            ..LineReceipt::default()
        });
    CustodyTransferred {
        shipment_id: shipment_id.into(),
        lines: lines.collect(),
        ..CustodyTransferred::default()
    }
    .into()
}

pub fn cancelled(shipment_id: &str) -> LogisticsEvent {
    ShipmentCancelled {
        shipment_id: shipment_id.into(),
        reason: "ROAD_CLOSED".into(),
    }
    .into()
}

pub fn lost(shipment_id: &str) -> LogisticsEvent {
    MilestoneReported {
        shipment_id: shipment_id.into(),
        milestone: Milestone::Lost.into(),
        ..MilestoneReported::default()
    }
    .into()
}

/// What follows from a fact of logistics.
pub fn hear(market: &mut Market, event: LogisticsEvent) -> Vec<InventoryEvent> {
    let answers = market.react(Service::Logistics, proto::AnyEvent::Logistics(event));
    let events = answers
        .into_iter()
        .map(|answer| answer.expect("no refusal"));
    events.flatten().collect()
}

pub fn at(market: &Market, minutes: i64) -> Timestamp {
    market.context.now.plus_minutes(minutes)
}
