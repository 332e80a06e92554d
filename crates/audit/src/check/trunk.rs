//! Which parcels are on which load of the trunk leg, as its shipments tell.

use std::collections::{BTreeMap, BTreeSet};

use proto::{
    LogisticsEvent as E,
    logistics::v1::{Load, Milestone, MilestoneReported, ReportFit},
};

/// Of a shipment whose orders are parcels.
#[derive(Debug)]
struct Carried {
    load: Load,
    carrier_id: String,
    /// Orders that the carrier has loaded.
    order_ids: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Loads {
    shipments: BTreeMap<String, Carried>,
    /// Who has the goods at a route's origin.
    holders: BTreeMap<String, String>,
}

/// Holder, orders, and labels of bags that stayed behind.
pub(crate) type Loading = (String, BTreeSet<String>, BTreeSet<String>);

impl Loads {
    pub fn take(&mut self, event: &E) {
        match event {
            E::RouteOpened(e) => {
                let plan = e.plan.clone().unwrap_or_default();
                self.holders.insert(e.route_id.clone(), plan.holder_id);
            }
            E::ShipmentDrafted(e) if e.carries_parcels => {
                let carried = Carried {
                    load: e.load.clone().unwrap_or_default(),
                    carrier_id: String::new(),
                    order_ids: BTreeSet::new(),
                };
                self.shipments.insert(e.shipment_id.clone(), carried);
            }
            E::LoadChanged(e) => {
                if let Some(carried) = self.shipments.get_mut(&e.shipment_id) {
                    carried.load = e.load.clone().unwrap_or_default();
                }
            }
            _ => {}
        }
    }

    /// What a report says that a carrier loaded; none where it is no news of
    /// that, or not of parcels.
    pub fn loading(&mut self, event: &MilestoneReported) -> Option<Loading> {
        let news = event.milestone() == Milestone::Loaded && event.fit() != ReportFit::Repeated;
        let carried = self
            .shipments
            .get_mut(&event.shipment_id)
            .filter(|_| news)?;
        carried.carrier_id.clone_from(&event.carrier_id);
        let stop_id = &event.stop_id;
        let mut pickups = carried.load.pickups.iter();
        let pickup = pickups.find(|pickup| pickup.stop_id == *stop_id)?;
        let (mut order_ids, mut behind) = (BTreeSet::new(), BTreeSet::new());
        for line in &pickup.lines {
            let mut counts = event.lines.iter();
            match counts.find(|count| count.line_id == line.line_id) {
                Some(count) => behind.extend(count.missing_labels.iter().cloned()),
                None => behind.extend(line.labels.iter().cloned()),
            }
            let labels = line.labels.iter();
            order_ids.extend(labels.filter_map(|label| Some(order_of(label)?.to_owned())));
        }
        let holder = self.holders.get(stop_id).cloned().unwrap_or_default();
        Some((holder, order_ids, behind))
    }

    pub fn has(&mut self, shipment_id: &str, order_id: &str) {
        if let Some(carried) = self.shipments.get_mut(shipment_id) {
            carried.order_ids.insert(order_id.to_owned());
        }
    }

    /// Orders that the shipment's carrier has loaded, with the carrier.
    pub fn carried(&self, shipment_id: &str) -> Vec<(String, String)> {
        let carried = self.shipments.get(shipment_id);
        let orders = carried.into_iter().flat_map(|carried| {
            let orders = carried.order_ids.iter();
            orders.map(|order_id| (order_id.clone(), carried.carrier_id.clone()))
        });
        orders.collect()
    }
}

/// `<order id>-<n>` names its order.
pub(crate) fn order_of(label: &str) -> Option<&str> {
    label.rsplit_once('-').map(|(order_id, _)| order_id)
}
