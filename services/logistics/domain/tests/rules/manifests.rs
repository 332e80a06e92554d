//! Bags: what the manifest says of them, what is scanned when they are loaded,
//! and what the receiver found of each.

use decider::Service;
use logistics_domain::*;
use proto::logistics::v1::{BagCondition, BagReceipt, LineReceipt, ManifestBag, Milestone};

use crate::{
    haulage::*,
    world::{Spec, area, dispatched, door, set},
};

/// One farm with five bags, of which three are those of order `o-1`.
fn bagged() -> Load {
    let mut load = one_farm();
    let labels = ["o-1-1", "o-1-2", "o-1-3", "x-1", "x-2"];
    load.pickups[0].lines[0].labels = labels.map(String::from).to_vec();
    load
}

fn loaded(id: &str, labels: &[&str]) -> ReportMilestone {
    let at = minutes(1);
    ReportMilestone {
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..report(id, "acme", "r-loaded", Milestone::Loaded, "a", at)
    }
}

fn bag(label: &str, condition: BagCondition) -> BagReceipt {
    BagReceipt {
        label: label.into(),
        condition: condition.into(),
    }
}

fn found(id: &str, units: (i64, i64, i64), bags: Vec<BagReceipt>) -> TransferCustody {
    let transfer = take_over(id, units);
    let lines = transfer.lines.into_iter().map(|line| LineReceipt {
        bags: bags.clone(),
        ..line
    });
    TransferCustody {
        lines: lines.collect(),
        ..transfer
    }
}

fn listed(spec: &Spec, id: &str) -> Vec<ManifestBag> {
    let manifest = spec.state.manifest(&area(), id).expect("a manifest");
    assert_eq!(manifest.bag_count, 5);
    let stops = manifest.stops.into_iter();
    stops.flat_map(|s| s.lines).flat_map(|l| l.bags).collect()
}

#[test]
fn the_manifest_knows_whose_a_packed_bag_is_and_what_it_weighs() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, bagged());
    let before = listed(&spec, &id);
    assert!(before.iter().all(|bag| bag.order_id.is_empty()));
    let sent = dispatched("o-1", &door("E1", "101"), &set("o-1"));
    let heard = spec.react(Service::Inventory, sent);
    assert!(heard.iter().all(Result::is_ok), "{heard:?}");
    let bags = listed(&spec, &id);
    let told: Vec<_> = bags
        .iter()
        .map(|bag| (&*bag.label, &*bag.order_id, bag.weight_grams))
        .collect();
    assert_eq!(
        told,
        [
            ("o-1-1", "o-1", 5_000),
            ("o-1-2", "o-1", 10_000),
            ("o-1-3", "o-1", 5_000),
            ("x-1", "", 0),
            ("x-2", "", 0),
        ]
    );
}

#[test]
fn bags_that_are_scanned_are_the_stops() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, bagged());
    assert_eq!(refused(&mut spec, loaded(&id, &["o-9"])), "LABEL_UNKNOWN");
    let twice = loaded(&id, &["x-1", "x-1"]);
    assert_eq!(refused(&mut spec, twice), "LABEL_TWICE");
    let at_arrival = ReportMilestone {
        milestone: Milestone::ArrivedPickup,
        ..loaded(&id, &["x-1"])
    };
    assert_eq!(refused(&mut spec, at_arrival), "REPORT_INCOMPLETE");
    spec.accept(loaded(&id, &["x-1", "o-1-1"]).into());
    let on_board: Vec<_> = listed(&spec, &id)
        .into_iter()
        .filter_map(|bag| bag.loaded.then_some(bag.label))
        .collect();
    assert_eq!(on_board, ["o-1-1", "x-1"]);
}

#[test]
fn the_receiver_says_of_each_bag_what_it_found() {
    let mut spec = haulage();
    let (id, _) = assigned(&mut spec, bagged());
    drive(&mut spec, &id);
    spec.accept(declare(&id, None).into());
    let unknown = found(&id, (100, 0, 0), vec![bag("o-9", BagCondition::Accepted)]);
    assert_eq!(refused(&mut spec, unknown), "LABEL_UNKNOWN");
    let torn = || vec![bag("x-1", BagCondition::Damaged)];
    let not_counted = found(&id, (99, 0, 1), torn());
    assert_eq!(refused(&mut spec, not_counted), "COUNT_INVALID");
    let missing = vec![bag("x-1", BagCondition::Missing)];
    let not_counted = found(&id, (99, 1, 0), missing);
    assert_eq!(refused(&mut spec, not_counted), "COUNT_INVALID");
    spec.accept(found(&id, (99, 1, 0), torn()).into());
    let condition = |label: &str| {
        let bags = listed(&spec, &id);
        let bag = bags.into_iter().find(|bag| bag.label == label);
        bag.expect("listed").condition()
    };
    assert_eq!(condition("x-1"), BagCondition::Damaged);
    assert_eq!(condition("x-2"), BagCondition::Unspecified);
}
