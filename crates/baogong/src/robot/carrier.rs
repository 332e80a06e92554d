//! The robot's side of the wire: it joins, listens and answers. A call that a
//! restart, a full queue or a lost connection refused is made again with the
//! same request id; a stream that broke is taken up where it was.

use std::{future::Future, time::Duration};

use decider::Role;
use proto::{
    logistics::v1::{
        AcceptTenderRequest, ApplyForPassRequest, AssignResourcesRequest, DeclineTenderRequest,
        GetCarrierRequest, GetShipmentRequest, ListPassesRequest, ListShipmentsRequest,
        OfferCapacityRequest, RegisterDriverRequest, RegisterVehicleRequest, Shipment,
        ShipmentState, WatchTendersRequest, WatchTendersResponse,
        freight_service_client::FreightServiceClient, partner_service_client::PartnerServiceClient,
    },
    time::to_proto,
};
use sha2::{Digest, Sha256};
use tonic::{
    Code, Request, Response, Status, Streaming, service::interceptor::InterceptedService,
    transport::Channel,
};

use super::{Act, Brain, Firm, Key};
use crate::client::{by, heals};

/// Waiting times between tries double from the first to the last.
pub(super) const BACKOFF_FIRST: Duration = Duration::from_millis(20);
pub(super) const BACKOFF_LAST: Duration = Duration::from_secs(1);
const PAGE: i32 = 500;
const REQUEST_ID_MAX: usize = 64;

pub(super) type Link = InterceptedService<Channel, Key>;

/// A firm at work.
pub struct Robot {
    pub firm: Firm,
    pub brain: Brain,
    partner: PartnerServiceClient<Link>,
    /// For its own record alone.
    freight: FreightServiceClient<Link>,
    patience: Duration,
}

impl Robot {
    /// Connects when the first call is made.
    #[must_use]
    pub fn new(channel: Channel, key: Key, firm: Firm, patience: Duration) -> Self {
        let link = InterceptedService::new(channel, key);
        Self {
            brain: Brain::new(firm.rigs.clone(), firm.temper.clone()),
            partner: PartnerServiceClient::new(link.clone()),
            freight: FreightServiceClient::new(link),
            firm,
            patience,
        }
    }

    /// A robot for one address, as `http://127.0.0.1:7403`.
    ///
    /// # Errors
    /// The address is malformed.
    pub fn connect(url: &str, key: Key, firm: Firm, patience: Duration) -> anyhow::Result<Self> {
        let channel = Channel::from_shared(url.to_owned())?
            .connect_timeout(Duration::from_secs(2))
            .tcp_nodelay(true)
            .connect_lazy();
        Ok(Self::new(channel, key, firm, patience))
    }

    pub(super) fn by<T>(&self, message: T) -> Request<T> {
        by(Role::Carrier, &self.firm.carrier_id, message)
    }

    /// A request id that is the same whenever this is asked; where its parts
    /// are too long for one, a digest of them.
    pub(super) fn id(&self, what: &str) -> String {
        let id = format!("{}:{what}", self.firm.carrier_id);
        if id.len() <= REQUEST_ID_MAX {
            return id;
        }
        let digest = Sha256::digest(id);
        digest[..20]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    pub(super) fn area(&self) -> String {
        self.firm.area.clone()
    }

    pub(super) fn carrier_id(&self) -> String {
        self.firm.carrier_id.clone()
    }

    pub(super) async fn call<T, F: Future<Output = Result<Response<T>, Status>>>(
        &self,
        make: impl Fn(PartnerServiceClient<Link>) -> F,
    ) -> Result<T, Status> {
        patiently(self.patience, || make(self.partner.clone())).await
    }

    /// Vehicles, drivers, an application for a pass for each of the two with
    /// its certificate, and the capacity. The area registers the firm before.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn join(&self) -> Result<(), Status> {
        for rig in &self.firm.rigs {
            let vehicle = RegisterVehicleRequest {
                request_id: self.id(&format!("vehicle:{}", rig.vehicle_id)),
                area: self.area(),
                carrier_id: self.carrier_id(),
                vehicle_id: rig.vehicle_id.clone(),
                capacity_grams: rig.capacity_grams,
            };
            self.call(|mut c| {
                let request = self.by(vehicle.clone());
                async move { c.register_vehicle(request).await }
            })
            .await?;
            let driver = RegisterDriverRequest {
                request_id: self.id(&format!("driver:{}", rig.driver_id)),
                area: self.area(),
                carrier_id: self.carrier_id(),
                driver_id: rig.driver_id.clone(),
            };
            self.call(|mut c| {
                let request = self.by(driver.clone());
                async move { c.register_driver(request).await }
            })
            .await?;
            let certificate = format!("certificate of {} for {}", rig.driver_id, rig.vehicle_id);
            let apply = ApplyForPassRequest {
                request_id: self.id(&format!("pass:{}", rig.vehicle_id)),
                area: self.area(),
                carrier_id: self.carrier_id(),
                vehicle_id: rig.vehicle_id.clone(),
                driver_id: rig.driver_id.clone(),
                zones: self.firm.zones.clone(),
                from_time: Some(to_proto(self.firm.from)),
                to_time: Some(to_proto(self.firm.to)),
                certificate_sha256: Sha256::digest(certificate).to_vec(),
            };
            self.call(|mut c| {
                let request = self.by(apply.clone());
                async move { c.apply_for_pass(request).await }
            })
            .await?;
        }
        self.offer().await
    }

