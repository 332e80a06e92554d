//! Loads that are made of what waits on trunk routes, whatever happens.

use std::collections::BTreeMap;

use decider::{Domain, Service};
use logistics_domain::*;
use proptest::prelude::*;
use proto::{
    AnyEvent, InventoryEvent,
    logistics::v1::{
        BagCondition, BagReceipt, LineCount, LineReceipt, Milestone, ParcelState, ShipmentState,
        WaitReason,
    },
};

use crate::{haulage, trunk::*, world::*};

const HOLDERS: [&str; 3] = [CARRIER, "bureau-2", "bureau-3"];

/// What is done, to which of the orders or shipments, and a number.
type Step = (u8, usize, u8);

/// A town with three routes to the checkpoint, and what was sent.
struct Play {
    spec: Spec,
    sent: usize,
}

impl Play {
    fn begin(firms: usize) -> Self {
        let mut spec = Spec::given([]);
        spec.accept(checkpoint().into());
        for firm in ["acme", "bolt", "cart"].iter().take(firms) {
            haulage::join(&mut spec, firm);
            spec.accept(haulage::offer(firm, 2_000).into());
        }
        for (n, holder) in HOLDERS.iter().enumerate() {
            let mut plan = RoutePlan {
                holder_id: (*holder).into(),
                weight_max: Grams(400_000 + 100_000 * i64::try_from(n).expect("few")),
                orders_max: 12,
                ..trunk_plan()
            };
            plan.origin.place_id = format!("origin-{n}");
            spec.accept(open(&format!("route-{n}"), plan).into());
        }
        Self { spec, sent: 0 }
    }

    fn send(&mut self, holder: usize, kilograms: i64) {
        self.sent += 1;
        let order_id = format!("o{:03}", self.sent);
        let bags = [bag(&order_id, 1, kilograms), bag(&order_id, 2, 5)];
        let mut event = dispatched(&order_id, &door("E1", &order_id), &bags);
        if let AnyEvent::Inventory(InventoryEvent::OrderDispatched(event)) = &mut event {
            event.custodian_id = HOLDERS[holder % HOLDERS.len()].into();
        }
        let heard = self.spec.react(Service::Inventory, event);
        assert!(heard.iter().all(Result::is_ok), "{heard:?}");
    }

    fn step(&mut self, (what, which, number): Step) {
        match what % 12 {
            0..=3 => self.send(which, i64::from(number) + 1),
            4 => {
                let order_id = format!("o{:03}", which % (self.sent + 1));
                let _ = self.spec.react(Service::Inventory, recalled(&order_id));
            }
            5 => {
                // Within the time of the passes.
                let until = self.spec.context.now.plus_minutes(number.into());
                self.spec.elapse(until.min(hours(11)));
            }
            6 if which % 3 == 0 => {
                let offer = haulage::offer("acme", i64::from(number) * 3);
                let _ = self.spec.run(offer.into());
            }
            _ => self.advance(which, what, number),
        }
        // What is due happens in the moment in which it is.
        settle(&mut self.spec);
    }

    /// One of the shipments goes a step further, or not.
    fn advance(&mut self, which: usize, what: u8, number: u8) {
        let all = shipments(&self.spec);
        let Some(shipment) = all.get(which % all.len().max(1)) else {
            return;
        };
        let id = shipment.shipment_id.clone();
        let carrier_id = shipment.carrier().unwrap_or("nobody").to_owned();
        let round = shipment.tender.as_ref().map_or(0, |tender| tender.round);
        let cancel = CancelShipment {
            shipment_id: id.clone(),
            reason: "not needed".into(),
        };
        let declare = DeclareHandover {
            shipment_id: id.clone(),
            carrier_id: carrier_id.clone(),
            lines: vec![],
        };
        let report = |milestone, stop: &str| {
            let at = self.spec.context.now;
            let report_id = format!("{milestone:?}-{stop}");
            haulage::report(&id, &carrier_id, &report_id, milestone, stop, at)
        };
        let stop = shipment.load.pickups.iter().find(|pickup| {
            let known = shipment.pickups.get(&pickup.stop_id);
            known.is_none_or(|p| p.loaded.is_none() && p.failed.is_none())
        });
        let _ = match (shipment.state, number % 8) {
            (ShipmentState::Tendered, 0) => {
                let decline = haulage::decline(&id, &carrier_id, round);
                self.spec.run(decline.into())
            }
            (ShipmentState::Draft | ShipmentState::Accepted, 1) => self.spec.run(cancel.into()),
            (ShipmentState::Tendered, _) => {
                let fresh = shipment.clone();
                set_out(&mut self.spec, &fresh);
                Ok(vec![])
            }
            (ShipmentState::ResourceAssigned, _) => {
                self.spec.run(report(Milestone::Departed, "").into())
            }
            (ShipmentState::ArrivedDestination, _) if shipment.handover.is_none() => {
                self.spec.run(declare.into())
            }
            (ShipmentState::ArrivedDestination, fault) => {
                let lines = receipt_with(shipment, fault);
                self.spec.run(take_over(&id, lines).into())
            }
            (_, 2) if what == 11 => self.spec.run(report(Milestone::Lost, "").into()),
            (_, fault) => match stop {
                Some(pickup) if fault == 3 => {
                    let failed = report(Milestone::PickupFailed, &pickup.stop_id);
                    self.spec.run(failed.into())
                }
                Some(pickup) => {
                    let lines = loaded_with(pickup, fault);
                    let stop_id = pickup.stop_id.clone();
                    let loaded = report(Milestone::Loaded, &stop_id);
                    self.spec.run(ReportMilestone { lines, ..loaded }.into())
                }
                None => self
                    .spec
                    .run(report(Milestone::ArrivedDestination, "").into()),
            },
        };
    }

