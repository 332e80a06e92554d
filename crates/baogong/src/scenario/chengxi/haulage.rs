//! From the field gates to the firms' doors: partner firms, played by robots
//! that use the public API alone, are tendered the drafted loads, fetch the
//! goods at their stops, and hand them over to the buyers, who count (S15, S16).

use std::collections::{BTreeMap, BTreeSet};

use decider::Role;
use proto::{
    inventory::v1::{Match, MatchState},
    logistics::v1::{LineReceipt, LoadLine, Shipment, ShipmentState, TransferCustodyRequest},
    time::or_epoch,
};
use tonic::Status;

use super::{DISPATCHER, Yunhe, refused, village::AREA};
use crate::{
    client::by,
    robot::{Firm, Journey, Rig, Temper},
    scenario::{
        figures::CarrierWork,
        hauliers::{self, Office, is_accepted},
    },
};

/// Each firm's lorries, and of its tenders those that it declines and those
/// that it leaves without an answer.
const FIRMS: [(usize, &[u64], &[u64]); 3] = [(2, &[1], &[]), (2, &[], &[2]), (2, &[], &[])];
/// A lorry takes the heaviest load.
const LORRY_GRAMS: i64 = 10_000_000;
/// What a firm offers at least, over all tours of the day; all three together
/// offer more than there is.
const OFFER_GRAMS_MIN: i64 = 2 * LORRY_GRAMS;
/// A tender that is not answered for longer goes to the next firm.
const ANSWERS_EVERY: i64 = 16;
const ANSWERS_MAX: i64 = 4;
/// Minutes of the day.
const DEPARTS: i64 = 11 * 60 + 20;
/// By then the last lorry has come from its last stop.
pub(super) const HANDED_OVER: i64 = 14 * 60 + 30;

