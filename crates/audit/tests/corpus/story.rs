//! A small town's day in which everything happens once that can happen: each
//! type of event is written at least once, and each delivery ends as some
//! deliveries end. Who adds an event adds the scene in which it occurs.

use decider::{Actor, Role, Service, Timestamp};
use inventory_domain::{self as inventory, Grams, Stock, Units};
use logistics_domain::{self as logistics, Logistics};
use notification_domain::{self as notification, Note, Notifications, Target};
use order_domain::{self as order, Intake, Orders};
use proto::{
    OrderEvent,
    inventory::v1::{Category, SpoilCause},
    logistics::v1::ExceptionCode,
    notification::v1::ChannelKind,
    order::v1::Offer,
    types::v1::{Door, Line, Need, Sealed},
};

use crate::{
    haulage::trunk_leg,
    market::surplus_trade,
    routes::by_carrier,
    town::{Town, operator, resident},
};

const HOUR_MS: i64 = 3_600_000;
pub const GATE: &str = "gate-1";
const CARRIER: &str = "group-7";

pub fn day() -> Town {
    let mut town = Town::new();
    open(&mut town);
    stock(&mut town);
    roster(&mut town);
    let group = group_buys(&mut town);
    let released = phone(&mut town, 7, &[("rice", 1)]);
    let hard = phone(&mut town, 4, &[("rice", 2), ("oil", 1)]);
    let short = phone(&mut town, 5, &[("oil", 20), ("rice", 1)]);
    phone(&mut town, 6, &[("milk", 1)]);
    let recalled = phone(&mut town, 8, &[("rice", 1)]);
    let refused = phone(&mut town, 9, &[("rice", 1)]);
    let late = phone(&mut town, 10, &[("rice", 1)]);
    pick(&mut town, std::slice::from_ref(&released));
    cancel(&mut town, 7, &released);
    town.ask::<Stock>(operator(), inventory::Command::CloseProcurement);
    town.wait_minutes(1);

    let mut sent = group;
    sent.extend([&hard, &short, &recalled, &refused, &late].map(String::clone));
    dispatch(&mut town, &sent);
    cancel(&mut town, 8, &recalled);
    sent.retain(|id| *id != recalled);
    receive(&mut town, &sent, &hard, &short);
    disinfect(&mut town, &sent);
    absent(&mut town);
    for run in plan(&mut town) {
        first_round(&mut town, &run, &hard, &refused, &late);
    }
    for run in plan(&mut town) {
        second_round(&mut town, &run);
    }
    by_carrier(&mut town);
    tell(&mut town, &hard);
    erase(&mut town, 3);
    close(&mut town);
    trunk_leg(&mut town);
    surplus_trade(&mut town);
    town
}

fn household(n: u32) -> String {
    format!("H-{n}")
}

fn open(town: &mut Town) {
    use order::Command as C;
    let reason = "static management".into();
    town.ask::<Orders>(operator(), C::ActivateContingency { reason });
    for n in 1..=10 {
        let needs = if n == 2 { vec![Need::Elderly] } else { vec![] };
        let register = order::RegisterHousehold {
            household_id: household(n).into(),
            door: Door {
                community: "zhichaka".into(),
                grid: "G01".into(),
                building: "B1".into(),
                entrance: format!("E{}", 1 + n % 2),
                door: format!("{n}01"),
            },
            contact: Some(sealed(n)),
            needs,
            cadre_id: "c-1".into(),
            language: "zh".into(),
            people: 3,
        };
        town.ask::<Orders>(operator(), C::RegisterHousehold(register));
    }
    let update = C::UpdateHousehold {
        household_id: household(3).into(),
        contact: None,
        needs: Some(vec![Need::BottledGas]),
    };
    town.ask::<Orders>(operator(), update);
    let hand_over = C::HandOverHouseholds {
        from_cadre_id: "c-1".into(),
        to_cadre_id: "c-2".into(),
        household_ids: vec![household(3).into()],
        reason: "shift".into(),
    };
    town.ask::<Orders>(operator(), hand_over);
}