    fn check(&self) {
        assert_eq!(Logistics::violations(&self.spec.state), vec![]);
        let mut live = BTreeMap::<String, String>::new();
        for shipment in shipments(&self.spec) {
            if !shipment.carries_parcels {
                continue;
            }
            within_limits(&shipment.load);
            let over = matches!(
                shipment.state,
                ShipmentState::Cancelled
                    | ShipmentState::Lost
                    | ShipmentState::CustodyTransferred
                    | ShipmentState::Closed
            );
            // A pickup that failed is another shipment's now.
            let pickups = shipment.load.pickups.iter().filter(|pickup| {
                let many = shipment.load.pickups.len() > 1;
                let known = shipment.pickups.get(&pickup.stop_id);
                !(over || many && known.is_some_and(|p| p.failed.is_some()))
            });
            for pickup in pickups {
                let behind = shipment.pickups.get(&pickup.stop_id);
                let behind = behind.map_or(vec![], |p| {
                    let lines = p.lines.iter();
                    lines.flat_map(|line| line.missing_labels.clone()).collect()
                });
                let labels = pickup.lines.iter().flat_map(|line| &line.labels);
                for label in labels.filter(|label| !behind.contains(label)) {
                    let id = shipment.shipment_id.clone();
                    self.is_on(label, &id);
                    let other = live.insert(label.clone(), id);
                    assert_eq!(other, None, "bag {label} is on two loads");
                }
            }
        }
        self.check_capacity();
        // What is on its way is on a live load or waits, in one place.
        let area = area();
        for goods in self.spec.state.goods(&area) {
            let parcel = parcel(&self.spec, &goods.order_id);
            assert_eq!(parcel.state, ParcelState::Expected);
            let on = parcel
                .bags
                .iter()
                .filter(|bag| live.contains_key(&bag.label));
            match &goods.place {
                Where::Waiting(_) => assert_eq!(on.count(), 0, "{goods:?}"),
                Where::On(_) => assert!(on.count() > 0, "{goods:?}"),
            }
        }
    }
}

impl Play {
    /// What is booked on an offer is what was tendered against it and is not
    /// given back, and never more than was offered.
    fn check_capacity(&self) {
        let mut booked = BTreeMap::<String, Grams>::new();
        for shipment in shipments(&self.spec) {
            let held = !matches!(
                shipment.state,
                ShipmentState::Draft | ShipmentState::Cancelled
            );
            if let Some(tender) = shipment.tender.filter(|_| held) {
                let sum = booked.entry(tender.offer_id).or_default();
                *sum = sum.plus(tender.weight);
            }
        }
        for carrier in self.spec.state.carriers_after(&area(), None) {
            for offer in carrier.offers.values() {
                let sum = booked.get(&offer.offer_id).copied().unwrap_or_default();
                assert_eq!(offer.used, sum, "{}", carrier.carrier_id);
                assert!(offer.used <= offer.capacity);
            }
        }
    }

    /// A bag of a live load belongs to goods that are on it.
    fn is_on(&self, label: &str, shipment_id: &str) {
        let (order_id, _) = label.rsplit_once('-').expect("a number");
        let area = area();
        let mut all = self.spec.state.goods(&area);
        let goods = all.find(|goods| goods.order_id == order_id);
        let place = goods.map(|goods| &goods.place);
        assert_eq!(place, Some(&Where::On(shipment_id.into())), "{label}");
    }
}

fn within_limits(load: &Load) {
    assert!(load.pickups.len() <= LOAD_PICKUPS_MAX);
    assert!(load.order_ids.len() <= 12);
    assert!(load.weight() <= Grams(600_000), "{}", load.weight());
    let smallest = load.pickups.iter().map(|pickup| match &*pickup.stop_id {
        "route-0" => 400_000,
        "route-1" => 500_000,
        _ => 600_000,
    });
    assert!(load.weight().0 <= smallest.min().unwrap_or(i64::MAX));
    let labels: i64 = load.lines().map(|line| line.labels.len() as i64).sum();
    let units: i64 = load.lines().map(|line| line.quantity_units).sum();
    assert_eq!(labels, units, "each bag has one unit here");
}

