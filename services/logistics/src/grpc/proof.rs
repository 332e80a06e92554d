//! Proofs, PINs and the manifest.

use decider::{Area, Rejected};
use logistics_domain::{self as domain, FreightRejection, IssuePin, Rejection};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, PhotoState},
    time::to_proto,
};
use rand::Rng;
use service_kit::status::{not_found, status};
use tonic::{Request, Response, Status};

use super::{Answer, SERVICE, Service, access::Look};
use crate::{
    error, masking,
    parse::proof::{self as parse, PIN_DIGITS},
    photos::{Hash, Store},
};

impl Service {
    pub(super) async fn prove(
        &self,
        request: Request<pb::RecordProofRequest>,
    ) -> Answer<pb::RecordProofResponse> {
        let (call, message) = self.partitions.command(request)?;
        let parse::Proof {
            mut command,
            name,
            pin,
        } = parse::proof(&message)?;
        let (area, id) = (call.area().clone(), command.shipment_id.clone());
        // Nothing is sealed for what is not the firm's: it is refused below.
        let partition = self.partitions.hosting(&area)?;
        let (own, has_pin) = partition.peek(|machine| {
            let shipment = machine.state().shipment(&area, &id);
            let own = shipment.filter(|s| s.carrier() == Some(&command.carrier_id));
            (own.is_some(), own.is_some_and(|s| s.pin.is_some()))
        });
        if own && !name.is_empty() {
            command.recipient = Some(self.seal(&area, &id, name.as_bytes()).await?);
        }
        if !pin.is_empty() {
            command.pin_mac = Some(if has_pin {
                self.pin_mac(&area, &id, &pin).await?
            } else {
                Hash::default()
            });
        }
        let committed = call.run(command.into()).await?;
        let mut events = committed.records.iter().map(|record| &record.event);
        let proof_id = events.find_map(|event| match event {
            LogisticsEvent::ProofRecorded(event) => Some(Ok(event.proof_id.clone())),
            LogisticsEvent::PinRefused(event) => Some(Err(wrong_pin(event))),
            _ => None,
        });
        Ok(Response::new(pb::RecordProofResponse {
            position: committed.position.0,
            proof_id: proof_id.transpose()?.unwrap_or_default(),
        }))
    }

    pub(super) async fn pin(
        &self,
        request: Request<pb::IssuePinRequest>,
    ) -> Answer<pb::IssuePinResponse> {
        let (call, message) = self.partitions.command(request)?;
        parse::of_shipment("any", &message.shipment_id)?;
        let (area, id) = (call.area().clone(), message.shipment_id);
        let partition = self.partitions.hosting(&area)?;
        let known = partition.peek(|machine| machine.state().shipment(&area, &id).is_some());
        let pin = new_pin();
        let pin_mac = if known {
            self.pin_mac(&area, &id, &pin).await?
        } else {
            Hash::default()
        };
        let shipment_id = id;
        let issue = IssuePin {
            shipment_id,
            pin_mac,
        };
        let committed = call.run(issue.into()).await?;
        Ok(Response::new(pb::IssuePinResponse {
            position: committed.position.0,
            // What was recorded is the MAC of the first answer's.
            pin: if committed.repeated {
                String::new()
            } else {
                pin
            },
        }))
    }

