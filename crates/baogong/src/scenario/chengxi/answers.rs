//! Growers and firms answer what is proposed to them; what is refused or not
//! answered is proposed to the next, until nothing is left to be said.

use decider::Role;
use proto::inventory::v1::{
    ConfirmPurchaseRequest, ConfirmSaleRequest, ListMatchesRequest, Match, MatchState,
    RefusalReason, RefusePurchaseRequest, RefuseSaleRequest,
};
use tonic::Status;

use super::{
    DISPATCHER, Yunhe, refused,
    village::{AREA, Answer},
};
use crate::client::by;

/// Rounds of proposals and answers after which something must be wrong.
const ROUNDS_MAX: u32 = 80;
const SILENCE_STEP: i64 = 10;
const PAGE: i32 = 500;

impl Yunhe {
    pub(super) async fn answer_all(&mut self) -> anyhow::Result<()> {
        let mut minute = 8 * 60 + 32;
        for _ in 0..ROUNDS_MAX {
            let proposed = self.matches(MatchState::Proposed).await?;
            if proposed.is_empty() {
                return Ok(());
            }
            // One after another: which matches share a load depends on the order
            // in which they are confirmed.
            let mut anybody = false;
            for trade in &proposed {
                let answered = self.answer(trade).await;
                anybody |= answered.map_err(|status| refused("answering", &status))?;
            }
            // Who is silent is waited for when everybody else has spoken; not
            // longer at once than a tendered load waits for its carrier.
            minute += if anybody { 2 } else { SILENCE_STEP };
            self.clock_at(minute).await?;
            self.hauliers_answer().await?;
        }
        anyhow::bail!("after {ROUNDS_MAX} rounds there is still something proposed")
    }

    /// Whether anybody said something that he had not said before.
    async fn answer(&self, trade: &Match) -> Result<bool, Status> {
        let of = |side| {
            let village = &self.village;
            village.answer(side, &trade.grower_id, &trade.buyer_id, &trade.product_id)
        };
        let buyer = self.answer_of_buyer(trade, of("buyer")).await?;
        if of("buyer") == Answer::Refuses {
            return Ok(buyer);
        }
        let grower = self.answer_of_grower(trade, of("grower")).await?;
        Ok(buyer || grower)
    }

    async fn answer_of_buyer(&self, trade: &Match, answer: Answer) -> Result<bool, Status> {
        let (area, buyer_id) = (AREA.to_owned(), trade.buyer_id.clone());
        let match_id = trade.match_id.clone();
        match answer {
            Answer::Confirms if !trade.buyer_agreed => {
                let confirm = ConfirmPurchaseRequest {
                    request_id: self.request_id("buy", &match_id),
                    area,
                    buyer_id,
                    match_id,
                };
                self.suite
                    .call(async |mut suite| {
                        let request = by(Role::Resident, &confirm.buyer_id, confirm.clone());
                        suite.surplus.confirm_purchase(request).await
                    })
                    .await?;
            }
            Answer::Refuses => {
                let refuse = RefusePurchaseRequest {
                    request_id: self.request_id("buy-not", &match_id),
                    area,
                    buyer_id,
                    match_id,
                    reason: RefusalReason::Quality.into(),
                    note: String::new(),
                };
                self.suite
                    .call(async |mut suite| {
                        let request = by(Role::Resident, &refuse.buyer_id, refuse.clone());
                        suite.surplus.refuse_purchase(request).await
                    })
                    .await?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn answer_of_grower(&self, trade: &Match, answer: Answer) -> Result<bool, Status> {
        let mut growers = self.village.growers.iter();
        let Some(grower) = growers.find(|grower| grower.id == trade.grower_id) else {
            // Of a village with another seed, whose day is not this one.
            return Ok(false);
        };
        let (role, hand) = self.hand_of(grower);
        let (area, grower_id) = (AREA.to_owned(), trade.grower_id.clone());
        let match_id = trade.match_id.clone();
        match answer {
            Answer::Confirms if !trade.grower_agreed => {
                let confirm = ConfirmSaleRequest {
                    request_id: self.request_id("sell", &match_id),
                    area,
                    grower_id,
                    match_id,
                };
                self.suite
                    .call(async |mut suite| {
                        let request = by(role, &hand, confirm.clone());
                        suite.surplus.confirm_sale(request).await
                    })
                    .await?;
            }
            Answer::Refuses => {
                let refuse = RefuseSaleRequest {
                    request_id: self.request_id("sell-not", &match_id),
                    area,
                    grower_id,
                    match_id,
                    reason: RefusalReason::Elsewhere.into(),
                    note: String::new(),
                };
                self.suite
                    .call(async |mut suite| {
                        let request = by(role, &hand, refuse.clone());
                        suite.surplus.refuse_sale(request).await
                    })
                    .await?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The area's matches in a state; `Unspecified` means any.
    pub(super) async fn matches(&self, state: MatchState) -> anyhow::Result<Vec<Match>> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListMatchesRequest {
                area: AREA.to_owned(),
                page_size: PAGE,
                page_token,
                state: state.into(),
                ..ListMatchesRequest::default()
            };
            let page = self
                .suite
                .call(async |mut suite| {
                    let request = by(Role::Dispatcher, DISPATCHER, request.clone());
                    suite.surplus.list_matches(request).await
                })
                .await?;
            all.extend(page.matches);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }
}
