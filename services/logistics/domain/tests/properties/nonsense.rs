//! Histories that make no sense: nothing panics, nothing stays due for ever,
//! and the lists still agree with the parcels.

use decider::{
    Actor, Cause, Domain, EventSet, Position, Recorded, Revision, Role, Timestamp, spec::START,
};
use logistics_domain::*;
use proptest::prelude::*;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ExceptionCode},
    time::to_proto,
};

use crate::{
    absurd::{hook, route},
    haulage::*,
    trunk::{open, trunk_plan},
    world::*,
};

/// Kind of event, entity, another entity, a number.
pub type Seed = (u8, u8, u8, i64);

pub fn event((kind, a, b, number): Seed) -> LogisticsEvent {
    let order_id = format!("o-{}", a % 4);
    let run_id = format!("r-{}", b % 3);
    let member_id = format!("m-{}", b % 2);
    let checkpoint_id = if b % 5 == 0 { String::new() } else { CP.into() };
    let label = format!("{order_id}-{}", b % 4);
    let custodian = pb::Custodian {
        kind: i32::from(b % 7),
        id: member_id.clone(),
    };
    let bag = pb::ParcelBag {
        label: label.clone(),
        product_id: "p".into(),
        quantity_units: number,
        weight_grams: number,
    };
    let at = door(&format!("E{}", a % 2), &a.to_string());
    let order_ids = vec![order_id.clone(), format!("o-{}", b % 4)];
    if kind % 2 > 0 {
        return haul((kind / 2, a, b, number));
    }
    match (kind / 2) % 23 {
        0 => pb::CheckpointRegistered {
            checkpoint_id,
            ..Default::default()
        }
        .into(),
        1 => pb::MemberRegistered {
            member_id,
            capacity_grams: number,
            leader: false,
        }
        .into(),
        2 => {
            let shift = pb::Shift {
                shift_id: format!("s-{}", a % 3),
                member_id,
                checkpoint_id,
                post: DELIVERY_POST.into(),
                starts_time: Some(to_proto(Timestamp(START.0.saturating_sub(number)))),
                ends_time: Some(to_proto(Timestamp(START.0.saturating_add(number)))),
            };
            pb::ShiftAssigned {
                shift: (a % 9 > 0).then_some(shift),
            }
            .into()
        }
        3 => pb::AbsenceRecorded {
            member_id,
            from_time: None,
            to_time: Some(to_proto(Timestamp(number))),
            reason: String::new(),
        }
        .into(),
        4 => pb::ParcelExpected {
            order_id,
            door: (b % 3 > 0).then_some(at),
            bags: vec![bag],
            checkpoint_id,
            custodian: (a % 3 > 0).then_some(custodian),
            ..Default::default()
        }
        .into(),
        5 => pb::ParcelReceived {
            order_id,
            checkpoint_id,
            from: Some(custodian),
            to: None,
            accepted_labels: vec![label.clone()],
            exceptions: vec![pb::BagException {
                label: format!("{label}x"),
                ..Default::default()
            }],
            household_id: String::new(),
            keeper_id: String::new(),
        }
        .into(),
        6 => pb::ReplacementExpected {
            order_id,
            for_label: format!("{label}x"),
            bag: (a % 2 > 0).then_some(bag),
            custodian: Some(custodian),
        }
        .into(),
        7 => pb::ReplacementGivenUp {
            order_id,
            for_label: format!("{label}x"),
            reason: String::new(),
        }
        .into(),
        8 => pb::ParcelDisinfected {
            order_id,
            checkpoint_id,
            ..Default::default()
        }
        .into(),
        9 => pb::RunPlanned {
            run_id,
            checkpoint_id,
            member_id,
            shift_id: format!("s-{}", a % 3),
            stops: order_ids
                .into_iter()
                .map(|order_id| pb::Stop {
                    order_id,
                    door: (a % 2 > 0).then(|| at.clone()),
                    weight_grams: number,
                })
                .collect(),
            weight_grams: number,
            trip: i32::from(a),
        }
        .into(),
        10 => pb::RunCancelled {
            run_id,
            member_id,
            order_ids,
            reason: String::new(),
        }
        .into(),
        11 => pb::RunStarted {
            run_id,
            checkpoint_id,
            member_id,
            order_ids,
        }
        .into(),
        12 => pb::EntranceDisinfected {
            run_id,
            ..Default::default()
        }
        .into(),
        13 => pb::RunCompleted {
            run_id,
            member_id,
            delivered_stops: i32::MAX,
            failed_stops: -1,
        }
        .into(),
        14 => pb::GoodsPlaced {
            order_id,
            run_id,
            member_id,
        }
        .into(),
        15 => pb::DoorLeft {
            order_id,
            run_id,
            member_id,
            ..Default::default()
        }
        .into(),
        16 => pb::HouseholdCalled {
            order_id,
            means: "?".into(),
        }
        .into(),
        17 => pb::DeliveryCollected {
            order_id,
            evidence: "?".into(),
        }
        .into(),
        18 => pb::AttemptFailed {
            order_id,
            run_id,
            member_id,
            reason: i32::from(a),
            note: String::new(),
        }
        .into(),
        19 => pb::ParcelHeld {
            order_id,
            checkpoint_id,
            member_id,
        }
        .into(),
        20 => pb::DeliveryRescheduled {
            order_id,
            attempt: i32::MIN,
        }
        .into(),
        21 => pb::ParcelReturned {
            order_id,
            reason: -7,
        }
        .into(),
        _ => pb::ParcelWithdrawn { order_id }.into(),
    }
}

