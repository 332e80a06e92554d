//! The manifest: what is to be loaded where, bag by bag. A load knows the labels
//! of its bags; whose they are and what they weigh is known of packed orders,
//! once inventory has sent them.

use std::collections::{BTreeMap, BTreeSet};

use decider::Area;
use proto::{
    logistics::v1::{self as pb, BagCondition, LoadLine},
    time::to_proto,
};

use super::{Pickup, Rejection, Shipment, Subject};
use crate::state::State;

/// That bags are those of the lines, and each is named once.
pub(crate) fn check_labels<'a>(
    lines: impl Iterator<Item = &'a LoadLine>,
    labels: impl Iterator<Item = &'a str>,
) -> Result<(), Rejection> {
    let mut labels = labels.peekable();
    if labels.peek().is_none() {
        return Ok(());
    }
    let own: BTreeSet<&str> = lines.flat_map(|line| &line.labels).map(|l| &**l).collect();
    let mut named = BTreeSet::new();
    for label in labels {
        if !own.contains(label) {
            return Err(Rejection::unknown(Subject::Label, label));
        }
        if !named.insert(label) {
            let label = label.to_owned();
            return Err(Rejection::LabelTwice { label });
        }
    }
    Ok(())
}

/// What is known of single bags.
struct Bags<'a> {
    /// Order and weight.
    packed: BTreeMap<String, (&'a str, i64)>,
    loaded: BTreeSet<&'a str>,
    found: BTreeMap<&'a str, BagCondition>,
}

impl<'a> Bags<'a> {
    fn of(state: &'a State, area: &Area, shipment: &'a Shipment) -> Self {
        let mut packed = BTreeMap::new();
        for order_id in &shipment.load.order_ids {
            for bag in state
                .parcel(area, order_id)
                .into_iter()
                .flat_map(|p| p.bags.iter())
            {
                packed.insert(bag.label, (&**order_id, bag.weight_grams));
            }
        }
        let scanned = shipment.pickups.values().flat_map(|pickup| &pickup.labels);
        let receipts = shipment.handover.iter().flat_map(|over| &over.receipts);
        let found = receipts.flat_map(|receipt| &receipt.bags);
        Self {
            packed,
            loaded: scanned.map(|label| &**label).collect(),
            found: found.map(|bag| (&*bag.label, bag.condition())).collect(),
        }
    }

    fn bag(&self, label: &str) -> pb::ManifestBag {
        let (order_id, weight_grams) = self.packed.get(label).copied().unwrap_or_default();
        let condition = self.found.get(label).copied().unwrap_or_default();
        pb::ManifestBag {
            label: label.to_owned(),
            order_id: order_id.to_owned(),
            weight_grams,
            loaded: self.loaded.contains(label),
            condition: condition.into(),
        }
    }

    fn stop(&self, pickup: &Pickup) -> pb::ManifestStop {
        let lines = pickup.lines.iter().map(|line| pb::ManifestLine {
            line_id: line.line_id.clone(),
            product_id: line.product_id.clone(),
            quantity_units: line.quantity_units,
            weight_grams: line.weight_grams,
            bags: line.labels.iter().map(|label| self.bag(label)).collect(),
        });
        pb::ManifestStop {
            stop_id: pickup.stop_id.clone(),
            place: Some(pickup.place.clone()),
            from_time: Some(to_proto(pickup.from)),
            to_time: Some(to_proto(pickup.to)),
            lines: lines.collect(),
        }
    }
}

impl State {
    /// Of a shipment of this area.
    #[must_use]
    pub fn manifest(&self, area: &Area, shipment_id: &str) -> Option<pb::Manifest> {
        let shipment = self.shipment(area, shipment_id)?;
        let bags = Bags::of(self, area, &shipment);
        let stops = shipment.load.pickups.iter().map(|pickup| bags.stop(pickup));
        let count: usize = shipment.load.lines().map(|line| line.labels.len()).sum();
        Some(pb::Manifest {
            shipment_id: shipment.shipment_id.clone(),
            load_version: shipment.load_version,
            stops: stops.collect(),
            destination: Some(shipment.load.destination.clone()),
            weight_grams: shipment.load.weight().0,
            bag_count: i32::try_from(count).unwrap_or(i32::MAX),
        })
    }
}