/// No key opens it, and nothing is in it.
fn sealed(n: u32) -> Sealed {
    let byte = u8::try_from(n).expect("few households");
    Sealed {
        key_id: format!("household/{}", household(n)),
        nonce: vec![byte; 12],
        ciphertext: vec![byte; 32],
    }
}

fn stock(town: &mut Town) {
    use inventory::Command as C;
    let keeper = || Actor::new(Role::Keeper, "k-1");
    for (id, grams) in [("rice", 5000), ("oil", 4600)] {
        let product = inventory::DefineProduct {
            product_id: id.into(),
            name: id.into(),
            unit_weight: Grams(grams),
            category: Category::Staple,
        };
        town.ask::<Stock>(operator(), C::DefineProduct(product));
    }
    for (lot, product, units, hours) in [
        ("lot-1", "rice", 50, None),
        ("lot-2", "oil", 6, None),
        ("lot-3", "rice", 5, Some(1)),
    ] {
        let lot = inventory::ReceiveLot {
            lot_id: lot.into(),
            product_id: product.into(),
            quantity: Units(units),
            supplier_id: "s-1".into(),
            expires: hours.map(|hours| Timestamp(town.now().0 + hours * HOUR_MS)),
            location: "depot".into(),
        };
        town.ask::<Stock>(keeper(), C::ReceiveLot(lot));
    }
    let spoil = inventory::SpoilStock {
        lot_id: "lot-1".into(),
        quantity: Units(2),
        cause: SpoilCause::Damaged,
        note: "sacks torn in the depot".into(),
    };
    town.ask::<Stock>(keeper(), C::SpoilStock(spoil));
    // The third lot expires.
    town.wait_minutes(70);
}

fn roster(town: &mut Town) {
    let gate = logistics::RegisterCheckpoint {
        checkpoint_id: GATE.into(),
        name: "north gate".into(),
        communities: vec!["zhichaka".into()],
    };
    town.ask::<Logistics>(operator(), gate.into());
    for member in ["m-1", "m-2"] {
        let register = logistics::RegisterMember {
            member_id: member.into(),
            capacity: logistics::Grams(100_000),
            leader: member == "m-1",
        };
        town.ask::<Logistics>(operator(), register.into());
        let shift = logistics::AssignShift {
            member_id: member.into(),
            checkpoint_id: GATE.into(),
            post: logistics::DELIVERY_POST.into(),
            starts: town.now(),
            ends: Timestamp(town.now().0 + 10 * HOUR_MS),
        };
        town.ask::<Logistics>(operator(), shift.into());
    }
}

/// One that succeeds, with its orders, and one that fails.
fn group_buys(town: &mut Town) -> Vec<String> {
    let first = group_buy(town, 2, &[1, 2]);
    group_buy(town, 5, &[3]);
    town.wait_minutes(40);
    first
}

fn group_buy(town: &mut Town, minimum: u32, households: &[u32]) -> Vec<String> {
    let open = order::OpenGroupBuy {
        title: "rice for everybody".into(),
        organizer_id: "org-1".into(),
        offers: vec![Offer {
            product_id: "rice".into(),
            price_fen: 2990,
            limit_per_household_units: 4,
        }],
        minimum_households: minimum,
        cap_households: None,
        opens: None,
        closes: Timestamp(town.now().0 + HOUR_MS / 2),
        community: "zhichaka".into(),
        grid: String::new(),
        tolerance_percent: 0,
    };
    let opened = town.ask::<Orders>(operator(), order::Command::OpenGroupBuy(open));
    let [OrderEvent::GroupBuyOpened(opened)] = &opened[..] else {
        panic!("a group buy was to be opened");
    };
    let orders = households.iter().map(|n| {
        let intake = Intake::GroupBuy(opened.group_buy_id.as_str().into());
        place(town, *n, &[("rice", 2)], intake)
    });
    orders.collect()
}