/// The first bag of each line stays behind.
fn loaded_with(pickup: &Pickup, fault: u8) -> Vec<LineCount> {
    if fault != 4 {
        return vec![];
    }
    let count = |line: &proto::logistics::v1::LoadLine| LineCount {
        line_id: line.line_id.clone(),
        units: line.quantity_units - 1,
        missing_labels: vec![line.labels[0].clone()],
    };
    pickup.lines.iter().map(count).collect()
}

/// The last bag of a line is short or damaged.
fn receipt_with(shipment: &Shipment, fault: u8) -> Vec<LineReceipt> {
    let handover = shipment.handover.clone().unwrap_or_default();
    let line = handover.declared.iter().find(|line| line.units > 0);
    let Some(line) = line.filter(|_| fault > 4) else {
        return vec![];
    };
    let load = shipment.load.lines().find(|l| l.line_id == line.line_id);
    let mut labels = load.into_iter().flat_map(|l| &l.labels);
    let last = labels.rfind(|l| !line.missing_labels.contains(l));
    let last: Vec<String> = last.into_iter().cloned().collect();
    let short = fault > 5;
    vec![LineReceipt {
        line_id: line.line_id.clone(),
        accepted_units: line.units - 1,
        damaged_units: i64::from(!short),
        short_units: i64::from(short),
        note: "seen".into(),
        bags: {
            let condition = if short {
                BagCondition::Missing
            } else {
                BagCondition::Damaged
            };
            last.into_iter()
                .map(|label| BagReceipt::of(label, condition))
                .collect()
        },
    }]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((any::<u8>(), 0_usize..40, any::<u8>()), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_bag_is_in_one_live_load_and_nothing_is_left_unseen(
        firms in 0_usize..4,
        steps in steps(),
    ) {
        let mut play = Play::begin(firms);
        for step in steps {
            play.step(step);
            play.check();
        }
        // Long after the last window nothing waits that is not listed.
        play.spec.elapse(hours(200));
        play.check();
        prop_assert_eq!(Logistics::next_due(&play.spec.state), None);
        let listed: BTreeMap<_, _> = waiting(&play.spec).into_iter().collect();
        let area = area();
        for goods in play.spec.state.goods(&area) {
            let reason = listed.get(&goods.order_id);
            match &goods.place {
                Where::Waiting(_) => prop_assert!(matches!(
                    reason,
                    Some(WaitReason::NoWindow | WaitReason::TooHeavy)
                )),
                // A carrier said yes to it; it is seen as its shipment.
                Where::On(_) => prop_assert_eq!(reason, None),
            }
        }
    }

    #[test]
    fn goods_that_come_in_another_order_make_equally_good_loads(
        weights in prop::collection::vec(1_i64..=20, 1..120),
        seed in any::<u64>(),
    ) {
        let loads = |weights: &[i64]| {
            let mut play = Play::begin(0);
            let mut plan = RoutePlan { weight_max: Grams(1_000_000), orders_max: 500, ..trunk_plan() };
            plan.origin.place_id = "origin-0".into();
            play.spec.accept(ChangeRoute { route_id: "route-0".into(), plan }.into());
            for kilograms in weights {
                play.send(0, *kilograms);
                settle(&mut play.spec);
            }
            play.spec.elapse(window(1));
            shipments(&play.spec).iter().map(|s| s.load.weight().0).collect::<Vec<_>>()
        };
        let mut shuffled = weights.clone();
        let mut state = seed;
        for n in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(n, usize::try_from(state >> 33).unwrap_or(0) % (n + 1));
        }
        let (one, other) = (loads(&weights), loads(&shuffled));
        prop_assert!(one.len().abs_diff(other.len()) <= 1, "{one:?} and {other:?}");
        prop_assert_eq!(one.iter().sum::<i64>(), other.iter().sum::<i64>());
        for loads in [one, other] {
            // All but one are nearly full.
            let thin = loads.iter().filter(|grams| **grams < 950_000).count();
            prop_assert!(thin <= 1, "{loads:?}");
        }
        // Orders of one weight give the same loads whatever comes first.
        let alike: Vec<i64> = vec![weights[0]; weights.len()];
        let total = (weights[0] + 5) * i64::try_from(weights.len()).expect("few");
        let each = 1_000 / (weights[0] + 5) * (weights[0] + 5);
        let fewest = (total + each - 1) / each;
        prop_assert_eq!(loads(&alike).len() as i64, fewest);
    }
}
