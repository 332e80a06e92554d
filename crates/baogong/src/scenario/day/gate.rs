//! At the gate: the keeper counts what the carriers hand over, bag by bag, and
//! takes in what stands in for what is damaged or short; then everything is
//! disinfected.

use std::collections::BTreeMap;

use decider::Role;
use proto::logistics::v1::{
    BagCondition, BagReceipt, BagReport, DisinfectParcelsRequest, LineReceipt, ListParcelsRequest,
    LoadLine, Parcel, ParcelReceipt, ParcelState, ReceiveParcelsRequest, Shipment,
    TransferCustodyRequest,
};
use tonic::Status;

use super::{Day, goods::PROCUREMENT, refused};
use crate::{client::by, scenario::world::Household};

/// Parcels in one request.
const BATCH: usize = 50;
const PAGE: i32 = 500;
/// Minute of the day when the last carrier is there.
const LAST_ARRIVAL: i64 = 12 * 60 + 24;

/// What the keeper finds of a bag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Damaged,
    Short,
}

/// Labels of bags that are not as they should be.
type Faults = BTreeMap<String, Fault>;

impl Day {
    /// Those that are there by noon, and later the one that was held up.
    pub(super) async fn hand_over(&mut self) -> anyhow::Result<()> {
        let faults = self.faults().await?;
        let there = self.arrive(self.at(12 * 60)).await?;
        self.take_over(&there, &faults).await?;
        self.clock_at(LAST_ARRIVAL).await?;
        self.end_incident().await?;
        let there = self.arrive(self.at(LAST_ARRIVAL)).await?;
        self.take_over(&there, &faults).await?;
        self.suite.settle().await?;
        self.close_route().await?;

        let waiting = self.parcels(ParcelState::AwaitingReplacement).await?;
        let receipts: Vec<ParcelReceipt> = waiting
            .iter()
            .map(|parcel| ParcelReceipt {
                order_id: parcel.order_id.clone(),
                exceptions: Vec::<BagReport>::new(),
            })
            .collect();
        self.receive("handing over replacements", "replace", &receipts)
            .await
    }

    /// Bags of this day's parcels that the seed has marked.
    async fn faults(&self) -> anyhow::Result<Faults> {
        let marked: BTreeMap<&str, &Household> = self
            .world
            .households
            .iter()
            .filter(|household| household.damaged_bag.is_some() || household.short_bag.is_some())
            .map(|household| (household.id.as_str(), household))
            .collect();
        let mut faults = Faults::new();
        for parcel in self.parcels(ParcelState::Expected).await? {
            let Some(household) = marked.get(parcel.household_id.as_str()) else {
                continue;
            };
            for (bag, fault) in [
                (household.damaged_bag, Fault::Damaged),
                (household.short_bag, Fault::Short),
            ] {
                if let Some(bag) = bag.and_then(|n| parcel.bags.get(n - 1)) {
                    faults.insert(bag.label.clone(), fault);
                }
            }
        }
        Ok(faults)
    }

    async fn take_over(&self, there: &[Shipment], faults: &Faults) -> anyhow::Result<()> {
        let keeper = format!("{}-keeper", self.world.community);
        self.each("taking over at the gate", there, async |shipment| {
            let request = TransferCustodyRequest {
                request_id: self.request_id("transfer", &shipment.shipment_id),
                area: self.area(),
                shipment_id: shipment.shipment_id.clone(),
                receiver_id: keeper.clone(),
                lines: receipts(shipment, faults),
            };
            self.suite
                .call(async |mut suite| {
                    let request = by(Role::Keeper, &keeper, request.clone());
                    suite.freight.transfer_custody(request).await
                })
                .await
        })
        .await?;
        Ok(())
    }