fn commands() -> Vec<Command> {
    let mut commands: Vec<Command> = vec![
        checkpoint().into(),
        member("m-0", i64::MAX).into(),
        shift("m-0", Timestamp(i64::MIN), Timestamp(i64::MAX)).into(),
        shift("m-1", Timestamp(i64::MAX), Timestamp(i64::MIN)).into(),
        RecordAbsence {
            member_id: "m-0".into(),
            from: Timestamp(i64::MIN),
            to: Timestamp(i64::MAX),
            reason: String::new(),
        }
        .into(),
        plan(),
    ];
    for run_id in ["r-0", "r-1", "r-2"] {
        commands.extend([
            start(run_id),
            complete(run_id),
            clean(run_id, &door("E1", "")),
        ]);
        for order_id in ["o-0", "o-1", "o-2", "o-3"] {
            commands.extend([
                place(run_id, order_id),
                leave(run_id, order_id),
                fail(run_id, order_id, ExceptionCode::Lost),
            ]);
        }
    }
    for order_id in ["o-0", "o-1", "o-2", "o-3"] {
        let order_id = order_id.to_owned();
        commands.extend([
            receive(vec![receipt(&order_id, &["x"]), receipt(&order_id, &[])]).into(),
            receive(vec![receipt(&order_id, &[])]).into(),
            disinfect(&[&order_id]).into(),
            WithdrawParcel {
                order_id: order_id.clone(),
            }
            .into(),
            RescheduleDelivery {
                order_id: order_id.clone(),
            }
            .into(),
            ReturnParcel {
                order_id: order_id.clone(),
                reason: ExceptionCode::Lost,
            }
            .into(),
            RecordCalled {
                order_id: order_id.clone(),
                means: Means::Visit,
            }
            .into(),
            RecordCollected {
                order_id,
                means: Means::Visit,
            }
            .into(),
        ]);
    }
    commands
}