pub fn phone(town: &mut Town, n: u32, lines: &[(&str, i64)]) -> String {
    place(town, n, lines, Intake::Phone)
}

fn place(town: &mut Town, n: u32, lines: &[(&str, i64)], intake: Intake) -> String {
    let lines = lines.iter().map(|(product, units)| Line {
        product_id: (*product).into(),
        quantity_units: *units,
    });
    let order = order::PlaceOrder {
        household_id: household(n).into(),
        lines: lines.collect(),
        intake,
        placed_by: String::new(),
    };
    let by = resident(&household(n));
    let events = town.ask::<Orders>(by, order::Command::PlaceOrder(order));
    let Some(OrderEvent::OrderPlaced(placed)) = events.first() else {
        panic!("an order was to be placed");
    };
    placed.order_id.clone()
}

fn cancel_command(order_id: &str) -> order::Command {
    order::Command::CancelOrder {
        order_id: order_id.into(),
        note: "not needed any more".into(),
    }
}

pub fn cancel(town: &mut Town, n: u32, order_id: &str) {
    town.ask::<Orders>(resident(&household(n)), cancel_command(order_id));
}

fn pick(town: &mut Town, orders: &[String]) {
    let pick = inventory::PickOrders {
        order_ids: orders.to_vec(),
    };
    let keeper = Actor::new(Role::Keeper, "k-1");
    town.ask::<Stock>(keeper, inventory::Command::PickOrders(pick));
}

fn dispatch(town: &mut Town, orders: &[String]) {
    dispatch_by(town, orders, CARRIER);
}

pub fn dispatch_by(town: &mut Town, orders: &[String], custodian_id: &str) {
    pick(town, orders);
    let dispatch = inventory::DispatchOrders {
        order_ids: orders.to_vec(),
        load_id: "load-1".into(),
        checkpoint_id: GATE.into(),
        custodian_id: custodian_id.into(),
    };
    let keeper = Actor::new(Role::Keeper, "k-1");
    town.ask::<Stock>(keeper, inventory::Command::DispatchOrders(dispatch));
}

/// `hard` has a damaged bag, of which there are more; `short` lacks one of
/// which there are no more.
fn receive(town: &mut Town, orders: &[String], hard: &str, short: &str) {
    let faults = |order_id: &str| {
        let fault = match order_id {
            id if id == hard => logistics::BagFault::Damaged,
            id if id == short => logistics::BagFault::Short,
            _ => return vec![],
        };
        vec![logistics::BagReport {
            label: format!("{order_id}-1"),
            fault,
            note: "seen at the gate".into(),
        }]
    };
    let parcel = |order_id: &String| logistics::ParcelReceipt {
        order_id: order_id.clone(),
        exceptions: faults(order_id),
    };
    let receive = logistics::ReceiveParcels {
        checkpoint_id: GATE.into(),
        from_custodian_id: CARRIER.into(),
        keeper_id: "k-2".into(),
        parcels: orders.iter().map(parcel).collect(),
    };
    town.ask::<Logistics>(Actor::new(Role::Keeper, "k-2"), receive.into());
    let replacement = logistics::ReceiveParcels {
        checkpoint_id: GATE.into(),
        from_custodian_id: CARRIER.into(),
        keeper_id: "k-2".into(),
        parcels: vec![logistics::ParcelReceipt {
            order_id: hard.into(),
            exceptions: vec![],
        }],
    };
    town.ask::<Logistics>(Actor::new(Role::Keeper, "k-2"), replacement.into());
}

fn disinfect(town: &mut Town, orders: &[String]) {
    let disinfect = logistics::DisinfectParcels {
        checkpoint_id: GATE.into(),
        order_ids: orders.to_vec(),
        agent: "chlorine 500 mg/L".into(),
        done_by: "m-1".into(),
    };
    let by = || Actor::new(Role::Member, "m-1");
    town.ask::<Logistics>(by(), disinfect.clone().into());
    // Said twice: nothing has to change, and that is recorded.
    town.ask::<Logistics>(by(), disinfect.into());
}