    async fn receive(
        &self,
        bar: &'static str,
        what: &str,
        receipts: &[ParcelReceipt],
    ) -> anyhow::Result<()> {
        self.each(bar, receipts.chunks(BATCH), async |parcels| {
            let request = ReceiveParcelsRequest {
                request_id: self.request_id(what, &parcels[0].order_id),
                area: self.area(),
                checkpoint_id: self.world.checkpoint.clone(),
                from_custodian_id: PROCUREMENT.to_owned(),
                keeper_id: format!("{}-keeper", self.world.community),
                parcels: parcels.to_vec(),
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .logistics
                        .receive_parcels(by(Role::Keeper, &request.keeper_id, request.clone()))
                        .await
                })
                .await
        })
        .await?;
        Ok(())
    }

    pub(super) async fn disinfect(&mut self) -> anyhow::Result<()> {
        let expected = self.parcels(ParcelState::Expected).await?;
        if let Some(parcel) = expected.first() {
            let text = format!("{} parcels did not come to the gate", expected.len());
            let status = Status::failed_precondition(format!("{text}, as {}", parcel.order_id));
            return Err(refused("disinfecting", &status));
        }
        let received = self.parcels(ParcelState::Received).await?;
        let ids: Vec<String> = received.into_iter().map(|parcel| parcel.order_id).collect();
        self.each("disinfecting", ids.chunks(BATCH), async |orders| {
            let request = DisinfectParcelsRequest {
                request_id: self.request_id("disinfect", &orders[0]),
                area: self.area(),
                checkpoint_id: self.world.checkpoint.clone(),
                order_ids: orders.to_vec(),
                agent: "chlorine 500 mg/L".to_owned(),
                done_by: self.world.member(0),
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .logistics
                        .disinfect_parcels(by(Role::Member, &request.done_by, request.clone()))
                        .await
                })
                .await
        })
        .await?;
        Ok(())
    }

    /// This day's parcels in a state.
    pub(super) async fn parcels(&self, state: ParcelState) -> anyhow::Result<Vec<Parcel>> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListParcelsRequest {
                area: self.area(),
                min_position: 0,
                page_size: PAGE,
                page_token,
                checkpoint_id: self.world.checkpoint.clone(),
                state: state.into(),
            };
            let page = self
                .suite
                .call(async |mut suite| suite.logistics.list_parcels(request.clone()).await)
                .await?;
            all.extend(page.parcels);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }
}

/// Of each line that is not all there: how much is, and which bags are not.
fn receipts(shipment: &Shipment, faults: &Faults) -> Vec<LineReceipt> {
    let load = shipment.load.clone().unwrap_or_default();
    let lines = load.pickups.iter().flat_map(|pickup| &pickup.lines);
    lines.filter_map(|line| receipt(line, faults)).collect()
}

fn receipt(line: &LoadLine, faults: &Faults) -> Option<LineReceipt> {
    let found = |fault: Fault| -> Vec<String> {
        let labels = line.labels.iter();
        let labels = labels.filter(|label| faults.get(*label) == Some(&fault));
        labels.cloned().collect()
    };
    let (damaged, short) = (found(Fault::Damaged), found(Fault::Short));
    // A bag of the set is one unit.
    let units = |labels: &[String]| i64::try_from(labels.len()).unwrap_or(i64::MAX);
    let (damaged_units, short_units) = (units(&damaged), units(&short));
    (damaged_units + short_units > 0).then(|| LineReceipt {
        line_id: line.line_id.clone(),
        accepted_units: line.quantity_units - damaged_units - short_units,
        damaged_units,
        short_units,
        note: "torn, or not there".to_owned(),
        bags: {
            let damaged = damaged
                .into_iter()
                .map(|l| BagReceipt::of(l, BagCondition::Damaged));
            let short = short
                .into_iter()
                .map(|l| BagReceipt::of(l, BagCondition::Missing));
            damaged.chain(short).collect()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_faults_are_named_with_their_bags() {
        let line = |id: &str, labels: &[&str]| LoadLine {
            line_id: id.into(),
            quantity_units: 3,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..LoadLine::default()
        };
        let faults = Faults::from([
            ("a-1".to_owned(), Fault::Damaged),
            ("b-1".to_owned(), Fault::Short),
        ]);
        assert_eq!(receipt(&line("L2", &["a-2", "b-2", "c-2"]), &faults), None);
        let found = receipt(&line("L1", &["a-1", "b-1", "c-1"]), &faults).expect("faults");
        let units = (found.accepted_units, found.damaged_units, found.short_units);
        assert_eq!(units, (1, 1, 1));
        let bags = |condition| found.bags_in(condition).collect::<Vec<_>>();
        assert_eq!(bags(BagCondition::Damaged), ["a-1"]);
        assert_eq!(bags(BagCondition::Missing), ["b-1"]);
    }
}
