//! gRPC handlers: parse, submit or query, answer. No rule lives here.

use decider::{Area, Position, Service as ServiceName};
use order_domain::{
    Command, HouseholdFilter, OrderFilter, Orders, RegisterHousehold as RegisterCommand, State,
};
use prost::Message;
use proto::{
    OrderEvent,
    order::v1::{self as pb, GroupBuyState, OrderState, order_service_server::OrderService},
    time::to_proto,
    types::v1::Sealed,
};
use service_kit::{
    call::{Partitions, may_see_household},
    fields::Fields,
    partition::AsOf,
    sealing::{KeyRing, SealingError, household_key},
    status::{not_found, retry, status},
};
use tonic::{Code, Request, Response, Status};

use crate::{parse, query};

const SERVICE: ServiceName = ServiceName::Order;

pub struct Service {
    pub partitions: Partitions<Orders>,
    pub keys: KeyRing,
}

type Answer<T> = Result<Response<T>, Status>;

impl Service {
    /// None where the household's personal data was erased: the command says
    /// so, or has been answered before. A household keeps the key that it has.
    async fn seal(
        &self,
        area: &Area,
        household_id: &str,
        contact: &pb::Contact,
    ) -> Result<Option<Sealed>, Status> {
        let known = self.partitions.of(area).and_then(|partition| {
            partition.peek(|machine| {
                let household = machine.state().household(area, household_id)?;
                let key_id = household.contact.as_ref().map(|c| c.key_id().to_owned());
                Some((key_id, household.erased.is_some()))
            })
        });
        let (key_id, erased) = known.unwrap_or_default();
        if erased {
            return Ok(None);
        }
        let key_id = key_id.unwrap_or_else(|| household_key(area, household_id));
        let sealed = self.keys.seal(&key_id, &contact.encode_to_vec()).await;
        sealed.map(Some).map_err(|error| match error {
            // Of an erasure that this log does not know (any more).
            SealingError::Erased(_) => status(
                SERVICE,
                Code::FailedPrecondition,
                "PERSONAL_DATA_ERASED",
                format!(
                    "the personal data of household {household_id} were erased, which cannot be \
                     undone: if it gives its contact again, register it under another id"
                ),
            ),
            SealingError::Bus(_) => retry(
                SERVICE,
                Code::Unavailable,
                "KEYS_UNREACHABLE",
                "the keys for personal data cannot be reached; try again",
            ),
            error => {
                tracing::error!(%error, "a contact could not be sealed");
                status(SERVICE, Code::Internal, "SEALING_FAILED", error.to_string())
            }
        })
    }
}

#[tonic::async_trait]
impl OrderService for Service {
    async fn activate_contingency(
        &self,
        request: Request<pb::ActivateContingencyRequest>,
    ) -> Answer<pb::ActivateContingencyResponse> {
        let (call, message) = self.partitions.command(request)?;
        let reason = parse::text("reason", &message.reason, 200)?;
        let done = call.run(Command::ActivateContingency { reason }).await?;
        let contingency_id = done
            .records
            .iter()
            .find_map(|record| match &record.event {
                OrderEvent::ContingencyActivated(event) => Some(event.contingency_id.clone()),
                _ => None,
            })
            .unwrap_or_default();
        Ok(Response::new(pb::ActivateContingencyResponse {
            position: done.position.0,
            contingency_id,
        }))
    }

    async fn end_contingency(
        &self,
        request: Request<pb::EndContingencyRequest>,
    ) -> Answer<pb::EndContingencyResponse> {
        let (call, _) = self.partitions.command(request)?;
        let done = call.run(Command::EndContingency).await?;
        Ok(Response::new(pb::EndContingencyResponse {
            position: done.position.0,
        }))
    }

    async fn get_contingency(
        &self,
        request: Request<pb::GetContingencyRequest>,
    ) -> Answer<pb::GetContingencyResponse> {
        let look = |state: &State, area: &decider::Area| {
            state
                .contingency(area)
                .map(|contingency| pb::GetContingencyResponse {
                    as_of_position: 0,
                    active: contingency.is_active(),
                    contingency_id: contingency.contingency_id.clone(),
                    reason: contingency.reason.clone(),
                    activated_time: Some(to_proto(contingency.activated)),
                })
                .unwrap_or_default()
        };
        let (mut answer, position) = self
            .partitions
            .query(request.get_ref(), |machine, area, _| {
                look(machine.state(), area)
            })
            .await?;
        answer.as_of_position = position.0;
        Ok(Response::new(answer))
    }

