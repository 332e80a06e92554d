//! Handlers of the surplus trade: parse, submit or query, answer. No rule lives
//! here.

use decider::{Recorded, Role};
use inventory_domain::{Command, MatchFilter, Rejection, Stock, above_cap};
use proto::{
    InventoryEvent,
    inventory::v1::{
        self as pb, BulkDemandState, ListingState, MatchState,
        surplus_service_server::SurplusService,
    },
    time::to_proto,
};
use service_kit::{
    call::Call,
    status::{not_found, status},
};
use tonic::{Request, Response, Status};

use super::{Answer, SERVICE, Service};
use crate::{error, parse::surplus as parse, query::surplus as query};

/// Who is no grower or buyer himself acts for one.
fn for_party(call: &mut Call<Stock>, party_id: &str) {
    if call.actor().role != Role::Resident {
        call.on_behalf_of(party_id);
    }
}

/// A price above a cap that refuses is written down, and refused.
fn check_cap(records: &[Recorded<InventoryEvent>]) -> Result<(), Status> {
    let Some(refused) = above_cap(records.iter().map(|record| &record.event)) else {
        return Ok(());
    };
    let rejection = Rejection::from(refused);
    let reason = decider::Rejected::reason(&rejection);
    let code = error::code(&rejection);
    Err(status(SERVICE, code, reason, rejection.to_string()))
}

fn is_breach(record: &Recorded<InventoryEvent>) -> bool {
    matches!(record.event, InventoryEvent::PriceCapBreached(_))
}

fn is_confirmed(record: &Recorded<InventoryEvent>) -> bool {
    matches!(record.event, InventoryEvent::MatchConfirmed(_))
}

