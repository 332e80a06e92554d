//! Whoever is shown personal data in clear is recorded before, with who he is,
//! whose data they are, by which method and why. If it cannot be recorded, they
//! are not shown.

use decider::{Area, Position, Role};
use logistics_domain::RecordAccess;
use service_kit::{call::Asker, status};
use tonic::Status;

use super::{SERVICE, Service};

/// What somebody is about to be shown.
pub(super) struct Look<'a> {
    pub asker: &'a Asker,
    pub area: &'a Area,
    pub shipment_id: &'a str,
    pub carrier_id: &'a str,
    pub method: &'static str,
    /// Of a photo.
    pub content: Option<[u8; 32]>,
}

impl Service {
    /// Only when this has given back may it be shown.
    pub(super) async fn note_access(&self, look: &Look<'_>) -> Result<(), Status> {
        let purpose = match &*look.asker.purpose {
            "" => usual_purpose(look.asker.actor.role),
            told => told,
        };
        let access = RecordAccess {
            shipment_id: look.shipment_id.to_owned(),
            carrier_id: look.carrier_id.to_owned(),
            method: look.method.to_owned(),
            purpose: purpose.to_owned(),
            content_sha256: look.content,
        };
        let partition = self.partitions.hosting(look.area)?;
        let now = partition.clock().now();
        let reader = &look.asker.actor;
        // At what is durable.
        let known = partition.query(Position::ZERO, |machine| {
            machine.state().has_access(&access, reader, now)
        });
        let (known, _) = known.await.map_err(|e| status::query(SERVICE, &e))?;
        if !known {
            let note = self
                .partitions
                .note(look.area, look.asker, "access", access.into());
            note.await?;
        }
        Ok(())
    }
}

/// Of who does not say why.
const fn usual_purpose(role: Role) -> &'static str {
    match role {
        Role::Carrier => "CARRIES_THE_LOAD",
        Role::Dispatcher => "DISPATCHES",
        Role::Auditor => "AUDITS",
        Role::Operator => "OPERATES",
        _ => "NOT_SAID",
    }
}