/// What is planned for a member who then falls ill.
fn absent(town: &mut Town) {
    plan(town);
    let absence = logistics::RecordAbsence {
        member_id: "m-1".into(),
        from: town.now(),
        to: Timestamp(town.now().0 + 24 * HOUR_MS),
        reason: "ill".into(),
    };
    town.ask::<Logistics>(Actor::new(Role::Dispatcher, "d-1"), absence.into());
    town.wait_minutes(1);
}

/// The runs that can be started, each with its orders.
fn plan(town: &mut Town) -> Vec<String> {
    let plan = logistics::PlanRuns {
        checkpoint_id: GATE.into(),
    };
    town.ask::<Logistics>(Actor::new(Role::Dispatcher, "d-1"), plan.into());
    let area = decider::Area::new(crate::town::AREA).expect("nine digits");
    let filter = logistics::RunFilter {
        state: Some(proto::logistics::v1::RunState::Planned),
        ..logistics::RunFilter::default()
    };
    let page = town.logistics.state().runs(&area, &filter, None, 100);
    page.items.iter().map(|run| run.run_id.clone()).collect()
}

fn member() -> Actor {
    Actor::new(Role::Member, "m-2")
}

fn orders_of(town: &Town, run_id: &str) -> Vec<String> {
    let area = decider::Area::new(crate::town::AREA).expect("nine digits");
    let run = town.logistics.state().run(&area, run_id).expect("planned");
    let stops = run.stops.iter();
    stops.map(|stop| String::from(&stop.order_id)).collect()
}

fn start(town: &mut Town, run_id: &str) -> Vec<String> {
    let start = logistics::StartRun {
        run_id: run_id.into(),
    };
    town.ask_alone::<Logistics>(member(), start.into());
    orders_of(town, run_id)
}

/// `hard` is not at home, `refused` does not want it; `late` is cancelled when
/// it is already on its way, which nobody can stop any more.
fn first_round(town: &mut Town, run_id: &str, hard: &str, refused: &str, late: &str) {
    let orders = start(town, run_id);
    if orders.iter().any(|id| id == late) {
        cancel(town, 10, late);
    }
    for order_id in &orders {
        let reason = match order_id {
            id if id == hard => ExceptionCode::Unreachable,
            id if id == refused => ExceptionCode::Refused,
            _ => {
                deliver(town, run_id, order_id);
                continue;
            }
        };
        let fail = logistics::FailAttempt {
            run_id: run_id.into(),
            order_id: order_id.clone(),
            reason,
            note: "nobody opened".into(),
        };
        town.ask::<Logistics>(member(), fail.into());
    }
    complete(town, run_id);
}

fn second_round(town: &mut Town, run_id: &str) {
    for order_id in start(town, run_id) {
        deliver(town, run_id, &order_id);
    }
    complete(town, run_id);
}

fn deliver(town: &mut Town, run_id: &str, order_id: &str) {
    let (run_id, order_id) = (run_id.to_owned(), order_id.to_owned());
    let place = logistics::PlaceGoods {
        run_id: run_id.clone(),
        order_id: order_id.clone(),
    };
    town.ask::<Logistics>(member(), place.into());
    let leave = logistics::LeaveDoor { run_id, order_id };
    town.ask::<Logistics>(member(), leave.into());
}

fn complete(town: &mut Town, run_id: &str) {
    let area = decider::Area::new(crate::town::AREA).expect("nine digits");
    let run = town.logistics.state().run(&area, run_id).expect("started");
    for entrance in run.undisinfected_entrances() {
        let disinfect = logistics::DisinfectEntrance {
            run_id: run_id.into(),
            grid: entrance.grid,
            building: entrance.building,
            entrance: entrance.entrance,
            agent: "chlorine 500 mg/L".into(),
            done_by: "m-1".into(),
        };
        town.ask::<Logistics>(member(), disinfect.into());
    }
    let complete = logistics::CompleteRun {
        run_id: run_id.into(),
    };
    town.ask::<Logistics>(member(), complete.into());
}

