//! The same for proofs, photos and PINs.

use decider::Timestamp;
use logistics_domain as domain;
use proto::logistics::v1::{self as pb, ProofKind, upload_photo_request::Part};
use service_kit::fields::Fields;
use tonic::Status;

use super::{LABEL_MAX, SERVICE};
use crate::{
    config::PhotoLimits,
    photos::{Hash, PHOTO_BYTES_MAX},
};

const BARCODES_MAX: usize = 100;
const NAME_MAX: usize = 100;
pub const PIN_DIGITS: usize = 6;

/// A proof whose name is not sealed and whose PIN is in clear yet.
pub struct Proof {
    pub command: domain::RecordProof,
    pub name: String,
    pub pin: String,
}

pub fn proof(request: &pb::RecordProofRequest) -> Result<Proof, Status> {
    let mut fields = Fields::new();
    let barcodes = &request.barcodes;
    fields.list("barcodes", barcodes, 0..=BARCODES_MAX);
    let barcodes = barcodes.iter().take(BARCODES_MAX).enumerate();
    let barcodes = barcodes.map(|(n, code)| {
        let field = format!("barcodes[{n}]");
        let scanned = code.bytes().all(|byte| byte.is_ascii_graphic());
        fields.check(
            scanned,
            &field,
            "has other signs than a scanner gives (ASCII, no blanks)",
        );
        // It may look like a telephone number and is none.
        fields.sealed_text(&field, code, 1..=LABEL_MAX)
    });
    let barcodes = barcodes.collect();
    let pin = &request.pin;
    let digits = pin.len() == PIN_DIGITS && pin.bytes().all(|b| b.is_ascii_digit());
    fields.check(pin.is_empty() || digits, "pin", "must be six digits");
    let relation: Option<pb::RecipientRelation> =
        fields.optional_choice("relation", request.relation);
    let stop_id = fields.optional_code("stop_id", &request.stop_id);
    let kind: ProofKind = fields.choice("kind", request.kind);
    let command = domain::RecordProof {
        shipment_id: fields.code("shipment_id", &request.shipment_id),
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        stop_id: stop_id.unwrap_or_default(),
        kind,
        outcome: fields.choice("outcome", request.outcome),
        content_sha256: optional_hash(&mut fields, "photo_sha256", &request.photo_sha256),
        barcodes,
        relation: relation.map_or_else(String::new, relation_word),
        recipient: None,
        pin_mac: None,
        occurred: fields.time("occurred_time", request.occurred_time.as_ref()),
    };
    let name = fields.sealed_text("recipient_name", &request.recipient_name, 0..=NAME_MAX);
    fields.finish(SERVICE)?;
    let pin = pin.clone();
    Ok(Proof { command, name, pin })
}

/// As events have it: `colleague`.
fn relation_word(relation: pb::RecipientRelation) -> String {
    let name = relation.as_str_name();
    name.trim_start_matches("RECIPIENT_RELATION_")
        .to_lowercase()
}

/// What an event's word for it is; unspecified for one that is not known.
pub fn relation(word: &str) -> pb::RecipientRelation {
    let name = format!("RECIPIENT_RELATION_{}", word.to_uppercase());
    pb::RecipientRelation::from_str_name(&name).unwrap_or_default()
}

fn optional_hash(fields: &mut Fields, field: &str, bytes: &[u8]) -> Option<Hash> {
    (!bytes.is_empty()).then(|| hash(fields, field, bytes))
}

fn hash(fields: &mut Fields, field: &str, bytes: &[u8]) -> Hash {
    let hash = Hash::try_from(bytes);
    fields.check(hash.is_ok(), field, "must be the 32 bytes of a SHA-256");
    hash.unwrap_or_default()
}

/// A shipment and who asks about it.
pub fn of_shipment(carrier_id: &str, shipment_id: &str) -> Result<(), Status> {
    let mut fields = Fields::new();
    fields.code("carrier_id", carrier_id);
    fields.code("shipment_id", shipment_id);
    fields.finish(SERVICE)
}

/// A photo of a shipment.
pub fn photo(carrier_id: &str, shipment_id: &str, sha256: &[u8]) -> Result<Hash, Status> {
    let mut fields = Fields::new();
    fields.code("carrier_id", carrier_id);
    fields.code("shipment_id", shipment_id);
    let hash = hash(&mut fields, "sha256", sha256);
    fields.finish(SERVICE)?;
    Ok(hash)
}

pub struct Header {
    pub command: domain::StorePhoto,
    pub size: u64,
    pub offset: u64,
}

/// The first message of an upload; none where it has no header.
pub fn upload(
    request: &pb::UploadPhotoRequest,
    limits: &PhotoLimits,
    now: Timestamp,
) -> Option<Result<Header, Status>> {
    let Some(Part::Header(header)) = &request.part else {
        return None;
    };
    let mut fields = Fields::new();
    let size = fields.number("header.size_bytes", header.size_bytes, 1..=PHOTO_BYTES_MAX);
    let most = header.size_bytes.clamp(0, PHOTO_BYTES_MAX);
    let offset = fields.number("header.offset_bytes", header.offset_bytes, 0..=most);
    let command = domain::StorePhoto {
        shipment_id: fields.code("header.shipment_id", &header.shipment_id),
        carrier_id: fields.code("carrier_id", &request.carrier_id),
        content_sha256: hash(&mut fields, "header.sha256", &header.sha256),
        format: fields.choice("header.format", header.format),
        size_bytes: size,
        delete_at: now.plus_minutes(limits.retention_minutes),
        household_id: fields.optional_code("header.household_id", &header.household_id),
        order_id: fields.optional_code("header.order_id", &header.order_id),
        quota_bytes: limits.quota_bytes,
    };
    let parsed = fields.finish(SERVICE).map(|()| Header {
        command,
        size: size.unsigned_abs(),
        offset: offset.unsigned_abs(),
    });
    Some(parsed)
}
