//! Keeps every firm in loads: takes over what has arrived, and tenders the
//! next.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use prost_types::Timestamp;
use proto::logistics::v1::{
    CloseShipmentRequest, DraftShipmentRequest, IssuePassRequest, ListPassesRequest,
    ListShipmentsRequest, Load, LoadLine, PassState, Pickup, Place, PlaceKind,
    RegisterCarrierRequest, ShipmentState, TenderShipmentRequest, TransferCustodyRequest,
    WithdrawTenderRequest, freight_service_client::FreightServiceClient,
    partner_service_client::PartnerServiceClient,
};
use tokio_util::sync::CancellationToken;

use crate::suite::{AREA, Link, Suite, link};

const ROUND: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub struct Dispatcher {
    freight: FreightServiceClient<Link>,
    partner: PartnerServiceClient<Link>,
}

fn id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

pub fn after(seconds: u64) -> Option<Timestamp> {
    Some((SystemTime::now() + Duration::from_secs(seconds)).into())
}

impl Dispatcher {
    pub fn connect(suite: &Suite) -> anyhow::Result<Self> {
        let token = suite.token(&["--role", "dispatcher", "--subject", "dispatcher-1"])?;
        let link = link(suite.logistics, &token)?;
        Ok(Self {
            freight: FreightServiceClient::new(link.clone()),
            partner: PartnerServiceClient::new(link),
        })
    }

    pub async fn bring_in(&self, carrier_id: &str) -> anyhow::Result<()> {
        let request = RegisterCarrierRequest {
            request_id: id(),
            area: AREA.into(),
            carrier_id: carrier_id.into(),
            name: carrier_id.into(),
        };
        self.freight.clone().register_carrier(request).await?;
        Ok(())
    }

    /// Looks at each firm in turn, until it is stopped.
    pub async fn keep_in_loads(
        mut self,
        firms: Vec<String>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        // A firm's pass, and its load that is not at its end.
        let mut entered = HashMap::new();
        while !stop.is_cancelled() {
            let round = tokio::time::Instant::now();
            for firm in &firms {
                if !entered.contains_key(firm) && !self.let_in(firm).await? {
                    continue;
                }
                let load = entered.entry(firm.clone()).or_insert(None);
                if load.is_none() || self.at_its_end(firm, load.as_deref()).await? {
                    *load = Some(self.tender(firm).await?);
                }
            }
            tokio::time::sleep_until(round + ROUND).await;
        }
        Ok(())
    }

    /// Issues the pass that a firm applied for; whether there was one.
    async fn let_in(&mut self, firm: &str) -> anyhow::Result<bool> {
        let request = ListPassesRequest {
            area: AREA.into(),
            carrier_id: firm.into(),
            state: PassState::Applied.into(),
            ..Default::default()
        };
        let passes = self.partner.list_passes(request).await?.into_inner().passes;
        for pass in &passes {
            let request = IssuePassRequest {
                request_id: id(),
                area: AREA.into(),
                pass_id: pass.pass_id.clone(),
                ..Default::default()
            };
            self.freight.issue_pass(request).await?;
        }
        Ok(!passes.is_empty())
    }

    /// Takes over the load that was declared, and closes it.
    async fn at_its_end(&mut self, firm: &str, load: Option<&str>) -> anyhow::Result<bool> {
        let request = ListShipmentsRequest {
            area: AREA.into(),
            carrier_id: firm.into(),
            state: ShipmentState::ArrivedDestination.into(),
            ..Default::default()
        };
        let there = self.partner.list_shipments(request).await?.into_inner();
        let there = there
            .shipments
            .iter()
            .find(|shipment| Some(&*shipment.shipment_id) == load && !shipment.declared.is_empty());
        let Some(shipment) = there else {
            return Ok(false);
        };
        let request = TransferCustodyRequest {
            request_id: id(),
            area: AREA.into(),
            shipment_id: shipment.shipment_id.clone(),
            receiver_id: "keeper-1".into(),
            ..Default::default()
        };
        self.freight.transfer_custody(request).await?;
        let request = CloseShipmentRequest {
            request_id: id(),
            area: AREA.into(),
            shipment_id: shipment.shipment_id.clone(),
        };
        self.freight.close_shipment(request).await?;
        Ok(true)
    }

    async fn tender(&mut self, firm: &str) -> anyhow::Result<String> {
        let request = DraftShipmentRequest {
            request_id: id(),
            area: AREA.into(),
            load: Some(load()),
            returns_shipment_id: String::new(),
            contacts: vec![],
        };
        let drafted = self.freight.draft_shipment(request).await?.into_inner();
        let shipment_id = drafted.shipment_id;
        if drafted.carrier_id == firm {
            return Ok(shipment_id);
        }
        if !drafted.carrier_id.is_empty() {
            let request = WithdrawTenderRequest {
                request_id: id(),
                area: AREA.into(),
                shipment_id: shipment_id.clone(),
            };
            self.freight.withdraw_tender(request).await?;
        }
        let request = TenderShipmentRequest {
            request_id: id(),
            area: AREA.into(),
            shipment_id: shipment_id.clone(),
            carrier_id: firm.into(),
        };
        let tendered = self.freight.tender_shipment(request).await;
        tendered.context("a tender to a firm")?;
        Ok(shipment_id)
    }
}

fn load() -> Load {
    let place = |kind: PlaceKind, place_id: &str, zone: &str| Place {
        kind: kind.into(),
        place_id: place_id.into(),
        zone: zone.into(),
    };
    Load {
        pickups: vec![Pickup {
            stop_id: "depot".into(),
            place: Some(place(PlaceKind::Depot, "depot-1", "valley")),
            from_time: after(0),
            to_time: after(3_600),
            lines: vec![LoadLine {
                line_id: "rice".into(),
                product_id: "rice".into(),
                quantity_units: 100,
                weight_grams: 500_000,
                labels: vec![],
            }],
        }],
        destination: Some(place(PlaceKind::Checkpoint, "gate-1", "town")),
        due_from_time: after(0),
        due_to_time: after(7_200),
        order_ids: vec![],
    }
}