impl Yunhe {
    fn office(&self) -> Office<'_> {
        Office {
            suite: &self.suite,
            area: AREA,
            id: DISPATCHER,
            day: &self.village.community,
        }
    }

    fn firm(&self, n: usize) -> Firm {
        let (lorries, declines, ignores) = FIRMS[n];
        let carrier_id = self.office().carrier_id(n);
        let rigs = (1..=lorries).map(|v| Rig {
            vehicle_id: format!("{carrier_id}-v{v}"),
            driver_id: format!("{carrier_id}-d{v}"),
            capacity_grams: LORRY_GRAMS,
        });
        let growers = self.village.growers.iter().map(|grower| grower.zone);
        let buyers = self.village.buyers.iter().map(|buyer| buyer.zone);
        let zones: BTreeSet<&str> = growers.chain(buyers).collect();
        Firm {
            area: AREA.to_owned(),
            rigs: rigs.collect(),
            zones: zones.into_iter().map(str::to_owned).collect(),
            capacity_grams: (self.village.grams() / 2).max(OFFER_GRAMS_MIN),
            from: self.at(6 * 60),
            to: self.at(22 * 60),
            temper: Temper {
                declines: declines.to_vec(),
                ignores: ignores.to_vec(),
                ..Temper::default()
            },
            carrier_id,
        }
    }

    /// The firms are admitted, and their passes issued.
    pub(super) async fn admit_hauliers(&mut self) -> anyhow::Result<()> {
        for n in 0..FIRMS.len() {
            let robot = self.office().admit(n, self.firm(n)).await?;
            self.robots.push(robot);
        }
        Ok(())
    }

    pub(super) async fn hauliers_answer(&mut self) -> anyhow::Result<()> {
        hauliers::answer(&self.suite, &mut self.robots).await
    }

    /// Until every load of the day has a firm that carries it.
    pub(super) async fn find_hauliers(&mut self) -> anyhow::Result<()> {
        let mut without = BTreeSet::new();
        for round in 0..ANSWERS_MAX {
            self.clock_at(super::LOADS_DRAFTED + round * ANSWERS_EVERY)
                .await?;
            self.hauliers_answer().await?;
            self.suite.settle().await?;
            let trades = self.matches(MatchState::Confirmed).await?;
            without = trades.into_iter().map(|trade| trade.shipment_id).collect();
            let office = self.office();
            for n in 0..FIRMS.len() {
                for shipment in office.shipments_of(&office.carrier_id(n)).await? {
                    without.remove(&shipment.shipment_id);
                }
            }
            if without.is_empty() {
                return Ok(());
            }
        }
        anyhow::bail!(
            "after {ANSWERS_MAX} rounds nobody carries {} of the loads, as {}",
            without.len(),
            without.first().map_or("", String::as_str)
        )
    }

    /// They fetch the goods, and each is at its buyer's when that one receives.
    pub(super) async fn carry(&mut self) -> anyhow::Result<()> {
        let told = |status: Status| refused("a carrier reports", &status);
        let (departs, now) = (self.at(DEPARTS), self.at(HANDED_OVER));
        let mut there = Vec::new();
        for robot in &self.robots {
            let all = robot.shipments(ShipmentState::Unspecified).await;
            for shipment in all.map_err(told)?.iter().filter(|s| is_accepted(s)) {
                let id = &shipment.shipment_id;
                let load = shipment.load.clone().unwrap_or_default();
                let opens = or_epoch(load.due_from_time.as_ref());
                let mut journey = Journey::new(id, &load, departs, opens);
                robot.drive(&mut journey, now).await.map_err(told)?;
                let shipment = robot.shipment(id).await.map_err(told)?;
                if shipment.state() == ShipmentState::ArrivedDestination {
                    robot.declare(id).await.map_err(told)?;
                    there.push(shipment);
                }
            }
        }
        let trades = self.matches(MatchState::Confirmed).await?;
        let trades = trades.into_iter().map(|t| (t.match_id.clone(), t));
        self.take_over(&there, &trades.collect()).await
    }

    /// Each buyer counts what came, and what of it is broken.
    async fn take_over(
        &self,
        there: &[Shipment],
        trades: &BTreeMap<String, Match>,
    ) -> anyhow::Result<()> {
        self.each("taking over", there, async |shipment| {
            let load = shipment.load.clone().unwrap_or_default();
            let buyer = load.destination.unwrap_or_default().place_id;
            let lines = load.pickups.iter().flat_map(|pickup| &pickup.lines);
            let request = TransferCustodyRequest {
                request_id: self.request_id("transfer", &shipment.shipment_id),
                area: AREA.to_owned(),
                shipment_id: shipment.shipment_id.clone(),
                receiver_id: buyer.clone(),
                lines: lines
                    .filter_map(|line| self.receipt(line, trades))
                    .collect(),
            };
            self.suite
                .call(async |mut suite| {
                    let request = by(Role::Keeper, &buyer, request.clone());
                    suite.freight.transfer_custody(request).await
                })
                .await
        })
        .await?;
        Ok(())
    }

    /// Of a line of which something is broken.
    fn receipt(&self, line: &LoadLine, trades: &BTreeMap<String, Match>) -> Option<LineReceipt> {
        let trade = trades.get(&line.line_id)?;
        let village = &self.village;
        village
            .is_broken(&trade.grower_id, &trade.buyer_id, &trade.product_id)
            .then(|| LineReceipt {
                line_id: line.line_id.clone(),
                accepted_units: line.quantity_units - 1,
                damaged_units: 1,
                note: "crushed on the way".to_owned(),
                ..LineReceipt::default()
            })
    }

    /// Firm by firm.
    pub(super) async fn hauliers_work(&self) -> anyhow::Result<Vec<CarrierWork>> {
        let mut works = Vec::new();
        for n in 0..FIRMS.len() {
            let carrier_id = self.office().carrier_id(n);
            let shipments = self.office().shipments_of(&carrier_id).await?;
            works.push(self.office().work(&carrier_id, &shipments).await?);
        }
        Ok(works)
    }
}
