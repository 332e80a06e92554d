//! The area's side of partner firms, alike on all days: it admits them, issues
//! their passes, and knows what they carried.

use decider::Role;
use proto::logistics::v1::{
    GetCarrierRequest, IssuePassRequest, ListPassesRequest, ListShipmentsRequest, PassState,
    RegisterCarrierRequest, Shipment, ShipmentState,
};
use tonic::Status;

use super::{day::refused, figures::CarrierWork};
use crate::{
    client::{Suite, by},
    robot::{Firm, Key, Robot},
};

const PAGE: i32 = 500;

/// Who deals with the firms, and where.
#[derive(Clone, Copy)]
pub(super) struct Office<'a> {
    pub suite: &'a Suite,
    pub area: &'a str,
    /// The dispatcher.
    pub id: &'a str,
    /// Begins the request ids of the day.
    pub day: &'a str,
}

impl Office<'_> {
    fn request_id(&self, what: &str, of: &str) -> String {
        format!("{}:{what}:{of}", self.day)
    }

    /// Id of the day's firm `n`, from 0.
    pub fn carrier_id(&self, n: usize) -> String {
        format!("{}-haulier-{}", self.day, n + 1)
    }

    /// Registers the day's firm `n`, lets its robot join, and issues its
    /// passes.
    pub async fn admit(&self, n: usize, firm: Firm) -> anyhow::Result<Robot> {
        let name = format!("承运商 {0} / carrier {0}", n + 1);
        self.register(&firm.carrier_id, &name)
            .await
            .map_err(|status| refused("registering a carrier", &status))?;
        let robot = Robot::new(
            self.suite.logistics_channel.clone(),
            Key::Issuer(self.suite.credentials.clone()),
            firm,
            self.suite.patience,
        );
        robot
            .join()
            .await
            .map_err(|status| refused("a carrier joins", &status))?;
        self.issue_passes(&robot.firm.carrier_id)
            .await
            .map_err(|status| refused("issuing passes", &status))?;
        Ok(robot)
    }

    async fn register(&self, carrier_id: &str, name: &str) -> Result<(), Status> {
        let request = RegisterCarrierRequest {
            request_id: self.request_id("carrier", carrier_id),
            area: self.area.to_owned(),
            carrier_id: carrier_id.to_owned(),
            name: name.to_owned(),
        };
        self.suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, self.id, request.clone());
                suite.freight.register_carrier(request).await
            })
            .await
            .map(|_| ())
    }

    /// Everything that the firm applied for.
    async fn issue_passes(&self, carrier_id: &str) -> Result<(), Status> {
        let look = ListPassesRequest {
            area: self.area.to_owned(),
            page_size: PAGE,
            carrier_id: carrier_id.to_owned(),
            state: PassState::Applied.into(),
            ..ListPassesRequest::default()
        };
        let applied = self
            .suite
            .call(async |mut suite| {
                let look = by(Role::Dispatcher, self.id, look.clone());
                suite.partner.list_passes(look).await
            })
            .await?;
        for pass in applied.passes {
            let request = IssuePassRequest {
                request_id: self.request_id("pass", &pass.vehicle_id),
                area: self.area.to_owned(),
                pass_id: pass.pass_id,
                ..IssuePassRequest::default()
            };
            self.suite
                .call(async |mut suite| {
                    let request = by(Role::Dispatcher, self.id, request.clone());
                    suite.freight.issue_pass(request).await
                })
                .await?;
        }
        Ok(())
    }

    /// All shipments that a firm has or had accepted.
    pub async fn shipments_of(&self, carrier_id: &str) -> Result<Vec<Shipment>, Status> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListShipmentsRequest {
                area: self.area.to_owned(),
                page_size: PAGE,
                page_token,
                carrier_id: carrier_id.to_owned(),
                ..ListShipmentsRequest::default()
            };
            let page = self
                .suite
                .call(async |mut suite| {
                    let request = by(Role::Dispatcher, self.id, request.clone());
                    suite.partner.list_shipments(request).await
                })
                .await?;
            all.extend(page.shipments.into_iter().filter(is_accepted));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// What a firm did, by what the service says of it and its shipments.
    pub async fn work(
        &self,
        carrier_id: &str,
        shipments: &[Shipment],
    ) -> Result<CarrierWork, Status> {
        let request = GetCarrierRequest {
            area: self.area.to_owned(),
            min_position: 0,
            carrier_id: carrier_id.to_owned(),
        };
        let found = self
            .suite
            .call(async |mut suite| {
                let request = by(Role::Dispatcher, self.id, request.clone());
                suite.freight.get_carrier(request).await
            })
            .await?;
        let carrier = found.carrier.unwrap_or_default();
        let carried = shipments.iter().filter(|s| is_handed_over(s));
        Ok(CarrierWork {
            carrier: carrier.carrier_id,
            loads: carried.clone().count() as u64,
            grams: carried.map(|shipment| shipment.weight_grams).sum(),
            tenders: carrier.tenders_offered,
            accepted: carrier.tenders_accepted,
            declined: carrier.tenders_declined,
            expired: carrier.tenders_expired,
            on_time: carrier.arrivals_on_time,
            late: carrier.arrivals_late,
            incidents: carrier.incidents,
        })
    }
}

/// Firm after firm, so that who is asked next follows from the day alone.
pub(super) async fn answer(suite: &Suite, robots: &mut [Robot]) -> anyhow::Result<()> {
    for robot in robots {
        // What the last one declined is this one's by now.
        suite.settle().await?;
        let answered = async {
            robot.catch_up().await?;
            robot.answer().await
        };
        answered
            .await
            .map_err(|status| refused("a carrier answers", &status))?;
    }
    Ok(())
}

/// Somebody took it over.
pub(super) fn is_handed_over(shipment: &Shipment) -> bool {
    !shipment.receiver_id.is_empty()
}

pub(super) fn is_accepted(shipment: &Shipment) -> bool {
    !matches!(
        shipment.state(),
        ShipmentState::Unspecified
            | ShipmentState::Draft
            | ShipmentState::Tendered
            | ShipmentState::Cancelled
    )
}
