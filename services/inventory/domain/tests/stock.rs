//! Products, lots and spoilage.

#[path = "support/goods.rs"]
mod goods;

use decider::{Area, Domain, Rejected, Revision, StreamId, spec::START};
use goods::*;
use inventory_domain::{Grams, Rejection, Stock, Units};
use proto::{
    inventory::v1::{LotReceived, ProductDefined, SpoilCause, StockSpoiled},
    time::to_proto,
};

#[test]
fn a_product_is_defined_once_and_stays_as_it_is() {
    let mut spec = decider::spec::Spec::<Stock>::given([]);
    spec.when(define("rice", 5_000)).then([ProductDefined {
        product_id: "rice".into(),
        name: "rice in bags".into(),
        unit_grams: 5_000,
        category: 1,
    }
    .into()]);
    spec.accept(define("rice", 5_000));
    spec.when(define("rice", 5_000)).then([]);
    spec.when(define("rice", 4_000))
        .then_rejected(Rejection::ProductExists {
            product_id: "rice".into(),
            name: "rice in bags".into(),
            unit_weight: Grams(5_000),
        });
}

#[test]
fn a_unit_has_a_weight() {
    let spec = store(&[]);
    for grams in [i64::MIN, -1, 0, 1_000_001] {
        spec.when(define("salt", grams))
            .then_rejected(Rejection::QuantityInvalid {
                of: "grams per unit of product salt".into(),
                quantity: grams,
                max: 1_000_000,
            });
    }
}

#[test]
fn a_lot_comes_in_for_a_defined_product_under_its_own_id() {
    let mut spec = store(&[]);
    let tomorrow = START.plus_minutes(24 * 60);
    let lot_1 = expiring("l1", "rice", 7, Some(tomorrow));
    spec.when(lot_1.clone()).then([LotReceived {
        lot_id: "l1".into(),
        product_id: "rice".into(),
        quantity_units: 7,
        supplier_id: "bureau-1".into(),
        expires_time: Some(to_proto(tomorrow)),
        location: "depot".into(),
    }
    .into()]);
    spec.accept(lot_1.clone());
    assert_eq!(ledger(&spec, "l1"), [7, 0, 0, 0, 0]);
    spec.when(lot_1).then([]);
    spec.when(lot("l1", "rice", 8))
        .then_rejected(Rejection::LotExists {
            lot_id: "l1".into(),
        });
    spec.when(lot("l2", "salt", 8))
        .then_rejected(Rejection::ProductUnknown {
            product_id: "salt".into(),
            area: "632725100".into(),
        });
}

#[test]
fn absurd_and_expired_lots_are_not_taken_in() {
    let spec = store(&[]);
    for units in [i64::MIN, 0, 10_000_001, i64::MAX] {
        spec.when(lot("l", "rice", units))
            .then_rejected(Rejection::QuantityInvalid {
                of: "units of lot l".into(),
                quantity: units,
                max: 10_000_000,
            });
    }
    spec.when(expiring("l", "rice", 1, Some(START)))
        .then_rejected(Rejection::LotExpired {
            lot_id: "l".into(),
            expires: START,
        });
}

#[test]
fn only_units_on_hand_can_be_spoiled() {
    let mut spec = store(&[("l1", "rice", 10)]);
    spec.accept(demand("O-1", &[("rice", 4)]));
    spec.when(spoil("l1", 7))
        .then_rejected(Rejection::InsufficientOnHand {
            lot_id: "l1".into(),
            asked: Units(7),
            on_hand: Units(6),
            reserved: Units(4),
        });
    let events = spec.accept(spoil("l1", 6));
    assert_eq!(
        events,
        [StockSpoiled {
            lot_id: "l1".into(),
            product_id: "rice".into(),
            quantity_units: 6,
            cause: SpoilCause::Damaged.into(),
            note: "wet".into(),
            ..StockSpoiled::default()
        }
        .into()]
    );
    assert_eq!(ledger(&spec, "l1"), [0, 4, 0, 6, 0]);
    spec.when(spoil("l9", 1))
        .then_rejected(Rejection::LotUnknown {
            lot_id: "l9".into(),
            area: "632725100".into(),
        });
    assert_sound(&spec);
}

