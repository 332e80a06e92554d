//! What the robot dispatcher does at the suite itself, past the proxy.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use decider::Role;
use proto::logistics::v1::{
    CancelShipmentRequest, Carrier, ChangeLoadRequest, CloseIncidentRequest, CloseShipmentRequest,
    DraftShipmentRequest, GetCarrierRequest, GetShipmentRequest, IncidentKind, IssuePassRequest,
    ListPassesRequest, ListProofsRequest, ListShipmentsRequest, Load, LoadLine,
    OpenIncidentRequest, Pass, PassState, Pickup, Place, PlaceKind, Proof, RegisterCarrierRequest,
    RevokePassRequest, Shipment, ShipmentState, TenderShipmentRequest, TransferCustodyRequest,
    WithdrawTenderRequest,
};
use tokio::time::Instant;
use tonic::{Code, Request, Status};

use crate::{
    access::token_id,
    client::{Suite, by},
};

/// Between looks at what the firm has done.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOAD_GRAMS: i64 = 500_000;
const PAGE: i32 = 200;

pub(super) struct Dispatcher {
    suite: Suite,
    pub(super) area: String,
    pub(super) firm: String,
    patience: Duration,
}

fn dispatcher<T>(message: T) -> Request<T> {
    by(Role::Dispatcher, "sandbox", message)
}

fn operator<T>(message: T) -> Request<T> {
    by(Role::Operator, "sandbox", message)
}

/// A call that is made again with the same request while the suite is away.
macro_rules! call {
    ($self:expr, $client:ident.$method:ident, $by:ident, $request:expr) => {{
        let request = &$request;
        $self
            .suite
            .call(async |suite| {
                let mut client = suite.$client;
                client.$method($by(request.clone())).await
            })
            .await
    }};
}

/// A dispatcher's call that changes something, with the area and an id.
macro_rules! freight {
    ($self:expr, $method:ident, $request:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        let request = $request {
            request_id: token_id(),
            area: $self.area.clone(),
            $($field: $value,)*
        };
        call!($self, freight.$method, dispatcher, request)
    }};
}

impl Dispatcher {
    pub(super) fn new(suite: Suite, area: String, firm: String, patience: Duration) -> Self {
        Self {
            suite,
            area,
            firm,
            patience,
        }
    }

    pub(super) async fn register(&self) -> Result<(), Status> {
        match self.carrier().await {
            Err(status) if status.code() == Code::NotFound => {}
            known => return known.map(drop),
        }
        freight!(
            self,
            register_carrier,
            RegisterCarrierRequest {
                carrier_id: self.firm.clone(),
                name: self.firm.clone(),
            }
        )?;
        Ok(())
    }

