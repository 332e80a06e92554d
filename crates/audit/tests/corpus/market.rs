//! The town's surplus: listings, demands and matches that end in every way in
//! which they can end, and the loads that carry what was confirmed.

use decider::{Actor, Domain, Role};
use inventory_domain::{
    self as inventory, Command as C, FenPerKg, Grams, Match, MatchFilter, Stock, Units,
};
use logistics_domain as logistics;
use proto::{
    InventoryEvent,
    inventory::v1::{CapPolicy, Category, Grade, MatchSide, MatchState, RefusalReason, Spot},
    logistics::v1::{LineReceipt, Milestone},
};

use crate::{
    haulage::{accept, apply, ask, assign, by, hours, issue, offer, report},
    town::{AREA, Town, operator},
};

const PRODUCT: &str = "radish-crate";

pub fn surplus_trade(town: &mut Town) {
    open(town);
    offer(town, "acme");
    let pass = apply(town, 12);
    issue(town, pass.clone());
    sold(town, &pass);
    not_sold(town);
    called_off(town);
    close(town);
}

fn stock(town: &mut Town, command: C) -> Vec<InventoryEvent> {
    town.ask::<Stock>(operator(), command)
}

/// A grower, who is a resident.
fn grower(town: &mut Town, grower: &str, command: C) -> Vec<InventoryEvent> {
    town.ask::<Stock>(Actor::new(Role::Resident, grower), command)
}

fn spot(place_id: &str, zone: &str) -> Spot {
    Spot {
        place_id: place_id.into(),
        zone: zone.into(),
    }
}

fn open(town: &mut Town) {
    let product = inventory::DefineProduct {
        product_id: PRODUCT.into(),
        name: "萝卜 radish, a crate".into(),
        unit_weight: Grams(10_000),
        category: Category::Produce,
    };
    stock(town, C::DefineProduct(product));
    let price = inventory::SetReferencePrice {
        product_id: PRODUCT.into(),
        reference: FenPerKg(100),
        cap: FenPerKg(140),
        policy: CapPolicy::Flag,
    };
    stock(town, C::SetReferencePrice(price));
    for buyer in ["hotel-1", "plant-1"] {
        let register = inventory::RegisterBuyer {
            buyer_id: buyer.into(),
            name: format!("The {buyer}"),
            place: spot(buyer, "town"),
        };
        stock(town, C::RegisterBuyer(register));
    }
    let matching = inventory::OpenMatching {
        answer_minutes: 60,
        load_wait_minutes: 20,
    };
    stock(town, C::OpenMatching(matching));
}

fn list(town: &mut Town, by: &str, units: i64, asking: i64, hours_open: i64) -> String {
    let offer = inventory::OfferSurplus {
        grower_id: by.into(),
        product_id: PRODUCT.into(),
        quantity: Units(units),
        grade: Grade::B,
        harvested: town.now(),
        field: spot(&format!("field-{by}"), "valley"),
        from: None,
        to: hours(town, hours_open),
        asking: FenPerKg(asking),
        reference: Some(FenPerKg(90)),
    };
    let events = grower(town, by, C::OfferSurplus(offer));
    match events.first() {
        Some(InventoryEvent::SurplusListed(event)) => event.listing_id.clone(),
        other => panic!("{other:?}"),
    }
}

fn want(town: &mut Town, buyer: &str, units: i64, standing: bool) -> String {
    let to = hours(town, 6);
    let demand = inventory::PlaceBulkDemand {
        buyer_id: buyer.into(),
        product_id: PRODUCT.into(),
        quantity: Units(units),
        lowest_grade: Grade::C,
        from: hours(town, 1),
        to,
        highest: FenPerKg(150),
        repeat_until: standing.then(|| to.plus_minutes(24 * 60)),
    };
    let events = stock(town, C::PlaceBulkDemand(demand));
    match events.first() {
        Some(InventoryEvent::BulkDemandPlaced(event)) => event.demand_id.clone(),
        other => panic!("{other:?}"),
    }
}

fn proposals(town: &Town) -> Vec<Match> {
    let area = decider::Area::new(AREA).expect("nine digits");
    let filter = MatchFilter {
        state: MatchState::Proposed,
        ..MatchFilter::default()
    };
    let state = town.inventory.state();
    state.matches(&area, filter, None).cloned().collect()
}

fn confirm(town: &mut Town, trade: &Match) {
    for (side, party_id) in [
        (MatchSide::Buyer, &trade.buyer_id),
        (MatchSide::Grower, &trade.grower_id),
    ] {
        let confirm = inventory::ConfirmMatch {
            match_id: trade.match_id.clone(),
            side,
            party_id: party_id.clone(),
        };
        stock(town, C::ConfirmMatch(confirm));
    }
}

/// The shipment that has a match.
fn shipment_of(town: &Town, match_id: &str) -> String {
    let area = decider::Area::new(AREA).expect("nine digits");
    let trade = town.inventory.state().trade(&area, match_id);
    let shipment_id = trade.expect("a match").shipment_id.clone();
    assert!(!shipment_id.is_empty(), "{match_id} has no shipment");
    shipment_id
}