#[test]
fn what_expires_on_the_shelf_is_taken_off_at_that_moment() {
    let mut spec = store(&[]);
    let noon = START.plus_minutes(240);
    spec.accept(expiring("l1", "rice", 10, Some(noon)));
    spec.accept(demand("O-1", &[("rice", 4)]));
    assert_eq!(Stock::next_due(&spec.state), Some(noon));
    spec.context.now = noon;
    let due = Stock::due(&spec.state, noon);
    spec.when(due[0].command.clone()).then([StockSpoiled {
        lot_id: "l1".into(),
        product_id: "rice".into(),
        quantity_units: 6,
        cause: SpoilCause::Expired.into(),
        ..StockSpoiled::default()
    }
    .into()]);
    assert_eq!(spec.elapse(noon), 1);
    assert_eq!(ledger(&spec, "l1"), [0, 4, 0, 6, 0]);
    assert_eq!(Stock::next_due(&spec.state), None);
    assert_sound(&spec);
}

#[test]
fn areas_do_not_share_stock_but_may_share_product_ids() {
    let mut spec = store(&[("l1", "rice", 10)]);
    let xiangda = spec.context.area.clone();
    spec.context.area = Area::new("321202002").expect("nine digits");
    spec.accept(define("rice", 1_000));
    spec.accept(demand("O-9", &[("rice", 1)]));
    let chengxi = spec.context.area.clone();
    assert_eq!(spec.state.queue_length(&chengxi).orders, 1);
    assert_eq!(spec.state.queue_length(&xiangda).orders, 0);
    assert!(spec.state.lot(&chengxi, "l1").is_none());
    assert!(spec.state.demand(&xiangda, "O-9").is_none());
    spec.when(lot("l1", "rice", 10))
        .then_rejected(Rejection::LotExists {
            lot_id: "l1".into(),
        });
    let stream = StreamId::new("product", "rice");
    let line = Stock::describe(&spec.state, &stream).expect("both");
    assert!(line.contains("of area 321202002: 1000 g"), "{line}");
    assert!(line.contains("of area 632725100: 5000 g"), "{line}");
}

#[test]
fn entities_are_described_in_one_line() {
    let mut spec = store(&[("l1", "rice", 10)]);
    spec.accept(demand("O-1", &[("rice", 12)]));
    spec.accept(inventory_domain::Command::CloseProcurement);
    work(&mut spec);
    send(&mut spec, &["O-1"]);
    let describe =
        |category: &str, id: &str| Stock::describe(&spec.state, &StreamId::new(category, id));
    assert_eq!(
        describe("demand", "O-1").as_deref(),
        Some(
            "demand DISPATCHED: 12 × rice; short of 2 × rice; 2 bags of 50000 g; left with load-1 for gate"
        )
    );
    assert_eq!(
        describe("lot", "l1").as_deref(),
        Some(
            "lot l1 of rice: received 10, on hand 0, reserved 0, dispatched 10, spoiled 0, returned 0"
        )
    );
    assert_eq!(
        describe("procurement", "632725100").as_deref(),
        Some("procurement closed; 0 orders and 0 replacements wait")
    );
    for unknown in ["demand", "lot", "product", "procurement", "else"] {
        assert_eq!(describe(unknown, "x"), None);
    }
}

#[test]
fn revisions_and_times_are_kept() {
    let mut spec = store(&[("l1", "rice", 10)]);
    let area = spec.context.area.clone();
    let mut spec = {
        spec.accept(demand("O-1", &[("rice", 2)]));
        spec.at(START.plus_minutes(5))
    };
    spec.accept(pick(&["O-1"]));
    spec.accept(spoil("l1", 1));
    let demand = demand_of(&spec, "O-1");
    assert_eq!(demand.revision, Revision(3));
    assert_eq!(
        (demand.queued, demand.updated),
        (START, START.plus_minutes(5))
    );
    let lot = spec.state.lot(&area, "l1").expect("the lot");
    assert_eq!((lot.revision, lot.received), (Revision(2), START));
    let product = spec.state.product(&area, "rice").expect("the product");
    assert_eq!((product.revision, product.defined), (Revision(1), START));
}

#[test]
fn a_refusal_says_what_why_and_what_to_do() {
    let refusal = Rejection::InsufficientOnHand {
        lot_id: "l1".into(),
        asked: Units(7),
        on_hand: Units(6),
        reserved: Units(4),
    };
    assert_eq!(refusal.reason(), "INSUFFICIENT_ON_HAND");
    assert_eq!(
        refusal.to_string(),
        "7 units of lot l1 cannot be spoiled: 6 units are on hand (4 units more are reserved); \
         release the orders that hold them first"
    );
    let expired = Rejection::LotExpired {
        lot_id: "l1".into(),
        expires: START,
    };
    assert!(
        expired.to_string().contains("2022-09-02T00:00:00Z"),
        "{expired}"
    );
}
