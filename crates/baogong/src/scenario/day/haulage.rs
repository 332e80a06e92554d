//! What the firms of the trunk leg did, counted by what the service says of
//! them.

use decider::Role;
use proto::logistics::v1::{BagCondition, Carrier, GetCarrierRequest, Shipment};
use tonic::Status;

use super::{Day, OFFICE};
use crate::{
    client::by,
    scenario::figures::{CarrierWork, TrunkTotals},
};

impl Day {
    /// Firm by firm; the sums go into the day's totals.
    pub(super) async fn carriers_work(&mut self) -> anyhow::Result<Vec<CarrierWork>> {
        let mut works = Vec::new();
        let mut totals = TrunkTotals::default();
        for carrier_id in self.firm_ids() {
            let carrier = self.carrier(&carrier_id).await?;
            let shipments = self.shipments_of(&carrier_id).await?;
            let work = work(&carrier, &shipments);
            add(&mut totals, &work, &shipments);
            works.push(work);
        }
        self.totals.trunk = totals;
        Ok(works)
    }

    async fn carrier(&self, carrier_id: &str) -> Result<Carrier, Status> {
        let request = GetCarrierRequest {
            area: self.area(),
            min_position: 0,
            carrier_id: carrier_id.to_owned(),
        };
        let found = self
            .suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, OFFICE, request.clone());
                suite.freight.get_carrier(request).await
            })
            .await?;
        Ok(found.carrier.unwrap_or_default())
    }
}

/// Somebody took it over.
fn is_handed_over(shipment: &&Shipment) -> bool {
    !shipment.receiver_id.is_empty()
}

fn work(carrier: &Carrier, shipments: &[Shipment]) -> CarrierWork {
    let carried = shipments.iter().filter(is_handed_over);
    CarrierWork {
        carrier: carrier.carrier_id.clone(),
        loads: carried.clone().count() as u64,
        grams: carried.map(|shipment| shipment.weight_grams).sum(),
        tenders: carrier.tenders_offered,
        accepted: carrier.tenders_accepted,
        declined: carrier.tenders_declined,
        expired: carrier.tenders_expired,
        on_time: carrier.arrivals_on_time,
        late: carrier.arrivals_late,
        incidents: carrier.incidents,
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
    for shipment in shipments.iter().filter(is_handed_over) {
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
