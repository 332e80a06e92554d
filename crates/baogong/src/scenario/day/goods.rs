//! Noon: what is missing is bought, picked, loaded, handed over, disinfected.

use crate::client::by;
use decider::Role;
use std::collections::BTreeMap;

use proto::{
    inventory::v1::{
        Demand, DemandState, DispatchOrdersRequest, GetProcurementNeedRequest, ListDemandsRequest,
        PickOrdersRequest, ReceiveLotRequest,
    },
    logistics::v1::{
        BagReport, DisinfectParcelsRequest, ExceptionCode, ListParcelsRequest, Parcel,
        ParcelReceipt, ParcelState, ReceiveParcelsRequest,
    },
    time::to_proto,
};
use tonic::{Code, Status};

use super::Day;
use crate::scenario::world::Household;

/// Orders or parcels in one request.
const BATCH: usize = 50;
const PAGE: i32 = 500;
/// Bought beyond the need, for what breaks on the way: one bag in fifty.
const SPARE_ONE_IN: i64 = 50;
/// Lots of each product, of different growers, with different last days.
const LOTS: i64 = 3;
/// Rounds of buying after which something must be wrong.
const ROUNDS_MAX: u32 = 10;
/// The three bureaus of the procurement group, by turns.
const PROCUREMENT: &str = "procurement-group";

impl Day {
    pub(super) async fn buy(&mut self) -> anyhow::Result<()> {
        for round in 1..=ROUNDS_MAX {
            let request = GetProcurementNeedRequest {
                area: self.area(),
                min_position: 0,
            };
            let need = self
                .suite
                .call(async |mut suite| suite.inventory.get_procurement_need(request.clone()).await)
                .await?;
            let lots: Vec<_> = need
                .lines
                .iter()
                .filter(|line| line.to_buy_units > 0)
                .flat_map(|line| {
                    let units =
                        line.to_buy_units + line.to_buy_units.div_euclid(SPARE_ONE_IN) + LOTS;
                    (0..LOTS).map(move |n| {
                        let share = units / LOTS + i64::from(n < units % LOTS);
                        (line.product_id.as_str(), n, share)
                    })
                })
                .collect();
            if lots.is_empty() {
                return Ok(());
            }
            self.each("buying", lots, async |(product, n, units)| {
                self.receive_lot(round, product, n, units).await
            })
            .await?;
            self.suite.settle().await?;
        }
        anyhow::bail!("after {ROUNDS_MAX} rounds of buying there is still something missing")
    }

    async fn receive_lot(
        &self,
        round: u32,
        product: &str,
        n: i64,
        units: i64,
    ) -> Result<(), Status> {
        let request = ReceiveLotRequest {
            request_id: self.request_id(&format!("lot-{round}"), &format!("{product}-{n}")),
            area: self.area(),
            lot_id: format!("{}-{product}-{round}-{}", self.world.community, n + 1),
            product_id: product.to_owned(),
            quantity_units: units,
            supplier_id: format!("supplier-{}", n + 1),
            // The later the lot, the sooner it spoils: first expiry goes first.
            expires_time: Some(to_proto(self.at((10 - n) * 24 * 60))),
            location: "depot".to_owned(),
        };
        let received = self
            .suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, PROCUREMENT, request.clone());
                suite.inventory.receive_lot(request).await
            })
            .await;
        match received {
            // This day was interrupted while buying: the lot came in then, and
            // the next round buys what is still missing.
            Err(status) if status.code() == Code::AlreadyExists => Ok(()),
            received => received.map(|_| ()),
        }
    }

    pub(super) async fn pick_and_load(&mut self) -> anyhow::Result<()> {
        let reserved = self.demands(DemandState::Reserved).await?;
        let batches: Vec<_> = reserved.chunks(BATCH).collect();
        self.each("picking and packing", batches, async |orders| {
            let request = PickOrdersRequest {
                request_id: self.request_id("pick", &orders[0]),
                area: self.area(),
                order_ids: orders.to_vec(),
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .inventory
                        .pick_orders(by(Role::Dispatcher, PROCUREMENT, request.clone()))
                        .await
                })
                .await
        })
        .await?;
        let picked = self.demands(DemandState::Picked).await?;
        let batches: Vec<_> = picked.chunks(BATCH).enumerate().collect();
        self.each("loading", batches, async |(n, orders)| {
            let request = DispatchOrdersRequest {
                request_id: self.request_id("dispatch", &orders[0]),
                area: self.area(),
                order_ids: orders.to_vec(),
                // A load is one tour of one of the three vehicles.
                load_id: format!("{}-load-{:02}", self.world.community, n / 5 + 1),
                checkpoint_id: self.world.checkpoint.clone(),
                custodian_id: PROCUREMENT.to_owned(),
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .inventory
                        .dispatch_orders(by(Role::Dispatcher, PROCUREMENT, request.clone()))
                        .await
                })
                .await
        })
        .await?;
        Ok(())
    }

    /// Order ids of this day's demands in a state, in the order of the doors.
    async fn demands(&self, state: DemandState) -> anyhow::Result<Vec<String>> {
        let mut all: Vec<Demand> = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListDemandsRequest {
                area: self.area(),
                min_position: 0,
                page_size: PAGE,
                page_token,
                state: state.into(),
            };
            let page = self
                .suite
                .call(async |mut suite| suite.inventory.list_demands(request.clone()).await)
                .await?;
            all.extend(page.demands);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(all
            .into_iter()
            .filter(|demand| {
                demand
                    .door
                    .as_ref()
                    .is_some_and(|door| door.community == self.world.community)
            })
            .map(|demand| demand.order_id)
            .collect())
    }

    /// The keeper takes the bags over; damaged ones stay with the procurement
    /// group and are replaced from stock.
    pub(super) async fn hand_over(&mut self) -> anyhow::Result<()> {
        let marked: BTreeMap<&str, &Household> = self
            .world
            .households
            .iter()
            .filter(|household| household.damaged_bag.is_some())
            .map(|household| (household.id.as_str(), household))
            .collect();
        let expected = self.parcels(ParcelState::Expected).await?;
        let receipts: Vec<ParcelReceipt> = expected
            .iter()
            .map(|parcel| receipt(parcel, marked.get(parcel.household_id.as_str()).copied()))
            .collect();
        self.receive("handing over at the checkpoint", "receive", &receipts)
            .await?;
        self.suite.settle().await?;

        let waiting = self.parcels(ParcelState::AwaitingReplacement).await?;
        let receipts: Vec<ParcelReceipt> =
            waiting.iter().map(|parcel| receipt(parcel, None)).collect();
        self.receive("handing over replacements", "replace", &receipts)
            .await
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

fn receipt(parcel: &Parcel, marked: Option<&Household>) -> ParcelReceipt {
    let damaged = marked
        .and_then(|household| household.damaged_bag)
        .and_then(|n| parcel.bags.get(n - 1));
    ParcelReceipt {
        order_id: parcel.order_id.clone(),
        exceptions: damaged
            .map(|bag| BagReport {
                label: bag.label.clone(),
                code: ExceptionCode::Damaged.into(),
                note: "torn on the way".to_owned(),
            })
            .into_iter()
            .collect(),
    }
}