    async fn offer(&self) -> Result<(), Status> {
        let offer = OfferCapacityRequest {
            request_id: self.id("offer"),
            area: self.area(),
            carrier_id: self.carrier_id(),
            zones: self.firm.zones.clone(),
            capacity_grams: self.firm.capacity_grams,
            from_time: Some(to_proto(self.firm.from)),
            to_time: Some(to_proto(self.firm.to)),
        };
        self.call(|mut c| {
            let request = self.by(offer.clone());
            async move { c.offer_capacity(request).await }
        })
        .await
        .map(|_| ())
    }

    /// Takes in all that the suite has told the firm until now.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn catch_up(&mut self) -> Result<(), Status> {
        let record = GetCarrierRequest {
            area: self.area(),
            min_position: 0,
            carrier_id: self.carrier_id(),
        };
        let known = patiently(self.patience, || {
            let (mut client, request) = (self.freight.clone(), self.by(record.clone()));
            async move { client.get_carrier(request).await }
        })
        .await?;
        let record = known.carrier.unwrap_or_default();
        let asked = u64::try_from(record.tenders_offered).unwrap_or(0);
        self.read_passes().await?;
        let mut pause = BACKOFF_FIRST;
        let give_up = tokio::time::Instant::now() + self.patience;
        while self.brain.asked() < asked {
            match self.listen_until(asked).await {
                Err(status) if !heals(&status) || tokio::time::Instant::now() >= give_up => {
                    return Err(status);
                }
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF_LAST);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn listen_until(&mut self, asked: u64) -> Result<(), Status> {
        let mut stream = self.watch().await?;
        while self.brain.asked() < asked {
            let Some(message) = stream.message().await? else {
                return Err(Status::unavailable("the stream ended"));
            };
            self.brain.note(&message);
        }
        Ok(())
    }

    pub(super) async fn watch(&self) -> Result<Streaming<WatchTendersResponse>, Status> {
        let request = WatchTendersRequest {
            area: self.area(),
            min_position: 0,
            carrier_id: self.carrier_id(),
            after_cursor: self.brain.cursor(),
        };
        let mut client = self.partner.clone();
        Ok(client.watch_tenders(self.by(request)).await?.into_inner())
    }

    async fn read_passes(&mut self) -> Result<(), Status> {
        let mut request = ListPassesRequest {
            area: self.area(),
            page_size: PAGE,
            carrier_id: self.carrier_id(),
            ..ListPassesRequest::default()
        };
        loop {
            let page = self
                .call(|mut c| {
                    let request = self.by(request.clone());
                    async move { c.list_passes(request).await }
                })
                .await?;
            for pass in &page.passes {
                self.brain.note_pass(pass);
            }
            if page.next_page_token.is_empty() {
                return Ok(());
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Answers what it was asked, and names vehicles for what it accepts; gives
    /// the shipments that are ready to leave. A round that ended meanwhile is
    /// no failure.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn answer(&mut self) -> Result<Vec<String>, Status> {
        let mut ready = Vec::new();
        for act in self.brain.acts() {
            let (shipment_id, last) = match &act {
                Act::Accept { shipment_id, .. } => (shipment_id.clone(), false),
                Act::Decline { shipment_id, .. } | Act::Assign { shipment_id, .. } => {
                    (shipment_id.clone(), true)
                }
            };
            let assigns = matches!(act, Act::Assign { .. });
            match self.carry_out(act).await {
                Err(status) if is_over(&status) => self.brain.done(&shipment_id),
                done => {
                    done?;
                    if last {
                        self.brain.done(&shipment_id);
                    }
                    if assigns {
                        ready.push(shipment_id);
                    }
                }
            }
        }
        Ok(ready)
    }

    async fn carry_out(&self, act: Act) -> Result<(), Status> {
        match act {
            Act::Accept { shipment_id, round } => {
                let accept = AcceptTenderRequest {
                    request_id: self.id(&format!("accept:{shipment_id}:{round}")),
                    area: self.area(),
                    carrier_id: self.carrier_id(),
                    shipment_id,
                    round,
                };
                self.call(|mut c| {
                    let request = self.by(accept.clone());
                    async move { c.accept_tender(request).await }
                })
                .await?;
            }
            Act::Decline {
                shipment_id,
                round,
                reason,
            } => {
                let decline = DeclineTenderRequest {
                    request_id: self.id(&format!("decline:{shipment_id}:{round}")),
                    area: self.area(),
                    carrier_id: self.carrier_id(),
                    shipment_id,
                    round,
                    reason: reason.into(),
                    note: String::new(),
                };
                self.call(|mut c| {
                    let request = self.by(decline.clone());
                    async move { c.decline_tender(request).await }
                })
                .await?;
            }
            Act::Assign {
                shipment_id,
                round,
                rig,
                pass_id,
            } => {
                let assign = AssignResourcesRequest {
                    request_id: self.id(&format!("assign:{shipment_id}:{round}")),
                    area: self.area(),
                    carrier_id: self.carrier_id(),
                    shipment_id,
                    vehicle_id: rig.vehicle_id,
                    driver_id: rig.driver_id,
                    pass_id,
                };
                self.call(|mut c| {
                    let request = self.by(assign.clone());
                    async move { c.assign_resources(request).await }
                })
                .await?;
            }
        }
        Ok(())
    }

    /// Its shipments in a state, oldest first; all with `Unspecified`.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn shipments(&self, state: ShipmentState) -> Result<Vec<Shipment>, Status> {
        let mut request = ListShipmentsRequest {
            area: self.area(),
            page_size: PAGE,
            carrier_id: self.carrier_id(),
            state: state.into(),
            ..ListShipmentsRequest::default()
        };
        let mut all = Vec::new();
        loop {
            let page = self
                .call(|mut c| {
                    let request = self.by(request.clone());
                    async move { c.list_shipments(request).await }
                })
                .await?;
            all.extend(page.shipments);
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// # Errors
    /// The status that ended it.
    pub async fn shipment(&self, shipment_id: &str) -> Result<Shipment, Status> {
        let request = GetShipmentRequest {
            area: self.area(),
            min_position: 0,
            carrier_id: self.carrier_id(),
            shipment_id: shipment_id.to_owned(),
        };
        let found = self
            .call(|mut c| {
                let request = self.by(request.clone());
                async move { c.get_shipment(request).await }
            })
            .await?;
        Ok(found.shipment.unwrap_or_default())
    }
}

/// The tender was withdrawn, answered by time, or is another's.
fn is_over(status: &Status) -> bool {
    matches!(status.code(), Code::NotFound | Code::FailedPrecondition)
}

async fn patiently<T, F: Future<Output = Result<Response<T>, Status>>>(
    patience: Duration,
    make: impl Fn() -> F,
) -> Result<T, Status> {
    let give_up = tokio::time::Instant::now() + patience;
    let mut pause = BACKOFF_FIRST;
    loop {
        match make().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if !heals(&status) || tokio::time::Instant::now() >= give_up => {
                return Err(status);
            }
            Err(status) => {
                tracing::debug!(%status, "trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACKOFF_LAST);
            }
        }
    }
}
