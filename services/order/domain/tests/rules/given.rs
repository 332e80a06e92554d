//! Events and commands that the specifications speak in.

use decider::{
    Area, Timestamp,
    spec::{START, Spec},
};
use order_domain::{
    Command, GroupBuyId, Intake, OpenGroupBuy, Orders, PlaceOrder, RegisterHousehold,
};
use proto::{
    AnyEvent, InventoryEvent, LogisticsEvent, OrderEvent,
    inventory::v1 as inventory,
    logistics::v1 as logistics,
    order::v1::{
        Channel, ContingencyActivated, GroupBuyFailed, GroupBuyOpened, GroupBuySucceeded,
        HouseholdHandedOver, HouseholdRegistered, Offer, OrderCancelled, OrderPlaced,
        OrderReleased,
    },
    time::to_proto,
    types::v1::{Door, Line, Need, Sealed},
};

pub type OrderSpec = Spec<Orders>;

pub fn area() -> Area {
    Area::new("632725100").expect("nine digits")
}

pub fn hours(hours: i64) -> Timestamp {
    START.plus_minutes(60 * hours)
}

pub fn door(grid: &str) -> Door {
    Door {
        community: "zhichaka".into(),
        grid: grid.into(),
        building: "B12".into(),
        entrance: "E2".into(),
        door: "501".into(),
    }
}

pub fn sealed(text: &str) -> Sealed {
    Sealed {
        key_id: "household/H1".into(),
        nonce: vec![0; 12],
        ciphertext: text.into(),
    }
}

pub fn line(product: &str, quantity_units: i64) -> Line {
    Line {
        product_id: product.into(),
        quantity_units,
    }
}

pub fn rice() -> Vec<Line> {
    vec![line("rice", 1)]
}

/// In grid G01, with cadre C1.
pub fn household(id: &str) -> OrderEvent {
    household_in("G01", id)
}

pub fn household_in(grid: &str, id: &str) -> OrderEvent {
    HouseholdRegistered {
        household_id: id.into(),
        door: Some(door(grid)),
        contact: Some(sealed("contact")),
        needs: vec![Need::Elderly.into()],
        cadre_id: "C1".into(),
        language: "zh".into(),
        people: 3,
    }
    .into()
}

pub fn register(id: &str) -> RegisterHousehold {
    RegisterHousehold {
        household_id: id.into(),
        door: door("G01"),
        contact: Some(sealed("contact")),
        needs: vec![Need::Elderly],
        cadre_id: "C1".into(),
        language: "zh".into(),
        people: 3,
    }
}

pub fn handed_over(id: &str, from: &str, to: &str) -> OrderEvent {
    HouseholdHandedOver {
        household_id: id.into(),
        from_cadre_id: from.into(),
        to_cadre_id: to.into(),
        reason: "absent".into(),
    }
    .into()
}

pub fn contingency() -> OrderEvent {
    ContingencyActivated {
        area: area().as_str().into(),
        contingency_id: "K1".into(),
        reason: "static management".into(),
    }
    .into()
}

/// Group buy g1: rice (limit 2) and oil, at least 10 households with 20 %
/// tolerance, no cap, open for two hours, community zhichaka.
pub fn group_buy() -> GroupBuyOpened {
    GroupBuyOpened {
        group_buy_id: "g1".into(),
        title: "Rice and oil".into(),
        organizer_id: "organizer-1".into(),
        offers: offers(),
        minimum_households: 10,
        cap_households: 0,
        opens_time: Some(to_proto(START)),
        closes_time: Some(to_proto(hours(2))),
        community: "zhichaka".into(),
        grid: String::new(),
        tolerance_percent: 20,
    }
}

pub fn offers() -> Vec<Offer> {
    let offer = |product: &str, limit_per_household_units| Offer {
        product_id: product.into(),
        price_fen: 2_500,
        limit_per_household_units,
    };
    vec![offer("rice", 2), offer("oil", 0)]
}

pub fn open() -> OpenGroupBuy {
    OpenGroupBuy {
        title: "Rice and oil".into(),
        organizer_id: "organizer-1".into(),
        offers: offers(),
        minimum_households: 10,
        cap_households: None,
        opens: None,
        closes: hours(2),
        community: "zhichaka".into(),
        grid: String::new(),
        tolerance_percent: 20,
    }
}

pub fn succeeded(households: i32, reason: proto::order::v1::CloseReason) -> OrderEvent {
    GroupBuySucceeded {
        group_buy_id: "g1".into(),
        households,
        reason: reason.into(),
    }
    .into()
}

pub fn failed(
    households: i32,
    missing_households: i32,
    reason: proto::order::v1::CloseReason,
) -> OrderEvent {
    GroupBuyFailed {
        group_buy_id: "g1".into(),
        households,
        missing_households,
        reason: reason.into(),
    }
    .into()
}

pub fn placed(order: &str, household: &str) -> OrderPlaced {
    OrderPlaced {
        order_id: order.into(),
        household_id: household.into(),
        door: Some(door("G01")),
        lines: rice(),
        channel: Channel::Phone.into(),
        group_buy_id: String::new(),
        placed_by: "C1".into(),
    }
}