#[tonic::async_trait]
impl SurplusService for Service {
    async fn set_reference_price(
        &self,
        request: Request<pb::SetReferencePriceRequest>,
    ) -> Answer<pb::SetReferencePriceResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::set_reference_price(&message)?).await?;
        Ok(Response::new(pb::SetReferencePriceResponse {
            position: done.position.0,
        }))
    }

    async fn offer_surplus(
        &self,
        request: Request<pb::OfferSurplusRequest>,
    ) -> Answer<pb::OfferSurplusResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.grower_id);
        let done = call.run(parse::offer_surplus(&message)?).await?;
        check_cap(&done.records)?;
        let listed = done.records.iter().find_map(|record| match &record.event {
            InventoryEvent::SurplusListed(event) => Some(event.listing_id.clone()),
            _ => None,
        });
        Ok(Response::new(pb::OfferSurplusResponse {
            position: done.position.0,
            listing_id: listed.unwrap_or_default(),
            above_cap: done.records.iter().any(is_breach),
        }))
    }

    async fn change_surplus(
        &self,
        request: Request<pb::ChangeSurplusRequest>,
    ) -> Answer<pb::ChangeSurplusResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.grower_id);
        let done = call.run(parse::change_surplus(&message)?).await?;
        check_cap(&done.records)?;
        Ok(Response::new(pb::ChangeSurplusResponse {
            position: done.position.0,
            above_cap: done.records.iter().any(is_breach),
        }))
    }

    async fn withdraw_surplus(
        &self,
        request: Request<pb::WithdrawSurplusRequest>,
    ) -> Answer<pb::WithdrawSurplusResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.grower_id);
        let done = call.run(parse::withdraw_surplus(&message)?).await?;
        Ok(Response::new(pb::WithdrawSurplusResponse {
            position: done.position.0,
        }))
    }

    async fn register_buyer(
        &self,
        request: Request<pb::RegisterBuyerRequest>,
    ) -> Answer<pb::RegisterBuyerResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::register_buyer(&message)?).await?;
        Ok(Response::new(pb::RegisterBuyerResponse {
            position: done.position.0,
        }))
    }

    async fn place_bulk_demand(
        &self,
        request: Request<pb::PlaceBulkDemandRequest>,
    ) -> Answer<pb::PlaceBulkDemandResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.buyer_id);
        let done = call.run(parse::place_bulk_demand(&message)?).await?;
        let placed = done.records.iter().find_map(|record| match &record.event {
            InventoryEvent::BulkDemandPlaced(event) => Some(event.demand_id.clone()),
            _ => None,
        });
        Ok(Response::new(pb::PlaceBulkDemandResponse {
            position: done.position.0,
            demand_id: placed.unwrap_or_default(),
        }))
    }

    async fn withdraw_bulk_demand(
        &self,
        request: Request<pb::WithdrawBulkDemandRequest>,
    ) -> Answer<pb::WithdrawBulkDemandResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.buyer_id);
        let done = call.run(parse::withdraw_bulk_demand(&message)?).await?;
        Ok(Response::new(pb::WithdrawBulkDemandResponse {
            position: done.position.0,
        }))
    }

    async fn open_matching(
        &self,
        request: Request<pb::OpenMatchingRequest>,
    ) -> Answer<pb::OpenMatchingResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::open_matching(&message)?).await?;
        Ok(Response::new(pb::OpenMatchingResponse {
            position: done.position.0,
        }))
    }

    async fn close_matching(
        &self,
        request: Request<pb::CloseMatchingRequest>,
    ) -> Answer<pb::CloseMatchingResponse> {
        let (call, _) = self.partitions.command(request)?;
        let done = call.run(Command::CloseMatching).await?;
        Ok(Response::new(pb::CloseMatchingResponse {
            position: done.position.0,
        }))
    }

    async fn confirm_sale(
        &self,
        request: Request<pb::ConfirmSaleRequest>,
    ) -> Answer<pb::ConfirmSaleResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.grower_id);
        let done = call.run(parse::confirm_sale(&message)?).await?;
        check_cap(&done.records)?;
        Ok(Response::new(pb::ConfirmSaleResponse {
            position: done.position.0,
            confirmed: done.records.iter().any(is_confirmed),
        }))
    }

    async fn confirm_purchase(
        &self,
        request: Request<pb::ConfirmPurchaseRequest>,
    ) -> Answer<pb::ConfirmPurchaseResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.buyer_id);
        let done = call.run(parse::confirm_purchase(&message)?).await?;
        check_cap(&done.records)?;
        Ok(Response::new(pb::ConfirmPurchaseResponse {
            position: done.position.0,
            confirmed: done.records.iter().any(is_confirmed),
        }))
    }

    async fn refuse_sale(
        &self,
        request: Request<pb::RefuseSaleRequest>,
    ) -> Answer<pb::RefuseSaleResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.grower_id);
        let done = call.run(parse::refuse_sale(&message)?).await?;
        Ok(Response::new(pb::RefuseSaleResponse {
            position: done.position.0,
        }))
    }

    async fn refuse_purchase(
        &self,
        request: Request<pb::RefusePurchaseRequest>,
    ) -> Answer<pb::RefusePurchaseResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        for_party(&mut call, &message.buyer_id);
        let done = call.run(parse::refuse_purchase(&message)?).await?;
        Ok(Response::new(pb::RefusePurchaseResponse {
            position: done.position.0,
        }))
    }

    async fn list_reference_prices(
        &self,
        request: Request<pb::ListReferencePricesRequest>,
    ) -> Answer<pb::ListReferencePricesResponse> {
        let message = request.get_ref();
        let list = format!("ListReferencePrices/{}", message.area);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((prices, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let items = machine.state().prices(area, after).map(query::price);
                page.cut(items, |item| item.product_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListReferencePricesResponse {
            as_of_position: position.0,
            prices,
            next_page_token,
        }))
    }

    async fn list_surpluses(
        &self,
        request: Request<pb::ListSurplusesRequest>,
    ) -> Answer<pb::ListSurplusesResponse> {
        let message = request.get_ref();
        let list = format!(
            "ListSurpluses/{}/{}/{}/{}",
            message.area, message.grower_id, message.product_id, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ids = [
            ("grower_id", &*message.grower_id),
            ("product_id", &*message.product_id),
        ];
        let ([grower, product], state) = parse::filter::<ListingState, 2>(ids, message.state)?;
        let ((surpluses, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let items = machine
                    .state()
                    .listings(area, grower.as_deref(), product.as_deref(), state, after)
                    .map(query::listing);
                page.cut(items, |item| item.listing_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListSurplusesResponse {
            as_of_position: position.0,
            surpluses,
            next_page_token,
        }))
    }

    async fn list_buyers(
        &self,
        request: Request<pb::ListBuyersRequest>,
    ) -> Answer<pb::ListBuyersResponse> {
        let message = request.get_ref();
        let list = format!("ListBuyers/{}", message.area);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((buyers, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let items = machine.state().buyers(area, after).map(query::buyer);
                page.cut(items, |item| item.buyer_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListBuyersResponse {
            as_of_position: position.0,
            buyers,
            next_page_token,
        }))
    }

    async fn list_bulk_demands(
        &self,
        request: Request<pb::ListBulkDemandsRequest>,
    ) -> Answer<pb::ListBulkDemandsResponse> {
        let message = request.get_ref();
        let list = format!(
            "ListBulkDemands/{}/{}/{}/{}",
            message.area, message.buyer_id, message.product_id, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ids = [
            ("buyer_id", &*message.buyer_id),
            ("product_id", &*message.product_id),
        ];
        let ([buyer, product], state) = parse::filter::<BulkDemandState, 2>(ids, message.state)?;
        let ((demands, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let items = machine
                    .state()
                    .bulk_demands(area, buyer.as_deref(), product.as_deref(), state, after)
                    .map(query::demand);
                page.cut(items, |item| item.demand_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListBulkDemandsResponse {
            as_of_position: position.0,
            demands,
            next_page_token,
        }))
    }

    async fn list_matches(
        &self,
        request: Request<pb::ListMatchesRequest>,
    ) -> Answer<pb::ListMatchesResponse> {
        let message = request.get_ref();
        let list = format!(
            "ListMatches/{}/{}/{}/{}",
            message.area, message.grower_id, message.buyer_id, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ids = [
            ("grower_id", &*message.grower_id),
            ("buyer_id", &*message.buyer_id),
        ];
        let ([grower, buyer], state) = parse::filter::<MatchState, 2>(ids, message.state)?;
        let filter = MatchFilter {
            state,
            grower_id: grower.as_deref(),
            buyer_id: buyer.as_deref(),
        };
        let ((matches, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let items = machine
                    .state()
                    .matches(area, filter, after)
                    .map(query::trade);
                page.cut(items, |item| item.match_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListMatchesResponse {
            as_of_position: position.0,
            matches,
            next_page_token,
        }))
    }

    async fn list_sales(
        &self,
        request: Request<pb::ListSalesRequest>,
    ) -> Answer<pb::ListSalesResponse> {
        let message = request.get_ref();
        let list = format!(
            "ListSales/{}/{}/{}",
            message.area, message.grower_id, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let grower_id = super::parse::id("grower_id", &message.grower_id)?;
        let ([], state) = parse::filter::<MatchState, 0>([], message.state)?;
        let filter = MatchFilter {
            state,
            grower_id: Some(&grower_id),
            buyer_id: None,
        };
        let ((matches, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let items = machine
                    .state()
                    .matches(area, filter, after)
                    .map(query::trade);
                page.cut(items, |item| item.match_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListSalesResponse {
            as_of_position: position.0,
            matches,
            next_page_token,
        }))
    }

    async fn list_purchases(
        &self,
        request: Request<pb::ListPurchasesRequest>,
    ) -> Answer<pb::ListPurchasesResponse> {
        let message = request.get_ref();
        let list = format!(
            "ListPurchases/{}/{}/{}",
            message.area, message.buyer_id, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let buyer_id = super::parse::id("buyer_id", &message.buyer_id)?;
        let ([], state) = parse::filter::<MatchState, 0>([], message.state)?;
        let filter = MatchFilter {
            state,
            grower_id: None,
            buyer_id: Some(&buyer_id),
        };
        let ((matches, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let after = page.after.as_deref();
                let items = machine
                    .state()
                    .matches(area, filter, after)
                    .map(query::trade);
                page.cut(items, |item| item.match_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListPurchasesResponse {
            as_of_position: position.0,
            matches,
            next_page_token,
        }))
    }

    async fn get_surplus(
        &self,
        request: Request<pb::GetSurplusRequest>,
    ) -> Answer<pb::GetSurplusResponse> {
        let message = request.get_ref();
        let id = super::parse::id("listing_id", &message.listing_id)?;
        // Another's listing is unknown to a grower.
        let grower_id = &message.grower_id;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let found = machine.state().listing(area, &id);
                let own = found.filter(|l| grower_id.is_empty() || l.grower_id == *grower_id);
                own.map(query::listing)
            })
            .await?;
        let surplus = found.ok_or_else(|| not_found(SERVICE, "listing", "listing_id", &id))?;
        Ok(Response::new(pb::GetSurplusResponse {
            as_of_position: position.0,
            surplus: Some(surplus),
        }))
    }

    async fn get_match(
        &self,
        request: Request<pb::GetMatchRequest>,
    ) -> Answer<pb::GetMatchResponse> {
        let message = request.get_ref();
        let id = super::parse::id("match_id", &message.match_id)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                machine.state().trade(area, &id).map(query::trade)
            })
            .await?;
        let trade = found.ok_or_else(|| not_found(SERVICE, "match", "match_id", &id))?;
        Ok(Response::new(pb::GetMatchResponse {
            as_of_position: position.0,
            r#match: Some(trade),
        }))
    }

    async fn get_matching(
        &self,
        request: Request<pb::GetMatchingRequest>,
    ) -> Answer<pb::GetMatchingResponse> {
        let message = request.get_ref();
        let ((matching, (listings, demands)), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                (state.matching(area), state.open_surplus(area))
            })
            .await?;
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        Ok(Response::new(pb::GetMatchingResponse {
            as_of_position: position.0,
            open: matching.open,
            answer_minutes: matching.answer_minutes,
            load_wait_minutes: matching.load_wait_minutes,
            rounds: matching.rounds,
            open_listings: count(listings),
            open_demands: count(demands),
            next_round_time: matching.next_round.map(to_proto),
        }))
    }

    async fn get_grower_report(
        &self,
        request: Request<pb::GetGrowerReportRequest>,
    ) -> Answer<pb::GetGrowerReportResponse> {
        let message = request.get_ref();
        let id = super::parse::id("grower_id", &message.grower_id)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                machine.state().grower_report(area, &id)
            })
            .await?;
        let report = found.ok_or_else(|| not_found(SERVICE, "grower", "grower_id", &id))?;
        Ok(Response::new(pb::GetGrowerReportResponse {
            as_of_position: position.0,
            report: Some(query::report(&id, &report)),
        }))
    }

    async fn list_grower_reports(
        &self,
        request: Request<pb::ListGrowerReportsRequest>,
    ) -> Answer<pb::ListGrowerReportsResponse> {
        let message = request.get_ref();
        let list = format!("ListGrowerReports/{}", message.area);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let (((reports, next_page_token), total), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                let items = state
                    .grower_reports(area, page.after.as_deref())
                    .map(|(grower_id, report)| query::report(grower_id, &report));
                let cut = page.cut(items, |report| report.grower_id.clone());
                (cut, state.surplus_total(area))
            })
            .await?;
        Ok(Response::new(pb::ListGrowerReportsResponse {
            as_of_position: position.0,
            reports,
            next_page_token,
            total: Some(query::report("", &total)),
        }))
    }
}
