//! gRPC handlers: parse, submit or query, answer. No rule lives here.

use decider::Service as ServiceName;
use notification_domain::{Command, Filter, Notifications, Target};
use proto::{
    NotificationEvent,
    notification::v1::{self as pb, notification_service_server::NotificationService},
};
use service_kit::{
    call::{Partitions, may_see_household},
    status::not_found,
};
use tonic::{Request, Response, Status};

use crate::{parse, query};

const SERVICE: ServiceName = ServiceName::Notification;

pub struct Service {
    pub partitions: Partitions<Notifications>,
}

type Answer<T> = Result<Response<T>, Status>;

impl Service {
    /// The notification about goods at the door of an order, where nothing was
    /// recorded that would name it.
    async fn of_order(
        &self,
        area: &str,
        min_position: u64,
        order_id: &str,
    ) -> Result<String, Status> {
        let look = pb::GetNotificationRequest {
            area: area.to_owned(),
            min_position,
            notification_id: String::new(),
        };
        let (found, _) = self
            .partitions
            .query(&look, |machine, area, _| {
                machine
                    .state()
                    .goods_at_door(order_id)
                    .filter(|found| found.area == *area)
                    .map(|found| found.notification_id.to_string())
            })
            .await?;
        found.ok_or_else(|| not_found(SERVICE, "notification of order", "order_id", order_id))
    }
}

#[tonic::async_trait]
impl NotificationService for Service {
    async fn acknowledge_notification(
        &self,
        request: Request<pb::AcknowledgeNotificationRequest>,
    ) -> Answer<pb::AcknowledgeNotificationResponse> {
        let (call, message) = self.partitions.command(request)?;
        let target = parse::acknowledge(&message)?;
        let own = call.is_own(|caller, machine, area| {
            let state = machine.state();
            let found = match &target {
                Target::Notification(id) => query::of_area(state, area, id),
                Target::Order(id) => state.goods_at_door(id).filter(|found| found.area == *area),
            };
            found.is_none_or(|found| caller.may_name_household(&found.household_id))
        });
        if !own.await? {
            let (field, id) = match &target {
                Target::Notification(id) => ("notification_id", id),
                Target::Order(id) => ("order_id", id),
            };
            return Err(not_found(SERVICE, "notification", field, id));
        }
        let command = Command::AcknowledgeNotification {
            target: target.clone(),
        };
        let done = call.run(command).await?;
        let recorded = done.records.iter().find_map(|record| match &record.event {
            NotificationEvent::NotificationAcknowledged(event) => {
                Some(event.notification_id.clone())
            }
            _ => None,
        });
        let notification_id = match (recorded, target) {
            (Some(id), _) | (None, Target::Notification(id)) => id,
            (None, Target::Order(order_id)) => {
                self.of_order(&message.area, done.position.0, &order_id)
                    .await?
            }
        };
        Ok(Response::new(pb::AcknowledgeNotificationResponse {
            position: done.position.0,
            notification_id,
        }))
    }

    async fn complete_call_task(
        &self,
        request: Request<pb::CompleteCallTaskRequest>,
    ) -> Answer<pb::CompleteCallTaskResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::complete_call_task(&message)?).await?;
        Ok(Response::new(pb::CompleteCallTaskResponse {
            position: done.position.0,
        }))
    }

    async fn complete_visit(
        &self,
        request: Request<pb::CompleteVisitRequest>,
    ) -> Answer<pb::CompleteVisitResponse> {
        let (call, message) = self.partitions.command(request)?;
        let done = call.run(parse::complete_visit(&message)?).await?;
        Ok(Response::new(pb::CompleteVisitResponse {
            position: done.position.0,
        }))
    }

    async fn get_notification(
        &self,
        request: Request<pb::GetNotificationRequest>,
    ) -> Answer<pb::GetNotificationResponse> {
        let message = request.get_ref();
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                query::of_area(state, area, &message.notification_id)
                    .map(|notification| query::notification(state, notification))
            })
            .await?;
        // Nobody is told that another household's notification exists.
        let found = found.filter(|found| may_see_household(&request, &found.household_id));
        let notification = found.ok_or_else(|| {
            not_found(
                SERVICE,
                "notification",
                "notification_id",
                &message.notification_id,
            )
        })?;
        Ok(Response::new(pb::GetNotificationResponse {
            as_of_position: position.0,
            notification: Some(notification),
        }))
    }

    async fn list_notifications(
        &self,
        request: Request<pb::ListNotificationsRequest>,
    ) -> Answer<pb::ListNotificationsResponse> {
        let message = request.get_ref();
        let list = format!(
            "ListNotifications/{}/{}/{}/{}/{}/{}",
            message.area,
            message.state,
            message.kind,
            message.household_id,
            message.order_id,
            message.cadre_id
        );
        let page = self
            .partitions
            .page(message.page_size, &message.page_token, &list)?;
        let filter = parse::filter(message)?;
        let ((notifications, next_page_token), position) = self
            .partitions
            .query(message, |machine, area, _| {
                let filter = Filter {
                    area: Some(area.clone()),
                    ..filter
                };
                // One more than the page shows whether another follows.
                let state = machine.state();
                let items = state.list(&filter, page.after.as_deref(), page.size.saturating_add(1));
                let items = items.into_iter().map(|one| query::notification(state, one));
                page.cut(items, |notification| notification.notification_id.clone())
            })
            .await?;
        Ok(Response::new(pb::ListNotificationsResponse {
            as_of_position: position.0,
            notifications,
            next_page_token,
        }))
    }
}