pub fn joined(order: &str, household: &str) -> OrderEvent {
    OrderPlaced {
        channel: Channel::GroupBuy.into(),
        group_buy_id: "g1".into(),
        placed_by: String::new(),
        ..placed(order, household)
    }
    .into()
}

pub fn released(order: &str, household: &str) -> OrderEvent {
    OrderReleased {
        order_id: order.into(),
        household_id: household.into(),
        door: Some(door("G01")),
        lines: rice(),
        cadre_id: "C1".into(),
    }
    .into()
}

pub fn cancelled(
    order: &str,
    household: &str,
    reason: proto::order::v1::CancelReason,
) -> OrderEvent {
    OrderCancelled {
        order_id: order.into(),
        reason: reason.into(),
        note: String::new(),
        household_id: household.into(),
    }
    .into()
}

pub fn place(household: &str, lines: Vec<Line>) -> PlaceOrder {
    PlaceOrder {
        household_id: household.into(),
        lines,
        intake: Intake::Phone,
        placed_by: "C1".into(),
    }
}

pub fn join(household: &str, lines: Vec<Line>) -> Command {
    Command::PlaceOrder(PlaceOrder {
        intake: Intake::GroupBuy(GroupBuyId::from("g1")),
        placed_by: String::new(),
        ..place(household, lines)
    })
}

/// Household H1 with order o1, released.
pub fn with_order() -> OrderSpec {
    Spec::given([
        household("H1"),
        placed("o1", "H1").into(),
        released("o1", "H1"),
    ])
}

/// Households H0… with a group buy g1 that so many of them have joined, the
/// orders being o00, o01, ….
pub fn with_joined(households: usize) -> OrderSpec {
    let registered = (0..households).map(|n| household(&format!("H{n}")));
    let orders = (0..households).map(|n| joined(&format!("o{n:02}"), &format!("H{n}")));
    Spec::given(registered.chain([group_buy().into()]).chain(orders))
}

pub fn reserved(order: &str, short: Vec<Line>) -> AnyEvent {
    AnyEvent::Inventory(InventoryEvent::StockReserved(inventory::StockReserved {
        order_id: order.into(),
        allocations: vec![],
        short,
    }))
}

pub fn demand_rejected(order: &str) -> AnyEvent {
    AnyEvent::Inventory(InventoryEvent::DemandRejected(inventory::DemandRejected {
        order_id: order.into(),
        reason: "OUT_OF_STOCK".into(),
    }))
}

pub fn disinfected(order: &str) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::ParcelDisinfected(
        logistics::ParcelDisinfected {
            order_id: order.into(),
            ..Default::default()
        },
    ))
}

pub fn run_started(orders: &[&str]) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::RunStarted(logistics::RunStarted {
        run_id: "r1".into(),
        checkpoint_id: "gate".into(),
        member_id: "m1".into(),
        order_ids: orders.iter().map(|id| (*id).to_owned()).collect(),
    }))
}

pub fn door_left(order: &str) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::DoorLeft(logistics::DoorLeft {
        order_id: order.into(),
        ..Default::default()
    }))
}

pub fn collected(order: &str) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::DeliveryCollected(
        logistics::DeliveryCollected {
            order_id: order.into(),
            evidence: "call".into(),
        },
    ))
}

pub fn attempt_failed(order: &str, reason: logistics::ExceptionCode) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::AttemptFailed(logistics::AttemptFailed {
        order_id: order.into(),
        reason: reason.into(),
        ..Default::default()
    }))
}

pub fn rescheduled(order: &str) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::DeliveryRescheduled(
        logistics::DeliveryRescheduled {
            order_id: order.into(),
            attempt: 2,
        },
    ))
}

pub fn parcel_returned(order: &str, reason: logistics::ExceptionCode) -> AnyEvent {
    AnyEvent::Logistics(LogisticsEvent::ParcelReturned(logistics::ParcelReturned {
        order_id: order.into(),
        reason: reason.into(),
    }))
}

/// Hears foreign facts in turn; all must be accepted.
pub fn hear(spec: &mut OrderSpec, facts: impl IntoIterator<Item = AnyEvent>) -> Vec<OrderEvent> {
    let mut events = Vec::new();
    for fact in facts {
        for result in spec.react(service(&fact), fact.clone()) {
            events.extend(result.unwrap_or_else(|no| panic!("{fact:?}: {no}")));
        }
    }
    events
}

/// Hears one fact that must be refused, and gives the refusal.
pub fn hear_refused(spec: &mut OrderSpec, fact: AnyEvent) -> order_domain::Rejection {
    let mut results = spec.react(service(&fact), fact.clone());
    assert_eq!(results.len(), 1, "{fact:?}");
    results
        .remove(0)
        .expect_err(&format!("{fact:?} was accepted"))
}

fn service(fact: &AnyEvent) -> decider::Service {
    match fact {
        AnyEvent::Inventory(_) => decider::Service::Inventory,
        _ => decider::Service::Logistics,
    }
}
