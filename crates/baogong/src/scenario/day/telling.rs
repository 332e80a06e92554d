//! The households answer, or somebody telephones, or their cadre goes; and in
//! the evening everything is counted.

use crate::client::by;
use decider::Role;
use std::collections::BTreeMap;

use proto::{
    logistics::v1::{GetRosterRequest, ParcelState, Stop},
    notification::v1::{
        AcknowledgeNotificationRequest, CallOutcome, CompleteCallTaskRequest, CompleteVisitRequest,
        ListNotificationsRequest, Notification, NotificationKind, NotificationState, Rung,
        acknowledge_notification_request::Target,
    },
    order::v1::{GetCoverageRequest, ListOrdersRequest, Order, OrderState},
    types::v1::Door,
};
use tonic::Status;

use super::Day;
use crate::scenario::{
    figures::MemberWork,
    world::{Answer, Household, SET},
};

const PAGE: i32 = 500;
/// Rounds of calls and visits after which something must be wrong.
const ROUNDS_MAX: i64 = 20;
/// Minutes between rounds in the evening.
const ROUND: i64 = 5;
const FIRST_ROUND: i64 = 20 * 60 + 55;

impl Day {
    /// Households that answer by themselves do so at once.
    pub(super) async fn acknowledge(&self, delivered: &[Stop]) -> anyhow::Result<()> {
        let households: BTreeMap<_, _> = self
            .world
            .households
            .iter()
            .filter(|household| household.answer == Answer::Receipt)
            .map(|household| (door_key(&household.door), household))
            .collect();
        let willing: Vec<(&Stop, &Household)> = delivered
            .iter()
            .filter_map(|stop| {
                let household = households.get(&door_key(stop.door.as_ref()?))?;
                Some((stop, *household))
            })
            .collect();
        self.each("", willing, async |(stop, household)| {
            let request = AcknowledgeNotificationRequest {
                request_id: self.request_id("receipt", &stop.order_id),
                area: self.area(),
                target: Some(Target::OrderId(stop.order_id.clone())),
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .notification
                        .acknowledge_notification(by(
                            Role::Resident,
                            &household.id,
                            request.clone(),
                        ))
                        .await
                })
                .await
        })
        .await?;
        Ok(())
    }

    /// Makes the calls that are open, then the visits.
    pub(super) async fn answer_telephone(&self) -> anyhow::Result<()> {
        self.suite.settle().await?;
        let answers: BTreeMap<&str, Answer> = self
            .world
            .households
            .iter()
            .map(|household| (household.id.as_str(), household.answer))
            .collect();
        let calls = self
            .notifications(Some(NotificationState::CallTaskOpen))
            .await?;
        self.each("", &calls, async |task| {
            let answers = answers.get(task.household_id.as_str()) != Some(&Answer::Visit);
            let request = CompleteCallTaskRequest {
                request_id: self.request_id("call", &task.notification_id),
                area: self.area(),
                notification_id: task.notification_id.clone(),
                outcome: if answers {
                    CallOutcome::Answered
                } else {
                    CallOutcome::NoAnswer
                }
                .into(),
                done_by: format!("{}-volunteer", self.world.community),
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .notification
                        .complete_call_task(by(Role::Member, &request.done_by, request.clone()))
                        .await
                })
                .await
        })
        .await?;
        let visits = self
            .notifications(Some(NotificationState::VisitOpen))
            .await?;
        self.each("", &visits, async |visit| {
            let request = CompleteVisitRequest {
                request_id: self.request_id("visit", &visit.notification_id),
                area: self.area(),
                notification_id: visit.notification_id.clone(),
                cadre_id: visit.cadre_id.clone(),
                note: "goods taken in together".to_owned(),
            };
            self.suite
                .call(async |mut suite| {
                    suite
                        .notification
                        .complete_visit(by(Role::Cadre, &visit.cadre_id, request.clone()))
                        .await
                })
                .await
        })
        .await?;
        Ok(())
    }

    /// Rounds of calls and visits until nobody is left to be told.
    pub(super) async fn finish_telling(&mut self) -> anyhow::Result<()> {
        for round in 0..ROUNDS_MAX {
            self.clock_at(FIRST_ROUND + round * ROUND).await?;
            self.answer_telephone().await?;
            self.suite.settle().await?;
            let open = self
                .notifications(None)
                .await?
                .into_iter()
                .filter(|notification| notification.state() != NotificationState::Closed)
                .count();
            if open == 0 {
                return Ok(());
            }
        }
        anyhow::bail!("after {ROUNDS_MAX} rounds there are still households to be told")
    }

    /// This community's notifications.
    async fn notifications(
        &self,
        state: Option<NotificationState>,
    ) -> anyhow::Result<Vec<Notification>> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListNotificationsRequest {
                area: self.area(),
                page_size: PAGE,
                page_token,
                state: state.unwrap_or_default().into(),
                ..ListNotificationsRequest::default()
            };
            let page = self
                .suite
                .call(async |mut suite| {
                    suite.notification.list_notifications(request.clone()).await
                })
                .await?;
            all.extend(page.notifications);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        all.retain(|notification| self.is_ours(&notification.household_id));
        Ok(all)
    }

    /// This community's orders.
    pub(super) async fn orders(&self) -> Result<Vec<Order>, Status> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListOrdersRequest {
                area: self.area(),
                page_size: PAGE,
                page_token,
                ..ListOrdersRequest::default()
            };
            let page = self
                .suite
                .call(async |mut suite| suite.order.list_orders(request.clone()).await)
                .await?;
            all.extend(page.orders);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        all.retain(|order| self.is_ours(&order.household_id));
        Ok(all)
    }

    /// Another rehearsal's community may have a longer name that begins alike.
    fn is_ours(&self, household_id: &str) -> bool {
        household_id
            .strip_prefix(&self.world.community)
            .is_some_and(|rest| rest.starts_with("-G"))
    }

    /// Counts what the services say, not what was asked of them.
    pub(super) async fn count(&mut self) -> anyhow::Result<()> {
        let orders = self.orders().await?;
        let parcels = self.parcels(ParcelState::Unspecified).await?;
        let notifications = self.notifications(None).await?;
        let coverage = self
            .suite
            .call(async |mut suite| {
                let request = GetCoverageRequest {
                    area: self.area(),
                    ..GetCoverageRequest::default()
                };
                suite.order.get_coverage(request).await
            })
            .await?;
        let community = coverage
            .rows
            .iter()
            .find(|row| row.community == self.world.community && row.grid.is_empty())
            .cloned()
            .unwrap_or_default();

        let totals = &mut self.totals;
        totals.orders = orders.len() as u64;
        for order in &orders {
            if order.group_buy_id.is_empty() {
                totals.phone_orders += 1;
            } else {
                totals.group_buy_orders += 1;
            }
            totals.lines += order.lines.len() as u64;
            for line in &order.lines {
                let unit = SET.iter().find(|(id, _, _)| *id == line.product_id);
                totals.grams += line.quantity_units * unit.map_or(0, |(_, _, grams)| *grams);
            }
            match order.state() {
                OrderState::Delivered => totals.deliveries += 1,
                OrderState::Collected => {
                    totals.deliveries += 1;
                    totals.collected += 1;
                }
                _ => {}
            }
        }
        for parcel in &parcels {
            totals.bags += parcel.bags.len() as u64;
            let replaced = |label: &str| {
                label
                    .rsplit('-')
                    .next()
                    .is_some_and(|number| number.contains('r'))
            };
            totals.damaged_bags += parcel
                .bags
                .iter()
                .filter(|bag| replaced(&bag.label))
                .count() as u64;
            totals.failed_attempts += u64::from((parcel.attempts - 1).max(0).unsigned_abs());
        }
        for notification in &notifications {
            if notification.kind() != NotificationKind::GoodsAtDoor {
                continue;
            }
            let messaged = notification.attempts > 0;
            let rung = notification.rung();
            totals.messages += u64::from(messaged);
            totals.calls += u64::from(matches!(rung, Rung::Call | Rung::Visit));
            totals.visits += u64::from(rung == Rung::Visit);
            totals.ladder_climbs += match (messaged, rung) {
                (true, Rung::Visit) => 2,
                (true, Rung::Call) | (false, Rung::Visit) => 1,
                _ => 0,
            };
        }
        totals.in_need_households = community.in_need_households;
        totals.served_households = community.served_households;
        totals.coverage_basis_points = community.rate_basis_points;
        Ok(())
    }

    pub(super) async fn members_work(&self) -> anyhow::Result<Vec<MemberWork>> {
        let request = GetRosterRequest {
            area: self.area(),
            min_position: 0,
        };
        let roster = self
            .suite
            .call(async |mut suite| suite.logistics.get_roster(request.clone()).await)
            .await?;
        Ok(roster
            .members
            .into_iter()
            .filter(|member| {
                member
                    .member_id
                    .strip_prefix(&self.world.community)
                    .is_some_and(|rest| rest.starts_with("-m"))
            })
            .map(|member| MemberWork {
                member: member.member_id,
                runs: member.completed_runs,
                doors: member.delivered_stops,
                grams: member.carried_grams,
            })
            .collect())
    }
}

fn door_key(door: &Door) -> (&str, &str, &str, &str) {
    (&door.grid, &door.building, &door.entrance, &door.door)
}
