//! What of a shipment is personal is sealed with a key of the shipment's own.

use decider::Area;
use proto::types::v1::Sealed;
use service_kit::{
    sealing::{SealingError, shipment_key},
    status::{retry, status},
};
use tonic::{Code, Status};

use super::{SERVICE, Service};

/// Keeps MACs of PINs apart from those of anything else.
const PIN: &str = "pin";

impl Service {
    pub(super) async fn seal(
        &self,
        area: &Area,
        shipment_id: &str,
        plain: &[u8],
    ) -> Result<Sealed, Status> {
        let key_id = shipment_key(area, shipment_id);
        let sealed = self.keys.seal(&key_id, plain).await;
        sealed.map_err(|error| refused(&error, shipment_id))
    }

    /// None where it was erased. What a shipment took along from another is
    /// under that one's key, and never under one of another area or kind.
    pub(super) async fn open(
        &self,
        area: &Area,
        sealed: &Sealed,
        shipment_id: &str,
    ) -> Result<Option<Vec<u8>>, Status> {
        if !sealed.key_id.starts_with(&shipment_key(area, "")) {
            tracing::error!(shipment = shipment_id, "it has something of another's");
            return Ok(None);
        }
        let opened = self.keys.open_sealed(sealed).await;
        opened.map_err(|error| refused(&error, shipment_id))
    }

    pub(super) async fn pin_mac(
        &self,
        area: &Area,
        shipment_id: &str,
        pin: &str,
    ) -> Result<[u8; 32], Status> {
        let key_id = shipment_key(area, shipment_id);
        let mac = self.keys.mac(&key_id, PIN, pin.as_bytes()).await;
        mac.map_err(|error| refused(&error, shipment_id))
    }
}

fn refused(error: &SealingError, shipment_id: &str) -> Status {
    match error {
        SealingError::Erased(_) => status(
            SERVICE,
            Code::FailedPrecondition,
            "PERSONAL_DATA_ERASED",
            format!(
                "the personal data of shipment {shipment_id} were erased, and no more are taken"
            ),
        ),
        SealingError::Bus(_) => retry(
            SERVICE,
            Code::Unavailable,
            "KEYS_UNREACHABLE",
            "the keys for personal data cannot be reached; try again",
        ),
        error => {
            tracing::error!(%error, "what is personal of a shipment cannot be sealed or opened");
            status(SERVICE, Code::Internal, "SEALING_FAILED", error.to_string())
        }
    }
}