    async fn register_household(
        &self,
        request: Request<pb::RegisterHouseholdRequest>,
    ) -> Answer<pb::RegisterHouseholdResponse> {
        let (call, message) = self.partitions.command(request)?;
        let given = parse::register_household(&message)?;
        let contact = self.seal(call.area(), &given.household_id, &given.contact);
        let contact = contact.await?;
        let household_id = given.household_id;
        let command = RegisterCommand {
            household_id: household_id.as_str().into(),
            door: given.door,
            contact,
            needs: given.needs,
            cadre_id: given.cadre_id.into(),
            language: given.language,
            people: given.people,
        };
        let done = call.run(Command::RegisterHousehold(command)).await?;
        Ok(Response::new(pb::RegisterHouseholdResponse {
            position: done.position.0,
            household_id,
        }))
    }

    async fn update_household(
        &self,
        request: Request<pb::UpdateHouseholdRequest>,
    ) -> Answer<pb::UpdateHouseholdResponse> {
        let (call, message) = self.partitions.command(request)?;
        let given = parse::update_household(&message)?;
        let contact = match &given.contact {
            Some(contact) => {
                let sealed = self.seal(call.area(), &given.household_id, contact).await?;
                // The command must see that there was one.
                Some(sealed.unwrap_or_default())
            }
            None => None,
        };
        let command = Command::UpdateHousehold {
            household_id: given.household_id.into(),
            contact,
            needs: given.needs,
        };
        let done = call.run(command).await?;
        let revision = match done.records.last() {
            Some(record) => record.revision.0,
            // Nothing had to change.
            None => {
                let look = pb::GetHouseholdRequest {
                    area: message.area.clone(),
                    min_position: done.position.0,
                    household_id: String::new(),
                };
                let (revision, _) = self
                    .partitions
                    .query(&look, |machine, area, _| {
                        machine
                            .state()
                            .household(area, &message.household_id)
                            .map_or(0, |household| household.revision.0)
                    })
                    .await?;
                revision
            }
        };
        Ok(Response::new(pb::UpdateHouseholdResponse {
            position: done.position.0,
            revision,
        }))
    }

    async fn hand_over_households(
        &self,
        request: Request<pb::HandOverHouseholdsRequest>,
    ) -> Answer<pb::HandOverHouseholdsResponse> {
        let (call, message) = self.partitions.command(request)?;
        let command = parse::hand_over(&message)?;
        let done = call.run(command).await?;
        let look = pb::GetHouseholdRequest {
            area: message.area.clone(),
            min_position: done.position.0,
            household_id: String::new(),
        };
        let from = message.from_cadre_id.as_str().into();
        let chosen: Vec<_> = message
            .household_ids
            .iter()
            .map(|id| id.as_str().into())
            .collect();
        // The first answer again, although more were handed over since.
        let then = done.repeated.then_some(AsOf::Position(done.position));
        let (remaining, _) = self
            .partitions
            .query_at(&look, then, move |machine, area, _| {
                machine.state().households_still_with(area, &from, &chosen)
            })
            .await?;
        Ok(Response::new(pb::HandOverHouseholdsResponse {
            position: done.position.0,
            handed_over_households: count(done.records.len()),
            remaining_households: count(remaining),
        }))
    }