/// Everybody is told. The household of `hard` does not answer, neither to the
/// message nor to the call; the elderly one is called; the others answer.
fn tell(town: &mut Town, hard: &str) {
    use notification::Command as C;
    let sender = || Actor::system("notification");
    let mut failed = false;
    loop {
        let now = town.now();
        let pending = town.notification.state().pending_sends(now, 1);
        let Some(send) = pending.into_iter().next() else {
            break;
        };
        let (notification_id, attempt) = (send.notification_id, send.attempt);
        let channel = ChannelKind::Console;
        if !failed && send.order_id == hard {
            failed = true;
            let error = "the channel did not answer".into();
            let record = C::RecordFailed {
                notification_id,
                channel,
                attempt,
                error,
                permanent: false,
            };
            town.ask::<Notifications>(sender(), record);
            town.wait_minutes(1);
            continue;
        }
        let record = C::RecordSent {
            notification_id,
            channel,
            attempt,
        };
        town.ask::<Notifications>(sender(), record);
    }
    answer(town, hard);
}

fn answer(town: &mut Town, hard: &str) {
    use notification::{CallOutcome, Command as C, Phase};
    let filter = notification::Filter::default();
    let all = town.notification.state().list(&filter, None, 100);
    let open: Vec<_> = all
        .into_iter()
        .filter(|n| n.phase != Phase::Closed && n.order_id != hard)
        .map(|n| {
            (
                n.notification_id.to_string(),
                n.household_id.clone(),
                n.phase,
            )
        })
        .collect();
    for (notification_id, household_id, phase) in open {
        if phase == Phase::CallTaskOpen {
            let call = C::CompleteCallTask {
                notification_id,
                outcome: CallOutcome::Answered,
                done_by: "c-1".into(),
            };
            town.ask::<Notifications>(Actor::new(Role::Cadre, "c-1"), call);
        } else {
            let target = Target::Notification(notification_id);
            let receipt = C::AcknowledgeNotification { target };
            town.ask::<Notifications>(resident(&household_id), receipt);
        }
    }
    // No receipt: a call task. No answer: a visit.
    town.wait_minutes(40);
    let state = town.notification.state();
    let notification_id = state
        .goods_at_door(hard)
        .map(|n| n.notification_id.to_string())
        .expect("its household is told");
    let call = C::CompleteCallTask {
        notification_id: notification_id.clone(),
        outcome: CallOutcome::NoAnswer,
        done_by: "c-1".into(),
    };
    let cadre = || Actor::new(Role::Cadre, "c-1");
    town.ask::<Notifications>(cadre(), call);
    let visit = C::CompleteVisit {
        notification_id,
        cadre_id: "c-1".into(),
        note: Note::parse("taken in").expect("short"),
    };
    town.ask::<Notifications>(cadre(), visit);
}

/// Contact and key are forgotten; the records stay.
fn erase(town: &mut Town, n: u32) {
    let asked = order::Command::EraseHousehold {
        household_id: household(n).into(),
        reason: "RESIDENT_REQUEST".into(),
        force: true,
    };
    town.ask::<Orders>(operator(), asked);
    let destroyed = order::Command::RecordKeyDestroyed {
        household_id: household(n).into(),
    };
    town.ask::<Orders>(Actor::system("order"), destroyed);
}

fn close(town: &mut Town) {
    town.ask::<Stock>(operator(), inventory::Command::OpenProcurement);
    town.ask::<Orders>(operator(), order::Command::EndContingency);
    town.note_progress::<Orders>(Service::Logistics);
    town.void_a_unit::<Stock>();
}
