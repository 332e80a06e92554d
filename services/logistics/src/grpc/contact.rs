//! Whom the driver asks for at the stops: sealed when it comes, masked or in
//! clear when it is shown.

use std::collections::BTreeMap;

use decider::Area;
use logistics_domain::{Logistics, SetContacts};
use prost::Message;
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, StopContact},
    types::v1::Sealed,
};
use service_kit::{call::Call, status::not_found};
use tonic::{Request, Response, Status};

use super::{Answer, Done, SERVICE, Service, access::Look};
use crate::{
    masking,
    parse::{contact as parse, freight},
};

/// What a look at the state gave.
struct Seen {
    area: Area,
    answer: pb::Shipment,
    contacts: BTreeMap<String, Sealed>,
    /// Whether they are shown in clear.
    clear: bool,
}

impl Service {
    /// The load first, so that its contacts can be sealed under its key. What a
    /// crash leaves without them gets them when the request comes again.
    pub(super) async fn draft(
        &self,
        request: Request<pb::DraftShipmentRequest>,
    ) -> Result<(Done<pb::DraftShipmentRequest>, u64), Status> {
        let (call, message) = self.partitions.command(request)?;
        let contacts = parse::contacts(&message.contacts, message.load.as_ref())?;
        let rest = call.part(1, &message);
        let committed = call.run(freight::draft_shipment(&message)?).await?;
        let drafted = committed.records.iter().find_map(|r| match &r.event {
            LogisticsEvent::ShipmentDrafted(event) => Some(event.shipment_id.clone()),
            _ => None,
        });
        let mut position = committed.position.0;
        if let Some(shipment_id) = drafted
            && !contacts.is_empty()
        {
            position = self.give_contacts(rest, shipment_id, &contacts).await?;
        }
        Ok((Done { committed, message }, position))
    }

    pub(super) async fn contacts(
        &self,
        request: Request<pb::SetContactsRequest>,
    ) -> Answer<pb::SetContactsResponse> {
        let (call, message) = self.partitions.command(request)?;
        let contacts = parse::contacts(&message.contacts, None)?;
        let shipment_id = parse::shipment_id(&message.shipment_id)?;
        let position = self.give_contacts(call, shipment_id, &contacts).await?;
        Ok(Response::new(pb::SetContactsResponse { position }))
    }

    async fn give_contacts(
        &self,
        call: Call<Logistics>,
        shipment_id: String,
        contacts: &[StopContact],
    ) -> Result<u64, Status> {
        let area = call.area().clone();
        let partition = self.partitions.hosting(&area)?;
        // Nothing is sealed for what does not exist: it is refused below.
        let open = partition.peek(|machine| {
            let shipment = machine.state().shipment(&area, &shipment_id);
            shipment.is_some_and(|shipment| shipment.ended.is_none())
        });
        let mut sealed = BTreeMap::new();
        for contact in contacts.iter().filter(|_| open) {
            let plain = StopContact {
                stop_id: String::new(),
                ..contact.clone()
            };
            let plain = plain.encode_to_vec();
            let contact_sealed = self.seal(&area, &shipment_id, &plain).await?;
            sealed.insert(contact.stop_id.clone(), contact_sealed);
        }
        let contacts = sealed;
        let set = SetContacts {
            shipment_id,
            contacts,
        };
        Ok(call.run(set.into()).await?.position.0)
    }

    pub(super) async fn shipment(
        &self,
        request: Request<pb::GetShipmentRequest>,
    ) -> Answer<pb::GetShipmentResponse> {
        let asker = self.partitions.asker(&request)?;
        let message = request.get_ref();
        let id = &message.shipment_id;
        let carrier_id = freight::carrier_id(&message.carrier_id)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let shipment = machine.state().shipment(area, id)?;
                let own = shipment.carrier() == Some(&carrier_id);
                own.then(|| Seen {
                    area: area.clone(),
                    answer: shipment.to_message(),
                    contacts: shipment.contacts.clone(),
                    clear: shipment.shows_personal_data(asker.actor.role, &carrier_id),
                })
            })
            .await?;
        let seen = found.ok_or_else(|| not_found(SERVICE, "shipment", "shipment_id", id))?;
        let look = Look {
            asker: &asker,
            area: &seen.area,
            shipment_id: id,
            carrier_id: &carrier_id,
            method: "GetShipment",
            content: None,
        };
        let mut answer = seen.answer.clone();
        if !seen.contacts.is_empty() {
            if seen.clear {
                self.note_access(&look).await?;
            }
            answer.contacts = self.opened(&seen).await?;
            answer.contacts_masked = !seen.clear;
        }
        Ok(Response::new(pb::GetShipmentResponse {
            as_of_position: position.0,
            shipment: Some(answer),
        }))
    }

    /// Those of which the key is gone are not there any more.
    async fn opened(&self, seen: &Seen) -> Result<Vec<StopContact>, Status> {
        let shipment_id = &seen.answer.shipment_id;
        let mut contacts = Vec::new();
        for (stop_id, sealed) in &seen.contacts {
            let plain = self.open(&seen.area, sealed, shipment_id).await?;
            let Some(contact) = plain.and_then(|plain| StopContact::decode(&*plain).ok()) else {
                continue;
            };
            let (name, phone) = if seen.clear {
                (contact.name, contact.phone)
            } else {
                (masking::name(&contact.name), masking::phone(&contact.phone))
            };
            contacts.push(StopContact {
                stop_id: stop_id.clone(),
                name,
                phone,
            });
        }
        Ok(contacts)
    }
}