    /// Looks until something is there, or patience ends. Passes that the firm
    /// applies for meanwhile are issued.
    pub(super) async fn until<T>(
        &self,
        mut look: impl AsyncFnMut() -> Result<Option<T>, Status>,
    ) -> Result<Option<T>, Status> {
        let give_up = Instant::now() + self.patience;
        loop {
            self.issue_passes().await?;
            let found = look().await?;
            if found.is_some() || Instant::now() >= give_up {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn issue_passes(&self) -> Result<(), Status> {
        for pass in self.passes(PassState::Applied).await? {
            freight!(
                self,
                issue_pass,
                IssuePassRequest {
                    pass_id: pass.pass_id,
                    zones: vec![],
                    from_time: None,
                    to_time: None,
                }
            )?;
        }
        Ok(())
    }

    pub(super) async fn passes(&self, state: PassState) -> Result<Vec<Pass>, Status> {
        let request = ListPassesRequest {
            area: self.area.clone(),
            carrier_id: self.firm.clone(),
            page_size: PAGE,
            state: state.into(),
            ..Default::default()
        };
        let answer = call!(self, partner.list_passes, dispatcher, request)?;
        Ok(answer.passes)
    }

    /// Gives the ids of those that it revoked.
    pub(super) async fn revoke_passes(&self) -> Result<BTreeSet<String>, Status> {
        let mut revoked = BTreeSet::new();
        for pass in self.passes(PassState::Issued).await? {
            freight!(
                self,
                revoke_pass,
                RevokePassRequest {
                    pass_id: pass.pass_id.clone(),
                    reason: "the sandbox revokes it".to_owned(),
                }
            )?;
            revoked.insert(pass.pass_id);
        }
        Ok(revoked)
    }

    pub(super) async fn carrier(&self) -> Result<Carrier, Status> {
        let request = GetCarrierRequest {
            area: self.area.clone(),
            carrier_id: self.firm.clone(),
            ..Default::default()
        };
        let answer = call!(self, freight.get_carrier, dispatcher, request)?;
        Ok(answer.carrier.unwrap_or_default())
    }

    /// The shipment, as the firm's; NOT_FOUND where it is not the firm's now.
    pub(super) async fn shipment(&self, id: &str) -> Result<Shipment, Status> {
        let request = GetShipmentRequest {
            area: self.area.clone(),
            carrier_id: self.firm.clone(),
            shipment_id: id.to_owned(),
            ..Default::default()
        };
        let answer = call!(self, partner.get_shipment, dispatcher, request)?;
        Ok(answer.shipment.unwrap_or_default())
    }

    pub(super) async fn proofs(&self, id: &str) -> Result<Vec<Proof>, Status> {
        let request = ListProofsRequest {
            area: self.area.clone(),
            carrier_id: self.firm.clone(),
            shipment_id: id.to_owned(),
            ..Default::default()
        };
        let answer = call!(self, partner.list_proofs, dispatcher, request)?;
        Ok(answer.proofs)
    }

    /// Where it stands, in words.
    pub(super) async fn told(&self, id: &str) -> Result<String, Status> {
        match self.shipment(id).await {
            Ok(shipment) => Ok(format!(
                "shipment {id} is {}, round {}",
                shipment
                    .state()
                    .as_str_name()
                    .trim_start_matches("SHIPMENT_STATE_"),
                shipment.round
            )),
            Err(status) if status.code() == Code::NotFound => Ok(format!(
                "shipment {id} was declined, or not answered in time"
            )),
            Err(status) => Err(status),
        }
    }

    pub(super) async fn shipment_when(
        &self,
        id: &str,
        test: impl Fn(&Shipment) -> bool,
    ) -> Result<Option<Shipment>, Status> {
        let look = async || match self.shipment(id).await {
            Ok(shipment) => Ok(Some(shipment).filter(|shipment| test(shipment))),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        };
        self.until(look).await
    }

    /// Tenders a new load to the firm; its id and the round.
    pub(super) async fn offer(&self) -> Result<(String, i32), Status> {
        let load = self.load(LOAD_GRAMS).await?;
        let drafted = freight!(
            self,
            draft_shipment,
            DraftShipmentRequest {
                load: Some(load),
                returns_shipment_id: String::new(),
                contacts: vec![],
            }
        )?;
        let id = drafted.shipment_id;
        let round = self.to_firm(&id, &drafted.carrier_id).await?;
        Ok((id, round))
    }

    /// Makes sure that it is the firm that is asked, and gives the round.
    async fn to_firm(&self, id: &str, asked: &str) -> Result<i32, Status> {
        if asked == self.firm {
            return Ok(self.shipment(id).await?.round);
        }
        if !asked.is_empty() {
            freight!(
                self,
                withdraw_tender,
                WithdrawTenderRequest {
                    shipment_id: id.to_owned(),
                }
            )?;
        }
        let tendered = freight!(
            self,
            tender_shipment,
            TenderShipmentRequest {
                shipment_id: id.to_owned(),
                carrier_id: self.firm.clone(),
            }
        )?;
        Ok(tendered.round)
    }

    /// Withdraws the open round and asks the firm again; the new round.
    pub(super) async fn tender_again(&self, id: &str) -> Result<i32, Status> {
        freight!(
            self,
            withdraw_tender,
            WithdrawTenderRequest {
                shipment_id: id.to_owned(),
            }
        )?;
        self.to_firm(id, "").await
    }

    /// Makes the load half as heavy again, and asks the firm anew; the new
    /// round.
    pub(super) async fn change_load(&self, id: &str) -> Result<i32, Status> {
        let load = self.load(LOAD_GRAMS * 3 / 2).await?;
        freight!(
            self,
            change_load,
            ChangeLoadRequest {
                shipment_id: id.to_owned(),
                load: Some(load),
            }
        )?;
        match self.shipment(id).await {
            Ok(shipment) if shipment.state() == ShipmentState::Tendered => Ok(shipment.round),
            // Somebody else was asked, or nobody.
            Ok(_) => self.to_firm(id, "").await,
            Err(status) if status.code() == Code::NotFound => {
                let withdrawn = freight!(
                    self,
                    withdraw_tender,
                    WithdrawTenderRequest {
                        shipment_id: id.to_owned(),
                    }
                );
                match withdrawn {
                    Err(status) if status.code() != Code::FailedPrecondition => Err(status),
                    _ => self.to_firm(id, "").await,
                }
            }
            Err(status) => Err(status),
        }
    }

    /// From the first zone that the firm drives in to the last.
    async fn load(&self, grams: i64) -> Result<Load, Status> {
        let carrier = self.carrier().await?;
        let zones = carrier.offers.first().map(|offer| &offer.zones[..]);
        let zones = zones.unwrap_or_default();
        let place = |kind: PlaceKind, id: &str, zone: Option<&String>| Place {
            kind: kind.into(),
            place_id: id.to_owned(),
            zone: zone.cloned().unwrap_or_default(),
        };
        let now = SystemTime::now();
        let after = |hours: u64| Some((now + Duration::from_secs(hours * 3_600)).into());
        Ok(Load {
            pickups: vec![Pickup {
                stop_id: "depot".to_owned(),
                place: Some(place(PlaceKind::Depot, "sandbox-depot", zones.first())),
                from_time: Some(now.into()),
                to_time: after(2),
                lines: vec![LoadLine {
                    line_id: "rice".to_owned(),
                    product_id: "rice".to_owned(),
                    quantity_units: grams / 5_000,
                    weight_grams: grams,
                    labels: vec![],
                }],
            }],
            destination: Some(place(PlaceKind::Checkpoint, "sandbox-gate", zones.last())),
            due_from_time: Some(now.into()),
            due_to_time: after(6),
            order_ids: vec![],
        })
    }

    pub(super) async fn take_over(&self, id: &str) -> Result<(), Status> {
        freight!(
            self,
            transfer_custody,
            TransferCustodyRequest {
                shipment_id: id.to_owned(),
                receiver_id: "sandbox-keeper".to_owned(),
                lines: vec![],
            }
        )?;
        Ok(())
    }

    pub(super) async fn close(&self, id: &str) -> Result<(), Status> {
        freight!(
            self,
            close_shipment,
            CloseShipmentRequest {
                shipment_id: id.to_owned(),
            }
        )?;
        Ok(())
    }

    pub(super) async fn open_incident(&self, id: &str) -> Result<String, Status> {
        let request = OpenIncidentRequest {
            request_id: token_id(),
            area: self.area.clone(),
            carrier_id: self.firm.clone(),
            shipment_id: id.to_owned(),
            kind: IncidentKind::CheckpointClosed.into(),
            note: "the sandbox closes the checkpoint".to_owned(),
        };
        let answer = call!(self, partner.open_incident, operator, request)?;
        Ok(answer.incident_id)
    }

    pub(super) async fn close_incident(&self, id: &str, incident: &str) -> Result<(), Status> {
        let request = CloseIncidentRequest {
            request_id: token_id(),
            area: self.area.clone(),
            carrier_id: self.firm.clone(),
            shipment_id: id.to_owned(),
            incident_id: incident.to_owned(),
            resolution: "the checkpoint is open again".to_owned(),
        };
        self.suite
            .call(async |suite| {
                let mut client = suite.partner;
                client.close_incident(operator(request.clone())).await
            })
            .await?;
        Ok(())
    }

    /// Takes the firm's open loads away, so that the next step begins afresh.
    /// What is on its way stays.
    pub(super) async fn give_up_open_loads(&self) -> Result<(), Status> {
        let request = ListShipmentsRequest {
            area: self.area.clone(),
            carrier_id: self.firm.clone(),
            page_size: PAGE,
            ..Default::default()
        };
        let answer = call!(self, partner.list_shipments, dispatcher, request)?;
        for shipment in answer.shipments {
            let cancelled = freight!(
                self,
                cancel_shipment,
                CancelShipmentRequest {
                    shipment_id: shipment.shipment_id,
                    reason: "the step of the sandbox is over".to_owned(),
                }
            );
            match cancelled {
                Err(status) if status.code() != Code::FailedPrecondition => return Err(status),
                _ => {}
            }
        }
        Ok(())
    }
}
