//! Words of the specifications: commands and foreign facts in short.
#![allow(dead_code)]

use decider::{Service, Timestamp, spec::Spec};
use inventory_domain::{
    Command, DefineProduct, DispatchOrders, Grams, PickOrders, QueueDemand, ReceiveLot, Rejection,
    SpoilStock, State, Stock, Units,
};
use proto::{
    AnyEvent, InventoryEvent, LogisticsEvent, OrderEvent,
    inventory::v1::{Allocation, Category, DemandState, SpoilCause},
    logistics::v1::{
        BagException, Custodian, CustodianKind, ExceptionCode, ParcelReceived, ParcelReturned,
        ParcelWithdrawn,
    },
    order::v1::{OrderCancelled, OrderReleased},
    types::v1::{Door, Line},
};

pub type Answers = Vec<Result<Vec<InventoryEvent>, Rejection>>;

pub fn define(product_id: &str, unit_grams: i64) -> Command {
    Command::DefineProduct(DefineProduct {
        product_id: product_id.into(),
        name: format!("{product_id} in bags"),
        unit_weight: Grams(unit_grams),
        category: Category::Staple,
    })
}

pub fn lot(lot_id: &str, product_id: &str, units: i64) -> Command {
    expiring(lot_id, product_id, units, None)
}

pub fn expiring(lot_id: &str, product_id: &str, units: i64, expires: Option<Timestamp>) -> Command {
    Command::ReceiveLot(ReceiveLot {
        lot_id: lot_id.into(),
        product_id: product_id.into(),
        quantity: Units(units),
        supplier_id: "bureau-1".into(),
        expires,
        location: "depot".into(),
    })
}

pub fn spoil(lot_id: &str, units: i64) -> Command {
    Command::SpoilStock(SpoilStock {
        lot_id: lot_id.into(),
        quantity: Units(units),
        cause: SpoilCause::Damaged,
        note: "wet".into(),
    })
}

pub fn lines(wanted: &[(&str, i64)]) -> Vec<Line> {
    let lines = wanted.iter().map(|(product_id, units)| Line {
        product_id: (*product_id).into(),
        quantity_units: *units,
    });
    lines.collect()
}

pub fn allocations(of: &[(&str, &str, i64)]) -> Vec<Allocation> {
    let allocations = of.iter().map(|(lot_id, product_id, units)| Allocation {
        lot_id: (*lot_id).into(),
        product_id: (*product_id).into(),
        quantity_units: *units,
    });
    allocations.collect()
}

/// Door 1 of the order's number's entrance: `O-7` is in entrance E7.
pub fn door_of(order_id: &str) -> Door {
    let number = order_id.trim_start_matches(|c: char| !c.is_ascii_digit());
    Door {
        community: "zhichaka".into(),
        grid: "G1".into(),
        building: "B1".into(),
        entrance: format!("E{number}"),
        door: "1".into(),
    }
}

pub fn demand(order_id: &str, wanted: &[(&str, i64)]) -> Command {
    Command::QueueDemand(QueueDemand {
        order_id: order_id.into(),
        household_id: format!("H-{order_id}"),
        door: Some(door_of(order_id)),
        lines: lines(wanted),
        cadre_id: "cadre-1".into(),
    })
}

pub fn pick(order_ids: &[&str]) -> Command {
    Command::PickOrders(PickOrders {
        order_ids: order_ids.iter().map(|id| (*id).into()).collect(),
    })
}

pub fn dispatch(order_ids: &[&str]) -> Command {
    Command::DispatchOrders(DispatchOrders {
        order_ids: order_ids.iter().map(|id| (*id).into()).collect(),
        load_id: "load-1".into(),
        checkpoint_id: "gate".into(),
        custodian_id: "carrier-1".into(),
    })
}

pub fn released(order_id: &str, wanted: &[(&str, i64)]) -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(OrderReleased {
        order_id: order_id.into(),
        household_id: format!("H-{order_id}"),
        door: Some(door_of(order_id)),
        lines: lines(wanted),
        cadre_id: "cadre-1".into(),
    }))
}

pub fn cancelled(order_id: &str) -> AnyEvent {
    AnyEvent::Order(OrderEvent::from(OrderCancelled {
        order_id: order_id.into(),
        ..OrderCancelled::default()
    }))
}

/// The checkpoint did not take over these bags.
pub fn excepted(order_id: &str, labels: &[&str]) -> AnyEvent {
    let exceptions = labels.iter().map(|label| BagException {
        label: (*label).into(),
        code: ExceptionCode::Damaged.into(),
        ..BagException::default()
    });
    AnyEvent::Logistics(LogisticsEvent::from(ParcelReceived {
        order_id: order_id.into(),
        checkpoint_id: "gate".into(),
        from: Some(Custodian {
            kind: CustodianKind::Carrier.into(),
            // Who brought it need not be who had it from the store.
            id: "haulier-7".into(),
        }),
        exceptions: exceptions.collect(),
        ..ParcelReceived::default()
    }))
}

pub fn came_back(order_id: &str) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::from(ParcelReturned {
        order_id: order_id.into(),
        reason: ExceptionCode::Refused.into(),
    }))
}

pub fn withdrawn(order_id: &str) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::from(ParcelWithdrawn {
        order_id: order_id.into(),
    }))
}

/// A store with rice (5 kg) and oil (10 kg) and these lots of them.
pub fn store(lots: &[(&str, &str, i64)]) -> Spec<Stock> {
    let mut spec = Spec::given([]);
    spec.accept(define("rice", 5_000));
    spec.accept(define("oil", 10_000));
    for (lot_id, product_id, units) in lots {
        spec.accept(lot(lot_id, product_id, *units));
    }
    spec
}

/// Orders that were picked and left the store.
pub fn send(spec: &mut Spec<Stock>, order_ids: &[&str]) {
    spec.accept(pick(order_ids));
    spec.accept(dispatch(order_ids));
}

/// Carries out what waits to be done now; gives the number of commands.
pub fn work(spec: &mut Spec<Stock>) -> usize {
    let now = spec.context.now;
    spec.elapse(now)
}

pub fn by_order(spec: &mut Spec<Stock>, event: AnyEvent) -> Answers {
    spec.react(Service::Order, event)
}

pub fn by_logistics(spec: &mut Spec<Stock>, event: AnyEvent) -> Answers {
    spec.react(Service::Logistics, event)
}

pub fn state_of(spec: &Spec<Stock>, order_id: &str) -> DemandState {
    of(&spec.state, spec, order_id).state
}

pub fn demand_of<'a>(spec: &'a Spec<Stock>, order_id: &str) -> &'a inventory_domain::Demand {
    of(&spec.state, spec, order_id)
}

fn of<'a>(state: &'a State, spec: &Spec<Stock>, order_id: &str) -> &'a inventory_domain::Demand {
    let demand = state.demand(&spec.context.area, order_id);
    demand.unwrap_or_else(|| panic!("no demand {order_id}"))
}

/// On hand, reserved, dispatched, spoiled, returned.
pub fn ledger(spec: &Spec<Stock>, lot_id: &str) -> [i64; 5] {
    let lot = spec.state.lot(&spec.context.area, lot_id).expect("the lot");
    let stock = lot.stock;
    [
        stock.on_hand.0,
        stock.reserved.0,
        stock.dispatched.0,
        stock.spoiled.0,
        stock.returned.0,
    ]
}

pub fn assert_sound(spec: &Spec<Stock>) {
    use decider::Domain;
    assert_eq!(Stock::violations(&spec.state), []);
}