/// Two growers, one of them above the cap, to the hotel, which takes over all
/// but a crate.
fn sold(town: &mut Town, pass_id: &str) {
    let first = list(town, "g-1", 20, 150, 8);
    let change = inventory::ChangeSurplus {
        grower_id: "g-1".into(),
        listing_id: first,
        quantity: Units(12),
        grade: Grade::A,
        from: None,
        to: hours(town, 8),
        asking: FenPerKg(145),
    };
    grower(town, "g-1", C::ChangeSurplus(change));
    list(town, "g-2", 8, 80, 8);
    want(town, "hotel-1", 20, true);
    town.wait_minutes(2);
    let proposed = proposals(town);
    assert_eq!(proposed.len(), 2, "{proposed:?}");
    for trade in &proposed {
        confirm(town, trade);
    }
    town.wait_minutes(20);
    let id = shipment_of(town, &proposed[0].match_id);
    accept(town, &id, 1);
    assign(town, &id, pass_id);
    report(town, &id, Milestone::Departed, "");
    loaded(town, &id, "p1");
    report(town, &id, Milestone::ArrivedPickup, "p2");
    loaded(town, &id, "p2");
    report(town, &id, Milestone::ArrivedDestination, "");
    let declare = logistics::DeclareHandover {
        shipment_id: id.clone(),
        carrier_id: "acme".into(),
        lines: vec![],
    };
    by(town, "acme", declare);
    let transfer = logistics::TransferCustody {
        shipment_id: id,
        receiver_id: "cook-1".into(),
        lines: vec![LineReceipt {
            line_id: proposed[0].match_id.clone(),
            accepted_units: proposed[0].quantity.0 - 1,
            damaged_units: 1,
            short_units: 0,
            note: "one crate crushed".into(),
            bags: vec![],
        }],
    };
    ask(town, transfer);
}

/// As [`report`], with a report id of its own.
fn loaded(town: &mut Town, shipment_id: &str, stop_id: &str) {
    let report = logistics::ReportMilestone {
        shipment_id: shipment_id.into(),
        carrier_id: "acme".into(),
        report_id: format!("loaded-{stop_id}"),
        milestone: Milestone::Loaded,
        stop_id: stop_id.into(),
        occurred: town.now(),
        lines: vec![],
        reason: proto::logistics::v1::ExceptionCode::Unspecified,
        note: String::new(),
        labels: vec![],
    };
    by(town, "acme", report);
}

/// Refused, not answered, withdrawn by the buyer, withdrawn by the grower.
fn not_sold(town: &mut Town) {
    let listing = list(town, "g-3", 5, 100, 8);
    let demand = want(town, "plant-1", 5, false);
    town.wait_minutes(2);
    let trade = proposals(town).remove(0);
    let refuse = inventory::RefuseMatch {
        match_id: trade.match_id.clone(),
        side: MatchSide::Buyer,
        party_id: trade.buyer_id.clone(),
        reason: RefusalReason::Quality,
        note: "woody".into(),
    };
    stock(town, C::RefuseMatch(refuse));
    let forgo = |buyer: &str, demand_id: String| {
        C::WithdrawBulkDemand(inventory::WithdrawBulkDemand {
            buyer_id: buyer.into(),
            demand_id,
        })
    };
    stock(town, forgo("plant-1", demand));
    let other = want(town, "plant-1", 3, false);
    town.wait_minutes(2);
    assert_eq!(proposals(town).len(), 1);
    stock(town, forgo("plant-1", other));
    want(town, "plant-1", 4, false);
    town.wait_minutes(2);
    assert_eq!(proposals(town).len(), 1);
    town.wait_minutes(61);
    assert_eq!(proposals(town), []);
    let withdraw = inventory::WithdrawSurplus {
        grower_id: "g-3".into(),
        listing_id: listing,
    };
    grower(town, "g-3", C::WithdrawSurplus(withdraw));
}

/// Confirmed, and the shipment is cancelled; another goes to nobody.
fn called_off(town: &mut Town) {
    list(town, "g-4", 4, 100, 4);
    town.wait_minutes(2);
    let trade = proposals(town).remove(0);
    confirm(town, &trade);
    town.wait_minutes(20);
    let cancel = logistics::CancelShipment {
        shipment_id: shipment_of(town, &trade.match_id),
        reason: "the road is closed".into(),
    };
    ask(town, cancel);
}

/// The last match does not wait for others; what nobody took is spoiled, and
/// the demands end.
fn close(town: &mut Town) {
    town.wait_minutes(2);
    let trade = proposals(town).remove(0);
    confirm(town, &trade);
    stock(town, C::CloseMatching);
    town.wait_minutes(1);
    shipment_of(town, &trade.match_id);
    list(town, "g-5", 2, 100, 3);
    town.wait_minutes(40 * 60);
    assert_eq!(Stock::violations(town.inventory.state()), []);
}