    async fn erase_household(
        &self,
        request: Request<pb::EraseHouseholdRequest>,
    ) -> Answer<pb::EraseHouseholdResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::erase_household(&message)?).await?;
        let look = pb::GetHouseholdRequest {
            area: message.area.clone(),
            min_position: done.position.0,
            household_id: String::new(),
        };
        let (erased, _) = self
            .partitions
            .query(&look, |machine, area, _| {
                let household = machine.state().household(area, &message.household_id)?;
                household.erased.as_ref().map(|erased| erased.at)
            })
            .await?;
        let open_orders = done
            .records
            .iter()
            .find_map(|record| match &record.event {
                OrderEvent::PersonalDataErased(event) => Some(event.open_orders),
                _ => None,
            })
            .unwrap_or_default();
        Ok(Response::new(pb::EraseHouseholdResponse {
            position: done.position.0,
            personal_data_erased_time: erased.map(to_proto),
            open_orders,
        }))
    }

    async fn get_household(
        &self,
        request: Request<pb::GetHouseholdRequest>,
    ) -> Answer<pb::GetHouseholdResponse> {
        let message = request.get_ref();
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                let household = state.household(area, &message.household_id)?;
                Some(query::household(state, household))
            })
            .await?;
        let household = found.ok_or_else(|| {
            not_found(SERVICE, "household", "household_id", &message.household_id)
        })?;
        Ok(Response::new(pb::GetHouseholdResponse {
            as_of_position: position.0,
            household: Some(household),
        }))
    }

    async fn list_households(
        &self,
        request: Request<pb::ListHouseholdsRequest>,
    ) -> Answer<pb::ListHouseholdsResponse> {
        let message = request.get_ref();
        let list = format!(
            "ListHouseholds/{}/{}/{}/{}",
            message.area, message.community, message.grid, message.cadre_id
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let filter = HouseholdFilter {
            community: message.community.clone(),
            grid: message.grid.clone(),
            cadre_id: message.cadre_id.clone(),
        };
        let ((households, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                let items = state
                    .households(area, filter, page.after.as_deref())
                    .map(|household| query::household(state, household));
                page.cut(items, |household| household.household_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListHouseholdsResponse {
            as_of_position: position.0,
            households,
            next_page_token,
        }))
    }

    async fn open_group_buy(
        &self,
        request: Request<pb::OpenGroupBuyRequest>,
    ) -> Answer<pb::OpenGroupBuyResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::open_group_buy(&message)?).await?;
        let group_buy_id = done
            .records
            .first()
            .map(|record| record.stream.id().to_owned())
            .unwrap_or_default();
        Ok(Response::new(pb::OpenGroupBuyResponse {
            position: done.position.0,
            group_buy_id,
        }))
    }

    async fn close_group_buy(
        &self,
        request: Request<pb::CloseGroupBuyRequest>,
    ) -> Answer<pb::CloseGroupBuyResponse> {
        let (call, message) = self.partitions.command(request)?;
        let own = call.is_own(|caller, machine, area| {
            let group_buy = machine.state().group_buy(area, &message.group_buy_id);
            group_buy.is_none_or(|found| caller.may_name_subject(&found.organizer_id))
        });
        if !own.await? {
            return Err(status(
                SERVICE,
                Code::PermissionDenied,
                "SUBJECT_NOT_YOU",
                "another resident has opened this group buy; only he may close it",
            ));
        }
        let done = call.run(parse::close_group_buy(&message)?).await?;
        let state = done
            .records
            .iter()
            .find_map(|record| match &record.event {
                OrderEvent::GroupBuySucceeded(_) => Some(GroupBuyState::Succeeded),
                OrderEvent::GroupBuyFailed(_) => Some(GroupBuyState::Failed),
                _ => None,
            })
            .unwrap_or_default();
        Ok(Response::new(pb::CloseGroupBuyResponse {
            position: done.position.0,
            state: state.into(),
        }))
    }

    async fn get_group_buy(
        &self,
        request: Request<pb::GetGroupBuyRequest>,
    ) -> Answer<pb::GetGroupBuyResponse> {
        let message = request.get_ref();
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                machine
                    .state()
                    .group_buy(area, &message.group_buy_id)
                    .map(query::group_buy)
            })
            .await?;
        let group_buy = found.ok_or_else(|| {
            not_found(SERVICE, "group buy", "group_buy_id", &message.group_buy_id)
        })?;
        Ok(Response::new(pb::GetGroupBuyResponse {
            as_of_position: position.0,
            group_buy: Some(group_buy),
        }))
    }

    async fn list_group_buys(
        &self,
        request: Request<pb::ListGroupBuysRequest>,
    ) -> Answer<pb::ListGroupBuysResponse> {
        let message = request.get_ref();
        let list = format!("ListGroupBuys/{}/{}", message.area, message.state);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let state = choice::<GroupBuyState>("state", message.state)?;
        let ((group_buys, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let items = machine
                    .state()
                    .group_buys(area, state, page.after.as_deref())
                    .map(query::group_buy);
                page.cut(items, |group_buy| group_buy.group_buy_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListGroupBuysResponse {
            as_of_position: position.0,
            group_buys,
            next_page_token,
        }))
    }

    async fn place_order(
        &self,
        request: Request<pb::PlaceOrderRequest>,
    ) -> Answer<pb::PlaceOrderResponse> {
        let (mut call, message) = self.partitions.command(request)?;
        let command = parse::place_order(&message)?;
        if !message.placed_by.is_empty() {
            call.on_behalf_of(&message.household_id);
        }
        let done = call.run(command).await?;
        let order_id = done
            .records
            .iter()
            .find_map(|record| match &record.event {
                OrderEvent::OrderPlaced(event) => Some(event.order_id.clone()),
                _ => None,
            })
            .unwrap_or_default();
        Ok(Response::new(pb::PlaceOrderResponse {
            position: done.position.0,
            order_id,
        }))
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Answer<pb::CancelOrderResponse> {
        let (call, message) = self.partitions.command(request)?;
        let own = call.is_own(|caller, machine, area| {
            let order = machine.state().order(area, &message.order_id);
            order.is_none_or(|order| caller.may_name_household(&order.household_id.to_string()))
        });
        if !own.await? {
            return Err(not_found(SERVICE, "order", "order_id", &message.order_id));
        }
        let done = call.run(parse::cancel_order(&message)?).await?;
        Ok(Response::new(pb::CancelOrderResponse {
            position: done.position.0,
        }))
    }

    async fn get_order(
        &self,
        request: Request<pb::GetOrderRequest>,
    ) -> Answer<pb::GetOrderResponse> {
        let message = request.get_ref();
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                state
                    .order(area, &message.order_id)
                    .map(|order| query::order(state, &order))
            })
            .await?;
        // Nobody is told that another household's order exists.
        let order = found
            .filter(|order| may_see_household(&request, &order.household_id))
            .ok_or_else(|| not_found(SERVICE, "order", "order_id", &message.order_id))?;
        Ok(Response::new(pb::GetOrderResponse {
            as_of_position: position.0,
            order: Some(order),
        }))
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Answer<pb::ListOrdersResponse> {
        let message = request.get_ref();
        let list = format!(
            "ListOrders/{}/{}/{}/{}",
            message.area, message.household_id, message.group_buy_id, message.state
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let filter = OrderFilter {
            household_id: given(&message.household_id).map(Into::into),
            group_buy_id: given(&message.group_buy_id).map(Into::into),
            state: choice::<OrderState>("state", message.state)?,
        };
        let ((orders, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                let items = state
                    .orders(area, filter, page.after.as_deref())
                    .map(|order| query::order(state, &order));
                page.cut(items, |order| order.order_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListOrdersResponse {
            as_of_position: position.0,
            orders,
            next_page_token,
        }))
    }

    async fn get_coverage(
        &self,
        request: Request<pb::GetCoverageRequest>,
    ) -> Answer<pb::GetCoverageResponse> {
        use pb::get_coverage_request::AsOf as Asked;
        let message = request.get_ref();
        let moment = match message.as_of {
            None => None,
            Some(Asked::Position(position)) => Some(AsOf::Position(Position(position))),
            Some(Asked::Time(time)) => Some(as_of_time(&time)?),
        };
        let ((total, rows, time), position) = self
            .partitions
            .query_at(message, moment, |machine, area, time| {
                let (total, rows) = query::coverage(&machine.state().coverage(area));
                (total, rows, time)
            })
            .await?;
        Ok(Response::new(pb::GetCoverageResponse {
            as_of_position: position.0,
            as_of_time: Some(to_proto(time)),
            total: Some(total),
            rows,
        }))
    }

    async fn list_missed_households(
        &self,
        request: Request<pb::ListMissedHouseholdsRequest>,
    ) -> Answer<pb::ListMissedHouseholdsResponse> {
        use pb::list_missed_households_request::AsOf as Asked;
        let message = request.get_ref();
        let moment = match message.as_of {
            None => None,
            Some(Asked::Position(position)) => Some(AsOf::Position(Position(position))),
            Some(Asked::Time(time)) => Some(as_of_time(&time)?),
        };
        let list = format!("ListMissedHouseholds/{}/{moment:?}", message.area);
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let ((households, next_page_token), position) = self
            .partitions
            .query_at(message, moment, move |machine, area, _| {
                let items = machine
                    .state()
                    .missed(area, page.after.as_deref())
                    .map(|missed| query::missed(&missed));
                page.cut(items, |missed| missed.household_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListMissedHouseholdsResponse {
            as_of_position: position.0,
            households,
            next_page_token,
        }))
    }
}

fn as_of_time(time: &prost_types::Timestamp) -> Result<AsOf, Status> {
    let mut fields = Fields::new();
    let time = fields.time("as_of.time", Some(time));
    fields.finish(SERVICE)?;
    Ok(AsOf::Time(time))
}

fn given(value: &str) -> Option<&str> {
    (!value.is_empty()).then_some(value)
}

fn choice<E: TryFrom<i32> + Default + PartialEq>(
    field: &str,
    value: i32,
) -> Result<Option<E>, Status> {
    let mut fields = Fields::new();
    let choice = fields.optional_choice(field, value);
    fields.finish(SERVICE)?;
    Ok(choice)
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