/// Something about the trunk leg.
fn haul((kind, a, b, number): Seed) -> LogisticsEvent {
    let shipment_id = format!("s-{}", a % 3);
    let carrier_id = ["acme", "bolt", "nobody"][usize::from(b % 3)].to_owned();
    let pass_id = format!("p-{}", b % 2);
    let offer_id = format!("f-{}", a % 2);
    let round = i32::from(b % 4);
    let short = i32::try_from(number).unwrap_or(i32::MAX);
    let time = || Some(to_proto(Timestamp(START.0.saturating_add(number))));
    let line = pb::LineCount {
        line_id: "a-radish".into(),
        units: number,
        missing_labels: vec![format!("o-{}-{}", a % 4, b % 4)],
    };
    let load = (a % 5 > 0).then(|| one_farm().to_message());
    if kind % 3 == 0 {
        return route((kind / 3, a, b, number));
    }
    match (kind / 3) % 34 {
        32 => pb::MatchLoadReleased {
            load_id: format!("l-{}", a % 3),
        }
        .into(),
        33 => pb::MatchQueued {
            load_id: format!("l-{}", a % 3),
            match_id: ["a-radish", "m-1", "m-2", ""][usize::from(b % 4)].into(),
            pickup: (a % 4 > 0).then(|| {
                let mut pickup = one_farm().to_message().pickups.remove(0);
                if b % 8 < 6 {
                    pickup.stop_id = pickup.lines[0].line_id.clone();
                }
                pickup
            }),
            draft_by_time: time(),
            ..Default::default()
        }
        .into(),
        0 => pb::CarrierRegistered {
            carrier_id,
            name: String::new(),
        }
        .into(),
        1 => pb::CarrierSuspended {
            carrier_id,
            reason: String::new(),
        }
        .into(),
        2 => pb::CarrierResumed { carrier_id }.into(),
        3 => pb::VehicleRegistered {
            vehicle_id: vehicle(&carrier_id),
            carrier_id,
            capacity_grams: number,
        }
        .into(),
        4 => pb::DriverRegistered {
            driver_id: driver(&carrier_id),
            carrier_id,
        }
        .into(),
        5 => pb::CapacityOffered {
            offer_id,
            carrier_id,
            zones: ZONES.map(String::from).to_vec(),
            capacity_grams: number,
            from_time: None,
            to_time: time(),
        }
        .into(),
        6 => pb::CapacityWithdrawn {
            offer_id,
            carrier_id,
        }
        .into(),
        7 => pb::PassApplied {
            pass_id,
            carrier_id,
            to_time: time(),
            ..Default::default()
        }
        .into(),
        8 => pb::PassIssued {
            pass_id,
            carrier_id,
            zones: vec![],
            from_time: None,
            to_time: time(),
        }
        .into(),
        9 => pb::PassRevoked {
            pass_id,
            carrier_id,
            reason: String::new(),
        }
        .into(),
        10 => pb::PassExpired {
            pass_id,
            carrier_id,
        }
        .into(),
        11 | 12 => pb::ShipmentDrafted {
            shipment_id,
            load,
            ..Default::default()
        }
        .into(),
        13 => pb::LoadChanged {
            shipment_id,
            load_version: short,
            load,
        }
        .into(),
        14 | 15 => pb::ShipmentTendered {
            shipment_id,
            round: if a % 7 == 0 { short } else { round },
            carrier_id,
            offer_id,
            load_version: short,
            answer_by_time: time(),
            weight_grams: number,
        }
        .into(),
        16 => pb::TenderAccepted {
            shipment_id,
            round,
            carrier_id,
        }
        .into(),
        17 => pb::TenderDeclined {
            shipment_id,
            round,
            carrier_id,
            ..Default::default()
        }
        .into(),
        18 => pb::ResourceAssigned {
            shipment_id,
            vehicle_id: vehicle(&carrier_id),
            driver_id: driver(&carrier_id),
            carrier_id,
            pass_id,
        }
        .into(),
        19 => pb::ResourceReleased {
            shipment_id,
            carrier_id,
            reason: 0,
        }
        .into(),
        20 | 21 => pb::MilestoneReported {
            shipment_id,
            carrier_id,
            report_id: format!("r-{}", a % 5),
            milestone: i32::from(b % 9),
            stop_id: ["", "a", "z"][usize::from(a % 3)].into(),
            occurred_time: time(),
            lines: vec![line],
            ..Default::default()
        }
        .into(),
        22 => match b % 8 {
            5 => pb::ShipmentContactsSet {
                shipment_id,
                contacts: vec![pb::SealedContact {
                    stop_id: String::new(),
                    contact: (a % 2 > 0).then(Default::default),
                }],
            }
            .into(),
            6 => pb::ShipmentPersonalDataErased { shipment_id }.into(),
            7 => match a % 2 {
                0 => pb::ShipmentKeyDestroyed { shipment_id }.into(),
                _ => pb::PersonalDataAccessed {
                    shipment_id,
                    carrier_id,
                    ..Default::default()
                }
                .into(),
            },
            0 => pb::PinIssued {
                shipment_id,
                pin_mac: vec![a],
            }
            .into(),
            1 => pb::PinRefused {
                shipment_id,
                carrier_id,
                tries: short,
            }
            .into(),
            2 => pb::PhotoStored {
                shipment_id,
                carrier_id,
                content_sha256: vec![a % 3],
                size_bytes: number,
                delete_time: time(),
                household_id: ["", "h-1"][usize::from(a % 2)].into(),
                order_id: ["", "o-1"][usize::from(a / 2 % 2)].into(),
                ..Default::default()
            }
            .into(),
            3 => pb::PhotoErased {
                shipment_id,
                content_sha256: vec![a % 3],
                reason: i32::from(a),
            }
            .into(),
            _ => pb::HouseholdPhotosErased {
                household_id: "h-1".into(),
            }
            .into(),
        },
        23 => pb::HandoverDeclared {
            shipment_id,
            carrier_id,
            driver_id: String::new(),
            lines: vec![line],
        }
        .into(),
        24..=30 => hook(
            kind / 3 % 34 - 1,
            format!("w-{}", a % 2),
            carrier_id,
            number,
        ),
        _ => pb::CustodyTransferred {
            shipment_id,
            carrier_id,
            lines: vec![pb::LineReceipt {
                line_id: "a-radish".into(),
                accepted_units: number,
                damaged_units: number,
                ..Default::default()
            }],
            ..Default::default()
        }
        .into(),
    }
}

