//! The robot's side of the wire. A call that a restart, a full queue or a lost
//! connection refused is made again with the same request id; a stream that
//! broke is taken up where it was.

use std::{future::Future, time::Duration};

use anyhow::Context;
use decider::{Role, Timestamp};
use proto::{
    logistics::v1::{
        AcceptTenderRequest, ApplyForPassRequest, AssignResourcesRequest, CarrierReport,
        CloseIncidentRequest, DeclareHandoverRequest, DeclineTenderRequest, GetCarrierRequest,
        GetShipmentRequest, IncidentKind, ListPassesRequest, ListShipmentsRequest,
        OfferCapacityRequest, OpenIncidentRequest, RegisterDriverRequest, RegisterVehicleRequest,
        ReportEventsRequest, ReportOutcome, Shipment, ShipmentState, WatchTendersRequest,
        freight_service_client::FreightServiceClient, partner_service_client::PartnerServiceClient,
    },
    time::to_proto,
};
use service_kit::peers::bearer;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use super::{Act, Brain, Firm, Journey};
use crate::{
    access::Credentials,
    client::{by, heals},
};

/// Waiting times between tries double from the first to the last.
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LAST: Duration = Duration::from_secs(1);
/// Reports of one call, as the API allows.
const REPORTS_MAX: usize = 100;
const PAGE: i32 = 500;
const REQUEST_ID_MAX: usize = 64;
/// Minutes that a robot on the system's clock is on the way.
const WAY_MINUTES: i64 = 30;

/// With what a robot shows who it is.
#[derive(Clone)]
pub enum Key {
    /// To a suite that asks for none.
    None,
    /// A token of the firm.
    Token(MetadataValue<Ascii>),
    /// The issuer of a laptop's suite makes one for the firm.
    Issuer(Credentials),
}

impl Key {
    /// # Errors
    /// It has characters that no token has.
    pub fn token(text: &str) -> anyhow::Result<Self> {
        let value = bearer(text.trim()).context("a token has letters, digits and -_. only")?;
        Ok(Self::Token(value))
    }
}

impl Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        match self {
            Self::None => Ok(request),
            Self::Token(value) => {
                request
                    .metadata_mut()
                    .insert("authorization", value.clone());
                Ok(request)
            }
            Self::Issuer(credentials) => credentials.call(request),
        }
    }
}

