//! Talks to a running suite over gRPC, with the patience that a rehearsal
//! needs: a call that a restart, a full queue or a lost connection refused is
//! made again with the same request id.

use std::{error::Error, time::Duration};

use anyhow::Context;
use decider::{Role, Service, Timestamp};
use proto::{
    admin::v1::{
        AdvanceClockRequest, GetStatusRequest, GetStatusResponse,
        admin_service_client::AdminServiceClient,
    },
    inventory::v1::{
        inventory_service_client::InventoryServiceClient,
        surplus_service_client::SurplusServiceClient,
    },
    logistics::v1::{
        freight_service_client::FreightServiceClient,
        logistics_service_client::LogisticsServiceClient,
        partner_service_client::PartnerServiceClient,
    },
    notification::v1::notification_service_client::NotificationServiceClient,
    order::v1::order_service_client::OrderServiceClient,
    time::to_proto,
};
use service_kit::peers::client::TlsArgs;
use tokio::time::Instant;
use tonic::{
    Code, Request, Response, Status,
    metadata::MetadataValue,
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

use crate::access::Credentials;
use crate::suite::SuiteFile;

/// Waiting times between tries double from the first to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LAST: Duration = Duration::from_secs(1);
/// How often a suite that is still at work is asked again.
const SETTLE_POLL: Duration = Duration::from_millis(4);

/// A connection whose calls carry a token.
type Link = InterceptedService<Channel, Credentials>;

/// Clients of the four services; cheap to clone.
#[derive(Clone)]
pub struct Suite {
    pub order: OrderServiceClient<Link>,
    pub inventory: InventoryServiceClient<Link>,
    pub surplus: SurplusServiceClient<Link>,
    pub logistics: LogisticsServiceClient<Link>,
    pub freight: FreightServiceClient<Link>,
    pub partner: PartnerServiceClient<Link>,
    pub notification: NotificationServiceClient<Link>,
    /// To the logistics service, for robots: streams may stay open on it.
    pub logistics_channel: Channel,
    pub credentials: Credentials,
    admin: [(Service, AdminServiceClient<Link>); 4],
    /// How long a call is tried again before it is given up.
    pub patience: Duration,
    /// What may be missing where no service answers.
    hint: &'static str,
}

impl Suite {
    /// Connects when the first call is made.
    ///
    /// # Errors
    /// An address is missing or malformed, or the key for the tokens or a file
    /// of TLS cannot be read.
    pub fn connect(file: &SuiteFile, patience: Duration, tls: &TlsArgs) -> anyhow::Result<Self> {
        let credentials = Credentials::of(file.access.as_ref())?;
        let endpoint = |service: Service| -> anyhow::Result<Endpoint> {
            let endpoint = tls.endpoint(&file.grpc(service)?.to_string())?;
            let endpoint = endpoint.connect_timeout(Duration::from_secs(2));
            Ok(endpoint.tcp_nodelay(true))
        };
        let channel = |service: Service| -> anyhow::Result<Link> {
            let endpoint = endpoint(service)?.timeout(Duration::from_secs(30));
            Ok(InterceptedService::new(
                endpoint.connect_lazy(),
                credentials.clone(),
            ))
        };
        let [order, inventory, logistics, notification] = [
            channel(Service::Order)?,
            channel(Service::Inventory)?,
            channel(Service::Logistics)?,
            channel(Service::Notification)?,
        ];
        Ok(Self {
            admin: [
                (Service::Order, AdminServiceClient::new(order.clone())),
                (
                    Service::Inventory,
                    AdminServiceClient::new(inventory.clone()),
                ),
                (
                    Service::Logistics,
                    AdminServiceClient::new(logistics.clone()),
                ),
                (
                    Service::Notification,
                    AdminServiceClient::new(notification.clone()),
                ),
            ],
            order: OrderServiceClient::new(order),
            surplus: SurplusServiceClient::new(inventory.clone()),
            inventory: InventoryServiceClient::new(inventory),
            freight: FreightServiceClient::new(logistics.clone()),
            partner: PartnerServiceClient::new(logistics.clone()),
            logistics: LogisticsServiceClient::new(logistics),
            logistics_channel: endpoint(Service::Logistics)?.connect_lazy(),
            credentials: credentials.clone(),
            notification: NotificationServiceClient::new(notification),
            patience,
            hint: tls.hint(),
        })
    }

    /// Makes a call until it is answered; only refusals that another try can
    /// heal are tried again.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn call<T>(
        &self,
        make: impl AsyncFn(Self) -> Result<Response<T>, Status>,
    ) -> Result<T, Status> {
        let give_up = Instant::now() + self.patience;
        let mut pause = BACKOFF_FIRST;
        loop {
            match make(self.clone()).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if !heals(&status) || Instant::now() >= give_up => {
                    return Err(self.with_hint(status));
                }
                Err(status) => {
                    tracing::debug!(%status, "trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF_LAST);
                }
            }
        }
    }

    /// Says what may be missing, where it was no service that answered.
    fn with_hint(&self, status: Status) -> Status {
        match status.source() {
            Some(_) => Status::new(status.code(), format!("{}.{}", status.message(), self.hint)),
            None => status,
        }
    }

    /// Status of every service, in the order of [`Service::ALL`].
    ///
    /// # Errors
    /// A service does not answer.
    pub async fn status(&self) -> Result<Vec<GetStatusResponse>, Status> {
        let mut all = Vec::with_capacity(self.admin.len());
        for (_, admin) in &self.admin {
            all.push(
                self.call(async |_| admin.clone().get_status(GetStatusRequest {}).await)
                    .await?,
            );
        }
        Ok(all)
    }

    /// The time on the test clocks, on which a day is played.
    ///
    /// # Errors
    /// The suite does not answer, or runs on the system clock.
    pub async fn test_clock(&self) -> anyhow::Result<Timestamp> {
        let statuses = self.status().await.context("the suite does not answer")?;
        if let Some(status) = statuses.iter().find(|status| status.clock != "test") {
            anyhow::bail!(
                "the {} service runs on the system clock; a day is played on test clocks: start \
                 the suite with `baogong up --clock test`",
                status.service
            );
        }
        let partitions = statuses.iter().flat_map(|status| &status.partitions);
        let now = partitions.map(|partition| proto::time::or_epoch(partition.now.as_ref()));
        Ok(now.max().unwrap_or_default())
    }

    /// Sets every service's test clock forward.
    ///
    /// # Errors
    /// A service does not answer, or runs on the system clock.
    pub async fn advance_clocks(&self, to: Timestamp) -> Result<(), Status> {
        for (_, admin) in &self.admin {
            let request = AdvanceClockRequest {
                to: Some(to_proto(to)),
            };
            self.call(async |_| admin.clone().advance_clock(request).await)
                .await?;
        }
        Ok(())
    }

    /// Waits until every service has taken in everything that the others have
    /// recorded and owes nothing by itself.
    ///
    /// # Errors
    /// A service does not answer, or the suite is still busy when patience
    /// ends.
    pub async fn settle(&self) -> Result<(), Status> {
        let mut give_up = Instant::now() + self.patience;
        let mut before = None;
        loop {
            let now = self.status().await?;
            let positions: Vec<u64> = positions(&now);
            let quiet = is_quiet(&now);
            if quiet && before.as_ref() == Some(&positions) {
                return Ok(());
            }
            if before.as_ref() != Some(&positions) {
                give_up = Instant::now() + self.patience;
            } else if Instant::now() >= give_up {
                return Err(Status::deadline_exceeded(format!(
                    "the suite does not come to rest: {now:?}"
                )));
            }
            before = Some(positions);
            if !quiet {
                tokio::time::sleep(SETTLE_POLL).await;
            }
        }
    }
}