/// What could be asked about the trunk leg after such a history.
fn haulage_commands() -> Vec<Command> {
    let mut commands: Vec<Command> = vec![draft(one_farm())];
    for carrier_id in ["acme", "bolt"] {
        commands.push(offer(carrier_id, 1).into());
        commands.push(
            RegisterWebhook {
                carrier_id: carrier_id.into(),
                url: String::new(),
            }
            .into(),
        );
        commands.push(
            RotateWebhookSecret {
                carrier_id: carrier_id.into(),
                webhook_id: "w-0".into(),
                overlap_hours: i64::MAX / 60,
            }
            .into(),
        );
        commands.push(application(carrier_id).into());
        for id in ["s-0", "s-1", "s-2"] {
            let milestone = |report_id, milestone, stop| {
                report(id, carrier_id, report_id, milestone, stop, START).into()
            };
            commands.extend([
                accept(id, carrier_id, 1).into(),
                decline(id, carrier_id, 2).into(),
                assign(id, carrier_id, "p-0").into(),
                milestone("r-9", pb::Milestone::Departed, ""),
                milestone("r-8", pb::Milestone::PickupFailed, "a"),
                incident(id, Some(carrier_id)).into(),
                DeclareHandover {
                    carrier_id: carrier_id.into(),
                    ..declare(id, None)
                }
                .into(),
                take_over(id, (1, 0, 0)).into(),
                ChangeLoad {
                    shipment_id: id.into(),
                    load: load(vec![pickup("a", 7)]),
                }
                .into(),
                TenderShipment {
                    shipment_id: id.into(),
                    carrier_id: None,
                }
                .into(),
            ]);
        }
        commands.push(
            SuspendCarrier {
                carrier_id: carrier_id.into(),
                reason: String::new(),
            }
            .into(),
        );
    }
    let close = |route_id: &str| CloseRoute {
        route_id: route_id.into(),
        reason: String::new(),
    };
    let change = |route_id: &str| ChangeRoute {
        route_id: route_id.into(),
        plan: trunk_plan(),
    };
    commands.extend([
        open("a", trunk_plan()).into(),
        open("b", trunk_plan()).into(),
        change("a").into(),
        close("z").into(),
    ]);
    for id in ["s-0", "s-1", "s-2", "s-3", "s-4"] {
        let shipment_id = || id.to_owned();
        commands.extend([
            GiveUpLoad {
                shipment_id: shipment_id(),
            }
            .into(),
            ReceiveLoad {
                shipment_id: shipment_id(),
            }
            .into(),
            MakeLoad {
                checkpoint_id: CP.into(),
                window: START,
            }
            .into(),
        ]);
    }
    for pass_id in ["p-0", "p-1"] {
        commands.push(issue(pass_id).into());
        commands.push(
            RevokePass {
                pass_id: pass_id.into(),
                reason: String::new(),
            }
            .into(),
        );
    }
    commands
}

pub fn record(n: u64, event: LogisticsEvent) -> Recorded<LogisticsEvent> {
    Recorded {
        position: Position(n),
        event_id: String::new(),
        stream: event.stream(),
        revision: Revision(n),
        area: area(),
        occurred: START,
        recorded: START,
        actor: Actor::new(Role::Operator, "x"),
        cause: Cause::Timer { due: START },
        correlation_id: String::new(),
        traceparent: String::new(),
        unit_remaining: 0,
        event,
    }
}

pub fn numbers() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), 1_i64..100_000_000]
}

proptest! {
    #[test]
    fn no_history_breaks_the_machine(
        seeds in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), numbers()), 0..120)
    ) {
        let mut spec = Spec::given([]);
        for (n, seed) in (1..).zip(seeds) {
            let event = event(seed);
            Logistics::evolve(&mut spec.state, &record(n, event.clone()));
            let _ = Logistics::violations(&spec.state);
            let _ = Logistics::describe(&spec.state, &event.stream());
        }
        let all = ParcelFilter::default();
        let parcels = spec.state.parcels(&area(), &all, None, 100).expect("a list").items;
        let counted: usize = ["", CP]
            .iter()
            .flat_map(|c| spec.state.parcel_counts(&area(), c))
            .map(|(_, n)| n)
            .sum();
        prop_assert_eq!(counted, parcels.len());
        for command in commands().into_iter().chain(haulage_commands()) {
            if let Err(rejection) = Logistics::decide(&spec.state, &command, &spec.context) {
                prop_assert!(!rejection.to_string().is_empty());
            }
        }
        for command in commands().into_iter().chain(haulage_commands()) {
            let _ = spec.run(command);
        }
        spec.elapse(Timestamp(i64::MAX));
        prop_assert_eq!(Logistics::next_due(&spec.state), None);
    }
}