type Link = InterceptedService<Channel, Key>;

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

    fn by<T>(&self, message: T) -> Request<T> {
        by(Role::Carrier, &self.firm.carrier_id, message)
    }

    /// A request id that is the same whenever this is asked; where its parts
    /// are too long for one, a digest of them.
    fn id(&self, what: &str) -> String {
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

    fn area(&self) -> String {
        self.firm.area.clone()
    }

    fn carrier_id(&self) -> String {
        self.firm.carrier_id.clone()
    }

    async fn call<T, F: Future<Output = Result<Response<T>, Status>>>(
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

    async fn watch(
        &self,
    ) -> Result<tonic::Streaming<proto::logistics::v1::WatchTendersResponse>, Status> {
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

    /// Answers what it was asked, and names vehicles for what it accepts. A
    /// round that ended meanwhile is no failure.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn answer(&mut self) -> Result<(), Status> {
        for act in self.brain.acts() {
            match self.carry_out(act).await {
                Err(status) if is_over(&status) => {}
                done => done?,
            }
        }
        Ok(())
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

    /// Reports what a journey has to tell until a moment, in batches.
    ///
    /// # Errors
    /// The status that ended it, or `FAILED_PRECONDITION` with what was
    /// refused of the reports.
    pub async fn drive(&self, journey: &mut Journey, until: Timestamp) -> Result<(), Status> {
        loop {
            let (first, reports) = journey.due(until, REPORTS_MAX);
            if reports.is_empty() {
                return Ok(());
            }
            self.report(journey.shipment_id(), first, reports).await?;
        }
    }

    async fn report(
        &self,
        shipment_id: &str,
        first: usize,
        reports: Vec<CarrierReport>,
    ) -> Result<(), Status> {
        let request = ReportEventsRequest {
            request_id: self.id(&format!("report:{shipment_id}:{first}-{}", reports.len())),
            area: self.area(),
            carrier_id: self.carrier_id(),
            reports,
        };
        let told = self
            .call(|mut c| {
                let request = self.by(request.clone());
                async move { c.report_events(request).await }
            })
            .await?;
        let mut answers = told.answers.into_iter();
        match answers.find(|answer| answer.outcome() == ReportOutcome::Refused) {
            None => Ok(()),
            Some(refused) => Err(Status::failed_precondition(format!(
                "report {} of {shipment_id}: {}: {}",
                refused.report_id, refused.reason, refused.message
            ))),
        }
    }

    /// Hands over all that was loaded.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn declare(&self, shipment_id: &str) -> Result<(), Status> {
        let declare = DeclareHandoverRequest {
            request_id: self.id(&format!("declare:{shipment_id}")),
            area: self.area(),
            carrier_id: self.carrier_id(),
            shipment_id: shipment_id.to_owned(),
            lines: vec![],
        };
        self.call(|mut c| {
            let request = self.by(declare.clone());
            async move { c.declare_handover(request).await }
        })
        .await
        .map(|_| ())
    }

    /// Gives the incident's id.
    ///
    /// # Errors
    /// The status that ended it.
    pub async fn open_incident(
        &self,
        shipment_id: &str,
        kind: IncidentKind,
        note: &str,
    ) -> Result<String, Status> {
        let open = OpenIncidentRequest {
            request_id: self.id(&format!("incident:{shipment_id}:{}", kind as i32)),
            area: self.area(),
            carrier_id: self.carrier_id(),
            shipment_id: shipment_id.to_owned(),
            kind: kind.into(),
            note: note.to_owned(),
        };
        let opened = self
            .call(|mut c| {
                let request = self.by(open.clone());
                async move { c.open_incident(request).await }
            })
            .await?;
        Ok(opened.incident_id)
    }

    /// # Errors
    /// The status that ended it.
    pub async fn close_incident(
        &self,
        shipment_id: &str,
        incident_id: &str,
        resolution: &str,
    ) -> Result<(), Status> {
        let close = CloseIncidentRequest {
            request_id: self.id(&format!("incident-closed:{incident_id}")),
            area: self.area(),
            carrier_id: self.carrier_id(),
            shipment_id: shipment_id.to_owned(),
            incident_id: incident_id.to_owned(),
            resolution: resolution.to_owned(),
        };
        self.call(|mut c| {
            let request = self.by(close.clone());
            async move { c.close_incident(request).await }
        })
        .await
        .map(|_| ())
    }

    /// Works by itself until it is stopped: listens, answers, and carries what
    /// it accepted out at once, as if the way took no time. For harnesses; the
    /// firm is to have joined.
    ///
    /// # Errors
    /// The suite refused something that trying again does not heal.
    pub async fn work(
        &mut self,
        now: impl Fn() -> Timestamp,
        stop: &CancellationToken,
    ) -> Result<(), Status> {
        let mut pause = BACKOFF_FIRST;
        while !stop.is_cancelled() {
            let worked = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                worked = self.work_on_stream(&now) => worked,
            };
            match worked {
                Err(status) if !heals(&status) => return Err(status),
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACKOFF_LAST);
                }
                Ok(()) => pause = BACKOFF_FIRST,
            }
        }
        Ok(())
    }

    /// Until the stream breaks.
    async fn work_on_stream(&mut self, now: &impl Fn() -> Timestamp) -> Result<(), Status> {
        let mut stream = self.watch().await?;
        // What was accepted before a break is carried out now.
        self.carry(now()).await?;
        while let Some(message) = stream.message().await? {
            self.brain.note(&message);
            self.answer().await?;
            self.carry(now()).await?;
        }
        Ok(())
    }

    async fn carry(&self, now: Timestamp) -> Result<(), Status> {
        let ready = self.shipments(ShipmentState::ResourceAssigned).await?;
        for shipment in ready {
            let id = &shipment.shipment_id;
            let load = shipment.load.clone().unwrap_or_default();
            // A clock that runs on: all of it is told as of now.
            let mut journey = Journey::at_once(id, &load, now, WAY_MINUTES);
            self.drive(&mut journey, now).await?;
        }
        for shipment in self.shipments(ShipmentState::ArrivedDestination).await? {
            if shipment.declared.is_empty() {
                self.declare(&shipment.shipment_id).await?;
            }
        }
        Ok(())
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