/// A request with who makes it.
pub fn by<T>(role: Role, id: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("baogong-role", MetadataValue::from_static(role.name()));
    // Ids are codes, which are valid metadata; anything else is left out and
    // the service then says that the actor is unnamed.
    if let Ok(id) = id.parse() {
        metadata.insert("baogong-actor", id);
    }
    request
}

pub(crate) fn heals(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled => {
            true
        }
        // A connection that was cut: never a status that a service sent.
        Code::Unknown | Code::Internal => status.details().is_empty(),
        _ => false,
    }
}

/// Durable positions of all partitions of all services.
#[must_use]
pub fn positions(statuses: &[GetStatusResponse]) -> Vec<u64> {
    statuses
        .iter()
        .flat_map(|status| &status.partitions)
        .map(|partition| partition.durable_position)
        .collect()
}

fn is_quiet(statuses: &[GetStatusResponse]) -> bool {
    let durable = |service: &str, number: u32| {
        statuses
            .iter()
            .filter(|status| status.service == service)
            .flat_map(|status| &status.partitions)
            .find(|partition| partition.partition == number)
            .map_or(0, |partition| partition.durable_position)
    };
    statuses
        .iter()
        .flat_map(|status| &status.partitions)
        .all(|partition| {
            partition.applied_position == partition.durable_position
                && partition.relayed_position == partition.durable_position
                && partition.queued == 0
                && partition.pending_work == 0
                && partition
                    .cursors
                    .iter()
                    .all(|cursor| cursor.position == durable(&cursor.service, cursor.partition))
        })
}
