//! What the firms of the trunk leg did, counted by what the service says of
//! them.

use proto::logistics::v1::{BagCondition, Shipment};

use super::Day;
use crate::scenario::{
    figures::{CarrierWork, TrunkTotals},
    hauliers::is_handed_over,
};

impl Day {
    /// Firm by firm; the sums go into the day's totals.
    pub(super) async fn carriers_work(&mut self) -> anyhow::Result<Vec<CarrierWork>> {
        let mut works = Vec::new();
        let mut totals = TrunkTotals::default();
        for carrier_id in self.firm_ids() {
            let shipments = self.office().shipments_of(&carrier_id).await?;
            let work = self.office().work(&carrier_id, &shipments).await?;
            add(&mut totals, &work, &shipments);
            works.push(work);
        }
        self.totals.trunk = totals;
        Ok(works)
    }
}

fn add(totals: &mut TrunkTotals, work: &CarrierWork, shipments: &[Shipment]) {
    let count = |n: i32| u64::from(n.unsigned_abs());
    totals.loads += work.loads;
    totals.grams += work.grams;
    totals.firms += u64::from(work.loads > 0);
    totals.tenders += count(work.tenders);
    totals.accepted += count(work.accepted);
    totals.declined += count(work.declined);
    totals.expired += count(work.expired);
    totals.on_time += count(work.on_time);
    totals.late += count(work.late);
    totals.incidents += count(work.incidents);
    for shipment in shipments.iter().filter(|s| is_handed_over(s)) {
        let orders = shipment
            .load
            .as_ref()
            .map_or(0, |load| load.order_ids.len());
        totals.orders += orders as u64;
        for line in &shipment.receipts {
            let bags = |condition| line.bags_in(condition).count() as u64;
            totals.damaged_bags += bags(BagCondition::Damaged);
            totals.short_bags += bags(BagCondition::Missing);
        }
    }
}