    pub(super) async fn proofs(
        &self,
        request: Request<pb::ListProofsRequest>,
    ) -> Answer<pb::ListProofsResponse> {
        let asker = self.partitions.asker(&request)?;
        let message = request.get_ref();
        let (id, carrier_id) = (&message.shipment_id, &message.carrier_id);
        parse::of_shipment(carrier_id, id)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let shipment = machine.state().shipment(area, id)?;
                let own = shipment.carrier() == Some(carrier_id);
                own.then(|| {
                    let clear = shipment.shows_personal_data(asker.actor.role, carrier_id);
                    let (proofs, photos) = (shipment.proofs.clone(), shipment.photos.clone());
                    (area.clone(), proofs, photos, clear)
                })
            })
            .await?;
        let (area, proofs, photos, clear) =
            found.ok_or_else(|| not_found(SERVICE, "shipment", "shipment_id", id))?;
        let look = Look {
            asker: &asker,
            area: &area,
            shipment_id: id,
            carrier_id,
            method: "ListProofs",
            content: None,
        };
        if clear && proofs.iter().any(|p| p.recipient.is_some()) {
            self.note_access(&look).await?;
        }
        let store = self.store(&area)?;
        let mut views = Vec::new();
        for proof in &proofs {
            let name = self.recipient(&area, id, proof, clear).await?;
            views.push(view(proof, name, photo_state(&photos, proof, &store)));
        }
        Ok(Response::new(pb::ListProofsResponse {
            as_of_position: position.0,
            proofs: views,
        }))
    }

    /// Empty where there is none, or none any more.
    async fn recipient(
        &self,
        area: &Area,
        shipment_id: &str,
        proof: &domain::Proof,
        clear: bool,
    ) -> Result<String, Status> {
        let Some(sealed) = &proof.recipient else {
            return Ok(String::new());
        };
        let plain = self.open(area, sealed, shipment_id).await?;
        let name = plain.map_or_else(String::new, |plain| {
            String::from_utf8_lossy(&plain).into_owned()
        });
        Ok(if clear { name } else { masking::name(&name) })
    }

    pub(super) async fn manifest(
        &self,
        request: Request<pb::GetManifestRequest>,
    ) -> Answer<pb::GetManifestResponse> {
        let message = request.get_ref();
        let (id, carrier_id) = (&message.shipment_id, &message.carrier_id);
        parse::of_shipment(carrier_id, id)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let state = machine.state();
                let shipment = state.shipment(area, id)?;
                let own = shipment.carrier() == Some(carrier_id);
                own.then(|| state.manifest(area, id)).flatten()
            })
            .await?;
        let manifest = found.ok_or_else(|| not_found(SERVICE, "shipment", "shipment_id", id))?;
        Ok(Response::new(pb::GetManifestResponse {
            as_of_position: position.0,
            manifest: Some(manifest),
        }))
    }
}

/// It was counted, so that it is an event; to who told it, it is a refusal.
fn wrong_pin(refused: &pb::PinRefused) -> Status {
    let rejection = Rejection::from(FreightRejection::of_pin(refused));
    let (code, reason) = (error::code(&rejection), rejection.reason());
    status(SERVICE, code, reason, rejection.to_string())
}

fn new_pin() -> String {
    let number = rand::rng().random_range(0..10_u32.pow(6));
    format!("{number:0PIN_DIGITS$}")
}

fn view(proof: &domain::Proof, recipient_name: String, photo: PhotoState) -> pb::Proof {
    pb::Proof {
        proof_id: proof.proof_id.clone(),
        stop_id: proof.stop_id.clone(),
        kind: proof.kind.into(),
        outcome: proof.outcome.into(),
        photo_sha256: proof.content_sha256.clone(),
        photo_state: photo.into(),
        barcodes: proof.barcodes.clone(),
        relation: parse::relation(&proof.relation).into(),
        recipient_name,
        pin_checked: proof.pin_checked,
        occurred_time: Some(to_proto(proof.occurred)),
    }
}

/// Of the photo that a proof names; whoever had the shipment may have taken it.
fn photo_state(photos: &[domain::Photo], proof: &domain::Proof, store: &Store) -> PhotoState {
    let Ok(hash) = Hash::try_from(&proof.content_sha256[..]) else {
        return PhotoState::Unspecified;
    };
    let of_it = |photo: &&domain::Photo| photo.content_sha256 == hash;
    let known = || photos.iter().filter(of_it);
    let kept = known().any(|photo| photo.erased.is_none());
    match (kept, known().next()) {
        (true, _) if store.has(&hash) => PhotoState::Stored,
        (true, _) => PhotoState::Missing,
        (false, Some(_)) => PhotoState::Erased,
        (false, None) => PhotoState::Pending,
    }
}
