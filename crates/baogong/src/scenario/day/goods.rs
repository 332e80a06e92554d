//! Before noon: what is missing is bought, picked, packed and dispatched. How
//! it comes to the gate is in `trunk`, and what happens there in `gate`.

use crate::client::by;
use decider::Role;
use proto::{
    inventory::v1::{
        Demand, DemandState, DispatchOrdersRequest, GetProcurementNeedRequest, ListDemandsRequest,
        PickOrdersRequest, ReceiveLotRequest,
    },
    time::to_proto,
};
use tonic::{Code, Status};

use super::Day;

/// Orders in one request.
const BATCH: usize = 50;
const PAGE: i32 = 500;
/// Bought beyond the need, for what breaks on the way: one bag in fifty.
const SPARE_ONE_IN: i64 = 50;
/// Lots of each product, of different growers, with different last days.
const LOTS: i64 = 3;
/// Rounds of buying after which something must be wrong.
const ROUNDS_MAX: u32 = 10;
/// The three bureaus of the procurement group, by turns.
pub(super) const PROCUREMENT: &str = "procurement-group";

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
        self.each("dispatching", batches, async |(n, orders)| {
            let request = DispatchOrdersRequest {
                request_id: self.request_id("dispatch", &orders[0]),
                area: self.area(),
                order_ids: orders.to_vec(),
                // What is packed together; carriers' loads are made of it later.
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
        self.carriers_answer().await
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
}
