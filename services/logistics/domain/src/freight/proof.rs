//! Proofs of delivery, and of stops that failed, goods that came back and
//! shipments that were cancelled while the vehicle was on its way.
//!
//! A photo is named by its hash. It may come later than its proof, since a
//! driver's connection is often too weak for it at the door.

use decider::{Context, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, ProofKind, ProofOutcome},
    time::{or_epoch, to_proto},
    types::v1::Sealed,
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject,
    command::RecordProof,
    execution::check_occurred,
    pin::{self, Told},
};
use crate::state::Moment;

/// Proofs of one shipment.
pub const PROOFS_MAX: usize = 50;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    pub proof_id: String,
    /// Empty for the destination.
    pub stop_id: String,
    pub kind: ProofKind,
    pub outcome: ProofOutcome,
    pub content_sha256: Vec<u8>,
    pub barcodes: Vec<String>,
    pub relation: String,
    pub recipient: Option<Sealed>,
    pub pin_checked: bool,
    pub occurred: Timestamp,
}

pub(crate) fn record(
    freight: &Freight,
    command: &RecordProof,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_of(&context.area, &command.shipment_id, &command.carrier_id)?;
    let accepted = shipment.accepted().is_some();
    shipment.must(accepted, "proofs are those of an accepted shipment")?;
    let known = command.stop_id.is_empty() || shipment.load.pickup(&command.stop_id).is_some();
    if !known {
        return Err(Rejection::unknown(Subject::Stop, &command.stop_id));
    }
    if let Some(needed) = missing(command) {
        let kind = command.kind.as_str_name();
        let kind = kind.trim_start_matches("PROOF_KIND_");
        return Err(Rejection::ProofIncomplete { kind, needed });
    }
    check_occurred(&shipment, command.occurred, context)?;
    if shipment.proofs.len() >= PROOFS_MAX {
        return Err(Rejection::ShipmentFull {
            shipment_id: command.shipment_id.clone(),
            what: "proofs",
            most: PROOFS_MAX,
        });
    }
    if let Some(mac) = &command.pin_mac
        && let Told::Wrong(refused) = pin::check(&shipment, &command.carrier_id, mac)?
    {
        return Ok(vec![refused.into()]);
    }
    Ok(vec![event(command, context.new_id(0)).into()])
}

/// What the kind of proof needs.
fn missing(command: &RecordProof) -> Option<&'static str> {
    match command.kind {
        ProofKind::Photo | ProofKind::Signature => command
            .content_sha256
            .is_none()
            .then_some("the photo's SHA-256"),
        ProofKind::Barcode => command.barcodes.is_empty().then_some("what was scanned"),
        ProofKind::Pin => command.pin_mac.is_none().then_some("the receiver's PIN"),
        ProofKind::Unspecified => Some("its kind"),
    }
}

fn event(command: &RecordProof, proof_id: String) -> pb::ProofRecorded {
    let content = command.content_sha256.map(|hash| hash.to_vec());
    let mut barcodes = command.barcodes.iter().cloned();
    pb::ProofRecorded {
        shipment_id: command.shipment_id.clone(),
        proof_id,
        stop_id: command.stop_id.clone(),
        kind: command.kind.into(),
        outcome: command.outcome.into(),
        content_sha256: content.unwrap_or_default(),
        barcode: barcodes.next().unwrap_or_default(),
        further_barcodes: barcodes.collect(),
        relation: command.relation.clone(),
        recipient: command.recipient.clone(),
        occurred_time: Some(to_proto(command.occurred)),
        pin_checked: command.pin_mac.is_some(),
    }
}

pub(crate) fn recorded(freight: &mut Freight, moment: &Moment<'_>, event: &pb::ProofRecorded) {
    let first = Some(&event.barcode).filter(|barcode| !barcode.is_empty());
    let barcodes = first.into_iter().chain(&event.further_barcodes).cloned();
    freight.change(&event.shipment_id, moment, |shipment| {
        shipment.keyed |= event.recipient.is_some();
        shipment.proofs.push(Proof {
            proof_id: event.proof_id.clone(),
            stop_id: event.stop_id.clone(),
            kind: event.kind(),
            outcome: event.outcome(),
            content_sha256: event.content_sha256.clone(),
            barcodes: barcodes.collect(),
            relation: event.relation.clone(),
            recipient: event.recipient.clone(),
            pin_checked: event.pin_checked,
            occurred: or_epoch(event.occurred_time.as_ref()),
        });
    });
}
